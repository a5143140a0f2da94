'use strict'
// Clients behind proxies: PROXY protocol, Forwarded, and whose limits are used up.
const assert = require('node:assert/strict')
const net = require('node:net')
const { it } = require('node:test')
const { Server, group, newToken, until } = require('./harness/server')
const { scaled } = require('./harness/waits')

const PROXIES = '127.0.0.1, ::1'
const behind = { 'http.trusted_proxies': PROXIES, 'http.proxy_protocol': 'on', 'mqtt.trusted_proxies': PROXIES, 'mqtt.proxy_protocol': 'on', 'tokens.access': 'open' }

async function withServer (set, body) {
  const server = await new Server({ set }).start()
  try { await body(server) } finally { await server.close() }
}

const v1 = (address, port = 4711) => Buffer.from(`PROXY TCP${address.includes(':') ? 6 : 4} ${address} ${address} ${port} 1883\r\n`)
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const v2 = (a, b, c, d, tlvs = Buffer.alloc(0)) => Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11, 0, 12 + tlvs.length, a, b, c, d, 127, 0, 0, 1, 0x12, 0x67, 0, 80]), tlvs])
const LOCAL = Buffer.concat([SIGNATURE, Buffer.from([0x20, 0, 0, 0])])
const connect = (clientId, token) => {
  const text = (s) => Buffer.concat([Buffer.from([0, s.length]), Buffer.from(s)])
  const body = Buffer.concat([text('MQTT'), Buffer.from([4, 0x82, 0, 0]), text(clientId), text(token)])
  return Buffer.concat([Buffer.from([0x10, body.length]), body])
}

// → what came; ends when the server closes, or when `enough` says so
function exchange (port, pieces, enough = () => false) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    let seen = Buffer.alloc(0)
    const timer = setTimeout(() => { socket.destroy(); reject(new Error(`neither an answer nor the end: ${seen}`)) }, scaled(10000))
    const end = (closed) => { clearTimeout(timer); resolve({ seen, closed, socket }) }
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', (data) => { seen = Buffer.concat([seen, data]); if (enough(seen)) end(false) })
    socket.on('close', () => end(true))
    ;(async () => {
      for (const piece of pieces) {
        if (socket.destroyed) break
        socket.write(piece)
        if (pieces.length > 1) await new Promise((resolve) => setTimeout(resolve, 2))
      }
    })()
  })
}
const request = (line, headers = {}) => Buffer.from(`${line} HTTP/1.1\r\nHost: x\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}Connection: close\r\nContent-Length: 0\r\n\r\n`)
const status = ({ seen }) => Number(/^HTTP\/1\.1 (\d+)/.exec(seen)?.[1])

group('PROXY protocol', () => {
  it('MQTT: version 1 and 2, in pieces, with TLVs; `confab clients` shows the client\'s address', async () => {
    await withServer(behind, async (server) => {
      const token = newToken()
      const peers = async () => (await server.cli('clients')).stdout
      const opened = []
      for (const [id, header] of Object.entries({ one: v1('192.0.2.1'), six: v1('2001:db8::7'), two: v2(192, 0, 2, 2, Buffer.from([4, 0, 3, 1, 2, 3])), local: LOCAL })) {
        const bytes = Buffer.concat([header, connect(id, token)])
        for (const [n, pieces] of [[bytes], [...bytes].map((byte) => Buffer.from([byte]))].entries()) {
          const answer = await exchange(server.mqttPort, pieces, (seen) => seen.length >= 4)
          assert.equal(answer.seen[3], 0, `${id} ${n}`)
          opened.push(answer.socket)
        }
      }
      const shown = await peers()
      for (const address of ['192.0.2.1:4711', '[2001:db8::7]:4711', '192.0.2.2:4711', '127.0.0.1:']) {
        assert.ok(shown.includes(address), `${address} in ${shown}`)
      }
      for (const socket of opened) socket.destroy()
    })
  })

  it('a connection without a valid header is closed and logged, on each listener', async () => {
    await withServer(behind, async (server) => {
      const token = newToken()
      for (const bytes of [connect('a', token), Buffer.from('PROXY TCP4 x y 1 2\r\n'), Buffer.concat([SIGNATURE, Buffer.from([0x31, 0, 0, 0])])]) {
        const answer = await exchange(server.mqttPort, [bytes])
        assert.ok(answer.closed && answer.seen.length === 0)
      }
      const answer = await exchange(server.httpPort, [request('GET /health')])
      assert.ok(answer.closed && answer.seen.length === 0)
      await until(() => /mqtt\.listen: connection from 127\.0\.0\.1 closed: .*PROXY/.test(server.stderr) && /http\.listen: connection from 127\.0\.0\.1 closed: .*PROXY/.test(server.stderr), 'two lines of log')
      assert.equal(status(await exchange(server.httpPort, [v1('192.0.2.1'), request('GET /health')])), 200)
    })
  })

  it('a header that does not come is not waited for', async () => {
    await withServer(behind, async (server) => {
      const answer = await exchange(server.mqttPort, [Buffer.from('PROXY TCP4 ')])
      assert.ok(answer.closed)
      assert.match(server.stderr, /no header came in time/)
    })
  })

  it('only from proxies that are trusted', async () => {
    await withServer({ ...behind, 'mqtt.trusted_proxies': '192.0.2.0/24', 'http.trusted_proxies': '2001:db8::/32' }, async (server) => {
      for (const [port, rest] of [[server.mqttPort, connect('a', newToken())], [server.httpPort, request('GET /health')]]) {
        const answer = await exchange(port, [Buffer.concat([v1('192.0.2.1'), rest])])
        assert.ok(answer.closed && answer.seen.length === 0)
      }
      await until(() => /not from a trusted proxy/.test(server.stderr), 'a line of log')
    })
  })

  it('off, a header is no beginning of MQTT or HTTP', async () => {
    await withServer({ 'tokens.access': 'open' }, async (server) => {
      const mqtt = await exchange(server.mqttPort, [Buffer.concat([v1('192.0.2.1'), connect('a', newToken())])])
      assert.equal(mqtt.seen.length, 0)
      assert.equal(status(await exchange(server.httpPort, [Buffer.concat([v1('192.0.2.1'), request('GET /health')])])), 400)
    })
  })

  it('two clients behind one proxy have limits of their own, IPv6 clients by /64', async () => {
    await withServer({ ...behind, 'limits.connections_per_address': 2, 'http.idle_timeout': 60 }, async (server) => {
      const open = async (port, address, patience = 300) => {
        const socket = net.connect(port, '127.0.0.1')
        socket.on('error', () => {})
        const closed = new Promise((resolve) => socket.on('close', () => resolve(true)))
        socket.write(v1(address))
        if (port === server.httpPort) socket.write('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n')
        const answered = new Promise((resolve) => socket.once('data', (data) => resolve(/ 429 /.test(data))))
        const quiet = new Promise((resolve) => setTimeout(() => resolve(false), scaled(patience)).unref())
        server.clients.push(() => socket.destroy())
        return await Promise.race(port === server.httpPort ? [answered, closed] : [closed, quiet])
      }
      for (const port of [server.mqttPort, server.httpPort]) {
        for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8:0:1::1']) {
          assert.equal(await open(port, address), false, `${address} first`)
          assert.equal(await open(port, address.replace(/1$/, '1')), false, `${address} second`)
        }
        assert.equal(await open(port, '192.0.2.1', 8000), true)
        assert.equal(await open(port, '2001:db8::9', 8000), true, 'the same /64')
        assert.equal(await open(port, '192.0.2.3'), false)
      }
    })
  })
})

group('Forwarded and X-Forwarded-For', () => {
  const create = async (server, headers) => status(await exchange(server.httpPort, [request('POST /tokens', headers)]))

  it('from a trusted proxy, clients create tokens each by their own limit', async () => {
    await withServer({ 'tokens.access': 'registered', 'http.trusted_proxies': `${PROXIES}, 10.0.0.0/8`, 'tokens.create_per_hour': 1 }, async (server) => {
      assert.equal(await create(server, { 'X-Forwarded-For': '192.0.2.1' }), 201)
      assert.equal(await create(server, { 'X-Forwarded-For': '192.0.2.1' }), 429)
      assert.equal(await create(server, { 'X-Forwarded-For': '1.1.1.1, 192.0.2.1, 10.0.0.1' }), 429, 'what is left of the client is its own')
      assert.equal(await create(server, { Forwarded: 'for=192.0.2.1' }), 429)
      assert.equal(await create(server, { Forwarded: 'for=192.0.2.2;proto=https' }), 201)
      assert.equal(await create(server, { 'X-Forwarded-For': '2001:db8::1' }), 201)
      assert.equal(await create(server, { 'X-Forwarded-For': '2001:db8::2' }), 429, 'the same /64')
      assert.equal(await create(server, { 'X-Forwarded-For': 'unknown' }), 201, 'the proxy\'s own')
      assert.equal(await create(server, { 'X-Forwarded-For': 'nonsense' }), 429, 'likewise')
      assert.equal(await create(server, { 'X-Forwarded-For': '192.0.2.8', Forwarded: 'for=192.0.2.9' }), 429, 'likewise')
    })
  })

  it('from anybody else they say nothing', async () => {
    await withServer({ 'tokens.access': 'registered', 'http.trusted_proxies': '10.0.0.0/8', 'tokens.create_per_hour': 1 }, async (server) => {
      assert.equal(await create(server, { 'X-Forwarded-For': '192.0.2.1' }), 201)
      assert.equal(await create(server, { 'X-Forwarded-For': '192.0.2.2' }), 429)
      assert.equal(await create(server, { Forwarded: 'for=192.0.2.3' }), 429)
    })
  })

  it('a trusted proxy keeps as many connections as it likes', async () => {
    await withServer({ 'http.trusted_proxies': PROXIES, 'limits.connections_per_address': 2 }, async (server) => {
      const all = await Promise.all(Array.from({ length: 8 }, () => server.get('/health')))
      assert.ok(all.every(({ status }) => status === 200))
    })
  })
})
