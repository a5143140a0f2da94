'use strict'
// MQTT 5 §4.9 and the limits that each side announces: Receive Maximum, Maximum
// Packet Size, Topic Alias Maximum. And §4.2, the bytes themselves.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { chapter } = require('./harness/chapter')
const { unique } = require('./harness/peer')
const p = require('./harness/packets')

chapter('Receive Maximum of a client', (world) => {
  // A subscriber with this limit and `count` messages for it, all of which a
  // witness has got.
  const scene = async ({ receiveMaximum, qos, count }) => {
    const space = world.space()
    const topic = `${space}/x`
    const client = await world.peer({ properties: { receiveMaximum } })
    await client.subscribe([[topic, qos]])
    const witness = await world.peer()
    await witness.subscribe([[topic, 0]])
    const publisher = await world.peer()
    for (let n = 0; n < count; n++) await publisher.publish(topic, `${n}`, { qos })
    for (let n = 0; n < count; n++) await witness.receivesPublish({ topic, payload: `${n}` })
    return { space, topic, client, publisher }
  }

  for (const receiveMaximum of [1, 2, 5]) {
    for (const qos of [1, 2]) {
      it(`[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] no more than ${receiveMaximum} of QoS ${qos} are unacknowledged, and each acknowledgement lets one more go`, async () => {
        const { topic, client } = await scene({ receiveMaximum, qos, count: 8 })
        const open = []
        for (let n = 0; n < receiveMaximum; n++) open.push(await client.receivesPublish({ topic, payload: `${n}`, qos }))
        await client.ping() // nothing but PINGRESP comes
        for (let n = receiveMaximum; n < 8; n++) {
          const first = open.shift()
          if (qos === 1) client.acknowledge(first)
          else await client.complete(first)
          open.push(await client.receivesPublish({ topic, payload: `${n}`, qos }))
          await client.ping()
        }
      })
    }
  }

  it('[MQTT-3.3.4-9] [MQTT-4.9.0-2] PUBREC alone frees nothing, PUBREC of 0x80 or more does', async () => {
    const { topic, client } = await scene({ receiveMaximum: 1, qos: 2, count: 3 })
    const first = await client.receivesPublish({ topic, payload: '0', qos: 2 })
    client.send(p.pubrec({ id: first.id }))
    await client.receives(p.pubrel({ id: first.id }))
    await client.ping()
    client.send(p.pubcomp({ id: first.id }))
    const second = await client.receivesPublish({ topic, payload: '1', qos: 2 })
    client.send(p.pubrec({ id: second.id, code: 0x80 }))
    await client.receivesPublish({ topic, payload: '2', qos: 2 })
  })

  it('[MQTT-3.3.4-9] a new connection to the session has a limit of its own', async () => {
    const topic = `${world.space()}/x`
    const fields = (receiveMaximum) => ({ clientId: 'own-limit', cleanStart: false, properties: { sessionExpiry: 100, receiveMaximum } })
    const first = await world.peer(fields(10))
    await first.subscribe([[topic, 1]])
    const publisher = await world.peer()
    for (let n = 0; n < 5; n++) await publisher.publish(topic, `${n}`)
    const ids = []
    for (let n = 0; n < 5; n++) ids.push((await first.receivesPublish({ topic, payload: `${n}`, qos: 1 })).id)
    first.cut()
    const again = await world.peer(fields(2))
    for (let n = 0; n < 2; n++) await again.receives(p.publish({ topic, payload: `${n}`, qos: 1, dup: true, id: ids[n] }))
    await again.ping()
    again.acknowledge({ id: ids[0] })
    await again.receives(p.publish({ topic, payload: '2', qos: 1, dup: true, id: ids[2] }))
    await again.ping()
  })

  it('[MQTT-3.3.4-10] [MQTT-4.9.0-3] with the limit reached all other packets are still answered', async () => {
    const { space, topic, client } = await scene({ receiveMaximum: 1, qos: 1, count: 3 })
    await client.receivesPublish({ topic, payload: '0', qos: 1 })
    await client.ping()
    client.send(p.subscribe({ id: 20, filters: [[`${space}/y`, 0]] }))
    await client.receives(p.suback({ id: 20, codes: [0] }))
    client.send(p.unsubscribe({ id: 21, filters: [`${space}/y`] }))
    await client.receives(p.unsuback({ id: 21, codes: [0] }))
    client.send(p.publish({ topic: `${space}/z`, qos: 1, id: 22 }))
    await client.receives(p.puback({ id: 22 }))
    client.send(p.publish({ topic: `${space}/z`, qos: 2, id: 23 }))
    await client.receives(p.pubrec({ id: 23 }))
    client.send(p.pubrel({ id: 23 }))
    await client.receives(p.pubcomp({ id: 23 }))
  })
})

chapter('Receive Maximum of the server', (world) => {
  it('[MQTT-3.3.4-7] [MQTT-4.9.0-1] what the server announces may be used up', async () => {
    const client = await world.peer()
    assert.equal(client.connack.properties.receiveMaximum, 3)
    const topic = `${world.space()}/x`
    for (const id of [1, 2, 3]) {
      client.send(p.publish({ topic, qos: 2, id }))
      await client.receives(p.pubrec({ id }))
    }
    client.send(p.pubrel({ id: 1 }))
    await client.receives(p.pubcomp({ id: 1 }))
    client.send(p.publish({ topic, qos: 2, id: 4 }))
    await client.receives(p.pubrec({ id: 4 }))
  })
  it('[MQTT-3.3.4-7] [MQTT-4.13.1-1] one more than it is a protocol error, 0x93', async () => {
    const client = await world.peer()
    const topic = `${world.space()}/x`
    for (const id of [1, 2, 3]) {
      client.send(p.publish({ topic, qos: 2, id }))
      await client.receives(p.pubrec({ id }))
    }
    client.send(p.publish({ topic, qos: 2, id: 4 }))
    await client.closes(0x93)
  })
  it('[MQTT-3.3.4-7] QoS 0 does not count', async () => {
    const space = world.space()
    const client = await world.peer()
    for (const id of [1, 2, 3]) {
      client.send(p.publish({ topic: `${space}/x`, qos: 2, id }))
      await client.receives(p.pubrec({ id }))
    }
    client.send(p.publish({ topic: `${space}/x` }))
    await client.silence(space)
  })
}, { 'plan:local.inflight': 3 })

chapter('Maximum Packet Size', (world) => {
  // A PUBLISH of exactly `size` bytes without properties.
  const ofSize = (topic, size) => {
    const empty = p.publish({ topic, qos: 1, id: 1 }).length
    const payload = Buffer.alloc(size - empty - (size >= 130 ? 1 : 0), 'x')
    assert.equal(p.publish({ topic, qos: 1, id: 1, payload }).length, size)
    return payload
  }

  for (const size of [80, 127, 200, 1000]) {
    it(`[MQTT-3.1.2-24] [MQTT-3.1.2-25] a packet of the client's Maximum Packet Size is sent, a longer one is not, and the next one is: ${size}`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer({ properties: { maximumPacketSize: size, receiveMaximum: 1 } })
      await client.subscribe([[topic, 1]])
      const publisher = await world.peer()
      for (const more of [0, 1, 2, 100, 10000]) {
        const payload = Buffer.concat([ofSize(topic, size), Buffer.alloc(more, 'y')])
        await publisher.publish(topic, payload)
        if (more === 0) client.acknowledge(await client.receivesPublish({ topic, payload, qos: 1 }))
      }
      // As if it had been sent: nothing is kept back for an acknowledgement.
      await publisher.publish(topic, 'next')
      client.acknowledge(await client.receivesPublish({ topic, payload: 'next', qos: 1 }))
    })
  }
  it('[MQTT-3.1.2-25] of QoS 2, of a shared subscription, and retained, the same', async () => {
    const space = world.space()
    const client = await world.peer({ properties: { maximumPacketSize: 200, receiveMaximum: 1 } })
    const publisher = await world.peer()
    await publisher.publish(`${space}/kept`, Buffer.alloc(1000), { retain: true })
    await client.subscribe([[`${space}/#`, 2]])
    await publisher.publish(`${space}/x`, Buffer.alloc(1000), { qos: 2 })
    await publisher.publish(`${space}/x`, 'next', { qos: 2 })
    await client.complete(await client.receivesPublish({ topic: `${space}/x`, payload: 'next', qos: 2 }))
  })
  it('[MQTT-3.1.2-25] in a resumed session whose client takes less than before, the same', async () => {
    const topic = `${world.space()}/x`
    const fields = (maximumPacketSize) => ({ clientId: unique(), cleanStart: false, properties: { sessionExpiry: 100, maximumPacketSize } })
    const wide = fields(undefined)
    const first = await world.peer(wide)
    await first.subscribe([[topic, 1]])
    const publisher = await world.peer()
    await publisher.publish(topic, Buffer.alloc(1000))
    await first.expect('PUBLISH', { topic })
    first.cut()
    await publisher.publish(topic, 'next')
    const again = await world.peer({ ...wide, properties: { ...wide.properties, maximumPacketSize: 200 } })
    await again.receivesPublish({ topic, payload: 'next', qos: 1 })
  })
  for (const size of [1, 5, 12, 13, 20]) {
    for (const clientId of ['given', '']) {
      it(`[MQTT-3.1.2-24] a CONNACK that would be too long is not sent either: ${size}, client id ${JSON.stringify(clientId)}`, async () => {
        const client = await world.open()
        client.send(p.connect({ ...world.identity(), clientId: clientId && unique(), properties: { maximumPacketSize: size } }))
        const data = await client.arrivals.next().catch((error) => {
          if (!/was closed/.test(error.message)) throw error
        })
        assert.ok(!data || data.length <= size, `${data?.length}`)
      })
    }
  }
  it('[MQTT-3.2.2-15] [MQTT-4.13.1-1] a packet longer than the server announced closes, 0x95', async () => {
    const client = await world.peer()
    const { maximumPacketSize } = client.connack.properties
    assert.ok(maximumPacketSize > 0)
    client.send(p.bytes(0x30, p.varint(maximumPacketSize))) // two bytes too many with its header
    await client.closes(0x95)
  })
  it('[MQTT-3.2.2-15] a payload of what the plan allows comes through, and back', async () => {
    const topic = `${world.space()}/x`
    const payload = Buffer.alloc(1024 * 1024, 'm')
    const client = await world.peer()
    await client.subscribe([[topic, 0]])
    client.send(p.publish({ topic, payload }))
    await client.receivesPublish({ topic, payload })
  })
  it('[MQTT311-4.8.0-2] [MQTT-3.4.2-1] what cannot be processed for now, or ever: 5.0 is told so, 3.1.1 closed', async () => {
    const payload = Buffer.alloc(1024 * 1024 + 1, 'm')
    const topic = `${world.space()}/x`
    const five = await world.peer()
    five.send(p.publish({ topic, payload, qos: 1, id: 1 }))
    await five.expect('PUBACK', { id: 1, code: 0x97 })
    await five.ping()
    const four = await world.peer({ v: 4 })
    four.send(p.publish({ v: 4, topic, payload, qos: 1, id: 1 }))
    await four.closes()
  })
})

chapter('Topic aliases', (world) => {
  it('[MQTT-3.3.2-12] [MQTT-3.2.2-17] every alias up to the Topic Alias Maximum of the server is accepted', async () => {
    const space = world.space()
    const watcher = await world.peer()
    await watcher.subscribe([[`${space}/#`, 0]])
    const client = await world.peer()
    const { topicAliasMaximum } = client.connack.properties
    assert.equal(topicAliasMaximum, 16)
    for (let alias = 1; alias <= topicAliasMaximum; alias++) {
      await client.publish(`${space}/t${alias}`, 'first', { properties: { topicAlias: alias } })
      await watcher.receivesPublish({ topic: `${space}/t${alias}`, payload: 'first' })
    }
    for (let alias = topicAliasMaximum; alias >= 1; alias--) {
      await client.publish('', 'second', { qos: alias % 3, properties: { topicAlias: alias } })
      await watcher.receivesPublish({ topic: `${space}/t${alias}`, payload: 'second' })
    }
  })
  it('[MQTT-3.3.2-12] an alias may be given another topic', async () => {
    const space = world.space()
    const watcher = await world.peer()
    await watcher.subscribe([[`${space}/#`, 0]])
    const client = await world.peer()
    for (const thing of ['a', 'b', 'a']) {
      await client.publish(`${space}/${thing}`, '1', { properties: { topicAlias: 1 } })
      await client.publish('', '2', { properties: { topicAlias: 1 } })
      for (const payload of ['1', '2']) await watcher.receivesPublish({ topic: `${space}/${thing}`, payload })
    }
  })
  for (const topicAlias of [0, 17, 65535]) {
    it(`[MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.2.2-18] an alias of 0, or above the maximum, closes: ${topicAlias}`, async () => {
      const client = await world.peer()
      client.send(p.publish({ topic: `${world.space()}/x`, properties: { topicAlias } }))
      await client.closes(0x94)
    })
  }
  it('[MQTT-3.3.2-8] an alias that was never given, and neither topic nor alias, close', async () => {
    const unknown = await world.peer()
    unknown.send(p.publish({ topic: '', properties: { topicAlias: 3 } }))
    await unknown.closes(0x82, 0x94)
    const neither = await world.peer()
    neither.send(p.publish({ topic: '' }))
    await neither.closes(0x81, 0x82, 0x90)
  })
  it('[MQTT-3.3.2-7] aliases are of a connection, not of a session', async () => {
    const fields = { clientId: unique(), cleanStart: false, properties: { sessionExpiry: 100 } }
    const first = await world.peer(fields)
    await first.publish(`${world.space()}/x`, 'x', { properties: { topicAlias: 1 } })
    await first.disconnect()
    const again = await world.peer(fields)
    assert.equal(again.connack.sessionPresent, true)
    again.send(p.publish({ topic: '', properties: { topicAlias: 1 } }))
    await again.closes(0x82, 0x94)
  })
  it('[MQTT-3.3.2-7] aliases are of one connection, not of another', async () => {
    const first = await world.peer()
    await first.publish(`${world.space()}/x`, 'x', { properties: { topicAlias: 1 } })
    const other = await world.peer()
    other.send(p.publish({ topic: '', properties: { topicAlias: 1 } }))
    await other.closes(0x82, 0x94)
  })
  it('[MQTT-3.3.2-7] a publisher\'s alias is not forwarded', async () => {
    const topic = `${world.space()}/x`
    const client = await world.peer()
    await client.subscribe([[topic, 0]])
    const publisher = await world.peer()
    await publisher.publish(topic, 'x', { properties: { topicAlias: 7 } })
    await publisher.publish('', 'y', { properties: { topicAlias: 7 } })
    for (const payload of ['x', 'y']) await client.receivesPublish({ topic, payload })
  })

  // What a client with this Topic Alias Maximum gets; → its topics, resolved.
  const listens = async (properties, things) => {
    const space = world.space()
    const client = await world.peer({ properties })
    await client.subscribe([[`${space}/#`, 1]])
    const publisher = await world.peer()
    const known = new Map()
    const used = []
    for (const thing of things) {
      await publisher.publish(`${space}/${thing}`, thing, { qos: 1 })
      const got = await client.expect('PUBLISH')
      client.acknowledge(got)
      const alias = got.properties.topicAlias
      if (alias !== undefined) {
        used.push(alias)
        if (got.topic !== '') known.set(alias, got.topic)
      }
      assert.equal(got.topic || known.get(alias), `${space}/${thing}`)
    }
    return used
  }
  const THINGS = Array.from({ length: 60 }, (_, n) => `t${n % 5}`)

  for (const properties of [{}, { topicAliasMaximum: 0 }]) {
    it(`[MQTT-3.1.2-27] no aliases for a client whose Topic Alias Maximum is ${properties.topicAliasMaximum ?? 'absent'}`, async () => {
      assert.deepEqual(await listens(properties, THINGS), [])
    })
  }
  for (const topicAliasMaximum of [1, 2, 5, 65535]) {
    it(`[MQTT-3.1.2-26] [MQTT-3.3.2-11] aliases are above 0 and not above the client's Topic Alias Maximum: ${topicAliasMaximum}`, async () => {
      for (const alias of await listens({ topicAliasMaximum }, THINGS)) assert.ok(alias > 0 && alias <= topicAliasMaximum, `${alias}`)
    })
  }
  it('[MQTT-3.3.2-7] [MQTT-3.1.2-26] the server carries none of its aliases over to the next connection', async () => {
    const topic = `${world.space()}/x`
    const fields = { clientId: unique(), cleanStart: false, properties: { sessionExpiry: 100, topicAliasMaximum: 5 } }
    const publisher = await world.peer()
    for (let n = 0; n < 2; n++) {
      const client = await world.peer(fields)
      if (n === 0) await client.subscribe([[topic, 1]])
      await publisher.publish(topic, 'x')
      const got = await client.expect('PUBLISH')
      assert.equal(got.topic, topic, 'the first of a connection has its topic')
      client.acknowledge(got)
      await client.disconnect()
    }
  })
})

chapter('Bytes on the wire', (world) => {
  for (const v of [5, 4]) {
    it(`[MQTT-4.2-1] [MQTT311-7.1.1-1] [MQTT311-7.0.0-2] TCP is a stream of bytes: packets may come in pieces, and many at once; no extension is needed (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.open(v)
      const data = p.bytes(
        p.connect({ v, ...world.identity() }),
        p.subscribe({ v, id: 1, filters: [[topic, 1]] }),
        p.publish({ v, topic, payload: 'x', qos: 1, id: 2 }))
      for (const byte of data) {
        client.send(byte)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await client.expect('CONNACK', { code: 0 })
      await client.receives(p.suback({ v, id: 1, codes: [1] }))
      const types = [(await client.next()).type, (await client.next()).type].sort()
      assert.deepEqual(types, ['PUBACK', 'PUBLISH'])
      client.send(...Array.from({ length: 500 }, () => p.PINGREQ))
      for (let n = 0; n < 500; n++) await client.receives(p.PINGRESP)
    })
  }
})
