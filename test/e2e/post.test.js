'use strict'
// POST /{token}/chat/{thing}, and what the contract says of all requests.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, chat } = require('./harness/server')
const { run } = require('./harness/process')
const { within, sleep, scaled } = require('./harness/waits')

const MIB = 1024 * 1024

// A JSON object of exactly `size` bytes.
const sized = (size) => `{"fill":"${'x'.repeat(size - '{"fill":""}'.length)}"}`

suite('POST /{token}/chat/{thing}', {}, (server) => {
  it('body: any JSON object', async () => {
    const token = newToken()
    const objects = ['{}', '{"temperature": 22.5}', '{"a":{"b":[1,null,true,"x"]}}', ' \t\r\n{"a":1}\n ']
    for (const object of objects) {
      await server.say(token, 'any', object)
      assert.deepEqual((await server.latest(token, 'any')).chat, JSON.parse(object))
    }
  })

  it('200 {"status":"ok","id":123}: stored on disk and on its way to every reader', async () => {
    const token = newToken()
    const readers = [await server.listen(token, 'lamp'), await server.listen(token, 'lamp')]
    const device = await server.subscriber(token, 'lamp')
    const answer = await server.post(chat(token, 'lamp'), { on: true })
    assert.equal(answer.status, 200)
    assert.match(answer.headers['content-type'], /^application\/json/)
    const body = answer.json()
    assert.deepEqual(Object.keys(body), ['status', 'id'])
    assert.equal(body.status, 'ok')
    assert.ok(Number.isSafeInteger(body.id) && body.id > 0)
    assert.equal((await server.latest(token, 'lamp')).id, body.id)
    for (const reader of readers) assert.equal((await reader.expect('message')).id, body.id)
    assert.equal((await device.message()).text, '{"on":true}')
  })

  it('ids are unique and increasing over all things and tokens', async () => {
    const ids = []
    for (let i = 0; i < 10; i++) ids.push(await server.say(newToken(), `thing${i % 3}`, { i }))
    for (let i = 1; i < ids.length; i++) assert.ok(ids[i] > ids[i - 1], `${ids}`)
  })

  // Those that wait for others share a PUBLISH between bridge and broker.
  it('in a crowd each request gets its own answer', async () => {
    const [limited, free] = [await server.freeToken(), newToken()]
    const asked = []
    for (let i = 0; i < 300; i++) {
      if (i % 5 === 0) asked.push({ kind: 'limited', path: chat(limited, 'x'), body: { i } })
      else if (i % 5 === 1) asked.push({ kind: 'invalid', path: chat(free, 'x'), body: 'nonsense' })
      else if (i % 5 === 2) asked.push({ kind: 'twin', path: chat(free, 'twin'), body: { i }, headers: { 'Idempotency-Key': `k${i % 4}` } })
      else if (i % 5 === 3) asked.push({ kind: 'large', path: chat(free, `big${i}`), body: { i, fill: 'x'.repeat(20000) } })
      else asked.push({ kind: 'free', path: chat(free, `t${i}`), body: { i } })
    }
    // The limited plan has 100 writes; these are gone before.
    for (let n = 0; n < 60; n++) assert.equal((await server.post(chat(limited, 'y'), {})).status, 200)
    const answers = await Promise.all(asked.map(({ path, body, headers }) => server.post(path, body, headers)))
    const ids = new Set()
    const firstOfKey = new Map()
    const remaining = []
    for (const [n, { kind, path, body, headers }] of asked.entries()) {
      const answer = answers[n]
      if (kind === 'invalid') {
        assert.equal(answer.status, 400)
      } else if (kind === 'limited') {
        assert.ok(answer.status === 200 || answer.status === 429, answer.text)
        if (answer.status === 200) remaining.push(answer.remaining)
        else assert.match(answer.headers['retry-after'], /^\d+$/)
      } else {
        assert.equal(answer.status, 200, answer.text)
        const { id } = answer.json()
        if (kind === 'twin') {
          const key = headers['Idempotency-Key']
          if (!firstOfKey.has(key)) firstOfKey.set(key, id)
          assert.equal(id, firstOfKey.get(key))
        } else {
          ids.add(id)
          const stored = await server.latest(...path.match(/^\/([^/]+)\/chat\/(.+)$/).slice(1))
          assert.equal(stored.id, id)
          assert.equal(stored.chat.i, body.i)
        }
      }
    }
    assert.deepEqual(remaining.sort((a, b) => a - b), Array.from({ length: 40 }, (_, n) => n))
    assert.equal(ids.size, 120)
    assert.equal(firstOfKey.size, 4)
    assert.equal(new Set(firstOfKey.values()).size, 4)
  })

  it('Token in the path, no Authorization header', async () => {
    const token = newToken()
    await server.say(token, 'lamp', { n: 1 })
    const answer = await server.get(chat(token, 'lamp', '/latest'), { Authorization: 'Bearer nonsense' })
    assert.equal(answer.status, 200)
    assert.equal((await server.get(chat(newToken(), 'lamp', '/latest'))).status, 404)
  })

  it('`{thing}` is one percent-decoded path segment, so `kitchen%2Ftemp` names the thing `kitchen/temp`', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'kitchen/temp')
    const answer = await server.post(`/${token}/chat/kitchen%2Ftemp`, { celsius: 21 })
    assert.equal(answer.status, 200, answer.text)
    assert.equal((await device.message()).topic, `${token}/kitchen/temp`)
    assert.deepEqual(await server.things(token), ['kitchen/temp'])
    assert.equal((await server.latest(token, 'kitchen/temp')).thing, 'kitchen/temp')
    assert.equal((await server.post(`/${token}/chat/kitchen/temp`, {})).status, 404)
  })

  it('a thing is percent-decoded once, and + stays a plus', async () => {
    const token = newToken()
    await server.say(token, '100%25', { n: 1 })
    assert.deepEqual(await server.things(token), ['100%25'])
    const utf8 = await server.post(`/${token}/chat/K%C3%BCche%20%F0%9F%92%A1`, {})
    assert.equal(utf8.status, 200, utf8.text)
    assert.ok((await server.things(token)).includes('Küche 💡'))
    assert.equal((await server.post(`/${token}/chat/a+b`, {})).status, 400)
  })

  const goodThings = {
    'one byte': 'x',
    '256 bytes': 'x'.repeat(256),
    '256 bytes of UTF-8': 'ü'.repeat(128),
    'several levels': 'a/b/c',
    'a $ further on': 'a/$b',
    'spaces and quotes': ' "\'\\ ',
    dots: '..',
    'the name of an endpoint': 'latest'
  }
  for (const [what, thing] of Object.entries(goodThings)) {
    it(`Thing: 1–256 bytes of UTF-8: ${what}`, async () => {
      const token = newToken()
      await server.say(token, thing, { what })
      assert.equal((await server.latest(token, thing)).thing, thing)
      assert.deepEqual(await server.things(token), [thing])
    })
  }

  const badThings = {
    'no bytes': '',
    '257 bytes': 'x'.repeat(257),
    'NUL': 'a%00b',
    'a control character (U+0001)': '%01',
    'a line end': 'a%0Ab',
    'a control character (U+007F)': '%7F',
    'a control character (U+0085)': '%C2%85',
    'a +': 'a%2Bb',
    'a #': '%23',
    'an empty level': 'a%2F%2Fb',
    'an empty first level': '%2Fa',
    'an empty last level': 'a%2F',
    'starting with $': '$SYS',
    'starting with an encoded $': '%24x',
    'a byte that is no UTF-8': '%FF',
    'an overlong form': '%C0%AF',
    'a surrogate': '%ED%A0%80',
    'a cut character': '%E2%82',
    'percent and no digits': '%zz',
    'percent and one digit': 'a%2',
    'percent at the end': 'a%'
  }
  for (const [what, thing] of Object.entries(badThings)) {
    it(`Thing otherwise 400: ${what}`, async () => {
      const token = newToken()
      for (const [method, rest] of [['POST', ''], ['GET', '/latest'], ['GET', '/history'], ['GET', '/listen']]) {
        const answer = await server.request(`/${token}/chat/${thing}${rest}`, { method, body: method === 'POST' ? '{}' : undefined })
        assert.equal(answer.status, 400, `${method} ${rest}: ${answer.text}`)
        assert.equal(typeof answer.json().error, 'string')
      }
      assert.deepEqual(await server.things(token), [])
    })
  }

  it('token: `[A-Za-z0-9_-]{1,64}`', async () => {
    for (const token of ['x', '-_', 'Az09-_', 'y'.repeat(64)]) {
      await server.say(token, 'thing', {})
      assert.deepEqual(await server.things(token), ['thing'])
    }
  })

  it('token otherwise 400', async () => {
    for (const token of ['y'.repeat(65), 'a.b', 'a%20b', '%C3%A9', 'a%2Fb', '$a', 'a+b', 'a%00', 'a~']) {
      for (const path of [`/${token}/things`, `/${token}/chat/x/latest`, `/${token}/listen?things=x`]) {
        const answer = await server.get(path)
        assert.equal(answer.status, 400, `${path}: ${answer.text}`)
        assert.equal(typeof answer.json().error, 'string')
      }
      assert.equal((await server.post(`/${token}/chat/x`, {})).status, 400)
    }
  })

  it('The body is parsed as JSON whatever `Content-Type` says', async () => {
    const token = newToken()
    for (const type of ['text/plain', 'application/octet-stream', 'multipart/form-data; boundary=x', 'application/json; charset=latin1', 'nonsense', undefined]) {
      const headers = type === undefined ? {} : { 'Content-Type': type }
      const answer = await server.post(chat(token, 'typed'), { type: type ?? null }, headers)
      assert.equal(answer.status, 200, `${type}: ${answer.text}`)
      assert.deepEqual((await server.latest(token, 'typed')).chat, { type: type ?? null })
    }
  })

  it("curl's default Content-Type included", async () => {
    const token = newToken()
    const curl = await run('curl', ['-sS', '-X', 'POST', `${server.base}/${token}/chat/sensor1`, '-d', '{"temperature": 22.5, "humidity": 60}'])
    assert.equal(JSON.parse(curl.stdout).status, 'ok')
    assert.deepEqual((await server.latest(token, 'sensor1')).chat, { temperature: 22.5, humidity: 60 })
  })

  const notObjects = {
    'an empty body': '',
    'white space': ' \n',
    'a word': 'hello',
    'an array': '[1,2]',
    'a string': '"x"',
    'a number': '42',
    null: 'null',
    'an open object': '{"a":1',
    'an open string': '{"a":"b',
    'a missing colon': '{"a" 1}',
    'a missing value': '{"a":}',
    'a trailing comma': '{"a":1,}',
    'single quotes': "{'a':1}",
    'a name without quotes': '{a:1}',
    'bytes after the object': '{"a":1}x',
    'two objects': '{}{}',
    'a leading zero': '{"a":01}',
    'a bare point': '{"a":1.}',
    'a plus sign': '{"a":+1}',
    hexadecimal: '{"a":0x1}',
    NaN: '{"a":NaN}',
    Infinity: '{"a":-Infinity}',
    'a comment': '{"a":1/**/}',
    'a raw tab in a string': '{"a":"\t"}',
    'a raw line end in a string': '{"a":"\n"}',
    'a raw NUL in a string': '{"a":"\0"}',
    'a NUL after the object': '{}\0',
    'an unknown escape': '{"a":"\\x41"}',
    'half a Unicode escape': '{"a":"\\u12"}',
    'two byte order marks': '\uFEFF\uFEFF{}',
    'a form feed as white space': '\f{}',
    'a form': 'a=1&b=2'
  }
  for (const [what, body] of Object.entries(notObjects)) {
    it(`Not JSON, or not an object, or an empty body → 400 naming the position: ${what}`, async () => {
      const token = newToken()
      const answer = await server.post(chat(token, 'x'), body)
      assert.equal(answer.status, 400, answer.text)
      const { error } = answer.json()
      assert.match(error, /\d/, 'the error names the position')
      assert.deepEqual(await server.history(token, 'x'), [])
    })
  }

  it('the position in a 400 is where the error is', async () => {
    const good = '{"name":"value","list":[1,2,3],"x":'
    const answer = await server.post(chat(newToken(), 'x'), `${good}!}`)
    const numbers = answer.json().error.match(/\d+/g).map(Number)
    assert.ok(numbers.some((n) => n === good.length || n === good.length + 1), answer.text)
  })

  it('`{}` is fine', async () => {
    const token = newToken()
    await server.say(token, 'empty', '{}')
    assert.deepEqual((await server.latest(token, 'empty')).chat, {})
  })

  const accepted = {
    'big integers': '{"n":123456789012345678901234567890}',
    '1e400': '{"n":1e400,"m":-1E+400,"z":-0.0e-0}',
    '`\\u0000`': '{"s":"\\u0000"}',
    'escaped lone surrogates': '{"s":"\\ud800 \\uDFFF"}',
    'duplicate keys': '{"a":1,"a":2}',
    'U+2028, U+FFFF and noncharacters': '{"s":"\u2028\uFFFF\uFDD0"}',
    'DEL and C1 characters': '{"s":"\x7f\u0085"}',
    'an empty name': '{"":{}}'
  }
  for (const [what, body] of Object.entries(accepted)) {
    it(`RFC 8259's grammar decides what is JSON: accepted as sent: ${what}`, async () => {
      const token = newToken()
      const device = await server.subscriber(token, 'raw')
      await server.say(token, 'raw', body)
      assert.equal((await device.message()).text, body)
      const answer = await server.get(chat(token, 'raw', '/latest'))
      assert.ok(answer.text.includes(`:${body}`), answer.text)
    })
  }

  it("RFC 8259's grammar decides what is JSON: raw invalid UTF-8 is not", async () => {
    const token = newToken()
    for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80], [0x80]]) {
      const body = Buffer.concat([Buffer.from('{"s":"'), Buffer.from(bytes), Buffer.from('"}')])
      const answer = await server.post(chat(token, 'raw'), body)
      assert.equal(answer.status, 400, `${bytes}: ${answer.text}`)
      assert.match(answer.json().error, /\d/)
    }
    assert.deepEqual(await server.history(token, 'raw'), [])
  })

  it('nested more than 512 deep → 400', async () => {
    const token = newToken()
    const nested = (depth) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
    await server.say(token, 'deep', nested(512))
    for (const depth of [513, 100000]) {
      const answer = await server.post(chat(token, 'deep'), nested(depth))
      assert.equal(answer.status, 400, `${depth}`)
    }
    const objects = '{"a":'.repeat(513) + '1' + '}'.repeat(513)
    assert.equal((await server.post(chat(token, 'deep'), objects)).status, 400)
    const open = await server.post(chat(token, 'deep'), '{"a":' + '['.repeat(500000))
    assert.equal(open.status, 400)
    assert.equal((await server.history(token, 'deep')).length, 1)
  })

  it('The payload is kept byte for byte (number spelling, key order, Unicode)', async () => {
    const token = newToken()
    const body = ' { "z" : 1.50e+01 ,\n\t"a":"\\u00fc ü \\/ \\"", "z":-0, "ü": [ ] }\r\n'
    const device = await server.subscriber(token, 'exact')
    const reader = await server.listen(token, 'exact')
    await server.say(token, 'exact', body)
    assert.equal((await device.message()).text, body)
    for (const rest of ['/latest', '/history']) {
      const { text } = await server.get(chat(token, 'exact', rest))
      assert.ok(text.includes(body), `${rest}: ${text}`)
    }
    const event = await reader.event()
    // EventSource gives one line end for each of LF, CR and CRLF
    const lines = (text) => text.replace(/\r\n|\r/g, '\n')
    assert.ok(event.data.includes(lines(body)), event.data)
  })

  it('More than the plan\'s payload → 413 with `Connection: close`', async () => {
    const token = await server.freeToken()
    await server.say(token, 'big', sized(10240))
    for (const size of [10241, 100000, 2 * MIB]) {
      const answer = await server.post(chat(token, 'big'), sized(size))
      assert.equal(answer.status, 413, `${size}`)
      assert.equal(answer.headers.connection.toLowerCase(), 'close')
      assert.equal(typeof answer.json().error, 'string')
    }
    assert.equal((await server.history(token, 'big')).length, 1)
  })

  it('More than the plan\'s payload → 413 when the body is chunked', async () => {
    const token = await server.freeToken()
    const answer = await server.post(chat(token, 'big'), sized(20000), { 'Transfer-Encoding': 'chunked' })
    assert.equal(answer.status, 413)
    assert.equal(answer.headers.connection.toLowerCase(), 'close')
    assert.deepEqual(await server.history(token, 'big'), [])
  })

  it('after reading and discarding up to 8 MiB of it, so that the client sees the answer and not a reset', async () => {
    const token = await server.freeToken()
    const posts = []
    for (let i = 0; i < 40; i++) posts.push(server.post(chat(token, 'big'), sized(MIB)))
    posts.push(server.post(chat(token, 'big'), sized(7 * MIB)))
    const answers = await Promise.all(posts) // a reset would reject
    for (const answer of answers) assert.equal(answer.status, 413)
  })

  it('after reading and discarding up to 2 s of it', async () => {
    const token = await server.freeToken()
    const raw = await server.rawSocket()
    raw.socket.write(`POST ${chat(token, 'big')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7000000\r\n\r\n`)
    let ended = false
    raw.ended.then(() => { ended = true })
    const started = Date.now()
    raw.socket.write(sized(20000).slice(0, 19000))
    while (!ended && Date.now() - started < scaled(6000)) {
      raw.socket.write('x'.repeat(100))
      await sleep(50) // the pace of a slow sender
    }
    raw.socket.destroy()
    assert.match(raw.text, /^HTTP\/1\.1 413 /)
    assert.match(raw.text, /\r\nConnection: close\r\n/i)
    assert.ok(Date.now() - started >= 1000, 'the answer waited for the body')
  })

  it('curl sees the 413, with Expect: 100-continue and without', async () => {
    const token = await server.freeToken()
    for (const expect of [[], ['-H', 'Expect:']]) {
      const curl = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', ...expect,
        '--data-binary', '@-', `${server.base}${chat(token, 'big')}`], { input: sized(3 * MIB) })
      assert.equal(curl.code, 0, curl.stderr)
      assert.equal(curl.stdout, '413')
    }
  })

  it('a body that trickles in is one message', async () => {
    const token = newToken()
    const raw = await server.rawSocket()
    const body = '{"slow":true}'
    raw.socket.write(`POST ${chat(token, 'slow')} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`)
    for (const byte of body) {
      raw.socket.write(byte)
      await sleep(5) // the pace of a slow sender
    }
    await within(raw.ended, 'end of connection')
    assert.match(raw.text, /^HTTP\/1\.1 200 /)
    assert.deepEqual((await server.latest(token, 'slow')).chat, { slow: true })
  })

  it('`?retain=1`: also the MQTT retained message', async () => {
    const token = newToken()
    await server.say(token, 'plain', { kept: false })
    const retained = await server.post(`${chat(token, 'kept')}?retain=1`, { kept: 1 })
    assert.equal(retained.status, 200, retained.text)
    await server.post(`${chat(token, 'kept')}?retain=1`, { kept: 2 })
    await server.say(token, 'kept', { kept: false })
    const device = await server.subscriber(token, '#')
    const message = await device.message()
    assert.equal(message.text, '{"kept":2}')
    assert.equal(message.retain, true)
    await server.say(token, 'marker', {})
    assert.equal((await device.message()).topic, `${token}/marker`, 'nothing else was retained')
    const history = await server.history(token, 'kept')
    assert.deepEqual(history.map(({ chat }) => chat.kept), [false, 2, 1])
  })
})

suite('All requests', {}, (server) => {
  it('Errors: `{"error":"<what to do about it>"}`', async () => {
    const token = newToken()
    const errors = [
      [400, await server.post(chat(token, 'x'), '{')],
      [404, await server.get(chat(token, 'x', '/latest'))],
      [404, await server.get('/no/such/path/anywhere')],
      [405, await server.request(chat(token, 'x'), { method: 'PUT' })],
      [413, await server.post(chat(token, 'x'), sized(MIB + 1))]
    ]
    for (const [status, answer] of errors) {
      assert.equal(answer.status, status, answer.text)
      assert.match(answer.headers['content-type'], /^application\/json/)
      assert.deepEqual(Object.keys(answer.json()), ['error'])
      assert.ok(answer.json().error.length > 10, 'it says something')
    }
  })

  it('405 with `Allow`', async () => {
    const token = newToken()
    const allowed = async (path, method) => {
      const answer = await server.request(path, { method })
      assert.equal(answer.status, 405, `${method} ${path}: ${answer.text}`)
      return answer.headers.allow.split(',').map((name) => name.trim())
    }
    for (const method of ['GET', 'PUT', 'PATCH']) {
      const names = await allowed(chat(token, 'x'), method)
      assert.ok(names.includes('POST') && names.includes('DELETE'), `${names}`)
    }
    for (const path of ['latest', 'history', 'listen']) {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const names = await allowed(chat(token, 'x', `/${path}`), method)
        assert.ok(names.includes('GET') && names.includes('HEAD') && !names.includes('POST'), `${names}`)
      }
    }
    assert.ok((await allowed(`/${token}/things`, 'POST')).includes('GET'))
    assert.ok((await allowed('/tokens', 'GET')).includes('POST'))
  })

  it('HEAD answers like GET without a body', async () => {
    const token = newToken()
    await server.say(token, 'lamp', { on: true })
    const paths = ['/latest', '/history', '/history?limit=0', '/nothing'].map((rest) => chat(token, 'lamp', rest))
    paths.push(`/${token}/things`, chat(token, 'unknown', '/latest'), '/', '/health')
    for (const path of paths) {
      const [head, get] = [await server.head(path), await server.get(path)]
      assert.equal(head.status, get.status, path)
      assert.equal(head.body.length, 0, path)
      for (const name of ['content-type', 'etag', 'allow']) {
        assert.equal(head.headers[name], get.headers[name], `${name} of ${path}`)
      }
      if (path !== '/health') assert.equal(head.headers['content-length'], get.headers['content-length'], path)
    }
  })

  it('HEAD answers like GET without a body: a listen, too', async () => {
    const head = await server.head(chat(newToken(), 'lamp', '/listen'))
    assert.equal(head.status, 200)
    assert.match(head.headers['content-type'], /^text\/event-stream/)
    assert.equal(head.body.length, 0)
  })

  it('many requests go over one kept connection, a stream after them, too', async () => {
    const http = require('node:http')
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const token = newToken()
    for (let i = 0; i < 5; i++) {
      const answer = await server.post(chat(token, 'kept'), { i }, {}, { agent })
      assert.equal(answer.status, 200)
      assert.notEqual(answer.headers.connection?.toLowerCase(), 'close')
    }
    agent.destroy()
    // one socket: POST, then listen
    const raw = await server.rawSocket()
    raw.socket.write(`POST ${chat(token, 'kept')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}`)
    await within(new Promise((resolve) => raw.socket.on('data', () => { if (raw.text.includes('"ok"')) resolve() })), 'answer to POST')
    raw.socket.write(`GET ${chat(token, 'kept', '/listen')} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await within(new Promise((resolve) => raw.socket.on('data', () => { if (raw.text.includes('event: status')) resolve() })), 'status event')
    const marker = `{"marker":${Date.now()}}`
    await server.say(token, 'kept', marker)
    await within((async () => { while (!raw.text.includes(marker)) await sleep(10) })(), 'message on the stream')
    raw.socket.destroy()
  })
})
