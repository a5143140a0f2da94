'use strict'
// Who may wait how long on an HTTP connection, and who makes room when there are
// too many. Times are short by settings; the tests wait for what the server does.
const assert = require('node:assert/strict')
const { readdirSync, readlinkSync } = require('node:fs')
const http = require('node:http')
const { it, after } = require('node:test')
const { suite, group, Server, newToken, chat, until } = require('./harness/server')
const { within, scaled, sleep } = require('./harness/waits')

const head = (line, ...fields) => [`${line} HTTP/1.1`, 'Host: localhost', ...fields, '', ''].join('\r\n')
const POST = (token) => `POST ${chat(token, 'x')}`

// Sends a byte every `every` ms until the server has closed.
async function drip (raw, every = 100) {
  const timer = setInterval(() => raw.socket.write('x', () => {}), every)
  raw.socket.on('error', () => {})
  try {
    await within(raw.ended, 'the end of a connection that only drips', scaled(15000))
  } finally {
    clearInterval(timer)
  }
}

suite('HTTP time-outs', {
  set: { 'http.header_timeout': 1, 'http.body_timeout': 1, 'http.idle_timeout': 3 }
}, (server) => {
  const token = newToken()

  it('a head that drips gets 408 in JSON, with CORS headers, and is closed', async () => {
    const raw = await server.rawSocket()
    raw.socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\nX-Drip: ')
    await drip(raw)
    assert.match(raw.text, /^HTTP\/1\.1 408 /)
    assert.match(raw.text, /access-control-allow-origin: \*/i)
    assert.match(raw.text, /connection: close/i)
    assert.match(raw.text, /\{"error":"[^"]*http\.header_timeout[^"]*"\}/)
  })

  it('a request line that drips, too', async () => {
    const raw = await server.rawSocket()
    raw.socket.write('GET /hea')
    await drip(raw)
    assert.match(raw.text, /^HTTP\/1\.1 408 /)
  })

  it('a body that drips gets 408, and nothing is stored', async () => {
    for (const [field, start] of [['Content-Length: 10000', '{"a":"'], ['Transfer-Encoding: chunked', 'ffff\r\n{"a":"']]) {
      const raw = await server.rawSocket()
      raw.socket.write(head(POST(token), field) + start)
      await drip(raw)
      assert.match(raw.text, /^HTTP\/1\.1 408 /)
    }
    assert.deepEqual(await server.things(token), [])
  })

  it('a body of which much came may not stop for long, either', async () => {
    for (const [field, start] of [['Content-Length: 900000', ''], ['Transfer-Encoding: chunked', 'dbba0\r\n']]) {
      const raw = await server.rawSocket()
      raw.socket.on('error', () => {})
      raw.socket.write(head(POST(token), field) + start + '{"a":"' + 'x'.repeat(800000))
      await within(raw.ended, 'the end of a body that stopped', scaled(15000))
      assert.match(raw.text, /^HTTP\/1\.1 408 /)
    }
  })

  it('a slow body that goes on coming is served, however long it takes', async () => {
    const raw = await server.rawSocket()
    const body = JSON.stringify({ a: 'x'.repeat(3000) })
    raw.socket.write(head(POST(token), `Content-Length: ${body.length}`, 'Connection: close'))
    const begun = Date.now()
    for (let at = 0; at < body.length; at += 300) { // 1,000 bytes a second; the time-out is 1 s
      raw.socket.write(body.slice(at, at + 300))
      await sleep(300)
    }
    await within(raw.ended, 'the answer')
    assert.ok(Date.now() - begun > 2000, 'it took longer than the time-out')
    assert.match(raw.text, /^HTTP\/1\.1 200 /)
  })

  it('a connection without a request is closed without a word, and not before clients were told', async () => {
    const raw = await server.rawSocket()
    raw.socket.write(head('GET /health'))
    await until(() => raw.text.includes('\r\n\r\n'), 'an answer')
    assert.match(raw.text, /keep-alive: timeout=3\r\n/i)
    const answered = Date.now()
    const length = raw.text.length
    await within(raw.ended, 'closing', scaled(10000))
    assert.ok(Date.now() - answered >= 3000, 'not before the time it told')
    assert.ok(!raw.text.slice(length).includes('HTTP/1.1'))
  })

  it('a request after a pause on a kept connection is answered', async () => {
    const raw = await server.rawSocket()
    for (let i = 1; i <= 3; i++) {
      raw.socket.write(head(POST(token), 'Content-Length: 7') + `{"n":${i}}`)
      await until(() => (raw.text.match(/"status":"ok"/g) ?? []).length === i, `answer ${i}`)
      await sleep(1500) // longer than header and body time-outs
    }
    raw.socket.destroy()
  })
})

suite('A sensor on a kept connection', {}, (server) => {
  it('may pause for 6 s before, within and after a request', async () => {
    const token = newToken()
    const raw = await server.rawSocket()
    await sleep(6000)
    raw.socket.write(head(POST(token), 'Content-Length: 7'))
    await sleep(6000)
    raw.socket.write('{"n":1}')
    await until(() => raw.text.includes('"status":"ok"'), 'the answer')
    assert.match(raw.text, /keep-alive: timeout=75\r\n/i)
    await sleep(6000)
    raw.socket.write(head(POST(token), 'Content-Length: 7', 'Connection: close') + '{"n":2}')
    await within(raw.ended, 'the end')
    assert.equal(raw.text.match(/"status":"ok"/g).length, 2)
    assert.doesNotMatch(raw.text.slice(raw.text.lastIndexOf('HTTP/1.1')), /keep-alive:/i)
  })
})

suite('Kept connections at rest', {}, (server) => {
  const folder = () => `/proc/${server.child.pid}/fd`
  const descriptors = () => readdirSync(folder()).length
  // The last file that a server opens by itself, up to a second after it is ready.
  const hasLock = () => readdirSync(folder()).some((fd) => {
    try {
      return readlinkSync(`${folder()}/${fd}`).endsWith('/webhooks.lock')
    } catch {
      return false // closed since it was listed
    }
  })
  const answered = (raw, count) => until(() => raw.text.split('HTTP/1.1 200 ').length === count + 1, `answer ${count}`)

  it('cost one descriptor each, and the next request is answered', async () => {
    await until(hasLock, 'the lock of webhooks')
    const before = descriptors()
    const all = []
    for (let i = 0; i < 20; i++) {
      const raw = await server.rawSocket()
      raw.socket.write(head('GET /health'))
      await answered(raw, 1)
      all.push(raw)
    }
    await until(() => descriptors() <= before + 20, 'descriptors given back', scaled(15000))
    for (const raw of all) {
      raw.socket.write(head('GET /health'))
      await answered(raw, 2)
      raw.socket.destroy()
    }
  })

  it('nothing is lost of what was sent ahead, however long the rest takes to come', async () => {
    const ahead = await server.rawSocket()
    ahead.socket.write(head('GET /health') + head('GET /health').slice(0, 20))
    const chunked = await server.rawSocket()
    chunked.socket.write(head(POST(newToken()), 'Transfer-Encoding: chunked') + '7\r\n{"n":1}\r\n0\r\n\r\n' + head('GET /health').slice(0, 20))
    await answered(ahead, 1)
    await answered(chunked, 1)
    await sleep(5000) // the time after which a connection without a part of a request rests
    for (const raw of [ahead, chunked]) {
      raw.socket.write(head('GET /health').slice(20))
      await answered(raw, 2)
      raw.socket.destroy()
    }
  })
})

suite('Long answers', { set: { 'http.write_timeout': 2 } }, (server) => {
  const token = newToken()
  const COUNT = 400

  // Reads its first bytes, stops for `pause` ms, then reads the rest.
  async function download (version, pause) {
    const raw = await server.rawSocket()
    raw.socket.on('error', () => {})
    raw.socket.write(`GET ${chat(token, 'big', '/history?order=asc')} HTTP/${version}\r\nHost: localhost\r\n` +
      'Accept: application/x-ndjson\r\nConnection: close\r\n\r\n')
    await until(() => raw.text.length > 0, 'the first bytes')
    raw.socket.pause()
    await sleep(pause)
    raw.socket.resume()
    await within(raw.ended, 'the end', scaled(20000))
    return { rows: (raw.text.match(/"id":/g) ?? []).length, text: raw.text, error: raw.error }
  }

  it('a pause shorter than http.write_timeout costs nothing, a longer one a visible end', async () => {
    const body = JSON.stringify({ pad: 'x'.repeat(60000) }) // 24 MB: more than the kernel takes
    for (let i = 0; i < COUNT; i++) await server.say(token, 'big', body)
    for (const version of ['1.1', '1.0']) {
      const whole = await download(version, 500)
      assert.equal(whole.rows, COUNT)
      if (version === '1.1') assert.ok(whole.text.endsWith('0\r\n\r\n'))
      const cut = await download(version, 7000)
      assert.ok(cut.rows < COUNT, `${cut.rows} rows`)
      assert.ok(!cut.text.endsWith('0\r\n\r\n'), 'cut off in silence')
    }
  })

  it('a part is reset: all that HTTP/1.0 has to tell it from the whole', async () => {
    const export_ = (version) => `GET ${chat(token, 'big', '/history?order=asc')} HTTP/${version}\r\nHost: localhost\r\n` +
      'Accept: application/x-ndjson\r\nConnection: close\r\n\r\n'
    for (const version of ['1.1', '1.0']) {
      const whole = await server.endOf(export_(version))
      assert.equal(whole.text.match(/"id":/g).length, COUNT)
      assert.equal(whole.end, 'FIN')
      const cut = await server.endOf(export_(version), 7)
      assert.ok((cut.text.match(/"id":/g) ?? []).length < COUNT)
      assert.equal(cut.end, 'RST')
    }
  })
})

group('More connections than limits.connections', () => {
  const servers = []
  after(async () => { for (const server of servers) await server.close() })
  async function serve (set) {
    const server = new Server({ set })
    servers.push(server)
    return await server.start()
  }

  async function drippers (server, count, bytes) {
    const all = []
    for (let i = 0; i < count; i++) {
      const raw = await server.rawSocket()
      raw.socket.on('error', () => {})
      raw.ended.then(() => { raw.gone = true })
      raw.socket.write(bytes)
      all.push(raw)
    }
    return all
  }

  it('ten admits ten: the link needs no place, and HTTP, streams and MQTT share them', async () => {
    const server = await serve({ 'limits.connections': 10 })
    const token = newToken()
    for (let i = 0; i < 8; i++) await server.wire({ token, clientId: `c${i}` })
    const streams = [await server.listen(token, 'x'), await server.listen(token, 'y')]
    await assert.rejects(server.wire({ token, clientId: 'eleventh' }))
    const refused = await server.get(chat(token, 'x', '/latest'))
    assert.equal(refused.status, 503)
    assert.match(refused.json().error, /limits\.connections/)
    assert.equal(refused.headers['access-control-allow-origin'], '*')
    assert.equal((await server.get('/health')).status, 200, 'monitors see a full server')
    assert.equal((await server.cli('status')).code, 0)
    streams[0].close()
    await until(() => server.wire({ token, clientId: 'tenth' }).catch(() => null), 'the place of a stream that left')
  })

  it('whoever holds the last places, /health is answered, and says that the connection ends', async () => {
    const server = await serve({ 'limits.connections': 4, 'http.workers': 1 })
    const token = newToken()
    for (let i = 0; i < 4; i++) await server.wire({ token, clientId: `c${i}` })
    // more than the reserve has room for, in each of the ways to stay there
    const vital = await drippers(server, 20, head('POST /health', 'Content-Length: 10'))
    const slow = await drippers(server, 20, head('GET /health', 'Content-Length: 10'))
    const other = await drippers(server, 20, head(POST(token), 'Content-Length: 10'))
    const answer = await server.get('/health', { agent: new http.Agent({ keepAlive: true }) })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.connection, 'close')
    assert.equal(answer.headers['keep-alive'], undefined)
    for (const raw of [...vital, ...slow, ...other]) raw.socket.destroy()
  })

  for (const workers of [1, 4]) {
    it(`half requests make room for whole ones, and for MQTT: http.workers = ${workers}`, async () => {
      const server = await serve({ 'limits.connections': 40, 'http.workers': workers })
      const token = newToken()
      const slow = await drippers(server, 100, 'GET /health HTTP/1.1\r\nX: ')
      for (let i = 0; i < 20; i++) assert.equal((await server.post(chat(token, 'x'), { i })).status, 200)
      await server.wire({ token, clientId: 'device' })
      assert.equal((await server.get('/health')).status, 200)
      await until(() => slow.filter((raw) => raw.gone).length >= 60, 'sixty that made room')
      // each worker knows the order of its own
      if (workers === 1) assert.ok(slow.slice(-20).every((raw) => !raw.gone), 'who waited longest goes first')
    })
  }

  it('kept connections make room, too', async () => {
    const server = await serve({ 'limits.connections': 10 })
    const agent = new http.Agent({ keepAlive: true, maxSockets: 50 })
    const answers = await Promise.all(Array.from({ length: 10 }, () => server.get('/health', { agent })))
    assert.ok(answers.every(({ status }) => status === 200))
    for (let i = 0; i < 10; i++) assert.equal((await server.get('/health')).status, 200)
    agent.destroy()
  })

  it('an address has no more than limits.connections_per_address', async () => {
    const server = await serve({ 'limits.connections_per_address': 5 })
    const slow = await drippers(server, 5, 'GET /health HTTP/1.1\r\nX: ')
    let refused // whoever came before the five of them, ourselves included, may have taken a place
    await until(async () => {
      slow.splice(0, slow.length, ...slow.filter((raw) => !raw.gone))
      slow.push(...await drippers(server, 5 - slow.length, 'GET /health HTTP/1.1\r\nX: '))
      refused = await server.get('/')
      return refused.status === 429
    }, 'all five are counted')
    assert.match(refused.json().error, /limits\.connections_per_address/)
    slow[0].socket.destroy()
    await until(async () => (await server.get('/')).status === 200, 'a place after one left')
  })
})
