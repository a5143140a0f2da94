'use strict'
// SIGHUP: plans are read again, all or nothing, and the log says what changed.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { it } = require('node:test')
const { suite, chat, newToken } = require('./harness/server')
const { scaled, until } = require('./harness/waits')
const wire = require('./harness/wire')

const before = '[plan:small]\nwrites_per_hour = 5\npayload_max = 100\n'

suite('SIGHUP', { config: before, set: { 'store.map_size': '64M' } }, (server) => {
  const status = async () => JSON.parse((await server.cli('status')).stdout)
  const file = () => path.join(path.dirname(server.data), 'confab.ini')
  const reload = async (text, said) => {
    fs.writeFileSync(file(), text)
    const from = server.stderr.length
    server.child.kill('SIGHUP')
    await until(() => said.test(server.stderr.slice(from)), `${said} in the log`)
    return server.stderr.slice(from)
  }

  it('has other figures of a plan hold for the next message, new plans too', async () => {
    const token = await server.planToken('small')
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 4)
    const device = await server.device({ token })
    const log = await reload('[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n[plan:gold]\nwrites_per_hour = 9\n',
      /plan:gold\.writes_per_hour: 9, was \(no such plan\)/)
    assert.match(log, /plan:small\.writes_per_hour: 50, was 5/)
    assert.doesNotMatch(log, /payload_max: 100/, 'what is as it was is not mentioned')
    await until(async () => (await server.post(chat(token, 'x'), {})).remaining > 5, 'the new limit')
    assert.equal((await device.publish(`${token}/x`, '{}', { qos: 1 })).code, 0, 'who is there stays')
    const gold = await server.cli('token', 'set', '--plan', 'gold', '--', token)
    assert.equal(gold.code, 0, gold.stderr)
    assert.ok((await server.post(chat(token, 'x'), {})).remaining < 9)
  })

  it('lets a 3.1.1 client back in that was sent away for its hourly limit; so does another plan', async () => {
    const other = '[plan:gold]\nwrites_per_hour = 9\n'
    await reload(`[plan:small]\nwrites_per_hour = 5\npayload_max = 100\n[plan:tight]\nwrites_per_hour = 2\n${other}`, /plan:tight/)
    const away = await Promise.all(['tight', 'small'].map(async (plan) => {
      const token = await server.planToken(plan)
      const device = await server.wire({ v: 4, clientId: 'device', token })
      for (let id = 1; id <= 6; id++) device.send(wire.publish({ v: 4, topic: `${token}/x`, qos: 1, id }))
      await device.closeReason(scaled(60000)) // its PUBACK is held back before
      const again = await server.wire()
      again.send(wire.connect({ v: 4, clientId: 'device', token }))
      assert.equal(await again.closeReason(), 3)
      return token
    }))
    assert.equal((await server.cli('token', 'set', '--plan', 'gold', '--', away[0])).code, 0)
    await reload(`[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n${other}`, /plan:small\.writes_per_hour: 50, was 5/)
    for (const token of away) {
      const device = await server.wire({ v: 4, clientId: 'device', token })
      device.send(wire.publish({ v: 4, topic: `${token}/x`, qos: 1 }))
      await device.expect('PUBACK')
    }
  })

  it('changes nothing when anything is wrong', async () => {
    const token = await server.planToken('small')
    const log = await reload('[plan:small]\nwrites_per_hour = 1\n[http]\nworkers = many\n', /nothing has changed/)
    assert.match(log, /confab\.ini:4: http\.workers/)
    assert.doesNotMatch(log, /plan:small/)
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 49)
  })

  it('has limits.connections hold for the next connection; those that are open stay', async () => {
    const plans = '[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n[plan:gold]\nwrites_per_hour = 9\n'
    const [token, devices] = [newToken(), []]
    for (let n = 0; n < 3; n++) devices.push(await server.device({ token }))
    const { connections: { limit: before } } = await status()
    assert.match(await reload(`${plans}[limits]\nconnections = 2\n`, /limits\.connections/), /limits\.connections: 2, was \d+\n/)
    assert.equal((await status()).connections.limit, 2)
    const isTaken = () => new Promise((resolve) => {
      const socket = net.connect(server.mqttPort, '127.0.0.1')
      socket.on('error', () => {}).on('close', () => resolve(false)).on('data', () => { socket.destroy(); resolve(true) })
      socket.write(Buffer.from([0x10, 12, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 0])) // a CONNECT without a token
    })
    assert.equal(await isTaken(), false)
    for (const device of devices) assert.equal((await device.publish(`${token}/x`, '{}', { qos: 1 })).code, 0)
    await reload(plans, new RegExp(`limits\\.connections: ${before}, was 2\n`))
    assert.equal(await isTaken(), true)
  })

  it('has limits.token_share hold for the next message', async () => {
    const plans = '[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n[plan:gold]\nwrites_per_hour = 9\n'
    assert.match(await reload(`${plans}[limits]\ntoken_share = 1\n`, /limits\.token_share/), /token_share: 1, was 50\n/)
    const token = newToken()
    const say = async () => (await server.post(chat(token, 'x'), { text: 'x'.repeat(200000) })).status
    for (let n = 0; n < 3; n++) assert.equal(await say(), 200)
    assert.equal(await say(), 507, 'a hundredth of 64 MiB')
    await reload(plans, /token_share: 50, was 1\n/)
    await until(async () => await say() === 200, 'the share is half of the store again')
  })

  it('says what needs a restart', async () => {
    const log = await reload('[mqtt]\nsys_interval = 77\n[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n[plan:gold]\nwrites_per_hour = 9\n',
      /takes effect after a restart/)
    assert.match(log, /mqtt\.sys_interval: 77, was 10: takes effect after a restart/)
  })
})
