'use strict'
// A client made of bytes: what it sends is what a case says, what it gets is
// compared byte for byte. Every packet is read strictly on the way (packets.js).
const assert = require('node:assert/strict')
const net = require('node:net')
const { Arrivals, PATIENCE, within } = require('../../e2e/harness/waits')
const packets = require('./packets')
const { hex } = packets

let counter = 0
const unique = () => (++counter).toString(36)

class Peer {
  static async open (port, { v = 5 } = {}) {
    const peer = new Peer(net.connect({ port, host: '127.0.0.1', noDelay: true }), v)
    await within(new Promise((resolve, reject) => {
      peer.socket.once('connect', resolve)
      peer.socket.once('error', reject)
    }), 'TCP connection')
    return peer
  }

  constructor (socket, v) {
    this.socket = socket
    this.v = v
    this.lastId = 0
    this.arrivals = new Arrivals('packet from the server')
    let rest = Buffer.alloc(0)
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data])
      for (let length; (length = packets.lengthOf(rest)) > 0; rest = rest.subarray(length)) {
        this.arrivals.push(rest.subarray(0, length))
      }
    })
    socket.on('error', () => {}) // told by 'close'
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.cutShort = rest.length > 0
        this.arrivals.end('the connection was closed')
        resolve()
      })
    })
  }

  send (...parts) { this.socket.write(packets.bytes(...parts)) }
  cut () { this.socket.destroy() }
  newId () { return ++this.lastId }

  // ---- receiving

  // The next packet, read.
  async next (limit = PATIENCE) {
    const packet = packets.read(await this.arrivals.next(limit), this.v)
    if (this.maximum) assert.ok(packet.bytes.length <= this.maximum, `${packet.bytes.length} bytes, Maximum Packet Size is ${this.maximum}`)
    return packet
  }

  async expect (type, fields = {}) {
    const packet = await this.next()
    assert.equal(packet.type, type, hex(packet.bytes))
    for (const [name, value] of Object.entries(fields)) {
      assert.deepEqual(packet[name], value, `${name} of ${type} ${hex(packet.bytes)}`)
    }
    return packet
  }

  // The next packet must be exactly these bytes.
  async receives (expected) {
    const packet = await this.next()
    if (!packet.bytes.equals(expected)) assert.fail(`got      ${hex(packet.bytes)}\nexpected ${hex(expected)}`)
    return packet
  }

  // The same for an answer that deliveries may overtake: those wait their turn.
  async isAnswered (expected) {
    const overtaking = []
    let data
    while ((data = await this.arrivals.next())[0] >> 4 === 3) overtaking.push(data)
    this.arrivals.items.unshift(data, ...overtaking)
    return await this.receives(expected)
  }

  // A PUBLISH of exactly these fields and properties. Its packet identifier is the
  // server's choice, and so is the order of properties that are no user
  // properties; all else is compared as bytes.
  async receivesPublish (fields) {
    const got = await this.expect('PUBLISH')
    const given = got.properties
    const ordered = {}
    for (const name of Object.keys(packets.PROPERTIES)) {
      const value = fields.properties?.[name]
      if (value !== undefined) ordered[name] = value
    }
    const rewritten = packets.publish({ ...got, v: this.v, properties: this.v === 5 ? sorted(given) : undefined })
    const expected = packets.publish({ v: this.v, id: got.id, ...fields, properties: ordered })
    if (!rewritten.equals(expected)) assert.fail(`got      ${hex(rewritten)}\nexpected ${hex(expected)}`)
    return got
  }

  // The server closes: 5.0 with a DISCONNECT of one of these codes before, 3.1.1
  // (and null) without a word. Nothing else comes.
  async closes (...codes) {
    const left = []
    try {
      for (;;) left.push(await this.next())
    } catch (error) {
      if (!/was closed/.test(error.message)) throw error
    }
    assert.equal(this.cutShort, false, 'half a packet before the end')
    const said = left.map(({ type, code }) => code === undefined ? type : `${type} 0x${code.toString(16)}`).join(', ')
    if (this.v < 5 || codes.length === 0 || said === '') {
      assert.equal(said, '', 'closed without a word')
      assert.ok(this.v < 5 || codes.length === 0 || codes.includes(null), 'closed without a DISCONNECT')
      return null
    }
    assert.equal(left.length, 1, said)
    assert.equal(left[0].type, 'DISCONNECT')
    assert.ok(codes.includes(left[0].code), said)
    return left[0]
  }

  // After a CONNECT: refused by a CONNACK of one of these codes and closed.
  // null: closing without one is as good.
  async refuses (...codes) {
    const left = []
    try {
      for (;;) left.push(await this.next())
    } catch (error) {
      if (!/was closed/.test(error.message)) throw error
    }
    if (left.length === 0) {
      assert.ok(codes.includes(null), 'closed without a CONNACK')
      return null
    }
    assert.equal(left.length, 1, left.map(({ type }) => type).join(', '))
    assert.equal(left[0].type, 'CONNACK')
    assert.ok(codes.includes(left[0].code), `CONNACK 0x${left[0].code.toString(16)}`)
    return left[0]
  }

  // ---- whole exchanges, each byte for byte

  async connect (fields = {}) {
    this.maximum = fields.properties?.maximumPacketSize
    this.send(packets.connect({ v: this.v, ...fields }))
    this.connack = await this.expect('CONNACK', { code: 0 })
    return this
  }

  // Filters with their options (QoS in the low bits), granted as asked.
  async subscribe (filters, properties) {
    const list = typeof filters === 'string' ? [[filters, 0]] : filters
    const id = this.newId()
    this.send(packets.subscribe({ v: this.v, id, filters: list, properties }))
    await this.receives(packets.suback({ v: this.v, id, codes: list.map(([, options = 0]) => options & 3) }))
  }

  async unsubscribe (...filters) {
    const id = this.newId()
    this.send(packets.unsubscribe({ v: this.v, id, filters }))
    await this.receives(packets.unsuback({ v: this.v, id, codes: filters.map(() => 0) }))
  }

  // Published and, unless QoS 0, acknowledged.
  async publish (topic, payload, { qos = 1, ...fields } = {}) {
    const id = qos > 0 ? this.newId() : undefined
    this.send(packets.publish({ v: this.v, topic, payload, qos, id, ...fields }))
    if (qos === 1) await this.isAnswered(packets.puback({ v: this.v, id }))
    if (qos === 2) {
      await this.isAnswered(packets.pubrec({ v: this.v, id }))
      this.send(packets.pubrel({ v: this.v, id }))
      await this.isAnswered(packets.pubcomp({ v: this.v, id }))
    }
  }

  acknowledge ({ id }, code = 0) { this.send(packets.puback({ v: this.v, id, code })) }

  // A delivery of QoS 2, taken to its end.
  async complete ({ id }) {
    this.send(packets.pubrec({ v: this.v, id }))
    await this.receives(packets.pubrel({ v: this.v, id }))
    this.send(packets.pubcomp({ v: this.v, id }))
  }

  async ping () {
    this.send(packets.PINGREQ)
    await this.receives(packets.PINGRESP)
  }

  // Nothing else was on its way: what is published now, below `space`, comes next.
  // Whatever was acknowledged to its publisher before would have come before it.
  async silence (space) {
    const topic = `${space}/silence/${unique()}`
    await this.subscribe(topic)
    this.send(packets.publish({ v: this.v, topic, payload: 'silence' }))
    await this.receivesPublish({ topic, payload: 'silence' })
  }

  async disconnect (fields = {}) {
    this.send(packets.disconnect({ v: this.v, ...fields }))
    await this.closes()
  }
}

const sorted = (given) => Object.fromEntries(
  Object.keys(packets.PROPERTIES).filter((name) => name in given).map((name) => [name, given[name]]))

module.exports = { Peer, unique }
