'use strict'
// What survives: kill -9 and an orderly stop, on the same data folder.
// (At random moments under load: test/fault.)
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, chat, until } = require('./harness/server')
const { scaled } = require('./harness/waits')

for (const [how, end] of [['kill -9', (server) => server.kill9()], ['SIGTERM', (server) => server.stop()]]) {
  suite(`after ${how}`, {}, (server) => {
    it('every acknowledged message is there, once and in order, and ids go on increasing', async () => {
      const token = newToken()
      const ids = []
      for (let n = 0; n < 40; n++) ids.push(await server.say(token, 'http', { n }))
      const device = await server.device({ token })
      const acks = Array.from({ length: 500 }, (_, n) => device.publish(`${token}/mqtt`, { n }))
      for (const { code } of await Promise.all(acks)) assert.equal(code, 0)
      await end(server)
      await server.restart()
      assert.deepEqual((await server.history(token, 'http')).map(({ id }) => id).reverse(), ids)
      const { lines } = await server.get(chat(token, 'mqtt', '/history?order=asc'), { Accept: 'application/x-ndjson' })
      const messages = lines.map((line) => JSON.parse(line))
      assert.deepEqual(messages.map(({ chat }) => chat.n), Array.from({ length: 500 }, (_, n) => n))
      const next = await server.say(token, 'http', { after: true })
      assert.ok(next > messages.at(-1).id && next > ids.at(-1))
      assert.deepEqual((await server.things(token, '?detail=1')).map(({ thing, lastSeq }) => [thing, lastSeq]), [['http', 41], ['mqtt', 500]])
      assert.ok(Date.parse((await server.latest(token, 'http')).createdAt) >= Date.parse(messages.at(-1).createdAt))
    })

    it('`Idempotency-Key`: also across a restart', async () => {
      const token = newToken()
      const key = { 'Idempotency-Key': 'pay once' }
      const first = await server.post(chat(token, 'x'), { n: 1 }, key)
      await end(server)
      await server.restart()
      const again = await server.post(chat(token, 'x'), { n: 2 }, key)
      assert.equal(again.status, 200)
      assert.equal(again.text, first.text)
      assert.deepEqual((await server.history(token, 'x')).map(({ chat }) => chat), [{ n: 1 }])
    })

    it('counters survive a restart but for the last second', async () => {
      const token = await server.freeToken()
      for (let n = 0; n < 10; n++) await server.say(token, 'x', { n })
      for (let n = 0; n < 5; n++) await server.get(`/${token}/things`)
      // counters are saved within a second: let more than one pass
      const counted = Date.now()
      await until(() => Date.now() - counted > scaled(2000), 'saving of counters')
      await end(server)
      await server.restart()
      assert.equal((await server.post(chat(token, 'x'), {})).remaining, 89)
      assert.equal((await server.get(`/${token}/things`)).remaining, 54)
    })

    it('retained messages survive', async () => {
      const token = newToken()
      const device = await server.device({ token })
      await device.publish(`${token}/kept`, 'by mqtt', { qos: 1, retain: true })
      await device.publish(`${token}/gone`, 'x', { qos: 1, retain: true })
      await device.publish(`${token}/gone`, '', { qos: 1, retain: true })
      await server.post(`${chat(token, 'http')}?retain=1`, { by: 'http' })
      await end(server)
      await server.restart()
      const reader = await server.subscriber(token, '#')
      const got = [await reader.message(), await reader.message()].map(({ topic, text, retain }) => [topic.slice(token.length + 1), text, retain])
      assert.deepEqual(got.sort(), [['http', '{"by":"http"}', true], ['kept', 'by mqtt', true]])
      await server.say(token, 'marker', {})
      assert.equal((await reader.message()).topic, `${token}/marker`)
    })

    it('tokens, their plans and revocations survive', async () => {
      const [free, paid, revoked] = [await server.freeToken(), await server.planToken('paid'), await server.freeToken()]
      assert.equal((await server.cli('token', 'revoke', '--', revoked)).code, 0)
      await end(server)
      await server.restart({ 'tokens.access': 'registered' })
      assert.equal((await server.post(chat(free, 'x'), {})).remaining, 99)
      assert.equal((await server.post(chat(paid, 'x'), {})).remaining, 2147483647)
      assert.equal((await server.post(chat(revoked, 'x'), {})).status, 401)
      assert.equal((await server.post(chat(newToken(), 'x'), {})).status, 401)
      await server.stop()
      await server.restart({ 'tokens.access': 'open' })
    })

    it('a reader goes on where it was, without gap or double', async () => {
      const token = newToken()
      const listener = await server.listen(token, 'x')
      for (let n = 0; n < 10; n++) await server.say(token, 'x', { n })
      const seen = await listener.messages(7) // three are on their way when it ends
      await end(server)
      await server.restart()
      await server.say(token, 'x', { n: 10 })
      const again = await server.listen(token, 'x', { 'Last-Event-ID': String(seen.at(-1).id) })
      assert.deepEqual((await again.messages(4)).map(({ chat }) => chat.n), [7, 8, 9, 10])
    })
  })
}
