'use strict'
// MQTT 5 and 3.1.1 clients, byte by byte, that keep their half of the session
// over any number of connections as MQTT 5 §4.1 wants: what they sent and was
// not acknowledged goes out again, in its order, with DUP and the same packet
// ids (MQTT-4.4.0-1); a QoS 2 message that came is kept from PUBLISH to PUBREL,
// and is handed over once.
const assert = require('node:assert/strict')
const net = require('node:net')
const wire = require('../e2e/harness/wire')
const { Wire, packet, int16, bytes, varint } = wire
const { Arrivals, within, scaled } = require('../e2e/harness/waits')

const [PUBACK, PUBREC, PUBREL, PUBCOMP] = [0x40, 0x50, 0x62, 0x70]
const NEVER = bytes(0x11, 0xff, 0xff, 0xff, 0xff) // Session Expiry Interval

const ack = (first, id) => packet(first, int16(id))
const idOf = ({ body }, at = 0) => body.readUInt16BE(at)

// CONNECT for a session that stays. v5: for ever; 3.1.1: Clean Session 0.
const stay = ({ v, token, clientId, clean = false, ...rest }) =>
  wire.connect({ v, token, clientId, clean, ...(v === 5 && { properties: NEVER }), ...rest })

function unsubscribe ({ v = 5, filter, id = 1 }) {
  return packet(0xa2, int16(id), v === 5 ? varint(0) : Buffer.alloc(0), wire.string(filter))
}

// → { topic, qos, dup, retain, id, text, properties (encoded) }
function readPublish ({ first, body }, v) {
  const qos = (first >> 1) & 3
  let at = 2 + body.readUInt16BE(0)
  const message = { topic: body.toString('utf8', 2, at), qos, dup: (first & 8) !== 0, retain: (first & 1) !== 0, id: 0 }
  if (qos > 0) {
    message.id = body.readUInt16BE(at)
    at += 2
  }
  if (v === 5) {
    let [length, shift] = [0, 1]
    for (let byte = 0x80; byte & 0x80; shift *= 128) {
      byte = body[at++]
      length += (byte & 0x7f) * shift
    }
    message.properties = body.subarray(at, at + length)
    at += length
  }
  return { ...message, text: body.toString('utf8', at) }
}

// Tries until the server is there; → a Wire after CONNACK, or null when `over()`
// says that it will not be: it was killed before we were in.
async function enter (port, options, over = () => false, limit = scaled(15000)) {
  const end = Date.now() + limit
  for (;;) {
    const socket = net.connect({ port, host: '127.0.0.1' })
    const line = new Wire(socket)
    line.send(stay(options))
    try {
      const { body } = await line.expect('CONNACK')
      assert.equal(body[1], 0, `CONNACK ${body[1]}`)
      line.sessionPresent = body[0] === 1
      line.connack = body
      return line
    } catch (error) {
      line.destroy()
      if (over()) return null
      if (error instanceof assert.AssertionError || Date.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

class Unforgetting {
  // window: how many may be unacknowledged
  constructor ({ v, token, clientId, window = 20 }) {
    Object.assign(this, { v, token, clientId, window })
    this.out = new Map() // packet id → { topic, qos, text, released, sent }, oldest first
    this.held = new Map() // inbound QoS 2: packet id → message
    this.lastId = 0
    this.acknowledged = [] // bodies, at PUBACK or PUBREC: both say it is on disk
    this.messages = new Arrivals(`message for ${clientId}`)
    this.redelivered = 0
    this.line = null
  }

  async connect (port, over) {
    const line = await enter(port, this, over)
    if (line === null) return false
    this.line = line
    this.gone = this.read(line)
    if (!line.sessionPresent) {
      assert.equal(this.everConnected ?? false, false, `${this.clientId}: its session is gone`)
      this.held.clear()
    }
    this.everConnected = true
    for (const [id, entry] of this.out) this.transmit(id, entry, true)
    return line.sessionPresent
  }

  transmit (id, { topic, qos, text, released }, dup) {
    if (released) this.line.send(ack(PUBREL, id))
    else this.line.send(wire.publish({ v: this.v, topic, payload: text, qos, id, dup }))
  }

  get hasRoom () { return this.line !== null && this.out.size < this.window }

  publish (topic, text, qos) {
    do this.lastId = this.lastId % 65535 + 1; while (this.out.has(this.lastId))
    const entry = { topic, text, qos, released: false }
    this.out.set(this.lastId, entry)
    this.transmit(this.lastId, entry, false)
  }

  async subscribe (filter, qos) {
    const subacked = new Promise((resolve) => { this.onSuback = resolve })
    this.line.send(wire.subscribe({ v: this.v, filter, options: qos, id: 65535 }))
    const { body } = await within(subacked, 'SUBACK')
    assert.equal(body.at(-1), qos, 'granted QoS')
  }

  async read (line) {
    try {
      for (;;) this.heed(line, await line.packets.next(2 ** 31 - 1))
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
    } finally {
      if (this.line === line) this.line = null
    }
  }

  heed (line, got) {
    switch (got.type) {
      case 'PUBLISH': return this.arrived(line, readPublish(got, this.v))
      case 'PUBACK': return this.done(idOf(got), 1)
      case 'PUBREC': return this.received(line, idOf(got))
      case 'PUBCOMP': return this.done(idOf(got), 2)
      case 'PUBREL': return this.release(line, idOf(got))
      case 'SUBACK': return this.onSuback(got)
      case 'DISCONNECT': return undefined
      default: assert.fail(`unexpected ${got.type}`)
    }
  }

  received (line, id) {
    const entry = this.out.get(id)
    if (entry && !entry.released) {
      entry.released = true
      this.acknowledged.push(entry.text)
    }
    line.send(ack(PUBREL, id))
  }

  done (id, qos) {
    const entry = this.out.get(id)
    if (!entry) return // PUBCOMP for a PUBREL that went twice
    assert.equal(entry.qos, qos)
    if (qos === 1) this.acknowledged.push(entry.text)
    else assert.ok(entry.released, 'PUBCOMP before PUBREC')
    this.out.delete(id)
  }

  arrived (line, message) {
    if (message.dup) this.redelivered++
    if (message.qos === 2) {
      // the same id before its PUBREL is the same message
      const known = this.held.get(message.id)
      if (known) assert.equal(message.text, known.text, `packet id ${message.id} carries another message`)
      else this.messages.push(message)
      this.held.set(message.id, message)
      line.send(ack(PUBREC, message.id))
      return
    }
    this.messages.push(message)
    if (message.qos === 1) line.send(ack(PUBACK, message.id))
  }

  release (line, id) {
    this.held.delete(id)
    line.send(ack(PUBCOMP, id))
  }

  end () { this.line?.destroy() }
}

module.exports = { Unforgetting, enter, readPublish, unsubscribe, ack, idOf, PUBACK, PUBREC, PUBREL, PUBCOMP }
