'use strict'
// Bytes of a stored message that changed on the disk: nobody is served them, and
// every way of reading goes on behind them.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { it } = require('node:test')
const { Server, newToken, chat } = require('../e2e/harness/server')
const { scaled } = require('../e2e/harness/waits')

const BEFORE = 20 // messages, before the device goes away
const AFTER = 20
const DAMAGED = [5, 30, 39] // the last one is the latest, too

const text = (n) => `needle-${n}-end`
const stored = { clean: false, properties: { sessionExpiryInterval: 3600 } }

// In every copy: old pages have them, too.
function damage (file, numbers) {
  const bytes = fs.readFileSync(file)
  const fd = fs.openSync(file, 'r+')
  for (const n of numbers) {
    for (let at = bytes.indexOf(text(n)); at >= 0; at = bytes.indexOf(text(n), at + 1)) {
      fs.writeSync(fd, 'N', at)
    }
  }
  fs.closeSync(fd)
}

// How many come until the one that says `after`; none of them is damaged.
async function countUntilAfter (next) {
  for (let count = 1; ; count++) {
    const message = await next()
    assert.doesNotMatch(message, /Needle/)
    if (/after/.test(message)) return count
  }
}

it('a damaged message is left out of history, SSE and MQTT replay, and named by the log and by confab check --data', { timeout: scaled(60000) }, async () => {
  const server = new Server()
  const token = newToken()
  try {
    await server.start()
    for (let i = 0; i < BEFORE; i++) await server.say(token, 'a', { v: text(i) })
    const device = await server.device({ token, clientId: 'away', ...stored })
    await device.subscribe(`${token}/a`, { qos: 1 })
    device.client.end(true)
    await device.closed
    for (let i = BEFORE; i < BEFORE + AFTER; i++) await server.say(token, 'a', { v: text(i) })
    await server.stop()
    assert.equal((await server.cli('check')).code, 0)
    damage(path.join(server.data, 'data.mdb'), DAMAGED)
    await server.restart()

    const history = await server.history(token, 'a', '?order=asc&limit=100')
    assert.equal(history.length, BEFORE + AFTER - DAMAGED.length)
    const latest = await server.get(chat(token, 'a', '/latest'))
    assert.equal(latest.status, 503)
    assert.match(latest.json().error, /damaged/)

    const stream = await server.listen(token, 'a', { 'Last-Event-ID': '0' })
    await server.say(token, 'a', { v: 'after' })
    assert.equal(await countUntilAfter(async () => JSON.stringify(await stream.expect('message'))),
      BEFORE + AFTER - DAMAGED.length + 1)
    const back = await server.device({ token, clientId: 'away', ...stored })
    assert.equal(await countUntilAfter(async () => (await back.messages.next()).text), AFTER - 2 + 1)

    assert.match(server.stderr, /entry \d+ of the log is damaged and left out/)
    const { code, stdout } = await server.cli('check')
    assert.equal(code, 1)
    assert.equal(stdout.match(/log: entry \d+ is damaged/g).length, DAMAGED.length)
  } finally {
    await server.close()
  }
})
