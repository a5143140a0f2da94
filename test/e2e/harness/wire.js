'use strict'
// MQTT packets made by hand, for what no client library would send, and a
// connection that shows what the server answers, byte by byte.
const net = require('node:net')
const { Arrivals, PATIENCE, within } = require('./waits')

const TYPES = [
  'reserved', 'CONNECT', 'CONNACK', 'PUBLISH', 'PUBACK', 'PUBREC', 'PUBREL',
  'PUBCOMP', 'SUBSCRIBE', 'SUBACK', 'UNSUBSCRIBE', 'UNSUBACK', 'PINGREQ',
  'PINGRESP', 'DISCONNECT', 'AUTH'
]

// Variable byte integer, MQTT 5 §1.5.5.
function varint (value) {
  const bytes = []
  do {
    let byte = value % 128
    value = Math.floor(value / 128)
    if (value > 0) byte |= 0x80
    bytes.push(byte)
  } while (value > 0)
  return Buffer.from(bytes)
}

const bytes = (...parts) => Buffer.concat(parts.map((part) =>
  Buffer.isBuffer(part) ? part : Buffer.from(Array.isArray(part) ? part : [part])))

const int16 = (value) => Buffer.from([value >> 8, value & 0xff])

function string (text) {
  const data = Buffer.isBuffer(text) ? text : Buffer.from(text, 'utf8')
  return bytes(int16(data.length), data)
}

// `first`: the whole first byte, type and flags.
const packet = (first, ...parts) => {
  const body = bytes(...parts)
  return bytes(first, varint(body.length), body)
}

const userProperty = (name, value) => bytes(0x26, string(name), string(value))

// v: 5 or 4 (3.1.1); properties: encoded, v5 only; will: { topic, payload,
// properties } at QoS 0.
function connect ({ v = 5, clientId = '', token, keepAlive = 60, properties = Buffer.alloc(0), will, clean = true } = {}) {
  const flags = (token === undefined ? 0 : 0x80) | (will ? 0x04 : 0) | (clean ? 0x02 : 0)
  const parts = [string('MQTT'), v, flags, int16(keepAlive)]
  if (v === 5) parts.push(varint(properties.length), properties)
  parts.push(string(clientId))
  if (will) {
    if (v === 5) parts.push(varint(will.properties?.length ?? 0), will.properties ?? Buffer.alloc(0))
    parts.push(string(will.topic), string(will.payload))
  }
  if (token !== undefined) parts.push(string(token))
  return packet(0x10, ...parts)
}

function publish ({ v = 5, topic, payload = '', qos = 0, id = 1, retain = false, dup = false, properties = Buffer.alloc(0) }) {
  const parts = [string(topic)]
  if (qos > 0) parts.push(int16(id))
  if (v === 5) parts.push(varint(properties.length), properties)
  parts.push(Buffer.from(payload))
  return packet(0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0), ...parts)
}

function subscribe ({ v = 5, filter, options = 0, id = 1, properties = Buffer.alloc(0) }) {
  const parts = [int16(id)]
  if (v === 5) parts.push(varint(properties.length), properties)
  parts.push(string(filter), options)
  return packet(0x82, ...parts)
}

const PINGREQ = Buffer.from([0xc0, 0])
const DISCONNECT = Buffer.from([0xe0, 0])

class Wire {
  static async open (port, host = '127.0.0.1') {
    const wire = new Wire(net.connect({ port, host }))
    await within(new Promise((resolve, reject) => {
      wire.socket.once('connect', resolve)
      wire.socket.once('error', reject)
    }), 'TCP connection')
    return wire
  }

  // Connected as MQTT, too; `options` as for connect() above.
  static async connected (port, options) {
    const wire = await Wire.open(port)
    wire.send(connect(options))
    wire.connack = await wire.expect('CONNACK')
    if (wire.connack.body[1] !== 0) throw new Error(`CONNACK ${wire.connack.body[1]}`)
    return wire
  }

  constructor (socket) {
    this.socket = socket
    this.packets = new Arrivals('packet from the server')
    let rest = Buffer.alloc(0)
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data])
      for (;;) {
        const found = splitPacket(rest)
        if (!found) return
        rest = rest.subarray(found.length)
        this.packets.push(found.packet)
      }
    })
    socket.on('error', () => {}) // told by 'close'
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.packets.end('the connection was closed')
        resolve()
      })
    })
  }

  send (...parts) { this.socket.write(bytes(...parts)) }

  async expect (type, limit = PATIENCE) {
    const got = await this.packets.next(limit)
    if (got.type !== type) {
      throw new Error(`expected ${type}, got ${got.type} ${got.body.toString('hex')}`)
    }
    return got
  }

  // Reads to the end; → the reason code of a DISCONNECT or CONNACK that came
  // before it, or null when the server just closed.
  async closeReason (limit = PATIENCE) {
    await within(this.closed, 'closing by the server', limit)
    let reason = null
    for (const { type, body } of this.packets.items.splice(0)) {
      if (type === 'DISCONNECT') reason = body.length > 0 ? body[0] : 0
      if (type === 'CONNACK') reason = body[1]
    }
    return reason
  }

  destroy () { this.socket.destroy() }
}

function splitPacket (buffer) {
  let length = 0
  for (let i = 1; i <= 4; i++) {
    if (i >= buffer.length) return null
    length += (buffer[i] & 0x7f) * 128 ** (i - 1)
    if (buffer[i] & 0x80) continue
    const end = i + 1 + length
    if (buffer.length < end) return null
    return {
      length: end,
      packet: { type: TYPES[buffer[0] >> 4], first: buffer[0], body: buffer.subarray(i + 1, end) }
    }
  }
  throw new Error('server sent a malformed length')
}

module.exports = {
  Wire, varint, bytes, int16, string, packet, userProperty, connect, publish, subscribe, PINGREQ, DISCONNECT
}
