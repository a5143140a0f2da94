'use strict'
// What one tenant can take from the others: rows of sessions, the reserve of a full
// store, memory of wills that wait.
const assert = require('node:assert/strict')
const net = require('node:net')
const { describe, it, before, after } = require('node:test')
const mqtt = require('mqtt')
const { encode } = require('@msgpack/msgpack')
const { Server, newToken, chat, until } = require('../e2e/harness/server')
const { scaled, within } = require('../e2e/harness/waits')
const { Wire, connect, subscribe, userProperty, bytes, DISCONNECT } = require('../e2e/harness/wire')

const MiB = 1024 * 1024
const PATIENT = scaled(60000)
const QUOTA = 0x97

const int32 = (n) => [n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255]
const expiry = (seconds) => bytes(0x11, int32(seconds))
const delay = (seconds) => bytes(0x18, int32(seconds))

// A v5 client whose session goes on; → { wire, reason } of its CONNACK.
async function client (server, token, clientId, more = {}) {
  const wire = await Wire.open(server.mqttPort)
  server.clients.push(() => wire.destroy())
  wire.send(connect({ token, clientId, clean: false, properties: expiry(86400), ...more }))
  const { body } = await wire.expect('CONNACK', PATIENT)
  return { wire, reason: body[1] }
}

async function leave (wire, how = DISCONNECT) {
  wire.send(how)
  await within(wire.closed, 'end of the connection', PATIENT)
}

// `make` for each of `count`, so many at a time.
async function inBatches (count, size, make) {
  for (let n = 0; n < count; n += size) {
    await Promise.all(Array.from({ length: Math.min(size, count - n) }, (_, i) => make(n + i)))
  }
}

async function order (server, name, body) {
  const admin = new mqtt.MqttClient(() => net.connect(`${server.data}/confab.sock`),
    { protocolVersion: 5, reconnectPeriod: 0, clientId: 'bounds', clean: true })
  try {
    return await within(new Promise((resolve, reject) => {
      admin.on('packetreceive', (answer) => { if (answer.cmd === 'puback') resolve(answer.properties.userProperties) })
      admin.once('error', reject)
      admin.once('connect', () => admin.publish(`$confab/${name}`, Buffer.from(encode(body)), { qos: 1 }))
    }), `PUBACK of ${name}`, PATIENT)
  } finally {
    admin.end(true)
  }
}

describe('a free token that wants everything', { timeout: scaled(300000) }, () => {
  const server = new Server({ set: { 'store.map_size': 64 * MiB } })
  before(() => server.start())
  after(() => server.close())

  it('gets its sessions and filters, and no more', async () => {
    const token = await server.freeToken()
    const quiet = await server.freeToken()
    const refused = { sessions: 0, filters: 0 }
    const name = 'x'.repeat(60)

    await inBatches(150, 10, async (n) => {
      const { wire, reason } = await client(server, token, `c${n}`)
      if (reason !== 0) {
        assert.equal(reason, QUOTA)
        refused.sessions++
        return
      }
      for (let f = 0; f < 300; f++) wire.send(subscribe({ filter: `${token}/${name}/${f}`, id: f + 1 }))
      for (let f = 0; f < 300; f++) {
        const { body } = await wire.expect('SUBACK', PATIENT)
        refused.filters += body[body.length - 1] === QUOTA
      }
      await leave(wire)
    })
    assert.equal(refused.sessions, 50)
    assert.ok(refused.filters >= 100 * 100, `${refused.filters}`)
    assert.equal((await server.post(chat(quiet, 'x'), { all: 'well' })).status, 200)
  })

  it('client ids are as long as the plan says', async () => {
    const token = await server.freeToken()
    assert.equal((await client(server, token, 'i'.repeat(257))).reason, 0x85)
    assert.equal((await client(server, token, 'i'.repeat(256))).reason, 0)
  })
})

describe('a full store whose sessions come back with wills', { timeout: scaled(300000) }, () => {
  const server = new Server({ set: { 'store.map_size': 16 * MiB, 'limits.token_share': 100 } })
  before(() => server.start())
  after(() => server.close())

  it('has its reserve, trims and is written to again', async () => {
    const token = newToken()
    const properties = bytes(...Array.from({ length: 5 }, () => userProperty('p', 'v'.repeat(60000))))
    const will = { topic: `${token}/will`, payload: 'w'.repeat(20000), properties }
    const reasons = []

    await inBatches(250, 25, async (n) => {
      const { wire, reason } = await client(server, token, `c${n}`)
      assert.equal(reason, 0)
      await leave(wire)
    })
    for (;;) {
      const { status, text } = await server.post(chat(token, 'x'), { filler: 'x'.repeat(100000) })
      if (status === 200) continue
      assert.equal(status, 507, text)
      break
    }
    await inBatches(250, 10, async (n) => {
      const { wire, reason } = await client(server, token, `c${n}`, { will })
      reasons.push(reason)
      wire.destroy()
    })
    assert.ok(reasons.filter((reason) => reason === QUOTA).length > 200, `${reasons}`)
    // without one they are welcome
    assert.equal((await client(server, token, 'c1')).reason, 0)
    assert.equal((await order(server, 'trim', { topic: `${token}/x`, through: Number.MAX_SAFE_INTEGER }))['confab-status'], '200')
    await until(async () => (await server.post(chat(token, 'x'), { again: true })).status === 200, 'writing again', PATIENT)
  })
})

describe('wills that wait', { timeout: scaled(300000) }, () => {
  const server = new Server({ set: { 'store.map_size': 1024 * MiB } })
  before(() => server.start())
  after(() => server.close())
  const COUNT = 600
  const long = 'i'.repeat(60000)
  const WITH_WILL = bytes(0xe0, 1, 4)

  const goWithWill = (token, seconds) => (n) => client(server, token, `${long}${n}`, {
    will: { topic: `${token}/w${n}`, payload: 'w'.repeat(50000), properties: delay(seconds) }
  }).then(async ({ wire, reason }) => {
    assert.equal(reason, 0)
    await leave(wire, WITH_WILL)
  })

  it('are numbers in memory', async () => {
    const token = newToken()
    await inBatches(40, 20, goWithWill(newToken(), 3600)) // what connections leave behind
    const before = server.privateMemory()
    await inBatches(COUNT, 20, goWithWill(token, 3600))
    const grown = server.privateMemory() - before
    assert.ok(grown < COUNT * long.length / 3, `${grown} bytes for ${COUNT} wills`)
  })

  it('are all published after a restart, however many are due', async () => {
    const token = newToken()
    await inBatches(COUNT, 20, goWithWill(token, 15))
    await server.kill9()
    await server.restart()
    assert.equal((await server.post(chat(token, 'x'), { served: true })).status, 200)
    await until(async () => (await server.things(token)).length === COUNT + 1, 'every will', scaled(120000))
    for (const { thing, count } of await server.things(token, '?detail=1')) assert.equal(count, 1, thing)
  })
})
