'use strict'
// `confab key rotate --keep`: who came with the old secret is closed when its time is
// over, not only refused when it comes again; and `confab clients` says who came with
// which key.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, secret, chat } = require('./harness/server')
const { bearer, newTenant } = require('./harness/keys')
const { Socket } = require('./harness/socket')
const { scaled, within } = require('./harness/waits')

const endOf = async (listener) => {
  try {
    for (;;) await listener.event()
  } catch (error) {
    return error.message
  }
}

suite('a rotated key', { set: { 'tokens.access': 'registered' } }, (server) => {
  const cli = async (...args) => {
    const { code, stdout, stderr } = await server.cli(...args)
    assert.equal(code, 0, stderr)
    return stdout.trim()
  }
  const made = async (tenant) => {
    const key = JSON.parse(await cli('key', 'create', '-t', tenant, '--json'))
    secret(key.secret)
    return key
  }
  const ends = (device) => new Promise((resolve) => {
    let code = null
    device.client.on('disconnect', (packet) => { code = packet.reasonCode })
    device.client.on('close', () => resolve(code))
  })

  for (const v of [5, 4]) {
    it(`its connections and streams end with the time that was kept (MQTT ${v})`, async () => {
      const tenant = await newTenant(server)
      const [old, other] = [await made(tenant), await made(tenant)]
      const device = await server.device({ token: tenant, password: old.secret, v })
      const beside = await server.device({ token: tenant, password: other.secret, v })
      const stream = await server.listening(`/${tenant}/listen?things=%23`, bearer(old.secret))
      const socket = await Socket.open(server, tenant, { headers: bearer(old.secret) })
      await socket.follow(['#'])
      const besideStream = await server.listening(`/${tenant}/listen?things=%23`, bearer(other.secret))
      const ended = ends(device)
      const fresh = secret(await cli('key', 'rotate', '-t', tenant, '--keep', '2s', old.key))
      // It holds until then ...
      assert.equal((await server.post(chat(tenant, 'x'), { n: 1 }, bearer(old.secret))).status, 200)
      await stream.expect('message')
      const after = await server.device({ token: tenant, password: fresh, v })
      // ... and ends what it opened.
      assert.equal(await within(ended, 'end of the connection', scaled(8000)), v === 5 ? 0xa0 : null)
      await within(endOf(stream), 'end of the stream', scaled(8000))
      assert.equal((await socket.end(scaled(8000))).code, 1008)
      assert.equal((await server.get(`/${tenant}/things`, bearer(old.secret))).status, 401)
      // Nobody else's.
      assert.equal((await server.post(chat(tenant, 'x'), { n: 2 }, bearer(fresh))).status, 200)
      await besideStream.expect('message')
      for (const one of [after, beside]) await one.publish(`${tenant}/y`, '1')
    })
  }

  it('an end that it has already is not put off', async () => {
    const tenant = await newTenant(server)
    const key = JSON.parse(await cli('key', 'create', '-t', tenant, '--json', '--expires', '3s'))
    secret(key.secret)
    const device = await server.device({ token: tenant, password: key.secret })
    const ended = ends(device)
    secret(await cli('key', 'rotate', '-t', tenant, '--keep', '1h', key.key))
    assert.equal(await within(ended, 'end of the connection', scaled(10000)), 0xa0)
  })

  it('`confab clients` shows the key ids of those that have one, and no secret', async () => {
    const tenant = await newTenant(server)
    const key = await made(tenant)
    const token = await server.planToken('home')
    await server.device({ token: tenant, password: key.secret, clientId: 'keyed' })
    await server.device({ token, clientId: 'plain' })
    const json = (await cli('clients', '--json', '--full')).split('\n').map((line) => JSON.parse(line))
    assert.equal(json.find(({ client }) => client === 'keyed').key, key.key)
    assert.ok(!('key' in json.find(({ client }) => client === 'plain')))
    const table = await cli('clients')
    assert.match(table, / KEY +CLIENT ID\n/)
    assert.match(table, new RegExp(`${key.key} keyed$`, 'm'))
    for (const text of [table, JSON.stringify(json)]) assert.ok(!text.includes(key.secret.slice(3)))
  })
})
