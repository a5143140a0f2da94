'use strict'
// `confab token delete` and `set`, `confab thing purge`, `confab backup` and
// `restore`, as an operator uses them.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { it } = require('node:test')
const { suite, Server, BINARY, chat } = require('./harness/server')
const { run } = require('./harness/process')
const { within } = require('./harness/waits')

const lines = (text) => text.split('\n').filter((line) => line !== '')

suite('confab token delete, set, thing purge', { set: { 'tokens.access': 'registered' } }, (server) => {
  it('delete closes connections, removes all, and frees the name', async () => {
    const [token, other] = [await server.planToken('home'), await server.planToken('home')]
    for (let n = 0; n < 40; n++) await server.say(token, n % 2 ? 'x' : 'y/z', { n })
    await server.say(other, 'x', { kept: true })
    await server.post(chat(token, 'x', '?retain=1'), { n: 'retained' })
    const device = await server.device({ token, clientId: 'd', clean: false, properties: { sessionExpiryInterval: 3600 } })
    await device.subscribe([`${token}/#`], { qos: 1 })
    const stream = await server.listen(token, 'x')
    const gone = new Promise((resolve) => device.client.once('close', resolve))

    const deleted = await server.cli('token', 'delete', '--', token)
    assert.deepEqual([deleted.code, deleted.stdout, deleted.stderr], [0, '', ''])
    await within(gone, 'end of the device')
    await within(stream.ended, 'end of the stream')
    device.client.end(true)

    assert.equal((await server.get(`/${token}/things`)).status, 401)
    assert.ok(!(await server.cli('token', 'list')).stdout.includes(token))
    const history = await server.cli('history', '--', `${token}/x`)
    assert.match(history.stderr, /nothing was ever stored/)
    assert.equal((await server.cli('token', 'create', '--', token)).code, 0)
    assert.deepEqual(await server.things(token), [])
    const retained = await server.device({ token, clientId: 'd', clean: false })
    assert.equal(retained.connack?.sessionPresent ?? false, false)
    await server.say(token, 'x', { fresh: true })
    assert.equal((await server.history(token, 'x')).length, 1)
    assert.equal((await server.latest(other, 'x')).chat.kept, true)

    const again = await server.cli('token', 'delete', '--', 'nobody-has-this')
    assert.equal(again.code, 1)
    assert.match(again.stderr, /unknown token/)
  })

  it('set --plan holds at once', async () => {
    const token = await server.planToken('free')
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 99)
    const set = await server.cli('token', 'set', '--plan', 'home', '--', token)
    assert.deepEqual([set.code, set.stdout, set.stderr], [0, '', ''])
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 2147483647)
    const bad = await server.cli('token', 'set', '--plan', 'golden', '--', token)
    assert.equal(bad.code, 1)
    assert.match(bad.stderr, /golden.*no such plan/)
    assert.equal((await server.cli('token', 'set', '--', token)).code, 2)
  })

  it('purge removes one thing and what is retained of it', async () => {
    const token = await server.planToken('home')
    for (let n = 0; n < 50; n++) await server.post(chat(token, 'typo', '?retain=1'), { n })
    await server.say(token, 'kept', {})
    const { code, stdout, stderr } = await server.cli('thing', 'purge', '--', `${token}/typo`)
    assert.deepEqual([code, stdout, stderr], [0, '', ''])
    assert.deepEqual(await server.things(token), ['kept'])
    assert.equal((await server.get(chat(token, 'typo', '/latest'))).status, 404)
    const again = await server.cli('thing', 'purge', '--', `${token}/typo`)
    assert.equal(again.code, 1)
    assert.match(again.stderr, /nothing was ever stored/)
    assert.equal((await server.cli('thing', 'purge', '--', token)).code, 2)
  })

  it('delete works without a server, too', async () => {
    const [token, other] = [await server.planToken('home'), await server.planToken('home')]
    await server.say(token, 'x', {})
    await server.say(other, 'x', {})
    await server.stop()
    const deleted = await server.cli('token', 'delete', '--', token)
    assert.deepEqual([deleted.code, deleted.stdout, deleted.stderr], [0, '', ''])
    await server.restart()
    assert.equal((await server.get(`/${token}/things`)).status, 401)
    assert.equal((await server.latest(other, 'x')).id > 0, true)
  })
})

suite('confab backup and restore', {}, (server) => {
  it('copies a running store into files of its owner, and makes a store of that', async () => {
    const token = await server.planToken('home')
    for (let n = 0; n < 100; n++) await server.say(token, 'x', { n })
    const copy = path.join(path.dirname(server.data), 'copy')
    // while it is being written to
    const device = await server.device({ token })
    let going = true
    const writing = (async () => { for (let n = 100; going; n++) await device.publish(`${token}/x`, { n }, { qos: 1 }) })()
    const made = await server.cli('backup', copy)
    going = false
    await writing
    assert.deepEqual([made.code, made.stdout], [0, ''], made.stderr)
    assert.deepEqual(fs.readdirSync(copy), ['data.mdb'])
    assert.equal(fs.statSync(path.join(copy, 'data.mdb')).mode & 0o777, 0o600)
    assert.equal(fs.statSync(copy).mode & 0o777, 0o700)
    const size = fs.statSync(path.join(copy, 'data.mdb')).size
    const again = await server.cli('backup', copy)
    assert.equal(again.code, 1)
    assert.match(again.stderr, /there is a copy already/)
    assert.equal(fs.statSync(path.join(copy, 'data.mdb')).size, size)

    const onto = await server.cli('restore', copy)
    assert.equal(onto.code, 1, 'into a folder in use')
    const restored = path.join(path.dirname(server.data), 'restored')
    const put = await run(BINARY, ['restore', copy, '--data', restored])
    assert.deepEqual([put.code, put.stdout], [0, ''], put.stderr)
    assert.equal(fs.statSync(path.join(restored, 'data.mdb')).mode & 0o777, 0o640)
    const twice = await run(BINARY, ['restore', copy, '--data', restored])
    assert.equal(twice.code, 1)
    assert.match(twice.stderr, /there is a store already/)

    const second = await new Server({ data: restored }).start()
    try {
      const history = await second.history(token, 'x', '?limit=1000&order=asc')
      assert.ok(history.length >= 100)
      assert.deepEqual(history.map(({ chat }) => chat.n), history.map((_, n) => n), 'a consistent snapshot')
      await second.say(token, 'x', { n: 'on' })
    } finally {
      await second.stop()
    }
  })

  it('refuses what is no copy', async () => {
    const folder = path.join(path.dirname(server.data), 'none')
    fs.mkdirSync(folder)
    const target = path.join(path.dirname(server.data), 'target')
    const missing = await run(BINARY, ['restore', folder, '--data', target])
    assert.equal(missing.code, 1)
    assert.match(missing.stderr, /no data\.mdb there/)
    fs.writeFileSync(path.join(folder, 'data.mdb'), 'nothing of the kind'.repeat(1000))
    const bad = await run(BINARY, ['restore', folder, '--data', target])
    assert.equal(bad.code, 1)
    assert.match(bad.stderr, /damaged, or is not a store/)
    assert.ok(!fs.existsSync(path.join(target, 'data.mdb')))
    assert.equal(lines(bad.stderr).length, 1)
  })
})
