'use strict'
// GET /health, and broker and bridge as two processes.
const assert = require('node:assert/strict')
const { it, before, after } = require('node:test')
const { Server, suite, group, together, newToken, chat, until } = require('./harness/server')
const { scaled, within } = require('./harness/waits')

suite('GET /health', {}, (server) => {
  it('200 with `{"status":"ok","uptime":"2h30m45s","db_writable":true,"broker":"up","version":…}`', async () => {
    const answer = await server.get('/health')
    assert.equal(answer.status, 200)
    assert.match(answer.headers['content-type'], /^application\/json/)
    const health = answer.json()
    assert.deepEqual(Object.keys(health), ['status', 'uptime', 'db_writable', 'broker', 'version'])
    const { uptime, version, ...rest } = health
    assert.deepEqual(rest, { status: 'ok', db_writable: true, broker: 'up' })
    assert.match(uptime, /^((\d+h)?[0-5]?\dm)?[0-5]?\ds$/)
    assert.match(version, /^\d+\.\d+/)
    const told = await server.cli('--version')
    assert.ok(told.stdout.includes(version), `${told.stdout} has ${version}`)
  })

  it('the uptime grows', async () => {
    const seconds = async () => {
      const { uptime } = (await server.get('/health')).json()
      const [, h, m, s] = /^(?:(\d+)h)?(?:(\d+)m)?(\d+)s$/.exec(uptime)
      return Number(h ?? 0) * 3600 + Number(m ?? 0) * 60 + Number(s)
    }
    const first = await seconds()
    await until(async () => await seconds() > first, 'a later uptime')
  })

  it('at most one real write per second, however often it is asked', async () => {
    const commits = async () => {
      const status = await server.cli('status')
      assert.equal(status.code, 0, status.stderr)
      const found = /"commits":\s*(\d+)/.exec(status.stdout)
      assert.ok(found, `status tells commits: ${status.stdout}`)
      return Number(found[1])
    }
    const [started, from] = [Date.now(), await commits()]
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(Array.from({ length: 40 }, () => server.get('/health')))
      for (const answer of answers) assert.equal(answer.status, 200)
    }
    const [took, to] = [Date.now() - started, await commits()]
    // other commits: lazily saved counters, at most once a second as well
    assert.ok(to - from <= 2 * (2 + took / 1000), `${to - from} commits in ${took} ms for 400 questions`)
  })

  it('asking for health is free: no token, no limit', async () => {
    for (let i = 0; i < 100; i++) assert.equal((await server.get('/health')).status, 200)
  })
})

// A broker and a bridge on one data folder.
class Pair {
  constructor () { this.broker = new Server({ command: 'broker' }) }

  async start () {
    await this.broker.start()
    this.bridge = new Server({ command: 'bridge', data: this.broker.data })
    await this.bridge.start()
    await until(async () => (await this.bridge.get('/health')).status === 200, 'the link')
    return this
  }

  // the bridge first, for it reads in the broker's folder
  async close () {
    await this.bridge.close()
    await this.broker.close()
  }
}

together('confab broker and confab bridge', () => {
  group('confab broker and confab bridge as two processes', () => {
    const pair = new Pair()
    let broker, bridge
    const token = newToken()
    before(async () => { ({ broker, bridge } = await pair.start()) })
    after(() => pair.close())

    it('messages cross', async () => {
      const listener = await bridge.listen(token, 'x')
      const device = await broker.subscriber(token, 'x')
      await bridge.say(token, 'x', { n: 1 })
      assert.equal((await device.message()).text, '{"n":1}')
      await device.publish(`${token}/x`, '{"n":2}')
      assert.deepEqual((await listener.messages(2)).map(({ chat }) => chat.n), [1, 2])
    })

    it('503 broker away, with `Retry-After`; GETs go on, streams stay open and catch up', async () => {
      const last = await bridge.say(token, 'y', { n: 1 })
      const listener = await bridge.listen(token, 'y')
      const replay = await bridge.listen(token, 'y', { 'Last-Event-ID': String(last - 1) })
      await replay.messages(1)
      await broker.kill9()

      const refused = await until(async () => {
        const answer = await bridge.post(chat(token, 'y'), { n: 'lost' }, {}, { limit: scaled(15000) })
        return answer.status !== 200 && answer
      }, 'a refusal', scaled(20000))
      assert.equal(refused.status, 503, refused.text)
      assert.match(refused.headers['retry-after'], /^\d+$/)
      assert.equal(typeof refused.json().error, 'string')
      assert.deepEqual((await bridge.latest(token, 'y')).chat, { n: 1 })
      assert.deepEqual((await bridge.history(token, 'y')).length, 1)
      const ill = await until(async () => {
        const answer = await bridge.get('/health')
        return answer.status === 503 && answer
      }, 'health 503')
      assert.deepEqual([ill.json().db_writable, ill.json().broker], [false, 'down'])
      const late = await bridge.listen(token, 'y') // opened without a broker

      await broker.restart()
      // MQTT may be back before the link is: the streams must get this, too
      const device = await broker.device({ token })
      await device.publish(`${token}/y`, '{"n":2}')
      await until(async () => (await bridge.post(chat(token, 'y'), { n: 3 })).status === 200, 'POST again')
      for (const stream of [listener, replay, late]) {
        assert.deepEqual((await stream.messages(2)).map(({ chat }) => chat.n), [2, 3])
      }
      await until(async () => (await bridge.get('/health')).status === 200, 'health again')
    })

    it('a bridge that comes first waits for its broker', async () => {
      await bridge.stop()
      await broker.stop()
      await bridge.restart()
      assert.equal((await bridge.post(chat(token, 'x'), {})).status, 503)
      assert.equal((await bridge.get(chat(token, 'x', '/latest'))).status, 200)
      await broker.restart()
      await until(async () => (await bridge.post(chat(token, 'x'), {})).status === 200, 'POST through')
    })

    it('each ends by itself on SIGTERM, the stream with its bridge', async () => {
      const listener = await bridge.listen(token, 'x')
      await broker.stop()
      await bridge.stop()
      assert.deepEqual(await within(listener.ended, 'end of stream'), { complete: false, unfinished: false })
      await broker.start()
      await bridge.start()
    })
  })

  group('a broker that does not answer', () => {
    const pair = new Pair()
    let broker, bridge
    before(async () => { ({ broker, bridge } = await pair.start()) })
    after(() => pair.close())

    it('504 outcome unknown', async () => {
      const token = newToken()
      await bridge.say(token, 'z', { n: 1 })
      await broker.freeze()
      try {
        const answers = await Promise.all([
          bridge.post(chat(token, 'z'), { n: 2 }, { 'Idempotency-Key': 'unsure' }, { limit: scaled(40000) }),
          bridge.post(chat(token, 'z'), { n: 2 }, { 'Idempotency-Key': 'unsure' }, { limit: scaled(40000) })
        ])
        for (const answer of answers) {
          assert.equal(answer.status, 504, answer.text)
          assert.equal(typeof answer.json().error, 'string')
        }
      } finally {
        broker.thaw()
      }
      // the way out that the error names: the same key again
      await until(async () => (await bridge.post(chat(token, 'z'), { n: 2 }, { 'Idempotency-Key': 'unsure' })).status === 200, 'POST again')
      assert.deepEqual((await bridge.history(token, 'z')).map(({ chat }) => chat.n), [2, 1])
    })
  })
})
