'use strict'
// Names that are first segments of doors' paths: nobody gets a new one, and what was
// stored under one before keeps working.
const assert = require('node:assert/strict')
const { it, before, after } = require('node:test')
const { Server, suite, group, newToken } = require('./harness/server')

const RESERVED = ['rooms', 'users', 'messages', 'bans', 'unban', 'me', 'random', 'tokens', 'chat', 'v1', 'api', 'ws',
  'realtime', 'storage', 'acks', 'notify', 'subscriptions', 'bots', 'admin', 'health', 'metrics', 'mqtt', 'console', 'assets', 'docs']

for (const runs of [true, false]) {
  group(`reserved names ${runs ? 'with' : 'without'} a running server`, () => {
    const server = new Server({ set: { 'tokens.access': 'registered' } })
    before(async () => {
      if (runs) await server.start()
      else assert.equal((await server.cli('tenant', 'create', 'first')).code, 0)
    })
    after(() => server.close())

    it('no tenant and no token is created with one', async () => {
      for (const name of runs ? RESERVED : RESERVED.slice(0, 3)) {
        for (const what of ['tenant', 'token']) {
          const { code, stdout, stderr } = await server.cli(what, 'create', name)
          assert.deepEqual([code, stdout], [1, ''], `${what} ${name}`)
          assert.match(stderr, /reserved: it is the first segment of paths/)
        }
      }
      assert.doesNotMatch((await server.cli('tenant', 'list')).stdout, /^(rooms|v1)\t/m)
    })

    it('names that only look like one are free', async () => {
      for (const name of ['Rooms', 'room', 'rooms2', 'v10', 'mqtt_']) {
        assert.equal((await server.cli('tenant', 'create', name)).code, 0, name)
      }
    })
  })
}

suite('reserved names in open mode', {}, (server) => {
  it('HTTP refuses them and says why', async () => {
    for (const name of RESERVED) {
      const answer = await server.post(`/${name}/chat/x`, { n: 1 })
      assert.equal(answer.status, 400, name)
      assert.match(answer.json().error, /reserved/)
    }
    for (const path of ['/rooms/things', '/users/chat/x/latest', '/v1/listen?things=%23']) {
      assert.equal((await server.get(path)).status, 400, path)
    }
    assert.equal((await server.post(`/${newToken()}/chat/x`, { n: 1 })).status, 200)
  })

  it('devices may use them as first levels of topics; then they are served, and named at the next start', async () => {
    const device = await server.device({ token: 'rooms' })
    await device.publish('rooms/hall', '{"n":1}')
    const fixed = await server.device({})
    await fixed.publish('messages/inbox', '{"n":2}')
    assert.deepEqual((await server.get('/rooms/chat/hall/latest')).json().chat, { n: 1 })
    assert.deepEqual((await server.get('/messages/things')).json(), ['inbox'])
    assert.doesNotMatch(server.stderr, /reserved for paths/)
    await server.stop()
    await server.start()
    assert.match(server.stderr, /reserved for paths of HTTP APIs: rooms, messages\. /)
    assert.deepEqual((await server.get('/rooms/things')).json(), ['hall'])
    const made = await server.cli('token', 'create', 'rooms')
    assert.equal(made.code, 1)
    assert.match(made.stderr, /reserved/)
  })
})
