'use strict'
// MQTT 5 §3.5 to §3.7 and §4.3.3, 3.1.1 §3.6 and §4.3.3: QoS 2 both ways.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { newToken } = require('../e2e/harness/server')
const { chapter } = require('./harness/chapter')
const { unique } = require('./harness/peer')
const p = require('./harness/packets')

const NOT_AUTHORIZED = 0x87
const TOPIC_INVALID = 0x90
const NOT_FOUND = 0x92

// The fields of a CONNECT whose session stays.
const staying = (v) => ({ v, clientId: unique(), cleanStart: false, ...(v === 5 ? { properties: { sessionExpiry: 1000 } } : {}) })

chapter('QoS 2 to the server', (world) => {
  for (const v of [5, 4]) {
    it(`[MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT311-4.3.3-2] PUBLISH, PUBREC, PUBREL, PUBCOMP with one identifier (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const watcher = await world.peer({ v })
      await watcher.subscribe(topic)
      const client = await world.peer({ v })
      client.send(p.publish({ v, topic, payload: 'once', qos: 2, id: 258 }))
      await client.receives(p.packet(0x50, 1, 2))
      client.send(p.packet(0x62, 1, 2))
      await client.receives(p.packet(0x70, 1, 2))
      await watcher.receivesPublish({ topic, payload: 'once' })
      await watcher.publish(topic, 'marker')
      await watcher.receivesPublish({ topic, payload: 'marker' })
    })

    it(`[MQTT-4.3.3-10] [MQTT311-4.3.3-2] until PUBREL, the same identifier is the same message: PUBREC again, delivered once (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const watcher = await world.peer({ v })
      await watcher.subscribe([[topic, 2]])
      const client = await world.peer({ v })
      for (const dup of [false, true, true, false]) {
        client.send(p.publish({ v, topic, payload: 'once', qos: 2, id: 3, dup }))
        await client.receives(p.pubrec({ v, id: 3 }))
      }
      client.send(p.pubrel({ v, id: 3 }))
      await client.receives(p.pubcomp({ v, id: 3 }))
      await client.publish(topic, 'marker', { qos: 1 })
      await watcher.receivesPublish({ topic, payload: 'once', qos: 2 })
      await watcher.receivesPublish({ topic, payload: 'marker', qos: 1 })
    })

    it(`[MQTT-4.3.3-12] [MQTT311-4.3.3-2] after PUBCOMP, the same identifier is a new message, whatever its DUP (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const watcher = await world.peer({ v })
      await watcher.subscribe(topic)
      const client = await world.peer({ v })
      for (const dup of [false, true]) {
        client.send(p.publish({ v, topic, payload: 'same', qos: 2, id: 4, dup }))
        await client.receives(p.pubrec({ v, id: 4 }))
        client.send(p.pubrel({ v, id: 4 }))
        await client.receives(p.pubcomp({ v, id: 4 }))
      }
      for (let n = 0; n < 2; n++) await watcher.receivesPublish({ topic, payload: 'same' })
    })

    it(`[MQTT-4.3.3-11] [MQTT311-4.3.3-2] PUBREL is answered each time (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.publish({ v, topic: `${world.space()}/x`, qos: 2, id: 5 }))
      await client.receives(p.pubrec({ v, id: 5 }))
      client.send(p.pubrel({ v, id: 5 }))
      await client.receives(p.pubcomp({ v, id: 5 }))
      client.send(p.pubrel({ v, id: 5 }))
      await client.expect('PUBCOMP', { id: 5, code: v === 5 ? NOT_FOUND : 0 })
    })

    it(`[MQTT-4.3.3-10] [MQTT-4.4.0-1] [MQTT311-4.3.3-2] [MQTT311-4.4.0-1] a message whose sender reconnected before PUBREL is delivered once (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const watcher = await world.peer({ v })
      await watcher.subscribe(topic)
      const fields = staying(v)
      const first = await world.peer(fields)
      first.send(p.publish({ v, topic, payload: 'once', qos: 2, id: 6 }))
      await first.receives(p.pubrec({ v, id: 6 }))
      first.cut()
      const again = await world.peer(fields)
      assert.equal(again.connack.sessionPresent, true)
      again.send(p.publish({ v, topic, payload: 'once', qos: 2, id: 6, dup: true }))
      await again.receives(p.pubrec({ v, id: 6 }))
      again.send(p.pubrel({ v, id: 6 }))
      await again.receives(p.pubcomp({ v, id: 6 }))
      await watcher.receivesPublish({ topic, payload: 'once' })
      await watcher.publish(topic, 'marker')
      await watcher.receivesPublish({ topic, payload: 'marker' })
    })

    it(`[MQTT-3.3.4-1] [MQTT311-2.3.1-6] many at once, each with its own identifier, in order (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const watcher = await world.peer({ v })
      await watcher.subscribe(topic)
      const client = await world.peer({ v })
      const ids = Array.from({ length: 50 }, (_, n) => 1000 + n)
      client.send(...ids.map((id) => p.publish({ v, topic, payload: `${id}`, qos: 2, id })))
      for (const id of ids) await client.receives(p.pubrec({ v, id }))
      client.send(...ids.map((id) => p.pubrel({ v, id })))
      for (const id of ids) await client.receives(p.pubcomp({ v, id }))
      for (const id of ids) await watcher.receivesPublish({ topic, payload: `${id}` })
    })
  }

  it('[MQTT-3.5.2-1] [MQTT-4.3.3-9] a refused message: PUBREC of 0x80 or more, and the identifier is free again', async () => {
    const topic = `${world.space()}/x`
    const watcher = await world.peer()
    await watcher.subscribe(topic)
    const client = await world.peer()
    client.send(p.publish({ topic: `${newToken()}/x`, qos: 2, id: 7 }))
    await client.expect('PUBREC', { id: 7, code: NOT_AUTHORIZED })
    client.send(p.publish({ topic: `${world.token}//x`, qos: 2, id: 7 }))
    await client.expect('PUBREC', { id: 7, code: TOPIC_INVALID })
    client.send(p.publish({ topic, payload: 'new', qos: 2, id: 7 }))
    await client.receives(p.pubrec({ id: 7 }))
    client.send(p.pubrel({ id: 7 }))
    await client.receives(p.pubcomp({ id: 7 }))
    await watcher.receivesPublish({ topic, payload: 'new' })
  })

  it('[MQTT-4.3.3-13] PUBREL is answered although the message has expired', async () => {
    const client = await world.peer()
    client.send(p.publish({ topic: `${world.space()}/x`, qos: 2, id: 8, properties: { messageExpiry: 1 } }))
    await client.receives(p.pubrec({ id: 8 }))
    await world.hourglass()
    client.send(p.pubrel({ id: 8 }))
    await client.receives(p.pubcomp({ id: 8 }))
  })

  it('[MQTT-3.7.2-1] [MQTT-3.6.2-1] PUBCOMP and PUBREL for an identifier that is not known say 0x92', async () => {
    const client = await world.peer()
    client.send(p.pubrel({ id: 99 }))
    await client.expect('PUBCOMP', { id: 99, code: NOT_FOUND })
    client.send(p.pubrec({ id: 98 }))
    await client.expect('PUBREL', { id: 98, code: NOT_FOUND })
  })

  for (const size of [40, 60]) {
    it(`[MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] words are left out where they would exceed the Maximum Packet Size: ${size}`, async () => {
      const client = await world.peer({ properties: { maximumPacketSize: size } })
      client.send(p.publish({ topic: `${newToken()}/x`, qos: 2, id: 1 }))
      await client.expect('PUBREC', { id: 1, code: NOT_AUTHORIZED })
      client.send(p.pubrel({ id: 99 }))
      await client.expect('PUBCOMP', { id: 99, code: NOT_FOUND })
      client.send(p.pubrec({ id: 98 }))
      await client.expect('PUBREL', { id: 98, code: NOT_FOUND })
    })
  }

  for (const [name, make, codes] of [
    ['PUBREC', p.pubrec, [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]],
    ['PUBREL', p.pubrel, [0x00, 0x92]],
    ['PUBCOMP', p.pubcomp, [0x00, 0x92]],
    ['PUBACK', p.puback, [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]]
  ]) {
    it(`[MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] codes of their tables are taken, others close: ${name}`, async () => {
      for (const code of [0x00, 0x01, 0x04, 0x10, 0x7f, 0x80, 0x83, 0x87, 0x8e, 0x90, 0x91, 0x92, 0x97, 0x99, 0xa2, 0xff]) {
        const client = await world.peer()
        client.send(make({ id: 1000, code, properties: { reasonString: 'because' } }), p.PINGREQ)
        if (!codes.includes(code)) {
          await client.closes(0x81, 0x82)
          continue
        }
        let packet
        do packet = await client.next(); while (packet.type === 'PUBREL' || packet.type === 'PUBCOMP')
        assert.equal(packet.type, 'PINGRESP', `${name} ${code.toString(16)}`)
      }
    })
  }
})

chapter('QoS 2 to a subscriber', (world) => {
  for (const v of [5, 4]) {
    // A message of QoS 2 on its way to `client`.
    const delivery = async (fields = { v }) => {
      const topic = `${world.space()}/x`
      const client = await world.peer(fields)
      await client.subscribe([[topic, 2]])
      const publisher = await world.peer({ v })
      await publisher.publish(topic, 'once', { qos: 2 })
      const got = await client.receivesPublish({ topic, payload: 'once', qos: 2, dup: false })
      return { topic, client, publisher, id: got.id, got }
    }

    it(`[MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT311-4.3.3-1] PUBLISH with DUP 0, PUBREL for PUBREC, with one identifier (MQTT ${v})`, async () => {
      const { client, id, got } = await delivery()
      assert.equal(got.bytes[0], 0x34)
      client.send(p.pubrec({ v, id }))
      await client.receives(p.packet(0x62, p.int16(id)))
      client.send(p.pubcomp({ v, id }))
      await client.ping()
    })

    it(`[MQTT-4.3.3-3] [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT311-4.3.3-1] [MQTT311-4.4.0-1] [MQTT311-3.3.1-1] before PUBREC: the PUBLISH again after a reconnect, with DUP and its identifier (MQTT ${v})`, async () => {
      const fields = staying(v)
      const { client, id, topic } = await delivery(fields)
      client.cut()
      const again = await world.peer(fields)
      assert.equal(again.connack.sessionPresent, true)
      await again.receives(p.publish({ v, topic, payload: 'once', qos: 2, dup: true, id }))
      await again.complete({ id })
      await again.ping()
    })

    it(`[MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1] [MQTT311-4.3.3-1] [MQTT311-4.4.0-1] after PUBREC: the PUBREL again after a reconnect, and never the PUBLISH (MQTT ${v})`, async () => {
      const fields = staying(v)
      const { client, id, topic } = await delivery(fields)
      client.send(p.pubrec({ v, id }))
      await client.receives(p.pubrel({ v, id }))
      client.cut()
      const again = await world.peer(fields)
      await again.receives(p.pubrel({ v, id }))
      again.send(p.pubcomp({ v, id }))
      await again.publish(topic, 'marker')
      await again.receivesPublish({ topic, payload: 'marker', qos: 1 })
    })

    it(`[MQTT-4.4.0-1] [MQTT311-4.4.0-1] after PUBCOMP nothing is sent again (MQTT ${v})`, async () => {
      const fields = staying(v)
      const { client, got, topic } = await delivery(fields)
      await client.complete(got)
      await client.disconnect()
      const again = await world.peer(fields)
      await again.publish(topic, 'marker')
      await again.receivesPublish({ topic, payload: 'marker', qos: 1 })
    })

    it(`[MQTT-4.4.0-1] [MQTT-4.3.3-3] nothing is sent again while the connection lasts (MQTT ${v})`, async () => {
      const { client, id, topic, publisher } = await delivery()
      await world.hourglass()
      await publisher.publish(topic, 'marker', { qos: 0 })
      await client.receivesPublish({ topic, payload: 'marker' })
      await client.complete({ id })
    })

    it(`[MQTT-4.4.0-1] [MQTT311-4.6.0-1] [MQTT311-4.6.0-6] what is sent again is sent in its order, of both QoS (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const fields = staying(v)
      const client = await world.peer(fields)
      await client.subscribe([[topic, 2]])
      const publisher = await world.peer({ v })
      for (let n = 0; n < 10; n++) await publisher.publish(topic, `${n}`, { qos: 1 + n % 2 })
      const ids = []
      for (let n = 0; n < 10; n++) ids.push((await client.receivesPublish({ topic, payload: `${n}`, qos: 1 + n % 2 })).id)
      client.cut()
      const again = await world.peer(fields)
      for (let n = 0; n < 10; n++) {
        await again.receives(p.publish({ v, topic, payload: `${n}`, qos: 1 + n % 2, dup: true, id: ids[n] }))
      }
    })
  }

  it('[MQTT-4.4.0-2] [MQTT-4.3.3-4] a PUBREC of 0x80 or more ends it: no PUBREL, and nothing again', async () => {
    const topic = `${world.space()}/x`
    const fields = staying(5)
    const client = await world.peer(fields)
    await client.subscribe([[topic, 2]])
    const publisher = await world.peer()
    await publisher.publish(topic, 'unwanted', { qos: 2 })
    const { id } = await client.receivesPublish({ topic, payload: 'unwanted', qos: 2 })
    client.send(p.pubrec({ id, code: 0x80 }))
    await client.ping()
    client.cut()
    const again = await world.peer(fields)
    await again.publish(topic, 'marker')
    await again.receivesPublish({ topic, payload: 'marker', qos: 1 })
  })

  it('[MQTT-4.4.0-2] a PUBACK of 0x80 or more ends it, too', async () => {
    const topic = `${world.space()}/x`
    const fields = staying(5)
    const client = await world.peer(fields)
    await client.subscribe([[topic, 1]])
    const publisher = await world.peer()
    await publisher.publish(topic, 'unwanted')
    client.acknowledge(await client.receivesPublish({ topic, payload: 'unwanted', qos: 1 }), 0x97)
    await client.ping()
    client.cut()
    const again = await world.peer(fields)
    await again.publish(topic, 'marker')
    await again.receivesPublish({ topic, payload: 'marker', qos: 1 })
  })

  it('[MQTT-4.3.3-7] a message that was sent once does not expire any more', async () => {
    const topic = `${world.space()}/x`
    const fields = staying(5)
    const client = await world.peer(fields)
    await client.subscribe([[topic, 2]])
    const publisher = await world.peer()
    await publisher.publish(topic, 'once', { qos: 2, properties: { messageExpiry: 1 } })
    const { id } = await client.expect('PUBLISH', { topic, qos: 2 })
    client.cut()
    await world.hourglass()
    const again = await world.peer(fields)
    await again.expect('PUBLISH', { topic, id, qos: 2, dup: true })
    await again.complete({ id })
  })
})
