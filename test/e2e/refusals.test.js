'use strict'
// What a client is not told, or does not tell its user, whoever runs the server
// can read: one line of the log for a client and a reason, and `confab clients
// --refused`.
const assert = require('node:assert/strict')
const net = require('node:net')
const { it, before } = require('node:test')
const { suite, group, Server, newToken, until } = require('./harness/server')
const { within } = require('./harness/waits')
const { start } = require('./harness/process')
const wire = require('./harness/wire')

const shortened = (token) => `${token.slice(0, 4)}…`
const LINE = /info broker: refused (.*)$/gm
const lines = (server) => [...server.stderr.matchAll(LINE)].map(([, text]) => text)

async function refused (server, ...rest) {
  const { code, stdout, stderr } = await server.cli('clients', '--refused', '--json', ...rest)
  assert.equal(code, 0, stderr)
  return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line))
}

// The server has handled everything sent before.
async function settled (client) {
  client.send(wire.PINGREQ)
  await client.expect('PINGRESP')
}

const plans = { 'plan:tight.writes_per_hour': 3, 'plan:tight.payload_max': 100, 'plan:tight.connections': 2, 'plan:tight.things_max': 2 }

suite('Refusals of MQTT clients', { set: { 'tokens.access': 'registered', 'mqtt.workers': 3, 'mqtt.sys_interval': 0, ...plans } }, (server) => {
  let token
  before(async () => { token = await server.planToken('local') })

  // what the client does; what the log and the table say
  const cases = {
    'an unknown token': [4, 'CONNECT', /unknown token/, async (id, v) => {
      const client = await server.wire()
      client.send(wire.connect({ v, clientId: id, token: newToken() }))
      assert.equal(await client.closeReason(), 4)
    }],
    'no user name': [4, 'CONNECT', /no user name/, async (id, v) => {
      const client = await server.wire()
      client.send(wire.connect({ v, clientId: id }))
      assert.equal(await client.closeReason(), 5)
    }],
    'a foreign topic, QoS 1 of 3.1.1': [4, 'PUBLISH', /does not start with the client's token/, async (id, v) => {
      const client = await server.wire({ v, clientId: id, token })
      client.send(wire.publish({ v, topic: 'shellies/plug/relay/0', qos: 1 }))
      assert.equal(await client.closeReason(), null)
    }],
    'a foreign topic, QoS 0': [5, 'PUBLISH', /does not start with the client's token/, async (id) => {
      const client = await server.wire({ clientId: id, token })
      client.send(wire.publish({ topic: 'homeassistant/x' }))
      await settled(client)
    }],
    'a foreign topic, QoS 1 of 5.0': [5, 'PUBLISH', /does not start with the client's token/, async (id) => {
      const client = await server.wire({ clientId: id, token })
      client.send(wire.publish({ topic: 'homeassistant/x', qos: 1 }))
      await client.expect('PUBACK')
    }],
    'no valid thing': [5, 'PUBLISH', /not <token>\/<thing>/, async (id) => {
      const client = await server.wire({ clientId: id, token })
      client.send(wire.publish({ topic: `${token}//x` }))
      await settled(client)
    }],
    'a filter of somebody else\'s': [4, 'SUBSCRIBE', /must begin with your token/, async (id, v) => {
      const client = await server.wire({ v, clientId: id, token })
      client.send(wire.subscribe({ v, filter: 'homeassistant/#' }))
      assert.equal((await client.expect('SUBACK')).body[2], 0x80)
    }],
    'the hourly limit, QoS 0': [4, 'PUBLISH', /hourly/, async (id, v) => {
      const tight = await server.planToken('tight')
      const client = await server.wire({ v, clientId: id, token: tight })
      client.send(...Array.from({ length: 5 }, () => wire.publish({ v, topic: `${tight}/a` })))
      await settled(client)
    }],
    'the hourly limit, QoS 1 of 3.1.1': [4, 'PUBLISH', /hourly/, async (id, v) => {
      const tight = await server.planToken('tight')
      const client = await server.wire({ v, clientId: id, token: tight })
      client.send(...Array.from({ length: 4 }, (_, i) => wire.publish({ v, topic: `${tight}/a`, qos: 1, id: i + 1 })))
      for (let i = 0; i < 3; i++) await client.expect('PUBACK')
    }],
    'things_max, QoS 0': [5, 'PUBLISH', /thing/, async (id) => {
      const tight = await server.planToken('tight')
      const client = await server.wire({ clientId: id, token: tight })
      client.send(...['a', 'b', 'c'].map((thing) => wire.publish({ topic: `${tight}/${thing}` })))
      await settled(client)
    }],
    'payload_max': [4, 'PUBLISH', /large/, async (id, v) => {
      const tight = await server.planToken('tight')
      const client = await server.wire({ v, clientId: id, token: tight })
      client.send(wire.publish({ v, topic: `${tight}/a`, payload: 'x'.repeat(101), qos: 1 }))
      await client.closeReason()
    }],
    'a packet that is too large': [4, 'packet', /Packet Size|larger/, async (id, v) => {
      const tight = await server.planToken('tight')
      const client = await server.wire({ v, clientId: id, token: tight })
      client.send(wire.publish({ v, topic: `${tight}/a`, payload: 'x'.repeat(200000), qos: 1 }))
      await client.closeReason()
    }],
    'the plan\'s connections': [4, 'CONNECT', /no more connections/, async (id, v) => {
      const tight = await server.planToken('tight')
      for (const other of ['a', 'b']) await server.wire({ v, clientId: other, token: tight })
      const client = await server.wire()
      client.send(wire.connect({ v, clientId: id, token: tight }))
      assert.equal(await client.closeReason(), 3)
    }],
    'a malformed packet': [4, 'packet', /malformed|flags|reserved/i, async (id, v) => {
      const client = await server.wire({ v, clientId: id, token })
      client.send(Buffer.from([0xc1, 0]))
      await client.closeReason()
    }]
  }
  let number = 0
  for (const [name, [v, packet, reason, does]] of Object.entries(cases)) {
    it(`${name}: a line of the log and an entry, with the reason`, async () => {
      const id = `device-${number++}`
      await does(id, v)
      await until(() => lines(server).some((line) => line.includes(`'${id}'`)), 'a line of the log')
      const mine = lines(server).filter((line) => line.includes(`'${id}'`))
      assert.equal(mine.length, 1, mine.join('\n'))
      assert.match(mine[0], reason)
      assert.ok(mine[0].startsWith(`${packet} of token `))
      const [entry, ...more] = await refused(server, id)
      assert.deepEqual(more, [])
      assert.equal(entry.packet, packet)
      assert.match(entry.reason, reason)
      assert.match(entry.address, /^127\.0\.0\.1:\d+$/)
      assert.ok(entry.count >= 1 && entry.first <= entry.last)
      assert.ok(entry.token === null || entry.token.length === 5, 'shortened')
    })
  }

  it('the same again and again: one line, and they are counted', async () => {
    const client = await server.wire({ clientId: 'loud', token })
    for (let i = 0; i < 50; i++) client.send(...Array.from({ length: 100 }, () => wire.publish({ topic: 'not/mine' })))
    await settled(client)
    await until(() => lines(server).some((line) => line.includes("'loud'")), 'its line')
    assert.equal(lines(server).filter((line) => line.includes("'loud'")).length, 1)
    const [entry] = await refused(server, 'loud')
    assert.equal(entry.count, 5000)
  })

  it('a client id with the token in it does not tell it', async () => {
    const id = `esp-${token}-1`
    const client = await server.wire({ clientId: id, token })
    client.send(wire.publish({ topic: 'not/mine' }))
    await settled(client)
    await until(() => lines(server).some((line) => line.includes(`'esp-${shortened(token)}-1'`)), 'its line')
  })

  it('a table for people, whole tokens where wanted, filters as for clients', async () => {
    const table = (await server.cli('clients', '--refused', 'loud')).stdout.trim().split('\n')
    assert.match(table[0], /^TOKEN +ADDRESS +LAST +TIMES +WHAT +CLIENT ID +REASON$/)
    assert.match(table[1], /5000 +PUBLISH +loud +topic does not start with the client's token$/)
    assert.equal(table.length, 2)
    const full = await refused(server, '--full', '-t', token)
    assert.ok(full.length > 3 && full.every((entry) => entry.token === token))
    assert.deepEqual(await refused(server, 'no such client'), [])
  })

  it('what went well is not there', async () => {
    const client = await server.wire({ clientId: 'good', token })
    client.send(wire.publish({ topic: `${token}/a`, qos: 1 }))
    await client.expect('PUBACK')
    assert.deepEqual(await refused(server, 'good'), [])
  })
})

suite('Very many strangers', { set: { 'tokens.access': 'registered', 'mqtt.workers': 2, 'mqtt.sys_interval': 0 } }, (server) => {
  it('fill neither the log nor the table', async () => {
    const memory = server.privateMemory()
    const token = newToken()
    for (let i = 0; i < 1500; i += 50) {
      await Promise.all(Array.from({ length: 50 }, async (_, j) => {
        const client = await server.wire()
        client.send(wire.connect({ v: 4, clientId: `${'s'.repeat(200)}${i + j}`, token }))
        await client.closeReason()
        client.destroy()
      }))
    }
    const written = lines(server).length
    assert.ok(written >= 1 && written <= 2 * 2 * 30, `${written} lines`) // a minute may begin in between
    const entries = await refused(server)
    assert.ok(entries.length > 100 && entries.length <= 2 * 256, `${entries.length} entries`)
    assert.ok(entries.every((entry) => entry.client.length === 128 && entry.client_bytes > 200))
    assert.ok(server.privateMemory() - memory < 8 * 1024 * 1024)
  })
})

group('What a newcomer meets', () => {
  it('mosquitto_pub -l beyond the hourly limit: the log says why it hangs', async () => {
    const server = await new Server({ set: { 'tokens.access': 'registered' } }).start()
    try {
      const token = await server.planToken('free')
      const publisher = start('mosquitto_pub', ['-h', '127.0.0.1', '-p', `${server.mqttPort}`, '-u', token, '-i', 'pump', '-q', '1', '-t', `${token}/z2m/lamp`, '-l'], { stdio: ['pipe', 'ignore', 'ignore'] })
      server.clients.push(() => publisher.kill('SIGKILL'))
      publisher.stdin.end(Array.from({ length: 105 }, (_, i) => `${i}\n`).join(''))
      await until(() => lines(server).some((line) => line.includes("'pump'") && /hourly/.test(line)), 'its line')
      assert.equal((await server.history(token, 'z2m/lamp', '?limit=1000')).length, 100)
    } finally {
      await server.close()
    }
  })
})

suite('After the goodbye', { set: { 'tokens.access': 'registered' } }, (server) => {
  it('a client that goes on sending is cut off, and not read for a second', async () => {
    for (const first of [Buffer.from('GET / HTTP/1.1\r\n'), wire.connect({ v: 4, clientId: 'flood', token: newToken() })]) {
      // One that does not mind that the other end has said its last word.
      const socket = net.connect({ port: server.mqttPort, host: '127.0.0.1', allowHalfOpen: true })
      server.clients.push(() => socket.destroy())
      socket.on('error', () => {})
      socket.resume()
      const closed = new Promise((resolve) => socket.on('close', () => resolve(false)))
      socket.write(first)
      const chunk = Buffer.alloc(1024 * 1024)
      const write = () => new Promise((resolve) => socket.write(chunk, (error) => resolve(!error)))
      let sent = 0
      while (sent < 512 && await Promise.race([write(), closed])) sent++
      assert.ok(sent < 64, `${sent} MiB were taken`) // 1 MiB, and what the kernel buffers
    }
    await within(server.get('/health'), 'health')
  })
})
