'use strict'
// The machine's wall clock is set while the server runs, and between two runs
// (libfaketime; the monotonic clock stays real): nobody living is disconnected
// for it and the dead are still noticed, delayed wills come after their delay at
// most, windows of limits end, and times go on from now.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { it } = require('node:test')
const { Server, newToken, chat, until } = require('../e2e/harness/server')
const { scaled, sleep } = require('../e2e/harness/waits')
const { Wire, connect, publish, subscribe, bytes, PINGREQ } = require('../e2e/harness/wire')

const HOUR = 3600
const DAY = 24 * HOUR
const KEEP_ALIVE = 2
const EXPIRY = bytes(0x11, 0, 0, 0x02, 0x58) // Session Expiry Interval: 600 s
const DELAY = bytes(0x18, 0, 0, 0, 3) // Will Delay Interval: 3 s
const DELAY_S = 3

const LIBRARY = ['x86_64-linux-gnu', 'aarch64-linux-gnu', 'i386-linux-gnu', 'arm-linux-gnueabihf']
  .map((triplet) => `/usr/lib/${triplet}/faketime/libfaketimeMT.so.1`).find(fs.existsSync)

class Clock {
  constructor () {
    this.file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'confab-clock-')), 'offset')
    this.set(0)
  }

  // Seconds from the real time. Renamed, so that nobody reads half of it.
  set (seconds) {
    fs.writeFileSync(`${this.file}.new`, `${seconds < 0 ? '' : '+'}${seconds}`)
    fs.renameSync(`${this.file}.new`, this.file)
  }

  get env () {
    assert.ok(LIBRARY, 'libfaketimeMT.so.1 is missing: apt install faketime')
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1'
    }
  }
}

async function withServer (set, body) {
  const clock = new Clock()
  const server = new Server({ set, env: clock.env })
  try {
    await server.start()
    await body(server, clock)
    await server.stop()
  } finally {
    server.child?.kill('SIGKILL')
    fs.rmSync(path.dirname(clock.file), { recursive: true })
  }
}

async function enter (server, options) {
  const line = await Wire.open(server.mqttPort)
  line.send(connect(options))
  const { body } = await line.expect('CONNACK')
  assert.equal(body[1], 0)
  return line
}

const latest = async (server, token, thing) => {
  const answer = await server.get(chat(token, thing, '/latest'))
  return answer.status === 200 ? answer.json() : null
}
const stored = (server, token, thing) =>
  until(() => latest(server, token, thing), `a message on ${thing}`, scaled(15000))

for (const jump of [HOUR, -HOUR]) {
  it(`a clock set by ${jump} s disconnects nobody who pings, and the silent are still noticed`, async () => {
    await withServer({}, async (server, clock) => {
      const token = newToken()
      const will = (n) => ({ topic: `${token}/will-${n}`, payload: 'gone' })
      const living = []
      for (let n = 0; n < 8; n++) living.push(await enter(server, { v: 4 + n % 2, token, clientId: `c${n}`, keepAlive: KEEP_ALIVE, will: will(n) }))
      const ended = []
      living.forEach((line, n) => line.socket.on('close', () => ended.push(n)))
      // As seldom as they may, each at a time of its own.
      let turn = 0
      const pinging = setInterval(() => living[turn++ % living.length].send(PINGREQ), KEEP_ALIVE * 950 / living.length)
      try {
        const silent = await enter(server, { v: 4, token, clientId: 'silent', keepAlive: KEEP_ALIVE, will: will('silent') })
        await sleep(1000) // silent since before the clock is set
        clock.set(jump)
        // Its end comes after one and a half times its keep-alive …
        await stored(server, token, 'will-silent')
        silent.destroy()
        // … by when the others have been looked at as well, once more at least.
        await sleep(KEEP_ALIVE * 2000)
        assert.deepEqual(ended, [])
        for (let n = 0; n < living.length; n++) assert.equal(await latest(server, token, `will-${n}`), null)
      } finally {
        clearInterval(pinging)
        living.forEach((line) => line.destroy())
      }
    })
  })
}

it('a delayed will comes after its delay at most when the clock is a day back after a restart', async () => {
  await withServer({}, async (server, clock) => {
    const token = newToken()
    const who = (name) => ({ v: 5, token, clientId: name, clean: false, properties: EXPIRY, will: { topic: `${token}/will-${name}`, payload: 'gone', properties: DELAY } })
    const before = await enter(server, who('before'))
    const amid = await enter(server, who('amid'))
    before.destroy() // its will waits …
    await sleep(500)
    await server.kill9() // … when the process ends, and amid's begins to
    amid.destroy()
    clock.set(-DAY)
    await server.start()
    const began = Date.now()
    await stored(server, token, 'will-before')
    await stored(server, token, 'will-amid')
    assert.ok(Date.now() - began < DELAY_S * 1000 + scaled(5000))
  })
})

it('limits used up while the clock was days ahead are not used up for days', async () => {
  await withServer({ 'plan:local.reads_per_hour': 3, 'plan:local.writes_per_hour': 3 }, async (server, clock) => {
    const token = newToken()
    const post = async () => (await server.post(chat(token, 'x'), '{}')).status
    const get = async () => (await server.get(chat(token, 'x', '/history'))).status
    clock.set(3 * DAY)
    for (let i = 0; i < 3; i++) assert.deepEqual([await post(), await get()], [200, 200])
    assert.deepEqual([await post(), await get()], [429, 429])
    clock.set(0)
    assert.deepEqual([await post(), await get()], [200, 200])
  })
})

it('messages stored after a clock a year ahead was set right have the right time, and those before count as older', async () => {
  await withServer({}, async (server, clock) => {
    const token = newToken()
    const post = async (n) => assert.equal((await server.post(chat(token, 'x'), `{"n":${n}}`)).status, 200)
    clock.set(365 * DAY)
    await post(1)
    clock.set(0)
    const right = Date.now()
    await post(2)
    await server.kill9()
    await server.start()
    await post(3)
    const history = await server.get(chat(token, 'x', '/history'))
    const times = history.json().map(({ createdAt }) => Date.parse(createdAt))
    for (const at of times) assert.ok(Math.abs(at - right) < scaled(60000), `${new Date(at).toISOString()} is not now`)
    assert.deepEqual([...times].sort((a, b) => b - a), times)
    const since = await server.get(chat(token, 'x', `/history?since=${right - 60000}`))
    assert.equal(since.json().length, 3)
  })
})

it('a retained message that expires is gone in time though the clock was ahead when it came', async () => {
  await withServer({}, async (server, clock) => {
    const token = newToken()
    clock.set(DAY)
    const device = await enter(server, { v: 5, token, clientId: 'd' })
    const expiry = bytes(0x02, 0, 0, 0, 1) // Message Expiry Interval: 1 s
    device.send(publish({ topic: `${token}/x`, payload: 'old', qos: 1, retain: true, properties: expiry }))
    await device.expect('PUBACK')
    clock.set(0)
    // The next message tells the store that the clock was set back.
    device.send(publish({ topic: `${token}/y`, payload: 'y', qos: 1, retain: true }))
    await device.expect('PUBACK')
    await sleep(2100)
    device.send(subscribe({ filter: `${token}/#` }))
    await device.expect('SUBACK')
    const { body } = await device.expect('PUBLISH')
    assert.equal(body.toString('utf8', 2, 2 + body.readUInt16BE(0)), `${token}/y`)
    device.send(PINGREQ)
    await device.expect('PINGRESP')
    device.destroy()
  })
})
