'use strict'
// Wills of stored sessions over kill -9, with clients that knock until the server
// is there again, so that they are in before it has done anything else. A will
// without a delay is due when the connection ends, also when the server ends it
// (MQTT-3.1.2-8); only one that waits can be cancelled (MQTT-3.1.3-9).
const assert = require('node:assert/strict')
const net = require('node:net')
const { it } = require('node:test')
const { Server, newToken, chat } = require('../e2e/harness/server')
const { scaled } = require('../e2e/harness/waits')
const { Wire, connect, bytes, PINGREQ, DISCONNECT } = require('../e2e/harness/wire')

const ROUNDS = Number(process.env.ROUNDS ?? 4)
const DEVICES = 12
const HOUR = bytes(0x11, 0, 0, 0x0e, 0x10) // Session Expiry Interval
const DELAY = bytes(0x18, 0, 0, 0x0e, 0x10) // Will Delay Interval

const device = (token, n, payload, delayed = false) => {
  const v = n % 2 === 0 || delayed ? 5 : 4
  const will = { topic: `${token}/will-${n}`, payload, ...(delayed && { properties: DELAY }) }
  return connect({ v, token, clientId: `d${n}`, clean: false, will, ...(v === 5 && { properties: HOUR }) })
}

// Until CONNACK comes.
async function knock (port, packet) {
  const end = Date.now() + scaled(15000)
  for (;;) {
    const line = new Wire(net.connect({ port, host: '127.0.0.1' }))
    line.send(packet)
    try {
      const { body } = await line.expect('CONNACK')
      assert.equal(body[1], 0)
      return line
    } catch (error) {
      line.destroy()
      if (error instanceof assert.AssertionError || Date.now() > end) throw error
    }
  }
}

const each = (f) => Promise.all(Array.from({ length: DEVICES }, (_, n) => f(n)))

for (const workers of [1, 3]) {
  it(`wills of sessions that a kill ended are published although their clients are back at once: ${workers} workers`, { timeout: scaled(60000) + ROUNDS * scaled(8000) }, async () => {
    const server = new Server({ set: { 'mqtt.workers': workers } })
    const token = newToken()
    await server.start()
    try {
      let lines = await each((n) => knock(server.mqttPort, device(token, n, '0')))
      for (let round = 1; round <= ROUNDS; round++) {
        await server.kill9()
        const back = each((n) => knock(server.mqttPort, device(token, n, String(round))))
        await server.restart()
        for (const line of lines) line.destroy()
        lines = await back
      }
      // The will was given to the writer before the session was opened, so
      // CONNACK says that it is on disk.
      await each(async (n) => {
        const answer = await server.get(chat(token, `will-${n}`, '/history?order=asc'))
        assert.deepEqual(answer.json().map(({ chat }) => String(chat)), Array.from({ length: ROUNDS }, (_, i) => String(i)), `wills of d${n}`)
      })
      for (const line of lines) line.send(DISCONNECT)
    } finally {
      await server.close()
    }
  })

  it(`a will whose delay still runs is cancelled by a return after a kill: ${workers} workers`, { timeout: scaled(60000) }, async () => {
    const server = new Server({ set: { 'mqtt.workers': workers } })
    const token = newToken()
    await server.start()
    try {
      const before = await each((n) => knock(server.mqttPort, device(token, n, 'gone', true)))
      await server.kill9()
      const back = each((n) => knock(server.mqttPort, device(token, n, 'again', true)))
      await server.restart()
      for (const line of await back) {
        line.send(PINGREQ)
        await line.expect('PINGRESP')
      }
      for (const line of before) line.destroy()
      assert.deepEqual(await server.things(token), [], 'no will was published')
    } finally {
      await server.close()
    }
  })
}
