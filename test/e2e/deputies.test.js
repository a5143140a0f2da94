'use strict'
// Confused deputies: something that was granted once (an alias, a session, a will, a key,
// an address) and is used later by whom, or for what, it was not granted.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, secret, chat } = require('./harness/server')
const { bearer, newKey, revokeKey } = require('./harness/keys')
const { administrator, follow, home, keyOf } = require('./harness/stock')
const { scaled, within } = require('./harness/waits')

suite('Confused deputies', { set: { 'tokens.access': 'registered' }, concurrent: true }, (server) => {
  const named = async () => {
    const { tenant, admin } = await home(server)
    return { tenant, admin, key: (...options) => keyOf(server, tenant, ...options) }
  }
  const stored = async (tenant, key, thing) => (await server.get(chat(tenant, thing, '/history'), bearer(key))).json()

  it('an alias of a topic that was refused is refused, too, also below a mount', async () => {
    const { tenant, key } = await named()
    const admin = await key('--admin')
    for (const [options, topic] of [[['--publish', 'a/#'], `${tenant}/b/x`], [['--publish', 'b/in', '--mount', 'b'], 'x']]) {
      const device = await server.device({ token: tenant, password: await key(...options) })
      const alias = { qos: 1, properties: { topicAlias: 1 } }
      assert.equal((await device.publish(topic, 'first', alias)).code, 0x87)
      assert.equal((await device.publish('', 'by alias', alias)).code, 0x87)
      await device.end()
    }
    assert.deepEqual(await stored(tenant, admin, 'b/x'), [])
  })

  it('an alias that is given another topic is judged by it', async () => {
    const { tenant, key } = await named()
    const device = await server.device({ token: tenant, password: await key('--publish', 'a') })
    const alias = { qos: 1, properties: { topicAlias: 1 } }
    assert.equal((await device.publish(`${tenant}/a`, '1', alias)).code, 0)
    assert.equal((await device.publish(`${tenant}/b`, '2', alias)).code, 0x87)
    assert.equal((await device.publish('', '3', alias)).code, 0x87)
    await device.end()
  })

  for (const v of [4, 5]) {
    it(`a session that a key with another mount takes over gives it nothing of the first one's (MQTT ${v})`, async () => {
      const { tenant, key } = await named()
      const admin = await follow(server, tenant, await key(), `${tenant}/#`)
      const stays = { token: tenant, v, clientId: 'hub', clean: false, ...(v === 5 && { properties: { sessionExpiryInterval: 600 } }) }
      const first = await server.device({ ...stays, password: await key('--mount', 'one') })
      await first.subscribe(['#', '$share/g/jobs/#'])
      first.cut()
      await first.closed
      for (const thing of ['one/secret', 'one/jobs/1']) await admin.publish(`${tenant}/${thing}`, thing)
      const second = await server.device({ ...stays, password: await key('--mount', 'two') })
      assert.equal(second.connack.sessionPresent, true)
      await second.subscribe('#')
      await admin.publish(`${tenant}/one/secret`, 'one/secret')
      await admin.publish(`${tenant}/two/mine`, 'two/mine')
      const { topic, text } = await second.message() // and nothing before it
      assert.deepEqual([topic, text], ['mine', 'two/mine'])
      await second.end()
    })
  }

  for (const [what, published] of [['revoked', true], ['suspended', false], ['deleted', false]]) {
    it(`a will that waits is ${published ? 'published' : 'dropped'} when its ${published ? 'key' : 'tenant'} is ${what}`, async () => {
      const { tenant } = await named()
      const made = await server.cli('key', 'create', '--tenant', tenant, '--json')
      const { key: id, secret: password } = JSON.parse(made.stdout)
      const admin = await administrator(server, '#')
      const will = (topic, delay) => ({ topic, payload: Buffer.from('gone'), qos: 1, retain: false, properties: { willDelayInterval: delay } })
      const device = await server.device({ token: tenant, password: secret(password), clientId: 'w', properties: { sessionExpiryInterval: 60 }, will: will(`${tenant}/gone`, 2) })
      device.cut()
      await device.closed
      const commands = { revoked: ['key', 'revoke', '--tenant', tenant, id], suspended: ['tenant', 'suspend', tenant], deleted: ['tenant', 'delete', tenant] }
      const { code, stderr } = await server.cli(...commands[what])
      assert.equal(code, 0, stderr)
      // one of somebody else that is due later
      const other = await server.planToken('home')
      const clock = await server.device({ token: other, clientId: 'clock', properties: { sessionExpiryInterval: 60 }, will: will(`${other}/clock`, 3) })
      clock.cut()
      await within(admin.find(({ topic }) => topic === `${other}/clock`), 'the later will', scaled(10000))
      assert.equal(admin.seen.some(({ topic }) => topic === `${tenant}/gone`), published)
      if (what === 'deleted') assert.ok(!(await server.cli('tenant', 'list')).stdout.includes(`${tenant}\t`), 'nothing made it again')
    })
  }

  it('a key is refused from the moment that its revocation is answered', async () => {
    const token = await server.planToken('home')
    for (let round = 0; round < 5; round++) {
      const { key, id } = await newKey(server, token)
      const device = await server.device({ token, password: key })
      await revokeKey(server, token, id)
      assert.equal((await server.post(chat(token, 'late'), {}, bearer(key))).status, 401)
      await assert.rejects(server.device({ token, password: key }), { code: 0x86 })
      await within(device.closed, 'the end of its connection', scaled(2000))
    }
    assert.equal((await server.get(chat(token, 'late', '/latest'))).status, 404)
  })

  it('a key is revoked by its own tenant only', async () => {
    const [one, two] = [await named(), await named()]
    const admin = await two.key('--admin')
    const { id } = await newKey(server, one.tenant, {}, bearer(await one.key('--admin')))
    for (const [tenant, status] of [[two.tenant, 404], [one.tenant, 403]]) {
      const answer = await server.request(`/${tenant}/keys/${id}`, { method: 'DELETE', headers: bearer(admin) })
      assert.equal(answer.status, status)
    }
  })

  it('names that decode to others, or look like paths, are judged decoded and as they are', async () => {
    const { tenant, key } = await named()
    const admin = await key('--admin')
    for (const thing of ['a/in', 'b/out']) assert.equal((await server.post(chat(tenant, thing), { thing }, bearer(admin))).status, 200)
    const reader = bearer(await key('--subscribe', 'a/#'))
    for (const [path, status] of [
      [`/${tenant}/chat/a%2Fin/latest`, 200], [`/${tenant}/chat/%61%2fin/latest`, 200],
      [`/${tenant}/chat/%62%2Fout/latest`, 403], [`/${tenant}/chat/a%252Fin/latest`, 403],
      [`/${tenant}/chat/a%2F..%2Fb%2Fout/latest`, 404], [`/${tenant}/chat/a/../b/latest`, 404],
      [`//${tenant}/chat/b%2Fout/latest`, 404], [`/x/../${tenant}/chat/b%2Fout/latest`, 404],
      [`/${tenant}%2Fchat%2Fb%2Fout/latest`, 404], [`/${tenant}/listen?things=a/%23,b/%23`, 403],
      [`/${tenant}/listen?things=%2B/out`, 403], [`/${tenant}/listen?things=%24share/g/b/%23`, 400]
    ]) {
      const answer = await server.get(path, reader)
      assert.equal(answer.status, status, `${path}: ${answer.text}`)
      assert.ok(!answer.text.includes('b/out'), path)
    }
  })
})
