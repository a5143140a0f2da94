'use strict'
// What was published before an UNSUBSCRIBE and has not been sent yet when it comes:
// MQTT 5 §3.10.4, §4.5.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { chapter } = require('./harness/chapter')
const p = require('./harness/packets')

// More than a client that acknowledges nothing is sent: 5.0 says how many that is,
// to 3.1.1 clients it is the server's window.
const MANY = { 4: 400, 5: 10 }
const ACKS = { 1: p.puback, 2: p.pubrec }

const numbers = (first, count) => Array.from({ length: count }, (_, n) => String(first + n))

// Published with QoS 2, all of them at once, and answered to the end.
async function fill (publisher, topic, payloads) {
  publisher.send(...payloads.map((payload, n) => p.publish({ v: publisher.v, topic, payload, qos: 2, id: n + 1 })))
  for (const n of payloads.keys()) await publisher.isAnswered(p.pubrec({ v: publisher.v, id: n + 1 }))
  publisher.send(...payloads.map((_, n) => p.pubrel({ v: publisher.v, id: n + 1 })))
  for (const n of payloads.keys()) await publisher.isAnswered(p.pubcomp({ v: publisher.v, id: n + 1 }))
}

// What comes until `marker` does; acknowledged.
async function taken (client, marker) {
  const got = []
  for (;;) {
    const { type, qos, id, payload } = await client.next()
    if (type === 'PUBREL') client.send(p.pubcomp({ v: client.v, id }))
    if (type !== 'PUBLISH') continue
    if (qos > 0) client.send(ACKS[qos]({ v: client.v, id }))
    if (String(payload) === marker) return got
    got.push(String(payload))
  }
}

// Sends a packet; all that comes before its answer, which is only read.
async function before (client, packet, answer) {
  const got = []
  client.send(packet)
  for (;;) {
    const next = await client.next()
    if (next.bytes.equals(answer)) return got
    got.push(next)
  }
}

async function acknowledge (client, packets) {
  for (const { type, qos, id } of packets) {
    if (type === 'PUBLISH' && qos > 0) client.send(ACKS[qos]({ v: client.v, id }))
  }
  return packets.filter(({ type }) => type === 'PUBLISH').map(({ payload }) => String(payload))
}

chapter('A backlog and UNSUBSCRIBE', (world) => {
  for (const v of [5, 4]) {
    const kept = v === 5 ? { sessionExpiry: 60 } : {}
    const slow = v === 5 ? { receiveMaximum: 2 } : {}
    const fields = (properties) => world.identity({ v, ...(v === 5 && { properties }) })
    const unsubscribe = (client, topic) => before(client, p.unsubscribe({ v, id: 900, filters: [topic] }), p.unsuback({ v, id: 900, codes: [0] }))
    const subscribe = (client, topic, qos) => before(client, p.subscribe({ v, id: 901, filters: [[topic, qos]] }), p.suback({ v, id: 901, codes: [qos] }))

    for (const qos of [1, 2]) {
      for (const stored of [false, true]) {
        const who = stored ? 'a stored session' : 'a client'
        it(`[MQTT-3.10.4-2] [MQTT-4.5.0-1] [MQTT311-3.10.4-2] [MQTT311-4.5.0-1] what waits for ${who} when it unsubscribes still comes, and nothing published later: QoS ${qos} (MQTT ${v})`, async () => {
          const space = world.space()
          const client = await world.peer({ ...fields({ ...slow, ...(stored && kept) }), cleanStart: !stored })
          await client.subscribe([[`${space}/x`, qos], [`${space}/end`, 0]])
          const publisher = await world.peer({ v })
          await fill(publisher, `${space}/x`, numbers(0, MANY[v]))
          const got = await acknowledge(client, await unsubscribe(client, `${space}/x`))
          await fill(publisher, `${space}/x`, ['late'])
          await publisher.publish(`${space}/end`, 'end')
          got.push(...await taken(client, 'end'))
          assert.deepEqual(got, numbers(0, MANY[v]))
          client.send(p.disconnect({ v, ...(v === 5 && { properties: { sessionExpiry: 0 } }) }))
        })
      }

      it(`[MQTT-3.10.4-2] [MQTT-4.5.0-1] [MQTT311-4.5.0-1] what came while the client was away is delivered though it unsubscribes first: QoS ${qos} (MQTT ${v})`, async () => {
        const space = world.space()
        const connect = { ...fields({ ...slow, ...kept }), cleanStart: false }
        const away = await world.peer(connect)
        await away.subscribe([[`${space}/x`, qos], [`${space}/end`, 0]])
        await away.disconnect()
        const publisher = await world.peer({ v })
        await fill(publisher, `${space}/x`, numbers(0, MANY[v]))
        const back = await world.peer(connect)
        const got = await acknowledge(back, await unsubscribe(back, `${space}/x`))
        await fill(publisher, `${space}/x`, ['late'])
        await publisher.publish(`${space}/end`, 'end')
        got.push(...await taken(back, 'end'))
        assert.deepEqual(got, numbers(0, MANY[v]))
        back.send(p.disconnect({ v, ...(v === 5 && { properties: { sessionExpiry: 0 } }) }))
      })

      for (const stored of [false, true]) {
        it(`[MQTT-3.10.4-2] [MQTT311-3.10.4-2] who subscribes again behind an UNSUBSCRIBE gets what waited and what is new, not what came in between: QoS ${qos}, ${stored ? 'stored session' : 'session of its connection'} (MQTT ${v})`, async () => {
          const space = world.space()
          const client = await world.peer({ ...fields({ ...slow, ...(stored && kept) }), cleanStart: !stored })
          await client.subscribe([[`${space}/x`, qos], [`${space}/end`, 0]])
          const publisher = await world.peer({ v })
          await fill(publisher, `${space}/x`, numbers(0, MANY[v]))
          const came = await unsubscribe(client, `${space}/x`)
          await fill(publisher, `${space}/x`, ['between'])
          came.push(...await subscribe(client, `${space}/x`, qos))
          await fill(publisher, `${space}/x`, ['new'])
          await publisher.publish(`${space}/end`, 'end')
          const got = await acknowledge(client, came)
          got.push(...await taken(client, 'end'))
          assert.deepEqual(got, [...numbers(0, MANY[v]), 'new'])
          client.send(p.disconnect({ v, ...(v === 5 && { properties: { sessionExpiry: 0 } }) }))
        })
      }
    }

    it(`[MQTT-4.5.0-1] [MQTT311-4.5.0-1] what another client has a PUBACK for comes before the UNSUBACK of an UNSUBSCRIBE sent later (MQTT ${v})`, async () => {
      const space = world.space()
      const publisher = await world.peer({ v })
      const client = await world.peer({ v })
      for (const payload of numbers(0, 100)) {
        await subscribe(client, `${space}/x`, 0)
        await publisher.publish(`${space}/x`, payload)
        const got = await unsubscribe(client, `${space}/x`)
        assert.deepEqual(got.map((packet) => String(packet.payload)), [payload])
      }
    })
  }
})
