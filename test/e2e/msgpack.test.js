'use strict'
// MessagePack at the door.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { encode, decode, ExtData } = require('@msgpack/msgpack')
const { suite, newToken, chat } = require('./harness/server')

const MSGPACK = { 'Content-Type': 'application/msgpack' }
const asMsgpack = { Accept: 'application/msgpack' }

const send = (server, token, thing, value) =>
  server.post(chat(token, thing), Buffer.isBuffer(value) ? value : Buffer.from(encode(value)), MSGPACK)

suite('application/msgpack', {}, (server) => {
  it('`application/msgpack` bodies (a map) are converted to JSON at the door', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'x')
    const listener = await server.listen(token, 'x')
    const values = [
      {},
      { temperature: 22.5, humidity: 60, ok: true, off: false, none: null },
      { text: 'Küche 💡 "quoted" \\ \n \u0000 \u2028', list: [1, [2, { three: 3 }], []], map: { a: { b: {} } } },
      { small: -1, byte: 200, word: 60000, int: -2000000000, big: 2 ** 50, float: -1.25e-7 }
    ]
    for (const value of values) {
      const answer = await send(server, token, 'x', value)
      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual((await server.latest(token, 'x')).chat, value)
      assert.deepEqual(JSON.parse((await device.message()).text), value)
      assert.deepEqual((await listener.expect('message')).chat, value)
    }
  })

  it('64-bit integers keep every digit', async () => {
    const token = newToken()
    const value = { max: 18446744073709551615n, min: -9223372036854775808n }
    const body = Buffer.from(encode(value, { useBigInt64: true }))
    assert.equal((await server.post(chat(token, 'x'), body, MSGPACK)).status, 200)
    const { text } = await server.get(chat(token, 'x', '/latest'))
    assert.ok(text.includes('18446744073709551615') && text.includes('-9223372036854775808'), text)
  })

  it('a body that is not a map, cut off, or followed by more → 400', async () => {
    const token = newToken()
    const good = Buffer.from(encode({ a: 'text', b: [1, 2, 3] }))
    const bodies = [
      Buffer.alloc(0), Buffer.from(encode([1, 2])), Buffer.from(encode('x')), Buffer.from(encode(null)), Buffer.from(encode(7)),
      good.subarray(0, good.length - 1), good.subarray(0, 1), Buffer.concat([good, Buffer.from([0xc0])]),
      Buffer.from([0xc1]), Buffer.from([0x81, 0xa1, 0x61, 0xc1]),
      Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]), Buffer.from([0x81, 0xa1, 0x61, 0xdd, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x81, 0xa1, 0x61, 0xdb, 0x7f, 0xff, 0xff, 0xff, 0x61]),
      Buffer.from('{"json":"under a false name"}')
    ]
    for (const body of bodies) {
      const answer = await send(server, token, 'x', body)
      assert.equal(answer.status, 400, `${body.toString('hex')}: ${answer.text}`)
      assert.equal(typeof answer.json().error, 'string')
    }
    assert.deepEqual(await server.history(token, 'x'), [])
  })

  it('nested more than 512 deep → 400', async () => {
    const token = newToken()
    const nested = (depth) => Buffer.concat([Buffer.from([0x81, 0xa1, 0x61]), Buffer.alloc(depth - 2, 0x91), Buffer.from([0x90])])
    assert.equal((await send(server, token, 'x', nested(500))).status, 200)
    for (const depth of [513, 600, 10000, 500000]) {
      assert.equal((await send(server, token, 'x', nested(depth))).status, 400, `${depth}`)
    }
  })

  it('what JSON cannot say is refused or said otherwise, never stored as broken JSON', async () => {
    const token = newToken()
    const values = {
      NaN: Buffer.from(encode({ x: NaN })),
      Infinity: Buffer.from(encode({ x: -Infinity })),
      'a number as key': Buffer.from([0x81, 0x01, 0xa1, 0x61]),
      'a map as key': Buffer.from([0x81, 0x80, 0x01]),
      'nil as key': Buffer.from([0x81, 0xc0, 0x01]),
      'bad UTF-8': Buffer.from([0x81, 0xa1, 0x78, 0xa2, 0xff, 0xfe]),
      'bad UTF-8 in a key': Buffer.from([0x81, 0xa1, 0xff, 0x01]),
      binary: Buffer.from(encode({ x: new Uint8Array([0, 255, 1]) })),
      'a time': Buffer.from(encode({ x: new Date(0) })),
      extension: Buffer.from(encode({ x: new ExtData(42, new Uint8Array([1, 2, 3])) }))
    }
    for (const [what, body] of Object.entries(values)) {
      const answer = await send(server, token, 'x', body)
      assert.ok([200, 400].includes(answer.status), `${what}: ${answer.status} ${answer.text}`)
      if (answer.status === 400) continue
      const latest = await server.get(chat(token, 'x', '/latest'))
      assert.equal(latest.json().id, answer.json().id, what) // .json() fails on broken JSON
      assert.equal(typeof latest.json().chat, 'object', what)
    }
    assert.equal((await send(server, token, 'x', values['bad UTF-8'])).status, 400)
  })

  it('the plan\'s payload limit holds', async () => {
    const token = await server.freeToken()
    assert.equal((await send(server, token, 'x', { fill: 'x'.repeat(10000) })).status, 200)
    assert.equal((await send(server, token, 'x', { fill: 'x'.repeat(10300) })).status, 413)
    // short as MessagePack, long as JSON: what is stored counts
    assert.equal((await send(server, token, 'x', { fill: '\u0001'.repeat(9000) })).status, 413)
  })

  it('`Accept: application/msgpack` works on latest', async () => {
    const token = newToken()
    const body = { a: [1, -2.5, 'x', null, true], b: { c: 'ü' } }
    await server.say(token, 'x', body)
    const answer = await server.get(chat(token, 'x', '/latest'), asMsgpack)
    assert.equal(answer.status, 200)
    assert.match(answer.headers['content-type'], /^application\/msgpack/)
    assert.deepEqual(decode(answer.body), await server.latest(token, 'x'))
    assert.deepEqual(decode(answer.body).chat, body)
  })

  it('`Accept: application/msgpack` works on history', async () => {
    const token = newToken()
    for (let n = 0; n < 60; n++) await server.say(token, 'x', { n })
    for (const query of ['', '?limit=3', '?order=asc&limit=20', '?limit=1000']) {
      const answer = await server.get(chat(token, 'x', `/history${query}`), asMsgpack)
      assert.match(answer.headers['content-type'], /^application\/msgpack/)
      assert.deepEqual(decode(answer.body), await server.history(token, 'x', query))
    }
    assert.deepEqual(decode((await server.get(chat(token, 'none', '/history'), asMsgpack)).body), [])
  })

  it('`Accept: application/msgpack`: every kind of payload', async () => {
    const token = newToken()
    const device = await server.device({ token })
    for (const payload of ['text', '', '[1]', '"json text"', '{"n":1e400,"m":123456789012345678901234567890}', Buffer.from([0, 255])]) {
      await device.publish(`${token}/x`, payload)
    }
    const decoded = decode((await server.get(chat(token, 'x', '/history'), asMsgpack)).body)
    const json = await server.history(token, 'x')
    assert.equal(decoded.length, 6)
    assert.deepEqual([decoded[0].id, decoded[5].chat, decoded[4].chat, decoded[3].chat, decoded[2].chat],
      [json[0].id, 'text', '', [1], 'json text'])
    assert.equal(decoded[1].chat.m > 1e29 || typeof decoded[1].chat.m === 'string', true)
  })
})
