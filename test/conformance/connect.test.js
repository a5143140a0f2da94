'use strict'
// MQTT 5 §3.1 and §3.2, 3.1.1 §3.1 and §3.2: CONNECT and CONNACK. Sessions and
// wills have files of their own.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { newToken } = require('../e2e/harness/server')
const { within } = require('../e2e/harness/waits')
const { chapter } = require('./harness/chapter')
const { unique } = require('./harness/peer')
const p = require('./harness/packets')

const MALFORMED = 0x81
const PROTOCOL = 0x82
const UNSUPPORTED_VERSION = 0x84
const BAD_CREDENTIALS = 0x86
const NOT_AUTHORIZED = 0x87
const BAD_METHOD = 0x8c

chapter('The first packet', (world) => {
  for (const v of [5, 4]) {
    const others = {
      PUBLISH: () => p.publish({ v, topic: `${world.token}/x`, qos: 1, id: 1 }),
      PUBACK: () => p.puback({ v, id: 1 }),
      PUBREC: () => p.pubrec({ v, id: 1 }),
      PUBREL: () => p.pubrel({ v, id: 1 }),
      PUBCOMP: () => p.pubcomp({ v, id: 1 }),
      SUBSCRIBE: () => p.subscribe({ v, filters: [[`${world.token}/x`, 0]] }),
      UNSUBSCRIBE: () => p.unsubscribe({ v, filters: [`${world.token}/x`] }),
      PINGREQ: () => p.PINGREQ,
      DISCONNECT: () => p.disconnect({ v }),
      CONNACK: () => p.packet(0x20, 0, 0, 0)
    }
    for (const [type, data] of Object.entries(others)) {
      it(`[MQTT-3.1.0-1] [MQTT311-3.1.0-1] the first packet is a CONNECT, any other closes: ${type} (MQTT ${v})`, async () => {
        const client = await world.open(v)
        client.send(data())
        await client.closes()
      })
    }

    it(`[MQTT-3.1.0-2] [MQTT311-3.1.0-2] a second CONNECT closes (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.connect({ v, ...world.identity() }))
      await client.closes(PROTOCOL)
    })

    it(`[MQTT-3.1.0-2] [MQTT-3.2.0-2] [MQTT311-3.1.0-2] a second CONNECT closes, even the same one sent with the first (MQTT ${v})`, async () => {
      const client = await world.open(v)
      const data = p.connect({ v, ...world.identity() })
      client.send(data, data)
      await client.expect('CONNACK', { code: 0 })
      await client.closes(PROTOCOL)
    })
  }
})

chapter('Fields of CONNECT', (world) => {
  for (const v of [5, 4]) {
    for (const name of ['', 'M', 'MQT', 'MQTTT', 'mqtt', 'Mqtt', 'MQTX', 'MQIsdp', 'HTTP', 'MQTT\0']) {
      it(`[MQTT-3.1.2-1] [MQTT311-3.1.2-1] a protocol name other than MQTT closes: ${JSON.stringify(name)} (MQTT ${v})`, async () => {
        const client = await world.open(v)
        client.send(p.connect({ v, name, ...world.identity() }))
        if (name === 'MQIsdp') client.v = 4 // the name of 3.1, which is answered in its way
        await client.refuses(null, ...(client.v === 5 ? [MALFORMED, UNSUPPORTED_VERSION] : [1]))
      })
    }

    it(`[MQTT-3.1.2-3] [MQTT311-3.1.2-3] the reserved flag is 0, 1 closes (MQTT ${v})`, async () => {
      const client = await world.open(v)
      client.send(p.connect({ v, flags: 0x83, ...world.identity() }))
      await client.refuses(null, ...(v === 5 ? [MALFORMED] : []))
    })
  }

  for (const level of [0, 1, 2, 6, 7, 64, 127, 0x80, 0x85, 255]) {
    it(`[MQTT-3.1.2-2] [MQTT311-3.1.2-2] [MQTT-3.14.0-1] a protocol level that there is not is told so and closed: ${level}`, async () => {
      const client = await world.open()
      client.send(p.connect({ v: level < 5 ? 4 : 5, level, ...world.identity() }))
      // Which format its sender reads cannot be known; 3.1.1's is the one that
      // whatever came before 5.0 knows, bridges with a bit in their level too.
      const data = await client.arrivals.next()
      assert.deepEqual(data, p.packet(0x20, 0, 1))
      await within(client.closed, 'closing')
    })
  }
  for (const level of [5, 4]) {
    it(`[MQTT311-3.1.2-2] [MQTT-3.1.2-2] protocol levels 4 and 5 are accepted: ${level}`, async () => {
      const client = await world.peer({ v: level })
      await client.ping()
    })
  }

  // ---- what the flags say is there, is there, and nothing else
  for (const v of [5, 4]) {
    const claims = {
      'no will, will QoS 1': ['[MQTT-3.1.2-11] [MQTT311-3.1.2-11] [MQTT311-3.1.2-13] without a will its QoS is 0', () => ({ flags: 0x8a })],
      'no will, will QoS 2': ['[MQTT-3.1.2-11] [MQTT311-3.1.2-11] [MQTT311-3.1.2-13] without a will its QoS is 0', () => ({ flags: 0x92 })],
      'no will, will QoS 3': ['[MQTT-3.1.2-11] [MQTT311-3.1.2-11] [MQTT311-3.1.2-13] without a will its QoS is 0', () => ({ flags: 0x9a })],
      'no will, will retain': ['[MQTT-3.1.2-13] [MQTT311-3.1.2-11] [MQTT311-3.1.2-15] without a will there is no will retain', () => ({ flags: 0xa2 })],
      'no will flag, but a will': ['[MQTT311-3.1.2-11] [MQTT-3.1.4-1] without the will flag there is no will', () => ({ flags: 0x82, will: { topic: `${world.token}/x` } })],
      'will QoS 3': ['[MQTT-3.1.2-12] [MQTT311-3.1.2-14] will QoS 3 is malformed', () => ({ flags: 0x9e, will: { topic: `${world.token}/x` } })],
      'a will flag, but no will': ['[MQTT-3.1.2-9] [MQTT311-3.1.2-9] with the will flag there is a will', () => ({ flags: 0x86 })],
      'a user name, but no flag for it': ['[MQTT-3.1.2-16] [MQTT311-3.1.2-18] without the user name flag there is no user name', () => ({ flags: 0x02 })],
      'a user name flag, but no user name': ['[MQTT-3.1.2-17] [MQTT311-3.1.2-19] with the user name flag there is a user name', () => ({ flags: 0x82, username: undefined })],
      'a password, but no flag for it': ['[MQTT-3.1.2-18] [MQTT311-3.1.2-20] without the password flag there is no password', () => ({ flags: 0x82, password: 'x' })],
      'a password flag, but no password': ['[MQTT-3.1.2-19] [MQTT311-3.1.2-21] with the password flag there is a password', () => ({ flags: 0xc2 })],
      'no client id at all': ['[MQTT-3.1.3-3] [MQTT311-3.1.3-3] the client id is there', () => ({ clientId: null, username: undefined, flags: 0x02 })],
      'a user name that is longer than the packet': ['[MQTT-3.1.4-1] [MQTT311-3.1.4-1] a CONNECT that does not conform closes', () => null]
    }
    for (const [what, [claim, fields]] of Object.entries(claims)) {
      it(`${claim}: ${what} (MQTT ${v})`, async () => {
        const client = await world.open(v)
        const given = fields()
        client.send(given === null
          ? p.packet(0x10, p.string('MQTT'), v, 0x82, 0, 0, ...(v === 5 ? [0] : []), p.string('x'), 0, 100, Buffer.from('x'))
          : p.connect({ v, ...world.identity(), ...given }))
        await client.refuses(null, ...(v === 5 ? [MALFORMED, PROTOCOL] : []))
      })
    }

    it(`[MQTT-3.1.3-1] [MQTT311-3.1.3-1] [MQTT-3.1.2-9] [MQTT-3.1.2-17] [MQTT-3.1.2-19] [MQTT311-3.1.2-9] [MQTT311-3.1.2-19] [MQTT311-3.1.2-21] the payload is client id, will properties, will topic, will, user name, password (MQTT ${v})`, async () => {
      const topic = `${world.space()}/will`
      const watcher = await world.peer({ v })
      await watcher.subscribe(topic)
      const client = await world.open(v)
      const none = v === 5 ? [0] : []
      client.send(p.packet(0x10, p.string('MQTT'), v, 0xc6, 0, 0, none, p.string(`c${unique()}`), none, p.string(topic), p.string('the will'), p.string(world.token), p.string('a password')))
      await client.expect('CONNACK', { code: 0, sessionPresent: false })
      client.cut()
      await watcher.receivesPublish({ topic, payload: 'the will' })
    })
  }

  it('[MQTT311-3.1.2-22] a password without a user name closes (MQTT 3.1.1)', async () => {
    const client = await world.open(4)
    client.send(p.connect({ v: 4, clientId: unique(), password: 'x' }))
    await client.refuses(null)
  })

  it('[MQTT-3.1.2-17] [MQTT-3.1.2-19] with 5.0, a password may come without a user name', async () => {
    const client = await world.open()
    client.send(p.connect({ clientId: unique(), password: 'x' }))
    const { code } = await client.expect('CONNACK')
    assert.equal(code, world.access === 'open' ? 0 : NOT_AUTHORIZED, 'well-formed; who it is, is another matter')
  })

  // ---- client identifiers
  const ALLOWED = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
  for (const v of [5, 4]) {
    for (let at = 0; at < ALLOWED.length; at += 23) {
      const clientId = ALLOWED.slice(at, at + 23)
      it(`[MQTT-3.1.3-5] [MQTT311-3.1.3-5] client ids of 1 to 23 letters and digits are allowed: ${clientId} (MQTT ${v})`, async () => {
        const client = await world.peer({ v, clientId })
        await client.ping()
      })
    }
    for (const letter of ALLOWED) {
      it(`[MQTT-3.1.3-5] [MQTT311-3.1.3-5] client ids of one letter or digit are allowed: ${letter} (MQTT ${v})`, async () => {
        const client = await world.peer({ v, clientId: letter, keepAlive: 60 })
        await client.disconnect()
      })
    }

    it(`[MQTT-3.1.3-6] [MQTT311-3.1.3-6] clients without an id are each their own (MQTT ${v})`, async () => {
      const clients = []
      for (let n = 0; n < 3; n++) clients.push(await world.peer({ v, clientId: '' }))
      for (const client of clients) await client.ping() // none took over another
    })
  }

  it('[MQTT-3.1.3-7] [MQTT-3.2.2-16] a client without an id is told the one it has, and it is new', async () => {
    const first = await world.peer({ clientId: '' })
    const second = await world.peer({ clientId: '' })
    const [one, two] = [first, second].map(({ connack }) => connack.properties.assignedClientId)
    assert.ok(one?.length > 0 && two?.length > 0)
    assert.notEqual(one, two)
    const again = await world.peer({ clientId: one }) // as if the client had provided it
    await first.closes(0x8e)
    await again.ping()
    await second.ping()
  })

  it('[MQTT-3.1.3-7] a client that has an id is assigned none', async () => {
    const client = await world.peer()
    assert.equal(client.connack.properties.assignedClientId, undefined)
  })

  it('[MQTT-3.1.3-7] [MQTT-3.1.3-6] an assigned id names a session that can be resumed', async () => {
    const space = world.space()
    const first = await world.peer({ clientId: '', cleanStart: false, properties: { sessionExpiry: 60 } })
    const clientId = first.connack.properties.assignedClientId
    await first.subscribe(`${space}/x`)
    await first.disconnect()
    const again = await world.peer({ clientId, cleanStart: false })
    assert.equal(again.connack.sessionPresent, true)
    await again.publish(`${space}/x`, 'still subscribed')
    await again.receivesPublish({ topic: `${space}/x`, payload: 'still subscribed' })
  })

  it('[MQTT311-3.1.3-8] [MQTT311-3.1.3-9] [MQTT311-3.1.3-7] no client id without Clean Session: CONNACK 2, then closed', async () => {
    const client = await world.open(4)
    client.send(p.connect({ v: 4, ...world.identity({ clientId: '' }), cleanStart: false }))
    await client.receives(p.packet(0x20, 0, 2))
    await client.closes()
  })

  for (const v of [5, 4]) {
    it(`[MQTT-3.1.3-2] [MQTT311-3.1.3-2] the client id says whose session it is, every byte of it (MQTT ${v})`, async () => {
      const clientId = `id-${unique()}`
      const others = []
      for (const other of [clientId.toUpperCase(), `${clientId} `, ` ${clientId}`, clientId.slice(1)]) {
        others.push(await world.peer({ v, clientId: other }))
      }
      const first = await world.peer({ v, clientId })
      for (const other of others) await other.ping()
      await world.peer({ v, clientId })
      await first.closes(0x8e)
      for (const other of others) await other.ping()
    })
  }
})

chapter('What the server does with a CONNECT', (world) => {
  const malformed = {
    'a property twice': [{ properties: p.bytes(p.properties({ receiveMaximum: 1 }), p.properties({ receiveMaximum: 1 })) }, PROTOCOL],
    'Receive Maximum 0': [{ properties: { receiveMaximum: 0 } }, PROTOCOL],
    'Maximum Packet Size 0': [{ properties: { maximumPacketSize: 0 } }, PROTOCOL],
    'Request Problem Information 2': [{ properties: { requestProblem: 2 } }, PROTOCOL],
    'Request Response Information 2': [{ properties: { requestResponse: 2 } }, PROTOCOL],
    'Authentication Data without a method': [{ properties: { authData: 'x' } }, PROTOCOL],
    'a property of PUBLISH': [{ properties: { topicAlias: 1 } }, PROTOCOL],
    'a property of CONNACK': [{ properties: { serverKeepAlive: 1 } }, PROTOCOL],
    'a property that there is not': [{ properties: Buffer.from([0x7f, 0]) }, PROTOCOL],
    'a property that is cut': [{ properties: Buffer.from([0x11, 0]) }, PROTOCOL]
  }
  for (const [what, [fields, code]] of Object.entries(malformed)) {
    it(`[MQTT-3.1.4-1] [MQTT-4.13.1-1] a CONNECT that does not conform closes: ${what}`, async () => {
      const client = await world.open()
      client.send(p.connect({ ...world.identity(), ...fields }))
      await client.refuses(null, code, MALFORMED)
    })
  }
  const malformedWill = {
    'Will Delay twice': p.bytes(p.properties({ willDelay: 1 }), p.properties({ willDelay: 1 })),
    'Payload Format Indicator 2': p.properties({ payloadFormat: 2 }),
    'a property of CONNECT': p.properties({ receiveMaximum: 1 }),
    'a Topic Alias': p.properties({ topicAlias: 1 })
  }
  for (const [what, properties] of Object.entries(malformedWill)) {
    it(`[MQTT-3.1.4-1] [MQTT-4.13.1-1] a will that does not conform closes: ${what}`, async () => {
      const client = await world.open()
      client.send(p.connect({ ...world.identity(), will: { topic: `${world.token}/x`, properties } }))
      await client.refuses(null, PROTOCOL, MALFORMED)
    })
  }
  for (const v of [5, 4]) {
    it(`[MQTT-3.1.4-1] [MQTT311-3.1.4-1] bytes behind the payload close (MQTT ${v})`, async () => {
      const client = await world.open(v)
      const data = p.connect({ v, ...world.identity() })
      client.send(p.packet(0x10, data.subarray(2), 0))
      await client.refuses(null, ...(v === 5 ? [MALFORMED] : []))
    })
    it(`[MQTT311-3.1.4-1] [MQTT-3.1.4-1] a CONNECT that does not conform is closed by 3.1.1 without a CONNACK (MQTT ${v})`, async () => {
      const client = await world.open(v)
      client.send(p.packet(0x10, p.string('MQTT'), v, 0x02))
      await client.refuses(null, ...(v === 5 ? [MALFORMED] : []))
    })
    it(`[MQTT-3.1.4-2] [MQTT-3.2.2-7] [MQTT-3.2.2-8] [MQTT-4.13.2-1] [MQTT311-3.2.2-5] who may not connect is told so and closed: a malformed token (MQTT ${v})`, async () => {
      const client = await world.open(v)
      client.send(p.connect({ v, ...world.identity({ username: 'no/token' }) }))
      const { sessionPresent } = await client.refuses(v === 5 ? BAD_CREDENTIALS : 4)
      assert.equal(sessionPresent, false)
    })
    it(`[MQTT-3.1.4-2] [MQTT-3.2.2-7] [MQTT311-3.2.2-5] a will to a foreign topic is refused and closed (MQTT ${v})`, async () => {
      const client = await world.open(v)
      client.send(p.connect({ v, ...world.identity(), will: { topic: `${newToken()}/x` } }))
      await client.refuses(v === 5 ? NOT_AUTHORIZED : 5)
    })
    it(`[MQTT-3.1.4-2] [MQTT311-3.2.2-5] an unknown token is told so and closed where tokens are registered (MQTT ${v})`, async () => {
      const client = await world.open(v)
      client.send(p.connect({ v, ...world.identity({ username: newToken() }) }))
      if (world.access === 'open') await client.expect('CONNACK', { code: 0 })
      else await client.refuses(v === 5 ? BAD_CREDENTIALS : 4)
    })
    it(`[MQTT-3.1.4-2] [MQTT311-3.2.2-5] no user name, or an empty one: not authorized where tokens are registered (MQTT ${v})`, async () => {
      for (const username of [undefined, '']) {
        const client = await world.open(v)
        client.send(p.connect({ v, ...world.identity({ username }) }))
        if (world.access === 'open') await client.expect('CONNACK', { code: 0 })
        else await client.refuses(v === 5 ? NOT_AUTHORIZED : 5)
      }
    })
    it(`[MQTT-3.2.2-6] [MQTT311-3.2.2-4] a refusal says Session Present 0, even where there is a session (MQTT ${v})`, async () => {
      const fields = { v, clientId: unique(), cleanStart: false, ...(v === 5 ? { properties: { sessionExpiry: 60 } } : {}) }
      const first = await world.peer(fields)
      await first.subscribe(`${world.space()}/x`)
      await first.disconnect()
      const client = await world.open(v)
      client.send(p.connect({ ...world.identity(fields), will: { topic: `${newToken()}/x` } }))
      const { sessionPresent } = await client.refuses(v === 5 ? NOT_AUTHORIZED : 5)
      assert.equal(sessionPresent, false)
    })

    it(`[MQTT-3.1.4-3] [MQTT311-3.1.4-2] a second client of the same id takes the first one's place (MQTT ${v})`, async () => {
      const space = world.space()
      const clientId = unique()
      const first = await world.peer({ v, clientId })
      const second = await world.peer({ v, clientId })
      await first.closes(0x8e)
      await second.publish(`${space}/x`, 'x')
      await second.silence(space)
    })

    it(`[MQTT-3.1.4-4] [MQTT-3.1.2-4] [MQTT311-3.1.4-3] Clean Start is processed on takeover, too: nothing of the old session is left (MQTT ${v})`, async () => {
      const space = world.space()
      const clientId = unique()
      const first = await world.peer({ v, clientId })
      await first.subscribe(`${space}/x`)
      const second = await world.peer({ v, clientId, cleanStart: true })
      assert.equal(second.connack.sessionPresent, false)
      await second.publish(`${space}/x`, 'x')
      await second.silence(space)
    })

    it(`[MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT311-3.1.4-4] [MQTT311-3.2.0-1] a CONNECT is answered by CONNACK 0 before anything else, also when more came with it (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.open(v)
      client.send(p.connect({ v, ...world.identity() }), p.subscribe({ v, id: 7, filters: [[topic, 0]] }), p.publish({ v, topic, payload: 'x' }), p.PINGREQ)
      await client.expect('CONNACK', { code: 0, sessionPresent: false })
      await client.receives(p.suback({ v, id: 7, codes: [0] }))
      const rest = [await client.next(), await client.next()].map(({ type }) => type).sort()
      assert.deepEqual(rest, ['PINGRESP', 'PUBLISH'])
    })

    it(`[MQTT-3.1.4-6] [MQTT311-3.1.4-5] what comes behind a refused CONNECT is not processed (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const watcher = await world.peer({ v })
      await watcher.subscribe(topic)
      const client = await world.open(v)
      client.send(
        p.connect({ v, ...world.identity({ username: 'no/token' }) }),
        p.publish({ v, topic, payload: 'not this', qos: 1, id: 1 }),
        p.connect({ v, ...world.identity() }),
        p.publish({ v, topic, payload: 'nor this', qos: 1, id: 1 }))
      await client.refuses(v === 5 ? BAD_CREDENTIALS : 4)
      await watcher.publish(topic, 'this')
      await watcher.receivesPublish({ topic, payload: 'this' })
    })
  }

  it('[MQTT311-3.2.2-1] [MQTT311-3.1.4-4] CONNACK of 3.1.1 is 20 02 00 00', async () => {
    const client = await world.open(4)
    client.send(p.connect({ v: 4, ...world.identity() }))
    await client.receives(p.packet(0x20, 0, 0))
  })

  it('[MQTT311-3.2.2-6] where no return code fits, 3.1.1 is closed without a CONNACK', async () => {
    for (const will of [{ topic: `${world.token}//x` }, { topic: `${world.token}/+` }]) {
      const client = await world.open(4)
      client.send(p.connect({ v: 4, ...world.identity(), will }))
      await client.closes()
    }
  })

  it('[MQTT-3.2.2-1] flags of CONNACK but Session Present are 0', async () => {
    const client = await world.peer()
    assert.equal(client.connack.bytes[2], 0)
    assert.equal(client.connack.bytes[3], 0)
  })

  it('[MQTT-3.2.0-2] there is one CONNACK in a connection', async () => {
    const space = world.space()
    const client = await world.peer()
    await client.subscribe(`${space}/x`)
    await client.publish(`${space}/x`, 'x')
    await client.receivesPublish({ topic: `${space}/x`, payload: 'x' })
    await client.silence(space)
    await client.disconnect()
  })

  it('[MQTT-3.14.0-1] a refused CONNECT gets a CONNACK and no DISCONNECT, a malformed one no DISCONNECT either', async () => {
    const refused = await world.open()
    refused.send(p.connect(world.identity({ username: 'no/token' })))
    await refused.refuses(BAD_CREDENTIALS)
    const malformed = await world.open()
    malformed.send(p.packet(0x10, p.string('MQTT'), 5))
    await malformed.refuses(null, MALFORMED)
  })

  // ---- what CONNACK announces

  it('[MQTT-3.2.2-9] [MQTT-3.2.2-12] [MQTT-3.2.2-13] [MQTT-3.2.2-10] all that is optional is there: CONNACK takes nothing away', async () => {
    const { properties } = (await world.peer()).connack
    for (const name of ['maximumQos', 'retainAvailable', 'wildcardAvailable', 'subscriptionIdAvailable', 'sharedAvailable']) {
      assert.ok(properties[name] === undefined || (name !== 'maximumQos' && properties[name] === 1), `${name} = ${properties[name]}`)
    }
  })

  for (const qos of [0, 1, 2]) {
    it(`[MQTT-3.2.2-9] [MQTT-3.2.2-10] PUBLISH and SUBSCRIBE of QoS ${qos} are served`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer()
      const publisher = await world.peer()
      await client.subscribe([[topic, qos]])
      await publisher.publish(topic, 'x', { qos })
      await client.receivesPublish({ topic, payload: 'x', qos })
    })
    it(`[MQTT-3.2.2-12] [MQTT-3.1.2-12] a will of QoS ${qos} is accepted`, async () => {
      await world.peer({ will: { topic: `${world.space()}/x`, qos } })
    })
  }
  it('[MQTT-3.2.2-13] a will with Will Retain 1 is accepted', async () => {
    await world.peer({ will: { topic: `${world.space()}/x`, retain: true } })
  })

  for (const given of [undefined, 0, 1]) {
    it(`[MQTT-3.1.2-28] no Response Information unless it is asked for: Request Response Information ${given}`, async () => {
      const { properties } = (await world.peer({ properties: { requestResponse: given } })).connack
      if (given !== 1) assert.equal(properties.responseInformation, undefined)
    })
  }

  it('[MQTT-4.12.0-6] without an Authentication Method there is none in CONNACK, and no AUTH', async () => {
    const { properties } = (await world.peer()).connack
    assert.equal(properties.authMethod, undefined)
    assert.equal(properties.authData, undefined)
  })
  for (const method of ['SCRAM-SHA-1', 'GS2-KRB5', 'x', '']) {
    it(`[MQTT-4.12.0-1] [MQTT-3.1.4-2] an Authentication Method that is not supported is refused and closed: ${JSON.stringify(method)}`, async () => {
      const client = await world.open()
      client.send(p.connect({ ...world.identity(), properties: { authMethod: method } }))
      await client.refuses(BAD_METHOD)
    })
  }
  it('[MQTT-4.12.0-1] [MQTT-3.1.2-30] with data for it as well', async () => {
    const client = await world.open()
    client.send(p.connect({ ...world.identity(), properties: { authMethod: 'x', authData: 'y' } }), p.auth({ properties: { authMethod: 'x' } }))
    await client.refuses(BAD_METHOD)
  })
  for (const code of [0x00, 0x18, 0x19]) {
    it(`[MQTT-4.12.0-7] [MQTT-4.12.1-1] an AUTH where CONNECT named no method closes: 0x${code.toString(16)}`, async () => {
      const client = await world.peer()
      client.send(p.auth({ code, properties: { authMethod: 'x' } }))
      await client.closes(PROTOCOL)
    })
  }

  for (const size of [10, 20, 30]) {
    it(`[MQTT-3.2.2-19] [MQTT-3.2.2-20] a refusal keeps to the Maximum Packet Size, with or without words: ${size}`, async () => {
      const client = await world.open()
      client.maximum = size
      client.send(p.connect({ ...world.identity({ username: 'no/token' }), properties: { maximumPacketSize: size } }))
      await client.refuses(BAD_CREDENTIALS)
    })
  }
})

chapter('Keep Alive', (world) => {
  for (const v of [5, 4]) {
    it(`[MQTT-3.1.2-22] [MQTT-3.2.2-22] [MQTT311-3.1.2-24] a client that is silent for one and a half times its Keep Alive is closed (MQTT ${v})`, async () => {
      const started = process.hrtime.bigint() // before CONNECT: no wait of ours is taken for the server's haste
      const client = await world.peer({ v, keepAlive: 1 })
      await client.closes(0x8d)
      const took = Number(process.hrtime.bigint() - started) / 1e9
      assert.ok(took >= 1.5, `after ${took} s`)
      if (v === 5) assert.equal(client.connack.properties.serverKeepAlive, undefined)
    })

    it(`[MQTT-3.1.2-22] [MQTT311-3.1.2-24] any packet counts, and Keep Alive 0 is for ever (MQTT ${v})`, async () => {
      const space = world.space()
      const silent = await world.peer({ v, keepAlive: 0 })
      const busy = await world.peer({ v, keepAlive: 1 })
      let open = true
      busy.closed.then(() => { open = false })
      const publishing = setInterval(() => busy.send(p.publish({ v, topic: `${space}/x` })), 250)
      await world.hourglass()
      clearInterval(publishing)
      assert.ok(open, 'who publishes is not silent')
      await busy.ping()
      await silent.ping()
    })

    it(`[MQTT-3.1.2-22] [MQTT-3.1.2-8] [MQTT311-3.1.2-24] [MQTT311-3.1.2-8] as if the network had failed: the will is published (MQTT ${v})`, async () => {
      const topic = `${world.space()}/will`
      const watcher = await world.peer({ v })
      await watcher.subscribe(topic)
      const client = await world.peer({ v, keepAlive: 1, will: { topic, payload: 'asleep' } })
      await client.closes(0x8d)
      await watcher.receivesPublish({ topic, payload: 'asleep' })
    })
  }
})
