'use strict'
// The bridge's queue to a broker that does not get on: one token cannot fill it.
const assert = require('node:assert/strict')
const { it, before, after } = require('node:test')
const { Server, group, newToken, until } = require('./harness/server')
const { Socket } = require('./harness/socket')

const SOCKETS = 260 // each may have 64 requests without an answer: more than the queue's 16,384

group('The queue to the broker', () => {
  const broker = new Server({ command: 'broker' })
  let bridge

  before(async () => {
    await broker.start()
    bridge = new Server({ command: 'bridge', data: broker.data, set: { 'http.streamers': 1 } })
    await bridge.start()
    await until(async () => (await bridge.get('/health')).status === 200, 'the link')
  })
  after(async () => {
    await bridge.close()
    await broker.close()
  })

  it('one token that fills its share leaves another room, and is told why it has none', async () => {
    const greedy = newToken()
    const sockets = []
    for (let n = 0; n < SOCKETS; n++) sockets.push(await Socket.open(bridge, greedy))
    const other = await Socket.open(bridge, newToken())
    await broker.freeze()
    for (const socket of sockets) {
      socket.send(Array.from({ length: 64 }, (_, ref) => ({ publish: { thing: 'a', payload: ref, ref } })))
    }
    // the first of what is beyond the share
    const { error } = await Promise.any(sockets.map((socket) => socket.expect('error')))
    assert.equal(error.status, 503)
    assert.match(error.reason, /^queue full: .* retry later$/)
    assert.equal(error.retryAfter, 1)
    const stored = other.publish({ thing: 'a', payload: 'mine', ref: 1 })
    let answered = false
    stored.then(() => { answered = true }, () => {})
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(answered, false, JSON.stringify(answered && await stored)) // it waits, as for any broker that is slow
    broker.thaw()
    const ack = await stored
    assert.ok(ack.id > 0, JSON.stringify(ack))
    for (const socket of sockets) socket.client.terminate()
  })

  it('a broker that is away is another answer', async () => {
    const socket = await Socket.open(bridge, newToken())
    await broker.kill9()
    const refused = await socket.publish({ thing: 'a', payload: 1, ref: 2 })
    assert.equal(refused.status, 503)
    assert.equal(refused.reason, 'broker away, nothing was stored: retry')
  })
})
