'use strict'
// Real MQTT clients behind one face, so that one list of promises
// (promises.js) holds for all of them: MQTT.js over TCP, TLS and WebSocket, and
// the two programs of ../clients. They reconnect by themselves and keep what is
// in flight, as they do for their users; nothing that arrives is dropped.
//
// Options: token (the user name), password, id, v, clean, expiry, keepalive, ca, and
// will: { topic, payload, qos, retain, delay }. libmosquitto's has no password,
// keepalive and retained will.
//
//   client.sessionPresent   of the last CONNACK
//   client.connects         Arrivals of later CONNACKs: true if session present
//   client.messages         Arrivals of { topic, qos, retain, text }
//   subscribe(filter, qos)  → code of the SUBACK
//   publish(topic, text, { qos, retain })   resolves with PUBACK or PUBCOMP
//   lose()                  no DISCONNECT, no way back
//   end()                   DISCONNECT
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const mqtt = require('mqtt')
const { BINARY } = require('./server')
const { Arrivals, PATIENCE, scaled, within } = require('./waits')

// A reconnect takes a second, and some clients double it when refused.
const RECONNECT = scaled(20000)

const FOLDER = path.join(__dirname, '../clients')
const LIBMOSQUITTO = path.join(path.dirname(BINARY), 'test/e2e/clients/libmosquitto_client')

class MqttJs {
  constructor (url, { token, password, id, v, clean = true, expiry = 0, keepalive = 60, will, ca }) {
    this.messages = new Arrivals(`message for MQTT.js ${id}`)
    this.connects = new Arrivals(`CONNACK for MQTT.js ${id}`)
    this.client = mqtt.connect(url, {
      protocolVersion: v,
      username: token,
      password,
      clientId: id,
      keepalive,
      clean,
      ca,
      resubscribe: false,
      reconnectPeriod: 200,
      connectTimeout: PATIENCE,
      ...(v === 5 && { properties: { sessionExpiryInterval: expiry } }),
      ...(will && {
        will: {
          topic: will.topic,
          payload: Buffer.from(will.payload),
          qos: will.qos ?? 0,
          retain: will.retain ?? false,
          ...(v === 5 && { properties: { willDelayInterval: will.delay ?? 0 } })
        }
      })
    })
    this.client.on('error', (error) => { this.error = error }) // refused while the server is away
    this.client.on('connect', ({ sessionPresent }) => this.connects.push(sessionPresent))
    this.client.on('message', (topic, payload, { qos, retain }) =>
      this.messages.push({ topic, qos, retain, text: payload.toString() }))
  }

  async subscribe (filter, qos) {
    const suback = await within(new Promise((resolve, reject) =>
      this.client.subscribe(filter, { qos }, (error, granted, packet) => packet ? resolve(packet) : reject(error))), 'SUBACK', RECONNECT)
    return suback.granted[0]
  }

  async unsubscribe (filter) { await within(this.client.unsubscribeAsync(filter), 'UNSUBACK') }

  async publish (topic, text, options = { qos: 1 }) {
    await within(this.client.publishAsync(topic, text, options), `acknowledgement of ${text}`, RECONNECT)
  }

  async lose () { await within(this.client.endAsync(true), 'end of MQTT.js') }
  async end () { await within(this.client.endAsync(false), 'DISCONNECT of MQTT.js') }
  kill () { this.client.end(true) }
}

class Program {
  constructor (server, command, args, { token, password, id, v, clean = true, expiry = 0, keepalive, will, ca }, port) {
    const settings = { host: '127.0.0.1', port, v, id, user: token, clean: clean ? 1 : 0, expiry }
    if (ca) settings.ca = ca
    if (password) settings.password = password
    if (keepalive) settings.keepalive = keepalive
    if (will) {
      Object.assign(settings, { will_topic: will.topic, will_payload: will.payload, will_qos: will.qos ?? 0, will_retain: will.retain ? 1 : 0, will_delay: will.delay ?? 0 })
    }
    this.program = server.follow(command, [...args, ...Object.entries(settings).map((pair) => pair.join('='))])
    this.program.child.stdin.on('error', () => {}) // it was killed
    this.messages = new Arrivals(`message for ${command} ${id}`)
    this.connects = new Arrivals(`CONNACK for ${command} ${id}`)
    this.answers = { subscribed: new Arrivals('SUBACK'), unsubscribed: new Arrivals('UNSUBACK'), published: new Arrivals('PUBACK or PUBCOMP') }
    this.read()
  }

  async read () {
    try {
      for (;;) this.heed((await this.program.lines.next(2 ** 31 - 1)).split('\t'))
    } catch (error) { // it has ended
      for (const arrivals of [this.messages, this.connects, ...Object.values(this.answers)]) arrivals.end(error.message)
    }
  }

  heed ([what, ...fields]) {
    if (what === 'connected' && fields[1] === '0') this.connects.push(fields[0] === '1')
    if (what === 'message') {
      const [topic, qos, retain, ...text] = fields
      this.messages.push({ topic, qos: Number(qos), retain: retain === '1', text: text.join('\t') })
    }
    this.answers[what]?.push(Number(fields[0]))
  }

  say (...fields) { this.program.child.stdin.write(fields.join('\t') + '\n') }

  async subscribe (filter, qos) {
    this.say('subscribe', filter, qos)
    return await this.answers.subscribed.next(RECONNECT)
  }

  async unsubscribe (filter) {
    this.say('unsubscribe', filter)
    await this.answers.unsubscribed.next()
  }

  async publish (topic, text, { qos, retain = false } = { qos: 1 }) {
    this.say('publish', topic, qos, retain ? 1 : 0, text)
    await this.answers.published.next(RECONNECT)
  }

  async lose () { await this.program.stop('SIGKILL') }

  async end () {
    this.program.child.stdin.end()
    await within(this.program.exited, 'end of the program')
  }

  kill () { this.program.child.kill('SIGKILL') }
}

async function connected (server, client) {
  server.clients.push(() => client.kill())
  client.sessionPresent = await client.connects.next()
  return client
}

// Not every python3 on the path is Debian's, which has Paho.
const python = ['python3', '/usr/bin/python3'].find((command) =>
  spawnSync(command, ['-c', 'import paho.mqtt.client']).status === 0) ?? 'python3'

// name → connect(server, options): options are token, id, v (5 or 4), clean,
// expiry (v5), will: { topic, payload, qos, delay }, and ca (a file) for TLS.
const kinds = {
  'MQTT.js': (server, options) =>
    connected(server, new MqttJs(server.mqttUrl, options)),
  'MQTT.js over TLS': (server, options) =>
    connected(server, new MqttJs(`mqtts://127.0.0.1:${server.mqttsPort}`, { ...options, ca: require('node:fs').readFileSync(options.ca) })),
  'MQTT.js over WebSocket': (server, options) =>
    connected(server, new MqttJs(`ws://127.0.0.1:${server.httpPort}/mqtt`, options)),
  Paho: (server, options) =>
    connected(server, new Program(server, python, [path.join(FOLDER, 'paho_client.py')], options, options.ca ? server.mqttsPort : server.mqttPort)),
  libmosquitto: (server, options) =>
    connected(server, new Program(server, LIBMOSQUITTO, [], options, options.ca ? server.mqttsPort : server.mqttPort))
}

module.exports = { kinds, RECONNECT, Program, connected }
