'use strict'
// The command line: every command, settings and their errors, starting and
// stopping.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { it, before, after } = require('node:test')
const { Server, suite, group, confab, BINARY, STOP_LIMIT, temporaryFolder, newToken, secret, chat, until } = require('./harness/server')
const { run, follow, start, plainEnvironment } = require('./harness/process')
const { scaled, within, FACTOR } = require('./harness/waits')

const COMMANDS = ['run', 'broker', 'bridge', 'token', 'tenant', 'key', 'pub', 'sub', 'history', 'status', 'clients', 'kick', 'check']
const lines = (text) => text.split('\n').filter((line) => line !== '')

group('Help, version and usage', () => {
  it('`confab --version`', async () => {
    const { code, stdout, stderr } = await confab(['--version'])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^confab \d+\.\d+\S*\n$/)
  })

  it('`confab --help` names every command', async () => {
    const { code, stdout, stderr } = await confab(['--help'])
    assert.deepEqual([code, stderr], [0, ''])
    for (const command of COMMANDS) assert.match(stdout, new RegExp(`^\\s*${command}\\b`, 'm'))
  })

  for (const command of COMMANDS) {
    it(`\`confab ${command} --help\``, async () => {
      for (const option of ['--help', '-h']) {
        const { code, stdout, stderr } = await confab([command, option])
        assert.deepEqual([code, stderr], [0, ''])
        assert.match(stdout, new RegExp(`Usage: confab ${command}`))
        assert.match(stdout, /-c\b/)
        assert.match(stdout, /--data\b/)
      }
    })
  }

  it('one table drives `--help`: every key is in it', async () => {
    const { stdout } = await confab(['check', '--help'])
    const keys = ['http.listen', 'http.workers', 'mqtt.listen', 'mqtt.workers', 'store.path', 'store.map_size', 'tokens.access',
      'tokens.default_plan', 'tokens.operator_plan', 'tokens.public_creation', 'tokens.create_per_hour', 'limits.connections', 'log.level', 'writes_per_hour', 'reads_per_hour',
      'payload_max', 'connections', 'inflight', 'things_max', 'bytes_max', 'idle_timeout', 'retry_ms', 'keepalive',
      'retention_count', 'retention_age']
    for (const key of keys) assert.ok(stdout.includes(key), key)
  })

  const wrong = {
    'no command': [],
    'an unknown command': ['fly'],
    'an unknown option': ['run', '--fly'],
    'an unknown letter': ['run', '-Z'],
    '-c without a file': ['run', '-c'],
    '-s without a setting': ['run', '-s'],
    'an operand too many': ['run', 'now'],
    'token without a verb': ['token'],
    'token with an unknown verb': ['token', 'fly'],
    'revoke without a token': ['token', 'revoke'],
    'pub without a topic': ['pub'],
    'sub without a filter': ['sub'],
    'history without a thing': ['history'],
    'history with a bad number': ['history', '-n', 'many', 'token/thing'],
    'status with an operand': ['status', 'now'],
    'clients with two operands': ['clients', 'a', 'b'],
    'kick without a client': ['kick'],
    'kick of all, but whose': ['kick', '--all'],
    'pub to a wildcard': ['pub', 'token/#', 'x']
  }
  for (const [what, args] of Object.entries(wrong)) {
    it(`2 for usage: ${what}`, async () => {
      const { code, stdout, stderr } = await confab(args, { cwd: temporaryFolderOnce() })
      assert.equal(code, 2, stderr)
      assert.equal(stdout, '')
      assert.notEqual(stderr, '')
    })
  }

  let folder
  const temporaryFolderOnce = () => (folder ??= temporaryFolder())
  after(() => { if (folder) fs.rmSync(folder, { recursive: true, force: true }) })
})

group('Settings', () => {
  let folder
  before(() => { folder = temporaryFolder() })
  after(() => { fs.rmSync(folder, { recursive: true, force: true }) })

  const write = (text) => {
    const file = path.join(folder, 'confab.ini')
    fs.writeFileSync(file, text)
    return file
  }

  // [file's text, line number, what must be named]
  const bad = {
    'an unknown key': ['[http]\nlisten = 127.0.0.1:0\nlisen = 127.0.0.1:0\n', 3, 'lisen'],
    'an unknown section': ['\n\n[ftp]\nlisten = 1\n', 4, 'ftp'],
    'an unknown key of a plan': ['[plan:free]\nwrites_per_minute = 1\n', 2, 'writes_per_minute'],
    'a word for a number': ['; comment\n[http]\nworkers = many\n', 3, 'http.workers'],
    'a negative number': ['[plan:free]\nwrites_per_hour = -1\n', 2, 'writes_per_hour'],
    'a number with a unit': ['[plan:free]\npayload_max = 10k\n', 2, 'payload_max'],
    'a number too large': ['[http]\nworkers = 100000\n', 2, 'http.workers'],
    'a number without end': ['[plan:free]\nretention_age = 99999999999999999999999\n', 2, 'retention_age'],
    'an unknown word': ['[tokens]\naccess = maybe\n', 2, 'tokens.access'],
    'an unknown level': ['[log]\nlevel = loud\n', 2, 'log.level'],
    'an empty value': ['[store]\npath =\n', 2, 'store.path'],
    'an address without port': ['[http]\nlisten = 127.0.0.1\n', 2, 'http.listen'],
    'an address with a bad port': ['\n[mqtt]\nlisten = 127.0.0.1:99999\n', 3, 'mqtt.listen'],
    'a plan that is none': ['[tokens]\ndefault_plan = golden\n', 2, 'tokens.default_plan'],
    'a plan with an odd name': ['[plan:a b]\nwrites_per_hour = 1\n', 2, 'plan'],
    'a section that is not closed': ['[http\nworkers = 1\n', 1, ''],
    'a line that is nothing': ['[http]\nworkers = 1\nnonsense\n', 3, '']
  }
  for (const [what, [text, line, key]] of Object.entries(bad)) {
    it(`one clear line naming file, line and key; exit code 2: ${what}`, async () => {
      const file = write(text)
      for (const command of ['check', 'run']) {
        const { code, stdout, stderr } = await confab([command, '-c', file, '--data', path.join(folder, 'data')])
        assert.equal(code, 2, stderr)
        assert.equal(stdout, '')
        assert.equal(lines(stderr).length, 1, stderr)
        assert.ok(stderr.includes(`${file}:${line}:`), `${stderr} names ${file}:${line}`)
        assert.ok(stderr.includes(key), `${stderr} names ${key}`)
      }
      assert.ok(!fs.existsSync(path.join(folder, 'data')), 'nothing was created')
    })
  }

  it('a file that is missing, or a folder: exit code 2, named', async () => {
    for (const file of [path.join(folder, 'missing.ini'), folder]) {
      const { code, stderr } = await confab(['check', '-c', file])
      assert.equal(code, 2)
      assert.equal(lines(stderr).length, 1, stderr)
      assert.ok(stderr.includes(file), stderr)
    }
  })

  it('-c -FILE: a file that may be missing, as the systemd units say it', async () => {
    const missing = await confab(['check', '-c', `-${path.join(folder, 'missing.ini')}`])
    assert.equal(missing.code, 0, missing.stderr)
    const there = await confab(['check', '-c', `-${write('[http]\nworkers = 7\n')}`])
    assert.match(there.stdout, /^workers = 7$/m)
    const bad = await confab(['check', '-c', `-${write('[http]\nworkers = many\n')}`])
    assert.equal(bad.code, 2)
  })

  it('a bad -s: exit code 2, named', async () => {
    for (const [setting, named] of [['http.workers=many', 'http.workers'], ['http.nothing=1', 'http.nothing'], ['plan:free.nothing=1', 'nothing'], ['nonsense', 'nonsense'], ['http.listen=here', 'http.listen']]) {
      const { code, stderr } = await confab(['check', '-s', setting])
      assert.equal(code, 2, setting)
      assert.equal(lines(stderr).length, 1, stderr)
      assert.ok(stderr.includes(named), stderr)
    }
  })

  it('a bad variable: exit code 2, named', async () => {
    const { code, stderr } = await confab(['check'], { env: plainEnvironment({ CONFAB_HTTP_WORKERS: 'many' }) })
    assert.equal(code, 2)
    assert.equal(lines(stderr).length, 1, stderr)
    assert.match(stderr, /CONFAB_HTTP_WORKERS/)
  })

  // What `confab check` prints, as { 'section.key': value }.
  const settings = async (args, env = {}) => {
    const { code, stdout, stderr } = await confab(['check', ...args], { env: plainEnvironment(env) })
    assert.equal(code, 0, stderr)
    const found = {}
    let section
    for (const line of lines(stdout)) {
      const head = /^\[(.+)\]$/.exec(line)
      const pair = /^([a-z_]+)\s*=\s*(.*)$/.exec(line)
      if (head) section = head[1]
      else if (pair) found[`${section}.${pair[1]}`] = pair[2]
    }
    return found
  }

  it('the figures of the plans are those of the contract', async () => {
    const found = await settings([])
    const expected = {
      free: { writes_per_hour: 100, reads_per_hour: 60, payload_max: 10240, idle_timeout: 180, retry_ms: 60000, keepalive: 0 },
      paid: { writes_per_hour: 0, reads_per_hour: 0, payload_max: 10240, idle_timeout: 0, retry_ms: 0, keepalive: 20 },
      home: { writes_per_hour: 0, reads_per_hour: 0, payload_max: 1048576, idle_timeout: 0, retry_ms: 3000, keepalive: 20 },
      local: { writes_per_hour: 0, reads_per_hour: 0, payload_max: 1048576, idle_timeout: 0, retry_ms: 3000, keepalive: 15 }
    }
    for (const [plan, figures] of Object.entries(expected)) {
      for (const [key, value] of Object.entries(figures)) {
        assert.equal(found[`plan:${plan}.${key}`], String(value), `${plan} ${key}`)
      }
    }
    assert.equal(found['tokens.create_per_hour'], '10')
    assert.equal(found['tokens.default_plan'], 'free')
    assert.equal(found['tokens.operator_plan'], 'home')
    assert.equal(found['http.listen'], '127.0.0.1:8080')
    assert.equal(found['mqtt.listen'], '127.0.0.1:1883')
  })

  it('INI, environment (`CONFAB_HTTP_LISTEN` for `http.listen`), `-s`: later wins', async () => {
    const file = write('[http]\nlisten = 127.0.0.1:1001\nworkers = 1\n[mqtt]\nlisten = 127.0.0.1:1002\n[plan:own]\nwrites_per_hour = 5\n')
    const env = { CONFAB_HTTP_LISTEN: '127.0.0.1:2001', CONFAB_MQTT_LISTEN: '127.0.0.1:2002' }
    const found = await settings(['-c', file, '-s', 'http.listen=127.0.0.1:3001', '-s', 'plan:own.reads_per_hour=6'], env)
    assert.equal(found['http.listen'], '127.0.0.1:3001')
    assert.equal(found['mqtt.listen'], '127.0.0.1:2002')
    assert.equal(found['http.workers'], '1')
    assert.equal(found['plan:own.writes_per_hour'], '5')
    assert.equal(found['plan:own.reads_per_hour'], '6')
  })

  it('`confab check -c FILE` prints a file that says the same', async () => {
    const file = write('[http]\nlisten = [::1]:0\n[plan:own]\npayload_max = 77\n[tokens]\ndefault_plan = own\ncreate_per_hour = 0\n')
    const first = await confab(['check', '-c', file])
    assert.equal(first.code, 0, first.stderr)
    assert.match(first.stdout, /payload_max\s*=\s*77/)
    const again = await confab(['check', '-c', write(first.stdout)])
    assert.equal(again.code, 0, again.stderr)
    assert.equal(again.stdout, first.stdout)
  })
})

group('Starting', () => {
  const servers = []
  const make = (options) => {
    const server = new Server(options)
    servers.push(server)
    return server
  }
  after(async () => { for (const server of servers) await server.close() })

  // A start that must fail with exit code 1 and one line.
  const refused = async (server) => {
    const child = server.launch()
    const { code, signal } = await within(child.exited, 'refusal', scaled(15000))
    server.child = null
    assert.deepEqual([code, signal], [1, null], server.stderr)
    assert.equal(server.stdout, '')
    assert.equal(lines(server.stderr).length, 1, server.stderr)
    return server.stderr
  }

  it('When ready, `run` prints one line on stdout: `confab ready http=… mqtt=… data=DIR` with the real ports', async () => {
    const server = await make({}).start()
    assert.match(server.readyLine, /^confab ready http=http:\/\/127\.0\.0\.1:\d+ mqtt=mqtt:\/\/127\.0\.0\.1:\d+ data=/)
    assert.equal(server.saidData, server.data)
    assert.ok(server.httpPort > 0 && server.mqttPort > 0)
    assert.equal((await server.get('/health')).status, 200)
    assert.equal((await server.device({ token: newToken() })).client.connected, true)
    assert.equal(lines(server.stdout).length, 1)
    await server.stop()
    assert.equal(lines(server.stdout).length, 1)
  })

  it('the data folder is created (0750) when missing, with the folders above it or a clear refusal', async () => {
    const server = await make({}).start()
    assert.equal(fs.statSync(server.data).mode & 0o7777, 0o750)
    for (const name of fs.readdirSync(server.data)) {
      assert.equal(fs.statSync(path.join(server.data, name)).mode & 0o007, 0, `${name} is nobody else's`)
    }
    await server.stop()
  })

  it('no `-c` is needed, and no `--data`', async () => {
    const folder = temporaryFolder()
    const server = follow(BINARY, ['run'], {
      cwd: folder,
      env: plainEnvironment({ CONFAB_HTTP_LISTEN: '127.0.0.1:0', CONFAB_MQTT_LISTEN: '127.0.0.1:0' })
    })
    try {
      assert.match(await server.lines.next(scaled(15000)), /^confab ready .* data=(\S*\/)?data$/)
      assert.ok(fs.statSync(path.join(folder, 'data')).isDirectory())
      assert.deepEqual(await server.stop('SIGINT'), { code: 0, signal: null })
    } finally {
      server.child.kill('SIGKILL')
      fs.rmSync(folder, { recursive: true, force: true })
    }
  })

  it('settings come from a file', async () => {
    const server = await make({ config: '[plan:free]\nwrites_per_hour = 9\n' }).start()
    assert.equal((await server.post(chat(await server.freeToken(), 'x'), {})).remaining, 8)
    await server.stop()
  })

  it('IPv6 and a name as address', async () => {
    const server = await make({ set: { 'http.listen': '[::1]:0', 'mqtt.listen': 'localhost:0' } }).start()
    assert.match(server.readyLine, /http=http:\/\/\[::1\]:\d+ mqtt=mqtt:\/\/localhost:\d+ /)
    await within(new Promise((resolve, reject) => {
      net.connect({ host: '::1', port: server.httpPort }, resolve).on('error', reject)
    }), 'connection over IPv6')
    await server.stop()
  })

  for (const key of ['http.listen', 'mqtt.listen']) {
    it(`port taken: one clear line, exit code 1 (${key})`, async () => {
      const taken = net.createServer()
      await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve))
      const address = `127.0.0.1:${taken.address().port}`
      const said = await refused(make({ set: { [key]: address } }))
      taken.close()
      assert.ok(said.includes(key) && said.includes(address), said)
    })
  }

  it('data directory in use: one clear line, exit code 1', async () => {
    const first = await make({}).start()
    const said = await refused(make({ data: first.data }))
    assert.ok(said.includes(first.data), said)
    assert.match(said, /in use|lock/i)
    assert.equal((await first.get('/health')).status, 200, 'the first is not disturbed')
    await first.stop()
  })

  it('data directory unwritable: one clear line, exit code 1', async () => {
    const folder = temporaryFolder()
    const file = path.join(folder, 'file')
    fs.writeFileSync(file, 'not a folder')
    for (const data of [file, path.join(file, 'data'), '/proc/confab-data']) {
      const said = await refused(make({ data }))
      assert.ok(said.includes(data), said)
    }
    assert.equal(fs.readFileSync(file, 'utf8'), 'not a folder')
    fs.rmSync(folder, { recursive: true, force: true })
  })

  it('a data folder that is no store of ours is refused, not overwritten', async () => {
    const folder = temporaryFolder()
    fs.writeFileSync(path.join(folder, 'data.mdb'), 'x'.repeat(100000))
    const said = await refused(make({ data: folder }))
    assert.ok(said.includes(folder), said)
    assert.equal(fs.readFileSync(path.join(folder, 'data.mdb'), 'utf8').slice(0, 100), 'x'.repeat(100))
    fs.rmSync(folder, { recursive: true, force: true })
  })

  it('`limits.connections`: the soft limit is raised to the hard one at start', async () => {
    const server = make({})
    const child = start('sh', ['-c', 'ulimit -S -n 256; exec "$0" "$@"', BINARY, ...server.arguments()],
      { stdio: ['ignore', 'pipe', 'pipe'], env: plainEnvironment() })
    await within(new Promise((resolve, reject) => {
      child.stdout.once('data', resolve)
      child.exited.then(() => reject(new Error('ended')))
    }), 'ready line', scaled(15000))
    const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(fs.readFileSync(`/proc/${child.pid}/limits`, 'utf8'))
    assert.equal(soft, hard)
    child.kill('SIGTERM')
    assert.equal((await within(child.exited, 'exit')).code, 0)
  })

  it('`limits.connections`: refusals at the cap, or for want of descriptors, are a line of the log each minute, not each time', async () => {
    const server = await make({ set: { 'limits.connections': 4, 'mqtt.workers': 1 } }).start()
    const token = newToken()
    for (let i = 0; i < 4; i++) await server.wire({ token, clientId: `c${i}` })
    const told = () => (server.stderr.match(/limits\.connections reached: connection refused/g) ?? []).length
    const begun = Date.now()
    let refused = 0
    while (refused < 100 || Date.now() - begun < 2500) {
      await assert.rejects(server.wire({ token, clientId: `more${refused++}` }))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.equal(told(), 1)
    await server.stop()
  })

  it('`limits.connections`: at the cap new ones are rejected, those that are there go on', async () => {
    const server = await make({ set: { 'limits.connections': 12 } }).start()
    const token = newToken()
    const kept = []
    let rejected = 0
    for (let i = 0; i < 30; i++) {
      try {
        kept.push(await server.wire({ token, clientId: `c${i}` }))
      } catch {
        rejected++
      }
    }
    assert.ok(rejected >= 15 && kept.length >= 4, `${kept.length} kept, ${rejected} rejected`)
    for (const device of kept) {
      device.send([0xc0, 0])
      await device.expect('PINGRESP')
    }
    for (const device of kept) device.destroy()
    await until(() => server.device({ token }).catch(() => null), 'a place after the others left')
    await server.stop()
  })
})

group('Stopping', () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    it(`${signal}: stop accepting, finish what is in flight, close streams cleanly, exit 0 within 5 s`, async () => {
      const server = await new Server().start()
      const token = newToken()
      const streams = []
      for (let i = 0; i < 30; i++) streams.push(await server.listen(token, 'x'))
      streams.push(await server.listening(`/${token}/listen?things=%23`))
      const five = await server.wire({ token, clientId: 'five' })
      const four = await server.wire({ v: 4, token, clientId: 'four' })
      const idle = await server.rawSocket() // connected, never asks
      const stored = []
      let posting = true
      const posts = (async () => {
        for (let n = 0; posting; n++) {
          const answer = await server.post(chat(token, 'x'), { n }).catch(() => null)
          if (answer?.status === 200) stored.push(answer.json().id)
          else if (answer === null) posting = false
          else assert.equal(answer.status, 503)
        }
      })()
      await until(() => stored.length > 20, 'messages in flight')
      const started = Date.now()
      await server.stop(signal) // asserts code 0 within the limit
      assert.ok(Date.now() - started < STOP_LIMIT)
      posting = false
      await posts
      for (const stream of streams) {
        assert.deepEqual(await within(stream.ended, 'end of stream'), { complete: false, unfinished: false })
      }
      assert.equal(await five.closeReason(), 0x8b)
      assert.equal(await four.closeReason(), null)
      idle.socket.destroy()

      await server.restart()
      const kept = (await server.history(token, 'x', '?limit=1000')).map(({ id }) => id).reverse()
      for (const id of stored) assert.ok(kept.includes(id), `${id} was acknowledged`)
      await server.close()
    })
  }

  it('slow and silent clients cannot hold it up', async () => {
    const server = await new Server().start()
    const token = newToken()
    for (let i = 0; i < 5; i++) {
      const slow = await server.rawSocket()
      slow.socket.write(`POST ${chat(token, 'x')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{`)
      server.clients.push(() => slow.socket.destroy())
      const deaf = await server.listen(token, 'flood')
      deaf.response.pause()
      await server.wire()
    }
    for (let n = 0; n < 20; n++) await server.say(token, 'flood', { fill: 'x'.repeat(500000) })
    await server.close()
  })

  it('a server that was asked to stop before it was ready ends, too', async () => {
    for (const delay of [0, 5, 20, 60]) {
      const server = new Server()
      const child = server.launch()
      await new Promise((resolve) => setTimeout(resolve, delay)) // anywhere in its start
      child.kill('SIGTERM')
      const { code, signal } = await within(child.exited, 'end', STOP_LIMIT)
      assert.ok(code === 0 || signal === 'SIGTERM', `${code} ${signal}: ${server.stderr}`)
      server.child = null
      await server.close()
    }
  })
})

suite('confab token', {}, (server) => {
  it('`confab token create` prints only the token on stdout', async () => {
    const made = await server.cli('token', 'create')
    assert.equal(made.code, 0, made.stderr)
    assert.equal(made.stderr, '')
    assert.match(made.stdout, /^[A-Za-z0-9_-]{22,64}\n$/)
    const token = secret(made.stdout.trim())
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 2147483647, 'plan home has no hourly limit')
    const { stdout } = await server.cli('token', 'list')
    assert.match(lines(stdout).find((line) => line.startsWith(token.slice(0, 4))), /\thome\t/)
  })

  it('`--plan NAME`', async () => {
    const token = await server.planToken('paid')
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 2147483647)
    const refused = await server.cli('token', 'create', '--plan', 'golden')
    assert.equal(refused.code, 1)
    assert.equal(refused.stdout, '')
    assert.match(refused.stderr, /golden/)
  })

  it('`confab token list` tells every token, its plan, and what was revoked', async () => {
    const [free, paid] = [await server.freeToken(), await server.planToken('paid')]
    assert.equal((await server.cli('token', 'revoke', '--', free)).code, 0)
    const { code, stdout } = await server.cli('token', 'list')
    assert.equal(code, 0)
    const row = (token) => lines(stdout).find((line) => line.startsWith(token.slice(0, 4)))
    assert.match(row(free), /free.*revoked/)
    assert.match(row(paid), /paid/)
    assert.doesNotMatch(row(paid), /revoked/)
  })

  it('`confab token list` tells what a token holds, and how much its plan lets it', async () => {
    const token = await server.freeToken()
    const held = async () => {
      const { stdout } = await server.cli('token', 'list')
      return lines(stdout).find((line) => line.startsWith(token)).split('\t').slice(4)
    }
    const [none, bytesMax, nothing, sessionBytesMax] = await held()
    assert.deepEqual([none, nothing], ['0', '0'])
    assert.match(bytesMax, /^[1-9]\d+$/)
    assert.match(sessionBytesMax, /^[1-9]\d+$/)
    await server.say(token, 'x', { text: 'y'.repeat(1000) })
    const device = await server.device({ token, clientId: 'kept', clean: false, properties: { sessionExpiryInterval: 60 } })
    await device.subscribe(`${token}/#`)
    const [bytes, , sessionBytes] = (await held()).map(Number)
    assert.ok(bytes > 1000 && bytes < 3000, String(bytes))
    assert.ok(sessionBytes > 50 && sessionBytes < 3000, String(sessionBytes))
    const paid = await server.planToken('local')
    assert.match((await server.cli('token', 'list')).stdout, new RegExp(`^${paid}\tlocal\t.*\tvalid\t0\t-\t0\t`, 'm'))
  })

  it('`confab token revoke`: a revoked token\'s connections close within a second (MQTT and SSE), its data stays', async () => {
    const token = await server.freeToken()
    const other = await server.freeToken()
    const id = await server.say(token, 'x', { n: 1 })
    const five = await server.wire({ token, clientId: 'five' })
    const four = await server.wire({ v: 4, token, clientId: 'four' })
    const streams = [await server.listen(token, 'x'), await server.listening(`/${token}/listen?things=%23`)]
    const bystander = await server.listen(other, 'x')
    const device = await server.wire({ token: other })

    const revoked = await server.cli('token', 'revoke', '--', token)
    const at = Date.now()
    assert.equal(revoked.code, 0, revoked.stderr)
    const second = 1000 * FACTOR
    for (const stream of streams) {
      assert.deepEqual(await within(stream.ended, 'end of stream', second), { complete: true, unfinished: false })
    }
    const reason = await five.closeReason(second)
    assert.ok([0x87, 0x98].includes(reason), `DISCONNECT ${reason}`)
    await four.closeReason(second)
    assert.ok(Date.now() - at < second)

    assert.equal((await server.post(chat(token, 'x'), {})).status, 401)
    assert.equal((await server.get(chat(token, 'x', '/listen'))).status, 401)
    const refused = await server.wire()
    refused.send(require('./harness/wire').connect({ token }))
    assert.ok([0x86, 0x87].includes((await refused.expect('CONNACK')).body[1]))

    await server.say(other, 'x', { fine: true })
    assert.deepEqual((await bystander.expect('message')).chat, { fine: true })
    device.send([0xc0, 0])
    await device.expect('PINGRESP')
    const history = await server.cli('history', '--', `${token}/x`)
    assert.equal(JSON.parse(history.stdout).id, id)
  })

  it('an error is reported: exit code 1', async () => {
    const token = await server.freeToken()
    const cases = [['create', '--', token], ['revoke', '--', newToken()], ['create', '--', 'a/b'], ['revoke', '--', 'a b']]
    for (const args of cases) {
      const { code, stdout, stderr } = await server.cli('token', ...args)
      assert.equal(code, 1, args[0])
      assert.equal(stdout, '')
      assert.equal(lines(stderr).length, 1, stderr)
      if (args[2].length > 10) assert.ok(!stderr.includes(args[2]), 'not in full')
    }
  })
})

group('confab token without a running server', () => {
  it('where none runs, `token` takes the data lock and works directly', async () => {
    const server = new Server({ set: { 'tokens.access': 'registered' } })
    const token = await server.planToken('paid')
    const gone = await server.planToken('free')
    assert.equal((await server.cli('token', 'revoke', '--', gone)).code, 0)
    const listed = await server.cli('token', 'list')
    assert.equal(lines(listed.stdout).length, 2)
    await server.start()
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 2147483647)
    assert.equal((await server.post(chat(gone, 'x'), {})).status, 401)
    const while1 = await server.planToken('free') // now by its socket
    await server.stop()
    assert.equal(lines((await server.cli('token', 'list')).stdout).length, 3)
    const after = await server.planToken('free')
    await server.start()
    for (const made of [while1, after]) assert.equal((await server.post(chat(made, 'x'), {})).status, 200)
    await server.close()
  })

  it('after kill -9 its socket is left over: `token` works directly all the same', async () => {
    const server = await new Server().start()
    await server.kill9()
    const token = await server.planToken('paid')
    await server.start()
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 2147483647)
    await server.close()
  })
})

suite('confab pub, sub, history, status', {}, (server) => {
  const input = (text) => ({ input: text })
  const pub = (args, options) => run(BINARY, server.cliArguments('pub', ...args), options)

  it('`confab pub` publishes and prints the id', async () => {
    const token = newToken()
    const listener = await server.listen(token, 'x')
    const { code, stdout, stderr } = await pub(['--', `${token}/x`, '{"by":"cli"}'])
    assert.equal(code, 0, stderr)
    const message = await listener.expect('message')
    assert.deepEqual(message.chat, { by: 'cli' })
    assert.equal(stdout.trim(), String(message.id))
  })

  it('`confab pub` takes standard input, whole or by lines', async () => {
    const token = newToken()
    assert.equal((await pub(['--', `${token}/x`], input('two\nlines\n'))).code, 0)
    assert.equal((await server.latest(token, 'x')).chat, 'two\nlines\n')
    const many = Array.from({ length: 200 }, (_, n) => `{"n":${n}}`)
    const { code, stdout } = await pub(['-l', '--', `${token}/y`], { ...input(many.join('\n')), limit: scaled(20000) })
    assert.equal(code, 0)
    assert.equal(lines(stdout).length, 200)
    const history = await server.history(token, 'y', '?limit=1000')
    assert.deepEqual(history.map((message) => message.chat.n), Array.from({ length: 200 }, (_, i) => 199 - i))
  })

  it('`confab pub -r` is the retained message', async () => {
    const token = newToken()
    assert.equal((await pub(['-r', '--', `${token}/x`, 'kept'])).code, 0)
    assert.equal((await (await server.subscriber(token, '#')).message()).retain, true)
  })

  it('`confab pub`: a refusal is said, exit code 1', async () => {
    const token = newToken()
    const { code, stdout, stderr } = await pub(['--', `${token}/x`], input('x'.repeat(3 * 1024 * 1024)))
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.equal(lines(stderr).length, 1, stderr)
  })

  it('`confab sub` prints messages as they arrive', async () => {
    const token = newToken()
    await pub(['-r', '--', `${token}/hello`, 'subscribed'])
    const sub = server.follow(BINARY, server.cliArguments('sub', '--', `${token}/#`))
    assert.equal(await sub.lines.next(), `${token}/hello subscribed`)
    await server.say(token, 'x', '{"n": 1}')
    assert.equal(await sub.lines.next(), `${token}/x {"n": 1}`)
    await sub.stop('SIGTERM')
  })

  it('`confab sub -n COUNT` ends by itself; `-j` is a JSON object per line', async () => {
    const token = newToken()
    await pub(['-r', '--', `${token}/hello`, '"subscribed"'])
    const sub = server.follow(BINARY, server.cliArguments('sub', '-j', '-n', '2', '--', `${token}/#`))
    assert.equal(JSON.parse(await sub.lines.next()).chat, 'subscribed')
    const id = await server.say(token, 'x', '{\n"n": 1}')
    const line = JSON.parse(await sub.lines.next())
    assert.deepEqual([line.id, line.topic, line.chat], [id, `${token}/x`, { n: 1 }])
    assert.equal((await within(sub.exited, 'end after two')).code, 0)
  })

  it('`confab sub` ends with 1 when the server goes', async () => {
    const other = await new Server().start()
    const sub = follow(BINARY, other.cliArguments('sub', 'some/topic'))
    await until(async () => /"subscriptions":\s*[1-9]/.test((await other.cli('status')).stdout), 'subscription')
    await other.stop()
    assert.equal((await within(sub.exited, 'end of sub', scaled(15000))).code, 1)
    assert.notEqual(sub.errors, '')
    await other.close()
  })

  it('`confab history` prints stored messages, newest first', async () => {
    const token = newToken()
    const ids = []
    for (let n = 0; n < 60; n++) ids.push(await server.say(token, 'x', { n }))
    const history = async (...args) => {
      const { code, stdout, stderr } = await server.cli('history', ...args, '--', `${token}/x`)
      assert.equal(code, 0, stderr)
      return lines(stdout)
    }
    const numbers = (list) => list.map((line) => JSON.parse(line).chat.n)
    const all = await history()
    assert.equal(all.length, 50)
    const first = JSON.parse(all[0])
    assert.deepEqual([first.id, first.chat], [ids[59], { n: 59 }])
    assert.deepEqual(numbers(await history('-n', '3')), [59, 58, 57])
    assert.equal((await history('-n', '0')).length, 60)
    assert.deepEqual(numbers(await history('-a', '-n', '2')), [0, 1])
    assert.deepEqual(numbers(await history('--after', String(ids[57]))), [59, 58])
    assert.deepEqual(numbers(await history('--before', String(ids[2]))), [1, 0])
    assert.deepEqual(await history('-r', '-n', '1'), ['{"n":59}'])
  })

  it('`confab history` of a thing nothing was ever published to says so: exit code 1', async () => {
    const token = newToken()
    await server.say(token, 'x', { n: 1 })
    const { code, stdout, stderr } = await server.cli('history', '--', `${token}/none`)
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /nothing was ever stored/)
  })

  it('`confab status` is one JSON object', async () => {
    const { code, stdout, stderr } = await server.cli('status')
    assert.equal(code, 0, stderr)
    const status = JSON.parse(stdout)
    assert.ok(Object.keys(status).length > 3)
    assert.doesNotMatch(stdout, /NaN|undefined/)
  })

  it('without a running server: exit code 1, said; history still reads', async () => {
    const other = await new Server().start()
    const token = newToken()
    await other.say(token, 'x', { n: 1 })
    await other.stop()
    for (const args of [['pub', '--', `${token}/x`, 'y'], ['sub', '--', `${token}/#`], ['status']]) {
      const { code, stdout, stderr } = await other.cli(...args)
      assert.equal(code, 1, args[0])
      assert.equal(stdout, '')
      assert.ok(stderr.includes(other.data), stderr)
    }
    const history = await other.cli('history', '--', `${token}/x`)
    assert.equal(history.code, 0, history.stderr)
    assert.deepEqual(JSON.parse(history.stdout).chat, { n: 1 })
    await other.close()
  })

  it('history while the server writes', async () => {
    const token = newToken()
    const device = await server.device({ token })
    await device.publish(`${token}/x`, { n: 0 }, { qos: 1 })
    const writing = Promise.all(Array.from({ length: 2000 }, (_, n) => device.publish(`${token}/x`, { n: n + 1 })))
    for (let i = 0; i < 5; i++) {
      const { code, stdout, stderr } = await server.cli('history', '-n', '0', '-a', '--', `${token}/x`)
      assert.equal(code, 0, stderr)
      assert.deepEqual(lines(stdout).map((line) => JSON.parse(line).chat.n), Array.from({ length: lines(stdout).length }, (_, n) => n))
    }
    await writing
  })
})
