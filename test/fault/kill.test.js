'use strict'
// kill -9 at random moments under load from HTTP and MQTT publishers.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { Server, newToken, chat } = require('../e2e/harness/server')
const { Device } = require('../e2e/harness/mqtt')
const { scaled, sleep } = require('../e2e/harness/waits')
const http = require('node:http')
const { Ledger } = require('./ledger')

const ROUNDS = Number(process.env.ROUNDS ?? 20)
const HTTP_PUBLISHERS = 4
const MQTT_PUBLISHERS = 4
const WINDOW = 32 // unacknowledged publishes of one device

// Posts one after the other until the server is gone. Each message has its own
// publisher name, since a POST that got no answer may still be stored.
async function postUntilGone (server, ledger, who) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (let i = 0; ; i++) {
      const thing = `http${i % 3}`
      const body = ledger.next(thing, who)
      const answer = await server.post(chat(ledger.token, thing), body, {}, { agent })
      if (answer.status !== 200) continue
      ledger.acked(thing, body, answer.json().id)
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
  } finally {
    agent.destroy()
  }
}

async function publishUntilGone (server, ledger, who) {
  let device
  try {
    device = await Device.connect(server.mqttUrl, { token: ledger.token })
  } catch {
    return // killed before we were in
  }
  let gone = false
  device.client.on('error', () => {})
  device.closed.then(() => { gone = true })
  let open = 0
  for (let i = 0; !gone; i++) {
    if (open >= WINDOW) {
      await sleep(0)
      i--
      continue
    }
    const thing = `mqtt${i % 3}`
    const body = ledger.next(thing, who)
    open++
    device.client.publish(`${ledger.token}/${thing}`, JSON.stringify(body), { qos: 1 }, (error) => {
      open--
      if (!error) ledger.acked(thing, body)
    })
    if (i % WINDOW === 0) await sleep(0)
  }
  device.client.end(true)
}

it(`every message acknowledged before kill -9 is there after it, ${ROUNDS} rounds`, { timeout: scaled(60000) + ROUNDS * scaled(8000) }, async (t) => {
  const server = new Server()
  const ledger = new Ledger(newToken())
  await server.start()
  let before = 0
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      const load = []
      for (let i = 0; i < HTTP_PUBLISHERS; i++) load.push(postUntilGone(server, ledger, `h${round}.${i}`))
      for (let i = 0; i < MQTT_PUBLISHERS; i++) load.push(publishUntilGone(server, ledger, `m${round}.${i}`))
      await sleep(50 + Math.random() * 400)
      await server.kill9()
      await Promise.all(load)
      await server.restart()
      await ledger.check(server)
      assert.ok(ledger.ackedCount > before, `round ${round}: nothing was acknowledged`)
      before = ledger.ackedCount
    }
    t.diagnostic(`${ledger.sent} sent, ${ledger.ackedCount} acknowledged, all of them kept`)
  } finally {
    await server.close()
  }
})
