'use strict'
// GET /{token}/things
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken } = require('./harness/server')

suite('GET /{token}/things', {}, (server) => {
  it('array of the names of all things that have at least one message', async () => {
    const token = newToken()
    const answer = await server.get(`/${token}/things`)
    assert.equal(answer.status, 200)
    assert.match(answer.headers['content-type'], /^application\/json/)
    assert.deepEqual(answer.json(), [])
    await server.say(token, 'lamp', {})
    await server.say(token, 'lamp', {})
    const device = await server.device({ token })
    await device.publish(`${token}/by/mqtt`, 'x')
    await device.subscribe(`${token}/only/subscribed`)
    await server.listen(token, 'only-listened')
    await server.get(`/${token}/chat/only-asked/latest`)
    assert.deepEqual(await server.things(token), ['by/mqtt', 'lamp'])
  })

  it('sorted bytewise', async () => {
    const token = newToken()
    const names = ['b', 'a', 'B', 'ä', 'a/b', 'a-b', 'a0', 'aa', '~', ' ', '10', '9', '𝄞', '\uFFFD', 'é', 'a/']
      .filter((name) => !name.endsWith('/'))
    for (const name of names) await server.say(token, name, {})
    const expected = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    assert.deepEqual(await server.things(token), expected)
    assert.deepEqual((await server.things(token, '?detail=1')).map(({ thing }) => thing), expected)
  })

  it('only things of the token, also when one token begins like another', async () => {
    const token = newToken()
    for (const other of [`${token}-`, `${token}0`, token.slice(0, -1)]) await server.say(other, 'other', {})
    await server.say(token, 'mine', {})
    assert.deepEqual(await server.things(token), ['mine'])
    assert.deepEqual(await server.things(`${token}0`), ['other'])
  })

  it('names are JSON strings', async () => {
    const token = newToken()
    const names = ['"quoted"', 'back\\slash', '</script>', '\u2028', '💡'].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const name of names) await server.say(token, name, {})
    assert.deepEqual(await server.things(token), names)
  })

  it('many things', async () => {
    const token = newToken()
    const device = await server.device({ token })
    const names = Array.from({ length: 3000 }, (_, i) => `thing/${String(i).padStart(5, '0')}`)
    await Promise.all(names.map((name) => device.publish(`${token}/${name}`, '{}')))
    assert.deepEqual(await server.things(token), names)
  })

  it('`?detail=1`: objects `{thing, count, lastId, lastSeq, lastAt, bytes}`', async () => {
    const token = newToken()
    const bodies = ['{"n":1}', '{"n":22}', '{"n":333}']
    let id
    for (const body of bodies) id = await server.say(token, 'a', body)
    const one = await server.say(token, 'b', '{}')
    const detail = await server.things(token, '?detail=1')
    const { createdAt } = await server.latest(token, 'a')
    for (const row of detail) {
      assert.deepEqual(Object.keys(row), ['thing', 'count', 'lastId', 'lastSeq', 'lastAt', 'bytes'])
    }
    const { bytes, ...rest } = detail[0]
    assert.deepEqual(rest, { thing: 'a', count: 3, lastId: id, lastSeq: 3, lastAt: createdAt })
    assert.ok(bytes >= bodies.join('').length, `${bytes}`)
    assert.deepEqual([detail[1].thing, detail[1].count, detail[1].lastId, detail[1].lastSeq], ['b', 1, one, 1])
  })
})
