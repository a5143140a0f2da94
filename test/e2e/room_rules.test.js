'use strict'
// Rooms that refuse users: bans and slow mode hold whichever API a message comes through.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, chat } = require('./harness/server')
const { bearer, command } = require('./harness/keys')
const { home, keyOf } = require('./harness/stock')

suite('Rooms that refuse users', { set: { 'tokens.access': 'registered' }, concurrent: true }, (server) => {
  const open = async (settings) => {
    const { tenant } = await home(server)
    await command(server, 'room_put', { tenant, room: 'hall', settings })
    const of = (user) => keyOf(server, tenant, '--user', user)
    const post = async (key, text) => server.post(chat(tenant, 'rooms/hall'), { text }, bearer(await key))
    return { tenant, of, post, topic: `${tenant}/rooms/hall` }
  }

  it('who is banned is refused over HTTP and MQTT, others are not', async () => {
    const { tenant, of, post, topic } = await open('{}')
    const bob = of('bob')
    assert.equal((await post(bob, 'first')).status, 200)
    await command(server, 'ban', { tenant, room: 'hall', who: 'bob', why: 'spam' })
    const refused = await post(bob, 'second')
    assert.equal(refused.status, 403)
    assert.match(refused.text, /banned from the room/)
    const device = await server.device({ token: tenant, password: await bob })
    assert.equal((await device.publish(topic, 'third')).code, 0x87)
    assert.equal((await device.publish(`${tenant}/hall`, 'elsewhere')).code, 0)
    await device.end()
    assert.equal((await post(of('ann'), 'mine')).status, 200)
    await command(server, 'unban', { tenant, room: 'hall', who: 'bob' })
    assert.equal((await post(bob, 'fourth')).status, 200)
  })

  it('a banned address refuses all users behind it, and no device', async () => {
    const { tenant, of, post, topic } = await open('{}')
    await command(server, 'ban', { tenant, who: '@127.0.0.1' })
    assert.equal((await post(of('bob'), 'x')).status, 403)
    const ann = await server.device({ token: tenant, password: await of('ann') })
    assert.equal((await ann.publish(topic, 'x')).code, 0x87)
    await ann.end()
    const device = await server.device({ token: tenant, password: await keyOf(server, tenant) })
    assert.equal((await device.publish(topic, 'x')).code, 0)
    await device.end()
  })

  it('slow mode is one time for all APIs, and is told', async () => {
    const { tenant, of, post, topic } = await open('{"slowMode":3600}')
    const bob = of('bob')
    const device = await server.device({ token: tenant, password: await bob })
    assert.equal((await device.publish(topic, 'first')).code, 0)
    const refused = await post(bob, 'second')
    assert.equal(refused.status, 429)
    assert.match(refused.text, /slow mode/)
    assert.ok(refused.headers['retry-after'] > 3000 && refused.headers['retry-after'] <= 3600, refused.headers['retry-after'])
    assert.equal((await device.publish(topic, 'third')).code, 0x97)
    await device.end()
  })

  it('of many requests at once one passes', async () => {
    const { of, post } = await open('{"slowMode":3600}')
    const bob = await of('bob')
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => post(bob, `${i}`)))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    assert.equal(answers.filter(({ status }) => status === 429).length, 19)
  })
})
