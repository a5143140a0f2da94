'use strict'
// SIGUSR1: what every thread holds, as lines of log.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, group, Server, newToken } = require('./harness/server')
const { subscribe } = require('./harness/wire')
const { until } = require('./harness/waits')

const stateLines = (server) => server.stderr.split('\n').filter((line) => / info state: /.test(line))
  .map((line) => line.replace(/^.* info state: /, ''))
const matching = (server, expression) => stateLines(server).map((line) => expression.exec(line)).filter(Boolean)

// The line that fits, once it is there.
const line = (server, expression) => until(() => matching(server, expression)[0], `${expression} in the log`)

suite('SIGUSR1', { set: { 'mqtt.workers': 2, 'http.workers': 2 } }, (server) => {
  it('has every thread log what it holds, and no token in full', async () => {
    const token = newToken()
    const reader = await server.listen(token, 'a')
    const deaf = await server.wire({ token, clientId: 'deaf' })
    deaf.send(subscribe({ filter: `${token}/#` }))
    await deaf.expect('SUBACK')
    deaf.socket.pause()
    const text = 'x'.repeat(60000)
    for (let i = 0; i < 120; i++) await server.say(token, 'a', JSON.stringify({ text }))
    reader.close()
    server.child.kill('SIGUSR1')

    await line(server, /^SIGUSR1: state of process \d+; 0 signals/)
    const [, mood, queued] = await line(server, /^writer: (accepting|refusing appends), [a-z ]+, (\d+) of \d+ commands queued or in hand, last commit \d+ ms ago/)
    assert.equal(mood, 'accepting')
    assert.ok(Number(queued) < 1000)
    const [, head, held] = await line(server, /^store: head (\d+), \d+ of \d+ bytes, \d+ entries, \d+ sessions, (\d+) snapshots held, the oldest \d+ commits behind$/)
    assert.ok(Number(head) >= 120)
    assert.ok(Number(held) >= 0)
    let connections = 0
    for (const worker of [0, 1, 2]) { // the last is the administrators'
      connections += Number((await line(server, new RegExp(`^worker ${worker}: (\\d+) connections: \\d+ new, \\d+ open`)))[1])
      await line(server, new RegExp(`^worker ${worker}: mailboxes: \\d+ results, \\d+ batches`))
    }
    assert.equal(connections, 2) // the deaf client and the link
    const [, shown, owed] = await line(server, /^worker \d: most output queued: connection \d+ of token (\S+), 127\.0\.0\.1:\d+: (\d+) bytes queued/)
    assert.equal(shown, `${token.slice(0, 4)}…`)
    assert.ok(Number(owed) > 10000, owed)
    await line(server, /^link: up; \d+ requests, \d+ of them waiting/)
    await line(server, /^streamer 0: \d+ streams: \d+ live, \d+ reading the log/)
    for (const thread of [0, 1]) await line(server, new RegExp(`^http ${thread}: connections: \\d+ idle`))
  })

  it('is answered once in five seconds at most, and does not end the server', async () => {
    const before = matching(server, /^SIGUSR1: /).length
    for (let i = 0; i < 20; i++) server.child.kill('SIGUSR1')
    assert.equal((await server.get('/health')).status, 200)
    const after = matching(server, /^SIGUSR1: /).length
    assert.ok(after - before <= 1, `${after - before} more dumps`)
  })
})

group('SIGUSR1 of a broker and a bridge apart', () => {
  it('each logs its own threads', async () => {
    const broker = await new Server({ command: 'broker' }).start()
    const bridge = await new Server({ command: 'bridge', data: broker.data }).start()
    try {
      await until(async () => (await bridge.get('/health')).status === 200, 'the link')
      broker.child.kill('SIGUSR1')
      bridge.child.kill('SIGUSR1')
      await line(broker, /^writer: /)
      await line(broker, /^worker 0: \d+ connections/)
      await line(bridge, /^link: up/)
      await line(bridge, /^http 0: /)
      assert.equal(matching(broker, /^link: /).length, 0)
      assert.equal(matching(bridge, /^worker /).length, 0)
    } finally {
      await bridge.close()
      await broker.close()
    }
  })
})
