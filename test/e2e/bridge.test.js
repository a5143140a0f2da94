'use strict'
// A stock mosquitto as a neighbour: its bridge, with the configuration that
// docs/mqtt.md recommends, carries messages both ways, once each, over restarts
// of Confab and of its own.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { it, before, after } = require('node:test')
const { Server, suite, group, newToken, temporaryFolder, until } = require('./harness/server')
const { within, scaled } = require('./harness/waits')
const wire = require('./harness/wire')
const { home, keyOf } = require('./harness/stock')

const MOSQUITTO = process.env.PATH.split(':').concat('/usr/sbin', '/usr/local/sbin')
  .map((folder) => path.join(folder, 'mosquitto')).find((file) => fs.existsSync(file))

// mosquitto does not say which port it was given.
async function freePort () {
  const probe = net.createServer()
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}

// A mosquitto with one bridge to `server`; `lines`: of its bridge.
class Neighbour {
  constructor (server, lines) {
    this.server = server
    this.lines = lines
    this.folder = temporaryFolder()
  }

  async start () {
    assert.ok(MOSQUITTO, 'mosquitto is missing: make test-deps installs it')
    this.port ??= await freePort()
    const file = path.join(this.folder, 'mosquitto.conf')
    fs.writeFileSync(file, [
      `listener ${this.port} 127.0.0.1`,
      'allow_anonymous true',
      'log_dest stdout',
      'log_type all',
      'persistence true',
      `persistence_location ${this.folder}/`,
      ...(process.getuid() === 0 ? ['user root'] : []),
      'connection confab',
      `address 127.0.0.1:${this.server.mqttPort}`,
      'restart_timeout 1 1',
      ...this.lines
    ].join('\n') + '\n')
    this.process = this.server.follow(MOSQUITTO, ['-c', file])
    await this.says(/mosquitto version .* running/)
    return this
  }

  // Its log has that line by now, `times` times.
  async says (pattern, times = 1) {
    await until(() => this.log.filter((line) => pattern.test(line)).length >= times,
      `mosquitto: ${pattern} ${times} times`, scaled(20000)).catch((error) => {
      error.message += `\n${this.log.slice(-20).join('\n')}`
      throw error
    })
  }

  get log () { return this.process.lines.items }

  // Connected to Confab, and its subscription stands there.
  async isBridged () { await this.says(/Received SUBACK/) }

  async client (options = {}) {
    const client = await wire.Wire.connected(this.port, { v: 5, clientId: `c${Math.random()}`, ...options })
    this.server.clients.push(() => client.destroy())
    return client
  }

  async stop () {
    this.process.child.kill('SIGTERM')
    await within(this.process.child.exited, 'end of mosquitto')
  }

  remove () { fs.rmSync(this.folder, { recursive: true, force: true }) }
}

const bridgeOf = (token, ...lines) => [`remote_username ${token}`, `remote_clientid bridge-${token}`, ...lines]

function contentOf ({ first, body }) {
  const length = body.readUInt16BE(0)
  const qos = (first >> 1) & 3
  let at = 2 + length + (qos > 0 ? 2 : 0)
  at += 1 + body[at] // properties of less than 128 bytes
  return { topic: body.subarray(2, 2 + length).toString(), payload: body.subarray(at).toString(), qos, retain: first & 1 }
}

async function publishAndWait (client, message) {
  client.send(wire.publish({ id: 1, ...message }))
  if (message.qos === 1) await client.expect('PUBACK')
  if (message.qos === 2) {
    await client.expect('PUBREC')
    client.send(Buffer.from([0x62, 2, 0, 1]))
    await client.expect('PUBCOMP')
  }
}

// What reaches a subscriber of `filter`, in order; settles each as its QoS asks.
async function collector (client, filter) {
  const got = []
  client.send(wire.subscribe({ filter, options: 2 }))
  const next = async () => {
    for (;;) {
      const packet = await client.packets.next(scaled(60000))
      const id = (at) => packet.body.subarray(at, at + 2)
      if (packet.type === 'PUBLISH') {
        const content = contentOf(packet)
        got.push(content)
        const at = 2 + packet.body.readUInt16BE(0)
        if (content.qos === 1) client.send(Buffer.from([0x40, 2]), id(at))
        if (content.qos === 2) client.send(Buffer.from([0x50, 2]), id(at))
      } else if (packet.type === 'PUBREL') client.send(Buffer.from([0x70, 2]), id(0))
    }
  }
  await client.expect('SUBACK')
  next().catch(() => {}) // the end of the test
  return got
}

const variants = {
  'its defaults': [],
  'try_private false': ['try_private false'],
  'notifications false': ['notifications false'],
  'cleansession true': ['cleansession true'],
  'MQTT 3.1': ['bridge_protocol_version mqttv31'],
  'MQTT 3.1, try_private false': ['bridge_protocol_version mqttv31', 'try_private false'],
  'MQTT 5': ['bridge_protocol_version mqttv50'],
  'notifications below the token': (token) => [`notification_topic ${token}/bridge/state`]
}

for (const access of ['open', 'registered']) {
  suite(`A mosquitto bridge, tokens.access = ${access}`, { set: { 'tokens.access': access }, concurrent: true }, (server) => {
    for (const [name, lines] of Object.entries(variants)) {
      it(`with ${name}: messages cross both ways, once each, with QoS and retain`, async (t) => {
        const token = access === 'open' ? newToken() : await server.planToken('local')
        const more = typeof lines === 'function' ? lines(token) : lines
        const neighbour = new Neighbour(server, bridgeOf(token, ...more, `topic # both 2 local/ ${token}/`))
        t.after(() => neighbour.remove())
        await neighbour.start()
        await neighbour.isBridged()
        const far = await server.wire({ token, clientId: 'far' })
        const farGot = await collector(far, `${token}/#`)
        const near = await neighbour.client()
        const nearGot = await collector(near, 'local/#')
        const nearPublisher = await neighbour.client()
        const farPublisher = await server.wire({ token, clientId: 'publisher' })

        for (const qos of [0, 1, 2]) {
          await publishAndWait(nearPublisher, { topic: 'local/up/q', payload: `${qos}`, qos })
          await publishAndWait(farPublisher, { topic: `${token}/down/q`, payload: `${qos}`, qos })
        }
        await publishAndWait(nearPublisher, { topic: 'local/up/kept', payload: 'kept', qos: 1, retain: true })
        await publishAndWait(farPublisher, { topic: `${token}/down/kept`, payload: 'kept', qos: 1, retain: true })
        const ends = async (got, topic) => await until(() => got.some((m) => m.topic === topic && m.payload === 'kept'), `${topic} at the other side`)
        await ends(farGot, `${token}/up/kept`)
        await ends(nearGot, 'local/down/kept')
        // A round trip behind them: had anything come back as an echo, it would be here.
        await publishAndWait(nearPublisher, { topic: 'local/up/last', payload: 'kept', qos: 2 })
        await publishAndWait(farPublisher, { topic: `${token}/down/last`, payload: 'kept', qos: 2 })
        await ends(farGot, `${token}/up/last`)
        await ends(nearGot, 'local/down/last')
        await ends(farGot, `${token}/down/last`)
        await ends(nearGot, 'local/up/last')

        // mosquitto keeps no order between messages of different QoS.
        const of = (got, prefix) => got.filter((m) => m.topic.startsWith(prefix)).map((m) => `${m.topic.slice(prefix.length)} ${m.payload} ${m.qos}`).sort()
        const all = ['kept kept 1', 'last kept 2', 'q 0 0', 'q 1 1', 'q 2 2']
        assert.deepEqual(of(farGot, `${token}/up/`), all)
        assert.deepEqual(of(nearGot, 'local/down/'), all)
        assert.deepEqual(of(farGot, `${token}/down/`), all, 'no echo on this side')
        // Without the bit in its level it says nothing of being a bridge, and is
        // given back what it brought, as any client is.
        const saysItIsOne = !more.includes('try_private false')
        if (saysItIsOne) assert.deepEqual(of(nearGot, 'local/up/'), all, 'no echo on the other side')
        // Retained on both sides.
        const stored = await server.cli('sub', '-n', '1', '--', `${token}/up/kept`)
        assert.equal(stored.stdout, `${token}/up/kept kept\n`)
        if (saysItIsOne) {
          const lateGot = await collector(await neighbour.client(), 'local/down/kept')
          await until(() => lateGot.length > 0, 'retained message at mosquitto')
          assert.equal(lateGot[0].retain, 1)
        }
        if (typeof lines === 'function') {
          assert.equal((await server.latest(token, 'bridge/state')).chat, 1)
        } else {
          assert.ok((await server.things(token)).every((thing) => !thing.includes('state')))
        }
        assert.equal(neighbour.log.filter((line) => /Connection Refused/.test(line)).length, 0)
        await neighbour.stop()
        if (typeof lines === 'function') {
          await until(async () => (await server.latest(token, 'bridge/state')).chat === 0, 'the bridge\'s last word')
        }
      })
    }

    it('in and out alone carry one way', async (t) => {
      const token = access === 'open' ? newToken() : await server.planToken('local')
      const neighbour = new Neighbour(server, bridgeOf(token, `topic in/# in 1 "" ${token}/`, `topic out/# out 1 "" ${token}/`))
      t.after(() => neighbour.remove())
      await neighbour.start()
      await neighbour.isBridged()
      const far = await server.wire({ token, clientId: 'far' })
      const farGot = await collector(far, `${token}/#`)
      const near = await neighbour.client()
      const nearGot = await collector(near, '#')
      const publisher = await neighbour.client()
      for (const topic of ['in/a', 'out/a', 'out/end']) await publishAndWait(publisher, { topic, payload: 'near', qos: 1 })
      const farPublisher = await server.wire({ token, clientId: 'publisher' })
      for (const topic of ['out/b', 'in/b', 'in/end']) await publishAndWait(farPublisher, { topic: `${token}/${topic}`, payload: 'far', qos: 1 })
      await until(() => farGot.some((m) => m.topic.endsWith('out/end')), 'what goes out')
      await until(() => nearGot.some((m) => m.topic === 'in/end'), 'what comes in')
      assert.deepEqual(farGot.filter((m) => m.payload === 'near').map((m) => m.topic), [`${token}/out/a`, `${token}/out/end`])
      assert.deepEqual(nearGot.filter((m) => m.payload === 'far').map((m) => m.topic), ['in/b', 'in/end'])
      await neighbour.stop()
    })
  })
}

suite('A mosquitto bridge with a key that has a mount', { set: { 'tokens.access': 'registered' }, concurrent: true }, (server) => {
  for (const lines of [[], ['bridge_protocol_version mqttv50']]) {
    it(`carries a whole broker both ways without a prefix, once each (${lines[0] ?? 'MQTT 3.1.1'})`, async (t) => {
      const { tenant, app, admin } = await home(server)
      const key = await keyOf(server, tenant, '--mount', 'home', '--label', 'mosquitto')
      const neighbour = new Neighbour(server, [`remote_username ${tenant}`, `remote_password ${key}`, `remote_clientid bridge-${tenant}`, ...lines, 'topic # both 1'])
      t.after(() => neighbour.remove())
      await neighbour.start()
      await neighbour.isBridged()
      const nearGot = await collector(await neighbour.client(), 'shellies/#')
      const publisher = await neighbour.client()
      await publishAndWait(publisher, { topic: 'shellies/plug/relay/0', payload: 'off', qos: 1, retain: true })
      assert.deepEqual(await app.next(), { topic: 'shellies/plug/relay/0', text: 'off', retain: false })
      assert.equal((await admin.next()).topic, `${tenant}/home/shellies/plug/relay/0`)
      await app.publish('shellies/plug/relay/0/command', 'on')
      await until(() => nearGot.some(({ topic }) => topic === 'shellies/plug/relay/0/command'), 'the command at mosquitto')
      // what crossed came back nowhere
      await publishAndWait(publisher, { topic: 'shellies/plug/last', payload: '1', qos: 1 })
      await app.find(({ topic }) => topic === 'shellies/plug/last')
      assert.deepEqual(app.texts(), ['off', 'on', '1'])
      assert.deepEqual(nearGot.map(({ payload }) => payload), ['off', 'on', '1'])
      await neighbour.stop()
    })
  }
})

group('A mosquitto bridge over restarts', () => {
  const server = new Server({ set: { 'tokens.access': 'open' } })
  before(() => server.start())
  after(() => server.close())

  it('Confab killed and back: what was published on both sides meanwhile arrives, once each', async (t) => {
    const token = newToken()
    const neighbour = new Neighbour(server, bridgeOf(token, 'cleansession false', `topic # both 2 local/ ${token}/`))
    t.after(() => neighbour.remove())
    await neighbour.start()
    await neighbour.isBridged()
    const near = await neighbour.client()
    const nearGot = await collector(near, 'local/down/#')
    const publisher = await neighbour.client()
    for (let i = 0; i < 10; i++) await publishAndWait(publisher, { topic: 'local/up/a', payload: `${i}`, qos: 2 })
    await server.kill9()
    for (let i = 10; i < 20; i++) await publishAndWait(publisher, { topic: 'local/up/a', payload: `${i}`, qos: 2 })
    await server.restart()
    const farPublisher = await server.wire({ token, clientId: 'publisher' })
    for (let i = 0; i < 10; i++) await publishAndWait(farPublisher, { topic: `${token}/down/a`, payload: `${i}`, qos: 2 })
    const numbers = Array.from({ length: 20 }, (_, i) => i)
    await until(async () => (await server.things(token)).includes('up/a') && (await server.latest(token, 'up/a')).chat === 19, 'what waited at mosquitto', scaled(30000))
    const history = await server.history(token, 'up/a', '?order=asc&limit=100')
    assert.deepEqual(history.map(({ chat }) => chat), numbers)
    await until(() => nearGot.length >= 10, 'what waited at Confab', scaled(30000))
    assert.deepEqual(nearGot.map((m) => Number(m.payload)), numbers.slice(0, 10))
    await neighbour.stop()
  })

  it('mosquitto stopped and back: what was published here meanwhile arrives there', async (t) => {
    const token = newToken()
    const neighbour = new Neighbour(server, bridgeOf(token, 'cleansession false', `topic # both 1 local/ ${token}/`))
    t.after(() => neighbour.remove())
    await neighbour.start()
    await neighbour.isBridged()
    await neighbour.stop()
    const farPublisher = await server.wire({ token, clientId: 'publisher' })
    for (let i = 0; i < 10; i++) await publishAndWait(farPublisher, { topic: `${token}/down/a`, payload: `${i}`, qos: 1, retain: i === 9 })
    await neighbour.start()
    await until(() => neighbour.log.some((line) => /Received PUBLISH from local\.\S+ .*down\/a/.test(line)), 'the backlog')
    const late = await neighbour.client()
    const got = await collector(late, 'local/down/a')
    await until(() => got.some((m) => m.payload === '9'), 'the last of it')
    await neighbour.stop()
  })

  it('what bridges say of themselves to $SYS reaches nobody', async () => {
    const [mine, other] = [newToken(), newToken()]
    const watchers = [await server.wire({ clientId: 'nameless' }), await server.wire({ token: other, clientId: 'other' })]
    watchers[0].send(wire.subscribe({ filter: '$SYS/broker/connection/#' }))
    await watchers[0].expect('SUBACK')
    const bridge = await server.wire({ v: 4, token: mine, clientId: 'b', will: { topic: '$SYS/broker/connection/b/state', payload: '0' } })
    bridge.send(wire.publish({ v: 4, topic: '$SYS/broker/connection/b/state', payload: '1', qos: 1, retain: true }))
    await bridge.expect('PUBACK')
    bridge.destroy()
    await until(async () => {
      const list = await server.cli('clients', '-t', mine)
      return list.stdout.trim().split('\n').length === 1
    }, 'the end of the bridge')
    for (const watcher of watchers) {
      watcher.send(wire.PINGREQ)
      await watcher.expect('PINGRESP') // and nothing before it
    }
    watchers[0].send(wire.subscribe({ filter: '$SYS/broker/connection/b/state', id: 2 }))
    await watchers[0].expect('SUBACK')
    watchers[0].send(wire.PINGREQ)
    await watchers[0].expect('PINGRESP')
  })
})

suite('Levels of CONNECT', { set: { 'tokens.access': 'open' } }, (server) => {
  const connect = (name, level, tail = [], token = 'demo') => wire.packet(0x10, wire.string(name), level, 0x82, wire.int16(60), ...tail, wire.string('x'), wire.string(token))

  for (const [name, level] of [['MQTT', 0x84], ['MQIsdp', 0x83]]) {
    it(`${name} with 0x${level.toString(16)} is a bridge, which does not get its own messages back`, async () => {
      const token = newToken()
      const bridge = await server.wire()
      bridge.send(connect(name, level, [], token))
      assert.deepEqual([...(await bridge.expect('CONNACK')).body], [0, 0])
      const other = await server.wire({ v: 4, token, clientId: 'other' })
      for (const client of [bridge, other]) {
        client.send(wire.subscribe({ v: 4, filter: `${token}/#`, options: 1 }))
        await client.expect('SUBACK')
      }
      bridge.send(wire.publish({ v: 4, topic: `${token}/a`, payload: 'mine', qos: 1, retain: true }))
      await bridge.expect('PUBACK')
      other.send(wire.publish({ v: 4, topic: `${token}/b`, payload: 'theirs', retain: true }))
      const seen = await bridge.expect('PUBLISH')
      assert.equal(seen.body.subarray(2, 2 + seen.body.readUInt16BE(0)).toString(), `${token}/b`)
      assert.equal(seen.first & 1, 1, 'retain as published')
      const atOther = await other.expect('PUBLISH')
      assert.equal(atOther.first & 1, 0, 'others have it without')
    })
  }

  for (const level of [6, 7, 0x40, 0x7f, 0x80, 0x83, 0x85, 0x86, 0xff]) {
    it(`MQTT with 0x${level.toString(16)} gets the CONNACK of 3.1.1 with code 1`, async () => {
      for (const tail of [[], [0]]) {
        const client = await server.wire()
        client.send(connect('MQTT', level, tail))
        const answer = await client.expect('CONNACK')
        assert.deepEqual([...answer.body], [0, 1])
        await within(client.closed, 'closing')
      }
    })
  }
})
