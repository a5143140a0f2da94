'use strict'
// Events, which are sent to who listens and stored nowhere: `$events/…` over MQTT,
// POST /{token}/events/{thing}, SSE and WebSocket with ?events=1.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { Server, suite, group, newToken, until } = require('./harness/server')
const { keyOf } = require('./harness/stock')
const { Socket } = require('./harness/socket')

// The next thing on a stream, SSE or WebSocket.
async function next (stream) {
  if (stream instanceof Socket) {
    const data = await stream.arrivals.next()
    return { name: data.event ?? 'message', data }
  }
  const event = await stream.event()
  return { name: event.event, id: event.id, data: JSON.parse(event.data) }
}

const range = (to) => Array.from({ length: to }, (_, i) => i)
const path = (token, thing, kind) => `/${token}/events/${encodeURIComponent(thing)}${kind === undefined ? '' : `?kind=${kind}`}`

async function tell (server, token, thing, kind, body) {
  const answer = await server.post(path(token, thing, kind), body)
  assert.equal(answer.status, 200, answer.text)
}

suite('events', {}, (server) => {
  it('come to subscribers of $events, whoever publishes them', async () => {
    const token = newToken()
    const device = await server.device({ token })
    assert.deepEqual(await device.subscribe([`$events/${token}/+/lamp`, `${token}/#`]), [1, 1])
    const all = await server.device({ token, v: 4 })
    assert.deepEqual(await all.subscribe(`$events/${token}/#`), [1])
    assert.equal((await device.publish(`$events/${token}/typing/lamp`, 'ann', { qos: 1, retain: true })).code, 0)
    await tell(server, token, 'lamp', 'blink', { n: 1 })
    await tell(server, token, 'lamp', undefined, undefined)
    await tell(server, token, 'a/b', 'blink', { n: 2 })
    for (const [topic, text] of [['typing/lamp', 'ann'], ['blink/lamp', '{"n":1}'], ['event/lamp', '']]) {
      const message = await device.message()
      assert.deepEqual([message.topic, message.text, message.retain], [`$events/${token}/${topic}`, text, false])
      assert.equal((await all.message()).topic, `$events/${token}/${topic}`)
    }
    assert.equal((await all.message()).topic, `$events/${token}/blink/a/b`)
    await server.say(token, 'marker', {})
    assert.equal((await device.message()).topic, `${token}/marker`)
  })

  it('are ordered with messages, over MQTT, SSE and WebSocket', async () => {
    const token = newToken()
    const device = await server.device({ token })
    const subscriber = await server.device({ token })
    await subscriber.subscribe([`$events/${token}/#`, `${token}/#`])
    const one = await server.listening(`/${token}/chat/lamp/listen?events=1`)
    const many = await server.listening(`/${token}/listen?things=%23&events=1`)
    const socket = await Socket.openUrl(server, `/${token}/ws?events=1`)
    await socket.follow('#')
    const deflated = await Socket.openUrl(server, `/${token}/ws?events=1`, { deflate: true })
    await deflated.follow('lamp')
    // Streams that have gone live get the first event.
    const waiting = new Set([one, many, socket, deflated])
    const heard = []
    const listening = [one, many, socket, deflated].map(async (stream) => {
      assert.equal((await next(stream)).name, 'ready')
      waiting.delete(stream)
    })
    const calling = until(async () => {
      await tell(server, token, 'lamp', 'ready')
      return waiting.size === 0
    }, 'all streams live')
    await Promise.all([...listening, calling])

    const sent = []
    for (const n of range(100)) {
      sent.push(n % 2 === 0
        ? device.publish(`${token}/lamp`, JSON.stringify({ n }), { qos: 1 })
        : device.publish(`$events/${token}/tick/lamp`, JSON.stringify({ n }), { qos: 1 }))
    }
    for (const { code } of await Promise.all(sent)) assert.equal(code, 0)
    while (heard.length < 100) {
      const { topic, text } = await subscriber.message()
      if (!topic.startsWith(`$events/${token}/ready`)) heard.push(JSON.parse(text).n)
    }
    assert.deepEqual(heard, range(100))
    for (const stream of [one, many, socket, deflated]) {
      const got = []
      while (got.length < 100) {
        const event = await next(stream)
        if (event.name === 'ready') continue
        assert.equal(event.name, event.data.chat.n % 2 === 0 ? 'message' : 'tick')
        got.push(event.data.chat.n)
      }
      assert.deepEqual(got, range(100))
    }
  })

  it('have no id, do not move Last-Event-ID, and are only for who asks for them', async () => {
    const token = newToken()
    const asked = await server.listening(`/${token}/chat/lamp/listen?events=1`)
    const plain = await server.listening(`/${token}/chat/lamp/listen`)
    await server.say(token, 'lamp', { n: 1 })
    assert.equal((await next(asked)).name, 'message')
    await tell(server, token, 'lamp', 'typing', { who: 'ann' })
    await tell(server, token, 'door', 'typing', { who: 'bob' }) // another thing
    await server.say(token, 'lamp', { n: 2 })
    const event = await next(asked)
    assert.deepEqual([event.name, event.id, event.data.event, event.data.thing, event.data.chat],
      ['typing', undefined, 'typing', 'lamp', { who: 'ann' }])
    assert.ok(Math.abs(Date.parse(event.data.createdAt) - Date.now()) < 60000)
    assert.equal((await next(asked)).data.chat.n, 2)
    for (const n of [1, 2]) assert.equal((await next(plain)).data.chat.n, n)
    // never replayed
    const again = await server.listening(`/${token}/chat/lamp/listen?events=1&last_event_id=0`)
    for (const n of [1, 2]) assert.equal((await next(again)).data.chat.n, n)
    assert.equal((await server.get(`/${token}/chat/lamp/listen?events=2`)).status, 400)
  })

  it('are stored nowhere, and wait for no flush', async () => {
    const token = newToken()
    const device = await server.device({ token })
    await server.say(token, 'lamp', { n: 1 })
    const status = async () => JSON.parse((await server.cli('status')).stdout).writer
    // A ping or a count may commit meanwhile: so many events in fewer commits than events.
    const before = await status()
    for (const n of range(50)) {
      await tell(server, token, 'lamp', 'tick', { n })
      await device.publish(`$events/${token}/tick/lamp`, JSON.stringify({ n }), { qos: 1 })
    }
    const after = await status()
    assert.equal(after.events - before.events, 100)
    assert.equal(after.appended, before.appended)
    assert.ok(after.commits - before.commits < 10, `${after.commits - before.commits} commits`)
    assert.deepEqual((await server.history(token, 'lamp')).map(({ chat }) => chat.n), [1])
    assert.deepEqual(await server.things(token), ['lamp'])
  })

  it('of a kind of the server, to no thing, or too large are refused', async () => {
    const token = newToken()
    const device = await server.device({ token })
    for (const kind of ['revoked', 'key_revoked', 'changed', 'edit', 'delete', 'purge', 'message', 'gap']) {
      assert.equal((await device.publish(`$events/${token}/${kind}/lamp`, '', { qos: 1 })).code, 0x87, kind)
      const answer = await server.post(path(token, 'lamp', kind))
      assert.equal(answer.status, 400)
      assert.match(answer.text, /by the server only/)
    }
    for (const topic of ['a.b/lamp', 'typing/', 'typing', 'typing/$lamp']) {
      assert.equal((await device.publish(`$events/${token}/${topic}`, '', { qos: 1 })).code, 0x90, topic)
    }
    assert.equal((await device.publish(`$events/${newToken()}/typing/lamp`, '', { qos: 1 })).code, 0x87)
    assert.equal((await server.post(path(token, 'lamp', 'a.b'))).status, 400)
    assert.equal((await server.post(path(token, '$lamp', 'typing'))).status, 400)
    assert.equal((await server.post(path(token, 'lamp', 'typing'), 'no JSON')).status, 400)
    const large = await server.post(path(token, 'lamp', 'typing'), { text: 'x'.repeat(65536) })
    assert.equal(large.status, 413)
    assert.match(large.json().error, /65536 bytes that an event may have/)
    const again = await server.post(path(token, 'lamp', 'typing'), { n: 1 }, { 'Idempotency-Key': 'k' })
    assert.equal(again.status, 400)
    assert.match(again.json().error, /events are not stored/)
    assert.notEqual((await device.publish(`$events/${token}/typing/lamp`, 'x'.repeat(65537), { qos: 1 })).code, 0)
    assert.equal((await device.publish(`$events/${token}/typing/lamp`, 'x'.repeat(65536), { qos: 1 })).code, 0)
    assert.equal((await server.get(path(token, 'lamp'))).status, 405)
  })
})

group('events and rights', () => {
  it('need the right to publish to the thing, and stop with the tenant; plans limit them', async () => {
    const server = new Server({ set: { 'tokens.access': 'registered', 'plan:small.writes_per_hour': 5, 'plan:small.payload_max': 100 } })
    await server.start()
    try {
      const small = await server.planToken('small')
      for (const n of range(5)) await tell(server, small, 'lamp', 'tick', { n })
      const late = await server.post(path(small, 'lamp', 'tick'), {})
      assert.equal(late.status, 429)
      assert.ok(Number(late.headers['retry-after']) > 3000)
      await server.say(small, 'lamp', {}) // messages have a count of their own
      const other = await server.planToken('small')
      assert.equal((await server.post(path(other, 'lamp', 'tick'), { text: 'x'.repeat(100) })).status, 413)

      assert.equal((await server.cli('tenant', 'create', 'acme')).code, 0)
      const key = await keyOf(server, 'acme', '--publish', 'home/#', '--subscribe', 'home/#')
      const headers = { Authorization: `Bearer ${key}` }
      assert.equal((await server.post(path('acme', 'home/lamp', 'tick'), {}, headers)).status, 200)
      assert.equal((await server.post(path('acme', 'shed/lamp', 'tick'), {}, headers)).status, 403)
      assert.equal((await server.post(path('acme', 'home/lamp', 'tick'), {})).status, 401)
      const device = await server.device({ token: 'acme', password: key })
      assert.deepEqual(await device.subscribe(['$events/acme/+/home/lamp', '$events/acme/+/shed/lamp', '$events/acme/#']), [1, 0x87, 0x87])
      assert.equal((await device.publish('$events/acme/tick/home/lamp', 'on', { qos: 1 })).code, 0)
      assert.equal((await device.publish('$events/acme/tick/shed/lamp', 'on', { qos: 1 })).code, 0x87)
      assert.equal((await device.message()).text, 'on')
      assert.equal((await server.cli('tenant', 'suspend', 'acme')).code, 0)
      assert.equal((await server.post(path('acme', 'home/lamp', 'tick'), {}, headers)).status, 403)
    } finally {
      await server.close()
    }
  })
})
