'use strict'
// MQTT 5 §6, 3.1.1 §6: MQTT over WebSocket, at /mqtt of the HTTP port.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { WebSocket } = require('ws')
const { within, Arrivals } = require('../e2e/harness/waits')
const { chapter } = require('./harness/chapter')
const p = require('./harness/packets')

chapter('MQTT over WebSocket', (world) => {
  // Frames in `arrivals`; the bytes of all of them are one stream.
  const open = async (protocols = ['mqtt']) => {
    const socket = new WebSocket(`ws://127.0.0.1:${world.server.httpPort}/mqtt`, protocols)
    world.server.clients.push(() => socket.terminate())
    const frames = new Arrivals('a frame')
    socket.on('message', (data, isBinary) => frames.push({ data, isBinary }))
    const closed = new Promise((resolve) => socket.on('close', resolve))
    await within(new Promise((resolve, reject) => {
      socket.on('open', resolve)
      socket.on('error', reject)
    }), 'WebSocket handshake')
    socket.on('error', () => {}) // told by 'close'
    let rest = Buffer.alloc(0)
    return {
      socket,
      closed,
      send: (...parts) => socket.send(p.bytes(...parts)),
      async next (v) {
        while (p.lengthOf(rest) === 0) {
          const { data, isBinary } = await frames.next()
          assert.ok(isBinary, 'the server sends binary frames')
          rest = Buffer.concat([rest, data])
        }
        const length = p.lengthOf(rest)
        const packet = p.read(rest.subarray(0, length), v)
        rest = rest.subarray(length)
        return packet
      }
    }
  }

  for (const v of [5, 4]) {
    const connected = async () => {
      const client = await open()
      client.send(p.connect({ v, ...world.identity() }))
      assert.equal((await client.next(v)).code, 0)
      return client
    }

    it(`[MQTT-6.0.0-1] [MQTT311-6.0.0-1] packets are in binary frames, both ways (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const client = await connected()
      client.send(p.subscribe({ v, id: 1, filters: [[topic, 0]] }))
      assert.ok((await client.next(v)).bytes.equals(p.suback({ v, id: 1, codes: [0] })))
      client.send(p.publish({ v, topic, payload: 'x' }))
      assert.ok((await client.next(v)).bytes.equals(p.publish({ v, topic, payload: 'x' })))
    })

    it(`[MQTT-6.0.0-1] [MQTT311-6.0.0-1] a text frame closes (MQTT ${v})`, async () => {
      const client = await connected()
      client.socket.send('text')
      await within(client.closed, 'closing')
    })

    it(`[MQTT-6.0.0-2] [MQTT311-6.0.0-2] frames and packets begin and end where they like (MQTT ${v})`, async () => {
      const client = await connected()
      client.send(p.PINGREQ, p.PINGREQ, p.PINGREQ)
      for (let n = 0; n < 3; n++) assert.equal((await client.next(v)).type, 'PINGRESP')
      for (const byte of p.subscribe({ v, id: 5, filters: [[`${world.token}/x`, 0]] })) client.send(byte)
      assert.ok((await client.next(v)).bytes.equals(p.suback({ v, id: 5, codes: [0] })))
      const data = p.bytes(p.PINGREQ, p.subscribe({ v, id: 6, filters: [[`${world.token}/y`, 0]] }), p.PINGREQ)
      client.send(data.subarray(0, 7))
      client.socket.send(data.subarray(7, 9), { fin: false }) // a fragment
      client.socket.send(data.subarray(9), { fin: true })
      assert.equal((await client.next(v)).type, 'PINGRESP')
      assert.ok((await client.next(v)).bytes.equals(p.suback({ v, id: 6, codes: [0] })))
      assert.equal((await client.next(v)).type, 'PINGRESP')
    })
  }

  for (const protocols of [['mqtt'], ['chat', 'mqtt'], ['mqtt', 'chat']]) {
    it(`[MQTT-6.0.0-3] [MQTT-6.0.0-4] [MQTT311-6.0.0-3] [MQTT311-6.0.0-4] of the subprotocols offered the server selects mqtt: ${protocols.join(', ')}`, async () => {
      const client = await open(protocols)
      assert.equal(client.socket.protocol, 'mqtt')
    })
  }
})
