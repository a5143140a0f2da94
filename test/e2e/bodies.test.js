'use strict'
// Bodies of POST: compressed ones, those with a byte order mark, and what the
// error says of those that are no JSON object.
const assert = require('node:assert/strict')
const zlib = require('node:zlib')
const { it } = require('node:test')
const { encode } = require('@msgpack/msgpack')
const { suite, newToken, chat, until } = require('./harness/server')

const GZIP = { 'Content-Encoding': 'gzip' }
const MIB = 1024 * 1024

suite('`Content-Encoding: gzip`', {}, (server) => {
  const token = newToken()

  it('is inflated; what is stored is what was compressed', async () => {
    const body = '{"n":1.50, "a":"Küche"}'
    const reader = await server.subscriber(token, 'x')
    for (const coding of ['gzip', 'GZIP', 'x-gzip']) {
      const answer = await server.post(chat(token, 'x'), zlib.gzipSync(body), { 'Content-Encoding': coding })
      assert.equal(answer.status, 200, answer.text)
      assert.equal((await reader.message()).text, body)
    }
    for (const coding of ['identity', '']) await server.say(token, 'x', body, { 'Content-Encoding': coding })
  })

  it('several members, chunks and MessagePack inside', async () => {
    const parts = Buffer.concat([zlib.gzipSync('{"a":'), zlib.gzipSync(''), zlib.gzipSync('1}', { level: 0 })])
    assert.equal((await server.post(chat(token, 'y'), parts, GZIP)).status, 200)
    assert.deepEqual((await server.latest(token, 'y')).chat, { a: 1 })
    const packed = zlib.gzipSync(Buffer.from(encode({ b: 2 })))
    assert.equal((await server.post(chat(token, 'y'), packed, { ...GZIP, 'Content-Type': 'application/msgpack' })).status, 200)
    assert.deepEqual((await server.latest(token, 'y')).chat, { b: 2 })
  })

  it('payload_max limits the inflated body: exactly that much passes, one byte more is 413', async () => {
    const free = await server.freeToken()
    const sized = (size, fill) => `{"f":"${fill(size - 8)}"}`
    const noise = (n) => Array.from({ length: n }, (_, i) => 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'[(i * i * 7919 + (i >> 3) * 104729) % 62]).join('')
    for (const fill of [(n) => 'x'.repeat(n), noise]) {
      for (const level of [0, 9]) {
        const good = await server.post(chat(free, 'x'), zlib.gzipSync(sized(10240, fill), { level }), GZIP)
        assert.equal(good.status, 200, good.text)
        const bad = await server.post(chat(free, 'x'), zlib.gzipSync(sized(10241, fill), { level }), GZIP)
        assert.equal(bad.status, 413, bad.text)
        assert.match(bad.json().error, /10240/)
      }
    }
  })

  it('a bomb is 413 and costs no memory', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(512 * MIB), { level: 9 }) // half a megabyte
    const before = server.privateMemory()
    const answers = await Promise.all(Array.from({ length: 8 }, () => server.post(chat(token, 'bomb'), bomb, GZIP)))
    for (const answer of answers) assert.equal(answer.status, 413, answer.text)
    const grown = server.privateMemory() - before
    assert.ok(grown < 48 * MIB, `grew by ${(grown / MIB).toFixed(1)} MiB`)
    assert.deepEqual(await server.history(token, 'bomb'), [])
  })

  it('damaged or cut off → 400', async () => {
    const good = zlib.gzipSync('{"a":1}')
    const flipped = Buffer.from(good)
    flipped[good.length - 6] ^= 1 // its checksum
    for (const body of [good.subarray(0, -1), good.subarray(0, 5), flipped, Buffer.concat([good, Buffer.from('x')]),
      Buffer.from('{"a":1}'), Buffer.alloc(0), zlib.deflateSync('{"a":1}')]) {
      const answer = await server.post(chat(token, 'damaged'), body, GZIP)
      assert.equal(answer.status, 400, `${body.toString('hex')}: ${answer.text}`)
      assert.match(answer.json().error, /gzip/)
    }
    assert.deepEqual(await server.history(token, 'damaged'), [])
  })

  it('another coding → 415 with `Accept-Encoding` (RFC 9110 §15.5.16), and counts nothing', async () => {
    const free = await server.freeToken()
    for (const coding of ['br', 'deflate', 'zstd', 'gzip, gzip', 'nonsense']) {
      const answer = await server.post(chat(free, 'x'), zlib.gzipSync('{}'), { 'Content-Encoding': coding })
      assert.equal(answer.status, 415, coding)
      assert.equal(answer.headers['accept-encoding'], 'gzip')
      assert.equal(answer.remaining, 100)
    }
    const large = await server.post(chat(free, 'x'), Buffer.alloc(100000), { 'Content-Encoding': 'br' })
    assert.equal(large.status, 415)
  })

  it('a page of another origin may send it', async () => {
    const asked = await server.options(chat(token, 'x'), { 'Access-Control-Request-Headers': 'content-encoding,content-type' })
    assert.match(asked.headers['access-control-allow-headers'], /content-encoding/i)
  })
})

suite('Bodies', {}, (server) => {
  const token = newToken()

  // Contract: X-RateLimit-Remaining on every response of a token's endpoints.
  it('an upload that never ends is cut off with a complete answer', async () => {
    const free = await server.freeToken()
    const raw = await server.rawSocket()
    raw.socket.write(`POST ${chat(free, 'x')} HTTP/1.1\r\nHost: x\r\nContent-Length: ${40 * MIB}\r\n\r\n`)
    const part = Buffer.alloc(256 * 1024, 'x')
    const sending = setInterval(() => { if (raw.socket.writable && raw.socket.writableLength < MIB) raw.socket.write(part) }, 1)
    await until(() => raw.text.includes('}'), 'an answer')
    clearInterval(sending)
    raw.socket.destroy()
    const [head, body] = raw.text.split('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 413 /)
    assert.match(head, /^x-ratelimit-remaining: 100\r?$/mi)
    assert.match(head, /^access-control-allow-origin: \*\r?$/mi)
    assert.match(head, /^cache-control: no-store\r?$/mi)
    assert.match(head, /^connection: close\r?$/mi)
    assert.match(JSON.parse(body).error, /10240/)
  })

  // RFC 8259 §8.1
  it('a byte order mark before JSON is passed over', async () => {
    const answer = await server.post(chat(token, 'bom'), '\ufeff{"a":1}')
    assert.equal(answer.status, 200, answer.text)
    const device = await server.subscriber(token, 'bom')
    await server.post(chat(token, 'bom'), '\ufeff {"a":2}')
    assert.equal((await device.message()).text, ' {"a":2}', 'stored without it')
    assert.deepEqual((await server.latest(token, 'bom')).chat, { a: 2 })
    for (const body of ['\ufeff\ufeff{"a":1}', '\ufeff', ' \ufeff{}', '\ufeff[1]']) {
      assert.equal((await server.post(chat(token, 'bom'), body)).status, 400, JSON.stringify(body))
    }
  })

  const errors = {
    42: /byte 0 .*send \{"value":42\}/,
    '  "on" ': /byte 2 .*send \{"value":"on"\}/,
    '[1,2]': /send \{"value":\[1,2\]\}/,
    true: /send \{"value":true\}/,
    on: /byte 0.*send \{"value":"on"\}/,
    'temperature=22.5': /send \{"value":"temperature=22.5"\}/,
    'say "hi"': /send \{"value":"say \\"hi\\""\}/,
    '{"n":1}\n{"n":2}\n': /one message in each request/,
    '': /empty/,
    ' \n': /empty/,
    '{"a":1,}': /byte 7: .*JSON object, like/,
    [`[${'1,'.repeat(100)}1]`]: /send \{"value":…\}/
  }
  for (const [body, text] of Object.entries(errors)) {
    it(`what to send in place of ${JSON.stringify(body.slice(0, 30))}`, async () => {
      const answer = await server.post(chat(token, 'hints'), body)
      assert.equal(answer.status, 400)
      assert.match(answer.json().error, text)
      const proposed = /send (\{.*\})(,|$)/.exec(answer.json().error)
      if (proposed && !proposed[1].includes('…')) await server.say(token, 'proposed', proposed[1])
    })
  }
})

suite('Paths that are not there', {}, (server) => {
  it('the error says how a / in a name is written, or that the last one is too many', async () => {
    const token = newToken()
    await server.say(token, 'a/b', {})
    const error = async (path, method = 'GET') => {
      const answer = await server.request(path, { method })
      assert.equal(answer.status, 404, path)
      return answer.json().error
    }
    assert.match(await error(`/${token}/chat/a/b/latest`), /%2F/)
    assert.match(await error(`/${token}/chat/a/b`, 'POST'), /%2F/)
    assert.match(await error(`/${token}/chat/a/b/c/d/e/f/history`), /%2F/)
    assert.match(await error(`/${token}/things/`), /at the end/)
    assert.match(await error('/nothing'), /see \//)
  })
})
