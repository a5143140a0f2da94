'use strict'
// Limits that a tenant has of its own, higher and lower than those of its plan.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { Server, group, suite, chat, BINARY } = require('./harness/server')
const { command, bearer, newKey } = require('./harness/keys')
const { run } = require('./harness/process')
const mqtt = require('mqtt')

const big = { text: 'x'.repeat(2000) }
const plan = { 'plan:home.payload_max': '1000' }

function body (server) {
  const cli = (...args) => run(BINARY, server.cliArguments('tenant', ...args), {})
  const set = async (tenant, ...limits) => {
    const { code, stderr } = await cli('set', '--', tenant, ...limits)
    assert.equal(code, 0, stderr)
  }
  const status = async (token, what) => (await server.post(chat(token, 'x'), what)).status

  it('higher and lower than the plan hold at once over HTTP, and survive kill -9', async () => {
    const token = await server.planToken('home')
    assert.equal(await status(token, big), 413)
    await set(token, 'limits.payload_max=4K')
    assert.equal(await status(token, big), 200)
    await server.kill9()
    await server.start()
    assert.equal(await status(token, big), 200)
    await set(token, 'limits.payload_max=10')
    assert.equal(await status(token, { text: 'x'.repeat(100) }), 413)
    await set(token, 'limits.payload_max=')
    assert.equal(await status(token, { text: 'x'.repeat(100) }), 200)
    assert.equal(await status(token, big), 413)
  })

  it('a lower one holds at once for a connected MQTT client; a higher one when it connects', async () => {
    const token = await server.planToken('home')
    const client = await mqtt.connectAsync(server.mqttUrl, { username: token, protocolVersion: 5, reconnectPeriod: 0 })
    await client.publishAsync(`${token}/a`, '{}', { qos: 1 })
    await set(token, 'limits.things_max=1')
    await assert.rejects(client.publishAsync(`${token}/b`, '{}', { qos: 1 }))
    await set(token, 'limits.things_max=2', 'limits.payload_max=4K')
    await client.publishAsync(`${token}/b`, '{}', { qos: 1 })
    await client.endAsync()
    const second = await mqtt.connectAsync(server.mqttUrl, { username: token, protocolVersion: 5, reconnectPeriod: 0 })
    await second.publishAsync(`${token}/b`, JSON.stringify(big), { qos: 1 })
    await second.endAsync()
  })

  it('callers with a key of the tenant have them, too', async () => {
    const token = await server.planToken('home')
    const { key } = await newKey(server, token)
    const say = async () => (await server.post(chat(token, 'x'), big, bearer(key))).status
    assert.equal(await say(), 413)
    await set(token, 'limits.payload_max=4K')
    assert.equal(await say(), 200)
    const client = await mqtt.connectAsync(server.mqttUrl, { password: key, username: token, protocolVersion: 5, reconnectPeriod: 0 })
    await client.publishAsync(`${token}/k`, JSON.stringify(big), { qos: 1 })
    await client.endAsync()
    await set(token, 'limits.reads_per_hour=1')
    assert.equal((await server.get(chat(token, 'x', '/latest'), bearer(key))).status, 200)
    assert.equal((await server.get(chat(token, 'x', '/latest'), bearer(key))).status, 429)
  })

  it('they are shown, and what is none is refused', async () => {
    const token = await server.planToken('home')
    await set(token, 'limits.bytes_max=1G')
    const shown = JSON.parse((await cli('show', '--json', '--', token)).stdout)
    assert.deepEqual([shown.limits, shown.bytes_max], [{ bytes_max: 2 ** 30 }, 2 ** 30])
    assert.equal(shown.effective_limits.bytes_max, 2 ** 30)
    assert.match((await cli('list')).stdout, /\tbytes_max=1073741824$/m)
    for (const [limit, what] of [['limits.bytes=1', /no limit of that name/], ['limits.payload_max=17M', /at most 16M/],
      ['limits.payload_max=-1', /whole number/], ['limits.bytes_max=1X', /whole number/]]) {
      const { code, stderr } = await cli('set', '--', token, limit)
      assert.equal(code, 2)
      assert.match(stderr, what)
      await assert.rejects(command(server, 'tenant_set', { tenant: token, set: [limit] }))
    }
    assert.equal((await cli('create', `t${Date.now()}`, 'limits.things_max=3')).code, 0)
  })
}

for (const workers of ['1', '4']) {
  suite(`own limits, ${workers} workers`, { set: { ...plan, 'mqtt.workers': workers } }, body)
}

group('own limits, split processes', () => {
  it('hold where broker and bridge are two processes', async () => {
    const broker = new Server({ command: 'broker', set: plan })
    const bridge = new Server({ command: 'bridge', data: broker.data, set: plan })
    try {
      await broker.start()
      await bridge.start()
      const token = await broker.planToken('home')
      const status = async () => (await bridge.post(chat(token, 'x'), big)).status
      assert.equal(await status(), 413)
      assert.equal((await broker.cli('tenant', 'set', token, 'limits.payload_max=4K')).code, 0)
      assert.equal(await status(), 200)
      const client = await mqtt.connectAsync(broker.mqttUrl, { username: token, protocolVersion: 5, reconnectPeriod: 0 })
      await client.publishAsync(`${token}/m`, JSON.stringify(big), { qos: 1 })
      await client.endAsync()
      assert.equal((await broker.cli('tenant', 'set', token, 'limits.payload_max=10')).code, 0)
      assert.equal(await status(), 413)
    } finally {
      await bridge.close()
      await broker.close()
    }
  })
})
