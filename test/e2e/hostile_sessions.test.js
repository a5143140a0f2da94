'use strict'
// Clients that abuse what a session has: packet ids, windows, aliases, filters,
// sessions themselves, or just being there. Always next to a bystander whose
// messages must go on arriving, and never with the server's memory for it.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const { it, before } = require('node:test')
const { suite, newToken, until } = require('./harness/server')
const { Bystander } = require('./harness/bystander')
const { within, scaled, FACTOR } = require('./harness/waits')
const wire = require('./harness/wire')

const { packet, int16, bytes, varint } = wire
const KIB = 1024
const MIB = 1024 * KIB
const LIMIT = 16 * MIB
const [PUBACK, PUBREC, PUBREL, PUBCOMP] = [0x40, 0x50, 0x62, 0x70]
const NOT_FOUND = 0x92
const ALIAS_INVALID = 0x94

const ack = (first, id) => packet(first, int16(id))
const idOf = ({ body }) => body.readUInt16BE(0)
const aliased = (alias, topic, rest) => wire.publish({ topic, properties: bytes(0x23, int16(alias)), ...rest })
const expiry = (seconds) => bytes(0x11, 0, 0, seconds >> 8, seconds & 0xff)
const mib = (size) => `${(size / MIB).toFixed(1)} MiB`

// Not more than this process and the server may open: soft and hard limits are
// the same for both, as Node raises its own.
const descriptors = Number(/^Max open files\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))[1])
const crowd = (wanted) => Math.min(wanted, descriptors - 500) / (FACTOR > 1 ? 10 : 1) | 0

// `make` for each of `count`, a hundred at a time.
async function inBatches (count, make) {
  const made = []
  for (let n = 0; n < count; n += 100) {
    made.push(...await Promise.all(Array.from({ length: Math.min(100, count - n) }, (_, i) => make(n + i))))
  }
  return made
}

// Sends `count` packets in pieces, and takes as many answers of that type;
// → those answers.
async function ask (device, count, make, type) {
  const answers = []
  for (let n = 0; n < count;) {
    const piece = Math.min(1000, count - n)
    device.send(...Array.from({ length: piece }, (_, i) => make(n + i)))
    for (let i = 0; i < piece; i++) answers.push(await device.expect(type, scaled(20000)))
    n += piece
  }
  return answers
}

suite('Crowds', {}, (server) => {
  const bystander = new Bystander()
  before(() => bystander.start(server))
  const open = () => fs.readdirSync(`/proc/${server.child.pid}/fd`).length

  it('thousands with half a CONNECT cost little, and are forgotten when they go', async () => {
    const [descriptorsBefore, memory] = [open(), server.privateMemory()]
    const half = wire.connect({ token: newToken(), clientId: 'x'.repeat(200) }).subarray(0, 40)
    const devices = await inBatches(crowd(4000), async () => {
      const device = await server.wire()
      device.send(half)
      return device
    })
    await bystander.isWell()
    const grown = server.privateMemory() - memory
    assert.ok(grown < devices.length * 4 * KIB + MIB, `${devices.length} grew it by ${mib(grown)}`)
    for (const device of devices) device.destroy()
    await until(() => open() <= descriptorsBefore + 5, 'closing of all of them', scaled(20000))
    await bystander.isWell()
  })

  it('garbage after CONNECT closes that connection only', async () => {
    let state = 0x1234567
    const random = (below) => {
      state ^= state << 13; state ^= state >>> 17; state ^= state << 5
      return (state >>> 0) % below
    }
    for (let round = 0; round < 5; round++) {
      const devices = await inBatches(100, async (n) => {
        const device = await server.wire()
        const garbage = Buffer.from(Array.from({ length: 300 }, () => random(256)))
        device.socket.end(bytes(wire.connect({ token: newToken(), v: n % 2 ? 5 : 4, clean: n % 3 > 0, clientId: `g${n}` }), garbage))
        return device
      })
      for (const { closed } of devices) await within(closed, 'closing', scaled(20000))
      await bystander.isWell()
    }
  })

  it('ten thousand idle connections: less than 2 KiB each', async (t) => {
    const token = newToken()
    const enter = (n) => server.wire({ token, clientId: `idle${n}`, keepAlive: 0 })
    const first = await inBatches(200, (n) => enter(`first${n}`)) // what is there once
    const memory = server.privateMemory()
    const devices = await inBatches(crowd(10000), enter)
    await bystander.isWell()
    const each = (server.privateMemory() - memory) / devices.length
    t.diagnostic(`${devices.length}, ${each.toFixed(0)} bytes each`)
    assert.ok(each < 2 * KIB, `${each.toFixed(0)} bytes each`)
    for (const device of [...first, ...devices]) device.destroy()
    await bystander.isWell()
  })

  it('thousands of sessions left behind are on disk, not in memory', async () => {
    const token = newToken()
    const leave = async (n) => {
      const device = await server.wire({ token, clientId: `left${n}`, clean: false, properties: expiry(3600) })
      device.send(wire.subscribe({ filter: `${token}/${n}/#`, options: 1 }))
      await device.expect('SUBACK')
      device.destroy()
      await device.closed
    }
    await inBatches(100, leave)
    const memory = server.privateMemory()
    await inBatches(FACTOR > 1 ? 300 : 3000, (n) => leave(100 + n))
    await bystander.isWell()
    const grown = server.privateMemory() - memory
    assert.ok(grown < 4 * MIB, `grew by ${mib(grown)}`)
    const back = await server.wire({ token, clientId: 'left0', clean: false, properties: expiry(1) })
    assert.equal(back.connack.body[0], 1, 'session present')
  })
})

suite('Packet ids', {}, (server) => {
  const bystander = new Bystander()
  const token = newToken()
  const topic = `${token}/x`
  before(() => bystander.start(server))

  const floods = {
    'PUBREL for ids nobody has used: PUBCOMP 0x92': [PUBREL, 'PUBCOMP'],
    'PUBREC for ids nobody has used: PUBREL 0x92': [PUBREC, 'PUBREL']
  }
  for (const [name, [first, type]] of Object.entries(floods)) {
    it(`a flood of ${name}`, async () => {
      const device = await server.wire({ token, clientId: `flood${first}` })
      const memory = server.privateMemory()
      const answers = await ask(device, 20000, (n) => ack(first, 1 + n), type)
      for (const [n, answer] of answers.entries()) {
        assert.equal(idOf(answer), 1 + n)
        assert.equal(answer.body[2], NOT_FOUND)
      }
      const grown = server.privateMemory() - memory
      assert.ok(grown < LIMIT, `grew by ${mib(grown)}`)
      await bystander.isWell()
    })

    it(`a flood of ${name}, which nobody reads`, async () => {
      const device = await server.wire({ token, clientId: `deaf${first}` })
      device.socket.pause()
      const memory = server.privateMemory()
      const piece = bytes(...Array.from({ length: 10000 }, (_, n) => ack(first, 1 + n)))
      for (let n = 0; n < 500; n++) device.socket.write(piece) // 20 MB, as far as the server takes it
      for (let n = 0; n < 10; n++) await bystander.isWell()
      const grown = server.privateMemory() - memory
      assert.ok(grown < LIMIT, `grew by ${mib(grown)}`)
    })
  }

  it('PUBACK and PUBCOMP for nothing do no harm', async () => {
    const device = await server.wire({ token, clientId: 'nothing' })
    for (let id = 1; id < 5000; id++) device.send(ack(PUBACK, id), ack(PUBCOMP, id))
    device.send(wire.PINGREQ)
    await device.expect('PINGRESP')
    await bystander.isWell()
  })

  it('65,535 QoS 2 messages that are never released: each stored once, and then still served', async () => {
    const all = FACTOR > 1 ? 5000 : 65535
    const device = await server.wire({ token, clientId: 'hoarder', clean: false, properties: expiry(3600) })
    const publish = (id, rest) => wire.publish({ topic: `${token}/hoard`, payload: `${id}`, qos: 2, id, ...rest })
    const memory = server.privateMemory()
    for (const { body } of await ask(device, all, (n) => publish(1 + n), 'PUBREC')) assert.equal(body[2] ?? 0, 0)
    const grown = server.privateMemory() - memory
    assert.ok(grown < LIMIT, `grew by ${mib(grown)}`)
    await ask(device, 1000, (n) => publish(1 + n, { dup: true }), 'PUBREC')
    const [row] = await server.things(token, '?detail=1').then((rows) => rows.filter(({ thing }) => thing === 'hoard'))
    assert.equal(row.lastSeq, all)
    await ask(device, all, (n) => ack(PUBREL, 1 + n), 'PUBCOMP')
    await bystander.isWell()
  })

  it('a subscriber that acknowledges nothing: its window, no more; and the rest when it does', async () => {
    const window = 10
    const device = await server.wire({ token, clientId: 'mute', properties: bytes(0x21, int16(window)) })
    device.send(wire.subscribe({ filter: topic, options: 2 }))
    await device.expect('SUBACK')
    const writer = await server.wire({ token, clientId: 'writer' })
    const memory = server.privateMemory()
    const filler = 'x'.repeat(20000)
    await ask(writer, 2000, (n) => wire.publish({ topic, payload: `${n} ${filler}`, qos: 1, id: 1 + n }), 'PUBACK')
    device.send(wire.PINGREQ)
    const seen = []
    for (;;) {
      const got = await device.packets.next()
      if (got.type === 'PINGRESP') break
      seen.push(got)
    }
    assert.equal(seen.length, window)
    const grown = server.privateMemory() - memory
    assert.ok(grown < LIMIT, `grew by ${mib(grown)}`)
    // published with QoS 1, so QoS 1 it is
    const text = ({ body }) => body.toString('latin1').match(/(\d+) x/)[1]
    for (let n = 0; n < 2000; n++) {
      const got = seen.shift() ?? await device.expect('PUBLISH')
      assert.equal(text(got), String(n))
      device.send(ack(PUBACK, got.body.readUInt16BE(2 + topic.length)))
    }
    await bystander.isWell()
  })

  it('a QoS 2 window full of PUBREC without PUBCOMP holds back the rest, not others', async () => {
    const window = 5
    const device = await server.wire({ token, clientId: 'half', properties: bytes(0x21, int16(window)) })
    device.send(wire.subscribe({ filter: `${token}/half`, options: 2 }))
    await device.expect('SUBACK')
    const writer = await server.wire({ token, clientId: 'half-writer' })
    await ask(writer, 20, (n) => wire.publish({ topic: `${token}/half`, payload: `${n}`, qos: 2, id: 1 + n }), 'PUBREC')
    const ids = []
    for (let n = 0; n < window; n++) {
      const { body } = await device.expect('PUBLISH')
      ids.push(body.readUInt16BE(2 + `${token}/half`.length))
    }
    for (const id of ids) device.send(ack(PUBREC, id))
    for (const id of ids) assert.equal(idOf(await device.expect('PUBREL')), id)
    device.send(wire.PINGREQ)
    await device.expect('PINGRESP') // and no PUBLISH before it
    await bystander.isWell()
    device.send(ack(PUBCOMP, ids[0]))
    await device.expect('PUBLISH')
  })
})

suite('Filters and aliases', {}, (server) => {
  const bystander = new Bystander()
  const token = newToken()
  before(() => bystander.start(server))

  it('SUBSCRIBE and UNSUBSCRIBE of one filter, again and again, in a stored session', async () => {
    const device = await server.wire({ token, clientId: 'fickle', clean: false, properties: expiry(3600) })
    const memory = server.privateMemory()
    for (let round = 0; round < 20; round++) {
      device.send(...Array.from({ length: 100 }, (_, n) => n % 2
        ? packet(0xa2, int16(1 + n), 0, wire.string(`${token}/a/+/#`))
        : wire.subscribe({ filter: `${token}/a/+/#`, options: 2, id: 1 + n })))
      for (let n = 0; n < 100; n++) {
        const { body } = await device.expect(n % 2 ? 'UNSUBACK' : 'SUBACK')
        assert.deepEqual([idOf({ body }), body.at(-1)], [1 + n, n % 2 ? 0 : 2])
      }
    }
    const grown = server.privateMemory() - memory
    assert.ok(grown < LIMIT, `grew by ${mib(grown)}`)
    await bystander.isWell()
  })

  it('filters beyond the bound are refused (0x97), in a stored session, too; those before work', async () => {
    const device = await server.wire({ token, clientId: 'greedy', clean: false, properties: expiry(3600) })
    const codes = []
    for (let n = 0; n < 10100;) { // many filters in a packet
      const filters = Array.from({ length: 100 }, (_, i) => bytes(wire.string(`${token}/f/${n + i}`), 1))
      device.send(packet(0x82, int16(1), varint(0), ...filters))
      const { body } = await device.expect('SUBACK', scaled(20000))
      codes.push(...body.subarray(-100)) // behind a Reason String
      n += 100
    }
    const refused = codes.indexOf(0x97)
    assert.ok(refused > 1000, `${refused} granted`)
    assert.ok(codes.slice(0, refused).every((code) => code === 1))
    assert.ok(codes.slice(refused).every((code) => code === 0x97))
    await server.say(token, 'f/0', {})
    await device.expect('PUBLISH')
    await bystander.isWell()
  })

  it('aliases: set anew again and again, and each message goes where it should', async () => {
    const device = await server.wire({ token, clientId: 'aliases' })
    const maximum = device.connack.body.indexOf(0x22)
    assert.ok(maximum > 0, 'CONNACK has a Topic Alias Maximum')
    for (let n = 0; n < 300; n++) {
      device.send(aliased(1 + n % 16, `${token}/alias/${n % 48}`, { payload: 'named' }),
        aliased(1 + n % 16, '', { payload: 'short' }))
    }
    device.send(wire.publish({ topic: `${token}/alias/end`, qos: 1 }))
    await device.expect('PUBACK')
    const rows = await server.things(token, '?detail=1')
    const counts = rows.filter(({ thing }) => /^alias\/\d+$/.test(thing)).map(({ count }) => count)
    assert.equal(counts.length, 48)
    assert.equal(counts.reduce((sum, count) => sum + count), 600)
    assert.ok(counts.every((count) => count % 2 === 0), 'a name and a short one each')
    await bystander.isWell()
  })

  const games = {
    'an alias that was never set': [aliased(3, '')],
    'alias 0': [aliased(0, `${token}/x`)],
    'an alias beyond the maximum': [aliased(17, `${token}/x`)],
    'the alias of a topic that was refused as malformed': [aliased(2, `${token}/#`), aliased(2, '')]
  }
  for (const [name, packets] of Object.entries(games)) {
    it(`${name} closes (0x94 or 0x82)`, async () => {
      const device = await server.wire({ token, clientId: 'games' })
      device.send(...packets)
      assert.ok([ALIAS_INVALID, 0x82, 0x90].includes(await device.closeReason()))
      await bystander.isWell()
    })
  }

  it('aliases end with their connection, not with the session', async () => {
    const me = { token, clientId: 'returning', clean: false, properties: expiry(3600) }
    const device = await server.wire(me)
    device.send(aliased(1, `${token}/once`, { qos: 1 }))
    await device.expect('PUBACK')
    device.destroy()
    const back = await server.wire(me)
    assert.equal(back.connack.body[0], 1)
    back.send(aliased(1, '', { qos: 1 }))
    assert.ok([ALIAS_INVALID, 0x82].includes(await back.closeReason()))
    assert.equal((await server.history(token, 'once')).length, 1)
  })

  it('aliases of many connections are bounded', async () => {
    const memory = server.privateMemory()
    const long = 'y'.repeat(250)
    const devices = await inBatches(crowd(1000), async (n) => {
      const device = await server.wire({ token, clientId: `many${n}` })
      device.send(...Array.from({ length: 16 }, (_, i) => aliased(1 + i, `${token}/${long.slice(String(i).length)}${i}`)), wire.PINGREQ)
      await device.expect('PINGRESP')
      return device
    })
    const grown = server.privateMemory() - memory
    assert.ok(grown < devices.length * 10 * KIB + LIMIT, `grew by ${mib(grown)}`)
    await bystander.isWell()
  })
})
