'use strict'
// Idempotency-Key. (Across a restart: restart.test.js.)
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, chat } = require('./harness/server')

const key = (value) => ({ 'Idempotency-Key': value })

suite('Idempotency-Key', {}, (server) => {
  it('the same key for the same token and thing returns the first answer and stores nothing', async () => {
    const token = newToken()
    const listener = await server.listen(token, 'x')
    const first = await server.post(chat(token, 'x'), { n: 1 }, key('order-1'))
    assert.equal(first.status, 200)
    for (const body of [{ n: 1 }, { n: 2 }]) {
      const again = await server.post(chat(token, 'x'), body, key('order-1'))
      assert.equal(again.status, 200)
      assert.equal(again.text, first.text)
    }
    await server.say(token, 'x', { marker: true })
    assert.deepEqual((await server.history(token, 'x')).map(({ chat }) => chat), [{ marker: true }, { n: 1 }])
    assert.deepEqual((await listener.messages(2)).map(({ chat }) => chat), [{ n: 1 }, { marker: true }])
  })

  it('another key, thing or token is another message', async () => {
    const token = newToken()
    const other = newToken()
    const ids = [
      await server.say(token, 'x', {}, key('k')),
      await server.say(token, 'x', {}, key('K')),
      await server.say(token, 'x', {}, key('k2')),
      await server.say(token, 'y', {}, key('k')),
      await server.say(token, 'x/y', {}, key('k')),
      await server.say(other, 'x', {}, key('k')),
      await server.say(token, 'x', {}),
      await server.say(token, 'x', {})
    ]
    assert.equal(new Set(ids).size, ids.length)
    assert.equal(await server.say(token, 'x', {}, key('k')), ids[0])
    assert.equal(await server.say(other, 'x', {}, key('k')), ids[5])
  })

  it('at most 256 bytes', async () => {
    const token = newToken()
    const long = 'k'.repeat(256)
    const id = await server.say(token, 'x', {}, key(long))
    assert.equal(await server.say(token, 'x', {}, key(long)), id)
    assert.notEqual(await server.say(token, 'x', {}, key(long.slice(1))), id)
    const refused = await server.post(chat(token, 'x'), {}, key(long + 'k'))
    assert.equal(refused.status, 400)
    assert.equal(typeof refused.json().error, 'string')
    assert.equal((await server.history(token, 'x')).length, 2)
  })

  it('a concurrent request with the same key waits for the first', async () => {
    const token = newToken()
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, n) =>
        server.post(chat(token, `x${round}`), { n }, key(`round-${round}`))))
      for (const answer of answers) assert.equal(answer.status, 200, answer.text)
      assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
      assert.equal((await server.history(token, `x${round}`)).length, 1)
    }
  })

  it('a refused request does not use the key up', async () => {
    const token = newToken()
    assert.equal((await server.post(chat(token, 'x'), '{"a":', key('k'))).status, 400)
    assert.equal((await server.post(chat(token, 'x'), { fill: 'x'.repeat(1 << 20) }, key('k'))).status, 413)
    await server.say(token, 'x', { good: true }, key('k'))
    assert.deepEqual((await server.latest(token, 'x')).chat, { good: true })
  })
})
