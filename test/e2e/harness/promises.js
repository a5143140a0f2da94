'use strict'
// What the server promises to any MQTT client, as tests for one kind of client
// (clients.js). `set`: settings of the server; `extra`: options of every client.
const assert = require('node:assert/strict')
const { it, before, after } = require('node:test')
const { Server, group, suite, newToken, until } = require('./server')
const { RECONNECT } = require('./clients')

const VERSIONS = [5, 4]
const DAY = 86400
const texts = (messages) => messages.map(({ text }) => text)

function keepsPromises (name, connect, { set = {}, extra = {} } = {}) {
  let ids = 0
  const join = (server, options) =>
    connect(server, { id: `${name.replace(/\W/g, '')}-${++ids}`, ...extra, ...options })
  for (const v of VERSIONS) {
    suite(`${name}, MQTT ${v}`, { set }, (server) => {
      delivers(server, (options) => join(server, { v, ...options }))
      keepsRetained(server, (options) => join(server, { v, ...options }))
      publishesWills(server, v, (options) => join(server, { v, ...options }))
      shares(server, (options) => join(server, { v, ...options }))
    })
    overRestarts(name, v, set, (server, options) => join(server, { v, ...options }))
  }
}

function delivers (server, join) {
  it('QoS 0, 1 and 2: delivered once with that QoS, and stored once', async () => {
    const token = newToken()
    const [reader, writer] = [await join({ token }), await join({ token })]
    assert.equal(reader.sessionPresent, false)
    assert.equal(await reader.subscribe(`${token}/x`, 2), 2, 'granted')
    for (const qos of [0, 1, 2, 2, 1, 0]) {
      await writer.publish(`${token}/x`, `QoS ${qos}`, { qos })
      assert.deepEqual(await reader.messages.next(), { topic: `${token}/x`, qos, retain: false, text: `QoS ${qos}` })
    }
    const stored = (await server.history(token, 'x', '?order=asc')).map(({ chat }) => chat)
    assert.deepEqual(stored, [0, 1, 2, 2, 1, 0].map((qos) => `QoS ${qos}`))
    await reader.end()
    await writer.end()
  })

  it('a hundred of QoS 2 at once: none twice, in order', async () => {
    const token = newToken()
    const [reader, writer] = [await join({ token }), await join({ token })]
    await reader.subscribe(`${token}/#`, 2)
    const sent = Array.from({ length: 100 }, (_, n) => `n${n}`)
    await Promise.all(sent.map((text) => writer.publish(`${token}/x`, text, { qos: 2 })))
    assert.deepEqual(texts(await reader.messages.take(100)), sent)
    await writer.publish(`${token}/x`, 'last', { qos: 2 })
    assert.equal((await reader.messages.next()).text, 'last')
    const { length } = await server.history(token, 'x', '?limit=1000')
    assert.equal(length, 101)
  })

  it('after UNSUBSCRIBE nothing more comes', async () => {
    const token = newToken()
    const client = await join({ token })
    await client.subscribe(`${token}/a`, 1)
    await client.subscribe(`${token}/b`, 1)
    await client.unsubscribe(`${token}/a`)
    for (const thing of ['a', 'b']) await client.publish(`${token}/${thing}`, thing)
    assert.equal((await client.messages.next()).text, 'b')
  })
}

function keepsRetained (server, join) {
  it('a retained message greets a new subscriber, until an empty one removes it', async () => {
    const token = newToken()
    const writer = await join({ token })
    const greeted = async () => {
      const reader = await join({ token })
      await reader.subscribe(`${token}/lamp`, 2)
      return reader
    }
    await writer.publish(`${token}/lamp`, 'on', { qos: 2, retain: true })
    const reader = await greeted()
    assert.deepEqual(await reader.messages.next(), { topic: `${token}/lamp`, qos: 2, retain: true, text: 'on' })
    await writer.publish(`${token}/lamp`, '', { qos: 1, retain: true })
    assert.equal((await reader.messages.next()).retain, false, 'live')
    const late = await greeted()
    await writer.publish(`${token}/lamp`, 'live', { qos: 1 })
    assert.equal((await late.messages.next()).text, 'live')
  })
}

function publishesWills (server, v, join) {
  const will = (token, payload, rest) => ({ topic: `${token}/will`, payload, qos: 1, ...rest })

  it('the will of a lost client is published, of one that left not', async () => {
    const token = newToken()
    const watcher = await server.subscriber(token, 'will')
    const [polite, lost] = [await join({ token, will: will(token, 'polite') }), await join({ token, will: will(token, 'lost', { qos: 2 }) })]
    await polite.end()
    await lost.lose()
    assert.equal((await watcher.message()).text, 'lost')
  })

  if (v < 5) return

  it('Will Delay: published late, and not at all when the client is back in time', async () => {
    const token = newToken()
    const watcher = await server.subscriber(token, 'will')
    const stays = { token, clean: false, expiry: DAY }
    const early = { ...stays, id: 'early', will: will(token, 'early', { delay: 3 }) }
    const client = await join(early)
    await client.lose()
    assert.equal((await join(early)).sessionPresent, true)
    const late = await join({ ...stays, id: 'late', will: will(token, 'late', { delay: 3 }) })
    await late.lose()
    assert.equal((await watcher.message()).text, 'late', "early's would have been due before")
  })
}

function shares (server, join) {
  for (const qos of [1, 2]) {
    it(`a shared subscription: each message to one member (QoS ${qos})`, async () => {
      const token = newToken()
      const members = [await join({ token }), await join({ token }), await join({ token })]
      for (const member of members) assert.equal(await member.subscribe(`$share/crew/${token}/work`, qos), qos)
      const everything = await server.subscriber(token, 'work')
      const writer = await join({ token })
      const sent = Array.from({ length: 60 }, (_, n) => `job ${n}`)
      for (const text of sent) await writer.publish(`${token}/work`, text, { qos })
      await everything.messages.take(60)
      const done = () => members.flatMap((member) => texts(member.messages.items))
      await until(() => done().length >= 60, 'all jobs done')
      assert.deepEqual(done().sort(), [...sent].sort(), 'each by one')
      const busy = members.filter((member) => member.messages.items.length > 0)
      assert.ok(busy.length > 1, 'and not all by the same')
    })
  }
}

const ends = { 'an orderly stop': (server) => server.stop(), 'kill -9': (server) => server.kill9() }

function overRestarts (name, v, set, join) {
  for (const [how, end] of Object.entries(ends)) {
    group(`${name}, MQTT ${v}, over ${how}`, () => {
      const server = new Server({ set })
      const stays = { clean: false, expiry: DAY }
      const again = async () => {
        await end(server)
        const tls = server.mqttsPort ? { 'mqtt.tls_listen': `127.0.0.1:${server.mqttsPort}` } : {}
        await server.restart(tls)
      }
      before(() => server.start())
      after(() => server.close())

      it('a subscriber that was away gets what came meanwhile, in order and once', async () => {
        const me = { ...stays, token: newToken(), id: 'sleeper' }
        const topic = `${me.token}/x`
        const awake = await join(server, me)
        assert.equal(await awake.subscribe(topic, 2), 2)
        await awake.lose()
        await again()
        const writer = await join(server, { token: me.token })
        for (const [n, qos] of [1, 2, 1, 2].entries()) await writer.publish(topic, `${n}`, { qos })
        await again()
        const back = await join(server, me)
        assert.equal(back.sessionPresent, true)
        const got = await back.messages.take(4)
        // a library hands over QoS 2 at its PUBREL, so order is each QoS's own
        for (const [qos, expected] of [[1, ['0', '2']], [2, ['1', '3']]]) {
          assert.deepEqual(texts(got.filter((message) => message.qos === qos)), expected)
        }
        await server.say(me.token, 'x', '{"live":1}')
        assert.equal((await back.messages.next()).text, '{"live":1}', 'nothing came twice')
      })

      it('clients that live on go on: no SUBSCRIBE, nothing lost, QoS 2 stored once', async () => {
        const token = newToken()
        const topic = `${token}/x`
        const reader = await join(server, { ...stays, token, id: 'reader' })
        const writer = await join(server, { ...stays, token, id: 'writer' })
        await reader.subscribe(topic, 2)
        await writer.publish(topic, 'before', { qos: 2 })
        assert.equal((await reader.messages.next()).text, 'before')
        await end(server)
        const pending = [writer.publish(topic, 'one', { qos: 2 }), writer.publish(topic, 'two', { qos: 2 })]
        await server.restart(server.mqttsPort ? { 'mqtt.tls_listen': `127.0.0.1:${server.mqttsPort}` } : {})
        await Promise.all(pending)
        assert.equal(await reader.connects.next(RECONNECT), true, 'session present')
        assert.deepEqual(texts(await reader.messages.take(2)), ['one', 'two'])
        await writer.publish(topic, 'three', { qos: 2 })
        assert.equal((await reader.messages.next()).text, 'three')
        const stored = (await server.history(token, 'x', '?order=asc')).map(({ chat }) => chat)
        assert.deepEqual(stored, ['before', 'one', 'two', 'three'])
      })

      it('a session that was not to be kept is gone', async () => {
        const me = { token: newToken(), id: 'forgetful' }
        const client = await join(server, { ...me, clean: true, expiry: 0 })
        await client.subscribe(`${me.token}/x`, 1)
        await client.lose()
        await again()
        assert.equal((await join(server, { ...me, ...stays })).sessionPresent, false)
      })

      it('retained messages are still there', async () => {
        const token = newToken()
        const writer = await join(server, { token })
        await writer.publish(`${token}/lamp`, 'on', { qos: 2, retain: true })
        await writer.end()
        await again()
        const reader = await join(server, { token })
        await reader.subscribe(`${token}/+`, 1)
        assert.deepEqual(await reader.messages.next(), { topic: `${token}/lamp`, qos: 1, retain: true, text: 'on' })
      })
    })
  }
}

module.exports = { keepsPromises }
