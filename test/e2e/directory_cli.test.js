'use strict'
// `confab tenant` and `confab key`: by the running server, and on the data folder
// where none runs. The same must hold either way.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { it, before, after } = require('node:test')
const { Server, suite, group, BINARY, secret, until } = require('./harness/server')
const { run } = require('./harness/process')
const { scaled, within } = require('./harness/waits')

const lines = (text) => text.split('\n').filter((line) => line !== '')
const rows = (text) => lines(text).map((line) => line.split('\t'))
const DAY = 24 * 3600 * 1000

// The body is run twice.
function bothWays (name, body) {
  for (const runs of [true, false]) {
    group(`${name} ${runs ? 'with' : 'without'} a running server`, () => {
      const server = new Server({ set: { 'tokens.access': 'registered' } })
      before(async () => {
        if (runs) await server.start()
        else assert.equal((await server.cli('tenant', 'create', 'first')).code, 0) // makes the store
      })
      after(() => server.close())
      const cli = (args, input) => run(BINARY, server.cliArguments(...args), { input })
      const done = async (args, input) => {
        const { code, stdout, stderr } = await cli(args, input)
        assert.equal(code, 0, stderr)
        return stdout
      }
      // One line (and where to look for help) that says `what`, and nothing else.
      const refused = async (args, status, what, input) => {
        const { code, stdout, stderr } = await cli(args, input)
        assert.deepEqual([code, stdout], [status, ''], `${args.join(' ')}: ${stderr}`)
        assert.match(stderr, what)
        assert.equal(lines(stderr).length, status === 2 ? 2 : 1, stderr)
        return stderr
      }
      body({ server, cli, done, refused })
    })
  }
}

bothWays('confab tenant', ({ server, done, refused }) => {
  const file = (name, text) => {
    const at = path.join(path.dirname(server.data), name)
    fs.writeFileSync(at, text)
    return at
  }
  const row = async (name) => rows(await done(['tenant', 'list'])).find(([first]) => first === name)

  it('create and list: name, kind, plan, time, state, usage, keys', async () => {
    assert.equal(await done(['tenant', 'create', 'acme']), '')
    assert.equal(await done(['tenant', 'create', '--plan', 'free', 'other']), '')
    const token = secret((await done(['token', 'create'])).trim())
    const [name, kind, plan, created, state, ...usage] = await row('acme')
    assert.deepEqual([name, kind, plan, state], ['acme', 'tenant', 'home', 'valid'])
    assert.ok(Math.abs(Date.parse(created) - Date.now()) < scaled(60000), created)
    assert.equal(usage.length, 5)
    assert.deepEqual([usage[0], usage[1], usage[2], usage[4]], ['0', '-', '0', '0'])
    assert.deepEqual((await row('other')).slice(1, 3), ['tenant', 'free'])
    assert.deepEqual((await row(token)).slice(1, 3), ['token', 'home'])
    const all = lines(await done(['tenant', 'list', '--json'])).map((line) => JSON.parse(line))
    const { created: time, session_bytes_max: most, ...rest } = all.find((tenant) => tenant.name === 'acme')
    assert.deepEqual(rest, { name: 'acme', kind: 'tenant', plan: 'home', state: 'valid', bytes: 0, bytes_max: null, session_bytes: 0, keys: 0 })
    assert.deepEqual([time, String(most)], [created, usage[3]])
    assert.equal(JSON.parse(await done(['tenant', 'create', '--json', 'third'])).name, 'third')
  })

  it('`token list` shows no tenants, and tokens as before', async () => {
    const listed = rows(await done(['token', 'list']))
    assert.equal(listed.length, 1)
    assert.deepEqual(listed[0].slice(1, 2), ['home'])
    assert.equal(listed[0].length, 8)
  })

  it('names that are none, or taken, are refused', async () => {
    for (const name of ['', 'a b', 'a/b', 'ä', '#', '-', '-a', 'x'.repeat(65)]) {
      await refused(['tenant', 'create', '--', name], 1, /name is 1 to 64 of A-Z/)
    }
    await refused(['tenant', 'create', 'acme'], 1, /acme: exists already/)
    await refused(['tenant', 'create', '--plan', 'golden', 'fifth'], 1, /golden.*no such plan.*\[plan:golden\]/)
    assert.equal(await row('fifth'), undefined)
    for (const args of [['create'], ['create', 'a', 'b'], ['list', 'a'], ['show'], ['set', 'acme'], ['suspend', 'acme', 'x'],
      ['suspend', '--plan', 'free', 'acme'], ['fly', 'acme'], []]) {
      await refused(['tenant', ...args], 2, /confab tenant: /)
    }
    for (const verb of ['show', 'suspend', 'resume', 'delete']) {
      await refused(['tenant', verb, 'nobody-has-this'], 1, /unknown tenant: confab tenant list/)
    }
    await refused(['tenant', 'set', 'nobody-has-this', 'cors.origins=*'], 1, /unknown tenant: confab tenant list/)
  })

  it('settings: set, shown, checked and unset', async () => {
    await done(['tenant', 'set', 'acme', 'webhook.url=https://example.org/hook', 'cors.origins=https://a.example https://b.example'])
    assert.deepEqual(rows(await done(['tenant', 'show', 'acme'])).slice(1),
      [['cors.origins', 'https://a.example https://b.example'], ['webhook.url', 'https://example.org/hook']])
    await done(['tenant', 'set', '--plan', 'free', 'acme', 'cors.origins='])
    const shown = JSON.parse(await done(['tenant', 'show', '--json', 'acme']))
    assert.deepEqual([shown.plan, shown.settings], ['free', { 'webhook.url': 'https://example.org/hook' }])
    await done(['tenant', 'set', '--plan', 'home', 'acme'])
    await refused(['tenant', 'set', 'acme', 'webhook.uri=x'], 2, /webhook\.uri: there is no such setting; there are webhook\.url,/)
    await refused(['tenant', 'set', 'acme', 'webhook.url=ftp://x'], 2, /webhook\.url: must begin with https/)
    await refused(['tenant', 'set', 'acme', 'nothing'], 2, /SETTING=VALUE/)
    await refused(['tenant', 'set', '--plan', 'golden', 'acme'], 1, /golden.*no such plan/)
  })

  it('secrets come from files or standard input, and are shown to nobody', async () => {
    const [one, two] = [secret('webhook-secret-0123456789'), secret('jwt-secret-0123456789-0123456789-abcdef')]
    const said = await refused(['tenant', 'set', 'acme', `webhook.secret=${one}`], 2, /webhook\.secret=@FILE, or webhook\.secret=@- for standard input/)
    assert.ok(!said.includes(one))
    await done(['tenant', 'set', 'acme', `webhook.secret=@${file('one', `${one}\r\n`)}`, 'jwt.secret=@-'], `${two}\n`)
    const shown = await done(['tenant', 'show', 'acme']) + await done(['tenant', 'show', '--json', 'acme']) + await done(['tenant', 'list'])
    assert.match(shown, /^webhook\.secret\tset$/m)
    assert.match(shown, /"jwt\.secret":"set"/)
    for (const text of [one, two]) assert.ok(!shown.includes(text))
    const stored = fs.readFileSync(path.join(server.data, 'data.mdb'))
    for (const text of [one, two]) { // without the line's end
      const at = stored.lastIndexOf(text)
      assert.ok(at > 0)
      assert.ok(![0x0a, 0x0d].includes(stored[at + text.length]))
    }
    await refused(['tenant', 'set', 'acme', `webhook.secret=@${file('short', 'short\n')}`], 2, /webhook\.secret: must have 16 to 256 bytes/)
    await refused(['tenant', 'set', 'acme', `webhook.secret=@${file('long', 'x'.repeat(5000))}`], 2, /webhook\.secret: must have at most 4,096 bytes/)
    await refused(['tenant', 'set', 'acme', `webhook.secret=@${file('binary', Buffer.alloc(32))}`], 2, /webhook\.secret: must be text/)
    await refused(['tenant', 'set', 'acme', `webhook.secret=@${file('empty', '\n')}`], 1, /empty; webhook\.secret= \(without @\) unsets it/)
    await refused(['tenant', 'set', 'acme', 'webhook.secret=@/no/such/file'], 1, /\/no\/such\/file: No such file/)
    await refused(['tenant', 'set', 'acme', 'webhook.secret=@-', 'jwt.secret=@-'], 2, /only one value can be @-/, `${one}\n`)
    await done(['tenant', 'set', 'acme', 'webhook.secret=', 'jwt.secret='])
    assert.doesNotMatch(await done(['tenant', 'show', 'acme']), /secret/)
  })

  it('confab token leaves tenants alone', async () => {
    for (const args of [['revoke'], ['delete'], ['set', '--plan', 'free']]) {
      await refused(['token', ...args, 'acme'], 1, /acme is a tenant: use confab tenant/)
    }
    assert.deepEqual((await row('acme')).slice(2, 3), ['home'])
    assert.equal((await row('acme'))[4], 'valid')
    await refused(['webhook', 'list', '--tenant', 'nobody'], 1, /unknown tenant/)
  })

  it('suspend and resume, of tokens as well, given in any way', async () => {
    const token = rows(await done(['token', 'list']))[0][0]
    for (const [name, given, input] of [['acme', ['acme']], [token, [`${token.slice(0, 6)}...`]], [token, ['-'], `${token}\n`],
      [token, ['--token-file', file('token', `${token}\n`)]]]) {
      await done(['tenant', 'suspend', ...given], input)
      assert.equal((await row(name))[4], 'suspended')
      await done(['tenant', 'suspend', ...given], input) // again: fine
      await done(['tenant', 'resume', ...given], input)
      assert.equal((await row(name))[4], 'valid')
    }
    await done(['tenant', 'suspend', 'acme'])
    assert.match(await done(['tenant', 'show', 'acme']), /\tsuspended\t/)
    await done(['tenant', 'resume', 'acme'])
    await done(['token', 'revoke', '--', token])
    await refused(['tenant', 'suspend', '--', token], 1, /revoked for good: confab tenant delete/)
  })

  it('delete removes it with its keys, and frees the name', async () => {
    await done(['key', 'create', '--tenant', 'acme'])
    assert.equal((await row('acme'))[9], '1')
    assert.equal(await done(['tenant', 'delete', 'acme']), '')
    assert.equal(await row('acme'), undefined)
    assert.notEqual(await row('other'), undefined)
    await done(['tenant', 'create', 'acme'])
    assert.equal(await done(['key', 'list', '--tenant', 'acme']), '')
  })
})

bothWays('confab key', ({ server, cli, done, refused }) => {
  const list = async () => rows(await done(['key', 'list', '--tenant', 'acme']))
  before(async () => { assert.equal((await cli(['tenant', 'create', 'acme'])).code, 0) })

  it('create prints the secret alone on stdout, and what it may on stderr', async () => {
    const { code, stdout, stderr } = await cli(['key', 'create', '--tenant', 'acme'])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^sk_[A-Za-z0-9_-]{32}\n$/)
    secret(stdout.trim())
    const [id, kind, label, rights, mount, user, plan, created, expires, state] = (await list())[0]
    assert.equal(stderr, `confab key: ${id}: publish #, subscribe #\n`)
    assert.match(id, /^key_[A-Za-z0-9_-]{12}$/)
    assert.deepEqual([kind, label, rights, mount, user, plan, expires, state],
      ['server', '-', 'publish #, subscribe #', '-', '-', '-', '-', 'valid'])
    assert.ok(Math.abs(Date.parse(created) - Date.now()) < scaled(60000))
    await done(['key', 'revoke', '--tenant', 'acme', id])
    assert.deepEqual(await list(), [])
  })

  it('a label or user with characters that are not seen is refused', async () => {
    for (const option of ['--label', '--user']) {
      for (const odd of ['a\u202eb', 'a\u200bb', '\ufeffa', 'a\u2067b']) {
        const { code, stderr } = await cli(['key', 'create', '-t', 'acme', option, odd])
        assert.equal(code, 1)
        assert.match(stderr, /not seen/)
      }
    }
  })

  it('with all there is to say', async () => {
    const made = JSON.parse(await done(['key', 'create', '-t', 'acme', '--label', 'Küche 1', '--kind', 'device',
      '--publish', 'devices/%c/#', '--publish', 'log', '--subscribe', 'cmd/%u/+', '--manage', 'log', '--user', 'bob',
      '--mount', 'home', '--plan', 'free', '--expires', '90d', '--json']))
    assert.match(secret(made.secret), /^dk_[A-Za-z0-9_-]{32}$/)
    const { secret: hidden, ...shown } = made
    const [listed] = lines(await done(['key', 'list', '-t', 'acme', '--json'])).map((line) => JSON.parse(line))
    assert.deepEqual(listed, shown)
    const { key, created, expires, ...rest } = shown
    assert.ok(Math.abs(Date.parse(expires) - Date.now() - 90 * DAY) < scaled(60000), expires)
    assert.deepEqual(rest, {
      kind: 'device',
      label: 'Küche 1',
      rights: { publish: ['devices/%c/#', 'log'], subscribe: ['cmd/%u/+'], manage: ['log'], admin: false },
      mount: 'home',
      user: 'bob',
      plan: 'free',
      state: 'valid',
      last_used: null
    })
    const [row] = await list()
    assert.deepEqual(row.slice(0, 7), [key, 'device', 'Küche 1',
      'publish devices/%c/#, publish log, subscribe cmd/%u/+, manage log', 'home', 'bob', 'free'])
    assert.deepEqual(row.slice(7), [created, expires, 'valid', '-'])
    await done(['tenant', 'suspend', 'acme'])
    assert.equal((await list())[0][9], 'suspended')
    await done(['tenant', 'resume', 'acme'])
    await done(['key', 'revoke', '-t', 'acme', key])
  })

  it('an administrator; one mounted at the root; every kind', async () => {
    const make = async (...args) => JSON.parse(await done(['key', 'create', '-t', 'acme', '--json', ...args]))
    assert.equal((await make('--admin')).rights.admin, true)
    assert.equal((await make('--mount', '')).mount, '')
    assert.deepEqual((await list()).map((row) => row[4]).sort(), ['-', '/'])
    for (const [kind, prefix] of [['server', 'sk_'], ['live', 'pk_live_'], ['test', 'pk_test_'], ['device', 'dk_'], ['agent', 'ag_']]) {
      assert.ok((await make('--kind', kind)).secret.startsWith(prefix))
    }
    for (const [id] of await list()) await done(['key', 'revoke', '-t', 'acme', id])
  })

  it('the secret is not stored, not even in the data folder', async () => {
    const text = secret((await done(['key', 'create', '-t', 'acme'])).trim())
    const listed = await done(['key', 'list', '-t', 'acme']) + await done(['key', 'list', '-t', 'acme', '--json'])
    assert.ok(!listed.includes(text.slice(4)))
    const stored = fs.readFileSync(path.join(server.data, 'data.mdb'))
    assert.ok(stored.includes((await list())[0][2] === '-' ? 'acme' : ''), 'the right file')
    assert.ok(!stored.includes(text.slice(4, 20)))
  })

  it('rotate: a new secret with the same rights; the old one ends at once, or later', async () => {
    for (const [id] of await list()) await done(['key', 'revoke', '-t', 'acme', id])
    await done(['key', 'create', '-t', 'acme', '--kind', 'agent', '--label', 'bot', '--publish', 'a', '--user', 'u'])
    const [first] = await list()
    const made = await cli(['key', 'rotate', '-t', 'acme', first[0]])
    assert.match(secret(made.stdout.trim()), /^ag_/, made.stderr)
    const [second, ...none] = await list()
    assert.deepEqual(none, [])
    assert.notEqual(second[0], first[0])
    assert.deepEqual(second.slice(1, 7), first.slice(1, 7))
    assert.equal(made.stderr, `confab key: ${second[0]}: publish a\n`)

    const third = JSON.parse(await done(['key', 'rotate', '-t', 'acme', '--keep', '24h', '--json', second[0]]))
    assert.match(secret(third.secret), /^ag_/)
    const both = await list()
    assert.deepEqual(both.map((row) => row[0]).sort(), [second[0], third.key].sort())
    const kept = both.find(([id]) => id === second[0])
    assert.ok(Math.abs(Date.parse(kept[8]) - Date.now() - DAY) < scaled(60000), kept[8])
    assert.equal(both.find(([id]) => id === third.key)[8], '-')
  })

  it('an expired key is listed as such until it is removed, or is gone', async () => {
    const { key } = JSON.parse(await done(['key', 'create', '-t', 'acme', '--json', '--expires', '1s']))
    await until(async () => {
      const row = (await list()).find(([id]) => id === key)
      return row === undefined || row[9] === 'expired'
    }, 'expiry')
  })

  it('what is wrong is refused, and says what to do', async () => {
    const create = (...args) => ['key', 'create', '-t', 'acme', ...args]
    const count = (await list()).length
    await refused(['key', 'create'], 2, /--tenant is missing/)
    await refused(['key', 'create', '-t', 'nobody'], 1, /unknown tenant: confab tenant list/)
    await refused(['key', 'list', '-t', 'nobody'], 1, /unknown tenant: confab tenant list/)
    await refused(create('--publish', 'a#'), 2, /a#: a right's filter must be a topic filter below the tenant/)
    await refused(create('--subscribe', '$SYS/#'), 2, /without `\$` in front/)
    await refused(create('--manage', 'x%u'), 2, /whole levels/)
    await refused(create('--kind', 'ticket'), 2, /--kind ticket: expected server, live, test, device or agent/)
    for (const time of ['0', '90x', '-1', '', '9999999999999w', '101y']) {
      await refused(create(`--expires=${time}`), 2, /expected a number of seconds, or with s, m, h, d or w, like 90d/)
    }
    await refused(create('--mount', 'a//b'), 1, /--mount: /)
    await refused(create('--label', 'x'.repeat(129)), 1, /--?label: /)
    await refused(create('--user', 'x'.repeat(129)), 1, /--?user: /)
    await refused(create('--plan', 'golden'), 1, /golden.*no such plan.*\[plan:golden\]/)
    await refused(create('key_AbCdEf012345'), 2, /create expects no operands/)
    await refused(['key', 'revoke', '-t', 'acme'], 2, /one KEY_ID/)
    await refused(['key', 'revoke', '-t', 'acme', '--admin', 'key_AbCdEf012345'], 2, /none of create's options/)
    await refused(['key', 'revoke', '-t', 'acme', '--keep', '1d', 'key_AbCdEf012345'], 2, /--keep is for rotate/)
    for (const verb of ['revoke', 'rotate']) {
      for (const id of ['key_AbCdEf012345', 'key_x']) {
        await refused(['key', verb, '-t', 'acme', id], 1, /the tenant has no such key: confab key list/)
      }
    }
    assert.equal((await list()).length, count)
  })

  it('keys of a token, which need not be an argument', async () => {
    const token = secret((await done(['token', 'create'])).trim())
    const file = path.join(path.dirname(server.data), 'token')
    fs.writeFileSync(file, `${token}\n`)
    for (const [given, input] of [[['--token-file', file]], [['-t', '-'], `${token}\n`], [['-t', `${token.slice(0, 6)}...`]]]) {
      const { code, stdout, stderr } = await cli(['key', 'create', ...given], input)
      assert.equal(code, 0, stderr)
      secret(stdout.trim())
      assert.ok(!stderr.includes(token))
    }
    assert.equal(lines(await done(['key', 'list', '--token-file', file])).length, 3)
    await done(['token', 'revoke', '--', token])
    assert.equal(rows(await done(['key', 'list', '--token-file', file]))[0][9], 'revoked')
    const said = await refused(['key', 'create', '--token-file', file], 1, /revoked/)
    assert.ok(!said.includes(token))
  })
})

suite('A key made by `confab key`', { set: { 'tokens.access': 'registered' } }, (server) => {
  it('connects a client with its rights, until it is revoked', async () => {
    assert.equal((await server.cli('tenant', 'create', 'acme')).code, 0)
    const made = await server.cli('key', 'create', '-t', 'acme', '--publish', 'mine/#', '--subscribe', 'mine/#', '--json')
    const { key, secret: password } = JSON.parse(made.stdout)
    secret(password)
    const device = await server.device({ token: 'acme', password })
    assert.deepEqual(await device.subscribe(['acme/mine/#'], { qos: 1 }), [1])
    await device.publish('acme/mine/x', 'hello', { qos: 1 })
    assert.equal((await device.message()).text, 'hello')
    const gone = new Promise((resolve) => device.client.once('close', resolve))
    assert.equal((await server.cli('key', 'revoke', '-t', 'acme', key)).code, 0)
    await within(gone, 'end of the connection')
    device.client.end(true)
  })
})

// Enough for many steps of 512 rows.
const MESSAGES = 20000
const AT_ONCE = 500

for (const runs of [true, false]) {
  group(`kill -9 of a ${runs ? 'server' : 'command'} that deletes a tenant`, () => {
    it('the next server completes it, and the name is free', async () => {
      const server = await new Server({ set: { 'tokens.access': 'registered' } }).start()
      const token = await server.planToken('home') // a tenant that may publish fast
      const file = path.join(path.dirname(server.data), 'token')
      fs.writeFileSync(file, `${token}\n`)
      const state = async () => rows((await server.cli('tenant', 'list')).stdout).find(([name]) => name === token)?.[4]
      secret((await server.cli('key', 'create', '--token-file', file)).stdout.trim())
      const device = await server.device({ token })
      for (let n = 0; n < MESSAGES; n += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, () => device.publish(`${token}/x`, 'x', { qos: 1 })))
      }
      await device.end()
      if (!runs) await server.stop()

      const deleting = server.follow(BINARY, server.cliArguments('tenant', 'delete', '--token-file', file))
      await until(async () => (await state()) === 'revoked', 'beginning of the deletion')
      if (runs) await server.kill9()
      else deleting.child.kill('SIGKILL')
      await within(deleting.exited, 'end of the command')
      assert.equal(await state(), 'revoked', 'killed before the end')

      await server.restart()
      await until(async () => (await state()) === undefined, 'end of the deletion', scaled(60000))
      assert.equal((await server.cli('tenant', 'create', '--', token)).code, 0)
      assert.equal((await server.cli('key', 'list', '--token-file', file)).stdout, '')
      assert.match((await server.cli('history', '--', `${token}/x`)).stderr, /nothing was ever stored/)
      await server.close()
    })
  })
}
