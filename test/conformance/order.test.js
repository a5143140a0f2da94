'use strict'
// What comes in one segment takes effect packet by packet: MQTT 5 §3.3.1.3,
// §3.8.4, §3.10.4, §4.5, §4.6; and the answers to what was sent before DISCONNECT.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { chapter } = require('./harness/chapter')
const { unique } = require('./harness/peer')
const p = require('./harness/packets')

const NO_LOCAL = 0x04
const NO_RETAINED = 0x20 // Retain Handling 2
const ACKS = { 1: p.puback, 2: p.pubrec }
const REPEATS = 10 // each on a topic of its own

chapter('Order within a connection', (world) => {
  for (const v of [5, 4]) {
    // With a session that ends with its connection, and with a stored one.
    const kept = v === 5 ? { cleanStart: false, properties: { sessionExpiry: 60 } } : { cleanStart: false }
    for (const [session, fields] of [['', {}], ['stored session, ', kept]]) {
      for (const qos of [0, 1, 2]) {
        const ack = (id) => qos > 0 ? [ACKS[qos]({ v, id })] : []

        it(`[MQTT-3.3.1-9] [MQTT-3.8.4-1] [MQTT311-3.3.1-6] [MQTT311-3.3.1-8] what was retained before a SUBSCRIBE in the same segment greets it, once, with RETAIN 1, after PUBACK and SUBACK: ${session}QoS ${qos} (MQTT ${v})`, async () => {
          const space = world.space()
          const client = await world.peer({ v, ...fields })
          for (let n = 1; n <= REPEATS; n++) {
            const topic = `${space}/${n}`
            client.send(p.publish({ v, topic, payload: 'x', qos, id: n, retain: true }), p.subscribe({ v, id: n, filters: [[topic, 0]] }))
            for (const packet of ack(n)) await client.receives(packet)
            await client.receives(p.suback({ v, id: n, codes: [0] }))
            await client.receivesPublish({ topic, payload: 'x', retain: true })
            if (qos === 2) {
              client.send(p.pubrel({ v, id: n }))
              await client.receives(p.pubcomp({ v, id: n }))
            }
          }
          client.send(p.disconnect({ v, ...(v === 5 && { properties: { sessionExpiry: 0 } }) }))
        })

        it(`[MQTT-4.5.0-1] [MQTT311-4.5.0-1] what was published before a SUBSCRIBE in the same segment is not for it, what was published behind it is: ${session}QoS ${qos} (MQTT ${v})`, async () => {
          const space = world.space()
          const client = await world.peer({ v, ...fields })
          for (let n = 1; n <= REPEATS; n++) {
            const topic = `${space}/${n}`
            client.send(p.publish({ v, topic, payload: 'before', qos, id: 2 * n }), p.subscribe({ v, id: n, filters: [[topic, 0]] }), p.publish({ v, topic, payload: 'behind' }))
            for (const packet of ack(2 * n)) await client.receives(packet)
            await client.receives(p.suback({ v, id: n, codes: [0] }))
            await client.receivesPublish({ topic, payload: 'behind' })
          }
        })

        it(`[MQTT-4.5.0-1] [MQTT311-4.5.0-1] [MQTT-3.10.4-4] [MQTT311-3.10.4-4] what was published before an UNSUBSCRIBE in the same segment is delivered, what was published behind it is not: ${session}QoS ${qos} (MQTT ${v})`, async () => {
          const space = world.space()
          const client = await world.peer({ v, ...fields })
          for (let n = 1; n <= REPEATS; n++) {
            const topic = `${space}/${n}`
            await client.subscribe(topic)
            client.send(p.publish({ v, topic, payload: 'before', qos, id: 2 * n }), p.unsubscribe({ v, id: 1000 + n, filters: [topic] }), p.publish({ v, topic, payload: 'behind' }))
            for (const packet of ack(2 * n)) await client.isAnswered(packet)
            await client.receivesPublish({ topic, payload: 'before' })
            await client.receives(p.unsuback({ v, id: 1000 + n, codes: [0] }))
          }
          await client.silence(space)
        })
      }

      it(`[MQTT-3.8.4-1] [MQTT-3.10.4-4] [MQTT311-3.8.4-1] SUBACK and UNSUBACK do not overtake PUBACK: ${session}one segment (MQTT ${v})`, async () => {
        const space = world.space()
        const client = await world.peer({ v, ...fields })
        const [sent, expected] = [[], []]
        for (let n = 1; n <= 20; n++) {
          sent.push(p.publish({ v, topic: `${space}/other`, payload: 'x', qos: 1, id: 3 * n }), p.subscribe({ v, id: 3 * n + 1, filters: [[`${space}/x`, 1]] }),
            p.publish({ v, topic: `${space}/other`, payload: 'x', qos: 1, id: 3 * n + 2 }), p.unsubscribe({ v, id: 3 * n + 3, filters: [`${space}/x`] }))
          expected.push(p.puback({ v, id: 3 * n }), p.suback({ v, id: 3 * n + 1, codes: [1] }), p.puback({ v, id: 3 * n + 2 }), p.unsuback({ v, id: 3 * n + 3, codes: [0] }))
        }
        client.send(...sent)
        for (const packet of expected) await client.receives(packet)
      })

      it(`[MQTT-3.2.0-1] [MQTT-3.8.4-1] [MQTT311-3.2.0-1] [MQTT311-3.8.4-1] what was sent before DISCONNECT in the same segment is answered, from CONNECT on: ${session}one segment (MQTT ${v})`, async () => {
        const topic = `${world.space()}/x`
        const client = await world.open(v)
        client.send(p.connect({ v, ...world.identity(fields) }), p.subscribe({ v, id: 1, filters: [[`${topic}/in`, 1]] }), p.PINGREQ,
          p.publish({ v, topic, payload: '1', qos: 1, id: 2 }), p.publish({ v, topic, payload: '2', qos: 2, id: 3 }), p.publish({ v, topic, payload: '3' }),
          p.unsubscribe({ v, id: 4, filters: [`${topic}/in`] }), p.disconnect({ v }))
        await client.expect('CONNACK', { code: 0 })
        const answers = []
        for (let n = 0; n < 5; n++) answers.push(p.hex((await client.next()).bytes))
        const wanted = [p.suback({ v, id: 1, codes: [1] }), p.PINGRESP, p.puback({ v, id: 2 }), p.pubrec({ v, id: 3 }), p.unsuback({ v, id: 4, codes: [0] })].map(p.hex)
        assert.deepEqual(answers.filter((answer) => answer !== p.hex(p.PINGRESP)), wanted.filter((answer) => answer !== p.hex(p.PINGRESP)))
        assert.deepEqual(answers.sort(), wanted.sort())
        await client.closes()
      })
    }

    for (const [was, will] of [[1, 0], [2, 0], [2, 1], [1, 2]]) {
      it(`[MQTT-3.8.4-4] [MQTT-4.5.0-1] [MQTT311-3.8.4-3] what waits for a session is not lost when its subscription is replaced right behind CONNECT: QoS ${was} by ${will} (MQTT ${v})`, async () => {
        const topic = `${world.space()}/x`
        const properties = v === 5 ? { sessionExpiry: 60, receiveMaximum: 1 } : undefined
        const connect = world.identity({ cleanStart: false, properties })
        const away = await world.peer({ v, ...connect })
        await away.subscribe([[topic, was]])
        await away.disconnect()
        const publisher = await world.peer({ v })
        for (const payload of ['1', '2', '3']) await publisher.publish(topic, payload, { qos: 2 })
        const back = await world.open(v)
        back.send(p.connect({ v, ...connect }), p.subscribe({ v, id: 9, filters: [[topic, will]] }))
        await back.expect('CONNACK', { code: 0, sessionPresent: true })
        const got = []
        const take = async (count) => {
          while (got.length < count) {
            const { type, qos, id, payload } = await back.next()
            if (type === 'PUBREL') back.send(p.pubcomp({ v, id }))
            if (type !== 'PUBLISH') continue
            got.push([String(payload), qos])
            if (qos > 0) back.send(ACKS[qos]({ v, id }))
          }
        }
        await take(3)
        await publisher.publish(topic, '4', { qos: 2 })
        await take(4)
        assert.deepEqual(got, [['1', was], ['2', was], ['3', was], ['4', will]])
        back.send(p.disconnect({ v }))
      })
    }

    it(`[MQTT-3.14.4-3] [MQTT311-3.14.4-3] DISCONNECT removes the will at once, also while an answer is owed and another connection takes over (MQTT ${v})`, async () => {
      const space = world.space()
      const watcher = await world.peer({ v })
      await watcher.subscribe(`${space}/will`)
      for (let n = 0; n < REPEATS; n++) {
        const fields = { v, clientId: unique(), will: { topic: `${space}/will`, payload: 'gone' } }
        const client = await world.peer(fields)
        client.send(p.publish({ v, topic: `${space}/x`, payload: 'x', qos: 1, id: 1 }), p.disconnect({ v }))
        const next = await world.peer({ ...fields, will: undefined })
        await next.disconnect()
      }
      await watcher.silence(space)
    })
  }

  it('[MQTT-3.3.1-11] Retain Handling 2 sends nothing of what was retained before it in the same segment', async () => {
    const space = world.space()
    const client = await world.peer()
    for (let n = 1; n <= REPEATS; n++) {
      const topic = `${space}/${n}`
      client.send(p.publish({ topic, payload: 'before', qos: 1, id: n, retain: true }), p.subscribe({ id: n, filters: [[topic, NO_RETAINED]] }), p.publish({ topic, payload: 'behind', retain: true }))
      await client.receives(p.puback({ id: n }))
      await client.receives(p.suback({ id: n, codes: [0] }))
      await client.receivesPublish({ topic, payload: 'behind' })
    }
  })

  it('[MQTT-3.8.4-4] what was published before a subscription is replaced in the same segment comes as the old one has it', async () => {
    const space = world.space()
    const client = await world.peer()
    for (let n = 1; n <= REPEATS; n++) {
      const topic = `${space}/${n}`
      await client.subscribe([[topic, 1]])
      client.send(p.publish({ topic, payload: 'before', qos: 1, id: n }), p.subscribe({ id: 1000 + n, filters: [[topic, NO_LOCAL | NO_RETAINED]] }), p.publish({ topic, payload: 'behind' }))
      await client.receives(p.puback({ id: n }))
      client.acknowledge(await client.receivesPublish({ topic, payload: 'before', qos: 1 }))
      await client.receives(p.suback({ id: 1000 + n, codes: [0] }))
    }
    await client.silence(space)
  })
})
