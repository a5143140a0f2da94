'use strict'
// SIGHUP: plans are read again, all or nothing, and the log says what changed.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { it } = require('node:test')
const { Server, suite, group, chat, newToken, BINARY } = require('./harness/server')
const { scaled, sleep, until } = require('./harness/waits')
const { run } = require('./harness/process')
const wire = require('./harness/wire')

const before = '[plan:small]\nwrites_per_hour = 5\npayload_max = 100\n'

suite('SIGHUP', { config: before, set: { 'store.map_size': '64M' } }, (server) => {
  const status = async () => JSON.parse((await server.cli('status')).stdout)
  const file = () => path.join(path.dirname(server.data), 'confab.ini')
  const reload = async (text, said) => {
    fs.writeFileSync(file(), text)
    const from = server.stderr.length
    server.child.kill('SIGHUP')
    await until(() => said.test(server.stderr.slice(from)), `${said} in the log`)
    return server.stderr.slice(from)
  }

  it('has other figures of a plan hold for the next message, new plans too', async () => {
    const token = await server.planToken('small')
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 4)
    const device = await server.device({ token })
    const log = await reload('[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n[plan:gold]\nwrites_per_hour = 9\n',
      /plan:gold\.writes_per_hour: 9, was \(no such plan\)/)
    assert.match(log, /plan:small\.writes_per_hour: 50, was 5/)
    assert.doesNotMatch(log, /payload_max: 100/, 'what is as it was is not mentioned')
    await until(async () => (await server.post(chat(token, 'x'), {})).remaining > 5, 'the new limit')
    assert.equal((await device.publish(`${token}/x`, '{}', { qos: 1 })).code, 0, 'who is there stays')
    const gold = await server.cli('token', 'set', '--plan', 'gold', '--', token)
    assert.equal(gold.code, 0, gold.stderr)
    assert.ok((await server.post(chat(token, 'x'), {})).remaining < 9)
  })

  it('lets a 3.1.1 client back in that was sent away for its hourly limit; so does another plan', async () => {
    const other = '[plan:gold]\nwrites_per_hour = 9\n'
    await reload(`[plan:small]\nwrites_per_hour = 5\npayload_max = 100\n[plan:tight]\nwrites_per_hour = 2\n${other}`, /plan:tight/)
    const away = await Promise.all(['tight', 'small'].map(async (plan) => {
      const token = await server.planToken(plan)
      const device = await server.wire({ v: 4, clientId: 'device', token })
      for (let id = 1; id <= 6; id++) device.send(wire.publish({ v: 4, topic: `${token}/x`, qos: 1, id }))
      await device.closeReason(scaled(60000)) // its PUBACK is held back before
      const again = await server.wire()
      again.send(wire.connect({ v: 4, clientId: 'device', token }))
      assert.equal(await again.closeReason(), 3)
      return token
    }))
    assert.equal((await server.cli('token', 'set', '--plan', 'gold', '--', away[0])).code, 0)
    await reload(`[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n${other}`, /plan:small\.writes_per_hour: 50, was 5/)
    for (const token of away) {
      const device = await server.wire({ v: 4, clientId: 'device', token })
      device.send(wire.publish({ v: 4, topic: `${token}/x`, qos: 1 }))
      await device.expect('PUBACK')
    }
  })

  it('changes nothing when anything is wrong', async () => {
    const token = await server.planToken('small')
    const log = await reload('[plan:small]\nwrites_per_hour = 1\n[http]\nworkers = many\n', /nothing has changed/)
    assert.match(log, /confab\.ini:4: http\.workers/)
    assert.doesNotMatch(log, /plan:small/)
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 49)
  })

  it('has limits.connections hold for the next connection; those that are open stay', async () => {
    const plans = '[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n[plan:gold]\nwrites_per_hour = 9\n'
    const [token, devices] = [newToken(), []]
    for (let n = 0; n < 3; n++) devices.push(await server.device({ token }))
    const { connections: { limit: before } } = await status()
    assert.match(await reload(`${plans}[limits]\nconnections = 2\n`, /limits\.connections/), /limits\.connections: 2, was \d+\n/)
    assert.equal((await status()).connections.limit, 2)
    const isTaken = () => new Promise((resolve) => {
      const socket = net.connect(server.mqttPort, '127.0.0.1')
      socket.on('error', () => {}).on('close', () => resolve(false)).on('data', () => { socket.destroy(); resolve(true) })
      socket.write(Buffer.from([0x10, 12, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 0])) // a CONNECT without a token
    })
    assert.equal(await isTaken(), false)
    for (const device of devices) assert.equal((await device.publish(`${token}/x`, '{}', { qos: 1 })).code, 0)
    await reload(plans, new RegExp(`limits\\.connections: ${before}, was 2\n`))
    assert.equal(await isTaken(), true)
  })

  it('has limits.token_share hold for the next message', async () => {
    const plans = '[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n[plan:gold]\nwrites_per_hour = 9\n'
    assert.match(await reload(`${plans}[limits]\ntoken_share = 1\n`, /limits\.token_share/), /token_share: 1, was 50\n/)
    const token = newToken()
    const say = async () => (await server.post(chat(token, 'x'), { text: 'x'.repeat(200000) })).status
    for (let n = 0; n < 3; n++) assert.equal(await say(), 200)
    assert.equal(await say(), 507, 'a hundredth of 64 MiB')
    await reload(plans, /token_share: 50, was 1\n/)
    await until(async () => await say() === 200, 'the share is half of the store again')
  })

  it('says what needs a restart', async () => {
    const log = await reload('[mqtt]\nsys_interval = 77\n[plan:small]\nwrites_per_hour = 50\npayload_max = 100\n[plan:gold]\nwrites_per_hour = 9\n',
      /takes effect after a restart/)
    assert.match(log, /mqtt\.sys_interval: 77, was 10: takes effect after a restart/)
  })
})

// Whatever the settings will be: what changes at once is what operations.md lists,
// and the log says of every other one that it takes effect after a restart.
group('SIGHUP and every setting', () => {
  const base = { 'http.listen': '127.0.0.1:0', 'mqtt.listen': '127.0.0.1:0', 'mqtt.workers': 2, 'tokens.access': 'open' }
  // Valid and different, for keys whose kind of value does not tell.
  const others = { 'http.listen': '127.0.0.1:1', 'mqtt.listen': '127.0.0.1:1', 'mqtt.workers': 3 }
  // What a key needs to be valid.
  const tls = { 'mqtt.tls_listen': '127.0.0.1:0', 'mqtt.tls_cert': '/none.pem', 'mqtt.tls_key': '/none.key' }
  const needs = {
    'mqtt.tls_listen': tls,
    'mqtt.tls_client_ca': { ...tls, 'mqtt.tls_client_cert': 'optional' },
    'mqtt.tls_client_cert': { ...tls, 'mqtt.tls_client_ca': '/none.pem' }
  }
  const other = ({ key, initial, unit }) => {
    if (key in others) return others[key]
    if (/^\d+$/.test(initial)) return Number(initial) + 1
    if (unit === 'address:port') return '127.0.0.1:1'
    if (unit === 'addresses') return '10.0.0.0/8'
    if (unit === 'path') return '/iot'
    if (unit === 'tenant') return 'another'
    if (unit === 'file') return '/some.pem'
    if (unit === 'folder') return 'elsewhere'
    if (unit === 'plan') return 'paid'
    const choices = unit.split(' ')
    assert.ok(choices.length > 1, `no other value for ${key} (${unit}): give one here`)
    return choices.find((choice) => choice !== (base[key] ?? initial) && choice !== 'auto')
  }
  const proxied = (part) => ({ [`${part}.proxy_protocol`]: { [`${part}.trusted_proxies`]: '192.0.2.1' } })
  Object.assign(needs, proxied('http'), proxied('mqtt'))
  const escaped = (key) => key.replaceAll('.', '\\.')

  const asFile = (settings) => {
    const sections = new Map()
    for (const [key, value] of Object.entries({ ...base, ...settings })) {
      const dot = key.lastIndexOf('.')
      const section = key.slice(0, dot)
      sections.set(section, `${sections.get(section) ?? `[${section}]\n`}${key.slice(dot + 1)} = ${value}\n`)
    }
    return [...sections.values()].join('')
  }
  // The harness gives settings with -s, where a file changes nothing.
  const launch = async () => {
    const server = new Server({ config: asFile({}) })
    server.set = {}
    return await server.start()
  }
  // → the line of the log about `key`
  const reload = async (server, settings, key) => {
    fs.writeFileSync(path.join(path.dirname(server.data), 'confab.ini'), asFile(settings))
    const from = server.stderr.length
    const said = new RegExp(`SIGHUP: (${escaped(key)}: .*)\n`)
    server.child.kill('SIGHUP')
    await until(() => said.test(server.stderr.slice(from)) || /nothing has changed/.test(server.stderr.slice(from)), `${key} in the log`)
    const found = said.exec(server.stderr.slice(from))
    assert.ok(found, server.stderr.slice(from))
    return found[1]
  }
  const rows = (text) => text.split('\n').filter((row) => row.startsWith('| `'))
    .map((row) => row.split('|').slice(1).map((cell) => cell.trim().replaceAll('`', '')))

  const created = async (server) => {
    const answer = await server.post('/tokens')
    return answer.status === 201 ? answer.json().plan : answer.status
  }
  const planOfOperators = async (server) => {
    const made = (await server.cli('token', 'create')).stdout.trim()
    const shown = await server.get(`/${made}/things`)
    return shown.headers['x-ratelimit-remaining']
  }
  // Is one of eight connections at once refused?
  const refuses = async (server) => {
    const sockets = Array.from({ length: 8 }, () => net.connect(server.httpPort, '127.0.0.1').on('error', () => {}))
    const statuses = await Promise.all(sockets.map((socket) => new Promise((resolve) => {
      socket.once('data', (data) => resolve(/^HTTP\/1\.1 (\d+)/.exec(data)?.[1])).once('close', () => resolve('closed'))
      socket.write('GET /tokens HTTP/1.1\r\nHost: x\r\n\r\n')
    })))
    for (const socket of sockets) socket.destroy()
    return statuses.includes('429')
  }
  const refusesMqtt = async (server) => {
    const sockets = Array.from({ length: 8 }, () => net.connect(server.mqttPort, '127.0.0.1').on('error', () => {}))
    const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', () => resolve(true))))
    const any = await Promise.race([...closed, sleep(scaled(500)).then(() => false)])
    for (const socket of sockets) socket.destroy()
    return any
  }
  // What a reload changes, and how that shows.
  const applied = {
    'tokens.default_plan': { to: 'paid', shows: created, as: 'paid' },
    'tokens.operator_plan': { to: 'free', shows: planOfOperators, as: '59' },
    'tokens.public_creation': { to: 'off', shows: created, as: 403 },
    'limits.connections': { to: 77, shows: async (server) => JSON.parse((await server.cli('status')).stdout).connections.limit, as: 77 },
    'limits.connections_per_address': { to: 3, shows: async (server) => await refuses(server) && await refusesMqtt(server), as: true },
    'limits.token_share': undefined // above: it takes a small store
  }

  it('is applied or said to need a restart, as operations.md lists', async () => {
    const server = await launch()
    try {
      const page = fs.readFileSync(path.join(__dirname, '../../docs/operations.md'), 'utf8')
      const paragraph = page.slice(page.indexOf('On SIGHUP (`systemctl reload'), page.indexOf('New limits on writes'))
      const { stdout } = await run(BINARY, ['check', '--print-docs'])
      const [keys, plans] = stdout.split('## Plans').map(rows)
      assert.ok(keys.length > 30 && plans.length > 15)
      const listed = keys.map(([key]) => key).filter((key) => paragraph.includes(`\`${key}\``))
      assert.deepEqual(listed.sort(), Object.keys(applied).sort())
      for (const [key, initial, unit] of keys) {
        if (key === 'store.path') continue // --data, which the harness gives, is stronger
        const line = await reload(server, { ...needs[key], [key]: other({ key, initial, unit }) }, key)
        assert.equal(!line.includes('takes effect after a restart'), listed.includes(key), line)
        await reload(server, {}, key)
      }
      for (const [key] of plans) {
        const line = await reload(server, { [`plan:free.${key}`]: 31 }, `plan:free.${key}`)
        assert.doesNotMatch(line, /restart/)
      }
    } finally {
      await server.close()
    }
  })

  it('shows in what the server does, where it is applied', async () => {
    const server = await launch()
    try {
      for (const [key, check] of Object.entries(applied)) {
        if (check === undefined) continue
        assert.notEqual(await check.shows(server), check.as, key)
        await reload(server, { [key]: check.to }, key)
        await until(async () => await check.shows(server) === check.as, `${key} in what the server does`)
        await reload(server, {}, key)
        await until(async () => await check.shows(server) !== check.as, `${key} as it was`)
      }
    } finally {
      await server.close()
    }
  })
})
