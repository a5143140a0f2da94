'use strict'
// Bytes of a stored message that changed on the disk: nobody is served them, and
// every way of reading goes on behind them. Pages that LMDB would fall over: the
// server does not start, or says what ended it.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { describe, it } = require('node:test')
const { Server, newToken, chat } = require('../e2e/harness/server')
const { scaled, within } = require('../e2e/harness/waits')
const { Pages, META, HEAD, AT, RECORD, FLAGS } = require('./pages')

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

const EXIT_DISK = 74
const ENTRIES = 300 // so that the log has a root and leaves below it

// { code, signal } of a server that ends by itself.
async function ended (server) {
  const { child } = server
  server.child = null
  const end = await within(child.exited, 'the end of the server')
  server.checkLog()
  return end
}

async function fill (server, token) {
  for (let i = 0; i < ENTRIES; i++) await server.say(token, `t${i % 7}`, { i, filler: 'x'.repeat(100) })
}

const damages = {
  'a meta page': (p) => p.set16(p.meta(), META.magic, 0),
  'the depth of a tree': (p) => p.set16(p.tree('log').page, p.tree('log').record + RECORD.depth, 7),
  'the flags of a tree': (p) => p.set16(p.tree('things').page, p.tree('things').record + RECORD.flags, 4),
  'the root of a tree': (p) => p.set16(p.tree('log').page, p.tree('log').record + RECORD.root + 2, 99),
  'the flags of a root page': (p) => p.set16(p.tree('tokens').root, AT.flags, 0),
  'the number of a root page': (p) => p.set16(p.tree('tokens').root, AT.number, 1),
  'the length of a root page': (p) => p.set16(p.tree('usage').root, AT.lower, 5000),
  'the place of a node': (p) => p.set16(p.tree('things').root, HEAD, 60000),
  'the key length of a node': (p) => p.set16(p.tree('things').root, p.nodes(p.tree('things').root)[0] + 6, 60000),
  'the data length of a node': (p) => p.set16(p.tree('meta').root, p.nodes(p.tree('meta').root)[0], 60000),
  'a child of a root page': (p) => p.set16(p.tree('log').root, p.nodes(p.tree('log').root)[1], 60000),
  'a leaf below the root': (p) => p.set16(p.firstChild(p.tree('log').root), AT.upper, 60000)
}

describe('a damaged page', { timeout: scaled(60000) }, () => {
  it('keeps the server from starting, which says where and what to do', async (t) => {
    const server = new Server()
    const token = newToken()
    const file = path.join(server.data, 'data.mdb')
    try {
      await server.start()
      await fill(server, token)
      await server.stop()
      const whole = fs.readFileSync(file)
      for (const [what, damage] of Object.entries(damages)) {
        const pages = new Pages(file)
        assert.equal(pages.tree('log').depth, 2)
        damage(pages)
        pages.close()
        server.launch()
        const end = await Promise.race([
          ended(server),
          new Promise((resolve) => server.child?.stdout.once('data', () => resolve('serves')))
        ])
        assert.deepEqual(end, { code: 1, signal: null }, `${what}: ${server.stderr}`)
        assert.match(server.stderr, /data\.mdb is damaged: .+confab check --data .+restore a back-up/, what)
        server.stderr = ''
        fs.writeFileSync(file, whole)
      }
      await server.start()
      assert.equal((await server.history(token, 't0', '?limit=1')).length, 1)
    } finally {
      await server.close()
    }
  })

  // What happens below a server that runs: its map shows what the file has.
  async function damageWhileItRuns (damage) {
    const server = new Server({ set: { 'store.map_size': '64M' } })
    const token = newToken()
    try {
      await server.start()
      await fill(server, token)
      const pages = new Pages(path.join(server.data, 'data.mdb'))
      damage(pages)
      pages.close()
      server.post(chat(token, 'a'), { v: 1 }).catch(() => {})
      return { end: await ended(server), server }
    } finally {
      await server.close()
    }
  }

  it('that LMDB follows out of its file: a line says what to do, and the signal ends the server', async () => {
    const { end, server } = await damageWhileItRuns((pages) => {
      for (const number of pages.all(FLAGS.leaf)) pages.set16(number, AT.upper, 60000)
    })
    assert.equal(end.signal, 'SIGSEGV', server.stderr)
    assert.match(server.stderr, /SIGSEGV: .+\/data\.mdb is damaged.+confab check --data .+restore a back-up/)
    assert.ok(server.stderr.includes(server.data))
  })

  it('that LMDB finds impossible: a line says what to do, and the server ends with status 74', async () => {
    const { end, server } = await damageWhileItRuns((pages) => {
      const { root } = pages.tree('log')
      pages.set16(root, AT.lower, HEAD + 2) // a branch with one child
    })
    assert.deepEqual(end, { code: EXIT_DISK, signal: null }, server.stderr)
    assert.match(server.stderr, /data\.mdb is damaged, or Confab has a bug: LMDB stopped at .+confab check --data .+restore a backup/)
  })
})

it('a SIGSEGV from elsewhere is told and ends the server as ever', { timeout: scaled(30000) }, async () => {
  const server = new Server()
  try {
    await server.start()
    server.child.kill('SIGSEGV')
    assert.equal((await ended(server)).signal, 'SIGSEGV')
    assert.match(server.stderr, /SIGSEGV: another process sent it/)
  } finally {
    await server.close()
  }
})
