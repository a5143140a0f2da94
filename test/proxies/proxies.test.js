'use strict'
// Each proxy of docs/operations.md in front of one server, all side by side.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const { once } = require('node:events')
const { it, before, after, describe } = require('node:test')
const { WebSocket } = require('ws')
const { Server, chat, until } = require('../e2e/harness/server')
const { secretsIn } = require('../e2e/harness/names')
const { start } = require('../e2e/harness/process')
const { request } = require('../e2e/harness/http')
const { Device } = require('../e2e/harness/mqtt')
const { Arrivals, within, scaled, sleep } = require('../e2e/harness/waits')
const { proxies, freePort, temporaryFolder } = require('./recipes')

const MESSAGES = 60
const AWAY_MS = 6000

const wanted = (process.env.PROXIES ?? '').split(' ').filter((name) => name !== '')
const asked = Object.keys(proxies)
  .filter((name) => wanted.length === 0 || wanted.includes(name.toLowerCase()))
const absent = (name) => proxies[name].optional && !proxies[name].program
const names = asked.filter((name) => !absent(name))

class Proxy {
  constructor (name) {
    this.name = name
    this.output = ''
  }

  async start (upstream) {
    const proxy = proxies[this.name]
    assert.ok(fs.existsSync(proxy.program), `${proxy.program} is missing: make test-proxies installs it`)
    this.folder = temporaryFolder(this.name.toLowerCase())
    const port = await freePort()
    const { command, env, logs } = await proxy.prepare({ folder: this.folder, port, upstream })
    this.logs = logs
    this.base = `http://127.0.0.1:${port}`
    this.child = start(command[0], command.slice(1), { env: { ...process.env, ...env } })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text) => { this.output += text })
    }
    const ended = this.child.exited.then(() => { throw new Error(`${this.name} ended: ${this.log()}`) })
    const healthy = async () => (await request(this.base, '/health').catch(() => ({}))).status === 200
    await Promise.race([ended, until(healthy, `answer of ${this.name}`, scaled(20000))])
    ended.catch(() => {}) // stop() waits for it
  }

  // Everything it wrote that somebody might read.
  log () {
    return this.output + this.logs
      .map((name) => `${this.folder}/${name}`)
      .filter((file) => fs.existsSync(file))
      .map((file) => fs.readFileSync(file, 'utf8')).join('')
  }

  async stop () {
    if (!this.child) return
    this.child.kill('SIGTERM')
    try {
      await within(this.child.exited, `end of ${this.name}`, scaled(20000))
    } finally {
      this.child.kill('SIGKILL')
      fs.rmSync(this.folder, { recursive: true, force: true })
    }
  }

  // A POST as a sensor makes it: until it was taken. → the statuses before that
  async say (token, thing, n) {
    const refused = []
    const deadline = Date.now() + scaled(20000)
    for (;;) {
      const answer = await request(this.base, chat(token, thing), {
        method: 'POST', body: { n }, headers: { 'Idempotency-Key': `${thing}-${n}` }
      }).catch((error) => ({ status: error.code ?? error.message, headers: {} }))
      if (answer.status === 200) return refused
      refused.push(answer)
      assert.ok(Date.now() < deadline, `${this.name} refuses: ${answer.status}`)
      await sleep(250)
    }
  }
}

// Ports on our side of connections to `port`, closed ones that wait included.
function connectionsTo (port) {
  const far = port.toString(16).toUpperCase().padStart(4, '0')
  const rows = fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)
    .map((row) => row.trim().split(/\s+/))
  return new Set(rows.filter((row) => row[2]?.endsWith(`:${far}`)).map((row) => row[1]))
}

const server = new Server({ set: { 'tokens.access': 'registered', 'mqtt.workers': 1 } })
const running = names.map((name) => new Proxy(name))
let token
// What was seen over the one restart that they all share.
let restarted

async function listenOverRestart (proxy, EventSource) {
  const thing = `over/${proxy.name}`
  const seen = new Arrivals(`message through ${proxy.name}`)
  const opened = new Arrivals(`status through ${proxy.name}`)
  const source = new EventSource(proxy.base + chat(token, thing, '/listen'))
  source.addEventListener('status', () => opened.push(true))
  source.addEventListener('message', (event) => seen.push(JSON.parse(event.data)))
  const error = await opened.next(scaled(15000)).then(() => undefined, (error) => error)
  return { proxy, thing, seen, source, error, refused: [] }
}

async function overOneRestart () {
  const { EventSource } = await import(require.resolve('eventsource', { paths: [process.env.NODE_PATH] }))
  const all = await Promise.all(running.map((proxy) => listenOverRestart(proxy, EventSource)))
  // A POST waits until it is taken, so each proxy's messages come in order. What
  // goes wrong with one proxy is not to stop the others.
  const publish = async (one, from, to) => {
    if (one.error) return
    try {
      for (let n = from; n < to; n++) one.refused.push(...await one.proxy.say(token, one.thing, n))
    } catch (error) {
      one.error ??= error
    }
  }
  await Promise.all(all.map((one) => publish(one, 0, MESSAGES / 3)))
  await server.stop()
  const away = Promise.all(all.map((one) => publish(one, MESSAGES / 3, MESSAGES)))
  // EventSource asks again and again meanwhile; 6 s is longer than any retry
  await sleep(AWAY_MS)
  await server.restart()
  await away
  await Promise.all(all.filter((one) => !one.error).map(async (one) => {
    try {
      await one.proxy.say(token, one.thing, 'end') // a double would come before it
      one.messages = await one.seen.take(MESSAGES + 1, scaled(15000))
    } catch (error) {
      one.error ??= error
    }
  }))
  for (const one of all) one.source.close()
  return new Map(all.map((one) => [one.proxy, one]))
}

describe('Proxies of docs/operations.md', () => {
  for (const name of asked.filter(absent)) it(name, { skip: 'not installed' })

  before(async () => {
    await server.start()
    token = await server.planToken('paid')
    await Promise.all(running.map((proxy) => proxy.start(server.httpPort)))
    restarted = await overOneRestart()
  })

  after(async () => {
    await Promise.all(running.map((proxy) => proxy.stop()))
    await server.close()
  })

  for (const proxy of running) {
    describe(proxy.name, () => {
      it(`${MESSAGES} numbered messages over a restart of ${AWAY_MS / 1000} s reach EventSource, each once`, () => {
        const { messages, error } = restarted.get(proxy)
        if (error) throw error
        const numbers = messages.map(({ chat }) => chat.n)
        assert.deepEqual(numbers, [...Array.from({ length: MESSAGES }, (_, n) => n), 'end'])
      })

      it('a POST gets an error while the server is away', () => {
        const { refused } = restarted.get(proxy)
        assert.ok(refused.length > 0)
        for (const { status, headers } of refused) {
          assert.ok([502, 503, 504].includes(status), `${status}`)
          assert.doesNotMatch(headers['content-type'] ?? '', /event-stream/)
        }
      })

      it('%2F arrives as it was sent', async () => {
        await proxy.say(token, `a/b/${proxy.name}`, 1)
        const latest = await request(proxy.base, chat(token, `a/b/${proxy.name}`, '/latest'))
        assert.equal(latest.json().thing, `a/b/${proxy.name}`)
        assert.equal((await request(proxy.base, `/${token}/chat/a/b/latest`)).status, 404)
        const filter = `/${token}/things`
        assert.ok((await request(proxy.base, filter)).json().includes(`a/b/${proxy.name}`))
      })

      it('events are passed on at once', async () => {
        const controller = new AbortController()
        const response = await fetch(proxy.base + chat(token, 'x', '/listen'), { headers: { accept: 'text/event-stream' }, signal: controller.signal })
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
        const pieceWith = async (what) => {
          let text = ''
          while (!text.includes(what)) text += (await within(reader.read(), what)).value
        }
        await pieceWith('"connected"')
        for (let n = 0; n < 3; n++) {
          await proxy.say(token, 'x', `${proxy.name}${n}`)
          await pieceWith(`{"n":"${proxy.name}${n}"}`)
        }
        controller.abort()
      })

      it('answers and errors of the server come through, Access-Control-Allow-Origin once', async () => {
        for (const [path, status] of [[chat(token, 'none', '/latest'), 404], ['/nobody/things', 401], [`/${token}/things`, 200]]) {
          const answer = await request(proxy.base, path)
          assert.equal(answer.status, status)
          assert.equal(answer.headers['access-control-allow-origin'], '*')
        }
      })

      it('connections to the server are kept', async () => {
        const earlier = connectionsTo(server.httpPort)
        for (let n = 0; n < 20; n++) {
          await proxy.say(token, `kept/${proxy.name}`, n)
          await sleep(10) // a proxy puts its connection back only behind the answer
        }
        const later = connectionsTo(server.httpPort)
        const fresh = [...later].filter((port) => !earlier.has(port))
        // Each process of Apache keeps connections of its own.
        assert.ok(fresh.length <= 8, `${fresh.length} connections for 20 POSTs`)
      })

      it('MQTT over WebSocket passes', async () => {
        const device = await Device.connect(`${proxy.base.replace('http', 'ws')}/mqtt`, { token })
        await device.publish(`${token}/ws/${proxy.name}`, { n: 1 }, { qos: 1 })
        device.client.end(true)
        assert.equal((await request(proxy.base, chat(token, `ws/${proxy.name}`, '/latest'))).json().chat.n, 1)
      })

      it('the JSON WebSocket passes both ways', async () => {
        const ws = new WebSocket(`${proxy.base.replace('http', 'ws')}/${token}/ws`)
        const arrivals = new Arrivals(`WebSocket behind ${proxy.name}`)
        ws.on('message', (text) => arrivals.push(JSON.parse(text)))
        await within(once(ws, 'open'), 'the handshake')
        const thing = `ws/json/${proxy.name}`
        ws.send(JSON.stringify([{ follow: [thing] }, { publish: { thing, payload: { n: 2 }, ref: 1 } }]))
        await arrivals.find((said) => said.chat?.n === 2)
        ws.close()
      })

      it('no log names a token', async () => {
        const { logged = /-\/things/ } = proxies[proxy.name]
        await until(() => logged.test(proxy.log()), `log of ${proxy.name} with a request`)
        assert.deepEqual(secretsIn(proxy.log()), [])
        assert.ok(!proxy.log().includes('nobody/things'))
      })
    })
  }
})
