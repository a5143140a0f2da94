'use strict'
// What operators use: $SYS, `confab clients` and `confab kick`.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, BINARY } = require('./harness/server')
const { run } = require('./harness/process')
const { scaled, within, until } = require('./harness/waits')

const lines = (text) => text.split('\n').filter((line) => line !== '')

async function listed (server, ...args) {
  const { code, stdout, stderr } = await server.cli('clients', '--json', ...args)
  assert.deepEqual([code, stderr], [0, ''])
  return lines(stdout).map((line) => JSON.parse(line))
}

suite('$SYS', { set: { 'mqtt.sys_interval': 1 } }, (server) => {
  const watch = (...args) => server.follow('mosquitto_sub',
    ['-h', '127.0.0.1', '-p', String(server.mqttPort), '-v', ...args])

  it('`mosquitto_sub -t $SYS/# -v` shows mosquitto\'s names at once, then what changes', async () => {
    const sub = watch('-t', '$SYS/#', '-F', '%r %t %p')
    const first = {}
    let last = ''
    while (last !== 'load/connections/15min') { // the last of the table
      const [, retained, topic, value] = /^([01]) \$SYS\/broker\/(retained messages\/count|\S+) (.*)$/.exec(await sub.lines.next())
      assert.equal(retained, '1', topic)
      first[last = topic] = value
    }
    assert.match(first.version, /^confab version \d/)
    assert.match(first.uptime, /^\d+ seconds$/)
    assert.equal(Object.keys(first).length, 24 + 9 * 3)
    for (const [topic, value] of Object.entries(first)) {
      if (topic.startsWith('load/')) assert.match(value, /^\d+\.\d\d$/, topic)
      else if (topic !== 'version' && topic !== 'uptime') assert.match(value, /^\d+$/, topic)
    }
    await sub.lines.find((line) => line.startsWith('0 $SYS/broker/uptime '))
    await sub.lines.find((line) => line === '0 $SYS/broker/clients/connected 1' ||
      first['clients/connected'] === '1')
    assert.doesNotMatch(sub.text, /^0 \S+version /m)
  })

  it('follows clients, messages and retained messages', async () => {
    const token = newToken()
    const sub = watch('-t', '$SYS/broker/clients/connected', '-t', '$SYS/broker/retained messages/count',
      '-t', '$SYS/broker/clients/disconnected')
    const device = await server.device({ token, clientId: 'kept', clean: false, properties: { sessionExpiryInterval: 60 } })
    assert.equal((await device.publish(`${token}/x`, '1', { qos: 1, retain: true })).code, 0)
    await until(() => /clients\/connected [1-9]/.test(sub.text), 'clients')
    await until(() => sub.text.includes('retained messages/count 1'), 'the retained message')
    device.client.end(true)
    await sub.lines.find((line) => line === '$SYS/broker/clients/disconnected 1')
  })

  it('is not for tokens, not in #, and nobody publishes there', async () => {
    const token = newToken()
    const device = await server.device({ token })
    assert.deepEqual(await device.subscribe(['$SYS/#', '$SYS/broker/uptime', '$share/g/$SYS/#']), [0x87, 0x87, 0x87])
    assert.equal((await device.publish('$SYS/broker/uptime', 'x')).code, 0x87)
    const nameless = await server.device({})
    assert.equal((await nameless.publish('$SYS/broker/uptime', 'x')).code, 0x87)
    await nameless.subscribe(['#', '$SYS/broker/uptime'])
    await nameless.messages.find(({ topic, retain }) => topic === '$SYS/broker/uptime' && !retain)
    await nameless.unsubscribe('$SYS/broker/uptime')
    await nameless.publish('any/thing', 'x')
    assert.equal((await nameless.messages.find(({ topic }) => !topic.startsWith('$SYS/broker/uptime'))).topic, 'any/thing')
  })

  it('none of it is stored', async () => {
    const before = JSON.parse((await server.cli('status')).stdout).store.head
    const sub = watch('-t', '$SYS/#')
    await sub.lines.find((line) => line.startsWith('$SYS/broker/load/connections/15min'))
    await sub.lines.find((line) => line.startsWith('$SYS/broker/uptime'))
    assert.equal(JSON.parse((await server.cli('status')).stdout).store.head, before)
  })

  it('administrators see it, too', async () => {
    const sub = server.follow(BINARY,
      server.cliArguments('sub', '-n', '1', '$SYS/broker/version'))
    assert.match(await sub.lines.next(), /^\$SYS\/broker\/version confab version /)
  })
})

suite('confab clients and kick', {}, (server) => {
  // What would move a cursor, hide, turn text around, or end a string.
  const ODD = ['plain', 'with blanks', 'quo"te', 'back\\slash', 'csi\u009b31m', 'bidi\u202eevil', 'Küche/😀', 'star*', '$(x)`', '-a', '%s%n', '\u007f', '{},[]', '\ufdd0\u{1ffff}']

  it('says of a client what there is to say', async () => {
    const token = newToken()
    const device = await server.device({ token, clientId: 'described', keepalive: 33, clean: true, properties: { sessionExpiryInterval: 4294967295 } })
    await device.subscribe([`${token}/a`, `${token}/b`])
    const old = await server.device({ token, v: 4, clientId: 'old' })
    const [first] = await listed(server, '--token', token, 'described')
    assert.match(first.address, /^127\.0\.0\.1:\d+$/)
    assert.ok(Math.abs(Date.parse(first.since) - Date.now()) < scaled(60000), first.since)
    delete first.address
    delete first.since
    assert.deepEqual(first, {
      token: `${token.slice(0, 4)}…`, client: 'described', version: '5.0', transport: 'tcp', keep_alive_s: 33,
      subscriptions: 2, inflight: 0, queued_bytes: 0, catching_up: false, expiry_s: null
    })
    const [second] = await listed(server, '--full', '--token', token, 'o*')
    assert.deepEqual([second.token, second.client, second.version, second.expiry_s], [token, 'old', '3.1.1', 0])
    const { stdout } = await server.cli('clients', '--token', token)
    assert.match(stdout, /^TOKEN +ADDRESS .* CLIENT ID\n/)
    assert.match(stdout, /^\S{4}… +127\.0\.0\.1:\d+ +5\.0 +tcp +\S+Z 33 +2 +0 +0 +live +always +described$/m)
    assert.ok(!stdout.includes(token))
    device.client.end(true)
    old.client.end(true)
  })

  it('odd client ids: listed as they are in JSON, harmless in the table, kicked by name', async () => {
    const token = newToken()
    const devices = new Map()
    for (const clientId of ODD) devices.set(clientId, await server.device({ token, clientId }))
    assert.deepEqual((await listed(server, '--token', token)).map(({ client }) => client).sort(), [...ODD].sort())
    const { stdout } = await server.cli('clients', '--token', token)
    assert.equal(lines(stdout).length, ODD.length + 1)
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/)
    for (const shown of ['csi\\u009b31m', 'bidi\\u202eevil', 'quo"te', 'back\\\\slash', 'Küche/😀', '\\u007f']) {
      assert.ok(stdout.includes(` ${shown}\n`), shown)
    }
    for (const [clientId, device] of devices) {
      const kick = await server.cli('kick', `--token=${token}`, '--', clientId)
      assert.deepEqual([kick.code, kick.stdout, kick.stderr], [0, '1\n', ''], clientId)
      assert.equal((await within(device.closed, 'end'))?.reasonCode, 0x98)
    }
    assert.deepEqual(await listed(server, '--token', token), [])
  })

  it('a kick publishes the will, and touches neither another token nor the nameless', async () => {
    const [token, other] = [newToken(), newToken()]
    const witness = await server.subscriber(token, 'will')
    const device = await server.device({ token, clientId: 'same', will: { topic: `${token}/will`, payload: Buffer.from('gone'), qos: 1, retain: false } })
    const others = [await server.device({ token: other, clientId: 'same' }), await server.device({ clientId: 'same' })]
    assert.equal((await server.cli('kick', '--token', token, 'same')).code, 0)
    const goodbye = await within(device.closed, 'end')
    assert.equal(goodbye.reasonCode, 0x98)
    assert.ok(goodbye.properties.reasonString.length > 10)
    assert.equal((await witness.messages.next()).text, 'gone')
    assert.equal((await server.cli('kick', '--token', token, 'same')).code, 1)
    assert.equal((await others[0].publish(`${other}/x`, '1')).code, 0)
    assert.equal((await others[1].publish('x', '1')).code, 0)
    assert.equal((await server.cli('kick', 'same')).code, 0)
    assert.equal((await within(others[1].closed, 'end')).reasonCode, 0x98)
    const [{ address }] = await listed(server, '--token', other)
    assert.equal((await server.cli('kick', '--address', address)).stdout, '1\n')
    assert.equal((await within(others[0].closed, 'end')).reasonCode, 0x98)
  })

  it('MQTT.js comes back after a kick, and is not kicked for that', async () => {
    const token = newToken()
    const device = await server.device({ token, clientId: 'returns', reconnectPeriod: 1 })
    const back = new Promise((resolve) => device.client.once('connect', resolve))
    assert.equal((await server.cli('kick', '--token', token, '--all')).stdout, '1\n')
    await within(back, 'coming back')
    assert.deepEqual((await listed(server, '--token', token)).map(({ client }) => client), ['returns'])
  })

  it('2,000 clients: in pages, none twice, none left out; all of them kicked', async () => {
    const token = newToken()
    const other = await server.wire({ token: newToken(), clientId: 'other' })
    const wires = []
    const number = (i) => `client number ${String(i).padStart(5, '0')} of a long list`
    for (let from = 0; from < 2000; from += 200) {
      wires.push(...await Promise.all(Array.from({ length: 200 }, (_, i) =>
        server.wire({ token, clientId: number(from + i), keepAlive: 0 }))))
    }
    const clients = await listed(server, '--token', token)
    assert.equal(clients.length, 2000)
    assert.equal(new Set(clients.map(({ client }) => client)).size, 2000)
    assert.equal((await listed(server, '--token', token, '*0199*')).length, 11) // 199, 1990 to 1999
    const table = await server.cli('clients', '--token', token)
    assert.equal(lines(table.stdout).length, 2001)
    assert.equal((await server.cli('kick', '--token', token, '--all')).stdout, '2000\n')
    for (const wire of wires) assert.equal(await wire.closeReason(), 0x98)
    assert.deepEqual(await listed(server, '--token', token), [])
    const { closed, clients: left } = JSON.parse((await server.cli('status')).stdout)
    assert.ok(closed.kicked >= 2000, String(closed.kicked))
    assert.ok(left.connected >= 1)
    other.send(Buffer.from([0xc0, 0]))
    await other.expect('PINGRESP')
  })

  it('1 and 2: nobody there, no server, wrong usage', async () => {
    assert.equal((await server.cli('kick', 'nobody')).code, 1)
    for (const args of [[], ['--all'], ['a', 'b'], ['--token', 't'], ['--address', 'x', 'y'], ['--fly']]) {
      const { code, stdout } = await server.cli('kick', ...args)
      assert.deepEqual([code, stdout], [2, ''], args.join(' '))
    }
    assert.equal((await server.cli('clients', 'a', 'b')).code, 2)
    for (const command of ['clients', 'kick']) {
      const { code, stderr } = await run(BINARY, [command, '--data', '/nonexistent', 'x'])
      assert.equal(code, 1)
      assert.match(stderr, new RegExp(`^confab ${command}: .*no server runs`))
    }
  })
})
