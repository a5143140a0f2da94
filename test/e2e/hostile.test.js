'use strict'
// Bad input gets a clear answer and loses nothing: hand-made bytes, always next
// to a bystander whose messages must go on arriving, each once and in order.
const assert = require('node:assert/strict')
const { once } = require('node:events')
const { it, before } = require('node:test')
const { suite, newToken, chat, until } = require('./harness/server')
const { Bystander } = require('./harness/bystander')
const { within, scaled, sleep } = require('./harness/waits')
const wire = require('./harness/wire')

const MIB = 1024 * 1024
const DEBUG = { 'log.level': 'debug' } // so that the harness sees every log line

// MQTT 5 reason codes
const MALFORMED = 0x81
const PROTOCOL = 0x82
const NOT_AUTHORIZED = 0x87

const { packet, string, int16, varint, bytes, userProperty } = wire
const connectBody = (...rest) => packet(0x10, string('MQTT'), ...rest)
const property = (id, ...value) => bytes(id, ...value)
const withProperties = (properties) => wire.connect({ properties })

suite('Malformed MQTT before CONNECT is through', { set: DEBUG }, (server) => {
  const bystander = new Bystander()
  before(() => bystander.start(server))

  // null: closed without a word, which is allowed before CONNACK
  const cases = {
    'a PUBLISH first': [wire.publish({ topic: 'a/b' }), [null, PROTOCOL]],
    'a PINGREQ first': [wire.PINGREQ, [null, PROTOCOL]],
    'HTTP on the MQTT port': [Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), [null, MALFORMED, PROTOCOL]],
    'TLS on the MQTT port': [Buffer.from('16030100c8010000c40303', 'hex'), [null, MALFORMED, PROTOCOL]],
    'packet type 0': [packet(0x00), [null, MALFORMED, PROTOCOL]],
    'a length of five bytes': [Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x7f]), [null, MALFORMED]],
    'CONNECT of 256 MB announced': [Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]), [null, 0x95]],
    'CONNECT with flags': [bytes(0x11, wire.connect({}).subarray(1)), [null, MALFORMED]],
    'an empty CONNECT': [packet(0x10), [null, MALFORMED]],
    'another protocol name': [packet(0x10, string('MQTX'), 5, 2, int16(0), 0, string('')), [null, MALFORMED, 0x84]],
    'protocol version 6': [connectBody(6, 2, int16(0), 0, string('')), [0x84, 1]],
    'protocol version 0': [connectBody(0, 2, int16(0), string('')), [null, 0x84, 1, MALFORMED]],
    'the reserved flag': [connectBody(5, 3, int16(0), 0, string('')), [null, MALFORMED]],
    'will QoS 3': [connectBody(5, 0x1e, int16(0), 0, string(''), 0, string('a/b'), string('x')), [null, MALFORMED]],
    'will QoS without a will': [connectBody(5, 0x0a, int16(0), 0, string('')), [null, MALFORMED]],
    'will retain without a will': [connectBody(5, 0x22, int16(0), 0, string('')), [null, MALFORMED]],
    'a missing client id': [connectBody(5, 2, int16(0), 0), [null, MALFORMED]],
    'a client id longer than the packet': [connectBody(5, 2, int16(0), 0, int16(100), 'x'), [null, MALFORMED]],
    'a client id that is no UTF-8': [connectBody(5, 2, int16(0), 0, string(Buffer.from([0xff]))), [null, MALFORMED, 0x85]],
    'a client id with NUL': [connectBody(5, 2, int16(0), 0, string('a\0b')), [null, MALFORMED, 0x85]],
    'a user name flag and no user name': [connectBody(5, 0x82, int16(0), 0, string('a')), [null, MALFORMED]],
    'bytes after the end': [connectBody(5, 2, int16(0), 0, string(''), 'more'), [null, MALFORMED]],
    'properties longer than the packet': [connectBody(5, 2, int16(0), varint(1000), string('')), [null, MALFORMED]],
    'an unknown property': [withProperties(property(0x7e, 0)), [null, MALFORMED, PROTOCOL]],
    'a property of another packet': [withProperties(property(0x23, int16(1))), [null, MALFORMED, PROTOCOL]],
    'a property twice': [withProperties(bytes(property(0x11, 0, 0, 0, 1), property(0x11, 0, 0, 0, 1))), [null, PROTOCOL, MALFORMED]],
    'a cut property': [withProperties(property(0x11, 0, 0)), [null, MALFORMED]],
    'a user property that is no UTF-8': [withProperties(bytes(0x26, string(Buffer.from([0xc0, 0xaf])), string(''))), [null, MALFORMED]],
    'Receive Maximum 0': [withProperties(property(0x21, int16(0))), [null, PROTOCOL]],
    'Maximum Packet Size 0': [withProperties(property(0x27, 0, 0, 0, 0)), [null, PROTOCOL]],
    'Request Problem Information 2': [withProperties(property(0x17, 2)), [null, PROTOCOL, MALFORMED]],
    'an authentication method': [withProperties(bytes(0x15, string('SCRAM-SHA-256'))), [0x8c]],
    'v3.1.1: no client id and no clean session': [wire.connect({ v: 4, clean: false }), [2]],
    'v3.1.1: a password without a user name': [packet(0x10, string('MQTT'), 4, 0x42, int16(0), string('a'), string('p')), [null, 4, 5]],
    'a will with a wildcard': [wire.connect({ will: { topic: 'a/#', payload: '' } }), [null, MALFORMED, PROTOCOL, 0x90, NOT_AUTHORIZED]],
    'a will without topic': [wire.connect({ will: { topic: '', payload: '' } }), [null, MALFORMED, PROTOCOL, 0x90, NOT_AUTHORIZED]]
  }
  for (const [what, [sent, reasons]] of Object.entries(cases)) {
    it(`closes that connection with the right reason code: ${what}`, async () => {
      const device = await server.wire()
      device.send(sent)
      const reason = await device.closeReason(scaled(3000))
      assert.ok(reasons.includes(reason), `reason ${reason === null ? 'none' : '0x' + reason.toString(16)}`)
      await bystander.isWell()
    })
  }

  it('an odd token as user name is refused and opens nothing', async () => {
    for (const token of ['a/b', '#', '+', '$SYS', 'a b', 'x'.repeat(65), 'ü', "' OR 1=1 --", '%2e%2e', 'a\u007fb']) {
      const device = await server.wire()
      device.send(wire.connect({ token }))
      const { type, body } = await device.packets.next()
      assert.equal(type, 'CONNACK')
      assert.ok([0x86, 0x87, MALFORMED, 0x85].includes(body[1]), `${token}: ${body[1]}`)
      await within(device.closed, 'closing')
    }
    await bystander.isWell()
  })
})

suite('Malformed MQTT after CONNECT', { set: DEBUG }, (server) => {
  const bystander = new Bystander()
  const token = newToken()
  before(() => bystander.start(server))

  const topic = `${token}/x`
  const publish = (properties) => wire.publish({ topic, payload: 'x', qos: 1, properties })
  const cases = {
    'a second CONNECT': [wire.connect({}), [PROTOCOL]],
    'packet type 0': [packet(0x00), [MALFORMED, PROTOCOL]],
    'CONNACK from a client': [packet(0x20, 0, 0, 0), [MALFORMED, PROTOCOL]],
    'SUBACK from a client': [packet(0x90, int16(1), 0, 0), [MALFORMED, PROTOCOL]],
    'PINGRESP from a client': [packet(0xd0), [MALFORMED, PROTOCOL]],
    'AUTH without a method': [packet(0xf0, 0x18, 0), [MALFORMED, PROTOCOL]],
    'a length of five bytes': [Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]), [MALFORMED]],
    'PUBLISH QoS 3': [packet(0x36, string(topic), int16(1), 0, 'x'), [MALFORMED]],
    'a topic alias above the maximum': [wire.publish({ topic, properties: Buffer.from([0x23, 0, 17]) }), [0x94]],
    'PUBLISH with packet id 0': [wire.publish({ topic, qos: 1, id: 0 }), [MALFORMED, PROTOCOL]],
    'PUBLISH QoS 2 with packet id 0': [wire.publish({ topic, qos: 2, id: 0 }), [MALFORMED, PROTOCOL]],
    'PUBREL with flags 0': [packet(0x60, int16(1)), [MALFORMED]],
    'PUBREC with packet id 0': [packet(0x50, int16(0)), [MALFORMED, PROTOCOL]],
    'PUBLISH with a cut topic': [packet(0x30, int16(500), 'abc'), [MALFORMED]],
    'PUBLISH with nothing in it': [packet(0x30), [MALFORMED]],
    'PUBLISH with a cut packet id': [packet(0x32, string(topic), 0), [MALFORMED]],
    'PUBLISH with properties longer than the packet': [packet(0x30, string(topic), varint(100), 'x'), [MALFORMED]],
    'PUBLISH with an unknown property': [publish(property(0x00, 1)), [MALFORMED, PROTOCOL]],
    'PUBLISH with a property of CONNECT': [publish(property(0x11, 0, 0, 0, 1)), [MALFORMED, PROTOCOL]],
    'PUBLISH with a property twice': [publish(bytes(property(0x01, 1), property(0x01, 1))), [PROTOCOL, MALFORMED]],
    'PUBLISH with payload format 2': [publish(property(0x01, 2)), [PROTOCOL, MALFORMED]],
    'PUBLISH with a response topic that has a wildcard': [publish(bytes(0x08, string('a/#'))), [PROTOCOL, MALFORMED, 0x90]],
    'PUBLISH with a subscription identifier': [publish(property(0x0b, 1)), [PROTOCOL, MALFORMED]],
    'PUBLISH with topic alias 0': [publish(property(0x23, int16(0))), [0x94, PROTOCOL]],
    'PUBLISH with a topic alias above the maximum': [publish(property(0x23, int16(65535))), [0x94]],
    'PUBLISH without topic and alias': [wire.publish({ topic: '' }), [PROTOCOL, 0x90, MALFORMED]],
    'PUBLISH to a wildcard': [wire.publish({ topic: `${token}/#` }), [MALFORMED, PROTOCOL, 0x90]],
    'PUBLISH to a topic with NUL': [wire.publish({ topic: `${token}/a\0b` }), [MALFORMED, 0x90]],
    'PUBLISH to a topic that is no UTF-8': [wire.publish({ topic: Buffer.concat([Buffer.from(`${token}/`), Buffer.from([0xed, 0xa0, 0x80])]) }), [MALFORMED, 0x90]],
    'SUBSCRIBE with flags 0': [bytes(0x80, wire.subscribe({ filter: topic }).subarray(1)), [MALFORMED]],
    'SUBSCRIBE without filters': [packet(0x82, int16(1), 0), [MALFORMED, PROTOCOL]],
    'SUBSCRIBE with packet id 0': [wire.subscribe({ filter: topic, id: 0 }), [MALFORMED, PROTOCOL]],
    'SUBSCRIBE with QoS 3': [wire.subscribe({ filter: topic, options: 3 }), [MALFORMED, PROTOCOL]],
    'SUBSCRIBE with reserved option bits': [wire.subscribe({ filter: topic, options: 0xc0 }), [MALFORMED, PROTOCOL]],
    'SUBSCRIBE with Retain Handling 3': [wire.subscribe({ filter: topic, options: 0x30 }), [MALFORMED, PROTOCOL]],
    'SUBSCRIBE with a filter and no options': [packet(0x82, int16(1), 0, string(topic)), [MALFORMED, PROTOCOL]],
    'SUBSCRIBE with subscription identifier 0': [wire.subscribe({ filter: topic, properties: property(0x0b, 0) }), [MALFORMED, PROTOCOL, 0xa1]],
    'UNSUBSCRIBE without filters': [packet(0xa2, int16(1), 0), [MALFORMED, PROTOCOL]],
    'UNSUBSCRIBE with flags 0': [packet(0xa0, int16(1), 0, string(topic)), [MALFORMED]],
    'PINGREQ with flags': [packet(0xc1), [MALFORMED]],
    'PINGREQ with a body': [packet(0xc0, 0), [MALFORMED]],
    'a PUBACK of one byte': [packet(0x40, 0), [MALFORMED]],
    'DISCONNECT with cut properties': [packet(0xe0, 0, 10, 1), [MALFORMED]],
    'PUBLISH larger than the server takes': [Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), [0x95]]
  }
  for (const [what, [sent, reasons]] of Object.entries(cases)) {
    it(`closes that connection with the right reason code: ${what}`, async () => {
      const device = await server.wire({ token })
      device.send(sent)
      const reason = await device.closeReason(scaled(3000))
      assert.ok(reasons.includes(reason), `reason ${reason === null ? 'none' : '0x' + reason.toString(16)}`)
      await bystander.isWell()
    })
  }

  it('an invalid filter is refused (SUBACK 0x8F) or closes the connection, and subscribes to nothing', async () => {
    for (const filter of [`${token}/a#`, `${token}/#/a`, `${token}/+a`, `${token}/a+/b`]) {
      const device = await server.wire({ token })
      device.send(wire.subscribe({ filter }))
      const { type, body } = await device.packets.next()
      const code = type === 'SUBACK' ? body.at(-1) : body[0]
      assert.ok([0x8f, MALFORMED, PROTOCOL].includes(code), `${filter}: ${type} ${code}`)
    }
    await bystander.isWell()
  })

  it('an acknowledgement for nothing does no harm', async () => {
    const device = await server.wire({ token })
    device.send(packet(0x40, int16(77)), wire.PINGREQ)
    const { type } = await device.packets.next()
    assert.ok(['PINGRESP', 'DISCONNECT'].includes(type))
    await bystander.isWell()
  })

  it('packets that arrive byte by byte, and many in one piece', async () => {
    const device = await server.wire()
    for (const byte of wire.connect({ token })) {
      device.send(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await device.expect('CONNACK')
    device.send(...Array.from({ length: 500 }, () => wire.PINGREQ))
    for (let i = 0; i < 500; i++) await device.expect('PINGRESP')
    await bystander.isWell()
  })

  it('a session cut off at any byte leaves nothing behind', async () => {
    const session = bytes(wire.connect({ token, clientId: 'cut' }), wire.subscribe({ filter: topic, options: 1 }),
      wire.publish({ topic: `${token}/cut`, payload: '{}', qos: 1, properties: userProperty('a', 'b') }))
    const devices = []
    for (let end = 0; end < session.length; end += 2) {
      const device = await server.wire()
      device.socket.end(session.subarray(0, end))
      devices.push(device)
    }
    for (const device of devices) await within(device.closed, 'closing of a cut session', scaled(20000))
    await bystander.isWell()
    assert.deepEqual(await server.history(token, 'cut'), [], 'no whole PUBLISH was sent')
  })

  it('bits turned at random: no crash, and nobody else notices', async () => {
    let state = 0x2545f491 // xorshift: the same bits every time
    const random = (below) => {
      state ^= state << 13; state ^= state >>> 17; state ^= state << 5
      return (state >>> 0) % below
    }
    const session = bytes(wire.connect({ token, properties: userProperty('confab', 'stamp'), will: { topic: `${token}/will`, payload: 'x' } }),
      wire.subscribe({ filter: `${token}/#`, options: 1 }),
      wire.publish({ topic: `${token}/bits`, payload: '{}', qos: 1, properties: userProperty('a', 'b') }), wire.PINGREQ)
    for (let round = 0; round < 10; round++) {
      const devices = []
      for (let i = 0; i < 40; i++) {
        const bad = Buffer.from(session)
        for (let flips = 1 + random(4); flips > 0; flips--) bad[random(bad.length)] ^= 1 << random(8)
        const device = await server.wire()
        device.socket.end(bad)
        devices.push(device)
      }
      for (const device of devices) await within(device.closed, 'closing after turned bits', scaled(20000))
      await bystander.isWell()
    }
  })
})

suite('Malformed HTTP', { set: DEBUG }, (server) => {
  const bystander = new Bystander()
  const token = newToken()
  before(() => bystander.start(server))

  const post = (headers, body) => `POST ${chat(token, 'x')} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n${body}`
  const refused = {
    'no HTTP at all': 'hello, is anybody there?\r\n\r\n',
    'MQTT on the HTTP port': wire.connect({}),
    'no target': 'GET\r\n\r\n',
    'a header without colon': `GET /${token}/things HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n`,
    'HTTP/1.1 without Host': `GET /${token}/things HTTP/1.1\r\n\r\n`,
    'Content-Length that is no number': post('Content-Length: many', '{}'),
    'a negative Content-Length': post('Content-Length: -1', '{}'),
    'a Content-Length of 10^30': post('Content-Length: 1000000000000000000000000000000', '{}'),
    'two different lengths': post('Content-Length: 2\r\nContent-Length: 3', '{} '),
    'a chunk size that is none': post('Transfer-Encoding: chunked', 'zz\r\n{}\r\n0\r\n\r\n'),
    'an endless chunk size': post('Transfer-Encoding: chunked', 'fffffffffffffffffffff\r\n{}\r\n0\r\n\r\n'),
    'a header of 1 MiB': `GET /${token}/things HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(MIB)}\r\n\r\n`,
    'ten thousand headers': `GET /${token}/things HTTP/1.1\r\nHost: localhost\r\n${'X-Many: 1\r\n'.repeat(10000)}\r\n`,
    'a target of 1 MiB': `GET /${token}/chat/${'x'.repeat(MIB)}/latest HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    'a NUL in the target': `GET /${token}/chat/a\0b/latest HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    'a path that climbs': 'GET /../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'a path that climbs, encoded': 'GET /%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'an unknown method': `BREW /${token}/things HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    'a method of 100 kB': `${'X'.repeat(100000)} / HTTP/1.1\r\nHost: localhost\r\n\r\n`
  }
  for (const [what, sent] of Object.entries(refused)) {
    it(`refused or closed, never 200: ${what}`, async () => {
      const { status, text } = await server.rawExchange(sent)
      assert.ok(status === null || (status >= 400 && status < 600), text.slice(0, 200))
      assert.notEqual(status, 500, 'the server knows what is wrong')
      await bystander.isWell()
      assert.deepEqual(await server.things(token), [])
    })
  }

  it('a body shorter than announced, then the end: nothing is stored', async () => {
    for (const end of ['end', 'destroy']) {
      const raw = await server.rawSocket()
      raw.socket.write(post('Content-Length: 100', '{"cut":true}'))
      raw.socket[end]()
      await within(raw.ended, 'closing')
    }
    await bystander.isWell()
    assert.deepEqual(await server.things(token), [])
  })

  it('a chunked body that ends without its last chunk: nothing is stored', async () => {
    const raw = await server.rawSocket()
    raw.socket.end(post('Transfer-Encoding: chunked', '2\r\n{}\r\n'))
    await within(raw.ended, 'closing')
    await bystander.isWell()
    assert.deepEqual(await server.things(token), [])
  })

  it('pipelined requests are answered in order', async () => {
    const mine = newToken()
    const raw = await server.rawSocket()
    const two = `POST ${chat(mine, 'x')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n{"n":1}` +
      `GET ${chat(mine, 'x', '/latest')} HTTP/1.1\r\nHost: localhost\r\n\r\n` +
      `GET ${chat(mine, 'none', '/latest')} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`
    raw.socket.write(two)
    await within(raw.ended, 'end after the last answer')
    assert.deepEqual(raw.text.match(/HTTP\/1\.1 \d{3}/g), ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 404'])
    assert.match(raw.text, /"status":"ok"[^]*"chat":\{"n":1\}[^]*"error"/)
  })

  it('a line end in a name splits no header', async () => {
    const raw = await server.rawExchange(`GET /${token}/chat/x%0d%0aX-Forged:%201/latest HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    assert.equal(raw.status, 400)
    assert.doesNotMatch(raw.text, /^X-Forged/m)
  })

  it('JSON: duplicate keys kept as sent', async () => {
    const mine = newToken()
    const body = '{"a":1,"a":{"b":2,"b":3},"a":1}'
    await server.say(mine, 'x', body)
    assert.ok((await server.get(chat(mine, 'x', '/latest'))).text.includes(body))
  })

  it('requests broken at random: no crash, and nobody else notices', async () => {
    let state = 0x9e3779b9 | 0
    const random = (below) => {
      state ^= state << 13; state ^= state >>> 17; state ^= state << 5
      return (state >>> 0) % below
    }
    const mine = newToken()
    const good = Buffer.from(`POST ${chat(mine, 'a/b', '?retain=1')} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"a":[1,2,{"b":"c"}]}` +
      `GET ${chat(mine, 'a', '/history?limit=5&before=9&since=2024-01-01')} HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\nIf-None-Match: "1"\r\n\r\n`)
    for (let round = 0; round < 4; round++) {
      const sockets = []
      for (let i = 0; i < 75; i++) {
        const bad = Buffer.from(good)
        for (let flips = 1 + random(5); flips > 0; flips--) bad[random(bad.length)] = random(256)
        const raw = await server.rawSocket()
        raw.socket.end(bad)
        sockets.push(raw)
      }
      for (const raw of sockets) {
        await within(raw.ended, 'closing of a broken request', scaled(20000))
        raw.socket.destroy()
      }
      await bystander.isWell()
    }
  })
})

suite('Slow, silent and greedy clients', {}, (server) => {
  const bystander = new Bystander()
  before(() => bystander.start(server))

  it('half-open sockets and slow senders do not stop others', async () => {
    const sockets = []
    for (let i = 0; i < 60; i++) {
      const silent = await server.rawSocket()
      const slow = await server.rawSocket()
      slow.socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
      const device = await server.wire()
      const half = await server.wire()
      half.send(wire.connect({}).subarray(0, 5))
      const upload = await server.rawSocket()
      upload.socket.write(`POST ${chat(newToken(), 'x')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{"a":`)
      sockets.push(silent.socket, slow.socket, upload.socket, device.socket, half.socket)
      if (i % 10 === 0) await bystander.isWell()
    }
    for (const socket of sockets) if (!socket.destroyed) socket.write('x')
    await bystander.isWell()
    for (const socket of sockets) socket.destroy()
    await bystander.isWell()
  })

  it('many connections that come and go leave no descriptors behind', async () => {
    const { readdirSync } = require('node:fs')
    const count = () => readdirSync(`/proc/${server.child.pid}/fd`).length
    const cycle = async () => {
      const listener = await server.listen(bystander.token, 'gone')
      const device = await server.wire({ token: bystander.token })
      const raw = await server.rawSocket()
      raw.socket.write('GET /')
      listener.close()
      device.destroy()
      raw.socket.destroy()
    }
    await cycle()
    const before = count()
    for (let i = 0; i < 100; i++) await cycle()
    await until(() => count() <= before + 5, 'closing of what clients left', scaled(15000))
    await bystander.isWell()
  })

  // 96 MiB go past someone who does not read; the kernel's own socket buffers
  // are not the server's memory.
  const LIMIT = 40 * MIB
  const flood = async (token, rounds) => {
    const before = server.privateMemory()
    let peak = before
    const body = `{"fill":"${'x'.repeat(MIB - 100)}"}`
    for (let i = 0; i < rounds; i++) {
      await server.say(token, 'flood', body)
      peak = Math.max(peak, server.privateMemory())
    }
    return peak - before
  }

  it('memory does not grow with an MQTT subscriber that does not read', async () => {
    const token = newToken()
    for (let i = 0; i < 3; i++) {
      const device = await server.wire({ token, clientId: `deaf${i}` })
      device.send(wire.subscribe({ filter: `${token}/#`, options: i % 2 }))
      await device.expect('SUBACK')
      device.socket.pause()
    }
    const grown = await flood(token, 96)
    assert.ok(grown < LIMIT, `grew by ${(grown / MIB).toFixed(1)} MiB`)
    await bystander.isWell()
  })

  it('memory does not grow with a stream that is not read', async () => {
    const token = newToken()
    for (let i = 0; i < 3; i++) {
      const listener = await server.listen(token, 'flood')
      listener.response.pause()
    }
    const grown = await flood(token, 96)
    assert.ok(grown < LIMIT, `grew by ${(grown / MIB).toFixed(1)} MiB`)
    await bystander.isWell()
  })

  // As much as the server takes within the time, up to `total` bytes; → growth
  const push = async (socket, next, total) => {
    const before = server.privateMemory()
    let [sent, peak] = [0, before]
    const patience = Date.now() + scaled(4000)
    while (sent < total && !socket.destroyed && Date.now() < patience) {
      const data = next()
      sent += data.length
      if (!socket.write(data)) {
        await Promise.race([once(socket, 'drain'), once(socket, 'close'), sleep(500)])
      }
      peak = Math.max(peak, server.privateMemory())
    }
    return peak - before
  }

  it('memory does not grow with a publisher that does not read its PUBACKs', async () => {
    const token = newToken()
    const device = await server.wire({ v: 4, token })
    device.socket.pause()
    let id = 0
    const payload = Buffer.alloc(200000, 0x78)
    const grown = await push(device.socket, () => wire.publish({ v: 4, topic: `${token}/x`, payload, qos: 1, id: 1 + id++ % 65535 }), 160 * MIB)
    assert.ok(grown < LIMIT, `grew by ${(grown / MIB).toFixed(1)} MiB`)
    await bystander.isWell()
  })

  it('memory does not grow with uploads that never end', async () => {
    const before = server.privateMemory()
    const sockets = []
    const part = Buffer.alloc(MIB, 0x20)
    for (let i = 0; i < 60; i++) {
      const raw = await server.rawSocket()
      raw.socket.write(`POST ${chat(newToken(), 'x')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000000\r\n\r\n`)
      for (let n = 0; n < 4; n++) raw.socket.write(part)
      sockets.push(raw)
    }
    await bystander.isWell()
    // of the 240 MiB, at most one allowed payload (1 MiB) each is kept
    const grown = server.privateMemory() - before
    assert.ok(grown < 60 * MIB + LIMIT, `grew by ${(grown / MIB).toFixed(1)} MiB`)
    for (const raw of sockets) raw.socket.destroy()
    await bystander.isWell()
  })

  it('memory does not grow with subscriptions without end', async () => {
    const token = newToken()
    const device = await server.wire({ token })
    let n = 0
    const grown = await push(device.socket, () => wire.subscribe({ filter: `${token}/${n++}/${'x'.repeat(60000)}`, id: 1 + n % 65535 }), 160 * MIB)
    assert.ok(grown < LIMIT, `grew by ${(grown / MIB).toFixed(1)} MiB with ${n} subscriptions`)
    await bystander.isWell()
  })

  it('memory does not grow with a topic of its own for each message', async () => {
    const token = newToken()
    const device = await server.wire({ v: 4, token })
    device.socket.resume()
    let n = 0
    const grown = await push(device.socket, () => {
      const many = []
      for (let i = 0; i < 200; i++) many.push(wire.publish({ v: 4, topic: `${token}/${n++}/${'y'.repeat(240)}` }))
      return Buffer.concat(many)
    }, 12 * MIB)
    assert.ok(n > 5000, `${n} things`)
    assert.ok(grown < LIMIT, `grew by ${(grown / MIB).toFixed(1)} MiB with ${n} things`)
    await bystander.isWell()
  })
})

suite('Tokens never appear in logs in full', { set: { ...DEBUG, 'tokens.access': 'registered' } }, (server) => {
  it('Tokens never appear in logs in full', async () => {
    const known = await server.freeToken()
    const unknown = newToken()
    for (const token of [known, unknown]) {
      for (const path of [chat(token, 'x', '/latest'), chat(token, 'x', '/history'), `/${token}/things`, `/${token}/nothing/here`, chat(token, '+', '/latest'), `/${token}`]) {
        await server.get(path)
      }
      const stream = await server.stream(chat(token, 'x', '/listen'))
      stream.close()
      await server.post(chat(token, 'x'), {})
      await server.post(chat(token, 'x'), 'nonsense')
      await server.rawExchange(`GET /${token}/things HTTP/1.1\r\nbroken\r\n\r\n`)
      const device = await server.wire()
      device.send(wire.connect({ token, clientId: token, will: { topic: `${token}/will`, payload: token } }))
      device.send(wire.subscribe({ filter: `${token}/#` }), wire.publish({ topic: `${token}/x`, payload: '{}' }), packet(0x30))
      await within(device.closed, 'closing')
      const foreign = await server.wire()
      foreign.send(wire.connect({ token: known, will: { topic: `${token}x/y`, payload: '' } }))
      foreign.send(wire.publish({ topic: `${unknown}/x`, qos: 1 }), packet(0x30))
      await within(foreign.closed, 'closing')
    }
    await server.cli('token', 'revoke', '--', known)
    await server.get(`/${known}/things`)
    await until(() => server.stderr.length > 0, 'a log')
    server.checkLog()
  })

  it('control characters from outside make no log lines', async () => {
    const device = await server.wire()
    const forged = 'x\n2024-01-01T00:00:00Z error store: forged line'
    device.send(wire.connect({ token: forged, clientId: forged }))
    await within(device.closed, 'closing')
    await server.get('/x%0aforged%20line/things')
    assert.doesNotMatch(server.stderr, /^(2024-01-01T00:00:00Z error store: )?forged line/m)
  })
})
