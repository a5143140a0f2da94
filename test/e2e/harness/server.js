'use strict'
// The real binary, started on free ports with a fresh data folder, and stopped
// by its own pid. A server that does not exit 0 in time, that a sanitizer
// complains about, or that logs a token fails the suite it belongs to.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { describe, before, after } = require('node:test')
const { start, run, follow, plainEnvironment } = require('./process')
const { request, rawSocket, rawExchange, endOf } = require('./http')
const { Listener } = require('./sse')
const { Device } = require('./mqtt')
const { Wire } = require('./wire')
const { newToken, secret, secretsIn, chat } = require('./names')
const { scaled, sleep, within, until, PATIENCE, FACTOR } = require('./waits')

const BINARY = process.env.CONFAB_BIN
  ? path.resolve(process.env.CONFAB_BIN)
  : path.resolve(__dirname, '../../../build/release/confab')

// `run` prints all of it, `broker` no http, `bridge` no mqtt; mqtts and
// metrics only when on.
const READY = /^confab ready(?: http=(http:\/\/\S+:(\d+)))?(?: mqtt=(mqtt:\/\/\S+:(\d+)))?(?: mqtts=(mqtts:\/\/\S+:(\d+)))?(?: metrics=(http:\/\/\S+:\d+\/metrics))?(?: door:\w+=http:\/\/\S+)* data=(.+)$/
const SANITIZER = /(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:/
// Threads of each kind: two by default, whatever the machine has; streamers as the
// server chooses, unless CONFAB_WORKERS says how many.
const WORKERS = process.env.CONFAB_WORKERS ?? '2'
const THREADS = {
  'mqtt.workers': WORKERS,
  'http.workers': WORKERS,
  ...(process.env.CONFAB_WORKERS ? { 'http.streamers': WORKERS } : {})
}
const STDERR_KEPT = 4 * 1024 * 1024

// What the contract gives SIGTERM and SIGINT.
const STOP_LIMIT = scaled(5000)

const temporaryFolder = () => fs.mkdtempSync(path.join(os.tmpdir(), 'confab-e2e-'))

class Server {
  // set: { 'plan:free.idle_timeout': 2, … }, given with -s; env: added to ours;
  // command: run, broker or bridge; config: text of a file given with -c
  constructor ({ set = {}, env = {}, command = 'run', data, config } = {}) {
    this.set = { 'http.listen': '127.0.0.1:0', 'mqtt.listen': '127.0.0.1:0', ...THREADS, 'tokens.create_per_hour': 1000000, ...set }
    this.env = env
    this.command = command
    this.config = config
    this.ownsFolder = data === undefined
    this.folder = data
    this.clients = []
    this.child = null
    this.stderr = ''
    Server.made.add(this)
  }

  // What a failed test left behind, so that nothing keeps this file running.
  static killAll () {
    for (const server of Server.made) {
      for (const end of server.clients.splice(0)) end()
      server.child?.kill('SIGKILL')
    }
  }

  get data () {
    // one level below a folder of ours, so that the server makes it itself
    this.folder ??= path.join(temporaryFolder(), 'data')
    return this.folder
  }

  arguments () {
    const args = [this.command, '--data', this.data]
    if (this.config !== undefined) {
      const file = path.join(path.dirname(this.data), 'confab.ini')
      fs.writeFileSync(file, this.config)
      args.push('-c', file)
    }
    for (const [key, value] of Object.entries(this.set)) args.push('-s', `${key}=${value}`)
    return args
  }

  // Only the process; start() waits until it is ready, too.
  launch () {
    assert.ok(fs.existsSync(BINARY), `${BINARY} is missing: build it or set CONFAB_BIN`)
    const child = start(BINARY, this.arguments(), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: plainEnvironment(this.env)
    })
    this.child = child
    this.stdout = ''
    child.stdout.setEncoding('utf8')
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (text) => {
      if (this.stderr.length < STDERR_KEPT) this.stderr += text
    })
    child.stdout.on('data', (text) => { this.stdout += text })
    return child
  }

  async readyLineOf (child) {
    const ready = new Promise((resolve, reject) => {
      child.stdout.on('data', () => {
        const end = this.stdout.indexOf('\n')
        if (end >= 0) resolve(this.stdout.slice(0, end))
      })
      child.exited.then(({ code, signal, error }) =>
        reject(new Error(`ended with ${error ?? code ?? signal} before it was ready`)))
    })
    try {
      return await within(ready, 'ready line', scaled(15000))
    } catch (error) {
      child.kill('SIGKILL')
      error.message += `\nstderr: ${this.stderr.slice(-4000)}`
      throw error
    }
  }

  // One that is started again wants its ports again. Between the two somebody else's
  // connection may have been given one of them: not for long.
  async start () {
    let line
    for (let left = this.readyLine === undefined ? 0 : 20; line === undefined; left--) {
      const told = this.stderr.length
      try {
        line = await this.readyLineOf(this.launch())
      } catch (error) {
        if (left === 0 || !this.stderr.slice(told).includes('Address already in use')) throw error
        await sleep(250)
      }
    }
    const match = READY.exec(line)
    assert.ok(match, `not a ready line: ${line}`)
    this.readyLine = line
    this.base = match[1]
    this.httpPort = Number(match[2])
    this.mqttUrl = match[3]
    this.mqttPort = Number(match[4])
    this.mqttsUrl = match[5]
    this.mqttsPort = Number(match[6])
    this.metricsUrl = match[7]
    this.saidData = match[8]
    return this
  }

  // SIGTERM or SIGINT, and everything the contract promises about it.
  async stop (signal = 'SIGTERM') {
    const { child } = this
    if (!child) return
    this.child = null
    child.kill(signal)
    let end
    try {
      end = await within(child.exited, `exit after ${signal}`, STOP_LIMIT)
    } catch (error) {
      child.kill('SIGKILL')
      await child.exited
      error.message += `\nstderr: ${this.stderr.slice(-4000)}`
      throw error
    }
    assert.deepEqual({ code: end.code, signal: end.signal }, { code: 0, signal: null },
      `after ${signal}; stderr: ${this.stderr.slice(-4000)}`)
    this.checkLog()
  }

  checkLog () {
    assert.doesNotMatch(this.stderr, SANITIZER)
    assert.deepEqual(secretsIn(this.stderr), [], 'tokens in the log')
  }

  async kill9 () {
    const { child } = this
    this.child = null
    child.kill('SIGKILL')
    await within(child.exited, 'end after SIGKILL')
    this.checkLog()
  }

  // Again on the same folder and the same ports, as clients will look for it.
  async restart (set = {}) {
    if (this.base) this.set['http.listen'] = `127.0.0.1:${this.httpPort}`
    if (this.mqttUrl) this.set['mqtt.listen'] = `127.0.0.1:${this.mqttPort}`
    Object.assign(this.set, set)
    return await this.start()
  }

  async close () {
    for (const end of this.clients.splice(0)) end()
    try {
      await this.stop()
    } finally {
      if (this.ownsFolder && this.folder) {
        fs.rmSync(path.dirname(this.folder), { recursive: true, force: true })
      }
    }
  }

  // ---- HTTP

  get (path, headers, options) { return request(this.base, path, { headers, ...options }) }
  head (path, headers) { return request(this.base, path, { method: 'HEAD', headers }) }
  options (path, headers) { return request(this.base, path, { method: 'OPTIONS', headers }) }
  post (path, body, headers, options) {
    return request(this.base, path, { method: 'POST', body, headers, ...options })
  }

  request (path, options) { return request(this.base, path, options) }
  rawSocket (options) { return rawSocket(this.base, options) }
  rawExchange (bytes, options) { return rawExchange(this.base, bytes, options) }
  endOf (bytes, pause) { return endOf(this.base, bytes, pause) }

  // A POST that must succeed; → the message's id.
  async say (token, thing, body, headers) {
    const answer = await this.post(chat(token, thing), body, headers)
    assert.equal(answer.status, 200, answer.text)
    return answer.json().id
  }

  async latest (token, thing) {
    const answer = await this.get(chat(token, thing, '/latest'))
    assert.equal(answer.status, 200, answer.text)
    return answer.json()
  }

  async history (token, thing, query = '') {
    const answer = await this.get(chat(token, thing, `/history${query}`))
    assert.equal(answer.status, 200, answer.text)
    return answer.json()
  }

  async things (token, query = '') {
    const answer = await this.get(`/${token}/things${query}`)
    assert.equal(answer.status, 200, answer.text)
    return answer.json()
  }

  // A stream in any state; `listen` wants status 200 and reads `status`, too.
  async stream (path, headers) {
    const listener = await Listener.open(this.base, path, headers)
    this.clients.push(() => listener.close())
    return listener
  }

  async listen (token, thing, headers) {
    return await this.listening(chat(token, thing, '/listen'), headers)
  }

  async listening (path, headers) {
    const listener = await this.stream(path, headers)
    assert.equal(listener.status, 200)
    listener.connected = await listener.expect('status')
    return listener
  }

  // ---- tokens

  // A token of plan `free` made by POST /tokens.
  async freeToken () {
    const answer = await this.post('/tokens')
    assert.equal(answer.status, 201, answer.text)
    return secret(answer.json().token)
  }

  async planToken (plan) {
    const made = await this.cli('token', 'create', '--plan', plan)
    assert.equal(made.code, 0, made.stderr)
    return secret(made.stdout.trim())
  }

  // ---- MQTT

  async device (options) {
    const device = await Device.connect(this.mqttUrl, options)
    this.clients.push(() => device.client.end(true))
    return device
  }

  // A token's v5 device that has subscribed to `filters`, below its token.
  async subscriber (token, filters, options = {}) {
    const device = await this.device({ token, ...options })
    const topics = [filters].flat().map((filter) => `${token}/${filter}`)
    const codes = await device.subscribe(topics, { qos: 1 })
    for (const code of codes) assert.ok(code < 0x80, `SUBACK ${code}`)
    return device
  }

  async wire (options) {
    const wire = options
      ? await Wire.connected(this.mqttPort, options)
      : await Wire.open(this.mqttPort)
    this.clients.push(() => wire.destroy())
    return wire
  }

  // ---- other programs

  // Followed line by line, ended with the server. stdbuf: mosquitto_sub keeps its
  // lines back when nobody seems to watch. Not for what we built ourselves, which
  // must not, and whose sanitizer wants to be loaded first.
  follow (command, args, options) {
    const followed = command.startsWith(path.dirname(BINARY)) || command === process.execPath
      ? follow(command, args, options)
      : follow('stdbuf', ['-oL', command, ...args], options)
    this.clients.push(() => followed.child.kill('SIGKILL'))
    return followed
  }

  // ---- the command line

  // `confab COMMAND --data FOLDER -s PLANS… REST…`. Operands that a client made
  // (a token may begin with a -) belong behind a '--'.
  cli (command, ...rest) { return confab(this.cliArguments(command, ...rest)) }

  cliArguments (command, ...rest) {
    const plans = Object.entries(this.set)
      .filter(([key]) => key.startsWith('plan:') || key === 'tokens.default_plan')
      .flatMap(([key, value]) => ['-s', `${key}=${value}`])
    return [command, '--data', this.data, ...plans, ...rest]
  }

  // ---- the process

  // Stopped in the middle of whatever it does, every thread of it.
  async freeze () {
    this.child.kill('SIGSTOP')
    const tasks = `/proc/${this.child.pid}/task`
    const isStopped = (task) => /^State:\s+T/m.test(fs.readFileSync(`${tasks}/${task}/status`, 'utf8'))
    await until(() => fs.readdirSync(tasks).every(isStopped), 'stopping of every thread')
  }

  thaw () { this.child.kill('SIGCONT') }

  // Private memory in bytes (without the mapped log), from /proc. Always 0 under
  // sanitizers: their allocators keep freed memory back, so growth means nothing.
  privateMemory () {
    if (FACTOR > 1) return 0
    const status = fs.readFileSync(`/proc/${this.child.pid}/status`, 'utf8')
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)[1]) * 1024
  }
}

async function confab (args, options) { return await run(BINARY, args, options) }

Server.made = new Set()

// Every wait has its deadline; should a file hang nevertheless, because a failed
// test left something open, it ends here and not never. (Unreferenced: neither
// timer keeps anything alive by itself.)
const giveUp = (why) => () => {
  console.error(`${path.basename(process.argv[1] ?? '')}: ${why}`)
  process.exit(1)
}
let groupsLeft = 0

// A group of tests that make servers of their own. `concurrent`: they mostly
// wait and may do so at the same time.
function group (name, body, { concurrent = false } = {}) {
  if (groupsLeft++ === 0) setTimeout(giveUp('took too long'), scaled(360000)).unref()
  describe(name, { timeout: scaled(300000), concurrency: concurrent }, () => {
    body()
    after(() => {
      if (--groupsLeft > 0) return
      Server.killAll()
      setTimeout(giveUp('left something open'), 5000).unref()
    })
  })
}

// Groups (suites) that mostly wait, at the same time.
function together (name, body) {
  describe(name, { timeout: scaled(300000), concurrency: true }, body)
}

// A group of tests on one server. `body` gets the server and defines the tests.
function suite (name, { concurrent, ...options }, body) {
  group(name, () => {
    const server = new Server(options)
    before(() => server.start())
    after(() => server.close())
    body(server)
  }, { concurrent })
}

module.exports = { Server, suite, group, together, confab, BINARY, STOP_LIMIT, SANITIZER, temporaryFolder, newToken, secret, chat, until, PATIENCE }
