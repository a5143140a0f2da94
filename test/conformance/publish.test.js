'use strict'
// MQTT 5 §3.3 and §3.4, 3.1.1 §3.3: PUBLISH, its flags and properties, PUBACK;
// retained messages. And §4.5, §4.6: nothing lost, nothing out of order.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { newToken } = require('../e2e/harness/server')
const { chapter } = require('./harness/chapter')
const p = require('./harness/packets')

const MALFORMED = 0x81
const PROTOCOL = 0x82
const TOPIC_INVALID = 0x90

chapter('PUBLISH and PUBACK', (world) => {
  for (const v of [5, 4]) {
    for (const qos of [0, 1]) {
      it(`[MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT311-3.3.4-1] [MQTT311-4.3.2-2] QoS ${qos} is answered by ${['nothing', 'PUBACK'][qos]} (MQTT ${v})`, async () => {
        const space = world.space()
        const client = await world.peer({ v })
        client.send(p.publish({ v, topic: `${space}/x`, payload: 'x', qos, id: 513 }))
        if (qos === 1) await client.receives(p.packet(0x40, 2, 1))
        await client.silence(space)
      })
    }

    it(`[MQTT-3.3.4-1] [MQTT311-3.3.4-1] QoS 2 is answered by PUBREC (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.publish({ v, topic: `${world.space()}/x`, payload: 'x', qos: 2, id: 513 }))
      await client.receives(p.packet(0x50, 2, 1))
    })

    it(`[MQTT-3.3.1-2] [MQTT311-3.3.1-2] DUP is 0 with QoS 0: 1 closes (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.publish({ v, topic: `${world.space()}/x`, payload: 'x', dup: true }))
      await client.closes(MALFORMED, PROTOCOL)
    })

    for (const flags of [0x36, 0x37, 0x3e, 0x3f]) {
      it(`[MQTT-3.3.1-4] [MQTT311-3.3.1-4] QoS 3 closes: first byte ${flags.toString(16)} (MQTT ${v})`, async () => {
        const data = p.publish({ v, topic: `${world.space()}/x`, qos: 1, id: 1 })
        const client = await world.peer({ v })
        client.send(p.bytes(flags, data.subarray(1)))
        await client.closes(MALFORMED)
      })
    }

    it(`[MQTT-3.3.1-3] [MQTT-4.3.2-2] [MQTT311-3.3.1-3] [MQTT311-4.3.2-1] DUP of a publisher is not forwarded (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer({ v })
      await client.subscribe([[topic, 1]])
      for (const dup of [true, false]) {
        client.send(p.publish({ v, topic, payload: `${dup}`, qos: 1, id: 9, dup }))
        const both = [await client.next(), await client.next()]
        const [delivery] = both.filter(({ type }) => type === 'PUBLISH')
        assert.equal(delivery.bytes[0], 0x32)
        assert.equal(both.filter(({ type }) => type === 'PUBACK').length, 1)
        client.acknowledge(delivery)
      }
    })

    it(`[MQTT-4.3.1-1] [MQTT311-4.3.1-1] QoS 0 goes out once, with QoS 0 and DUP 0 (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      await client.subscribe([[`${space}/x`, 1]])
      client.send(p.publish({ v, topic: `${space}/x`, payload: 'x' }))
      const { bytes } = await client.receivesPublish({ topic: `${space}/x`, payload: 'x', qos: 0, dup: false })
      assert.equal(bytes[0], 0x30)
      await client.silence(space)
    })

    it(`[MQTT-4.3.2-5] [MQTT311-4.3.2-2] after PUBACK, the same identifier is a new message, whatever its DUP (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const watcher = await world.peer({ v })
      await watcher.subscribe(topic)
      const client = await world.peer({ v })
      for (const dup of [false, true, true]) {
        client.send(p.publish({ v, topic, payload: 'same', qos: 1, id: 7, dup }))
        await client.receives(p.puback({ v, id: 7 }))
      }
      for (let n = 0; n < 3; n++) await watcher.receivesPublish({ topic, payload: 'same' })
    })

    for (const topic of ['+', '#', 'a/+', 'a/#', '+/a', 'a+', 'a#', '#/a', 'a/+/b', 'a/b#c']) {
      it(`[MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT311-3.3.2-2] [MQTT311-4.7.1-1] a wildcard in a topic name closes: ${topic} (MQTT ${v})`, async () => {
        const client = await world.peer({ v })
        client.send(p.publish({ v, topic: `${world.token}/${topic}`, payload: 'x', qos: 1, id: 1 }))
        await client.closes(MALFORMED, PROTOCOL, TOPIC_INVALID)
      })
    }

    it(`[MQTT-3.3.2-1] [MQTT-4.7.3-1] [MQTT311-3.3.2-1] [MQTT311-4.7.3-1] a topic name has at least one character (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.publish({ v, topic: '', payload: 'x', qos: 1, id: 1 }))
      await client.closes(MALFORMED, PROTOCOL, TOPIC_INVALID)
    })

    it(`[MQTT-3.3.2-3] [MQTT311-3.3.2-3] the topic of a delivery is that of its publisher and matches the filter (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      await client.subscribe([[`${space}/+/c`, 0], [`${space}/d/#`, 0]])
      const topics = ['a/b', 'a/c', 'c', 'a/c/d', 'd', 'd/e/f', 'dd', '\u00e9/c']
      for (const topic of topics) client.send(p.publish({ v, topic: `${space}/${topic}`, payload: topic }))
      for (const topic of ['a/c', 'd', 'd/e/f', '\u00e9/c']) await client.receivesPublish({ topic: `${space}/${topic}`, payload: topic })
      await client.silence(space)
    })

    for (const qos of [0, 1]) {
      it(`[MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT311-4.6.0-5] [MQTT311-4.6.0-6] messages of one client come in its order: QoS ${qos} (MQTT ${v})`, async () => {
        const topic = `${world.space()}/x`
        const client = await world.peer({ v })
        await client.subscribe([[topic, qos]])
        const publisher = await world.peer({ v })
        publisher.send(...Array.from({ length: 200 }, (_, n) => p.publish({ v, topic, payload: `${n}`, qos, id: n + 1 })))
        for (let n = 0; n < 200; n++) {
          const got = await client.receivesPublish({ topic, payload: `${n}`, qos })
          if (qos > 0) client.acknowledge(got)
        }
        if (qos === 0) return
        for (let n = 0; n < 200; n++) await publisher.receives(p.puback({ v, id: n + 1 }))
      })
    }

    it(`[MQTT-4.5.0-1] [MQTT311-4.5.0-1] every client with a matching subscription gets the message (MQTT ${v})`, async () => {
      const space = world.space()
      const clients = []
      for (const filter of ['x', '+', '#', 'x/#']) {
        const client = await world.peer({ v })
        await client.subscribe([[`${space}/${filter}`, 1]])
        clients.push(client)
      }
      const other = await world.peer({ v })
      await other.subscribe([[`${space}/y`, 1]])
      await other.publish(`${space}/x`, 'x')
      for (const client of clients) await client.receivesPublish({ topic: `${space}/x`, payload: 'x', qos: 1 })
      await other.silence(space)
    })
  }

  it('[MQTT311-3.3.5-2] [MQTT-3.4.2-1] a PUBLISH that is not allowed: 5.0 is told, 3.1.1 closed', async () => {
    const five = await world.peer()
    five.send(p.publish({ topic: `${newToken()}/x`, qos: 1, id: 1 }))
    await five.expect('PUBACK', { id: 1, code: 0x87 })
    const four = await world.peer({ v: 4 })
    four.send(p.publish({ v: 4, topic: `${newToken()}/x`, qos: 1, id: 1 }))
    await four.closes()
  })

  it('[MQTT-3.4.2-1] a PUBACK carries a reason code of its table, on success none or 0', async () => {
    const client = await world.peer()
    const topics = { [`${world.token}/x`]: 0, [`${world.token}//x`]: TOPIC_INVALID, [`${newToken()}/x`]: 0x87 }
    for (const [topic, code] of Object.entries(topics)) {
      client.send(p.publish({ topic, qos: 1, id: 5 }))
      await client.expect('PUBACK', { id: 5, code })
    }
    client.send(p.publish({ topic: `${world.token}/x`, payload: Buffer.from([0xff]), qos: 1, id: 6, properties: { payloadFormat: 1 } }))
    await client.expect('PUBACK', { id: 6, code: 0x99 })
  })

  for (const size of [20, 40, 60]) {
    it(`[MQTT-3.4.2-2] [MQTT-3.4.2-3] PUBACK leaves out words where they would exceed the Maximum Packet Size: ${size}`, async () => {
      const client = await world.peer({ properties: { maximumPacketSize: size, userProperty: [['confab', 'receipts']] } })
      client.send(p.publish({ topic: `${newToken()}/x`, qos: 1, id: 1 }))
      await client.expect('PUBACK', { id: 1, code: 0x87 })
      client.send(p.publish({ topic: `${world.token}/x`, qos: 1, id: 2 }))
      await client.expect('PUBACK', { id: 2, code: 0 })
    })
  }

  it('[MQTT-3.1.2-29] with Request Problem Information 0 only PUBLISH, CONNACK and DISCONNECT have words', async () => {
    const space = world.space()
    const client = await world.peer({ properties: { requestProblem: 0, userProperty: [['confab', 'receipts']] } })
    await client.publish(`${space}/x`, 'x') // byte for byte, without properties
    client.send(p.publish({ topic: `${newToken()}/x`, qos: 1, id: 1 }))
    await client.receives(p.puback({ id: 1, code: 0x87 }))
    client.send(p.publish({ topic: `${newToken()}/x`, qos: 2, id: 2 }))
    await client.receives(p.pubrec({ id: 2, code: 0x87 }))
    client.send(p.pubrel({ id: 77 }))
    await client.receives(p.pubcomp({ id: 77, code: 0x92 }))
    client.send(p.pubrec({ id: 78 }))
    await client.receives(p.pubrel({ id: 78, code: 0x92 }))
    client.send(p.subscribe({ id: 3, filters: [[`${newToken()}/x`, 0]] }))
    await client.receives(p.suback({ id: 3, codes: [0x87] }))
    client.send(p.unsubscribe({ id: 4, filters: [`${space}/none`] }))
    await client.receives(p.unsuback({ id: 4, codes: [0x11] }))
  })
})

chapter('Properties of PUBLISH', (world) => {
  // A message with these properties comes with these.
  const forwards = (given, expected = given) => async () => {
    for (const qos of [0, 1]) {
      const topic = `${world.space()}/x`
      const client = await world.peer()
      const publisher = await world.peer()
      await client.subscribe([[topic, qos]])
      await publisher.publish(topic, 'text', { qos, properties: given })
      await client.receivesPublish({ topic, payload: 'text', qos, properties: expected })
    }
  }
  for (const value of [undefined, 0, 1]) {
    it(`[MQTT-3.3.2-4] Payload Format Indicator is forwarded unaltered: ${value}`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer()
      await client.subscribe(topic)
      client.send(p.publish({ topic, payload: 'text', properties: { payloadFormat: value } }))
      const { properties } = await client.expect('PUBLISH', { topic })
      assert.equal(properties.payloadFormat ?? 0, value ?? 0)
    })
  }
  for (const value of ['x', 'x/y', '\u00e9', 'x'.repeat(1000), 'a//b']) {
    it(`[MQTT-3.3.2-15] [MQTT-3.3.2-13] Response Topic is forwarded unaltered: ${value.slice(0, 20)}`, forwards({ responseTopic: value }))
  }
  for (const value of ['+', '#', 'a/+/b', 'a/#', 'a+']) {
    it(`[MQTT-3.3.2-14] a Response Topic with a wildcard is refused, nothing is forwarded: ${value}`, async () => {
      const topic = `${world.space()}/x`
      const watcher = await world.peer()
      await watcher.subscribe(topic)
      const client = await world.peer()
      client.send(p.publish({ topic, payload: 'x', properties: { responseTopic: value } }))
      await client.closes(MALFORMED, PROTOCOL, TOPIC_INVALID)
      await watcher.publish(topic, 'marker')
      await watcher.receivesPublish({ topic, payload: 'marker' })
    })
  }
  for (const value of [Buffer.alloc(0), Buffer.from([0]), Buffer.from([0, 255, 1, 254]), Buffer.alloc(5000, 0xff)]) {
    it(`[MQTT-3.3.2-16] Correlation Data is forwarded unaltered: ${value.length} bytes`, forwards({ correlationData: value }))
  }
  for (const value of ['', 'text/plain', 'application/json; charset=utf-8', '\u20ac', 'x'.repeat(1000)]) {
    it(`[MQTT-3.3.2-20] [MQTT-3.3.2-19] Content Type is forwarded unaltered: ${JSON.stringify(value.slice(0, 40))}`, forwards({ contentType: value }))
  }
  const pairs = {
    'a pair': [['a', 'b']],
    'the same name several times': [['a', '1'], ['b', '2'], ['a', '3'], ['a', '1']],
    'empty strings': [['', ''], ['a', ''], ['', 'b']],
    'not sorted': [['z', '1'], ['a', '2'], ['m', '3']],
    'characters of all lengths': [['\u00e9', '\u20ac'], ['\u{1f4a1}', '\ufeff']],
    'a hundred': Array.from({ length: 100 }, (_, n) => [`n${n % 7}`, `${n}`]),
    'a long value': [['a', 'x'.repeat(10000)]]
  }
  for (const [what, userProperty] of Object.entries(pairs)) {
    it(`[MQTT-3.3.2-17] [MQTT-3.3.2-18] User Properties are forwarded unaltered and in order: ${what}`, forwards({ userProperty }))
  }
  it('[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20] all of them together, and no more', forwards({
    payloadFormat: 1, responseTopic: 'a/b', correlationData: Buffer.from([1, 2]), contentType: 'text/plain', userProperty: [['b', '1'], ['a', '2']]
  }))
  it('[MQTT-3.3.2-17] [MQTT-3.3.2-4] 3.1.1 subscribers get the message without properties', async () => {
    const topic = `${world.space()}/x`
    const client = await world.peer({ v: 4 })
    await client.subscribe(topic)
    const publisher = await world.peer()
    await publisher.publish(topic, 'x', { properties: { contentType: 'text/plain', userProperty: [['a', 'b']] } })
    await client.receives(p.publish({ v: 4, topic, payload: 'x' }))
  })

  it('[MQTT-3.3.4-6] a Subscription Identifier in a PUBLISH of a client closes', async () => {
    const client = await world.peer()
    client.send(p.publish({ topic: `${world.space()}/x`, properties: { subscriptionId: 1 } }))
    await client.closes(PROTOCOL)
  })

  it('[MQTT-3.3.2-6] Message Expiry Interval comes reduced by the time the message waited', async () => {
    const topic = `${world.space()}/x`
    const publisher = await world.peer()
    await publisher.publish(topic, 'kept', { retain: true, properties: { messageExpiry: 1000 } })
    await world.hourglass() // at least two seconds and a half
    const client = await world.peer()
    await client.subscribe(topic)
    const { properties } = await client.expect('PUBLISH', { topic, retain: true })
    assert.ok(properties.messageExpiry <= 998 && properties.messageExpiry > 900, `${properties.messageExpiry}`)
  })
  it('[MQTT-3.3.2-6] a message that is forwarded at once has all of its time', async () => {
    const topic = `${world.space()}/x`
    const client = await world.peer()
    await client.subscribe(topic)
    client.send(p.publish({ topic, payload: 'x', properties: { messageExpiry: 4294967295 } }))
    const { properties } = await client.expect('PUBLISH', { topic })
    assert.ok(properties.messageExpiry >= 4294967200)
  })
  it('[MQTT-3.3.2-5] a message that has expired is not sent: retained', async () => {
    const space = world.space()
    const publisher = await world.peer()
    await publisher.publish(`${space}/x`, 'short', { retain: true, properties: { messageExpiry: 1 } })
    await publisher.publish(`${space}/y`, 'long', { retain: true, properties: { messageExpiry: 1000 } })
    await world.hourglass()
    for (const v of [5, 4]) {
      const client = await world.peer({ v })
      await client.subscribe(`${space}/+`)
      await client.expect('PUBLISH', { topic: `${space}/y` })
      await client.silence(space)
    }
  })
  it('[MQTT-3.3.2-5] a message that has expired is not sent: queued in a session', async () => {
    const space = world.space()
    const fields = { clientId: `expiry-${space.slice(-4)}`, cleanStart: false, properties: { sessionExpiry: 100 } }
    const first = await world.peer(fields)
    await first.subscribe([[`${space}/+`, 1]])
    await first.disconnect()
    const publisher = await world.peer()
    await publisher.publish(`${space}/x`, 'short', { properties: { messageExpiry: 1 } })
    await publisher.publish(`${space}/y`, 'long', { properties: { messageExpiry: 1000 } })
    await world.hourglass()
    const again = await world.peer(fields)
    assert.equal(again.connack.sessionPresent, true)
    await again.expect('PUBLISH', { topic: `${space}/y` })
    await again.silence(space)
  })
})

chapter('Retained messages', (world) => {
  for (const v of [5, 4]) {
    for (const qos of [0, 1, 2]) {
      it(`[MQTT-3.3.1-5] [MQTT-3.3.1-9] [MQTT311-3.3.1-5] [MQTT311-3.3.1-6] [MQTT311-3.3.1-8] a retained message is stored with its QoS and greets who subscribes later, with RETAIN 1: QoS ${qos} (MQTT ${v})`, async () => {
        const space = world.space()
        const publisher = await world.peer({ v })
        await publisher.publish(`${space}/x`, 'kept', { qos, retain: true })
        await publisher.publish(`${space}/y`, 'passing', { qos: 1 })
        const client = await world.peer({ v })
        await client.subscribe([[`${space}/#`, 2]])
        await client.receivesPublish({ topic: `${space}/x`, payload: 'kept', qos, retain: true })
        await client.silence(space)
      })
    }

    it(`[MQTT-3.3.1-5] [MQTT311-3.3.1-5] [MQTT311-3.3.1-6] [MQTT311-3.3.1-7] a new retained message takes the old one's place, QoS 0 too (MQTT ${v})`, async () => {
      const space = world.space()
      const publisher = await world.peer({ v })
      for (const qos of [1, 0]) {
        await publisher.publish(`${space}/x`, 'old', { retain: true })
        await publisher.publish(`${space}/x`, `new ${qos}`, { qos, retain: true })
        await publisher.publish(`${space}/marker`, 'after')
        const client = await world.peer({ v })
        await client.subscribe([[`${space}/x`, 2]])
        await client.receivesPublish({ topic: `${space}/x`, payload: `new ${qos}`, qos, retain: true })
        await client.silence(space)
      }
    })

    it(`[MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT311-3.3.1-10] [MQTT311-3.3.1-11] an empty retained message is forwarded like any other, removes the one there was, and is not stored as one (MQTT ${v})`, async () => {
      const space = world.space()
      const publisher = await world.peer({ v })
      await publisher.publish(`${space}/x`, 'kept', { retain: true })
      const watcher = await world.peer({ v })
      await watcher.subscribe(`${space}/x`)
      await watcher.receivesPublish({ topic: `${space}/x`, payload: 'kept', retain: true })
      await publisher.publish(`${space}/x`, '', { retain: true })
      await watcher.receivesPublish({ topic: `${space}/x`, payload: '', retain: false })
      const client = await world.peer({ v })
      await client.subscribe(`${space}/#`)
      await client.silence(space)
    })

    it(`[MQTT-3.3.1-8] [MQTT311-3.3.1-12] a message with RETAIN 0 is not retained and replaces and removes none, empty or not (MQTT ${v})`, async () => {
      const space = world.space()
      const publisher = await world.peer({ v })
      await publisher.publish(`${space}/x`, 'kept', { retain: true })
      await publisher.publish(`${space}/x`, 'passing')
      await publisher.publish(`${space}/x`, '')
      await publisher.publish(`${space}/y`, 'passing')
      const client = await world.peer({ v })
      await client.subscribe(`${space}/#`)
      await client.receivesPublish({ topic: `${space}/x`, payload: 'kept', retain: true })
      await client.silence(space)
    })

    it(`[MQTT-3.3.1-12] [MQTT311-3.3.1-9] who had subscribed before gets a retained message with RETAIN 0 (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer({ v })
      await client.subscribe(topic)
      for (const retain of [true, false]) {
        client.send(p.publish({ v, topic, payload: `${retain}`, retain }))
        await client.receivesPublish({ topic, payload: `${retain}`, retain: false })
      }
    })

    it(`[MQTT311-3.1.2-7] [MQTT-3.3.1-5] retained messages outlive the session of who published them (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const publisher = await world.peer({ v, cleanStart: true })
      await publisher.publish(topic, 'kept', { retain: true })
      await publisher.disconnect()
      const client = await world.peer({ v })
      await client.subscribe(topic)
      await client.receivesPublish({ topic, payload: 'kept', retain: true })
    })

    it(`[MQTT-3.3.1-9] [MQTT311-3.3.1-6] all that match are sent, and no other (MQTT ${v})`, async () => {
      const space = world.space()
      const publisher = await world.peer({ v })
      const things = ['a', 'a/b', 'a/c', 'a/b/c', 'b']
      for (const thing of things) await publisher.publish(`${space}/${thing}`, thing, { retain: true })
      const filters = { a: ['a'], '+': ['a', 'b'], 'a/+': ['a/b', 'a/c'], 'a/#': ['a', 'a/b', 'a/b/c', 'a/c'], '#': [...things].sort() }
      for (const [filter, expected] of Object.entries(filters)) {
        const client = await world.peer({ v })
        await client.subscribe(`${space}/${filter}`)
        const got = []
        for (const _ of expected) got.push((await client.expect('PUBLISH', { retain: true })).payload.toString())
        assert.deepEqual(got.sort(), expected, filter)
        await client.silence(space)
      }
    })

    for (const [granted, published] of [[0, 1], [0, 2], [1, 0], [1, 2], [2, 1]]) {
      it(`[MQTT-3.8.4-8] [MQTT311-3.8.4-6] a retained message comes with the lower QoS: published ${published}, granted ${granted} (MQTT ${v})`, async () => {
        const topic = `${world.space()}/x`
        const publisher = await world.peer({ v })
        await publisher.publish(topic, 'kept', { qos: published, retain: true })
        await publisher.publish(`${topic}/marker`, '') // then QoS 0 is stored, too
        const client = await world.peer({ v })
        await client.subscribe([[topic, granted]])
        await client.receivesPublish({ topic, payload: 'kept', qos: Math.min(granted, published), retain: true })
      })
    }
  }

  const HANDLING = (n) => n << 4
  const AS_PUBLISHED = 0x08

  it('[MQTT-3.3.1-9] Retain Handling 0 sends retained messages at every SUBSCRIBE', async () => {
    const topic = `${world.space()}/x`
    const client = await world.peer()
    await client.publish(topic, 'kept', { retain: true })
    for (let n = 0; n < 3; n++) {
      await client.subscribe([[topic, HANDLING(0)]])
      await client.receivesPublish({ topic, payload: 'kept', retain: true })
    }
  })
  it('[MQTT-3.3.1-10] Retain Handling 1 sends them only where there was no such subscription', async () => {
    const space = world.space()
    const topic = `${space}/x`
    const client = await world.peer()
    await client.publish(topic, 'kept', { retain: true })
    await client.subscribe([[topic, HANDLING(1)]])
    await client.receivesPublish({ topic, payload: 'kept', retain: true })
    await client.subscribe([[topic, HANDLING(1)]])
    await client.silence(space)
    await client.unsubscribe(topic)
    await client.subscribe([[topic, HANDLING(1)]])
    await client.receivesPublish({ topic, payload: 'kept', retain: true })
  })
  it('[MQTT-3.3.1-11] Retain Handling 2 sends none', async () => {
    const space = world.space()
    const client = await world.peer()
    await client.publish(`${space}/x`, 'kept', { retain: true })
    await client.subscribe([[`${space}/x`, HANDLING(2)]])
    await client.subscribe([[`${space}/+`, HANDLING(2)]])
    await client.silence(space)
  })
  it('[MQTT-3.3.1-9] [MQTT-3.3.1-11] Retain Handling is of one filter, not of the packet', async () => {
    const space = world.space()
    const client = await world.peer()
    await client.publish(`${space}/x`, 'x', { retain: true })
    await client.publish(`${space}/y`, 'y', { retain: true })
    await client.subscribe([[`${space}/x`, HANDLING(2)], [`${space}/y`, HANDLING(0)]])
    await client.receivesPublish({ topic: `${space}/y`, payload: 'y', retain: true })
    await client.silence(space)
  })
  for (const retain of [true, false]) {
    it(`[MQTT-3.3.1-13] Retain As Published 1 keeps the RETAIN flag of the publisher: ${retain}`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer()
      await client.subscribe([[topic, AS_PUBLISHED]])
      client.send(p.publish({ topic, payload: 'x', retain }))
      await client.receivesPublish({ topic, payload: 'x', retain })
    })
    it(`[MQTT-3.3.1-12] Retain As Published 0 sets it to 0: ${retain}`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer()
      await client.subscribe([[topic, 0]])
      client.send(p.publish({ topic, payload: 'x', retain }))
      await client.receivesPublish({ topic, payload: 'x', retain: false })
    })
  }
})
