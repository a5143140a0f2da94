'use strict'
// Tenants that do all they can to a server, at once (hostile.js), and one that only
// publishes and reads: nothing of its own is refused or lost, and the server stays
// within its memory. How long it waits is printed; it is judged only where asked for.
//   SECONDS=60 P99_MS=250 test/fault/run tenants
const assert = require('node:assert/strict')
const path = require('node:path')
const { describe, it, before, after } = require('node:test')
const { Server, chat } = require('../e2e/harness/server')
const { Device } = require('../e2e/harness/mqtt')
const { FACTOR, scaled, sleep, within } = require('../e2e/harness/waits')
const http = require('node:http')

const SECONDS = Number(process.env.SECONDS ?? 10)
const P99_MS = Number(process.env.P99_MS ?? 0) // 0: not judged
const PATIENT = scaled(60000)
const MiB = 1024 * 1024
// What may be held for everybody: two workers' shares of hostile.js's two kinds of
// tokens, strangers, credits, batches, and what streams and answers wait with.
const MEMORY_MAX = 400 * MiB
const PAUSE_MS = 100

class Times {
  constructor () { this.all = [] }

  async measure (what) {
    const began = process.hrtime.bigint()
    const result = await what()
    this.all.push(Number(process.hrtime.bigint() - began) / 1e6)
    return result
  }

  at (part) {
    const sorted = [...this.all].sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
  }

  toString () {
    return `${this.all.length} times, p50 ${this.at(0.5).toFixed(1)} ms, p99 ${this.at(0.99).toFixed(1)} ms, max ${this.at(1).toFixed(1)} ms`
  }
}

describe('hostile tenants', { timeout: scaled(SECONDS * 1000 + 300000) }, () => {
  const server = new Server({
    set: {
      'store.map_size': 512 * MiB,
      'limits.token_share': 25,
      'tokens.access': 'registered'
    }
  })
  let hostile
  before(() => server.start())
  after(async () => {
    hostile?.child.kill('SIGKILL')
    await server.close()
  })

  it('do not keep a quiet one from publishing and reading', async () => {
    const quiet = await server.planToken('home')
    const home = await server.planToken('home')
    const free = await Promise.all(Array.from({ length: 6 }, () => server.freeToken()))
    const times = { 'MQTT publish': new Times(), 'HTTP POST': new Times(), 'SSE event': new Times(), 'MQTT message': new Times(), 'HTTP latest': new Times(), 'MQTT connect': new Times() }
    let memory = 0
    let ended = false

    const publisher = await server.device({ token: quiet, clientId: 'publisher' })
    const subscriber = await server.subscriber(quiet, 'x', { clientId: 'subscriber' })
    const stream = await server.listening(`/${quiet}/listen?things=x`)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    server.clients.push(() => agent.destroy())

    hostile = server.follow(process.execPath, [path.join(__dirname, 'hostile.js')],
      { env: { ...process.env, HOSTILE: JSON.stringify({ base: server.base, mqttPort: server.mqttPort, home, free }) } })
    await within(hostile.lines.find((line) => line === 'under way', PATIENT), 'attacks under way', PATIENT)

    const received = async (n) => {
      const [event, message] = await Promise.all([
        times['SSE event'].measure(() => stream.expect('message', PATIENT)),
        times['MQTT message'].measure(() => subscriber.message(PATIENT))])
      assert.equal(event.chat.n, n)
      assert.equal(JSON.parse(message.text).n, n)
    }
    const watching = (async () => {
      for (; !ended; await sleep(PAUSE_MS)) memory = Math.max(memory, server.privateMemory())
    })()
    const arriving = (async () => {
      for (; !ended; await sleep(PAUSE_MS)) {
        const device = await times['MQTT connect'].measure(() => Device.connect(server.mqttUrl, {
          token: quiet, clientId: 'arriving', connectTimeout: PATIENT, will: { topic: `${quiet}/gone`, payload: 'bye' }
        }))
        await device.end()
      }
    })()
    const until = Date.now() + SECONDS * 1000
    for (let n = 1; Date.now() < until; n += 2) {
      const [, answered] = await Promise.all([received(n),
        times['MQTT publish'].measure(() => within(publisher.send(`${quiet}/x`, JSON.stringify({ n }), { qos: 1 }), 'PUBACK', PATIENT))])
      assert.equal(answered.code, 0)
      const [, answer] = await Promise.all([received(n + 1),
        times['HTTP POST'].measure(() => server.post(chat(quiet, 'x'), { n: n + 1 }, {}, { agent, limit: PATIENT }))])
      assert.equal(answer.status, 200, answer.text)
      const latest = await times['HTTP latest'].measure(() => server.get(chat(quiet, 'x', '/latest'), {}, { agent, limit: PATIENT }))
      assert.equal(latest.json().chat.n, n + 1)
      await sleep(PAUSE_MS)
    }
    ended = true
    await Promise.all([watching, arriving])
    hostile.child.kill('SIGTERM')
    const rounds = await within(hostile.lines.find((line) => line.startsWith('{'), PATIENT), 'what was tried', PATIENT)
    console.log(`attacks: ${rounds}`)
    for (const [what, measured] of Object.entries(times)) console.log(`${what}: ${measured}`)
    console.log(`private memory: ${Math.round(memory / MiB)} MiB`)
    for (const [name, round] of Object.entries(JSON.parse(rounds))) assert.ok(round > 0, name)
    assert.ok(memory < MEMORY_MAX * FACTOR, `${memory} bytes of private memory`)
    if (P99_MS > 0) for (const [what, measured] of Object.entries(times)) assert.ok(measured.at(0.99) < P99_MS, `${what}: ${measured}`)
  })
})
