'use strict'
// Requests as bytes: what RFC 9112 and RFC 9110 want of a server, and answers of
// our own shape (JSON, CORS) for all that is refused.
const assert = require('node:assert/strict')
const { it, before } = require('node:test')
const { suite, newToken, chat, until } = require('./harness/server')
const { within, scaled, sleep } = require('./harness/waits')

const request = (line, fields, body = '') => `${line} HTTP/1.1\r\n${fields.map((f) => f + '\r\n').join('')}\r\n${body}`
const HOST = 'Host: localhost'
const CLOSE = 'Connection: close'

// The answers on one connection, apart: [{ status, head, body }, …].
function answers (text) {
  const found = []
  while (text !== '') {
    const end = text.indexOf('\r\n\r\n')
    assert.ok(end > 0 && text.startsWith('HTTP/1.1 '), `no answer: ${text.slice(0, 80)}`)
    const head = text.slice(0, end + 2)
    const length = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1] ?? 0)
    found.push({ status: Number(head.slice(9, 12)), head, body: text.slice(end + 4, end + 4 + length) })
    text = text.slice(end + 4 + length)
  }
  return found
}

suite('Requests that are refused', {}, (server) => {
  const token = newToken()
  const post = (fields, body) => request(`POST ${chat(token, 'x')}`, [HOST, ...fields], body)
  const hidden = `GET /${token}/things HTTP/1.1\r\n${HOST}\r\n\r\n` // what a smuggler sends behind
  const cases = {
    'no Host': [request('GET /health', []), 400],
    'two Hosts': [request('GET /health', [HOST, 'Host: b']), 400],
    'two Hosts that are the same': [request('GET /health', [HOST, HOST]), 400],
    'a Host that is none': [request('GET /health', ['Host: a b']), 400],
    'a blank before a colon': [post(['Content-Length: 7', 'Transfer-Encoding : chunked'], '{"n":1}' + hidden), 400],
    'a tab before a colon': [request('GET /health', [HOST, 'A\t: b']), 400],
    'a header that goes on in the next line': [request('GET /health', [HOST, 'A: b', ' c']), 400],
    'a control character in a value': [request('GET /health', [HOST, 'A: b\x01']), 400],
    'a length and chunks': [post(['Content-Length: 7', 'Transfer-Encoding: chunked'], '0\r\n\r\n' + hidden), 400],
    'chunks and a length': [post(['Transfer-Encoding: chunked', 'Content-Length: 7'], '0\r\n\r\n' + hidden), 400],
    'two lengths': [post(['Content-Length: 7', 'Content-Length: 8'], '{"n":1}' + hidden), 400],
    'a length that is no number': [post(['Content-Length: abc']), 400],
    'a length with a sign': [post(['Content-Length: +7'], '{"n":1}'), 400],
    'an unknown encoding': [post(['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n' + hidden), 501],
    'an encoding like chunked': [post(['Transfer-Encoding: xchunked'], '0\r\n\r\n' + hidden), 501],
    'chunked twice': [post(['Transfer-Encoding: chunked, chunked'], '0\r\n\r\n' + hidden), 400],
    'chunks with a lone LF': [post(['Transfer-Encoding: chunked'], '7\n{"n":1}\n0\n\n' + hidden), 400],
    'a chunk size of two numbers': [post(['Transfer-Encoding: chunked'], '7 7\r\n{"n":1}\r\n0\r\n\r\n' + hidden), 400],
    'a chunk longer than its size': [post(['Transfer-Encoding: chunked'], '3\r\n{"n":1}\r\n0\r\n\r\n'), 400],
    'chunks over HTTP/1.0': [`POST ${chat(token, 'x')} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    'a target of 9 kB': [request(`GET /${token}/chat/${'x'.repeat(9000)}/latest`, [HOST]), 414],
    'a target of 30 kB': [request(`GET /${token}/chat/${'x'.repeat(30000)}/latest`, [HOST]), 414],
    'a target of 200 kB': [request(`GET /${token}/chat/${'x'.repeat(200000)}/latest`, [HOST]), 414],
    'a cookie of 20 kB': [request('GET /health', [HOST, `Cookie: ${'x'.repeat(20000)}`]), 431],
    'headers of 200 kB': [request('GET /health', [HOST, ...Array(20).fill(`X: ${'x'.repeat(10000)}`)]), 431],
    'two hundred headers': [request('GET /health', [HOST, ...Array(200).fill('X: y')]), 431],
    'a target without a slash': [request('GET health', [HOST]), 400],
    'a target with a blank': [request('GET /a b', [HOST]), 400],
    'HTTP/2 without a word': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    'HTTP/3.0': ['GET / HTTP/3.0\r\n\r\n', 505],
    'TLS on the HTTP port': [Buffer.from('16030100c8010000c40303', 'hex'), 400],
    'no HTTP': ['hello\r\n\r\n', 400]
  }
  for (const [what, [sent, status]] of Object.entries(cases)) {
    it(`one answer, in JSON and with CORS headers, then the end: ${what}`, async () => {
      const raw = await server.rawSocket()
      raw.socket.write(sent)
      await within(raw.ended, 'the end', scaled(8000))
      const all = answers(raw.text)
      assert.deepEqual(all.map((a) => a.status), [status])
      assert.match(all[0].head, /\r\naccess-control-allow-origin: \*\r\n/i)
      assert.match(all[0].head, /\r\ncontent-type: application\/json\r\n/i)
      assert.match(all[0].head, /\r\nconnection: close\r\n/i)
      assert.equal(typeof JSON.parse(all[0].body).error, 'string')
      assert.deepEqual(await server.things(token), [], 'nothing was stored')
    })
  }

  it('a body far too long is refused with what the token has left', async () => {
    const raw = await server.rawSocket()
    raw.socket.on('error', () => {})
    raw.socket.write(post([`Content-Length: ${60 << 20}`]))
    const part = Buffer.alloc(65536, 'x')
    for (let i = 0; i < 960; i++) raw.socket.write(part)
    await until(() => raw.text.includes('\r\n\r\n'), 'the answer')
    await sleep(500)
    assert.equal(raw.error, undefined, 'it may read for a while before it is reset')
    assert.match(raw.text, /^HTTP\/1\.1 413 /)
    assert.match(raw.text, /x-ratelimit-remaining: \d/i)
    raw.socket.destroy()
  })

  it('Expect: 100-continue: a body that would be refused need not be sent', async () => {
    const raw = await server.rawSocket()
    raw.socket.write(post([`Content-Length: ${3 << 20}`, 'Expect: 100-continue']))
    await within(raw.ended, 'the end')
    assert.match(raw.text, /^HTTP\/1\.1 413 /)
    const good = await server.rawSocket()
    good.socket.write(request(`POST ${chat(newToken(), 'x')}`, [HOST, CLOSE, 'Content-Length: 7', 'Expect: 100-continue']))
    await until(() => good.text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'), '100')
    good.socket.write('{"n":1}')
    await within(good.ended, 'the end')
    assert.match(good.text, /\r\n\r\nHTTP\/1\.1 200 /)
  })
})

suite('Requests that are taken', {}, (server) => {
  const token = newToken()
  const say = (thing, fields, body) => server.rawExchange(request(`POST ${chat(token, thing)}`, [HOST, CLOSE, ...fields], body))

  it('blanks around a value are not part of it', async () => {
    const ids = []
    for (let n = 0; n < 3; n++) ids.push(await server.say(token, 'blanks', { n }))
    const stream = await server.rawSocket()
    stream.socket.write(request(`GET ${chat(token, 'blanks', '/listen')}`, [HOST, `Last-Event-ID: \t${ids[0]} \t`]))
    await until(() => stream.text.includes('"n":2'), 'the messages after the cursor')
    assert.ok(!stream.text.includes('"n":0'))
    stream.socket.destroy()
    const [a, b] = [await say('keys', ['Idempotency-Key: k1', 'Content-Length: 7'], '{"n":1}'),
      await say('keys', ['Idempotency-Key: k1 \t ', 'Content-Length: 7 '], '{"n":1}')]
    assert.equal(/"id":\d+/.exec(a.text)[0], /"id":\d+/.exec(b.text)[0])
    const chunked = await say('keys', ['Transfer-Encoding: chunked \t'], '7\r\n{"n":2}\r\n0\r\n\r\n')
    assert.equal(chunked.status, 200)
  })

  it('a target in absolute-form (RFC 9112 §3.2.2)', async () => {
    for (const origin of ['http://localhost', 'HTTP://localhost:8080', 'https://localhost']) {
      const { status } = await server.rawExchange(request(`POST ${origin}${chat(token, 'absolute')}`, [HOST, CLOSE, 'Content-Length: 7'], '{"n":1}'))
      assert.equal(status, 200)
    }
    assert.equal((await server.history(token, 'absolute')).length, 3)
    assert.equal((await server.rawExchange(request('GET http://localhost', [HOST, CLOSE]))).status, 200)
    assert.equal((await server.rawExchange(request('OPTIONS *', [HOST, CLOSE]))).status, 204)
  })

  it('lists may come in several lines', async () => {
    const id = await server.say(token, 'lists', { n: 1 })
    const csv = await server.rawExchange(request(`GET ${chat(token, 'lists', '/history')}`, [HOST, CLOSE, 'Accept: application/json;q=0.1', 'Accept: text/csv']))
    assert.match(csv.text, /content-type: text\/csv/i)
    const etag = (await server.get(chat(token, 'lists', '/latest'))).headers.etag
    assert.ok(etag.includes(String(id)))
    const same = await server.rawExchange(request(`GET ${chat(token, 'lists', '/latest')}`, [HOST, CLOSE, 'If-None-Match: "1"', `If-None-Match: ${etag}`]))
    assert.equal(same.status, 304)
  })

  it('lines that end in LF alone, empty lines before and between requests', async () => {
    const raw = await server.rawSocket()
    raw.socket.write(`\r\nPOST ${chat(token, 'lines')} HTTP/1.1\nHost: localhost\nContent-Length: 7\n\n{"n":1}\r\n\r\n` +
      request('GET /health', [HOST, CLOSE]))
    await within(raw.ended, 'the end')
    assert.deepEqual(answers(raw.text).map((a) => a.status), [200, 200])
  })

  it('a client that has said all it will is answered', async () => {
    const raw = await server.rawSocket({ allowHalfOpen: true })
    raw.socket.end(request(`POST ${chat(token, 'half')}`, [HOST, 'Content-Length: 7'], '{"n":1}'))
    await within(raw.ended, 'the end')
    assert.match(raw.text, /"status":"ok"/)
  })

  it('a client that sent more than is read sees the end of the last answer, and no reset', async () => {
    for (let i = 0; i < 5; i++) {
      const { text, end } = await server.endOf(request(`GET /${token}/nothing`, [HOST, CLOSE]) + 'x'.repeat(1000000))
      assert.deepEqual(answers(text).map((a) => a.status), [404])
      assert.equal(end, 'FIN')
    }
  })

  it('requests in any pieces', async () => {
    const raw = await server.rawSocket()
    raw.socket.setNoDelay(true)
    const sent = request(`POST ${chat(token, 'pieces')}`, [HOST, 'Transfer-Encoding: chunked'], '3;a=b\r\n{"n\r\n4\r\n":1}\r\n0\r\nA: b\r\n\r\n') +
      request('GET /health', [HOST, CLOSE])
    for (const byte of sent) {
      raw.socket.write(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await within(raw.ended, 'the end')
    assert.deepEqual(answers(raw.text).map((a) => a.status), [200, 200])
  })

  it('five thousand requests sent ahead are answered in order', async () => {
    const COUNT = 5000
    const raw = await server.rawSocket()
    const posts = Array.from({ length: COUNT }, (_, n) => {
      const body = JSON.stringify({ n })
      return request(`POST ${chat(token, 'ahead')}`, [HOST, `Content-Length: ${body.length}`], body)
    })
    raw.socket.write(posts.join('') + request('GET /health', [HOST, CLOSE]))
    await within(raw.ended, 'the end', scaled(120000)) // each waits for its commit
    const all = answers(raw.text)
    assert.equal(all.length, COUNT + 1)
    const ids = all.slice(0, COUNT).map((a) => JSON.parse(a.body).id)
    assert.deepEqual(ids, [...ids].sort((a, b) => a - b))
  })
})

suite('Answers without a body', {}, (server) => {
  const token = newToken()
  before(async () => {
    for (let n = 0; n < 6; n++) await server.say(token, 'long', { n, pad: 'x'.repeat(60000) })
  })

  for (const accept of ['application/json', 'application/x-ndjson', 'text/csv', 'application/msgpack']) {
    it(`HEAD of a long history sends none: ${accept}`, async () => {
      const raw = await server.rawSocket()
      raw.socket.write(request(`HEAD ${chat(token, 'long', '/history')}`, [HOST, `Accept: ${accept}`]) + request('GET /health', [HOST, CLOSE]))
      await within(raw.ended, 'the end')
      assert.match(raw.text.slice(raw.text.indexOf('\r\n\r\n') + 4), /^HTTP\/1\.1 200 /)
    })
  }

  it('304 says no length, and the connection is kept', async () => {
    const raw = await server.rawSocket()
    raw.socket.write(request(`GET ${chat(token, 'long', '/latest')}`, [HOST, 'If-None-Match: *']) + request('GET /health', [HOST, CLOSE]))
    await within(raw.ended, 'the end')
    const [first, second] = answers(raw.text)
    assert.equal(first.status, 304)
    assert.doesNotMatch(first.head, /content-length|transfer-encoding/i)
    assert.equal(second.status, 200)
  })
})
