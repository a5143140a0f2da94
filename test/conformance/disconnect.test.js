'use strict'
// MQTT 5 §3.12 to §3.15, 3.1.1 §3.12 to §3.14: PINGREQ, DISCONNECT, AUTH.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { chapter } = require('./harness/chapter')
const { unique } = require('./harness/peer')
const p = require('./harness/packets')

chapter('PINGREQ, DISCONNECT', (world) => {
  for (const v of [5, 4]) {
    it(`[MQTT-3.12.4-1] [MQTT311-3.12.4-1] PINGREQ is answered by PINGRESP, each by one (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.packet(0xc0), p.packet(0xc0), p.packet(0xc0))
      for (let n = 0; n < 3; n++) await client.receives(p.packet(0xd0))
      await client.silence(world.space())
    })

    it(`[MQTT-3.14.4-3] [MQTT311-3.14.4-3] [MQTT311-3.14.4-1] [MQTT311-3.14.4-2] DISCONNECT is answered by nothing, and what comes behind it is not processed (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const watcher = await world.peer({ v })
      await watcher.subscribe([[topic, 0]])
      const client = await world.peer({ v })
      client.send(p.disconnect({ v }), p.publish({ v, topic, payload: 'too late' }), p.PINGREQ)
      await client.closes()
      await watcher.publish(topic, 'marker')
      await watcher.receivesPublish({ topic, payload: 'marker' })
    })
  }

  const FROM_CLIENTS = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]
  for (const code of FROM_CLIENTS) {
    it(`[MQTT-3.14.2-1] a DISCONNECT of each code of its table is taken: 0x${code.toString(16)}`, async () => {
      const client = await world.peer()
      client.send(p.packet(0xe0, code, 0))
      await client.closes()
    })
  }
  for (const code of [0x01, 0x02, 0x10, 0x7f, 0xff]) {
    it(`[MQTT-3.14.2-1] [MQTT-4.13.1-1] a DISCONNECT of no such code closes: 0x${code.toString(16)}`, async () => {
      const client = await world.peer()
      client.send(p.packet(0xe0, code, 0))
      await client.closes(null, 0x81, 0x82)
    })
  }

  // Every way to be sent away that can be had at once: name → what does it.
  const reasons = {
    'session taken over': [0x8e, async (client, fields) => { await world.peer({ clientId: fields.clientId }) }],
    'malformed packet': [0x81, async (client) => client.send(p.packet(0x30))],
    'protocol error': [0x82, async (client) => client.send(p.auth({ properties: { authMethod: 'x' } }))],
    'topic alias invalid': [0x94, async (client) => client.send(p.publish({ topic: 'x', properties: { topicAlias: 99 } }))],
    'packet too large': [0x95, async (client) => client.send(p.bytes(0x30, p.varint(100000000)))],
    'keep alive timeout': [0x8d, async () => {}]
  }
  for (const [what, [code, act]] of Object.entries(reasons)) {
    it(`[MQTT-3.14.2-1] [MQTT-3.14.2-2] [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-4.13.2-1] a DISCONNECT of the server has a code of its table and no Session Expiry Interval; nothing follows, and the connection is closed: ${what}`, async () => {
      const fields = { clientId: unique(), keepAlive: code === 0x8d ? 1 : 0, properties: { sessionExpiry: 100 } }
      const client = await world.peer(fields)
      await act(client, fields)
      const { properties } = await client.closes(code) // reads to the end, strictly
      assert.equal(properties.sessionExpiry, undefined)
    })
    for (const size of [30, 40]) {
      it(`[MQTT-3.14.2-3] [MQTT-3.14.2-4] a DISCONNECT leaves out words where they would exceed the Maximum Packet Size: ${what}, ${size}`, async () => {
        const fields = { clientId: unique(), keepAlive: code === 0x8d ? 1 : 0, properties: { maximumPacketSize: size } }
        const client = await world.peer(fields)
        await act(client, fields)
        await client.closes(code)
      })
    }
  }
})
