'use strict'
// The link between bridge and broker, cut again and again under POST load:
// nothing is stored twice, nothing acknowledged is missing, every stream sees
// every message once.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { it } = require('node:test')
const { Server, newToken, chat, temporaryFolder, until } = require('../e2e/harness/server')
const { scaled, sleep } = require('../e2e/harness/waits')

const CUTS = Number(process.env.CUTS ?? 1000)
const PUBLISHERS = 8

// Stands on the socket where the bridge looks for its broker, and can cut.
class Scissors {
  constructor (data) {
    this.socket = path.join(data, 'confab.sock')
    this.real = path.join(data, 'confab.real')
    this.pairs = new Set()
    this.cuts = 0
  }

  async install () {
    fs.renameSync(this.socket, this.real)
    this.server = net.createServer((near) => {
      const far = net.connect(this.real)
      const pair = [near, far]
      this.pairs.add(pair)
      for (const [from, to] of [[near, far], [far, near]]) {
        from.pipe(to)
        from.on('error', () => {})
        from.on('close', () => { to.destroy(); this.pairs.delete(pair) })
      }
    })
    await new Promise((resolve) => this.server.listen(this.socket, resolve))
  }

  cut () {
    const pairs = [...this.pairs]
    for (const [near, far] of pairs) {
      // sometimes what is on its way arrives first, sometimes not
      if (Math.random() < 0.5) near.destroy()
      else far.destroy()
    }
    if (pairs.length > 0) this.cuts++
    return pairs.length > 0
  }

  async remove () {
    for (const pair of this.pairs) for (const socket of pair) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
    fs.renameSync(this.real, this.socket)
  }
}

it(`the link cut ${CUTS} times under POST load: stored count = distinct bodies`, { timeout: scaled(120000) + CUTS * scaled(400) }, async (t) => {
  const folder = temporaryFolder()
  const data = path.join(folder, 'data')
  const broker = new Server({ command: 'broker', data })
  const bridge = new Server({ command: 'bridge', data })
  const token = newToken()
  const scissors = new Scissors(data)
  let done = false
  let stream
  const answers = { 200: 0, 503: 0, 504: 0 }
  const acked = new Map()
  const unknown = new Set()
  let n = 0

  async function publish () {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    while (!done) {
      const body = { n: ++n }
      const answer = await bridge.post(chat(token, 'x'), body, {}, { agent, limit: scaled(20000) })
      answers[answer.status] = (answers[answer.status] ?? 0) + 1
      if (answer.status === 200) acked.set(body.n, answer.json().id)
      else if (answer.status === 504) unknown.add(body.n)
      else assert.equal(answer.status, 503, answer.text)
    }
    agent.destroy()
  }

  await broker.start()
  await scissors.install()
  await bridge.start()
  try {
    await until(async () => (await bridge.post(chat(token, 'x'), { n: ++n })).status === 200, 'first POST')
    acked.set(n, (await bridge.latest(token, 'x')).id)
    stream = await bridge.listen(token, 'x', { 'Last-Event-ID': '0' })
    const publishers = Array.from({ length: PUBLISHERS }, publish)
    let reported = 0
    while (scissors.cuts < CUTS) {
      await sleep(Math.random() * 40)
      scissors.cut()
      if (scissors.cuts >= reported + 250) {
        reported = scissors.cuts
        t.diagnostic(`${reported} cuts, ${acked.size} posted`)
      }
    }
    done = true
    await Promise.all(publishers)
    const { lines } = await bridge.get(chat(token, 'x', '/history?order=asc'), { Accept: 'application/x-ndjson' }, { limit: scaled(60000) })
    const stored = lines.map((line) => JSON.parse(line))
    const bodies = new Map(stored.map(({ id, chat }) => [chat.n, id]))
    t.diagnostic(`${stored.length} stored, answers ${JSON.stringify(answers)}`)
    assert.equal(stored.length, bodies.size, 'stored count = distinct bodies')
    for (const [body, id] of acked) assert.equal(bodies.get(body), id, `body ${body}`)
    for (const body of bodies.keys()) {
      assert.ok(acked.has(body) || unknown.has(body), `${body} was answered 503 and is stored`)
    }
    // the stream: the same messages, in the same order, each once
    const seen = await stream.messages(stored.length, scaled(30000))
    assert.deepEqual(seen.map(({ id }) => id), stored.map(({ id }) => id))
  } finally {
    done = true
    stream?.close()
    await scissors.remove()
    await bridge.close()
    await broker.close()
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
