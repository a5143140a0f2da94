'use strict'
// "What is durable before which packet leaves", row by row: the server is killed
// the moment the packet has been received, and must keep after its restart what
// the packet promised.
const assert = require('node:assert/strict')
const { describe, it, before, after } = require('node:test')
const { Server, newToken, until } = require('../e2e/harness/server')
const { scaled, FACTOR } = require('../e2e/harness/waits')
const wire = require('../e2e/harness/wire')
const { enter, readPublish, unsubscribe, ack, idOf, PUBACK, PUBREC, PUBREL, PUBCOMP } = require('./unforgetting')

const TIMES = Number(process.env.TIMES ?? 3)
const VERSIONS = [5, 4]

// One row: `body` gets a fresh token and client id each time.
function row (server, name, v, body) {
  it(`${name} (MQTT ${v}, ${TIMES} times)`, { timeout: scaled(60000) }, async () => {
    for (let n = 0; n < TIMES; n++) {
      const token = newToken()
      const me = { v, token, clientId: `me${n}` }
      await body({
        v,
        token,
        me,
        topic: `${token}/x`,
        join: (options) => join(server, { ...me, ...options }),
        crash: () => crash(server),
        publish: (id, text, rest) => wire.publish({ v, topic: `${token}/x`, payload: text, qos: 2, id, ...rest }),
        stored: async (thing = 'x') => (await server.history(token, thing, '?order=asc')).map(({ chat }) => chat)
      })
    }
  })
}

async function join (server, options) {
  const line = await enter(server.mqttPort, options)
  server.clients.push(() => line.destroy())
  line.message = async () => readPublish(await line.expect('PUBLISH'), options.v)
  line.subscribe = async (filter, qos = 2) => {
    line.send(wire.subscribe({ v: options.v, filter, options: qos, id: 60000 }))
    const { body } = await line.expect('SUBACK')
    assert.equal(body.at(-1), qos, 'granted QoS')
  }
  return line
}

async function crash (server) {
  for (const end of server.clients.splice(0)) end()
  await server.kill9()
  await server.restart()
}

// What must not come is shown by what comes next.
const rows = {
  'PUBACK: the message is stored': async ({ join, crash, publish, stored }) => {
    const line = await join()
    line.send(publish(9, 'kept', { qos: 1 }))
    await line.expect('PUBACK')
    await crash()
    assert.deepEqual(await stored(), ['kept'])
  },

  'PUBREC: the message is stored, and the same again is not': async ({ join, crash, publish, stored }) => {
    const line = await join()
    line.send(publish(7, 'once'))
    await line.expect('PUBREC')
    await crash()
    assert.deepEqual(await stored(), ['once'])
    const back = await join()
    assert.equal(back.sessionPresent, true)
    back.send(publish(7, 'once', { dup: true }))
    assert.equal(idOf(await back.expect('PUBREC')), 7)
    back.send(ack(PUBREL, 7))
    const { body } = await back.expect('PUBCOMP')
    assert.equal(idOf({ body }), 7)
    assert.equal(body[2] ?? 0, 0, 'the packet id was known')
    assert.deepEqual(await stored(), ['once'])
  },

  'PUBREC: PUBREL after the crash is answered': async ({ join, crash, publish, stored }) => {
    const line = await join()
    line.send(publish(7, 'once'))
    await line.expect('PUBREC')
    await crash()
    const back = await join()
    back.send(ack(PUBREL, 7))
    const { body } = await back.expect('PUBCOMP')
    assert.equal(body[2] ?? 0, 0)
    assert.deepEqual(await stored(), ['once'])
  },

  'PUBCOMP: the packet id may be used for another message': async ({ join, crash, publish, stored }) => {
    const line = await join()
    line.send(publish(7, 'one'))
    await line.expect('PUBREC')
    line.send(ack(PUBREL, 7))
    await line.expect('PUBCOMP')
    await crash()
    const back = await join()
    back.send(publish(7, 'two'))
    await back.expect('PUBREC')
    assert.deepEqual(await stored(), ['one', 'two'])
    // and a PUBREL that is sent again is answered, too (MQTT-4.3.3-11)
    back.send(ack(PUBREL, 7), ack(PUBREL, 7))
    await back.expect('PUBCOMP')
    await back.expect('PUBCOMP')
  },

  'CONNACK: the session is there': async ({ join, crash }) => {
    assert.equal((await join()).sessionPresent, false)
    await crash()
    assert.equal((await join()).sessionPresent, true)
  },

  'CONNACK to a clean start: the earlier session is gone': async ({ v, token, me, join, crash, topic }) => {
    await (await join()).subscribe(topic)
    const clean = await join({ clean: true })
    assert.equal(clean.sessionPresent, false)
    await crash()
    const back = await join()
    assert.equal(back.sessionPresent, v === 5, 'v5 has asked for one that stays, 3.1.1 has not')
    const writer = await join({ clientId: `${me.clientId}-writer` })
    writer.send(wire.publish({ v, topic, payload: 'unwanted', qos: 1 }))
    await writer.expect('PUBACK')
    await back.subscribe(`${token}/y`)
    writer.send(wire.publish({ v, topic: `${token}/y`, payload: 'wanted', qos: 1 }))
    assert.equal((await back.message()).text, 'wanted')
  },

  'SUBACK: the subscription is there': async ({ v, join, crash, topic }) => {
    await (await join()).subscribe(topic)
    await crash()
    const writer = await join({ clientId: 'writer' })
    for (const qos of [1, 2]) {
      writer.send(wire.publish({ v, topic, payload: `QoS ${qos}`, qos, id: qos }))
      await writer.expect(qos === 1 ? 'PUBACK' : 'PUBREC')
    }
    const back = await join()
    assert.equal(back.sessionPresent, true)
    for (const qos of [1, 2]) {
      const { text, qos: got, dup } = await back.message()
      assert.deepEqual([text, got, dup], [`QoS ${qos}`, qos, false])
    }
  },

  'UNSUBACK: the subscription is gone': async ({ v, token, join, crash }) => {
    const line = await join()
    await line.subscribe(`${token}/a`)
    await line.subscribe(`${token}/b`)
    line.send(unsubscribe({ v, filter: `${token}/a`, id: 5 }))
    await line.expect('UNSUBACK')
    await crash()
    const writer = await join({ clientId: 'writer' })
    for (const thing of ['a', 'b']) {
      writer.send(wire.publish({ v, topic: `${token}/${thing}`, payload: thing, qos: 1 }))
      await writer.expect('PUBACK')
    }
    assert.equal((await (await join()).message()).text, 'b')
  },

  'a QoS 2 PUBLISH: it comes again with its packet id and DUP': async ({ join, crash, topic, publish }) => {
    const line = await join()
    await line.subscribe(topic)
    const writer = await join({ clientId: 'writer' })
    writer.send(publish(1, 'one'), publish(2, 'two'))
    const first = [await line.message(), await line.message()]
    assert.deepEqual(first.map(({ text }) => text), ['one', 'two'])
    await crash()
    const back = await join()
    for (const { id, text } of first) {
      const again = await back.message()
      assert.deepEqual([again.id, again.text, again.dup, again.qos], [id, text, true, 2])
    }
    for (const { id } of first) {
      back.send(ack(PUBREC, id))
      assert.equal(idOf(await back.expect('PUBREL')), id)
      back.send(ack(PUBCOMP, id))
    }
    const other = await join({ clientId: 'writer' })
    other.send(publish(3, 'three'))
    const three = await back.message()
    assert.deepEqual([three.text, three.dup], ['three', false])
  },

  'PUBREL: it comes again, and not the PUBLISH': async ({ v, join, crash, topic, publish }) => {
    const line = await join()
    await line.subscribe(topic)
    const writer = await join({ clientId: 'writer' })
    writer.send(publish(1, 'one'), publish(2, 'two'))
    const [one, two] = [await line.message(), await line.message()]
    line.send(ack(PUBREC, one.id))
    await line.expect('PUBREL')
    await crash()
    const back = await join()
    const got = [await back.packets.next(), await back.packets.next()]
    const pubrel = got.find(({ type }) => type === 'PUBREL')
    assert.equal(idOf(pubrel ?? got[0]), one.id, `${got.map(({ type }) => type)}`)
    const publishes = got.filter(({ type }) => type === 'PUBLISH').map((packet) => readPublish(packet, v))
    assert.deepEqual(publishes.map(({ id }) => id), [two.id])
    back.send(ack(PUBCOMP, one.id), ack(PUBREC, two.id))
    assert.equal(idOf(await back.expect('PUBREL')), two.id)
    back.send(ack(PUBCOMP, two.id))
  },

  'a QoS 1 PUBLISH that was not acknowledged comes again': async ({ join, crash, topic, publish }) => {
    const line = await join()
    await line.subscribe(topic)
    const writer = await join({ clientId: 'writer' })
    writer.send(publish(1, 'one', { qos: 1 }), publish(2, 'two', { qos: 1 }))
    for (const text of ['one', 'two']) assert.equal((await line.message()).text, text)
    await crash()
    const back = await join()
    for (const text of ['one', 'two']) {
      const { id, text: got } = await back.message()
      assert.equal(got, text)
      back.send(ack(PUBACK, id))
    }
  },

  'PUBACK of a retained message: it is retained, and a removed one is gone': async ({ v, token, join, crash }) => {
    const retain = async (payload) => {
      const line = await join({ clientId: 'writer' })
      line.send(wire.publish({ v, topic: `${token}/lamp`, payload, qos: 1, retain: true }))
      await line.expect('PUBACK')
      await crash()
    }
    await retain('on')
    const greeted = await join()
    await greeted.subscribe(`${token}/+`, 1)
    const { text, retain: flag } = await greeted.message()
    assert.deepEqual([text, flag], ['on', true])
    await retain('')
    const late = await join({ clientId: 'late' })
    await late.subscribe(`${token}/+`, 1)
    const writer = await join({ clientId: 'writer' })
    writer.send(wire.publish({ v, topic: `${token}/lamp`, payload: 'live', qos: 1 }))
    const live = await late.message()
    assert.deepEqual([live.text, live.retain], ['live', false])
  },

  'CONNACK: the will is there, and is published after a crash': async ({ token, join, crash, stored }) => {
    await join({ will: { topic: `${token}/will`, payload: 'gone' } })
    await crash()
    await until(async () => (await stored('will')).length > 0, 'the will')
    assert.deepEqual(await stored('will'), ['gone'])
    assert.equal((await join()).sessionPresent, true)
    await crash()
    assert.deepEqual(await stored('will'), ['gone'], 'once')
  }
}

describe('What is durable before which packet leaves', { timeout: scaled(300000) }, () => {
  const server = new Server()
  before(() => server.start())
  after(() => server.close())
  for (const [name, body] of Object.entries(rows)) for (const v of VERSIONS) row(server, name, v, body)

  const delay = (seconds) => wire.bytes(0x18, 0, 0, 0, seconds)
  row(server, 'Will Delay goes on over a crash, and coming back in time still cancels', 5, async ({ token, join, crash, stored }) => {
    const early = { clientId: 'early', will: { topic: `${token}/will`, payload: 'early', properties: delay(4) } }
    const late = { clientId: 'late', will: { topic: `${token}/will`, payload: 'late', properties: delay(4) } }
    await join(early)
    await join(late)
    await crash()
    await join(early) // its new will waits for a connection that does not end
    await until(async () => (await stored('will')).length > 0, 'the will', scaled(15000))
    assert.deepEqual(await stored('will'), ['late'])
  })
})

// A backlog is a position, not a queue.
const QUEUED = Number(process.env.QUEUED ?? 20000)
const FILLER = 'x'.repeat(QUEUED > 100000 ? 100 : 2000)
const GROWTH_MAX = 16 * 1024 * 1024

describe(`A session that comes back to ${QUEUED} messages`, { timeout: scaled(300000) + QUEUED }, () => {
  const server = new Server()
  before(() => server.start())
  after(() => server.close())

  // Bursts, each acknowledged as a whole before the next.
  async function fill (token, qos) {
    const writer = await join(server, { v: 4, token, clientId: 'writer', clean: true })
    const answered = async (count, type) => {
      for (let i = 0; i < count; i++) await writer.expect(type, scaled(30000))
    }
    for (let sent = 0; sent < QUEUED;) {
      const burst = []
      for (; burst.length < 500 && sent < QUEUED; sent++) {
        burst.push(wire.publish({ v: 4, topic: `${token}/x`, payload: `${sent} ${FILLER}`, qos, id: 1 + burst.length }))
      }
      writer.send(...burst)
      await answered(burst.length, qos === 1 ? 'PUBACK' : 'PUBREC')
      if (qos === 1) continue
      writer.send(...burst.map((_, i) => ack(PUBREL, 1 + i)))
      await answered(burst.length, 'PUBCOMP')
    }
    writer.destroy()
  }

  // Takes everything, in order; → the most memory the server had in between.
  async function drain (line, qos) {
    let peak = 0
    for (let n = 0; n < QUEUED;) {
      const packet = await line.packets.next()
      if (packet.type === 'PUBREL') {
        line.send(ack(PUBCOMP, idOf(packet)))
        continue
      }
      const message = readPublish(packet, 5)
      assert.equal(message.qos, qos)
      assert.ok(message.text.startsWith(`${n} `), `${n}: ${message.text.slice(0, 20)}`)
      line.send(ack(qos === 1 ? PUBACK : PUBREC, message.id))
      if (n++ % 1000 === 0) peak = Math.max(peak, server.privateMemory())
    }
    return peak
  }

  for (const qos of [1, 2]) {
    it(`is served at once, in order, and costs no memory (QoS ${qos})`, async (t) => {
      const me = { v: 5, token: newToken(), clientId: 'sleeper' }
      await (await join(server, me)).subscribe(`${me.token}/#`, qos)
      await crash(server)
      await fill(me.token, qos)
      await crash(server)
      const before = server.privateMemory()
      const started = Date.now()
      const back = await join(server, me)
      assert.equal(back.sessionPresent, true)
      const grown = await drain(back, qos) - before
      t.diagnostic(`${QUEUED} in ${Date.now() - started} ms, grew by ${(grown / 1024 / 1024).toFixed(1)} MiB`)
      if (FACTOR === 1) assert.ok(grown < GROWTH_MAX, `grew by ${grown} bytes for ${QUEUED * FILLER.length} waiting`)
    })
  }
})
