'use strict'
// Plans: rate limits and the other figures of a plan.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, secret, chat } = require('./harness/server')
const { within, until, scaled } = require('./harness/waits')
const wire = require('./harness/wire')

const UNLIMITED = '2147483647'

suite('X-RateLimit-Remaining', {}, (server) => {
  it('`X-RateLimit-Remaining` on every response of a token\'s endpoints, errors and streams included', async () => {
    const token = await server.freeToken()
    await server.say(token, 'x', {})
    const etag = `"${(await server.latest(token, 'x')).id}"`
    const answers = {
      'POST 200': server.post(chat(token, 'x'), {}),
      'POST 400': server.post(chat(token, 'x'), 'nonsense'),
      'POST 413': server.post(chat(token, 'x'), { fill: 'x'.repeat(20000) }),
      'latest 200': server.get(chat(token, 'x', '/latest')),
      'latest 304': server.get(chat(token, 'x', '/latest'), { 'If-None-Match': etag }),
      'latest 404': server.get(chat(token, 'y', '/latest')),
      'latest HEAD': server.head(chat(token, 'x', '/latest')),
      'history 200': server.get(chat(token, 'x', '/history')),
      'history 400': server.get(chat(token, 'x', '/history?limit=x')),
      'history NDJSON': server.get(chat(token, 'x', '/history'), { Accept: 'application/x-ndjson' }),
      'history CSV': server.get(chat(token, 'x', '/history'), { Accept: 'text/csv' }),
      things: server.get(`/${token}/things`),
      'thing 400': server.get(chat(token, 'a+b', '/latest')),
      '405': server.request(chat(token, 'x', '/latest'), { method: 'DELETE' }),
      OPTIONS: server.options(chat(token, 'x')),
      'listen 400': server.get(`/${token}/listen?things=a%2B`)
    }
    for (const [what, asked] of Object.entries(answers)) {
      const answer = await asked
      assert.match(answer.headers['x-ratelimit-remaining'] ?? 'missing', /^\d+$/, what)
    }
    for (const path of [chat(token, 'x', '/listen'), `/${token}/listen?things=x`]) {
      const stream = await server.stream(path)
      assert.match(stream.headers['x-ratelimit-remaining'], /^\d+$/)
    }
  })

  it('writes left on POST, reads left on GET', async () => {
    const token = await server.freeToken()
    for (const left of [99, 98, 97]) assert.equal((await server.post(chat(token, 'x'), {})).remaining, left)
    for (const left of [59, 58]) assert.equal((await server.get(chat(token, 'x', '/latest'))).remaining, left)
    assert.equal((await server.get(`/${token}/things`)).remaining, 57)
    assert.equal((await server.get(chat(token, 'x', '/history'))).remaining, 56)
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 96)
  })

  it('an unlimited plan sends 2147483647', async () => {
    for (const token of [newToken(), await server.planToken('paid')]) {
      const answers = [
        await server.post(chat(token, 'x'), {}),
        await server.get(chat(token, 'x', '/latest')),
        await server.get(`/${token}/things`),
        await server.stream(chat(token, 'x', '/listen')),
        await server.post(chat(token, 'x'), '!')
      ]
      for (const answer of answers) assert.equal(answer.headers['x-ratelimit-remaining'], UNLIMITED)
    }
  })

  it('a listen counts as 5 reads', async () => {
    const token = await server.freeToken()
    const first = await server.stream(chat(token, 'x', '/listen'))
    assert.equal(first.headers['x-ratelimit-remaining'], '55')
    const second = await server.stream(`/${token}/listen?things=%23,x`)
    assert.equal(second.headers['x-ratelimit-remaining'], '50')
    assert.equal((await server.get(`/${token}/things`)).remaining, 49)
  })

  it('HEAD and 304 count 1', async () => {
    const token = await server.freeToken()
    const id = await server.say(token, 'x', {})
    assert.equal((await server.head(chat(token, 'x', '/latest'))).remaining, 59)
    const answer = await server.get(chat(token, 'x', '/latest'), { 'If-None-Match': `"${id}"` })
    assert.equal(answer.status, 304)
    assert.equal(answer.remaining, 58)
    assert.equal((await server.head(chat(token, 'x', '/listen'))).remaining, 57)
  })

  it('OPTIONS, refused requests (4xx other than 404), 5xx and idempotent repeats count 0', async () => {
    const token = await server.freeToken()
    const key = { 'Idempotency-Key': 'once' }
    assert.equal((await server.post(chat(token, 'x'), {}, key)).remaining, 99)
    const repeat = await server.post(chat(token, 'x'), {}, key)
    assert.equal(repeat.status, 200)
    assert.equal(repeat.remaining, 99)
    await server.options(chat(token, 'x'))
    await server.post(chat(token, 'x'), '[]')
    await server.post(chat(token, 'x'), { fill: 'x'.repeat(20000) })
    await server.post(chat(token, 'a+b'), {})
    await server.request(chat(token, 'x'), { method: 'PUT' })
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 98)
    await server.options(chat(token, 'x', '/latest'))
    await server.get(chat(token, 'x', '/history?limit=0'))
    await server.get(`/${token}/listen?things=`)
    assert.equal((await server.get(chat(token, 'none', '/latest'))).status, 404)
    assert.equal((await server.get(chat(token, 'x', '/latest'))).remaining, 58, '404 counts, 400 does not')
  })

  it('Over the limit: 429 and `Retry-After` in seconds (free: 100 writes an hour)', async () => {
    const token = await server.freeToken()
    for (let left = 99; left >= 0; left--) {
      const answer = await server.post(chat(token, 'x'), { left })
      assert.deepEqual([answer.status, answer.remaining], [200, left])
    }
    for (let i = 0; i < 2; i++) {
      const refused = await server.post(chat(token, 'x'), { refused: true })
      assert.equal(refused.status, 429, refused.text)
      assert.equal(refused.remaining, 0)
      const wait = Number(refused.headers['retry-after'])
      assert.ok(Number.isInteger(wait) && wait > 3500 && wait <= 3600, `${wait}`)
      assert.equal(typeof refused.json().error, 'string')
    }
    assert.deepEqual((await server.latest(token, 'x')).chat, { left: 0 }, 'nothing was stored')
    assert.equal((await server.post(chat(newToken(), 'x'), {})).status, 200, 'limits are per token')
  })

  it('Over the limit: 429 and `Retry-After` in seconds (free: 60 reads an hour)', async () => {
    const token = await server.freeToken()
    for (let left = 59; left >= 0; left--) {
      const answer = await server.get(`/${token}/things`)
      assert.deepEqual([answer.status, answer.remaining], [200, left])
    }
    for (const path of [`/${token}/things`, chat(token, 'x', '/latest'), chat(token, 'x', '/history'), chat(token, 'x', '/listen')]) {
      const refused = await server.get(path)
      assert.equal(refused.status, 429, refused.text)
      assert.match(refused.headers['retry-after'], /^\d+$/)
      assert.equal(refused.remaining, 0)
    }
    assert.equal((await server.post(chat(token, 'x'), {})).status, 200, 'writes have their own count')
  })

  it('plan free: this allows up to 12 simultaneous SSE connections', async () => {
    const token = await server.freeToken()
    for (let i = 1; i <= 12; i++) {
      const stream = await server.stream(chat(token, 'x', '/listen'))
      assert.equal(stream.status, 200)
      assert.equal(stream.headers['x-ratelimit-remaining'], String(60 - 5 * i))
    }
    assert.equal((await server.get(chat(token, 'x', '/listen'))).status, 429)
  })
})

suite('A small plan', {
  set: { 'plan:free.writes_per_hour': 3, 'plan:free.reads_per_hour': 7 }
}, (server) => {
  it('A listen needs 5 reads left, else 429', async () => {
    const token = await server.freeToken()
    assert.equal((await server.stream(chat(token, 'x', '/listen'))).headers['x-ratelimit-remaining'], '2')
    const refused = await server.get(chat(token, 'x', '/listen'))
    assert.equal(refused.status, 429)
    assert.equal(refused.remaining, 2, 'and counts nothing')
    assert.match(refused.headers['retry-after'], /^\d+$/)
    assert.equal((await server.get(`/${token}/things`)).remaining, 1)
  })

  it('Window: one hour per token, one start for reads and writes, from its first counted request', async () => {
    const token = await server.freeToken()
    await server.post(chat(token, 'x'), 'not counted')
    await server.say(token, 'x', {})
    const opened = Date.now()
    while (Date.now() - opened < 2100) await server.options(`/${token}/things`) // time must pass
    const before = Date.now()
    for (let i = 0; i < 7; i++) assert.equal((await server.get(`/${token}/things`)).status, 200)
    const read = await server.get(`/${token}/things`)
    for (let i = 0; i < 2; i++) await server.say(token, 'x', {})
    const write = await server.post(chat(token, 'x'), {})
    for (const refused of [read, write]) {
      assert.equal(refused.status, 429)
      const wait = Number(refused.headers['retry-after'])
      const expected = 3600 - (before - opened) / 1000
      assert.ok(wait <= expected + 1 && wait > expected - scaled(5000) / 1000, `${wait}, expected about ${expected}`)
    }
  })

  it('many at once do not get more than the limit', async () => {
    const token = await server.freeToken()
    const posts = await Promise.all(Array.from({ length: 30 }, (_, n) => server.post(chat(token, 'x'), { n })))
    assert.equal(posts.filter(({ status }) => status === 200).length, 3)
    assert.equal(posts.filter(({ status }) => status === 429).length, 27)
    const reads = await Promise.all(Array.from({ length: 30 }, () => server.get(`/${token}/things`)))
    assert.equal(reads.filter(({ status }) => status === 200).length, 7)
    assert.equal(reads.filter(({ status }) => status === 429).length, 23)
  })

  it('MQTT writes count against the same hourly limit', async () => {
    const token = await server.freeToken()
    const device = await server.device({ token })
    assert.equal((await device.publish(`${token}/x`, '{"n":1}')).code, 0)
    assert.equal((await server.post(chat(token, 'x'), { n: 2 })).remaining, 1)
    assert.equal((await device.publish(`${token}/x`, '{"n":3}')).code, 0)
    assert.equal((await server.post(chat(token, 'x'), { n: 4 })).status, 429)
    const refused = await device.publish(`${token}/x`, '{"n":5}')
    assert.equal(refused.code, 0x97)
    assert.deepEqual((await server.latest(token, 'x')).chat, { n: 3 })
    // QoS 0: drop, and the connection lives
    await device.publish(`${token}/x`, '{"n":6}', { qos: 0 })
    assert.equal((await device.publish(`${token}/x`, '{"n":7}')).code, 0x97)
    assert.equal((await server.history(token, 'x')).length, 3)
  })

  it('over the limit, PUBACK 0x97 says when to come back', async () => {
    const token = await server.freeToken()
    const device = await server.device({ token })
    for (let n = 0; n < 3; n++) await device.publish(`${token}/x`, { n })
    const { code, properties } = await device.publish(`${token}/x`, '{}')
    assert.equal(code, 0x97)
    assert.ok(properties.reasonString?.length > 0, 'a reason string')
    const wait = Number(properties.userProperties?.['confab-retry-after'])
    assert.ok(wait > 3500 && wait <= 3600, JSON.stringify(properties))
  })

  it('over the limit, 3.1.1: the PUBACK is held back', async () => {
    const token = await server.freeToken()
    const device = await server.wire({ v: 4, token, clientId: 'old' })
    for (let id = 1; id <= 3; id++) {
      device.send(wire.publish({ v: 4, topic: `${token}/x`, payload: '{}', qos: 1, id }))
      await device.expect('PUBACK')
    }
    device.send(wire.publish({ v: 4, topic: `${token}/x`, payload: '{}', qos: 1, id: 4 }))
    // Whatever the server says to others meanwhile, it says nothing to this one.
    const other = newToken()
    for (let n = 0; n < 20; n++) await server.say(other, 'x', { n })
    assert.deepEqual(device.packets.items, [])
    assert.equal((await server.history(token, 'x')).length, 3)
  })
})

suite('Other figures of a plan', {
  set: {
    'plan:free.connections': 2,
    'plan:free.things_max': 3,
    'plan:paid.inflight': 7,
    'plan:paid.payload_max': 1000,
    'plan:small.bytes_max': 100000
  }
}, (server) => {
  it('`local` is the plan of names first seen in use in open mode: unlimited, payload 1 MiB', async () => {
    const token = newToken()
    for (const answer of [await server.post(chat(token, 'x'), {}), await server.get(`/${token}/things`)]) {
      assert.equal(answer.headers['x-ratelimit-remaining'], UNLIMITED)
    }
    const body = (size) => `{"x":"${'x'.repeat(size - 8)}"}`
    assert.equal((await server.post(chat(token, 'x'), body(1024 * 1024))).status, 200)
    assert.equal((await server.post(chat(token, 'x'), body(1024 * 1024 + 1))).status, 413)
  })

  it('Every figure is a configuration key of its plan: payload_max', async () => {
    const token = await server.planToken('paid')
    assert.equal((await server.post(chat(token, 'x'), `{"x":"${'x'.repeat(992)}"}`)).status, 200)
    assert.equal((await server.post(chat(token, 'x'), `{"x":"${'x'.repeat(993)}"}`)).status, 413)
    const device = await server.device({ token })
    assert.equal((await device.publish(`${token}/x`, 'x'.repeat(1000))).code, 0)
  })

  it('payload_max over MQTT: more is refused, nothing stored', async () => {
    const token = await server.planToken('paid')
    const device = await server.device({ token })
    const outcome = await Promise.race([
      device.publish(`${token}/x`, 'x'.repeat(1001)).then(({ code }) => code, () => 'closed'),
      device.closed.then((packet) => packet?.reasonCode ?? 'closed')
    ])
    assert.ok([0x95, 0x97].includes(outcome), `${outcome}`)
    assert.deepEqual(await server.history(token, 'x'), [])
  })

  it('Every figure is a configuration key of its plan: inflight is the Receive Maximum', async () => {
    const device = await server.device({ token: await server.planToken('paid') })
    assert.equal(device.connack.properties.receiveMaximum, 7)
  })

  it('Every figure is a configuration key of its plan: connections, streams', async () => {
    const token = await server.freeToken()
    const streams = [await server.listen(token, 'x'), await server.listen(token, 'x')]
    const refused = await server.get(chat(token, 'x', '/listen'))
    assert.ok([429, 503].includes(refused.status), `${refused.status}`)
    await server.say(token, 'x', { n: 1 })
    for (const stream of streams) assert.equal((await stream.expect('message')).chat.n, 1)
    streams[0].close()
    await within((async () => {
      for (;;) {
        const stream = await server.stream(chat(token, 'x', '/listen'))
        if (stream.status === 200) return
      }
    })(), 'a free place after one left')
  })

  it('Every figure is a configuration key of its plan: connections, MQTT', async () => {
    const token = await server.freeToken()
    const devices = [await server.device({ token }), await server.device({ token })]
    await assert.rejects(server.device({ token }), (error) => error.code >= 0x80)
    for (const device of devices) assert.equal((await device.publish(`${token}/x`, '{}')).code, 0)
  })

  it('Every figure is a configuration key of its plan: things_max', async () => {
    const token = await server.freeToken()
    for (const thing of ['a', 'b', 'c']) await server.say(token, thing, {})
    const refused = await server.post(chat(token, 'd'), {})
    assert.equal(refused.status, 429, refused.text)
    assert.match(refused.json().error, /thing/i)
    const device = await server.device({ token })
    assert.equal((await device.publish(`${token}/e`, '{}')).code, 0x97)
    await server.say(token, 'a', { again: true })
    assert.deepEqual(await server.things(token), ['a', 'b', 'c'])
  })

  it('Every figure is a configuration key of its plan: bytes_max', async () => {
    const made = await server.cli('token', 'create', '--plan', 'small')
    assert.equal(made.code, 0, made.stderr)
    const token = secret(made.stdout.trim())
    const statuses = []
    for (let n = 0; n < 40; n++) {
      const { status } = await server.post(chat(token, 'x'), { n, fill: 'x'.repeat(9000) })
      assert.ok([200, 507].includes(status), `${status}`)
      statuses.push(status)
    }
    assert.equal(statuses[0], 200)
    await within((async () => {
      for (;;) {
        const [{ bytes }] = await server.things(token, '?detail=1')
        if (bytes <= 100000) return
      }
    })(), 'stored bytes within bytes_max')
  })
})

suite('Retention', {
  set: { 'plan:brief.retention_age': 2, 'plan:few.retention_count': 20 }
}, (server) => {
  // → number of messages left once the server has trimmed for good
  async function settle (token, goal, what) {
    return await within((async () => {
      for (;;) {
        const { length } = await server.history(token, 'x', '?limit=1000')
        if (goal(length)) return length
      }
    })(), what, scaled(15000))
  }

  it('retention_count: messages kept per thing', async () => {
    const token = await server.planToken('few')
    for (let n = 0; n < 100; n++) await server.say(token, 'x', { n })
    const left = await settle(token, (length) => length < 52, 'trimming by count')
    const history = await server.history(token, 'x', '?limit=1000')
    assert.ok(left >= 20 && history.length >= 20)
    assert.deepEqual(history.map(({ chat }) => chat.n), Array.from({ length: history.length }, (_, i) => 99 - i))
    const [detail] = await server.things(token, '?detail=1')
    assert.deepEqual([detail.count, detail.lastSeq], [history.length, 100])
  })

  it('retention_age: seconds a message stays readable', async () => {
    const token = await server.planToken('brief')
    for (let n = 0; n < 40; n++) await server.say(token, 'x', { n })
    assert.equal((await server.history(token, 'x', '?limit=1000')).length, 40, 'too young to go')
    // The server looks for old messages every minute, and when it starts.
    const said = Date.now()
    await until(() => Date.now() - said > 2500, 'growing old')
    await server.stop()
    await server.restart()
    await settle(token, (length) => length < 32, 'trimming by age')
  })
})

suite('Storage full', { set: { 'store.map_size': 16 * 1024 * 1024, 'limits.token_share': 100 } }, (server) => {
  it('507 storage full; what was acknowledged stays readable', async () => {
    const token = newToken()
    let last
    let n = 0
    // ever smaller, so that in the end there is no room for anything
    for (const size of [500000, 5000, 1]) {
      const fill = 'x'.repeat(size)
      let full
      for (let tries = 0; tries < 5000 && !full; tries++) {
        const answer = await server.post(chat(token, 'x'), { n, fill })
        if (answer.status === 200) last = n++
        else full = answer
      }
      assert.equal(full?.status, 507, 'the store fills up')
      assert.equal(typeof full.json().error, 'string')
      assert.ok(last > 10, `after ${last} messages`)
      assert.equal((await server.latest(token, 'x')).chat.n, last)
    }
    const device = await server.device({ token })
    // a payload this small may still have found a place
    await until(async () => (await device.publish(`${token}/small`, '{}')).code === 0x97, 'PUBACK 0x97')
    assert.deepEqual((await server.history(token, 'x')).map((message) => message.chat.n), Array.from({ length: Math.min(50, last + 1) }, (_, i) => last - i))
  })

  it('far above the limit: 507 for everything, health 503, reading goes on; with more room writing resumes', async () => {
    const token = newToken()
    for (let n = 0; n < 4; n++) await server.post(chat(token, 'x'), { n }) // some may still fit
    const things = await server.things(token)
    await server.stop()
    await server.restart({ 'store.map_size': 8 * 1024 * 1024 })
    assert.equal((await server.post(chat(token, 'x'), {})).status, 507)
    const device = await server.device({ token })
    assert.equal((await device.publish(`${token}/x`, '{}')).code, 0x97)
    const health = await server.get('/health')
    assert.deepEqual([health.status, health.json().db_writable], [503, false])
    assert.deepEqual(await server.things(token), things)
    await server.stop()
    await server.restart({ 'store.map_size': 64 * 1024 * 1024 })
    await server.say(token, 'x', { again: true })
    assert.deepEqual((await server.latest(token, 'x')).chat, { again: true })
    await until(async () => (await server.get('/health')).status === 200, 'health again')
  })
})
