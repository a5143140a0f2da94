'use strict'
// MQTT 5 §3.8 to §3.11, 3.1.1 §3.8 to §3.11: SUBSCRIBE, UNSUBSCRIBE and their
// answers. And §3.3.4: overlapping subscriptions and their identifiers.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { newToken } = require('../e2e/harness/server')
const { chapter } = require('./harness/chapter')
const { unique } = require('./harness/peer')
const p = require('./harness/packets')

const MALFORMED = 0x81
const PROTOCOL = 0x82
const NO_LOCAL = 0x04

chapter('SUBSCRIBE and SUBACK', (world) => {
  const refused = (v) => v === 5 ? 0x87 : 0x80

  for (const v of [5, 4]) {
    const none = v === 5 ? [0] : []

    it(`[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT311-3.8.4-1] [MQTT311-3.8.4-2] SUBSCRIBE is answered by SUBACK of the same identifier (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      for (const id of [1, 300, 65535]) {
        client.send(p.subscribe({ v, id, filters: [[`${world.space()}/x`, 1]] }))
        await client.receives(p.packet(0x90, p.int16(id), none, 1))
      }
    })

    it(`[MQTT-3.8.3-2] [MQTT311-3.8.3-3] a SUBSCRIBE without a filter closes (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.packet(0x82, 0, 1, none))
      await client.closes(MALFORMED, PROTOCOL)
    })

    for (const options of v === 5 ? [0x40, 0x80, 0xc0, 0xff] : [0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xfc, 0xff]) {
      it(`[MQTT-3.8.3-5] [MQTT311-3.8.3-4] reserved bits of the options are 0: 0x${options.toString(16)} closes (MQTT ${v})`, async () => {
        const client = await world.peer({ v })
        client.send(p.subscribe({ v, filters: [[`${world.token}/x`, options]] }))
        await client.closes(MALFORMED, PROTOCOL)
      })
    }

    it(`[MQTT311-3.8.3-4] [MQTT-4.13.1-1] a requested QoS of 3 closes (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.subscribe({ v, filters: [[`${world.token}/x`, 0], [`${world.token}/y`, 3]] }))
      await client.closes(MALFORMED, PROTOCOL)
    })

    it(`[MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2] [MQTT311-3.8.4-4] [MQTT311-3.8.4-5] [MQTT311-3.9.3-1] [MQTT311-3.9.3-2] several filters: one SUBACK with a code for each, in order, the granted QoS or a refusal (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      const filters = [[`${space}/a`, 2], [`${newToken()}/x`, 0], [`${space}/b`, 0], [`${space}/a#`, 1], [`${space}/c/#`, 1]]
      client.send(p.subscribe({ v, id: 9, filters }))
      await client.expect('SUBACK', { id: 9, codes: [2, refused(v), 0, v === 5 ? 0x8f : 0x80, 1] })
      await client.publish(`${space}/b`, 'b')
      await client.receivesPublish({ topic: `${space}/b`, payload: 'b' })
      await client.publish(`${space}/c/d`, 'd')
      await client.receivesPublish({ topic: `${space}/c/d`, payload: 'd', qos: 1 })
    })

    it(`[MQTT-3.8.4-5] [MQTT311-3.8.4-4] the same filter twice in a packet is as in two packets: the last counts (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      client.send(p.subscribe({ v, id: 9, filters: [[`${space}/x`, 1], [`${space}/x`, 0]] }))
      await client.receives(p.suback({ v, id: 9, codes: [1, 0] }))
      await client.publish(`${space}/x`, 'x')
      await client.receivesPublish({ topic: `${space}/x`, payload: 'x', qos: 0 })
      await client.silence(space)
    })

    it(`[MQTT-3.8.4-3] [MQTT311-3.8.4-3] a second SUBSCRIBE of a filter replaces the first: one copy, the new QoS (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      for (const qos of [0, 1, 0]) {
        await client.subscribe([[`${space}/+`, qos]])
        await client.publish(`${space}/x`, `${qos}`)
        await client.receivesPublish({ topic: `${space}/x`, payload: `${qos}`, qos })
      }
      await client.silence(space)
    })

    it(`[MQTT-3.8.4-4] [MQTT311-3.8.4-3] a second SUBSCRIBE sends retained messages again and loses nothing (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      await client.publish(`${space}/kept`, 'kept', { retain: true })
      await client.subscribe([[`${space}/#`, 1]])
      await client.receivesPublish({ topic: `${space}/kept`, payload: 'kept', qos: 1, retain: true })
      const publisher = await world.peer({ v })
      const total = 100
      publisher.send(...Array.from({ length: total }, (_, n) => p.publish({ v, topic: `${space}/live`, payload: `${n}`, qos: 1, id: n + 1 })))
      const again = () => client.send(p.subscribe({ v, id: 500, filters: [[`${space}/#`, 1]] }))
      const live = []
      let kept = 0
      again()
      while (live.length < total || kept < 5) {
        const packet = await client.next()
        if (packet.type !== 'PUBLISH') continue
        client.acknowledge(packet)
        if (!packet.topic.endsWith('/kept')) live.push(Number(packet.payload))
        else if (++kept < 5) again()
      }
      assert.deepEqual(live, Array.from({ length: total }, (_, n) => n))
      await client.silence(space)
    })

    it(`[MQTT-3.8.4-4] [MQTT311-3.8.4-3] behind the last SUBACK of many the retained message comes (MQTT ${v})`, async () => {
      const topic = `${world.space()}/kept`
      const client = await world.peer({ v })
      await client.publish(topic, 'kept', { retain: true })
      client.send(...[1, 2, 3, 4, 5].map((id) => p.subscribe({ v, id, filters: [[topic, 0]] })))
      let behind = 0
      let last = 0
      while (last < 5 || behind === 0) {
        const packet = await client.next()
        if (packet.type === 'SUBACK') {
          last = packet.id
          behind = 0
        } else behind++
      }
    })

    for (let granted = 0; granted <= 2; granted++) {
      for (let published = 0; published <= 2; published++) {
        it(`[MQTT-3.8.4-8] [MQTT-3.8.4-7] [MQTT311-3.8.4-6] [MQTT311-3.8.4-5] the lower of both QoS: published ${published}, granted ${granted} (MQTT ${v})`, async () => {
          const topic = `${world.space()}/x`
          const client = await world.peer({ v })
          await client.subscribe([[topic, granted]])
          const publisher = await world.peer({ v })
          await publisher.publish(topic, 'x', { qos: published })
          const qos = Math.min(granted, published)
          const got = await client.receivesPublish({ topic, payload: 'x', qos })
          if (qos === 1) client.acknowledge(got)
          if (qos === 2) await client.complete(got)
        })
      }
    }

    for (let one = 0; one <= 2; one++) {
      for (let two = 0; two <= 2; two++) {
        it(`[MQTT-3.3.4-2] [MQTT311-3.3.5-1] overlapping subscriptions: the highest of their QoS, ${one} and ${two} (MQTT ${v})`, async () => {
          const space = world.space()
          const client = await world.peer({ v })
          await client.subscribe([[`${space}/x`, one], [`${space}/#`, two]])
          const publisher = await world.peer({ v })
          await publisher.publish(`${space}/x`, 'x', { qos: 2 })
          await client.receivesPublish({ topic: `${space}/x`, payload: 'x', qos: Math.max(one, two) })
          await client.silence(space)
        })
      }
    }

    it(`[MQTT311-3.8.3-2] wildcards are served (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      await client.subscribe([[`${space}/+/c`, 0], [`${space}/d/#`, 0]])
      await client.publish(`${space}/b/c`, 'x')
      await client.receivesPublish({ topic: `${space}/b/c`, payload: 'x' })
      await client.publish(`${space}/d/e/f`, 'y')
      await client.receivesPublish({ topic: `${space}/d/e/f`, payload: 'y' })
    })
  }

  it('[MQTT311-3.9.3-2] 3.1.1 knows 0, 1, 2 and 0x80', async () => {
    const client = await world.peer({ v: 4 })
    const filters = [[`${world.token}/x`, 0], [`${world.token}/x`, 1], [`${world.token}/x`, 2], ['#', 0], ['+/x', 0], [`${world.token}/x#`, 0], [`${newToken()}/x`, 0]]
    client.send(p.subscribe({ v: 4, id: 3, filters }))
    await client.receives(p.packet(0x90, 0, 3, [0, 1, 2, 0x80, 0x80, 0x80, 0x80]))
  })

  it('[MQTT-3.8.3-3] No Local 1: not to the connection of the same client id', async () => {
    const space = world.space()
    const client = await world.peer()
    const other = await world.peer()
    for (const peer of [client, other]) await peer.subscribe([[`${space}/x`, NO_LOCAL]])
    for (const peer of [client, other]) peer.send(p.publish({ topic: `${space}/x`, payload: peer === client ? 'mine' : 'other' }))
    await client.receivesPublish({ topic: `${space}/x`, payload: 'other' })
    await other.receivesPublish({ topic: `${space}/x`, payload: 'mine' })
    for (const peer of [client, other]) await peer.silence(space)
  })
  it('[MQTT-3.8.3-3] No Local 0: to the publisher, too', async () => {
    const topic = `${world.space()}/x`
    const client = await world.peer()
    await client.subscribe([[topic, 0]])
    client.send(p.publish({ topic, payload: 'mine' }))
    await client.receivesPublish({ topic, payload: 'mine' })
  })

  it('[MQTT-4.13.1-1] Retain Handling 3 closes', async () => {
    const client = await world.peer()
    client.send(p.subscribe({ filters: [[`${world.token}/x`, 0x30]] }))
    await client.closes(MALFORMED, PROTOCOL)
  })

  for (const size of [20, 40, 60]) {
    it(`[MQTT-3.9.2-1] [MQTT-3.9.2-2] SUBACK leaves out words where they would exceed the Maximum Packet Size: ${size}`, async () => {
      const client = await world.peer({ properties: { maximumPacketSize: size } })
      const foreign = `${newToken()}/x`
      client.send(p.subscribe({ id: 3, filters: Array.from({ length: 10 }, () => [foreign, 0]) }))
      await client.expect('SUBACK', { id: 3, codes: Array(10).fill(0x87) })
    })
    it(`[MQTT-3.11.2-1] [MQTT-3.11.2-2] UNSUBACK leaves out words where they would exceed the Maximum Packet Size: ${size}`, async () => {
      const client = await world.peer({ properties: { maximumPacketSize: size } })
      client.send(p.unsubscribe({ id: 3, filters: Array.from({ length: 10 }, (_, n) => `${world.token}/${n}`) }))
      await client.expect('UNSUBACK', { id: 3, codes: Array(10).fill(0x11) })
    })
  }
})

chapter('UNSUBSCRIBE and UNSUBACK', (world) => {
  for (const v of [5, 4]) {
    const none = v === 5 ? [0] : []

    it(`[MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT311-3.10.4-4] [MQTT311-3.10.4-5] UNSUBSCRIBE is answered by UNSUBACK of the same identifier, also where nothing was subscribed (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      await client.subscribe(`${space}/x`)
      client.send(p.unsubscribe({ v, id: 300, filters: [`${space}/x`] }))
      await client.receives(p.packet(0xb0, 1, 44, none, v === 5 ? [0] : []))
      client.send(p.unsubscribe({ v, id: 301, filters: [`${space}/x`] }))
      await client.receives(p.unsuback({ v, id: 301, codes: [0x11] }))
    })

    it(`[MQTT-3.10.3-2] [MQTT311-3.10.3-2] an UNSUBSCRIBE without a filter closes (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.packet(0xa2, 0, 1, none))
      await client.closes(MALFORMED, PROTOCOL)
    })

    it(`[MQTT-3.10.4-1] [MQTT311-3.10.4-1] filters are compared character by character, and a match ends the subscription (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      await client.subscribe([[`${space}/x`, 0], [`${space}/+/y`, 0], [`${space}/z/#`, 0]])
      const others = ['X', 'x/', '+', '#', '+/Y', '+/+', 'a/y', 'z', 'z/+', 'z/a', 'x\u0301']
      client.send(p.unsubscribe({ v, id: 20, filters: others.map((filter) => `${space}/${filter}`) }))
      await client.expect('UNSUBACK', { id: 20, ...(v === 5 ? { codes: others.map(() => 0x11) } : {}) })
      for (const thing of ['x', 'a/y', 'z/a']) {
        await client.publish(`${space}/${thing}`, thing)
        await client.receivesPublish({ topic: `${space}/${thing}`, payload: thing })
      }
      await client.unsubscribe(`${space}/+/y`, `${space}/z/#`)
      for (const thing of ['a/y', 'z/a', 'x']) await client.publish(`${space}/${thing}`, thing)
      await client.receivesPublish({ topic: `${space}/x`, payload: 'x' })
      await client.silence(space)
    })

    it(`[MQTT-3.10.4-2] [MQTT311-3.10.4-2] after UNSUBACK nothing new is added (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      await client.subscribe([[`${space}/x`, 1], [`${space}/y`, 1]])
      await client.unsubscribe(`${space}/x`)
      await client.publish(`${space}/x`, 'x')
      await client.silence(space)
    })

    for (const qos of [1, 2]) {
      it(`[MQTT-3.10.4-3] [MQTT311-3.10.4-3] what was sent is delivered to its end after UNSUBSCRIBE: QoS ${qos} (MQTT ${v})`, async () => {
        const topic = `${world.space()}/x`
        const fields = { v, clientId: unique(), cleanStart: false, ...(v === 5 ? { properties: { sessionExpiry: 100 } } : {}) }
        const client = await world.peer(fields)
        await client.subscribe([[topic, qos]])
        const publisher = await world.peer({ v })
        await publisher.publish(topic, 'x', { qos })
        const { id } = await client.receivesPublish({ topic, payload: 'x', qos })
        await client.unsubscribe(topic)
        client.cut()
        const again = await world.peer(fields)
        await again.receives(p.publish({ v, topic, payload: 'x', qos, id, dup: true }))
        if (qos === 1) again.acknowledge({ id })
        else await again.complete({ id })
        await again.ping()
      })
    }

    it(`[MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2] [MQTT311-3.10.4-6] several filters: one UNSUBACK, 5.0 with a code for each, in order (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      await client.subscribe([[`${space}/a`, 0], [`${space}/c`, 0]])
      client.send(p.unsubscribe({ v, id: 40, filters: ['a', 'b', 'c', 'a'].map((thing) => `${space}/${thing}`) }))
      await client.expect('UNSUBACK', { id: 40, ...(v === 5 ? { codes: [0, 0x11, 0, 0x11] } : {}) })
      for (const thing of ['a', 'b', 'c']) await client.publish(`${space}/${thing}`, thing)
      await client.silence(space)
    })
  }
})

chapter('Subscription identifiers', (world) => {
  for (const n of [1, 127, 128, 16383, 16384, 2097151, 2097152, 268435455]) {
    it(`[MQTT-3.3.4-3] a message comes with the identifier of its subscription: ${n}`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer()
      await client.subscribe([[topic, 0]], { subscriptionId: n })
      await client.publish(topic, 'x')
      await client.receivesPublish({ topic, payload: 'x', properties: { subscriptionId: [n] } })
    })
  }

  it('[MQTT-3.3.4-4] [MQTT-3.3.4-5] [MQTT-3.3.4-3] overlapping subscriptions: the identifiers of all that match, and none of those without', async () => {
    const space = world.space()
    const client = await world.peer()
    await client.subscribe([[`${space}/x`, 0]], { subscriptionId: 11 })
    await client.subscribe([[`${space}/+`, 1]], { subscriptionId: 12 })
    await client.subscribe([[`${space}/#`, 0]])
    await client.subscribe([[`${space}/y`, 0]], { subscriptionId: 13 })
    const publisher = await world.peer()
    await publisher.publish(`${space}/x`, 'x')
    // one copy with both, or a copy for each subscription with its own
    const ids = []
    let copies = 0
    do {
      const { properties } = await client.expect('PUBLISH', { topic: `${space}/x` })
      ids.push(...properties.subscriptionId ?? [])
      copies++
    } while (ids.length < 2)
    assert.deepEqual(ids.sort(), [11, 12])
    if (copies === 1) await client.ping()
  })

  it('[MQTT-3.3.4-4] filters of one SUBSCRIBE share its identifier', async () => {
    const space = world.space()
    const client = await world.peer()
    await client.subscribe([[`${space}/x`, 0], [`${space}/y`, 0]], { subscriptionId: 5 })
    for (const thing of ['x', 'y']) {
      await client.publish(`${space}/${thing}`, thing)
      await client.receivesPublish({ topic: `${space}/${thing}`, payload: thing, properties: { subscriptionId: [5] } })
    }
  })

  it('[MQTT-3.8.4-3] [MQTT-3.3.4-3] a second SUBSCRIBE of a filter replaces its identifier, or takes it away', async () => {
    const topic = `${world.space()}/x`
    const client = await world.peer()
    for (const n of [1, 2, undefined, 3]) {
      await client.subscribe([[topic, 0]], { subscriptionId: n })
      await client.publish(topic, 'x')
      await client.receivesPublish({ topic, payload: 'x', properties: n ? { subscriptionId: [n] } : {} })
    }
  })

  it('[MQTT-3.3.4-3] retained messages come with it, too, and so do those of a resumed session', async () => {
    const topic = `${world.space()}/x`
    const fields = { clientId: unique(), cleanStart: false, properties: { sessionExpiry: 100 } }
    const client = await world.peer(fields)
    await client.publish(topic, 'kept', { retain: true })
    await client.subscribe([[topic, 0]], { subscriptionId: 8 })
    await client.receivesPublish({ topic, payload: 'kept', retain: true, properties: { subscriptionId: [8] } })
    await client.subscribe([[topic, 1 | 0x20]], { subscriptionId: 9 })
    await client.disconnect()
    const publisher = await world.peer()
    await publisher.publish(topic, 'queued')
    const again = await world.peer(fields)
    await again.receivesPublish({ topic, payload: 'queued', qos: 1, properties: { subscriptionId: [9] } })
  })

  it('[MQTT-3.3.4-3] [MQTT-3.3.2-17] another subscriber does not see it', async () => {
    const topic = `${world.space()}/x`
    const client = await world.peer()
    const other = await world.peer()
    await client.subscribe([[topic, 0]], { subscriptionId: 1 })
    await other.subscribe([[topic, 0]])
    await other.publish(topic, 'x')
    await client.receivesPublish({ topic, payload: 'x', properties: { subscriptionId: [1] } })
    await other.receivesPublish({ topic, payload: 'x' })
  })

  it('[MQTT-4.13.1-1] an identifier of 0, and one given twice, close', async () => {
    for (const subscriptionId of [0, [1, 1], [1, 2]]) {
      const client = await world.peer()
      client.send(p.subscribe({ filters: [[`${world.token}/x`, 0]], properties: { subscriptionId } }))
      await client.closes(PROTOCOL)
    }
  })
})
