'use strict'
// Engine.IO 4 and Socket.IO 5 at the rooms door of the real server: sessions that poll,
// upgrade and end, in several streamers. test/socketio/official --door runs the official
// suite against the same.
const assert = require('node:assert/strict')
const { before, it } = require('node:test')
const net = require('node:net')
const { request } = require('./harness/http')
const { metric, parseMetrics } = require('./harness/metrics')
const { suite } = require('./harness/server')
const { EchoServer, SEPARATOR } = require('./harness/socketio')
const { PATIENCE, scaled, sleep, until, within } = require('./harness/waits')

const ON = { 'door:rooms.enabled': 'yes' }
const KEYS = ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades']

// Clients in packets, as for the test server.
class Door extends EchoServer {
  constructor (server) {
    super()
    this.server = server
    // The door's tenant is made once the server runs: until then it answers 503.
    before(() => until(async () => (await this.request('GET', 'EIO=4&transport=polling')).status === 200, 'the tenant of the door'))
  }

  get port () {
    return this.server.httpPort
  }

  set port (port) {}

  get url () {
    return `http://127.0.0.1:${this.port}`
  }

  set url (url) {}
}

const refused = (answer, code, message) => {
  assert.equal(answer.status, 400)
  assert.equal(answer.headers['content-type'], 'application/json')
  assert.equal(answer.headers['access-control-allow-origin'], '*')
  assert.deepEqual(JSON.parse(answer.text), { code, message })
}
const once = (emitter, event) => within(new Promise((resolve) => emitter.once(event, resolve)), event, PATIENCE)

for (const streamers of ['1', '4']) {
  suite(`/socket.io/ with ${streamers} streamers`, { set: { ...ON, 'http.streamers': streamers } }, (server) => {
    const door = new Door(server)

    it('refuses as Engine.IO does', async () => {
      refused(await door.request('GET', 'transport=polling'), 5, 'Unsupported protocol version')
      refused(await door.request('GET', 'EIO=4&transport=abc'), 0, 'Transport unknown')
      refused(await door.request('POST', 'EIO=4&transport=polling'), 2, 'Bad handshake method')
      refused(await door.request('PUT', 'EIO=4&transport=polling'), 2, 'Bad handshake method')
      refused(await door.request('GET', 'EIO=4&transport=websocket'), 3, 'Bad request')
      for (const method of ['GET', 'POST']) {
        refused(await door.request(method, 'EIO=4&transport=polling&sid=unknown'), 1, 'Session ID unknown')
        refused(await door.request(method, `EIO=4&transport=polling&sid=${'x'.repeat(3000)}`), 1, 'Session ID unknown')
      }
      assert.equal((await server.get('/socket.io')).status, 404)
    })

    it('answers preflights', async () => {
      const answer = await door.request('OPTIONS', 'EIO=4&transport=polling', { headers: { Origin: 'https://a.example', 'Access-Control-Request-Method': 'POST' } })
      assert.equal(answer.status, 204)
      assert.equal(answer.headers['access-control-allow-origin'], '*')
    })

    it('polls, posts and upgrades, each session where it is', async () => {
      const sessions = await Promise.all(Array.from({ length: 12 }, async () => {
        const { status, headers, text } = await door.request('GET', 'EIO=4&transport=polling')
        assert.equal(status, 200)
        assert.equal(headers['content-type'], 'text/plain; charset=UTF-8')
        assert.equal(headers['cache-control'], 'no-store')
        assert.equal(headers['access-control-allow-origin'], '*')
        const open = JSON.parse(text.slice(1))
        assert.deepEqual(Object.keys(open).sort(), KEYS)
        assert.deepEqual({ ...open, sid: 0 }, { sid: 0, upgrades: ['websocket'], pingInterval: 25000, pingTimeout: 20000, maxPayload: 100000 })
        return open.sid
      }))
      assert.equal(new Set(sessions).size, 12)
      await Promise.all(sessions.map(async (sid) => {
        const held = door.poll(sid)
        const posted = await door.post(sid, '40')
        assert.deepEqual([posted.status, posted.text], [200, 'ok'])
        assert.match((await held).text, /^40{"sid":"[\w-]{24}"}$/)
        const waits = door.poll(sid)
        const socket = await door.probe(sid)
        assert.equal((await waits).text, '6')
        assert.equal((await door.post(sid, '40/by-post,')).text, 'ok')
        socket.send('5')
        socket.send('40/by-socket,')
        await socket.expect('44/by-post,{"message":"Invalid namespace"}')
        await socket.expect('44/by-socket,{"message":"Invalid namespace"}')
        refused(await door.poll(sid), 3, 'Bad request')
        refused(await door.post(sid, '3'), 3, 'Bad request')
        await door.socket(`EIO=4&transport=websocket&sid=${sid}`).end()
        socket.send('1')
        assert.equal(await socket.end(), 1000)
      }))
    })

    it('ends a session for two polls at once, and one whose poll was closed', async () => {
      const twice = await door.open()
      const both = await Promise.all([door.poll(twice), door.poll(twice)])
      assert.deepEqual(both.map(({ status }) => status).sort(), [200, 400])
      assert.equal(both.find(({ status }) => status === 200).text, '1')
      refused(await door.poll(twice), 1, 'Session ID unknown')
      // A poll that is cancelled before it came cancels nothing: then another session's does.
      // Nothing else may end the session meanwhile, least of all a second poll.
      await until(async () => {
        const half = await door.open()
        await assert.rejects(door.poll(half, { signal: AbortSignal.timeout(scaled(200)) }))
        for (let n = 0; n < 20; n++) {
          if ((await door.post(half, '40/none,')).status === 400) return true
          await sleep(20)
        }
        return false
      }, 'the end of a session whose poll was closed')
    })

    it('polls on when an upgrade fails', async () => {
      const sid = await door.open()
      const early = door.socket(`EIO=4&transport=websocket&sid=${sid}`)
      await early.opened
      early.send('4early')
      assert.equal(await early.end(), 1008)
      const lost = await door.probe(sid)
      lost.client.terminate()
      assert.equal((await door.post(sid, '40')).text, 'ok')
      await until(async () => /^40{/.test((await door.poll(sid)).text), 'the answer to CONNECT')
      const again = await door.probe(sid)
      again.send('5')
      again.send('40/none,')
      await again.expect('44/none,{"message":"Invalid namespace"}')
    })

    it('ends what breaks the protocol, and what is too large', async () => {
      for (const packet of ['abc', '', '2', '0{}', '4abc', '42["first"]', '40[]', Buffer.from([1, 2])]) {
        const socket = await door.openSocket()
        socket.send(packet)
        assert.equal(await socket.end(), 1008, String(packet))
      }
      for (const packet of ['42{}', '42[]', '42abc["x",1]', '42["disconnect"]', '4511-["x"]', '47']) {
        const socket = await door.openSocket()
        socket.send('40')
        await socket.packets.next()
        socket.send(packet)
        assert.equal(await socket.end(), 1008, packet)
      }
      const large = await door.openSocket()
      large.send('4' + 'x'.repeat(100000))
      assert.equal(await large.end(), 1009)
      const sid = await door.open()
      assert.equal((await door.post(sid, '4' + 'x'.repeat(100000))).status, 413)
      refused(await door.poll(sid), 1, 'Session ID unknown')
      const bad = await door.open()
      refused(await door.post(bad, ['40', 'abc'].join(SEPARATOR)), 3, 'Bad request')
      refused(await door.poll(bad), 1, 'Session ID unknown')
    })

    it('tolerates binary, and answers events that it does not have', async () => {
      const socket = await door.openSocket()
      socket.send('40')
      await socket.packets.next()
      socket.send('42["zzz"]')
      socket.send('451-["zzz",{"_placeholder":true,"num":0}]')
      socket.send(Buffer.from([1, 2]))
      socket.send('427["zzz",null]')
      await socket.expect('437[{"error":"No such event"}]')
    })

    for (const name of ['socket.io-client', 'socket.io-client-4.0']) {
      const { io } = require(name)
      const { version } = require(`${name}/package.json`)
      for (const transports of [undefined, ['websocket'], ['polling']]) {
        it(`socket.io-client ${version} connects by ${transports ?? 'default transports'}`, async () => {
          const socket = io(door.url, { forceNew: true, reconnection: false, ...(transports && { transports }) })
          try {
            await once(socket, 'connect')
            const { engine } = socket.io
            if (transports === undefined && engine.transport.name === 'polling') await once(engine, 'upgrade')
            assert.equal(engine.transport.name, transports?.[0] ?? 'websocket')
            const none = io(`${door.url}/none`, { forceNew: true, reconnection: false, ...(transports && { transports }) })
            assert.equal((await once(none, 'connect_error')).message, 'Invalid namespace')
            none.close()
          } finally {
            socket.close()
          }
        })
      }
    }
  })
}

suite('/socket.io/ in a hurry', { set: { ...ON, 'metrics.listen': '127.0.0.1:0', 'http.streamers': '4', 'door:rooms.ping_interval': '300', 'door:rooms.ping_timeout': String(scaled(1500)), 'door:rooms.connect_timeout': '1000' } }, (server) => {
  const door = new Door(server)
  const streams = async () => metric(parseMetrics((await request(server.metricsUrl, '/metrics')).text), 'confab_streams', { format: 'socket_io_rooms' })

  it('pings, and keeps who answers', async () => {
    const sid = await door.open()
    assert.equal((await door.post(sid, '40')).status, 200) // else it has a second
    for (let pings = 0; pings < 4;) {
      const { status, text } = await door.poll(sid)
      assert.equal(status, 200)
      const now = text.split(SEPARATOR).filter((packet) => packet === '2').length
      if (now > 0) assert.equal((await door.post(sid, '3')).status, 200)
      pings += now
    }
    await until(async () => (await door.poll(sid)).status === 400, 'the end of the session that is silent now')
  })

  it('ends who never answers or never connects', async () => {
    const silent = await Promise.all(Array.from({ length: 100 }, () => door.openSocket()))
    for (const socket of silent.slice(50)) socket.send('40')
    const codes = await Promise.all(silent.map((socket) => socket.end()))
    assert.deepEqual([...new Set(codes)], [1008])
  })

  it('keeps nothing of half-open polls and of handshakes without a client', async () => {
    const begun = Array.from({ length: 50 }, () => new Promise((resolve) => {
      const client = net.connect(server.httpPort, '127.0.0.1', () => client.write('GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n'))
      client.on('error', () => {}).once('data', () => resolve(client))
    }))
    const clients = await Promise.all(begun)
    await until(async () => (await streams()) === 0, 'the end of all sessions')
    for (const client of clients) client.destroy()
  })
})

suite('/socket.io/ when the server stops', { set: { ...ON, 'http.streamers': '4' } }, (server) => {
  const door = new Door(server)

  it('says goodbye to all', async () => {
    const sockets = await Promise.all(Array.from({ length: 8 }, () => door.openSocket()))
    const sid = await door.open()
    const held = door.poll(sid).catch(() => ({ status: 0 })) // too late to be held
    await server.stop()
    assert.deepEqual([...new Set(await Promise.all(sockets.map((socket) => socket.end())))], [1001])
    const { status, text } = await held
    if (status === 200) assert.equal(text, '1')
  })
})
