'use strict'
// What every client is put through: one column each of the table that `run` prints.
// Two real clients of its kind and the server, that is all; what arrived is read from
// the clients and from the server's own history over HTTP.
const assert = require('node:assert/strict')
const { newToken, until } = require('../e2e/harness/server')
const { RECONNECT } = require('../e2e/harness/clients')
const { follow, home, keyOf } = require('../e2e/harness/stock')
const { within } = require('../e2e/harness/waits')

const DAY = 86400
const STORM = 60
const stays = { clean: false, expiry: DAY }
const texts = (messages) => messages.map(({ text }) => text)
const numbered = (n) => Array.from({ length: n }, (_, i) => `n${i}`)

async function stored (server, token, thing) {
  return (await server.history(token, thing, '?order=asc&limit=1000')).map(({ chat }) => chat)
}

// Delivered by this QoS and stored, once.
const delivers = (qos) => async ({ server, join }) => {
  const token = newToken()
  const [reader, writer] = [await join({ token }), await join({ token })]
  assert.equal(await reader.subscribe(`${token}/x`, qos), qos, 'granted')
  for (const text of ['first', 'second', 'third']) {
    await writer.publish(`${token}/x`, text, { qos })
    assert.deepEqual(await reader.messages.next(), { topic: `${token}/x`, qos, retain: false, text })
  }
  await until(async () => (await stored(server, token, 'x')).length >= 3, 'history')
  assert.deepEqual(await stored(server, token, 'x'), ['first', 'second', 'third'])
}

// As Home Assistant sets its client up: a key with a mount, birth and will, discovery.
async function livesBelowItsMount ({ server, join }) {
  const { tenant, app, admin } = await home(server)
  const password = await keyOf(server, tenant, '--mount', 'home')
  const config = 'homeassistant/switch/lamp/relay/config'
  await app.publish('homeassistant/switch/lamp/relay/state', 'OFF')
  await within(app.client.publishAsync(config, '{"name":"Relay"}', { qos: 1, retain: true }), 'PUBACK')
  await admin.find(({ topic }) => topic === `${tenant}/home/${config}`)
  const client = await join({ token: tenant, password, will: { topic: 'homeassistant/status', payload: 'offline', qos: 1, retain: true } })
  assert.equal(await client.subscribe('homeassistant/+/+/+/config', 1), 1)
  assert.deepEqual(await client.messages.next(), { topic: config, qos: 1, retain: true, text: '{"name":"Relay"}' })
  await client.publish('homeassistant/status', 'online', { qos: 1, retain: true })
  await app.find(({ topic, text }) => topic === 'homeassistant/status' && text === 'online')
  await client.lose()
  await app.find(({ topic, text }) => topic === 'homeassistant/status' && text === 'offline')
  assert.ok(await admin.find(({ topic, text }) => topic === `${tenant}/home/homeassistant/status` && text === 'offline'))
  const late = await follow(server, tenant, app.key, 'homeassistant/status')
  assert.deepEqual(await late.next(), { topic: 'homeassistant/status', text: 'offline', retain: true })
}

// Of drivers that take a password (`keys` in drivers.js).
const keyColumns = { mount: livesBelowItsMount }

const columns = {
  connect: async ({ join }) => {
    const client = await join({ token: newToken() })
    assert.equal(client.sessionPresent, false)
    await client.end()
  },

  'QoS 0': delivers(0),
  'QoS 1': delivers(1),
  'QoS 2': delivers(2),

  retained: async ({ server, join }) => {
    const token = newToken()
    const writer = await join({ token })
    await writer.publish(`${token}/lamp`, 'on', { qos: 1, retain: true })
    await until(async () => (await stored(server, token, 'lamp')).length === 1, 'history')
    const reader = await join({ token })
    await reader.subscribe(`${token}/lamp`, 1)
    assert.deepEqual(await reader.messages.next(), { topic: `${token}/lamp`, qos: 1, retain: true, text: 'on' })
  },

  will: async ({ server, join }) => {
    const token = newToken()
    const watcher = await server.subscriber(token, 'will')
    const will = (payload) => ({ topic: `${token}/will`, payload, qos: 1 })
    const [polite, lost] = [await join({ token, will: will('polite') }), await join({ token, will: will('lost') })]
    await polite.end()
    await lost.lose()
    assert.equal((await watcher.message()).text, 'lost')
  },

  // Away while the server is killed, twice.
  session: async ({ server, join }) => {
    const me = { ...stays, token: newToken() }
    const topic = `${me.token}/x`
    const away = await join({ ...me, id: 'sleeper' })
    assert.equal(await away.subscribe(topic, 2), 2)
    await away.lose()
    await server.kill9()
    await server.restart()
    const writer = await join({ token: me.token })
    const sent = numbered(20)
    for (const [n, text] of sent.entries()) await writer.publish(topic, text, { qos: 1 + n % 2 })
    await until(async () => (await stored(server, me.token, 'x')).length >= 20, 'history')
    await writer.end()
    await server.kill9()
    await server.restart()
    const back = await join({ ...me, id: 'sleeper' })
    const got = await back.messages.take(20, RECONNECT)
    for (const qos of [1, 2]) {
      assert.deepEqual(texts(got.filter((message) => message.qos === qos)), sent.filter((_, n) => 1 + n % 2 === qos), `QoS ${qos}`)
    }
    await server.say(me.token, 'x', '{"live":1}')
    assert.equal((await back.messages.next()).text, '{"live":1}', 'nothing came twice')
  },

  // The server is killed in the middle of what two living clients say and hear.
  'QoS 1 over kill': (world) => storm(world, 1),
  'QoS 2 over kill': (world) => storm(world, 2)
}

async function storm ({ server, join }, qos) {
  const me = { ...stays, token: newToken() }
  const topic = `${me.token}/x`
  const [reader, writer] = [await join({ ...me, id: `reader${qos}` }), await join({ ...me, id: `writer${qos}` })]
  assert.equal(await reader.subscribe(topic, qos), qos)
  await writer.publish(topic, 'before', { qos })
  assert.equal((await reader.messages.next(RECONNECT)).text, 'before')
  const sent = numbered(STORM)
  const got = []
  const collect = (async () => {
    while (new Set(got).size < STORM) got.push((await reader.messages.next(3 * RECONNECT)).text)
  })()
  collect.catch(() => {}) // reported below
  const acknowledged = []
  for (const [n, text] of sent.entries()) {
    acknowledged.push(writer.publish(topic, text, { qos }))
    acknowledged.at(-1).catch(() => {})
    if (n % 20 === 19) {
      await Promise.race([acknowledged[n - 10], acknowledged[n]])
      await server.kill9()
      await server.restart()
    }
  }
  await Promise.all(acknowledged)
  await collect
  await server.say(me.token, 'x', '{"last":1}')
  for (let text; (text = (await reader.messages.next(RECONNECT)).text) !== '{"last":1}';) got.push(text)
  const history = (await stored(server, me.token, 'x')).slice(1, -1)
  const times = (all) => sent.map((text) => `${text} ${all.filter((one) => one === text).length}`)
  const once = sent.map((text) => `${text} 1`)
  assert.deepEqual([...new Set(history)].sort(), [...sent].sort(), 'stored, each of them')
  if (qos < 2) return
  assert.deepEqual(times(history), once, 'stored once')
  assert.deepEqual(times(got), once, 'received once')
}

module.exports = { columns, keyColumns }
