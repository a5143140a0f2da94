'use strict'
// Keys as MQTT passwords, over TCP and WebSocket, with MQTT.js and hand-made packets:
// made, revoked and expiring while clients are connected.
const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const net = require('node:net')
const { spawnSync } = require('node:child_process')
const { it, before } = require('node:test')
const mqtt = require('mqtt')
const { encode } = require('@msgpack/msgpack')
const { suite } = require('./harness/server')
const { Arrivals, within, scaled } = require('./harness/waits')

// An administrator's command; → its status.
async function order (server, name, body) {
  const admin = new mqtt.MqttClient(() => net.connect(`${server.data}/confab.sock`),
    { protocolVersion: 5, reconnectPeriod: 0, clientId: 'keys', clean: true })
  try {
    return await within(new Promise((resolve, reject) => {
      admin.on('packetreceive', (answer) => { if (answer.cmd === 'puback') resolve(answer.reasonCode ?? 0) })
      admin.once('error', reject)
      admin.once('connect', () => admin.publish(`$confab/${name}`, Buffer.from(encode(body)), { qos: 1 }))
    }), `PUBACK of ${name}`)
  } finally {
    admin.end(true)
  }
}

// BLAKE2b-256, which Node.js has not.
function hashOf (secret) {
  const { stdout } = spawnSync('python3', ['-c',
    'import hashlib, sys; sys.stdout.buffer.write(hashlib.blake2b(sys.stdin.buffer.read(), digest_size=32).digest())'], { input: secret })
  assert.equal(stdout.length, 32)
  return stdout
}

// → { secret, id } of a new device key of `tenant`.
async function newKey (server, tenant, more = {}) {
  const secret = `dk_${crypto.randomBytes(24).toString('base64url')}`
  const hash = hashOf(secret)
  assert.equal(await order(server, 'key_create', { tenant, hash, kind: 3, ...more }), 0)
  return { secret, id: `key_${hash.subarray(0, 9).toString('base64url')}` }
}

// Who connects, or → the code of the CONNACK that refuses.
async function connect (server, url, v, options) {
  const client = mqtt.connect(url, { protocolVersion: v, reconnectPeriod: 0, clean: true, clientId: crypto.randomUUID(), ...options })
  server.clients.push(() => client.end(true))
  const messages = new Arrivals('message')
  const closes = new Arrivals('end of the connection')
  client.on('message', (topic, payload) => messages.push([topic, payload.toString()]))
  let code = null
  client.on('disconnect', (packet) => { code = packet.reasonCode })
  client.on('close', () => closes.push(code))
  return await within(new Promise((resolve) => {
    client.once('error', (error) => resolve({ refused: error.code }))
    client.once('connect', () => resolve({ client, messages, closes }))
  }), 'CONNACK')
}

// → the codes of the SUBACK.
async function subscribe (client, filters) {
  return await within(new Promise((resolve, reject) =>
    client.subscribe(filters, { qos: 1 }, (error, granted, packet) => packet ? resolve([...packet.granted]) : reject(error))), 'SUBACK')
}

const rights = ['publish home/%u/#', 'subscribe home/+/set']

suite('Keys over MQTT', { set: { 'tokens.access': 'registered' } }, (server) => {
  const ways = { TCP: () => server.mqttUrl, WebSocket: () => `ws://127.0.0.1:${server.httpPort}/mqtt` }
  before(async () => { assert.equal(await order(server, 'tenant_create', { tenant: 'acme', plan: 'local' }), 0) })

  for (const v of [5, 4]) {
    for (const [way, url] of Object.entries(ways)) {
      it(`a key is its password, and its rights hold (MQTT ${v}, ${way})`, async () => {
        const { secret } = await newKey(server, 'acme', { rights, user: 'ann' })
        const reader = await newKey(server, 'acme', { rights: ['subscribe #', 'publish home/lamp/set'] })
        for (const username of ['acme', '']) {
          const { client, messages } = await connect(server, url(), v, { username, password: secret })
          const all = await connect(server, url(), v, { username, password: reader.secret })
          assert.deepEqual(await subscribe(client, ['acme/home/+/set', 'acme/#', 'other/home/x/set']), v === 5 ? [1, 0x87, 0x87] : [1, 0x80, 0x80])
          await all.client.subscribeAsync('acme/#', { qos: 1 })
          await client.publishAsync('acme/home/ann/temp', '22', { qos: 1 })
          assert.deepEqual(await all.messages.next(), ['acme/home/ann/temp', '22'])
          await all.client.publishAsync('acme/home/lamp/set', 'on', { qos: 1 })
          assert.deepEqual(await messages.next(), ['acme/home/lamp/set', 'on'])
          if (v === 5) await assert.rejects(client.publishAsync('acme/home/bob/temp', '22', { qos: 1 }), { code: 0x87 })
          await client.endAsync()
          await all.client.endAsync()
        }
      })

      it(`a revoked or expired key closes its connections (MQTT ${v}, ${way})`, async () => {
        const revoked = await newKey(server, 'acme')
        const expiring = await newKey(server, 'acme', { expires: (Date.now() + scaled(3000)) * 1000 })
        const one = await connect(server, url(), v, { username: 'acme', password: revoked.secret })
        const two = await connect(server, url(), v, { username: 'acme', password: expiring.secret })
        assert.equal(await order(server, 'key_revoke', { tenant: 'acme', key: revoked.id }), 0)
        assert.equal(await one.closes.next(), v === 5 ? 0x87 : null)
        assert.equal(await two.closes.next(scaled(10000)), v === 5 ? 0xa0 : null)
        for (const { secret } of [revoked, expiring]) {
          assert.deepEqual(await connect(server, url(), v, { username: 'acme', password: secret }), { refused: v === 5 ? 0x86 : 4 })
        }
      })
    }

    it(`a user name that is not the key's tenant is refused, a tenant's name alone, too (MQTT ${v})`, async () => {
      const { secret } = await newKey(server, 'acme')
      const token = await server.planToken('local')
      const refused = { refused: v === 5 ? 0x86 : 4 }
      assert.deepEqual(await connect(server, server.mqttUrl, v, { username: token, password: secret }), refused)
      assert.deepEqual(await connect(server, server.mqttUrl, v, { username: 'acme', password: 'secret' }), refused)
      assert.deepEqual(await connect(server, server.mqttUrl, v, { username: 'acme' }), refused)
      const bad = `dk_${crypto.randomBytes(24).toString('base64url')}`
      assert.deepEqual(await connect(server, server.mqttUrl, v, { username: token, password: bad }), refused)
      const { client } = await connect(server, server.mqttUrl, v, { username: token, password: 'secret' })
      await client.endAsync()
    })
  }
})
