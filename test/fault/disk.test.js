'use strict'
// A disk that fails: what is refused is not stored, what may be stored is not
// refused, the log says which file, and the server is of use again by itself.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { describe, it } = require('node:test')
const { Server, newToken, chat, until } = require('../e2e/harness/server')
const { Device } = require('../e2e/harness/mqtt')
const { scaled, within, PATIENCE } = require('../e2e/harness/waits')
const { run, plainEnvironment } = require('../e2e/harness/process')
const { onFaultyDisk } = require('./disk')

const EXIT_DISK = 74
const limits = { timeout: scaled(60000) }

// → { code, signal } of the server that ended by itself
async function ended (server) {
  const { child } = server
  server.child = null
  const end = await within(child.exited, 'the end of the server')
  server.checkLog()
  return end
}

// The server that is launched and does not come up; → how it ended.
async function refusesToStart (server) {
  server.launch()
  return await ended(server)
}

const failures = (server) => (server.stderr.match(/data\.mdb: writing failed/g) ?? []).length

describe('a write of pages that fails', limits, () => {
  it('once: it is tried again, the message is stored, and the log says so', async () => {
    await onFaultyDisk({}, async (server, disk) => {
      const token = newToken()
      await server.start()
      await server.say(token, 'a', { n: 1 })
      disk.fail('data', 'EIO', { times: 1 })
      const answer = await server.post(chat(token, 'a'), { n: 2 })
      assert.equal(disk.left('data'), 0)
      await until(() => failures(server) > 0, 'a line in the log')
      assert.match(server.stderr, /data\.mdb: writing failed: .*Input\/output error/)
      const stored = await server.history(token, 'a')
      assert.equal(stored.length, answer.status === 200 ? 2 : 1)
      assert.equal((await server.post(chat(token, 'a'), { n: 3 })).status, 200)
    })
  })

  for (const [error, text] of [['ENOSPC', 'No space left on device'], ['EIO', 'Input/output error'], ['EROFS', 'Read-only file system']]) {
    it(`with ${error}, always: refused with a pause and a line in the log, stored again when it is over`, async () => {
      await onFaultyDisk({}, async (server, disk) => {
        const token = newToken()
        await server.start()
        await server.say(token, 'a', { n: 0 })
        disk.fail('data', error)
        const before = disk.calls('data')
        for (let i = 0; i < 200; i++) {
          const answer = await server.post(chat(token, 'a'), { refused: i })
          assert.equal(answer.status, 507, answer.text)
        }
        // a pause of 100 ms: most are refused without trying
        assert.ok(disk.calls('data') - before < 150, `${disk.calls('data') - before} attempts`)
        assert.match(server.stderr, new RegExp(`data\\.mdb: writing failed: .*${text}`))
        await until(() => /messages are refused: /.test(server.stderr), 'the line that says what is going on')
        assert.ok(failures(server) < 20, 'the log is not flooded')
        disk.heal()
        await until(async () => (await server.post(chat(token, 'a'), { n: 1 })).status === 200, 'writing again')
        assert.equal((await server.history(token, 'a')).length, 2, 'what was refused is not stored')
      })
    })
  }
})

describe('a commit that may be on disk', limits, () => {
  for (const after of [false, true]) {
    it(`a meta page's write fails (${after ? 'having' : 'not having'} reached the disk): nobody is answered, the server ends, and a restart knows`, async () => {
      await onFaultyDisk({}, async (server, disk) => {
        const token = newToken()
        await server.start()
        await server.say(token, 'a', { n: 1 })
        disk.fail('meta', 'EIO', { times: 1, after })
        const post = server.post(chat(token, 'a'), { n: 2 }, { 'Idempotency-Key': 'once' })
          .then((answer) => answer.status, () => 'no answer')
        assert.equal(await post, 'no answer')
        assert.deepEqual(await ended(server), { code: EXIT_DISK, signal: null })
        assert.match(server.stderr, /error store: .*data\.mdb: the disk failed in the middle of a commit: Input\/output error/)
        await server.restart()
        const again = await server.post(chat(token, 'a'), { n: 2 }, { 'Idempotency-Key': 'once' })
        assert.equal(again.status, 200)
        assert.equal((await server.history(token, 'a')).length, 2, 'once, whether it was stored before or not')
      })
    })
  }

  it('the error that the kernel reports once more, to the other descriptor, does not refuse everything for ever', async () => {
    await onFaultyDisk({}, async (server, disk) => {
      const token = newToken()
      await server.start()
      await server.say(token, 'a', { n: 1 })
      disk.fail('sync', 'EIO', { times: 1 })
      disk.fail('meta', 'EIO', { times: 1, after: true })
      const post = server.post(chat(token, 'a'), { n: 2 })
        .then((answer) => answer.status, () => 'no answer')
      assert.equal(await post, 'no answer')
      assert.equal((await ended(server)).code, EXIT_DISK)
      await server.restart()
      assert.equal((await server.post(chat(token, 'a'), { n: 3 })).status, 200)
    })
  })

  it('no PUBACK either', async () => {
    await onFaultyDisk({}, async (server, disk) => {
      const token = newToken()
      await server.start()
      const device = await Device.connect(server.mqttUrl, { token })
      device.client.on('error', () => {})
      let acknowledged = false
      disk.fail('meta', 'EIO', { times: 1 })
      device.client.publish(`${token}/a`, 'x', { qos: 1 }, (error) => { acknowledged = !error })
      assert.equal((await ended(server)).code, EXIT_DISK)
      await within(device.closed, 'the end of the connection')
      assert.equal(acknowledged, false)
      device.client.end(true)
      await server.restart()
    })
  })
})

describe('opening', limits, () => {
  it('flushes what the last process wrote before anything is relied on', async () => {
    await onFaultyDisk({}, async (server, disk) => {
      const token = newToken()
      await server.start()
      await server.say(token, 'a', { n: 1 })
      await server.kill9()
      disk.fail('sync', 'EIO')
      assert.deepEqual(await refusesToStart(server), { code: 1, signal: null })
      assert.match(server.stderr, /data folder .*: disk refused a read or write: Input\/output error/)
      disk.heal()
      await server.restart()
      assert.equal((await server.history(token, 'a')).length, 1)
    })
  })

  it('a power cut at any moment while the store is created leaves a folder that starts', async () => {
    let cuts = 0
    for (let at = 1, done = false; !done; at++) {
      await onFaultyDisk({ command: 'broker' }, async (server, disk) => {
        disk.cutAt(at)
        server.launch()
        const ready = new Promise((resolve) => server.child.stdout.once('data', () => resolve('ready')))
        const end = await within(Promise.race([ready, server.child.exited]), 'ready or cut')
        if (end === 'ready') {
          done = true
          return
        }
        assert.equal(end.signal, 'SIGKILL', server.stderr)
        server.child = null
        cuts++
        disk.heal()
        await server.start()
      })
    }
    assert.ok(cuts >= 3, `${cuts} moments`)
  })

  it('a full disk is called that', async () => {
    await onFaultyDisk({}, async (server, disk) => {
      disk.fail('allocate', 'ENOSPC')
      assert.equal((await refusesToStart(server)).code, 1)
      assert.match(server.stderr, /data folder .*: disk full/)
      assert.doesNotMatch(server.stderr, /map_size/)
    })
  })

  it('a small address space is called that', async () => {
    const server = new Server()
    try {
      const script = 'ulimit -v 4000000 && exec "$@"'
      const { code, stderr } = await run('bash', ['-c', script, 'bash', process.env.CONFAB_BIN, ...server.arguments()],
        { env: plainEnvironment() })
      assert.equal(code, 1, stderr)
      assert.match(stderr, /not enough address space: lower store\.map_size or raise RLIMIT_AS/)
    } finally {
      await server.close()
    }
  })
})

describe('a page that cannot be read', limits, () => {
  it('ends the server with a line that names the file', async () => {
    const server = new Server()
    const token = newToken()
    try {
      await server.start()
      for (let i = 0; i < 50; i++) await server.say(token, 'a', { i, filler: 'x'.repeat(20000) })
      fs.truncateSync(path.join(server.data, 'data.mdb'), 64 * 1024)
      server.get(chat(token, 'a', '/history')).catch(() => {})
      assert.deepEqual(await ended(server), { code: EXIT_DISK, signal: null })
      assert.match(server.stderr, /data\.mdb: the page at byte \d+ cannot be read/)
      assert.match(server.stderr, /confab check --data/)
    } finally {
      await server.close()
    }
  })
})

describe('a slow disk', limits, () => {
  it('a CONNECT that stores nothing does not wait for a commit', async () => {
    await onFaultyDisk({ set: { 'mqtt.workers': 1 } }, async (server, disk) => {
      const token = newToken()
      await server.start()
      const stored = { clean: false, properties: { sessionExpiryInterval: 3600 } }
      disk.hold('sync')
      const before = disk.calls('sync')
      const order = []
      const slow = Device.connect(server.mqttUrl, { token, clientId: 'stored', ...stored })
        .then((device) => { order.push('stored'); return device })
      await until(() => disk.calls('sync') > before, 'the commit under way')
      const quick = await Promise.all([1, 2, 3].map((n) =>
        Device.connect(server.mqttUrl, { token, clientId: `clean${n}` })
          .then((device) => { order.push('clean'); return device })))
      disk.letGo('sync')
      const device = await within(slow, 'the stored session', PATIENCE + scaled(6000))
      assert.deepEqual(order, ['clean', 'clean', 'clean', 'stored'])
      for (const each of [...quick, device]) each.client.end(true)
    })
  })

  it('a clean CONNECT ends the stored session of its id, also one that is being opened', async () => {
    await onFaultyDisk({ set: { 'mqtt.workers': 1 } }, async (server, disk) => {
      const token = newToken()
      await server.start()
      const stored = { clean: false, properties: { sessionExpiryInterval: 3600 } }
      disk.hold('sync')
      const before = disk.calls('sync')
      const first = Device.connect(server.mqttUrl, { token, clientId: 'same', ...stored }).catch(() => null)
      await until(() => disk.calls('sync') > before, 'the commit under way')
      const taking = Device.connect(server.mqttUrl, { token, clientId: 'same' })
      await first // taken over
      disk.letGo('sync')
      const second = await taking
      const one = await first
      one?.client.end(true)
      second.client.end(true)
      await within(second.closed, 'the end of the clean session')
      const back = await Device.connect(server.mqttUrl, { token, clientId: 'same', ...stored })
      assert.equal(back.connack?.sessionPresent ?? false, false, 'the stored session was ended')
      back.client.end(true)
    })
  })
})
