'use strict'
// The client libraries, what each needs to be built, and how its driver is started.
// A driver speaks the lines of ../e2e/clients/README.md. Versions are pinned where
// the language says so: go/go.mod, java/pom.xml, rust/Cargo.toml, and below.
const fs = require('node:fs')
const path = require('node:path')

const root = path.resolve(__dirname, '../..')
const built = path.join(root, 'build/clients')
const sources = (...names) => path.join(__dirname, ...names)
const output = (...names) => path.join(built, ...names)

// One folder of packages each: paho-mqtt 1 and 2 cannot live in one.
function python (folder, packages, program) {
  const home = output('python', folder)
  return {
    needs: ['python3'],
    build: [
      ['python3', '-m', 'venv', home],
      [path.join(home, 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check', ...packages]
    ],
    command: [path.join(home, 'bin/python'), program]
  }
}

const go = (name) => ({
  needs: ['go'],
  build: [['go', 'build', '-C', sources('go'), '-o', output('go', name), `./${name}`]],
  command: [output('go', name)]
})

const java = (main) => ({
  needs: ['java', 'javac', 'mvn'],
  build: [['mvn', '--quiet', '--batch-mode', '-f', sources('java/pom.xml'), `-DbuildDirectory=${output('java')}`, 'package']],
  command: ['java', '-cp', `${output('java/classes')}:${output('java/libraries/*')}`, main]
})

const rust = (name) => ({
  needs: ['cargo'],
  build: [['cargo', 'build', '--quiet', '--release', '--manifest-path', sources('rust/Cargo.toml'), '--target-dir', output('rust')]],
  command: [output('rust/release', name)]
})

// Readers of streams, and a program that is told by its own API; the others speak MQTT.
const STREAM = ['SSE']
const NODE_RED = ['Node-RED']
const streamPackages = ['requests==2.34.2', 'sseclient-py==1.9.0', 'requests-sse==0.5.3', 'httpx==0.28.1', 'httpx-sse==0.4.3']

function pythonReader (name, library) {
  const { command, ...rest } = python('streams', streamPackages, sources('python/stream_client.py'))
  return { name, library, versions: STREAM, ...rest, command: [...command, `library=${name}`] }
}

const e2e = (name) => require(path.join(root, 'test/e2e/node_modules', name, 'package.json')).version

const drivers = [
  { name: 'MQTT.js', keys: true, library: () => `mqtt ${e2e('mqtt')}`, versions: [5, 4], node: true },
  { name: 'paho-python-1', keys: true, library: 'paho-mqtt 1.6.1', versions: [5, 4], ...python('paho1', ['paho-mqtt==1.6.1'], path.join(root, 'test/e2e/clients/paho_client.py')) },
  { name: 'paho-python-2', keys: true, library: 'paho-mqtt 2.2.0', versions: [5, 4], ...python('paho2', ['paho-mqtt==2.2.0'], sources('python/paho2_client.py')) },
  { name: 'aiomqtt', keys: true, library: 'aiomqtt 2.5.1', versions: [5, 4], ...python('aiomqtt', ['aiomqtt==2.5.1', 'paho-mqtt==2.2.0'], sources('python/aiomqtt_client.py')) },
  { name: 'gmqtt', keys: true, library: 'gmqtt 0.8.0', versions: [5, 4], ...python('gmqtt', ['gmqtt==0.8.0'], sources('python/gmqtt_client.py')) },
  { name: 'paho-go', library: 'paho.mqtt.golang 1.5.1', versions: [4], ...go('paho') },
  { name: 'autopaho', library: 'paho.golang 0.23.0', versions: [5], ...go('autopaho') },
  {
    name: 'paho-c',
    library: 'libpaho-mqtt of Debian',
    versions: [5, 4],
    needs: ['cc'],
    header: '/usr/include/MQTTAsync.h',
    package: 'libpaho-mqtt-dev',
    build: [['cc', '-std=gnu17', '-O1', '-Wall', '-Wextra', '-o', output('paho_c'), sources('c/paho_c_client.c'), '-lpaho-mqtt3a', '-lpthread']],
    command: [output('paho_c')]
  },
  { name: 'paho-java-3', library: 'org.eclipse.paho.client.mqttv3 1.2.5', versions: [4], ...java('PahoV3') },
  { name: 'paho-java-5', library: 'org.eclipse.paho.mqttv5.client 1.2.5', versions: [5], ...java('PahoV5') },
  { name: 'hivemq', library: 'hivemq-mqtt-client 1.3.5', versions: [5, 4], ...java('HiveMq') },
  { name: 'rumqttc', library: 'rumqttc 0.25.1', versions: [5, 4], ...rust('rumqttc_client') },

  pythonReader('iter_lines', 'requests 2.34.2, iter_lines()'),
  pythonReader('sseclient-py', 'sseclient-py 1.9.0'),
  pythonReader('requests-sse', 'requests-sse 0.5.3'),
  pythonReader('httpx-sse', 'httpx-sse 0.4.3'),
  { name: 'r3labs', library: 'r3labs/sse 2.10.0', versions: STREAM, ...go('r3labs') },
  {
    name: 'fetch-event-source',
    library: () => `@microsoft/fetch-event-source ${e2e('@microsoft/fetch-event-source')}`,
    versions: STREAM,
    command: ['node', path.join(root, 'test/e2e/clients/fetch_event_source.js')]
  },
  {
    name: 'node-red',
    library: () => `node-red ${require(sources('nodered/package.json')).dependencies['node-red']}`,
    versions: NODE_RED,
    needs: ['npm'],
    build: [
      ['mkdir', '-p', output('nodered')],
      ['cp', sources('nodered/package.json'), sources('nodered/package-lock.json'), output('nodered')],
      ['npm', 'ci', '--silent', '--no-audit', '--no-fund', '--prefix', output('nodered')]
    ],
    command: ['node', output('nodered/node_modules/node-red/red.js')]
  }
]

const onPath = (command) => process.env.PATH.split(':').some((folder) => fs.existsSync(path.join(folder, command)))

// What stands in a driver's way, or null.
function missing ({ needs = [], header, package: name }) {
  const commands = needs.filter((command) => !onPath(command))
  if (commands.length > 0) return `no ${commands.join(', ')} on the path`
  if (header && !fs.existsSync(header)) return `no ${header}: install ${name}`
  return null
}

module.exports = { drivers, missing, built }
