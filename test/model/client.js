'use strict'
// An MQTT client that keeps its half of the session (MQTT 5 §4.1) over kills,
// lost connections and takeovers, and writes down in the journal what it asked
// for and what came.
const { once } = require('node:events')
const net = require('node:net')
const wire = require('../e2e/harness/wire')
const { Wire, packet, bytes, int16, string, varint } = wire
const { scaled, until, within } = require('../e2e/harness/waits')
const { readPublish, unsubscribe, ack, idOf, PUBACK, PUBREC, PUBREL, PUBCOMP } = require('../fault/unforgetting')

const WINDOW = 20 // own messages that may wait for their answer
const int32 = (value) => bytes(int16(Math.floor(value / 65536)), int16(value % 65536))

function connectPacket ({ v, token, name, clean, expiry, will }) {
  const flags = 0x80 | (clean ? 2 : 0) | (will ? 0x04 | (will.qos << 3) : 0)
  const parts = [string('MQTT'), v, flags, int16(60)]
  const some = (properties) => [varint(properties.length), properties]
  if (v === 5) parts.push(...some(expiry > 0 ? bytes(0x11, int32(expiry)) : bytes()))
  parts.push(string(name))
  if (will) {
    if (v === 5) parts.push(...some(will.delay > 0 ? bytes(0x18, int32(will.delay)) : bytes()))
    parts.push(string(will.topic), string(will.id))
  }
  return packet(0x10, ...parts, string(token))
}

class Client {
  // stored: its session outlives connections, with 5 for `expiry` seconds
  constructor (world, { name, v, stored, expiry = 3600, rap = false, group = null }) {
    Object.assign(this, { world, name, v, stored, rap, group, expiry: stored && v === 5 ? expiry : 0 })
    this.journal = world.journal
    this.line = null // { wire, connection, session }
    this.session = null // as we believe the server has it
    this.inDoubt = false // a CONNECT was not answered: Session Present is unknown
    this.out = new Map() // packet id → { message, released }, oldest first
    this.held = new Set() // inbound QoS 2, from PUBLISH to PUBREL
    this.asked = new Map() // packet id → { edge, filter, done } of SUBSCRIBE, UNSUBSCRIBE
    this.lastId = 0
    this.published = 0
    this.leftAt = null // ms, when the last connection ended
    this.shaken = false // killed since
    this.will = null // of the connection there is
    this.unsure = [] // wills of connections whose end a kill might have hidden
    this.waiting = null // the will whose delay runs
    this.mustClean = false // a Clean Start was not answered
  }

  get connected () { return this.line !== null }

  // ---- connecting

  // → false when the server went away meanwhile
  async connect (options) {
    this.entering = true
    try {
      return await this.enter(options)
    } finally {
      this.entering = false
    }
  }

  async enter ({ clean = false, will = null }) {
    if (!this.stored || this.mustClean) clean = true
    const { journal } = this
    const old = this.line
    const socket = net.connect({ port: this.world.port, host: '127.0.0.1' })
    socket.setNoDelay(true)
    const line = { wire: new Wire(socket), connection: null, session: null, unanswered: [] }
    const open = await Promise.race([once(socket, 'connect').then(() => true, () => false), line.wire.closed.then(() => false)])
    if (!open) return false
    const record = line.connection = journal.connection()
    if (clean && this.session) this.endSession(record.sent)
    const armed = will && this.newWill(will)
    line.wire.send(connectPacket({ ...this, token: this.world.token, clean, will: armed }))
    const connack = await line.wire.expect('CONNACK', scaled(20000)).catch((error) => error)
    if (connack instanceof Error || this.world.dying) {
      line.wire.destroy()
      this.inDoubt = true
      this.mustClean = clean && this.stored
      if (armed) armed.record.will.why += '; its CONNECT was not answered'
      if (!this.world.down) journal.complain(`${this.name}: ${connack.message}`)
      return false
    }
    this.mustClean = false
    record.acked = journal.tick()
    if (connack.body[1] !== 0) {
      journal.complain(`${this.name}: CONNACK ${connack.body[1]}`)
      line.wire.destroy()
      return false
    }
    const away = old ? 0 : record.sentAt - (this.leftAt ?? record.sentAt)
    if (old && old === this.line) this.ending(old, record.sent, record.sentAt)
    const fresh = this.takeUp(line, connack.body[0] === 1, clean, away)
    this.settleWill(record, clean || fresh)
    this.will = armed && armed.record
    if (armed) Object.assign(armed.record.will, { expect: 0, why: 'its client was still connected, or left in peace', armed: record.acked })
    this.line = line
    line.gone = this.read(line)
    this.resume()
    if (fresh && this.group === null) this.subscribeMarker()
    return true
  }

  // away: ms since the last connection ended. When a session's time is up it must
  // be over; what a kill does to that time is not said.
  takeUp (line, present, clean, away) {
    const { journal } = this
    const known = this.session !== null && this.stored
    let fresh = false
    if (clean && present) journal.complain(`${this.name}: Session Present 1 after Clean Start`)
    const mayBeOver = this.expiry > 0 && away > this.expiry * 1000 - 300
    const mustBeOver = mayBeOver && away > this.expiry * 1000 + 2000 && !this.shaken
    this.shaken = false
    if (known && present && mustBeOver) journal.complain(`${this.name}: its session of ${this.expiry} s is there after ${away} ms`)
    if (!clean && known && !this.inDoubt && !present && !mayBeOver) journal.complain(`${this.name}: its session is gone`)
    if (!known && present && !this.inDoubt) journal.complain(`${this.name}: Session Present 1, and there can be none`)
    this.inDoubt = false
    if (!present || !this.session) {
      if (this.session) this.endSession(line.connection.sent)
      this.session = journal.session(this)
      fresh = true
      this.held.clear()
      this.out.clear()
      this.asked.clear()
    }
    line.session = this.session
    this.session.connectionKeys.push(line.connection.key)
    return fresh
  }

  endSession (tick) {
    this.session.ended = tick
    for (const subscription of this.session.subscriptions) {
      subscription.end ??= { sent: tick, acked: Infinity, conn: null }
    }
    this.session = null
    this.out.clear()
  }

  // What was not answered goes out again: PUBLISH and PUBREL with their ids
  // (MQTT-4.4.0-1), SUBSCRIBE and UNSUBSCRIBE as new ones.
  resume () {
    for (const [id, { message, released }] of this.out) {
      if (released) this.send(ack(PUBREL, id))
      else this.transmit(id, message, true)
    }
    const asked = [...this.asked.values()]
    this.asked.clear()
    for (const { request, done } of asked) {
      if (request.marker) this.subscribeMarker()
      else if (request.unsubscribe) this.unsubscribe(request.filter, done)
      else this.subscribe(request, done)
    }
  }

  // ---- leaving

  // The connection is over from here on: nothing that still comes counts.
  ending (line, tick, at = Date.now()) {
    line.connection.closing = Math.min(line.connection.closing, tick)
    line.connection.closingAt ??= at
    this.leftAt = at
    if (this.line === line) this.line = null
    if (!this.stored && this.session === line.session && this.session) this.endSession(tick)
    if (!this.stored) { this.held.clear(); this.asked.clear() }
  }

  // how: drop (the network fails), bye (DISCONNECT 0), farewell (DISCONNECT 4)
  async leave (how) {
    const { line } = this
    if (!line) return
    const tick = this.journal.tick()
    if (how === 'bye') this.send(wire.DISCONNECT)
    if (how === 'farewell') this.send(bytes(0xe0, 1, 4))
    this.ending(line, tick)
    this.willOf(how)
    if (how === 'drop') return line.wire.destroy()
    line.wire.socket.end()
    // Two connections have no order: until the server has closed this one, the
    // next CONNECT might get there before this DISCONNECT, and take over.
    await within(line.wire.closed, `${this.name}: closing after DISCONNECT`)
  }

  killed (tick) {
    this.willsShaken()
    this.shaken = true
    if (this.line) {
      const { line } = this
      this.ending(line, tick)
      line.wire.destroy()
      this.willOf('kill')
    }
  }

  // ---- wills: MQTT-3.1.2-8, -10, MQTT-3.1.3-9

  newWill ({ qos, delay }) {
    const topic = `${this.world.token}/will/${this.name}`
    const will = { expect: null, why: 'was armed', delay: this.v === 5 && this.stored ? delay : 0 }
    const record = this.journal.message({ by: this.name, topic, qos, n: 0, sent: this.journal.tick(), will })
    return { record, topic, qos, delay: will.delay, id: record.id }
  }

  willOf (how) {
    const record = this.will
    this.will = null
    if (!record) return
    const { will } = record
    will.endedAt = Date.now()
    if (how === 'bye') Object.assign(will, { expect: 0, why: 'DISCONNECT 0' })
    else if (how === 'kill' && !this.stored) Object.assign(will, { expect: null, why: 'no stored session, and the server was killed' })
    else if (will.delay === 0) Object.assign(will, { expect: 1, why: how })
    else {
      Object.assign(will, { expect: null, why: `${how}, its delay of ${will.delay} s runs` })
      this.waiting = record
    }
    if (how !== 'kill') this.unsure.push(record)
  }

  // The server was killed, and perhaps had not seen yet that the client left.
  willsShaken () {
    for (const { will } of this.unsure.splice(0)) {
      if (this.stored && will.why !== 'DISCONNECT 0') continue
      Object.assign(will, { expect: null, why: `${will.why}, and a kill right after` })
    }
  }

  // A CONNACK has come: it ends the delay of the will before; or the session was
  // over, by Clean Start or its time, and published it.
  settleWill (record, over) {
    if (this.will) this.willOf('takeover')
    if (this.waiting) {
      const { will } = this.waiting
      const pause = record.sentAt - will.endedAt
      if (over) Object.assign(will, { expect: 1, why: 'its session was over' })
      else if (Date.now() - will.endedAt < will.delay * 1000 - 200) Object.assign(will, { expect: 0, why: 'its client came back before the delay was over' })
      else if (pause > will.delay * 1000 + 5000) Object.assign(will, { expect: 1, why: 'its delay was over' })
      this.waiting = null
    }
  }

  // ---- asking

  send (...parts) { this.line.wire.send(...parts) }

  freeId () {
    do this.lastId = this.lastId % 65535 + 1; while (this.out.has(this.lastId) || this.asked.has(this.lastId))
    return this.lastId
  }

  // fields: { topic, qos, retain, empty, expiry }
  async publish (fields) {
    await until(() => !this.line || this.out.size < WINDOW, `${this.name}: answers to its PUBLISHes`)
    if (!this.line) return
    const message = this.journal.message({ by: this.name, n: ++this.published, sent: this.journal.tick(), conn: this.line.connection.key, once: fields.qos === 2 && this.stored, ...fields })
    if (fields.qos === 0) {
      this.line.unanswered.push(message)
      return this.transmit(0, message, false)
    }
    const id = this.freeId()
    this.out.set(id, { message, released: false })
    this.transmit(id, message, false)
  }

  transmit (id, message, dup) {
    const { topic, qos, retain, empty, expiry } = message
    message.transmissions++
    const properties = expiry === null ? bytes() : bytes(0x02, int32(expiry))
    this.send(wire.publish({ v: this.v, topic, payload: empty ? '' : message.id, qos, id, dup, retain, properties }))
  }

  edge () { return { sent: this.journal.tick(), acked: Infinity, conn: this.line.connection.key } }

  // request: { filter, qos, nl, rh }
  subscribe (request, done = () => {}) {
    if (!this.line) return done()
    const { filter, qos, nl = false, rh = 0 } = request
    const start = this.edge()
    const own = this.session.subscriptions.filter((s) => s.filter === filter)
    const before = own.at(-1)
    const open = before && before.end === null
    // Retain Handling 1: where there was none (MQTT-3.3.1-10)
    const there = own.length === 0 ? 'no' : open ? (own.some((s) => s.end === null && s.start.acked < Infinity) ? 'yes' : 'maybe') : (own.every((s) => s.end.acked < Infinity || s.end.replaced) ? 'no' : 'maybe')
    const wantsRetained = this.group || rh === 2 ? 'no' : rh === 0 ? 'yes' : { no: 'yes', yes: 'no', maybe: 'maybe' }[there]
    if (open) before.end = { ...start, replaced: true }
    const subscription = { filter, qos, nl, wantsRetained, start, end: null, replaces: open ? before : null }
    this.session.subscriptions.push(subscription)
    const id = this.freeId()
    this.asked.set(id, { request, edges: [start, ...(open ? [before.end] : []), ...this.openEnds(filter)], done })
    const options = this.v === 5 ? qos | (nl ? 4 : 0) | (this.rap ? 8 : 0) | (rh << 4) : qos
    const shared = this.group ? `$share/${this.group}/${filter}` : filter
    this.send(wire.subscribe({ v: this.v, filter: shared, options, id }))
  }

  // What the barrier goes by; no part of the journal.
  subscribeMarker () {
    const id = this.freeId()
    this.asked.set(id, { request: { filter: this.world.marker, qos: 1, marker: true }, edges: [], done: () => {} })
    this.send(wire.subscribe({ v: this.v, filter: this.world.marker, options: this.v === 5 ? 0x21 : 1, id }))
  }

  // ends that were asked for and never answered: any later answer settles them
  openEnds (filter) {
    return this.session.subscriptions.filter((s) => s.filter === filter && s.end && s.end.acked === Infinity).map(({ end }) => end)
  }

  unsubscribe (filter, done = () => {}) {
    if (!this.line) return done()
    const end = this.edge()
    for (const subscription of this.session.subscriptions) {
      if (subscription.filter === filter) subscription.end ??= end
    }
    const id = this.freeId()
    this.asked.set(id, { request: { filter, unsubscribe: true }, edges: [end, ...this.openEnds(filter)], done })
    this.send(unsubscribe({ v: this.v, filter, id }))
  }

  // All that was asked on this connection has been answered.
  async settled () {
    await until(() => !this.line || (this.out.size === 0 && this.asked.size === 0), `${this.name}: answers to what it asked`, scaled(20000))
  }

  // ---- what comes

  async read (line) {
    try {
      for (;;) {
        const got = await line.wire.packets.next(2 ** 31 - 1)
        if (this.line !== line) return
        this.heed(line, got)
      }
    } catch {
      if (this.line !== line) return
      if (this.world.down || this.entering) return // told by killed(), or by the CONNACK of who took over
      this.journal.complain(`${this.name}: the server closed the connection`)
      this.leave('drop')
    }
  }

  heed (line, got) {
    switch (got.type) {
      case 'PUBLISH': return this.arrived(line, readPublish(got, this.v))
      case 'PUBACK': return this.answered(line, idOf(got), 1, got)
      case 'PUBREC': return this.received(line, idOf(got), got)
      case 'PUBCOMP': return this.answered(line, idOf(got), 2, got)
      case 'PUBREL':
        this.held.delete(idOf(got))
        return this.send(ack(PUBCOMP, idOf(got)))
      case 'SUBACK': case 'UNSUBACK': return this.granted(line, idOf(got), got)
      case 'DISCONNECT': if (this.entering && got.body[0] === 0x8e) return // taken over by ourselves
      // falls through
      default: return this.journal.complain(`${this.name}: unexpected ${got.type} ${got.body.toString('hex')}`)
    }
  }

  // An answer: QoS 0 messages sent before are through, too.
  confirm (line, message) {
    const tick = this.journal.tick()
    const all = line.unanswered.filter(({ sent }) => sent < message.sent)
    line.unanswered = line.unanswered.filter(({ sent }) => sent > message.sent)
    for (const m of [...all, message]) {
      if (m.acked === Infinity) Object.assign(m, { acked: tick, ackedAt: Date.now() })
    }
    this.world.acknowledged()
  }

  received (line, id, { body }) {
    const entry = this.out.get(id)
    if (body.length > 2 && body[2] >= 0x80) return this.journal.complain(`${this.name}: PUBREC ${body[2]}`)
    if (entry && !entry.released) {
      entry.released = true
      this.confirm(line, entry.message)
    }
    this.send(ack(PUBREL, id))
  }

  answered (line, id, qos, { type, body }) {
    const entry = this.out.get(id)
    if (body.length > 2 && body[2] >= 0x80 && body[2] !== 0x92) this.journal.complain(`${this.name}: ${type} ${body[2]}`)
    if (!entry) return
    if (entry.message.qos !== qos || (qos === 2 && !entry.released)) return this.journal.complain(`${this.name}: ${type} for QoS ${entry.message.qos}`)
    if (qos === 1) this.confirm(line, entry.message)
    this.out.delete(id)
  }

  granted (line, id, { type, body }) {
    const entry = this.asked.get(id)
    if (!entry) return this.journal.complain(`${this.name}: ${type} for nothing`)
    this.asked.delete(id)
    const code = body.at(-1)
    if (type === 'SUBACK' && code !== entry.request.qos) this.journal.complain(`${this.name}: SUBACK ${code} for QoS ${entry.request.qos}`)
    const tick = this.journal.tick()
    for (const edge of entry.edges) edge.acked = Math.min(edge.acked, tick)
    entry.done()
    this.world.acknowledged()
  }

  arrived (line, { topic, qos, dup, retain, id, text }) {
    if (qos === 2) {
      this.send(ack(PUBREC, id))
      if (this.held.has(id)) return // the same message until PUBREL (MQTT-4.3.3-10)
      this.held.add(id)
    }
    if (qos === 1) this.send(ack(PUBACK, id))
    if (topic === this.world.marker) return this.world.marked(this, line, text)
    if (text === '') return
    line.session.arrivals.push({ tick: this.journal.tick(), conn: line.connection.key, id: text, topic, qos, dup, retain })
  }
}

module.exports = { Client }
