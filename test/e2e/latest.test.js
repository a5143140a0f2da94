'use strict'
// GET /{token}/chat/{thing}/latest
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, chat } = require('./harness/server')

suite('GET /{token}/chat/{thing}/latest', {}, (server) => {
  it('200 `{thing, token, chat, createdAt, id}`', async () => {
    const token = newToken()
    await server.say(token, 'sensor1', { n: 1 })
    const before = Date.now()
    const id = await server.say(token, 'sensor1', { temperature: 22.5 })
    const after = Date.now()
    const answer = await server.get(chat(token, 'sensor1', '/latest'))
    assert.equal(answer.status, 200)
    assert.match(answer.headers['content-type'], /^application\/json/)
    const latest = answer.json()
    assert.deepEqual(Object.keys(latest), ['thing', 'token', 'chat', 'createdAt', 'id'])
    const { createdAt, ...rest } = latest
    assert.deepEqual(rest, { thing: 'sensor1', token, chat: { temperature: 22.5 }, id })
    assert.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const at = Date.parse(createdAt)
    assert.ok(at >= before - 1 && at <= after + 1, `${before} ≤ ${at} ≤ ${after}`)
  })

  it('404 if there is none', async () => {
    const token = newToken()
    for (const when of ['unknown token', 'unknown thing']) {
      const answer = await server.get(chat(token, 'nothing', '/latest'))
      assert.equal(answer.status, 404, when)
      assert.equal(typeof answer.json().error, 'string')
      await server.say(token, 'something', {})
    }
  })

  it('a thing is not confused with one whose name begins the same', async () => {
    const token = newToken()
    await server.say(token, 'lamp', { of: 'lamp' })
    for (const thing of ['lamp1', 'lam', 'lamp/1', 'LAMP']) {
      assert.equal((await server.get(chat(token, thing, '/latest'))).status, 404)
      await server.say(token, thing, { of: thing })
    }
    assert.deepEqual((await server.latest(token, 'lamp')).chat, { of: 'lamp' })
    assert.deepEqual((await server.latest(token, 'lamp/1')).chat, { of: 'lamp/1' })
    await server.say(token.slice(0, -1), 'lamp', { of: 'another token' })
    assert.deepEqual((await server.latest(token, 'lamp')).chat, { of: 'lamp' })
  })

  it('things with names of up to 256 bytes that differ only at their end are two', async () => {
    const token = newToken()
    const long = 'level/'.repeat(42)
    await server.say(token, `${long}a`, { of: 'a' })
    await server.say(token, `${long}b`, { of: 'b' })
    assert.deepEqual((await server.latest(token, `${long}a`)).chat, { of: 'a' })
    assert.deepEqual((await server.latest(token, `${long}b`)).chat, { of: 'b' })
    assert.deepEqual(await server.things(token), [`${long}a`, `${long}b`])
  })

  it('`ETag` = id', async () => {
    const token = newToken()
    for (let i = 0; i < 2; i++) {
      const id = await server.say(token, 'lamp', { i })
      const answer = await server.get(chat(token, 'lamp', '/latest'))
      assert.equal(answer.headers.etag, `"${id}"`)
    }
  })

  it('`If-None-Match` → 304', async () => {
    const token = newToken()
    const id = await server.say(token, 'lamp', { on: true })
    const path = chat(token, 'lamp', '/latest')
    for (const value of [`"${id}"`, `W/"${id}"`, `"1x", "${id}"`, `"a","${id}" , "b"`, '*']) {
      const answer = await server.get(path, { 'If-None-Match': value })
      assert.equal(answer.status, 304, value)
      assert.equal(answer.body.length, 0)
      assert.equal(answer.headers.etag, `"${id}"`)
    }
    for (const value of ['"0"', `"${id + 1}"`, `"${id}0"`, '""', 'nonsense']) {
      const answer = await server.get(path, { 'If-None-Match': value })
      assert.equal(answer.status, 200, value)
      assert.equal(answer.json().id, id)
    }
    const next = await server.say(token, 'lamp', { on: false })
    const changed = await server.get(path, { 'If-None-Match': `"${id}"` })
    assert.equal(changed.status, 200)
    assert.equal(changed.json().id, next)
  })

  it('`If-None-Match` on a thing without messages is still 404', async () => {
    const answer = await server.get(chat(newToken(), 'nothing', '/latest'), { 'If-None-Match': '*' })
    assert.equal(answer.status, 404)
  })
})
