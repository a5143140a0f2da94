'use strict'
// Node-RED itself, with the nodes `mqtt in` and `mqtt out` that everybody uses, told
// what to do by its HTTP admin API: a flow that answers cmnd/…/POWER with a retained
// stat/…/POWER, behind a key with a mount.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { temporaryFolder, until } = require('../../e2e/harness/server')
const { RECONNECT } = require('../../e2e/harness/clients')
const { follow, home, keyOf } = require('../../e2e/harness/stock')
const { request } = require('../../e2e/harness/http')

async function freePort () {
  const probe = net.createServer()
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}

const settings = (port) => `module.exports = ${JSON.stringify({
  uiPort: port,
  uiHost: '127.0.0.1',
  flowFile: 'flows.json',
  credentialSecret: false,
  mqttReconnectTime: 500,
  telemetry: { enabled: false },
  logging: { console: { level: 'info', metrics: false, audit: false } }
})}\n`

function flow (server, { tenant, password, v }) {
  const status = (kind, payload) => ({ [`${kind}Topic`]: 'nodered/status', [`${kind}Payload`]: payload, [`${kind}Qos`]: '1', [`${kind}Retain`]: 'true' })
  return [
    { id: 'tab', type: 'tab', label: 'test' },
    {
      id: 'broker',
      type: 'mqtt-broker',
      broker: '127.0.0.1',
      port: String(server.mqttPort),
      clientid: 'nodered',
      autoConnect: true,
      usetls: false,
      protocolVersion: String(v),
      keepalive: '60',
      cleansession: true,
      ...status('birth', 'online'),
      ...status('close', 'closed'),
      ...status('will', 'offline'),
      credentials: { user: tenant, password }
    },
    { id: 'in', type: 'mqtt in', z: 'tab', topic: 'cmnd/+/POWER', qos: '1', datatype: 'utf8', broker: 'broker', wires: [['turn']] },
    { id: 'turn', type: 'function', z: 'tab', func: 'msg.topic = msg.topic.replace("cmnd", "stat"); return msg', outputs: 1, wires: [['out']] },
    { id: 'out', type: 'mqtt out', z: 'tab', topic: '', qos: '1', retain: 'true', broker: 'broker', wires: [] }
  ]
}

class NodeRed {
  static async start (server, command) {
    const red = new NodeRed()
    red.folder = temporaryFolder()
    const port = await freePort()
    red.base = `http://127.0.0.1:${port}`
    fs.writeFileSync(path.join(red.folder, 'settings.js'), settings(port))
    red.program = server.follow(command[0], [...command.slice(1), '--userDir', red.folder, '--settings', path.join(red.folder, 'settings.js')])
    await until(async () => (await request(red.base, '/flows').catch(() => null))?.status === 200, 'Node-RED', RECONNECT)
    return red
  }

  async deploy (nodes) {
    const answer = await request(this.base, '/flows', { method: 'POST', body: nodes, headers: { 'Content-Type': 'application/json', 'Node-RED-Deployment-Type': 'full' } })
    assert.equal(answer.status, 204, answer.text)
  }

  async kill () {
    await this.program.stop('SIGKILL')
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

const answersBelowItsMount = (v) => async ({ server, command }) => {
  const { tenant, app, admin } = await home(server)
  const password = await keyOf(server, tenant, '--mount', 'home')
  const red = await NodeRed.start(server, command)
  const is = (topic, text) => (message) => message.topic === topic && message.text === text
  try {
    await red.deploy(flow(server, { tenant, password, v }))
    await app.arrivals.find(is('nodered/status', 'online'), RECONNECT)
    await app.publish('cmnd/lamp/POWER', 'ON')
    await app.find(is('stat/lamp/POWER', 'ON'))
    await admin.find(is(`${tenant}/home/stat/lamp/POWER`, 'ON'))
    const late = await follow(server, tenant, app.key, 'stat/#')
    assert.deepEqual(await late.next(), { topic: 'stat/lamp/POWER', text: 'ON', retain: true })

    await server.kill9()
    await server.restart()
    const back = await follow(server, tenant, app.key, '#')
    await until(async () => { // it connects again when it wants to
      await back.publish('cmnd/lamp/POWER', 'OFF')
      return back.seen.some(is('stat/lamp/POWER', 'OFF'))
    }, 'Node-RED again', RECONNECT)

    await red.program.stop('SIGKILL')
    await back.find(is('nodered/status', 'offline'))
  } finally {
    await red.kill()
  }
}

const columns = {
  'MQTT 3.1.1': answersBelowItsMount(4),
  'MQTT 5.0': answersBelowItsMount(5)
}

module.exports = { columns }
