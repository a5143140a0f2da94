'use strict'
// MQTT over WebSocket at /mqtt: MQTT.js in Node and in Chromium, and frames made
// by hand.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { before, after, it } = require('node:test')
const { WebSocket } = require('ws')
const { chromium } = require('playwright-core')
const { Server, suite, group, newToken, until, PATIENCE } = require('./harness/server')
const { Device } = require('./harness/mqtt')
const { within } = require('./harness/waits')
const { Frames, frame, request, HANDSHAKE, CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = require('./harness/frames')
const wire = require('./harness/wire')

const MIB = 1024 * 1024
const NORMAL = 1000
const PROTOCOL_ERROR = 1002
const UNSUPPORTED_DATA = 1003
const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium'
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync']

const url = (server) => `ws://127.0.0.1:${server.httpPort}/mqtt`

async function device (server, options) {
  const made = await Device.connect(url(server), options)
  server.clients.push(() => made.client.end(true))
  return made
}

async function frames (server, headers) {
  const made = await Frames.open(server.httpPort, headers)
  server.clients.push(() => made.destroy())
  return made
}

// MQTT packets in frames by hand, CONNACK heard.
async function connected (server, options = {}) {
  const made = await frames(server)
  made.send(frame(BINARY, wire.connect({ token: newToken(), ...options })))
  const connack = await made.expect(BINARY)
  assert.equal(connack[0], 0x20)
  assert.equal(connack[3], 0, 'CONNACK')
  return made
}

async function works (server) {
  const token = newToken()
  const one = await device(server, { token })
  await one.subscribe(`${token}/#`)
  await one.publish(`${token}/x`, 'hello')
  assert.equal((await one.message()).text, 'hello')
  await one.end()
}

suite('MQTT over WebSocket', { set: { 'mqtt.workers': 3, 'log.level': 'debug' } }, (server) => {
  for (const [name, options] of Object.entries({
    5: { v: 5 },
    '3.1.1': { v: 4 },
    '3.1 as subprotocol mqttv3.1': { v: 3, protocolId: 'MQIsdp', wsOptions: { protocol: 'mqttv3.1' } }
  })) {
    it(`publishes and subscribes with MQTT ${name}`, async () => {
      const token = newToken()
      const one = await device(server, { token, clientId: `c${name.length}`, ...options })
      await one.subscribe(`${token}/#`)
      assert.equal((await one.publish(`${token}/x`, 'hello')).code, 0)
      assert.equal((await one.message()).text, 'hello')
      await one.end()
    })
  }

  it('reaches the same topics as TCP and HTTP do', async () => {
    const token = newToken()
    const [web, tcp] = [await device(server, { token }), await server.device({ token })]
    await web.subscribe(`${token}/#`)
    await tcp.subscribe(`${token}/#`)
    await web.publish(`${token}/x`, '{"from":"web"}')
    assert.equal((await tcp.message()).text, '{"from":"web"}')
    assert.equal((await web.message()).text, '{"from":"web"}')
    await server.say(token, 'x', { from: 'http' })
    assert.equal((await web.message()).text, '{"from":"http"}')
    assert.deepEqual(await server.latest(token, 'x').then(({ chat }) => chat), { from: 'http' })
  })

  it('large and many messages pass whole, in both directions', async () => {
    const token = newToken()
    const one = await device(server, { token })
    await one.subscribe(`${token}/#`)
    const payload = Buffer.alloc(MIB, 0).map((_, i) => i * 7 + (i >> 8))
    await one.publish(`${token}/big`, payload)
    assert.ok((await one.message()).payload.equals(payload))
    await Promise.all(Array.from({ length: 2000 }, (_, i) => one.publish(`${token}/n`, String(i))))
    for (let i = 0; i < 2000; i++) assert.equal((await one.message()).text, String(i))
  })

  it('a slow reader gets everything, in order, and its pings answered', async () => {
    const token = newToken()
    const slow = await connected(server, { token, keepAlive: 0 })
    slow.send(frame(BINARY, wire.subscribe({ filter: `${token}/#` })))
    assert.equal((await slow.expect(BINARY))[0], 0x90)
    slow.socket.pause()
    const sender = await server.device({ token })
    const [count, size] = [400, 40000]
    await Promise.all(Array.from({ length: count }, (_, i) => sender.publish(`${token}/x`, String(i).padEnd(size, '.'))))
    slow.send(frame(PING, 'meanwhile'))
    slow.socket.resume()
    let stream = Buffer.alloc(0)
    let ponged = false
    const packet = wire.publish({ topic: `${token}/x`, payload: Buffer.alloc(size) }).length
    while (stream.length < count * packet || !ponged) {
      const { opcode, payload } = await slow.frames.next()
      if (opcode === PONG) ponged = payload.toString() === 'meanwhile'
      else stream = Buffer.concat([stream, payload])
    }
    assert.equal(stream.length, count * packet)
    for (let i = 0; i < count; i++) {
      assert.equal(parseInt(stream.subarray((i + 1) * packet - size, (i + 1) * packet).toString(), 10), i)
    }
    slow.destroy()
  })

  it('the answer to the handshake is that of RFC 6455', async () => {
    const one = await frames(server, { 'Sec-WebSocket-Protocol': 'chat, mqttv3.1, mqtt', Origin: 'http://localhost:3000' })
    assert.equal(one.status, 101)
    assert.match(one.head, /^upgrade: websocket\r$/im)
    assert.match(one.head, /^connection: upgrade\r$/im)
    assert.match(one.head, /^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/im)
    assert.match(one.head, /^sec-websocket-protocol: mqtt\r$/im)
    assert.match(one.head, /^access-control-allow-origin: \*\r?$/im)
    assert.doesNotMatch(one.head, /^x-ratelimit-remaining/im) // no token is known yet
    one.destroy()
  })

  const refusals = {
    'no upgrade': [426, { Upgrade: undefined, Connection: undefined }],
    'an upgrade to something else': [426, { Upgrade: 'h2c' }],
    'no Connection: Upgrade': [426, { Connection: 'keep-alive' }],
    'no version': [426, { 'Sec-WebSocket-Version': undefined }],
    'version 8': [426, { 'Sec-WebSocket-Version': '8' }],
    'no key': [400, { 'Sec-WebSocket-Key': undefined }],
    'a short key': [400, { 'Sec-WebSocket-Key': 'c2hvcnQ=' }],
    'no subprotocol': [400, { 'Sec-WebSocket-Protocol': undefined }],
    'another subprotocol': [400, { 'Sec-WebSocket-Protocol': 'chat, MQTT' }]
  }
  for (const [what, [status, headers]] of Object.entries(refusals)) {
    it(`a handshake with ${what} gets ${status} and a reason`, async () => {
      const answer = await server.rawExchange(request({ ...HANDSHAKE, ...headers }))
      assert.equal(answer.status, status)
      assert.match(answer.text, /\r\n\r\n\{"error":"[^"]+"\}\n$/)
      if (status === 426) {
        assert.match(answer.text, /^upgrade: websocket\r$/im)
        assert.match(answer.text, /^sec-websocket-version: 13\r$/im)
      }
    })
  }

  it('other methods and paths are no handshake', async () => {
    assert.equal((await server.rawExchange(request(HANDSHAKE, '/mqtt', 'POST'))).status, 405)
    assert.equal((await server.rawExchange(request(HANDSHAKE, '/mqtt/x'))).status, 404)
  })

  it('packets and frames have nothing to do with each other [MQTT-6.0.0-2]', async () => {
    const token = newToken()
    const one = await frames(server)
    const connect = wire.connect({ token })
    one.send(frame(BINARY, connect.subarray(0, 1), { fin: false }), frame(PING, 'between'),
      frame(CONTINUATION, connect.subarray(1, 7), { fin: false }), frame(CONTINUATION, '', { fin: false }),
      frame(PONG, 'nobody asked'), frame(CONTINUATION, connect.subarray(7)))
    assert.equal((await one.expect(PONG)).toString(), 'between')
    assert.equal((await one.expect(BINARY))[0], 0x20)
    const many = Buffer.concat([wire.subscribe({ filter: `${token}/x` }), wire.publish({ topic: `${token}/x`, payload: 'a' }),
      wire.publish({ topic: `${token}/x`, payload: 'b', qos: 1 })])
    for (const byte of many) one.send(frame(BINARY, Buffer.from([byte])))
    one.send(frame(BINARY, Buffer.concat([wire.PINGREQ, wire.PINGREQ])))
    const types = []
    let rest = Buffer.alloc(0)
    while (types.length < 6) {
      rest = Buffer.concat([rest, await one.expect(BINARY)])
      while (rest.length > 1 && rest.length >= 2 + rest[1]) {
        types.push(rest[0] >> 4)
        rest = rest.subarray(2 + rest[1])
      }
    }
    assert.deepEqual(types.sort((a, b) => a - b), [3, 3, 4, 9, 13, 13])
    one.destroy()
  })

  it('a whole conversation may come byte by byte', async () => {
    const one = await frames(server)
    const all = Buffer.concat([frame(BINARY, wire.connect({ token: newToken() })), frame(PING, 'p')])
    one.socket.setNoDelay(true)
    for (const byte of all) one.socket.write(Buffer.from([byte]))
    const answers = [await one.frames.next(), await one.frames.next()] // in any order
    assert.equal(answers.find(({ opcode }) => opcode === BINARY).payload[0], 0x20)
    assert.equal(answers.find(({ opcode }) => opcode === PONG).payload.toString(), 'p')
    one.destroy()
  })

  it('a text frame closes with 1003 [MQTT-6.0.0-1]', async () => {
    for (const one of [await frames(server), await connected(server)]) {
      one.send(frame(TEXT, wire.PINGREQ))
      assert.equal(await one.closeCode(), UNSUPPORTED_DATA)
    }
  })

  const broken = {
    'an unmasked frame': frame(BINARY, wire.PINGREQ, { masked: false }),
    'a reserved bit': frame(BINARY, wire.PINGREQ, { rsv: 4 }),
    'an unknown opcode': frame(5, 'x'),
    'a continuation of nothing': frame(CONTINUATION, 'x'),
    'a fragmented ping': frame(PING, 'x', { fin: false }),
    'a ping of 126 bytes': frame(PING, 'x'.repeat(126))
  }
  for (const [what, bytes] of Object.entries(broken)) {
    it(`${what} closes with 1002`, async () => {
      for (const one of [await frames(server), await connected(server)]) {
        one.send(bytes)
        assert.equal(await one.closeCode(), PROTOCOL_ERROR)
      }
    })
  }

  it('the log says why, and names the client', async () => {
    await until(() => /broker: 127\.0\.0\.1:\d+ \S+ closed: TLS or WebSocket error: frame is not masked/.test(server.stderr), 'a line in the log')
  })

  it('bytes that are no frames are closed', async () => {
    const one = await frames(server)
    one.send(wire.connect({ token: newToken() }))
    assert.equal(await one.closeCode(), PROTOCOL_ERROR)
    const two = await frames(server)
    two.send(frame(BINARY, 'no MQTT at all'))
    assert.equal(await two.closeCode(), NORMAL)
  })

  it('a length that is only announced costs no memory', async () => {
    const before = server.privateMemory()
    const many = await Promise.all(Array.from({ length: 50 }, () => connected(server, { keepAlive: 0 })))
    for (const one of many) one.send(frame(BINARY, wire.PINGREQ, { length: 2 ** 40 }))
    for (const one of many) assert.equal((await one.expect(BINARY))[0], 0xd0)
    assert.ok(server.privateMemory() - before < 16 * MIB)
    for (const one of many) one.destroy()
  })

  it('pings are answered, before CONNECT, after it, and by thousands', async () => {
    const one = await frames(server)
    one.send(frame(PING, ''))
    assert.equal((await one.expect(PONG)).length, 0)
    one.send(frame(BINARY, wire.connect({ token: newToken() })))
    assert.equal((await one.expect(BINARY))[0], 0x20)
    one.send(...Array.from({ length: 5000 }, (_, i) => frame(PING, String(i))))
    for (;;) if ((await one.expect(PONG)).toString() === '4999') break
    one.send(frame(BINARY, wire.PINGREQ))
    assert.equal((await one.expect(BINARY))[0], 0xd0)
    one.destroy()
  })

  it('a close frame is answered, and the will published', async () => {
    const token = newToken()
    const watcher = await server.subscriber(token, 'will')
    const one = await connected(server, { token, will: { topic: `${token}/will`, payload: 'gone' } })
    one.send(frame(CLOSE, Buffer.from([0x03, 0xe8])))
    assert.equal(await one.closeCode(), NORMAL)
    assert.equal((await watcher.message()).text, 'gone')
    const two = await connected(server, { token, will: { topic: `${token}/will`, payload: 'not this' } })
    two.send(frame(BINARY, wire.DISCONNECT))
    assert.equal(await two.closeCode(), NORMAL)
    await server.say(token, 'will', '{"next":1}')
    assert.equal((await watcher.message()).text, '{"next":1}')
  })

  it('who is taken over is told so, in both languages', async () => {
    const token = newToken()
    const one = await connected(server, { token, clientId: 'same' })
    await device(server, { token, clientId: 'same' })
    const goodbye = await one.expect(BINARY)
    assert.deepEqual([goodbye[0], goodbye[2]], [0xe0, 0x8e])
    assert.equal(await one.closeCode(), NORMAL)
  })

  it('`ws` survives pings and hears a proper end', async () => {
    const socket = new WebSocket(url(server), 'mqtt')
    const next = (event) => within(new Promise((resolve, reject) => {
      socket.once(event, (...args) => resolve(args))
      socket.once('error', reject)
    }), event)
    await next('open')
    socket.send(wire.connect({ token: newToken() }))
    assert.equal((await next('message'))[0][0], 0x20)
    for (let i = 0; i < 5; i++) {
      socket.ping(`n${i}`)
      assert.equal(String((await next('pong'))[0]), `n${i}`)
    }
    socket.send(wire.PINGREQ)
    assert.equal((await next('message'))[0][0], 0xd0)
    socket.close()
    assert.equal((await next('close'))[0], NORMAL)
  })

  it('no client over WebSocket is an administrator, or nameless: any page may try', async () => {
    for (const [v, code] of [[5, 0x87], [4, 5]]) {
      await assert.rejects(device(server, { v }), { code })
    }
    // not that it had to be made here: in open mode it need not
    await until(() => /no user name: over WebSocket it must always be a token/.test(server.stderr), 'what to do, in the log')
    const one = await device(server, { token: newToken() })
    assert.equal((await one.publish('$confab/ping', Buffer.from([0x80]))).code, 0x87)
    await one.end()
  })

  it('hundreds of connections opened and dropped leave nothing', async () => {
    await works(server)
    const count = () => fs.readdirSync(`/proc/${server.child.pid}/fd`).length
    for (const end of server.clients.splice(0)) end()
    await until(async () => JSON.parse((await server.cli('status')).stdout).connections.now <= 2, 'nobody there')
    const before = count()
    for (let round = 0; round < 15; round++) {
      await Promise.all(Array.from({ length: 20 }, async (_, i) => {
        const one = i % 4 ? await Frames.open(server.httpPort) : await connected(server)
        if (i % 2) one.send(frame(BINARY, wire.connect({ token: newToken() })).subarray(0, i))
        if (i % 3) one.destroy()
        else one.socket.resetAndDestroy()
      }))
    }
    server.clients.splice(0)
    await until(() => count() <= before, 'as many descriptors as before')
    await until(async () => JSON.parse((await server.cli('status')).stdout).connections.now <= 2, 'nobody there')
    await works(server)
  })

  it('at a shutdown clients are told', async () => {
    const one = await connected(server)
    const told = (async () => {
      const goodbye = await one.expect(BINARY)
      assert.deepEqual([goodbye[0], goodbye[2]], [0xe0, 0x8b])
      return await one.closeCode()
    })()
    await server.stop()
    assert.equal(await told, NORMAL)
    await server.restart()
  })
})

group('MQTT over WebSocket and the rest of the server', () => {
  const servers = []
  after(async () => { for (const server of servers) await server.close() })

  async function serve (options) {
    const server = new Server(options)
    servers.push(server)
    return await server.start()
  }

  it('limits.connections counts these, too', async () => {
    const server = await serve({ set: { 'limits.connections': 4 } })
    const four = [] // the link needs no place
    for (let i = 0; i < 4; i++) four.push(await connected(server))
    const more = await Frames.open(server.httpPort).catch(() => null)
    if (more) await within(more.closed, 'closing')
    four[0].destroy()
    await until(() => works(server).then(() => true, () => false), 'room for another')
  })

  it('without a user name nobody comes in where tokens are registered', async () => {
    const server = await serve({ set: { 'tokens.access': 'registered' } })
    for (const [options, code] of [[{}, 0x87], [{ token: newToken() }, 0x86]]) {
      await assert.rejects(device(server, options), { code })
    }
    const token = await server.freeToken()
    const one = await device(server, { token })
    await one.publish(`${token}/x`, 'in')
  })

  it('a bridge without its broker answers 503, and works when that is back', async () => {
    const broker = await serve({ command: 'broker' })
    const bridge = await serve({ command: 'bridge', data: broker.data })
    await works(bridge)
    await broker.stop()
    const answer = await bridge.rawExchange(request(HANDSHAKE))
    assert.equal(answer.status, 503)
    assert.match(answer.text, /^retry-after: 1\r$/im)
    await broker.restart()
    await works(bridge)
  })

  it('the socket for hand-overs is nobody else\'s', async () => {
    const server = await serve({})
    const file = path.join(server.data, 'clients.sock')
    assert.equal(fs.statSync(file).mode & 0o777, 0o660)
    await server.stop()
    assert.ok(!fs.existsSync(file))
  })
})

suite('MQTT.js in a browser', {}, (server) => {
  let browser
  let elsewhere // another port is another origin
  const script = fs.readFileSync(path.join(__dirname, 'node_modules/mqtt/dist/mqtt.min.js'))

  before(async () => {
    assert.ok(fs.existsSync(CHROMIUM), `${CHROMIUM} is missing: install it or set CHROMIUM`)
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGS })
    elsewhere = http.createServer((request, response) => {
      if (request.url === '/mqtt.js') return response.setHeader('Content-Type', 'text/javascript').end(script)
      response.setHeader('Content-Type', 'text/html')
      response.end('<title>elsewhere</title><script src="/mqtt.js"></script>')
    })
    await new Promise((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
  })
  after(async () => {
    await browser?.close()
    elsewhere?.close()
  })

  it('connects, subscribes, publishes with QoS 1, receives, and stays', async () => {
    const page = await browser.newPage()
    page.setDefaultTimeout(PATIENCE)
    await page.goto(`http://127.0.0.1:${elsewhere.address().port}/`)
    const token = newToken()
    const seen = await page.evaluate(async ({ url, token }) => {
      /* global mqtt */
      const client = await mqtt.connectAsync(url, { protocolVersion: 5, username: token, keepalive: 1, reconnectPeriod: 0 })
      const pings = []
      client.on('packetreceive', ({ cmd }) => { if (cmd === 'pingresp') pings.push(cmd) })
      await client.subscribeAsync(`${token}/#`, { qos: 1 })
      const message = new Promise((resolve) => client.once('message', (topic, payload) => resolve([topic, payload.toString()])))
      const puback = await client.publishAsync(`${token}/page`, '{"from":"page"}', { qos: 1 })
      const got = await message
      await new Promise((resolve) => {
        client.on('packetreceive', () => { if (pings.length >= 2) resolve() })
      })
      const still = client.connected
      await client.endAsync()
      return { got, cmd: puback.cmd, still }
    }, { url: url(server), token })
    assert.deepEqual(seen, { got: [`${token}/page`, '{"from":"page"}'], cmd: 'publish', still: true })
    assert.deepEqual((await server.latest(token, 'page')).chat, { from: 'page' })
    await page.close()
  })

  it('a close from the page is a clean one', async () => {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${elsewhere.address().port}/`)
    const end = await page.evaluate(async (url) => {
      const socket = new WebSocket(url, 'mqtt')
      await new Promise((resolve) => { socket.onopen = resolve })
      socket.close(1000)
      return await new Promise((resolve) => { socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean }) })
    }, url(server))
    assert.deepEqual(end, { code: NORMAL, wasClean: true })
    await page.close()
  })
})
