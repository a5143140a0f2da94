'use strict'
// MQTT.js, unmodified, with promises and with nothing dropped.
const mqtt = require('mqtt')
const { Arrivals, PATIENCE, within } = require('./waits')

class Device {
  // Resolves after CONNACK; rejects with an error whose `code` is the reason.
  // `options` are MQTT.js's own, plus `token` (the user name) and `v` (4 or 5).
  static async connect (url, { token, v = 5, ...options } = {}) {
    const client = mqtt.connect(url, {
      protocolVersion: v,
      username: token,
      reconnectPeriod: 0,
      resubscribe: false,
      connectTimeout: PATIENCE,
      ...options
    })
    const device = new Device(client, v)
    await within(device.connected, 'CONNACK')
    return device
  }

  constructor (client, v) {
    this.client = client
    this.v = v
    this.messages = new Arrivals('PUBLISH from the server')
    this.connected = new Promise((resolve, reject) => {
      client.once('connect', (connack) => { this.connack = connack; resolve() })
      client.on('error', reject)
      client.once('close', () => reject(new Error('closed before CONNACK')))
    })
    this.connected.catch(() => {}) // told to connect()'s caller
    client.on('message', (topic, payload, packet) => {
      this.messages.push({
        topic,
        payload,
        text: payload.toString('utf8'),
        retain: packet.retain,
        qos: packet.qos,
        dup: packet.dup,
        properties: packet.properties ?? {},
        packet
      })
    })
    // MQTT.js keeps a PUBACK's properties to itself
    this.pubacks = new Map()
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'puback') this.pubacks.set(packet.messageId, packet)
    })
    this.inFlight = 0
    this.queued = [] // MQTT.js does not keep to the server's Receive Maximum
    // → the server's DISCONNECT packet (v5) or null
    let disconnect = null
    client.on('disconnect', (packet) => { disconnect = packet })
    this.closed = new Promise((resolve) => client.once('close', () => resolve(disconnect)))
  }

  // → list of reason codes, refusals included
  async subscribe (filters, options = { qos: 1 }) {
    const answer = new Promise((resolve, reject) => {
      this.client.subscribe(filters, options, (error, granted, suback) => {
        const packet = suback ?? error?.packet
        if (packet) resolve(packet.granted ?? packet.reasonCodes)
        else reject(error ?? new Error('no SUBACK'))
      })
    })
    return await within(answer, `SUBACK for ${filters}`)
  }

  async unsubscribe (filters) {
    await within(this.client.unsubscribeAsync(filters), `UNSUBACK for ${filters}`)
  }

  // → { code, properties } of the PUBACK; QoS 0: code 0 when written. Rejects
  // when the connection ends first, with the server's reason as `code`.
  async publish (topic, payload, options = { qos: 1 }) {
    const data = typeof payload === 'string' || Buffer.isBuffer(payload)
      ? payload
      : JSON.stringify(payload)
    if (!options.qos) return await within(this.send(topic, data, options), `sending to ${topic}`)
    const most = this.connack?.properties?.receiveMaximum ?? 65535
    if (this.inFlight >= most) await new Promise((resolve) => this.queued.push(resolve))
    else this.inFlight++
    const lost = this.closed.then((packet) => {
      const error = new Error(`connection ended, reason ${packet?.reasonCode ?? 'none'}`)
      throw Object.assign(error, { code: packet?.reasonCode })
    })
    try {
      return await within(Promise.race([this.send(topic, data, options), lost]), `PUBACK for ${topic}`)
    } finally {
      const next = this.queued.shift()
      if (next) next()
      else this.inFlight--
    }
  }

  send (topic, data, options) {
    return new Promise((resolve, reject) => {
      let id
      this.client.publish(topic, data, options, (error) => {
        const puback = this.pubacks.get(id)
        this.pubacks.delete(id)
        if (error && error.code === undefined) reject(error)
        else resolve({ code: error?.code ?? puback?.reasonCode ?? 0, properties: puback?.properties ?? {} })
      })
      id = options.qos ? this.client.getLastMessageId() : undefined
    })
  }

  async message (limit = PATIENCE) { return await this.messages.next(limit) }

  async end () { await within(this.client.endAsync(true), 'end of client') }

  // Without DISCONNECT, as when the cable is cut.
  cut () { this.client.stream.destroy() }
}

module.exports = { Device }
