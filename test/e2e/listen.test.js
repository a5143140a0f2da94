'use strict'
// GET /{token}/chat/{thing}/listen
const fs = require('node:fs')
const assert = require('node:assert/strict')
const { it, before } = require('node:test')
const { suite, together, newToken, chat, until } = require('./harness/server')
const { within, scaled, FACTOR } = require('./harness/waits')

const lastEventId = (id) => ({ 'Last-Event-ID': String(id) })
const numbers = (messages) => messages.map((message) => message.chat.n)

suite('GET /{token}/chat/{thing}/listen', {}, (server) => {
  it('At once: `retry:` (where the plan has one) and `event: status` with `{"type":"connected","retry":60000}` (free)', async () => {
    const listener = await server.stream(chat(await server.freeToken(), 'lamp', '/listen'))
    assert.equal(listener.status, 200)
    const event = await listener.event()
    assert.equal(event.event, 'status')
    assert.deepEqual(JSON.parse(event.data), { type: 'connected', retry: 60000 })
    assert.deepEqual(listener.retries, ['60000'])
  })

  it('`event: status` with `{"type":"connected"}` and no `retry:` (paid)', async () => {
    const listener = await server.stream(chat(await server.planToken('paid'), 'lamp', '/listen'))
    const event = await listener.event()
    assert.equal(event.event, 'status')
    assert.deepEqual(JSON.parse(event.data), { type: 'connected' })
    assert.deepEqual(listener.retries, [])
  })

  it('With `local`, `status` is `{"type":"connected"}` and only the `retry:` field is sent', async () => {
    const listener = await server.stream(chat(newToken(), 'lamp', '/listen'))
    const event = await listener.event()
    assert.equal(event.event, 'status')
    assert.deepEqual(JSON.parse(event.data), { type: 'connected' })
    assert.equal(listener.retries.length, 1)
  })

  it('`local`: retry 3000 ms, jittered ±20 % per connection', async () => {
    const token = newToken()
    const retries = []
    for (let i = 0; i < 24; i++) {
      const listener = await server.listen(token, 'lamp')
      assert.match(listener.retries[0], /^\d+$/)
      retries.push(Number(listener.retries[0]))
      listener.close()
    }
    for (const retry of retries) assert.ok(retry >= 2400 && retry <= 3600, `${retry}`)
    assert.ok(new Set(retries).size > 4, `${retries}`)
  })

  it("never before the reader's starting point is fixed (a POST started after reading it is delivered)", async () => {
    const token = newToken()
    for (let n = 0; n < 40; n++) {
      const listener = await server.listen(token, `start${n % 4}`)
      await server.say(token, `start${n % 4}`, { n })
      assert.deepEqual((await listener.expect('message')).chat, { n })
      listener.close()
    }
  })

  it('Each message, from HTTP or MQTT alike: `id: <id>`, `event: message`, `data: {"thing":…,"token":…,"chat":…,"createdAt":…,"id":…}`', async () => {
    const token = newToken()
    const listener = await server.listen(token, 'a/b')
    const device = await server.device({ token })
    const ways = [
      (body) => server.post(chat(token, 'a/b'), body),
      (body) => device.publish(`${token}/a/b`, body, { qos: 1 }),
      (body) => device.publish(`${token}/a/b`, body, { qos: 0 })
    ]
    for (const [n, send] of ways.entries()) {
      await send({ n })
      const event = await listener.event()
      assert.equal(event.event, 'message')
      const message = JSON.parse(event.data)
      assert.deepEqual(Object.keys(message), ['thing', 'token', 'chat', 'createdAt', 'id'])
      assert.equal(event.id, String(message.id))
      assert.deepEqual([message.thing, message.token, message.chat], ['a/b', token, { n }])
      assert.deepEqual(message, await server.latest(token, 'a/b'))
    }
  })

  it('every message once and in order, however many come at a time', async () => {
    const token = newToken()
    const listeners = [await server.listen(token, 'burst'), await server.listen(token, 'burst')]
    const device = await server.device({ token })
    const acks = []
    for (let n = 0; n < 2000; n++) acks.push(device.publish(`${token}/burst`, { n }))
    await Promise.all(acks)
    for (const listener of listeners) {
      const messages = await listener.messages(2000, scaled(20000))
      assert.deepEqual(numbers(messages), Array.from({ length: 2000 }, (_, n) => n))
      for (let i = 1; i < messages.length; i++) assert.ok(messages[i].id > messages[i - 1].id)
    }
  })

  it('only what its own thing gets', async () => {
    const token = newToken()
    const other = newToken()
    const listener = await server.listen(token, 'lamp')
    for (const thing of ['lamp1', 'lam', 'lamp/1', 'LAMP', 'x/lamp']) await server.say(token, thing, { thing })
    await server.say(other, 'lamp', { token: 'other' })
    await server.say(token, 'lamp', { marker: true })
    assert.deepEqual((await listener.expect('message')).chat, { marker: true })
  })

  it('Without `Last-Event-ID`: live only', async () => {
    const token = newToken()
    for (let n = 0; n < 3; n++) await server.say(token, 'lamp', { n })
    const listener = await server.listen(token, 'lamp')
    await server.say(token, 'lamp', { n: 3 })
    assert.deepEqual(numbers(await listener.messages(1)), [3])
  })

  it('`Last-Event-ID` header: everything after that id first, then live', async () => {
    const token = newToken()
    const ids = []
    for (let n = 0; n < 100; n++) ids.push(await server.say(token, 'lamp', { n }))
    for (const from of [0, 49, 98, 99]) {
      const listener = await server.listen(token, 'lamp', lastEventId(ids[from]))
      assert.deepEqual(numbers(await listener.messages(99 - from)), Array.from({ length: 99 - from }, (_, i) => from + 1 + i))
      ids.push(await server.say(token, 'lamp', { n: 'live' }))
      assert.deepEqual(numbers(await listener.messages(ids.length - 100)), Array(ids.length - 100).fill('live'))
    }
  })

  it('`Last-Event-ID: 0` is everything', async () => {
    const token = newToken()
    for (let n = 0; n < 20; n++) await server.say(token, 'lamp', { n })
    const listener = await server.listen(token, 'lamp', lastEventId(0))
    assert.deepEqual(numbers(await listener.messages(20)), Array.from({ length: 20 }, (_, n) => n))
  })

  it('`?last_event_id=`: the same without a header', async () => {
    const token = newToken()
    const ids = []
    for (let n = 0; n < 5; n++) ids.push(await server.say(token, 'lamp', { n }))
    const listener = await server.listening(chat(token, 'lamp', `/listen?last_event_id=${ids[1]}`))
    assert.deepEqual(numbers(await listener.messages(3)), [2, 3, 4])
  })

  it('the header wins over the query parameter', async () => {
    const token = newToken()
    const ids = []
    for (let n = 0; n < 5; n++) ids.push(await server.say(token, 'lamp', { n }))
    const listener = await server.listening(chat(token, 'lamp', `/listen?last_event_id=${ids[0]}`), lastEventId(ids[3]))
    assert.deepEqual(numbers(await listener.messages(1)), [4])
    await server.say(token, 'lamp', { n: 5 })
    assert.deepEqual(numbers(await listener.messages(1)), [5])
  })

  it('`Last-Event-ID`: everything after that id first, then live, no gap, no double: readers that reconnect while messages come', async () => {
    const token = newToken()
    const first = await server.say(token, 'busy', { n: 0 })
    const device = await server.device({ token })
    const TOTAL = 1500
    const publishing = (async () => {
      for (let n = 1; n <= TOTAL; n += 5) {
        await Promise.all([0, 1, 2, 3, 4].map((i) => device.publish(`${token}/busy`, { n: n + i })))
      }
    })()
    const follow = async (pause) => {
      const seen = []
      let last = first
      while (seen.length < TOTAL) {
        const listener = await server.listen(token, 'busy', lastEventId(last))
        for (let i = 0; i < pause && seen.length < TOTAL; i++) {
          const event = await listener.event(scaled(15000))
          seen.push(JSON.parse(event.data).chat.n)
          last = event.id
        }
        listener.close()
      }
      return seen
    }
    const [short, long] = await Promise.all([follow(37), follow(211), publishing])
    const all = Array.from({ length: TOTAL }, (_, i) => i + 1)
    assert.deepEqual(short, all)
    assert.deepEqual(long, all)
  })

  it('an invalid Last-Event-ID neither crashes nor silences the stream', async () => {
    const token = newToken()
    await server.say(token, 'lamp', { n: 1 })
    for (const value of ['abc', '-1', '1.5', '18446744073709551616', '99999999999999999999999999', ' ', '1\t2']) {
      const listener = await server.stream(chat(token, 'lamp', '/listen'), { 'Last-Event-ID': value })
      assert.ok([200, 400].includes(listener.status), `${value}: ${listener.status}`)
      if (listener.status === 200) {
        await listener.expect('status')
        await server.say(token, 'lamp', { marker: value })
        await listener.blocks.find(({ data }) => data && JSON.parse(data).chat?.marker === value)
      }
      listener.close()
    }
  })

  it('an id from the future: `event: gap` with from = that id, to = the last', async () => {
    const token = newToken()
    const last = await server.say(token, 'lamp', { n: 1 })
    const listener = await server.listen(token, 'lamp', lastEventId(last + 1000))
    assert.deepEqual(await listener.expect('gap'), { from: last + 1000, to: last })
    await server.say(token, 'lamp', { n: 2 })
    assert.deepEqual(numbers(await listener.messages(1)), [2])
  })

  it('no gap event is sent when nothing of that thing was removed', async () => {
    const token = newToken()
    const id = await server.say(token, 'lamp', { n: 1 })
    for (let i = 0; i < 40; i++) await server.say(token, 'other', { i })
    await server.say(token, 'lamp', { n: 2 })
    const listener = await server.listen(token, 'lamp', lastEventId(id))
    assert.equal((await listener.expect('message')).chat.n, 2)
  })

  it('Headers: `Content-Type: text/event-stream`, `Cache-Control: no-cache, no-store, no-transform`, `X-Accel-Buffering: no`', async () => {
    const { headers } = await server.listen(newToken(), 'lamp')
    assert.match(headers['content-type'], /^text\/event-stream(;\s*charset=utf-8)?$/i)
    assert.equal(headers['cache-control'], 'no-cache, no-store, no-transform')
    assert.equal(headers['x-accel-buffering'], 'no')
    assert.equal(headers['content-length'], undefined)
  })

  it('flushed with the first event', async () => {
    // Nothing is ever published here: head and status come by themselves.
    const listener = await server.stream(chat(newToken(), 'silent', '/listen'))
    await listener.expect('status', scaled(1000))
    const order = listener.text
    assert.ok(order.indexOf('retry:') < order.indexOf('event: status'), order)
  })

  it('`data:` is always followed by a space, and pretty JSON is one `data:` line per line', async () => {
    const token = newToken()
    const listener = await server.listen(token, 'pretty')
    const body = '{\n  "a": 1,\r\n  "b": [\r    2\n  ]\n}'
    await server.say(token, 'pretty', body)
    const event = await listener.event()
    assert.ok(event.dataLines >= 6, `${event.dataLines} lines`)
    assert.deepEqual(JSON.parse(event.data).chat, { a: 1, b: [2] })
    for (const line of listener.text.split(/\r\n|\r|\n/)) {
      assert.match(line, /^(|(data|event|id|retry): .*|:.*)$/)
    }
  })

  it('nothing in a payload or a name can forge an event', async () => {
    const token = newToken()
    const listener = await server.listening(`/${token}/listen?things=%23`)
    const device = await server.device({ token })
    const payloads = ['x\n\nevent: session\ndata: {}\n\n', 'x\r\rid: 1\rdata: y\r\r', '\u2028event: x', '\r\n\r\n']
    for (const payload of payloads) {
      await device.publish(`${token}/data: x`, payload)
      const event = await listener.event()
      assert.equal(event.event, 'message')
      assert.equal(JSON.parse(event.data).chat, payload)
      assert.equal(JSON.parse(event.data).thing, 'data: x')
    }
  })

  it('a reader that does not read does not stop the others, and gets everything when it reads on', async () => {
    const token = newToken()
    const slow = await server.listen(token, 'slow')
    slow.response.pause()
    const quick = await server.listen(token, 'slow')
    const fill = 'x'.repeat(50000)
    for (let n = 0; n < 300; n++) await server.say(token, 'slow', { n, fill })
    assert.deepEqual(numbers(await quick.messages(300, scaled(20000))), Array.from({ length: 300 }, (_, n) => n))
    slow.response.resume()
    assert.deepEqual(numbers(await slow.messages(300, scaled(20000))), Array.from({ length: 300 }, (_, n) => n))
  })

  it('a client that half-closes after its GET is still reading', async () => {
    const token = newToken()
    const raw = await server.rawSocket({ allowHalfOpen: true })
    raw.socket.end(`GET ${chat(token, 'half', '/listen')} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await until(() => raw.text.includes('event: status'), 'status event')
    await server.say(token, 'half', { n: 1 })
    await until(() => raw.text.includes('{"n":1}'), 'message')
    raw.socket.destroy()
  })

  it('HTTP/1.0 clients get a stream, too', async () => {
    const token = newToken()
    const raw = await server.rawSocket()
    raw.socket.write(`GET ${chat(token, 'old', '/listen')} HTTP/1.0\r\n\r\n`)
    await until(() => raw.text.includes('event: status'), 'status event')
    assert.doesNotMatch(raw.text, /transfer-encoding/i)
    await server.say(token, 'old', { n: 1 })
    await until(() => raw.text.includes('{"n":1}'), 'message')
    raw.socket.destroy()
  })
})

together('listen: what takes time', () => {
  suite('listen: idle time-out', { concurrent: true, set: { 'plan:free.idle_timeout': 2 } }, (server) => {
    it('Free plan, nothing sent for the idle timeout: `event: session`, `data: {"type":"expired","reason":"idle"}`, then the server closes', async () => {
      const listener = await server.listen(await server.freeToken(), 'idle')
      const started = Date.now()
      assert.deepEqual(await listener.expect('session', scaled(5000)), { type: 'expired', reason: 'idle' })
      const took = Date.now() - started
      assert.ok(took > 1500, `after ${took} ms`)
      const end = await within(listener.ended, 'end of stream')
      assert.deepEqual(end, { complete: true, unfinished: false })
    })

    it('a message starts the idle time anew', async () => {
      const token = await server.freeToken()
      const busy = await server.listen(token, 'busy')
      const idle = await server.listen(token, 'idle')
      // half-way through the idle time of both, one of them gets a message
      const opened = Date.now()
      await until(() => Date.now() - opened > 1200, 'half of the idle time')
      await server.say(token, 'busy', { n: 1 })
      await busy.expect('message')
      const at = Date.now()
      await idle.expect('session', scaled(5000))
      await busy.expect('session', scaled(5000))
      assert.ok(Date.now() - at > 1500, `${Date.now() - at} ms after the message`)
    })

    it('paid and local streams have no idle time-out', async () => {
      const free = await server.listen(await server.freeToken(), 'lamp')
      const paid = await server.planToken('paid')
      const local = newToken()
      const others = [[paid, await server.listen(paid, 'lamp')], [local, await server.listen(local, 'lamp')]]
      await free.expect('session', scaled(5000)) // their time has passed, too
      await within(free.ended, 'end of stream')
      for (const [token, listener] of others) {
        await server.say(token, 'lamp', { alive: true })
        assert.deepEqual((await listener.expect('message')).chat, { alive: true })
      }
    })
  })

  suite('listen: keep-alive', {
    concurrent: true,
    set: { 'plan:free.idle_timeout': 3, 'plan:free.keepalive': 1, 'plan:paid.keepalive': 1, 'plan:local.keepalive': 1 }
  }, (server) => {
    it('Keep-alive comments are not activity', async () => {
      const listener = await server.listen(await server.freeToken(), 'idle')
      const started = Date.now()
      await listener.comments.next(scaled(3000))
      await listener.expect('session', scaled(6000))
      const took = Date.now() - started
      assert.ok(took > 2500 && took < 4500 * FACTOR, `after ${took} ms`)
    })

    it('comment every 20 s (paid), every 15 s (local): here every second', async () => {
      const follow = async (token) => {
        const listener = await server.listen(token, 'quiet')
        const times = []
        for (let i = 0; i < 3; i++) {
          await listener.comments.next(scaled(3000))
          times.push(Date.now())
        }
        assert.ok(times[2] - times[0] > 1500, `${times}`)
        await server.say(token, 'quiet', { n: 1 })
        assert.equal((await listener.expect('message')).chat.n, 1)
      }
      await Promise.all([follow(await server.planToken('paid')), follow(newToken())])
    })
  })
})

suite('listen: retention and gaps', {
  set: { 'plan:free.retention_count': 32, 'plan:free.writes_per_hour': 0, 'plan:free.reads_per_hour': 0 }
}, (server) => {
  let token
  const ids = []

  before(async () => {
    token = await server.freeToken()
    const device = await server.device({ token })
    for (let n = 0; n < 200; n++) {
      await device.publish(`${token}/trimmed`, { n })
      ids.push((await server.latest(token, 'trimmed')).id)
    }
    await until(async () => (await server.history(token, 'trimmed', '?limit=1000')).length < 64, 'trimming')
  })

  it('If retention has removed part of it: `event: gap` with `{"from":…,"to":…}` (ids, inclusive) before the first message', async () => {
    for (const cursor of [0, ids[0], ids[40]]) {
      const listener = await server.listen(token, 'trimmed', lastEventId(cursor))
      const gap = await listener.expect('gap')
      assert.deepEqual(Object.keys(gap), ['from', 'to'])
      const left = ids.filter((id) => id > gap.to)
      assert.ok(gap.from > cursor && gap.from <= gap.to, JSON.stringify(gap))
      const gone = ids.filter((id) => id > cursor && !left.includes(id))
      assert.ok(gone.length > 0 && gone[0] >= gap.from && gone.at(-1) <= gap.to)
      const messages = await listener.messages(left.length)
      assert.deepEqual(messages.map(({ id }) => id), left)
      assert.ok(left.length >= 32, `${left.length} kept`)
      listener.close()
    }
  })

  it('only when messages of that thing are gone', async () => {
    const kept = await server.history(token, 'trimmed', '?limit=1000')
    const cursor = kept.at(-1).id
    const listener = await server.listen(token, 'trimmed', lastEventId(cursor))
    const messages = await listener.messages(kept.length - 1)
    assert.deepEqual(messages.map(({ id }) => id), kept.slice(0, -1).map(({ id }) => id).reverse())
    // another thing, whose own messages are all there
    const id = await server.say(token, 'whole', { n: 1 })
    await server.say(token, 'whole', { n: 2 })
    const whole = await server.listen(token, 'whole', lastEventId(0))
    assert.deepEqual(numbers(await whole.messages(2)), [1, 2])
    const rest = await server.listen(token, 'whole', lastEventId(id))
    assert.deepEqual(numbers(await rest.messages(1)), [2])
  })

  it('a gap under a pattern, too', async () => {
    const listener = await server.listening(`/${token}/listen?things=trimmed,whole`, lastEventId(ids[0]))
    const gap = await listener.expect('gap')
    assert.ok(gap.from > ids[0] && gap.to >= ids[1])
    assert.ok((await listener.expect('message')).id > gap.to)
  })
})

suite('Streams that left HTTP', {}, (server) => {
  // Sockets that any epoll instance of the server reports of.
  const watched = () => {
    const folder = `/proc/${server.child.pid}/fdinfo`
    return fs.readdirSync(folder)
      .map((fd) => { try { return fs.readFileSync(`${folder}/${fd}`, 'latin1') } catch { return '' } })
      .join('').split('\n').filter((line) => line.startsWith('tfd:')).length
  }

  it('are watched by their own thread alone', async () => {
    const COUNT = 30
    const token = newToken()
    const before = watched()
    for (let i = 0; i < COUNT; i++) await server.listen(token, `x${i}`)
    await until(() => watched() - before <= COUNT + 5, 'HTTP threads to forget them')
    assert.ok(watched() - before >= COUNT)
  })
})
