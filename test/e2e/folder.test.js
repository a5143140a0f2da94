'use strict'
// The command line and the data folder: which one it takes, what it says when
// it may not, whose the files are, and how tokens stay out of argv.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { describe, it, before, after } = require('node:test')
const { execFileSync } = require('node:child_process')
const { suite, Server, BINARY, newToken, secret, chat } = require('./harness/server')
const { run } = require('./harness/process')

const lines = (text) => text.split('\n').filter((line) => line !== '')

// A mount namespace in which /var/lib/confab is a folder of ours.
const namespaces = (() => {
  try {
    execFileSync('unshare', ['-rm', 'true'], { stdio: 'ignore' })
    return true
  } catch { return false }
})()

describe('Which data folder', () => {
  let folder
  before(() => { folder = fs.mkdtempSync(path.join(os.tmpdir(), 'confab-')) })
  after(() => fs.rmSync(folder, { recursive: true, force: true }))
  const inside = (script, cwd = folder) => run('unshare', ['-rm', 'sh', '-ec',
    `mkdir -p "$1" && mount -t tmpfs none /var/lib && ${script}`, 'sh', path.join(folder, 'var'), BINARY], { cwd })

  it('`confab token create` makes no store in a folder that nobody named', async () => {
    const empty = fs.mkdtempSync(path.join(folder, 'empty-'))
    const { code, stdout, stderr } = await run(BINARY, ['token', 'create'], { cwd: empty })
    if (!fs.existsSync('/var/lib/confab')) {
      assert.equal(code, 1)
      assert.equal(stdout, '')
      assert.match(stderr, /nothing was ever stored there: .*--data/)
      assert.equal(lines(stderr).length, 1)
    }
    assert.deepEqual(fs.readdirSync(empty), [])
  })

  it('/var/lib/confab where it exists, unless there is a store in ./data', { skip: !namespaces }, async () => {
    const made = await inside('mkdir /var/lib/confab && "$2" token create --data /var/lib/confab 2>/dev/null && "$2" token list')
    assert.equal(made.code, 0, made.stderr)
    assert.equal(lines(made.stdout).length, 2)
    secret(lines(made.stdout)[0])
    const here = fs.mkdtempSync(path.join(folder, 'here-'))
    const local = await inside('mkdir /var/lib/confab && "$2" token create --data data 2>/dev/null && "$2" token list', here)
    assert.equal(local.code, 0, local.stderr)
    secret(lines(local.stdout)[0])
    assert.equal(lines(local.stdout).length, 2)
    assert.ok(fs.existsSync(path.join(here, 'data', 'data.mdb')))
  })

  it('a server without settings keeps its data in ./data all the same', { skip: !namespaces }, async () => {
    const checked = await inside('mkdir /var/lib/confab && "$2" check')
    assert.match(checked.stdout, /^path = data$/m)
  })
})

suite('A folder of another user', {}, (server) => {
  const nobody = { uid: 65534, gid: 65534, cwd: '/' }
  const skip = process.getuid() !== 0
  before(() => fs.chmodSync(path.dirname(server.data), 0o755)) // but not its data

  it('is no folder without a server', { skip }, async () => {
    for (const command of [['status'], ['token', 'create'], ['clients']]) {
      const { code, stderr } = await run(BINARY, [...command, '--data', server.data], nobody)
      assert.equal(code, 1)
      assert.match(stderr, /permission denied: run this as the server's user or root/)
      assert.doesNotMatch(stderr, /no server runs/)
    }
  })

  it('gets files of its own when root makes them', { skip }, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'confab-'))
    const data = path.join(folder, 'data')
    try {
      fs.chmodSync(folder, 0o755)
      fs.mkdirSync(data, { mode: 0o750 })
      fs.chownSync(data, nobody.uid, nobody.gid)
      const made = await run(BINARY, ['token', 'create', '--data', data])
      assert.equal(made.code, 0, made.stderr)
      secret(made.stdout.trim())
      for (const name of fs.readdirSync(data)) {
        const { uid, gid } = fs.statSync(path.join(data, name))
        assert.deepEqual([uid, gid], [nobody.uid, nobody.gid], name)
      }
      const as = await run(BINARY, ['token', 'create', '--data', data], nobody)
      assert.equal(as.code, 0, as.stderr)
      secret(as.stdout.trim())
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })
})

suite('Tokens that do not stand in argv', { set: { 'tokens.access': 'registered' } }, (server) => {
  const cli = (args, input) => run(BINARY, server.cliArguments(...args), { input })
  const valid = async (token) => (await server.post(chat(token, 'x'), {})).status === 200

  it('create and revoke take one from standard input or a file', async () => {
    const [one, two] = [newToken(), newToken()]
    const made = await cli(['token', 'create', '-'], `${one}\n`)
    assert.equal(made.stdout, `${one}\n`, made.stderr)
    const file = path.join(path.dirname(server.data), 'token')
    fs.writeFileSync(file, `${two}\r\n`)
    assert.equal((await cli(['token', 'create', '--file', file])).code, 0)
    assert.ok(await valid(one) && await valid(two))
    assert.equal((await cli(['token', 'revoke', '--file', '-'], one)).code, 0)
    assert.equal((await cli(['token', 'revoke', '-f', file])).code, 0)
    assert.ok(!await valid(one) && !await valid(two))
  })

  it('`confab pub` to an unknown token says what to do', async () => {
    const { code, stderr } = await run(BINARY, server.cliArguments('pub', 'nosuch/a', 'x'))
    assert.deepEqual([code, stderr], [1, 'confab pub: n…: unknown token: create it (confab token create NAME), or see which exist (confab token list)\n'])
  })

  it('an invalid token is refused', async () => {
    for (const text of ['', '\n', 'no/token\n', `${'x'.repeat(65)}\n`, `${'x'.repeat(500)}\n`]) {
      const { code, stderr } = await cli(['token', 'revoke', '-'], text)
      assert.equal(code, 1, text)
      assert.match(stderr, /a token is 1 to 64/)
    }
    const missing = await cli(['token', 'revoke', '--file', '/no/such/file'])
    assert.match(missing.stderr, /\/no\/such\/file: No such file/)
    assert.equal((await cli(['token', 'revoke', '--file', '-', 'both'])).code, 2)
  })

  it('the beginning of a token suffices if no other token has it', async () => {
    const [one, two] = [`abcd${newToken()}`, `abce${newToken()}`].map((token) => secret(token.slice(0, 40)))
    for (const token of [one, two]) assert.equal((await cli(['token', 'create', '-'], token)).code, 0)
    const both = await cli(['token', 'revoke', 'abc...'])
    assert.equal(both.code, 1)
    assert.match(both.stderr, /several tokens begin like that/)
    const none = await cli(['token', 'revoke', 'zzzz…'])
    assert.match(none.stderr, /no token begins like that/)
    const whole = await cli(['token', 'revoke', 'abcd'])
    assert.match(whole.stderr, /unknown token: confab token list/)
    assert.equal((await cli(['pub', 'abcd.../lamp', '{"on":1}'])).code, 0)
    assert.equal((await server.latest(one, 'lamp')).chat.on, 1)
    assert.match((await cli(['history', 'abcd.../lamp'])).stdout, /"on":1/)
    assert.equal((await cli(['token', 'revoke', 'abcd…'])).code, 0)
    assert.ok(!await valid(one) && await valid(two))
  })
})

suite('Small things', {}, (server) => {
  const cli = (args, input) => run(BINARY, server.cliArguments(...args), { input })

  it('`confab version` is --version', async () => {
    assert.equal((await run(BINARY, ['version'])).stdout, (await run(BINARY, ['--version'])).stdout)
  })

  it('`confab pub` without a thing is wrong usage and stores nothing', async () => {
    const token = newToken()
    await server.say(token, 'x', {})
    for (const topic of [token, `${token}/`, '/x']) {
      const { code, stdout, stderr } = await run(BINARY, server.cliArguments('pub', '--', topic, '{}'))
      assert.deepEqual([code, stdout], [2, ''], topic)
      assert.match(stderr, /expected TOKEN\/THING/)
    }
    assert.deepEqual(await server.things(token), ['x'])
  })

  it('no command needs a token among its arguments: file, standard input, or its beginning', async () => {
    const [token, other] = [newToken(), newToken()]
    const file = path.join(path.dirname(server.data), 'token')
    fs.writeFileSync(file, `${token}\n`)
    const device = async (of, clientId) => await server.device({ token: of, clientId, v: 4 })
    await device(token, 'one')
    await device(other, 'one')
    assert.match((await cli(['pub', '--token-file', '-', 'x'], `${token}\n1\n`)).stdout, /^\d+\n$/)
    assert.match((await cli(['pub', '--token-file', file, 'a/b', '2'])).stdout, /^\d+\n$/)
    assert.deepEqual(await server.things(token), ['a/b', 'x'])
    assert.equal((await cli(['history', '--token-file', file, '--raw', 'x'])).stdout, '1\n\n')
    assert.equal((await cli(['pub', '--token-file', file, '--retain', 'kept', '3'])).code, 0)
    assert.equal((await cli(['sub', '--token-file', file, '-n', '1', 'kept', 'a/#'])).stdout, `${token}/kept 3\n`)
    const beginning = `${token.slice(0, 4)}...`
    for (const args of [['--token-file', file], ['--token', beginning], ['--token', '-'], ['--token-file', '-']]) {
      const { stdout, stderr } = await cli(['clients', '--json', '--full', ...args], `${token}\n`)
      assert.equal(stderr, '')
      assert.deepEqual(stdout.trim().split('\n').map((line) => JSON.parse(line).token), [token])
    }
    assert.equal((await cli(['thing', 'purge', '--token-file', file, 'a/b'])).code, 0)
    assert.deepEqual(await server.things(token), ['kept', 'x'])
    assert.equal((await cli(['kick', '--token', beginning, 'one'])).stdout, '1\n')
    await device(token, 'two')
    assert.equal((await cli(['kick', '--token-file', '-', '--all'], token)).stdout, '1\n')
    assert.equal((await cli(['clients', '--json', '--full'])).stdout.includes(other), true)
  })

  it('a token together with a token file is refused; with a token file topics are written without the token', async () => {
    for (const args of [['clients', '--token', 't', '--token-file', '-'], ['kick', '--token-file', '-', '-t', 't', 'x'],
      ['pub', '--token-file', '-', '/x', '1'], ['sub', '--token-file', '-', '$share/g/t/x'], ['kick', '--token-file', '-']]) {
      const { code, stdout } = await cli(args, 'token\n')
      assert.deepEqual([code, stdout], [2, ''], args.join(' '))
    }
    assert.match((await cli(['clients', '--token', 'nobody...'])).stderr, /no token begins like that/)
  })

  it('`confab sub --json` has seq, like history', async () => {
    const token = newToken()
    await server.post(chat(token, 'x', '?retain=1'), { n: 1 })
    const seen = await run(BINARY, server.cliArguments('sub', '-j', '-n', '1', '--', `${token}/x`))
    assert.equal(JSON.parse(seen.stdout).seq, 1)
  })

  it('a token that a client id has in it is shortened wherever ids are printed', async () => {
    const token = newToken()
    const clientId = `dev-${token}-1`
    const shown = `dev-${token.slice(0, 4)}…-1`
    const device = await server.device({ token, clientId })
    await device.publish('elsewhere/x', '1', { qos: 1 }).catch(() => {}) // refused
    for (const args of [['clients'], ['clients', '--json'], ['clients', '--refused'], ['clients', '--refused', '--json']]) {
      const { stdout } = await cli([...args, clientId])
      assert.ok(stdout.includes(shown), `${args}: ${stdout}`)
      assert.ok(!stdout.includes(token), args.join(' '))
      assert.ok((await cli([...args, '--full', '--', clientId])).stdout.includes(clientId), args.join(' '))
    }
  })

  it('errors shorten tokens', async () => {
    const token = newToken()
    await server.say(token, 'x', {})
    for (const args of [['history', `${token}/nosuch`], ['thing', 'purge', `${token}/nosuch`], ['thing', 'purge', `${token}/a/`],
      ['pub', `${token}/a/+`, '1'], ['sub', `${token}/a/#/b`]]) {
      const { code, stderr } = await cli(args)
      assert.notEqual(code, 0, args.join(' '))
      assert.ok(stderr.includes(`${token.slice(0, 4)}…/`), stderr)
      assert.ok(!stderr.includes(token), stderr)
    }
  })

  it('errors name the folder that is meant, once, and say what to do', async () => {
    const missing = path.join(path.dirname(server.data), 'no', 'such')
    const file = path.join(path.dirname(server.data), 'file')
    fs.writeFileSync(file, '')
    const copy = path.join(path.dirname(server.data), 'a', 'b')
    const said = {
      [`confab check: data folder ${missing}: nothing was ever stored there: name the server's folder with --data\n`]: ['check', '--data', missing],
      [`confab run: data folder ${missing}: its parent folder does not exist\n`]: ['run', '--data', missing],
      [`confab run: data folder ${file}: cannot be read or written: Not a directory\n`]: ['run', '--data', file],
      [`confab backup: ${copy}: its parent folder does not exist\n`]: ['backup', '--data', server.data, copy],
      [`confab backup: ${file}: Not a directory\n`]: ['backup', '--data', server.data, file]
    }
    for (const [text, args] of Object.entries(said)) {
      const { code, stderr } = await run(BINARY, args)
      assert.deepEqual([code, stderr], [1, text])
    }
  })

  it('a folder in use says so once', async () => {
    const { code, stderr } = await run(BINARY, ['broker', '--data', server.data, '-s', 'mqtt.listen=127.0.0.1:0'])
    assert.equal(code, 1)
    assert.equal(stderr, `confab broker: data folder ${server.data}: in use by another process: stop that one, or name another folder with --data\n`)
  })
})

describe('The ready line', () => {
  for (const [listen, shown] of [['0.0.0.0:0', '127.0.0.1'], ['[::]:0', '[::1]']]) {
    it(`shows an address one can open when listening on ${listen}`, async () => {
      const server = await new Server({ set: { 'http.listen': listen, 'mqtt.listen': listen } }).start()
      try {
        assert.ok(server.readyLine.includes(`http=http://${shown}:${server.httpPort} mqtt=mqtt://${shown}:${server.mqttPort} `), server.readyLine)
      } finally {
        await server.close()
      }
    })
  }
})
