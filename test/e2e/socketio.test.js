'use strict'
// Engine.IO 4 and Socket.IO 5 in packets: the behaviours that the official protocol
// suites check, and what they leave out, at the test server (test/socketio), which has
// the codec and the sessions of the doors.
const assert = require('node:assert/strict')
const { describe, it } = require('node:test')
const { echoServer, EchoServer, SEPARATOR } = require('./harness/socketio')
const { PATIENCE, scaled, until, within } = require('./harness/waits')

const KEYS = ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades']
const HELLO = Buffer.from([1, 2, 3, 4])

const refused = (answer, code, message) => {
  assert.equal(answer.status, 400)
  assert.equal(answer.headers['access-control-allow-origin'], '*')
  assert.deepEqual(JSON.parse(answer.text), { code, message })
}

// A WebSocket that is never opened, or is closed at once.
const isRefused = async (socket) => {
  await assert.rejects(socket.opened)
  await socket.end()
}

for (const door of ['engine.io', 'socket.io']) {
  describe(`/${door}/: handshake`, () => {
    const server = echoServer({ pingInterval: 300, pingTimeout: 200 })

    it('opens a session by polling', async () => {
      const { status, headers, text } = await server.request('GET', 'EIO=4&transport=polling&t=abc', { door })
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'text/plain; charset=UTF-8')
      assert.equal(headers['access-control-allow-origin'], '*')
      assert.equal(text[0], '0')
      const open = JSON.parse(text.slice(1))
      assert.deepEqual(Object.keys(open).sort(), KEYS)
      assert.match(open.sid, /^[\w-]{24}$/)
      assert.deepEqual({ ...open, sid: 0 }, { sid: 0, upgrades: ['websocket'], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 })
    })

    it('opens a session by WebSocket', async () => {
      const { handshake, client } = await server.openSocket(door)
      assert.deepEqual(Object.keys(handshake).sort(), KEYS)
      assert.deepEqual({ ...handshake, sid: 0 }, { sid: 0, upgrades: [], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 })
      assert.equal(client.extensions, '')
      assert.equal(client.protocol, '')
    })

    it('refuses other versions, transports and methods', async () => {
      const ask = (method, query) => server.request(method, query, { door })
      refused(await ask('GET', 'transport=polling'), 5, 'Unsupported protocol version')
      refused(await ask('GET', 'EIO=abc&transport=polling'), 5, 'Unsupported protocol version')
      refused(await ask('GET', 'EIO=4'), 0, 'Transport unknown')
      refused(await ask('GET', 'EIO=4&transport=abc'), 0, 'Transport unknown')
      refused(await ask('POST', 'EIO=4&transport=polling'), 2, 'Bad handshake method')
      refused(await ask('PUT', 'EIO=4&transport=polling'), 2, 'Bad handshake method')
      refused(await ask('GET', 'EIO=4&transport=websocket'), 3, 'Bad request')
      refused(await ask('GET', 'EIO=4&transport=polling&sid=unknown'), 1, 'Session ID unknown')
      refused(await ask('POST', 'EIO=4&transport=polling&sid=unknown'), 1, 'Session ID unknown')
    })

    it('refuses the same by WebSocket', async () => {
      for (const query of ['transport=websocket', 'EIO=abc&transport=websocket', 'EIO=4', 'EIO=4&transport=abc']) {
        await isRefused(server.socket(query, door))
      }
    })
  })

  describe(`/${door}/: heartbeat`, () => {
    const pinged = echoServer({ pingInterval: 300 })
    const hurried = echoServer({ pingInterval: 300, pingTimeout: 200 })

    it('pings who polls', async () => {
      const sid = await pinged.open(door)
      for (let i = 0; i < 3; i++) {
        assert.deepEqual((await pinged.poll(sid, { door })).text, '2')
        assert.equal((await pinged.post(sid, '3', { door })).status, 200)
      }
    })

    it('pings a WebSocket', async () => {
      const socket = await pinged.openSocket(door)
      for (let i = 0; i < 3; i++) {
        await socket.expect('2')
        socket.send('3')
      }
    })

    it('ends a session that does not answer', async () => {
      const sid = await hurried.open(door)
      const socket = await hurried.openSocket(door)
      assert.equal(await socket.end(), 1008)
      refused(await hurried.poll(sid, { door }), 1, 'Session ID unknown')
    })
  })

  describe(`/${door}/: close and upgrade`, () => {
    const server = echoServer()
    const hurried = echoServer({ upgrade: 300 })

    it('lets a client that polls close', async () => {
      const sid = await server.open(door)
      const held = server.poll(sid, { door })
      const posted = await server.post(sid, '1', { door })
      assert.deepEqual([posted.status, posted.text], [200, 'ok'])
      const { status, text } = await held // which the POST may have overtaken
      assert.deepEqual([status, text], [200, '6'])
      refused(await server.poll(sid, { door }), 1, 'Session ID unknown')
    })

    it('lets a WebSocket close', async () => {
      const socket = await server.openSocket(door)
      socket.send('1')
      assert.equal(await socket.end(), 1000)
    })

    it('upgrades, and knows one transport from then on', async () => {
      const sid = await server.open(door)
      const socket = await server.probe(sid, door)
      assert.equal((await server.poll(sid, { door })).text, '6')
      socket.send('5')
      const message = door === 'engine.io' ? '4hello' : '40/unknown,'
      const answer = door === 'engine.io' ? '4hello' : '44/unknown,{"message":"Invalid namespace"}'
      socket.send(message)
      await socket.expect(answer)
      refused(await server.poll(sid, { door }), 3, 'Bad request')
      refused(await server.post(sid, '4', { door }), 3, 'Bad request')
      await server.socket(`EIO=4&transport=websocket&sid=${sid}`, door).end()
      socket.send(message)
      await socket.expect(answer)
    })

    it('answers the poll that waits when the probe comes', async () => {
      const sid = await server.open(door)
      const held = server.poll(sid, { door })
      await server.probe(sid, door)
      assert.equal((await held).text, '6')
    })

    it('polls on when an upgrade fails', async () => {
      const late = await hurried.open(door)
      await hurried.socket(`EIO=4&transport=websocket&sid=${late}`, door).end()
      assert.equal((await hurried.post(late, '1', { door })).text, 'ok')
      const early = await server.open(door)
      const socket = server.socket(`EIO=4&transport=websocket&sid=${early}`, door)
      await socket.opened
      socket.send('4early')
      assert.equal(await socket.end(), 1008)
      const lost = await server.probe(early, door)
      lost.client.terminate()
      assert.equal((await server.post(early, '1', { door })).text, 'ok')
    })
  })
}

describe('Engine.IO: messages', () => {
  const server = echoServer()
  const door = 'engine.io'

  it('carries one, several and binary packets in a payload', async () => {
    const sid = await server.open(door)
    for (const payload of ['4hello', ['4test1', '4test2', '4test3'].join(SEPARATOR), ['4hello', 'bAQIDBA=='].join(SEPARATOR), '4é😀']) {
      const posted = await server.post(sid, payload, { door })
      assert.deepEqual([posted.status, posted.text, posted.headers['content-type']], [200, 'ok', 'text/html'])
      const polled = await server.poll(sid, { door })
      assert.deepEqual([polled.status, polled.text], [200, payload])
    }
  })

  it('carries text and binary by WebSocket, in fragments as well', async () => {
    const socket = await server.openSocket(door)
    socket.send('4hello')
    await socket.expect('4hello')
    socket.send(HELLO)
    await socket.expect(HELLO)
    socket.client.send('4in ', { fin: false })
    socket.client.send('pieces', { fin: true })
    await socket.expect('4in pieces')
  })

  it('ends a session for a bad packet', async () => {
    for (const payload of ['abc', '', '4a\x1e', 'bAQ']) {
      const sid = await server.open(door)
      assert.equal((await server.post(sid, payload, { door })).status, 400)
      refused(await server.poll(sid, { door }), 1, 'Session ID unknown')
    }
    for (const packet of ['abc', '', '2', '0{}']) {
      const socket = await server.openSocket(door)
      socket.send(packet)
      assert.equal(await socket.end(), 1008)
    }
  })

  it('ends a session for a second poll, and for one that was cancelled', async () => {
    const twice = await server.open(door)
    const both = await Promise.all([server.poll(twice, { door }), server.poll(twice, { door })])
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 400])
    assert.equal(both.find(({ status }) => status === 200).text, '1')
    assert.equal((await server.poll(twice, { door })).status, 400)

    const cancelled = await server.open(door)
    // One that is cancelled before it came cancels nothing: then the next one does.
    let cancels = 0
    await until(async () => {
      const poll = server.poll(cancelled, { door, signal: AbortSignal.timeout(scaled(200)) })
      const { status } = await poll.catch(() => ({ status: 0 }))
      if (status === 0) cancels++
      return status === 400
    }, 'the end of the session')
    assert.ok(cancels > 0)
  })

  it('bounds what comes', async () => {
    const sid = await server.open(door)
    const large = '4' + 'x'.repeat(1000000)
    assert.equal((await server.post(sid, large, { door })).status, 413)
    assert.equal((await server.poll(sid, { door })).status, 400)
    const socket = await server.openSocket(door)
    socket.send(large.slice(1))
    assert.equal(await socket.end(), 1008) // it is no packet, but has come
    const other = await server.openSocket(door)
    other.send(large)
    assert.equal(await other.end(), 1009)
  })
})

describe('Socket.IO: namespaces', () => {
  const server = echoServer()
  const hurried = echoServer({ connect: 500 })

  it('connects / and others, with what the client says', async () => {
    for (const [name, auth] of [['', ''], ['', '{"token":"123"}'], ['/custom,', ''], ['/custom,', '{"token":"abc"}']]) {
      const socket = await server.openSocket()
      socket.send(`40${name}${auth}`)
      const answer = await socket.packets.next()
      assert.ok(answer.startsWith(`40${name}{`), answer)
      const { sid, ...others } = JSON.parse(answer.slice(2 + name.length))
      assert.deepEqual(others, {}) // no pid
      assert.notEqual(sid, socket.handshake.sid)
      await socket.expect(`42${name}["auth",${auth || '{}'}]`)
    }
  })

  it('refuses a namespace that it does not have', async () => {
    const socket = await server.openSocket()
    socket.send('40/random')
    await socket.expect('44/random,{"message":"Invalid namespace"}')
    socket.send('40')
    assert.match(await socket.packets.next(), /^40{/)
  })

  it('closes without a CONNECT, or with a broken one', async () => {
    const silent = await hurried.openSocket()
    assert.equal(await silent.end(), 1008)
    for (const packet of ['4abc', '40[]', '42["first"]', '40/custom,"token"']) {
      const socket = await server.openSocket()
      socket.send(packet)
      assert.equal(await socket.end(), 1008)
    }
  })

  it('leaves one namespace without the others', async () => {
    const socket = await server.connect()
    socket.send('40/custom')
    assert.match(await socket.packets.next(), /^40\/custom,{/)
    await socket.expect('42/custom,["auth",{}]')
    socket.send('41/custom')
    socket.send('42["message","message to main namespace"]')
    await socket.expect('42["message-back","message to main namespace"]')
    socket.send('42["leave"]')
    await socket.expect('41')
  })

  it('stays open after the client left /', async () => {
    const socket = await server.connect()
    socket.send('41')
    socket.send('40')
    assert.match(await socket.packets.next(), /^40{/)
  })
})

describe('Socket.IO: events', () => {
  const server = echoServer()

  it('carries events and acknowledgements', async () => {
    const socket = await server.connect()
    socket.send('42["message",1,"2",{"3":[true]}]')
    await socket.expect('42["message-back",1,"2",{"3":[true]}]')
    socket.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    await socket.expect('43456[1,"2",{"3":[false]}]')
  })

  it('carries attachments', async () => {
    const places = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
    const socket = await server.connect()
    for (const [head, answer] of [
      [`452-["message",${places}]`, `452-["message-back",${places}]`],
      [`452-789["message-with-ack",${places}]`, `462-789[${places}]`]]) {
      socket.send(head)
      socket.send(Buffer.from([1, 2, 3]))
      socket.send(Buffer.from([4, 5, 6]))
      await socket.expect(answer)
      await socket.expect(Buffer.from([1, 2, 3]))
      await socket.expect(Buffer.from([4, 5, 6]))
    }
  })

  it('closes for what breaks the protocol', async () => {
    for (const packet of ['4abc', '42{}', '42[]', '42abc["message-with-ack",1]', '42["disconnect"]', '47', '40',
      '42/custom,["message"]', '4511-["message"]', '451-["message",{"_placeholder":true,"num":7}]', HELLO]) {
      const socket = await server.connect()
      socket.send(packet)
      assert.equal(await socket.end(), 1008)
    }
  })

  it('keeps the order across an upgrade, with all that waited', async () => {
    const sid = await server.open()
    await server.post(sid, '40')
    await server.poll(sid)
    const socket = await server.probe(sid)
    // While the client polls, and after it has told us that it does no more.
    await server.post(sid, '42["burst",100]')
    socket.send('5')
    socket.send('42["message","last"]')
    for (let i = 0; i < 100; i++) await socket.expect(`42["burst",${i}]`)
    await socket.expect('42["message-back","last"]')
  })

  it('closes after what it sent before', async () => {
    const sid = await server.open()
    await server.post(sid, '40')
    await server.poll(sid)
    await server.post(sid, ['42["message","x"]', '42["leave"]'].join(SEPARATOR))
    assert.equal((await server.poll(sid)).text, ['42["message-back","x"]', '41'].join(SEPARATOR))
    const other = await server.open()
    await server.post(other, ['40', '42["close"]'].join(SEPARATOR))
    assert.match((await server.poll(other)).text, /^40{.*}\x1e42\["auth",{}\]\x1e1$/)
    assert.equal((await server.poll(other)).status, 400)
  })
})

it('ends while requests are on their way', async () => {
  for (let round = 0; round < 5; round++) {
    const server = new EchoServer()
    await server.start()
    const sid = await server.open()
    const tries = Array.from({ length: 40 }, (_, i) => i % 2 ? server.post(sid, '40') : server.post('unknown', '40'))
    const answers = Promise.allSettled(tries)
    await Promise.race(tries)
    await server.stop()
    await answers
  }
})

// Unmodified clients, one of today and one of 4.0.
for (const name of ['socket.io-client', 'socket.io-client-4.0']) {
  const { io } = require(name)
  const { version } = require(`${name}/package.json`)

  describe(`socket.io-client ${version}`, () => {
    const server = echoServer()
    const once = (emitter, event) => within(new Promise((resolve) => emitter.once(event, resolve)), event, PATIENCE)

    for (const transports of [undefined, ['websocket'], ['polling']]) {
      it(`connects, sends, acknowledges by ${transports ?? 'default transports'}`, async () => {
        const socket = io(server.url, { forceNew: true, reconnection: false, auth: { token: 'é' }, ...(transports && { transports }) })
        try {
          assert.deepEqual(await once(socket, 'auth'), { token: 'é' })
          const { engine } = socket.io
          if (transports === undefined && engine.transport.name === 'polling') await once(engine, 'upgrade')
          assert.equal(engine.transport.name, transports?.[0] ?? 'websocket')
          const back = once(socket, 'message-back')
          socket.emit('message', { text: 'é😀\u001e' })
          assert.deepEqual(await back, { text: 'é😀\u001e' })
          const acknowledged = new Promise((resolve) => socket.emit('message-with-ack', 1, HELLO, (...args) => resolve(args)))
          assert.deepEqual(await within(acknowledged, 'acknowledgement'), [1, HELLO])
          const numbers = []
          const all = new Promise((resolve) => socket.on('burst', (n) => { if (numbers.push(n) === 500) resolve() }))
          socket.emit('burst', 500)
          await within(all, '500 events')
          assert.deepEqual(numbers, Array.from({ length: 500 }, (_, i) => i))
          const left = once(socket, 'disconnect')
          socket.emit('leave')
          assert.equal(await left, 'io server disconnect')
        } finally {
          socket.close()
        }
      })
    }

    it('loses nothing of what is sent while it upgrades', async () => {
      const socket = io(server.url, { forceNew: true, reconnection: false })
      try {
        const numbers = []
        const all = new Promise((resolve) => socket.on('message-back', (n) => { if (numbers.push(n) === 300) resolve() }))
        for (let n = 0; n < 300; n++) {
          socket.emit('message', n)
          if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
        }
        await within(all, '300 events')
        assert.deepEqual(numbers, Array.from({ length: 300 }, (_, i) => i))
      } finally {
        socket.close()
      }
    })

    it('is told of a namespace that there is not, and of one that there is', async () => {
      const none = io(`${server.url}/random`, { forceNew: true, reconnection: false })
      const custom = io(`${server.url}/custom`, { forceNew: true, reconnection: false })
      try {
        const [error] = await Promise.all([once(none, 'connect_error'), once(custom, 'auth')])
        assert.equal(error.message, 'Invalid namespace')
      } finally {
        none.close()
        custom.close()
      }
    })
  })
}
