'use strict'
// GET /{token}/ws: a token's messages, both ways, as JSON over a WebSocket.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const http = require('node:http')
const { before, after, it } = require('node:test')
const zlib = require('node:zlib')
const { WebSocket } = require('ws')
const { chromium } = require('playwright-core')
const { Server, suite, group, newToken, chat, until, PATIENCE } = require('./harness/server')
const { within, scaled, FACTOR } = require('./harness/waits')
const { Socket, socketUrl } = require('./harness/socket')
const { Frames, frame, CONTINUATION, TEXT, CLOSE, PING, PONG } = require('./harness/frames')

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium'
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync']

const numbers = (messages) => messages.map((message) => message.chat.n)
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

async function frames (server, token, headers) {
  const made = await Frames.open(server.httpPort, { 'Sec-WebSocket-Protocol': undefined, ...headers }, `/${token}/ws`)
  server.clients.push(() => made.destroy())
  assert.equal(made.status, 101, made.head)
  await made.expect(TEXT) // status
  return made
}

for (const deflate of [false, true]) {
  suite(`GET /{token}/ws ${deflate ? 'with' : 'without'} permessage-deflate`, { set: { 'http.streamers': deflate ? 3 : 1 } }, (server) => {
    const open = (token) => Socket.open(server, token, { deflate })

    it('follows filters, and shows a message as SSE does', async () => {
      const token = newToken()
      const socket = await open(token)
      assert.equal(socket.client.extensions, deflate ? 'permessage-deflate' : '')
      assert.equal(socket.connected.type, 'connected')
      const listener = await server.listening(`/${token}/listen?things=a/%23`)
      await socket.follow('a/#')
      const device = await server.device({ token })
      await server.say(token, 'a/b', { n: 1, text: 'x'.repeat(1000) })
      await server.say(token, 'elsewhere', { n: 2 })
      await device.publish(`${token}/a/c`, 'no JSON', { qos: 1 })
      await device.publish(`${token}/a/c`, Buffer.from([0xff, 0]), { qos: 1 })
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(await socket.expect('message'), await listener.expect('message'))
      }
    })

    it('replays from last_event_id, then goes on live: no gap, no double', async () => {
      const token = newToken()
      const ids = []
      for (const n of range(0, 20)) ids.push(await server.say(token, `t${n % 3}`, { n }))
      const socket = await open(token)
      assert.deepEqual(await socket.follow('#', ids[4]), { from: ids[4] })
      const live = (async () => {
        for (const n of range(20, 60)) await server.say(token, `t${n % 3}`, { n })
      })()
      assert.deepEqual(numbers(await socket.messages(55)), range(5, 60))
      await live
      // and across a reconnect in the middle of it
      socket.client.terminate()
      const more = (async () => {
        for (const n of range(60, 90)) await server.say(token, `t${n % 3}`, { n })
      })()
      const again = await open(token)
      await again.follow('#', ids[19])
      assert.deepEqual(numbers(await again.messages(70)), range(20, 90))
      await more
    })

    it('tells where it begins, so that who reconnects before a message misses none', async () => {
      const token = newToken()
      const socket = await open(token)
      const { from } = await socket.follow('a')
      socket.client.terminate()
      await server.say(token, 'a', { n: 1 })
      const again = await open(token)
      await again.follow('a', from)
      assert.deepEqual(numbers(await again.messages(1)), [1])
    })

    it('brings no message twice, whatever overlaps', async () => {
      const token = newToken()
      for (const n of range(0, 4)) await server.say(token, n % 2 === 0 ? 'a/x' : 'b', { n })
      const socket = await open(token)
      await socket.follow('a/#', 0)
      assert.deepEqual(numbers(await socket.messages(2)), [0, 2])
      await socket.follow(['a/x', 'a/+', 'b'], 1)
      // a/x and a/+ would bring 2 (0 is before them), which a/# brought
      assert.deepEqual(numbers(await socket.messages(2)), [1, 3])
      await server.say(token, 'a/x', { n: 4 })
      assert.deepEqual(numbers(await socket.messages(1)), [4])
      // the same filter again, with a cursor: asked for, so it comes again
      await socket.ask({ unfollow: ['a/#', 'a/+', 'b'] })
      await socket.follow('a/x', 0)
      assert.deepEqual(numbers(await socket.messages(3)), [0, 2, 4])
    })

    it('changes what it follows while messages come, and loses none of the others', async () => {
      const token = newToken()
      const socket = await open(token)
      await socket.follow('keep')
      const sent = 150
      const live = (async () => {
        for (const n of range(0, sent)) await server.say(token, 'keep', { n })
      })()
      const seen = []
      for (let round = 0; seen.length < sent; round++) {
        socket.send(round % 2 === 0 ? { follow: ['other/#', `x${round % 7}/+`], ref: round } : { unfollow: ['other/#'], ref: round })
        for (;;) {
          const item = await socket.arrivals.next()
          if (item.ack) break
          seen.push(item.chat.n)
        }
        if (seen.length >= sent - 20) break
      }
      while (seen.length < sent) seen.push((await socket.expect('message')).chat.n)
      assert.deepEqual(seen, range(0, sent))
      await live
    })

    it('stops bringing what is unfollowed', async () => {
      const token = newToken()
      const socket = await open(token)
      await socket.follow(['a', 'b'])
      await socket.ask({ unfollow: ['a', 'never followed'] })
      await server.say(token, 'a', { n: 1 })
      await server.say(token, 'b', { n: 2 })
      assert.deepEqual(numbers(await socket.messages(1)), [2])
      await socket.ask({ unfollow: ['b'] })
      await server.say(token, 'b', { n: 3 })
      await socket.follow('c')
      await server.say(token, 'c', { n: 4 })
      assert.deepEqual(numbers(await socket.messages(1)), [4])
    })

    it('publishes: the acknowledgement has id, seq and the ref', async () => {
      const token = newToken()
      const socket = await open(token)
      socket.send({ publish: { thing: 'a/b', payload: { n: 1, text: 'ü'.repeat(500) }, ref: 'r-1' } })
      const { ack } = await socket.expect('ack')
      assert.deepEqual(Object.keys(ack), ['ref', 'id', 'seq', 'createdAt'])
      assert.equal(ack.ref, 'r-1')
      const latest = await server.latest(token, 'a/b')
      assert.deepEqual([latest.id, latest.createdAt, latest.chat.text], [ack.id, ack.createdAt, 'ü'.repeat(500)])
      // several at once, in their order
      socket.send(range(0, 10).map((n) => ({ publish: { thing: 'list', payload: { n }, ref: n } })))
      const acks = []
      while (acks.length < 10) acks.push((await socket.expect('ack')).ack)
      assert.deepEqual(acks.map(({ ref, seq }) => [ref, seq]), range(0, 10).map((n) => [n, n + 1]))
    })

    it('takes an idempotency_key, and retain', async () => {
      const token = newToken()
      const socket = await open(token)
      const publish = { thing: 'a', payload: 1, idempotency_key: 'k', retain: true }
      const first = await socket.ask({ publish })
      assert.deepEqual(await socket.ask({ publish }), first)
      const device = await server.subscriber(token, 'a')
      const message = await device.messages.next()
      assert.deepEqual([message.payload.toString(), message.retain], ['1', true])
    })

    it('says what is wrong with a command, and goes on', async () => {
      const token = newToken()
      const socket = await open(token)
      const wrong = [
        {}, 1, null, { follow: 'a' }, { follow: [] }, { follow: ['a/#/b'] }, { follow: ['$x'] },
        { follow: ['a'], last_event_id: -1 }, { follow: ['a'], last_event_id: 1.5 }, { follow: ['a'], unfollow: ['b'] },
        { unfollow: ['a'], last_event_id: 1 }, { publish: 1 }, { publish: { thing: 'a' } }, { publish: { payload: 1 } },
        { publish: { thing: 'a/+', payload: 1 } }, { publish: { thing: 'a', payload: 1, what: 1 } },
        { publish: { thing: 'a\u0000', payload: 1 } }, { publish: { thing: 'a', payload: 1, retain: 'yes' } },
        { follow: ['a'], more: 1 }, { follow: range(0, 65).map(String) }
      ]
      for (const command of wrong) {
        socket.send(command)
        const { error } = await socket.expect('error')
        assert.equal(error.status, 400, JSON.stringify(command))
        assert.ok(error.reason.length > 10)
      }
      socket.send({ publish: { thing: '', payload: 1, ref: 'mine' } })
      assert.equal((await socket.expect('error')).error.ref, 'mine')
      assert.deepEqual(await server.things(token), [])
      await socket.follow(range(0, 40).map(String))
      socket.send({ follow: range(40, 80).map(String) })
      assert.match((await socket.expect('error')).error.reason, /64/)
      assert.equal((await socket.publish({ thing: '7', payload: 1 })).seq, 1)
    })

    it('a gap for a cursor from the future, and on from now', async () => {
      const token = newToken()
      const late = await open(token)
      late.send({ follow: ['a'], last_event_id: 1e12 })
      const { gap } = await late.expect('gap')
      assert.equal(gap.from, 1e12)
      assert.equal((await late.expect('ack')).ack.from, gap.id)
      await server.say(token, 'a', { n: 2 })
      assert.deepEqual(numbers(await late.messages(1)), [2])
    })

    it('a slow reader reads the log: everything comes, in order', { timeout: scaled(120000) }, async () => {
      const token = newToken()
      const socket = await open(token)
      await socket.follow('big')
      socket.client.pause()
      const text = require('node:crypto').randomBytes(60000).toString('base64') // does not compress
      for (const n of range(0, 120)) await server.say(token, 'big', { n, text })
      socket.client.resume()
      const seen = await socket.messages(120, scaled(30000))
      assert.deepEqual(numbers(seen), range(0, 120))
      assert.ok(seen.every((message) => message.chat.text === text))
    })

    it('two tenants see nothing of each other', async () => {
      const [one, other] = [newToken(), newToken()]
      const [a, b] = [await open(one), await open(other)]
      await a.follow('#')
      await b.follow('#')
      await a.publish({ thing: 't', payload: { n: 1 } })
      await b.publish({ thing: 't', payload: { n: 2 } })
      a.send({ follow: [`../${other}/#`] })
      await server.say(one, 't', { n: 3 })
      await server.say(other, 't', { n: 4 })
      for (const [socket, token, last] of [[a, one, 3], [b, other, 4]]) {
        for (;;) {
          const item = await socket.arrivals.next()
          if (!item.chat) continue
          assert.equal(item.token, token)
          if (item.chat.n === last) break
        }
      }
    })
  })
}

suite('GET /{token}/ws, frames', {}, (server) => {
  it('fragments, control frames amid them, and frames cut anywhere', async () => {
    const socket = await frames(server, newToken())
    const command = JSON.stringify({ publish: { thing: 'a', payload: 'ü', ref: 1 } })
    const bytes = Buffer.from(command)
    socket.send(frame(TEXT, bytes.subarray(0, 35), { fin: false }), frame(PING, 'now'),
      frame(CONTINUATION, bytes.subarray(35, 40), { fin: false }), frame(CONTINUATION, bytes.subarray(40)))
    assert.equal((await socket.expect(PONG)).toString(), 'now')
    assert.equal(JSON.parse((await socket.expect(TEXT)).toString()).ack.ref, 1)
    for (const byte of frame(TEXT, command)) {
      socket.send(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(JSON.parse((await socket.expect(TEXT)).toString()).ack.seq, 2)
  })

  const ends = [
    ['binary', 1003, () => frame(2, 'x')],
    ['not UTF-8', 1007, () => frame(TEXT, Buffer.from([0x22, 0xff, 0x22]))],
    ['not JSON', 1007, () => frame(TEXT, '{"follow":[}')],
    ['empty', 1007, () => frame(TEXT, '')],
    ['unmasked', 1002, () => frame(TEXT, '{}', { masked: false })],
    ['reserved bits', 1002, () => frame(TEXT, '{}', { rsv: 4 })],
    ['unknown opcode', 1002, () => frame(3, '')],
    ['continuation of nothing', 1002, () => frame(CONTINUATION, '{}')],
    ['a message amid another', 1002, () => Buffer.concat([frame(TEXT, '{', { fin: false }), frame(TEXT, '}')])],
    ['fragmented ping', 1002, () => frame(PING, '', { fin: false })],
    ['close with half a code', 1002, () => frame(CLOSE, 'x')],
    ['close with a code that is none', 1002, () => frame(CLOSE, Buffer.from([1005 >> 8, 1005 & 255]))],
    ['too long, as soon as it says so', 1009, () => frame(TEXT, '{', { length: 64 * 1024 * 1024 })],
    ['too long in its parts', 1009, () => Buffer.concat([frame(TEXT, '{', { fin: false }), frame(CONTINUATION, ' '.repeat(1024), { length: 17 * 1024 * 1024 })])]
  ]
  for (const [what, code, bytes] of ends) {
    it(`${what}: ${code}`, async () => {
      const socket = await frames(server, newToken())
      socket.send(bytes())
      assert.equal(await socket.closeCode(), code)
    })
  }

  it('answers a close with its code', async () => {
    const socket = await frames(server, newToken())
    socket.send(frame(CLOSE, Buffer.from([4001 >> 8, 4001 & 255])))
    assert.equal(await socket.closeCode(), 4001)
  })

  it('a message that inflates beyond the limit: 1009; one that is no deflate: 1007', async () => {
    const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }
    const bomb = zlib.deflateRawSync(Buffer.alloc(32 * 1024 * 1024, ' '), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4)
    const large = await frames(server, newToken(), offer)
    assert.match(large.head, /permessage-deflate; server_no_context_takeover; client_no_context_takeover/)
    large.send(frame(TEXT, bomb, { rsv: 4 }))
    assert.equal(await large.closeCode(), 1009)
    const broken = await frames(server, newToken(), offer)
    broken.send(frame(TEXT, Buffer.from([0xff, 0xff, 0xff]), { rsv: 4 }))
    assert.equal(await broken.closeCode(), 1007)
  })

  it('a payload nests 510 levels, 509 in an array of commands; deeper: 1007', async () => {
    const payload = (levels) => '['.repeat(levels) + ']'.repeat(levels)
    const publish = (levels) => `{"publish":{"thing":"deep","payload":${payload(levels)},"ref":${levels}}}`
    for (const [message, levels] of [[publish(510), 510], [`[${publish(509)}]`, 509]]) {
      const socket = await Socket.open(server, newToken())
      socket.client.send(message)
      assert.equal((await socket.expect('ack')).ack.ref, levels)
    }
    for (const message of [publish(511), `[${publish(510)}]`]) {
      const socket = await Socket.open(server, newToken())
      socket.client.send(message)
      assert.equal((await socket.end()).code, 1007)
    }
  })

  it('declines an offer that it cannot share among readers', async () => {
    for (const offer of ['permessage-deflate; server_max_window_bits=10', 'x-other', 'permessage-deflate; what',
      'permessage-deflate; client_max_window_bits=16']) {
      const socket = await frames(server, newToken(), { 'Sec-WebSocket-Extensions': offer })
      assert.doesNotMatch(socket.head, /Extensions/i, offer)
      socket.destroy()
    }
  })

  it('a message is compressed once for all readers: the same bytes', async () => {
    const token = newToken()
    const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
    const readers = []
    for (let i = 0; i < 4; i++) {
      readers.push(await frames(server, token, offer))
      readers[i].send(frame(TEXT, '{"follow":["a"]}'))
      await readers[i].expect(TEXT)
    }
    for (const n of range(0, 3)) {
      await server.say(token, 'a', { n, text: 'again and '.repeat(100) })
      const got = await Promise.all(readers.map((reader) => reader.frames.next()))
      for (const { first, payload } of got) {
        assert.equal(first, 0x80 | 0x40 | TEXT)
        assert.deepEqual(payload, got[0].payload)
      }
      const text = zlib.inflateRawSync(Buffer.concat([got[0].payload, Buffer.from([0, 0, 255, 255])]),
        { finishFlush: zlib.constants.Z_SYNC_FLUSH }).toString()
      assert.equal(JSON.parse(text).chat.n, n)
    }
  })

  it('without a handshake 426, without a token 4xx, and a HEAD is none', async () => {
    const plain = await server.get(`/${newToken()}/ws`)
    assert.equal(plain.status, 426)
    assert.equal(plain.headers['sec-websocket-version'], '13')
    assert.equal((await server.get('/bad.token/ws')).status, 400)
    assert.equal((await server.head(`/${newToken()}/ws`)).status, 426)
    assert.equal((await server.get(`/${newToken()}/ws?x=1`)).status, 400)
    assert.equal((await server.post(`/${newToken()}/ws`, '{}')).status, 405)
  })
})

suite('GET /{token}/ws, limits', {
  set: {
    'plan:free.writes_per_hour': 3,
    'plan:free.reads_per_hour': 20,
    'plan:free.connections': 2,
    'plan:few.retention_count': 2,
    'plan:paid.payload_max': 2000,
    'plan:paid.idle_timeout': 2,
    'plan:paid.keepalive': 1
  }
}, (server) => {
  it('writes, as POST counts them', async () => {
    const token = await server.freeToken()
    const socket = await Socket.open(server, token)
    for (const n of range(0, 3)) await socket.ask({ publish: { thing: 'a', payload: { n } } })
    socket.send({ publish: { thing: 'a', payload: 4, ref: 'x' } })
    const { error } = await socket.expect('error')
    assert.deepEqual([error.ref, error.status], ['x', 429])
    assert.ok(error.retryAfter > 0)
    assert.equal((await server.post(chat(token, 'a'), {})).status, 429)
  })

  it('reads: following costs what listening does', async () => {
    const token = await server.freeToken()
    const socket = await Socket.open(server, token) // 1, then 5 each
    for (const n of range(0, 3)) await socket.follow(`f${n}`)
    socket.send({ follow: ['g'] })
    const { error } = await socket.expect('error')
    assert.equal(error.status, 429)
    assert.ok(error.retryAfter > 0)
  })

  it('reads: the plan that the token has now counts, not that of the handshake', async () => {
    const token = await server.planToken('home')
    const socket = await Socket.open(server, token)
    await socket.follow('unlimited')
    assert.equal((await server.cli('token', 'set', '--plan', 'free', '--', token)).code, 0)
    // The change is on disk when `token set` has returned: 20 reads, 5 each.
    for (const n of range(0, 4)) await socket.follow(`f${n}`)
    socket.send({ follow: ['g'], ref: 1 })
    const { error } = await socket.expect('error')
    assert.deepEqual([error.ref, error.status], [1, 429])
    assert.ok(error.retryAfter > 0)
    assert.equal((await server.get(`/${token}/things`)).status, 429)
    // … and back
    assert.equal((await server.cli('token', 'set', '--plan', 'home', '--', token)).code, 0)
    await socket.follow('g')
  })

  it('the answer to the handshake says what is left, to any page', async () => {
    for (const [token, left] of [[await server.freeToken(), '19'], [newToken(), '2147483647']]) {
      const raw = await frames(server, token)
      assert.match(raw.head, new RegExp(`^x-ratelimit-remaining: ${left}\r?$`, 'mi'))
      assert.match(raw.head, /^access-control-allow-origin: \*\r?$/mi)
      assert.match(raw.head, /^access-control-expose-headers: .*X-RateLimit-Remaining/mi)
    }
  })

  it('connections, counted together with streams', async () => {
    const token = await server.freeToken()
    await Socket.open(server, token)
    await server.listen(token, 'a')
    const refused = new WebSocket(socketUrl(server, token))
    const [, response] = await within(require('node:events').once(refused, 'unexpected-response'), 'refusal')
    assert.equal(response.statusCode, 503)
    assert.ok(response.headers['retry-after'])
    response.resume()
  })

  it('a payload beyond payload_max: 413, and the connection goes on', async () => {
    const token = await server.planToken('paid')
    const socket = await Socket.open(server, token)
    socket.send({ publish: { thing: 'a', payload: 'x'.repeat(2000), ref: 1 } })
    assert.equal((await socket.expect('error')).error.status, 413)
    await socket.ask({ publish: { thing: 'a', payload: 'x'.repeat(1998) } })
    socket.send({ publish: { thing: 'a', payload: 'x'.repeat(30000) } })
    assert.equal((await socket.end()).code, 1009)
  })

  it('a gap for what retention removed: of a thing, of a pattern', async () => {
    const token = await server.planToken('few')
    const ids = []
    for (const n of range(0, 6)) ids.push(await server.say(token, 'a', { n }))
    for (const filter of ['a', '#']) {
      const socket = await Socket.open(server, token)
      await socket.follow(filter, ids[0])
      assert.deepEqual((await socket.expect('gap')).gap, { from: ids[0] + 1, to: ids[3] })
      assert.deepEqual(numbers(await socket.messages(2)), [4, 5])
      await socket.ask({ unfollow: [filter] })
      await socket.follow(filter, ids[0]) // once more from there: told once more
      assert.deepEqual((await socket.expect('gap')).gap, { from: ids[0] + 1, to: ids[3] })
      assert.deepEqual(numbers(await socket.messages(2)), [4, 5])
    }
  })

  it('pings while quiet, and ends an idle connection', async () => {
    const socket = await Socket.open(server, await server.planToken('paid'))
    const ping = new Promise((resolve) => socket.client.once('ping', resolve))
    await within(ping, 'ping')
    assert.deepEqual(await socket.expect('session'), { session: { type: 'expired', reason: 'idle' } })
    assert.equal((await socket.end()).code, 1000)
  })

  it('a deleted token: closed with 1008 within a second', async () => {
    const token = await server.planToken('local')
    const socket = await Socket.open(server, token)
    await socket.follow('#')
    const silent = await Socket.open(server, token) // follows nothing
    const began = Date.now()
    assert.equal((await server.cli('token', 'revoke', '--', token)).code, 0)
    for (const one of [socket, silent]) {
      const { code, reason } = await one.end()
      assert.equal(code, 1008)
      assert.match(reason, /token/)
    }
    if (FACTOR === 1) assert.ok(Date.now() - began < 3000)
  })

  it('publishes as fast as it can: read only as fast as the log takes it', { timeout: scaled(60000) }, async () => {
    const token = newToken()
    const socket = await Socket.open(server, token)
    const before = server.privateMemory()
    const text = 'x'.repeat(10000)
    for (const n of range(0, 3000)) socket.send({ publish: { thing: 'a', payload: { n, text }, ref: n } })
    for (const n of range(0, 3000)) assert.equal((await socket.expect('ack', scaled(20000))).ack.ref, n)
    assert.ok(server.privateMemory() - before < 48 * 1024 * 1024)
  })
})

group('GET /{token}/ws and the server', () => {
  const servers = []
  const start = async (options) => {
    const server = new Server(options)
    servers.push(server)
    return await server.start()
  }
  after(async () => { for (const server of servers) await server.close() })

  it('an acknowledgement means on disk: it is there after kill -9', async () => {
    const server = await start()
    const token = newToken()
    const socket = await Socket.open(server, token)
    const acks = []
    for (const n of range(0, 20)) acks.push(await socket.ask({ publish: { thing: 'a', payload: { n } } }))
    await server.kill9()
    await server.restart()
    const items = await server.history(token, 'a', '?limit=100&order=asc')
    assert.deepEqual(items.map(({ id }) => id), acks.map(({ id }) => id))
    const again = await Socket.open(server, token)
    await again.follow('a', acks[9].id)
    assert.deepEqual(numbers(await again.messages(10)), range(10, 20))
  })

  it('a shutdown closes with 1001, after what was published is answered', async () => {
    const server = await start()
    const token = newToken()
    const socket = await Socket.open(server, token)
    const silent = await Socket.open(server, newToken())
    await socket.follow('#')
    const stopped = server.stop()
    assert.equal((await socket.end()).code, 1001)
    assert.equal((await silent.end()).code, 1001)
    await stopped
  })

  it('while its messages are unanswered, a client is not read from', async () => {
    const broker = await start({ command: 'broker' })
    const bridge = await start({ command: 'bridge', data: broker.data })
    await until(async () => (await bridge.get('/health')).status === 200, 'link')
    const socket = await Socket.open(bridge, newToken())
    await broker.freeze()
    const text = 'x'.repeat(50000)
    for (const n of range(0, 800)) socket.send({ publish: { thing: 'a', payload: { n, text }, ref: n } })
    let before = -1
    await until(async () => {
      const [was, is] = [before, socket.client.bufferedAmount]
      before = is
      await new Promise((resolve) => setTimeout(resolve, 300))
      return was === is
    }, 'reading to pause', scaled(6000))
    broker.thaw()
    assert.ok(before > 20 * 1024 * 1024, `${before} of 40 MB not read`)
    for (const n of range(0, 800)) assert.equal((await socket.expect('ack', scaled(20000))).ack.ref, n)
  })

  it('http.streamers is how many threads there are', async () => {
    for (const count of [1, 3]) {
      const server = await start({ set: { 'http.streamers': count } })
      const tasks = `/proc/${server.child.pid}/task`
      const names = fs.readdirSync(tasks).map((task) => fs.readFileSync(`${tasks}/${task}/comm`, 'utf8').trim())
      assert.equal(names.filter((name) => name.startsWith('streamer-')).length, count)
      await server.close()
    }
  })

  it('an idle reader costs no more than 1 KiB more than one of SSE', { skip: FACTOR > 1 && 'allocators of sanitizers keep memory' }, async () => {
    const server = await start({ set: { 'plan:local.connections': 0, 'limits.connections_per_address': 5000, 'http.workers': 1, 'http.streamers': 1 } })
    const token = newToken()
    const most = 1500
    const grown = async (connect) => {
      for (let i = 0; i < 200; i++) await connect() // what is there once
      const before = server.privateMemory()
      for (let i = 0; i < most; i += 50) await Promise.all(range(0, 50).map(connect))
      return (server.privateMemory() - before) / most
    }
    const sse = await grown(() => server.listen(token, 'quiet'))
    const ws = await grown(async () => {
      const socket = await Socket.open(server, token, { deflate: true })
      await socket.follow('quiet')
    })
    console.log(`bytes of an idle reader: SSE ${Math.round(sse)}, WebSocket ${Math.round(ws)}`)
    assert.ok(ws - sse < 1024, `SSE ${sse}, WebSocket ${ws} bytes`)
  })

  it('open mode: pages from elsewhere are refused', async () => {
    const server = await start()
    const refused = new WebSocket(socketUrl(server, newToken()), { origin: 'https://elsewhere.example' })
    const [, response] = await within(require('node:events').once(refused, 'unexpected-response'), 'refusal')
    assert.equal(response.statusCode, 403)
    response.resume()
    const local = new Socket(new WebSocket(socketUrl(server, newToken()), { origin: 'http://localhost:3000' }))
    await within(local.opened, 'WebSocket of a local page')
    local.client.terminate()
  })
})

suite('GET /{token}/ws in Chromium', {}, (server) => {
  let browser
  let page
  let pages

  before(async () => {
    assert.ok(fs.existsSync(CHROMIUM), `${CHROMIUM} is missing: install it or set CHROMIUM`)
    pages = http.createServer((request, response) => response.end('<!doctype html><title>a page of its own</title>'))
    await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve))
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGS })
    page = await browser.newPage()
    page.setDefaultTimeout(PATIENCE)
    await page.goto(`http://127.0.0.1:${pages.address().port}/`)
  })
  after(async () => {
    await browser?.close()
    pages?.close()
  })

  it('follows, replays, publishes, and is told why it ends', async () => {
    const token = await server.planToken('local')
    const first = await server.say(token, 'a', { n: 1, text: 'x'.repeat(500) })
    const result = await page.evaluate(async ([url, cursor]) => {
      const socket = new WebSocket(url)
      const got = []
      const waiting = []
      socket.onmessage = (event) => {
        got.push(JSON.parse(event.data))
        waiting.splice(0).forEach((wake) => wake())
      }
      const find = async (fits) => {
        for (;;) {
          const found = got.find(fits)
          if (found) return found
          await new Promise((resolve) => waiting.push(resolve))
        }
      }
      await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject })
      socket.send(JSON.stringify({ follow: ['a'], last_event_id: cursor }))
      socket.send(JSON.stringify({ publish: { thing: 'a', payload: { n: 2 }, ref: 'mine' } }))
      const { ack } = await find((item) => item.ack?.ref === 'mine')
      await find((item) => item.id === ack.id)
      window.closing = new Promise((resolve) => { socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean }) })
      return { extensions: socket.extensions, messages: got.filter((item) => item.chat).map((item) => item.chat.n) }
    }, [socketUrl(server, token), first - 1])
    assert.match(result.extensions, /permessage-deflate/)
    assert.deepEqual(result.messages, [1, 2])
    assert.equal((await server.cli('token', 'revoke', '--', token)).code, 0)
    const closing = await page.evaluate(() => window.closing)
    assert.deepEqual([closing.code, closing.wasClean], [1008, true])
    assert.match(closing.reason, /token/)
  })
})
