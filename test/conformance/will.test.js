'use strict'
// MQTT 5 §3.1.2.5 and §3.1.3.2, 3.1.1 §3.1.2.5: wills.
const { it } = require('node:test')
const { chapter } = require('./harness/chapter')
const { unique } = require('./harness/peer')
const p = require('./harness/packets')

chapter('Wills', (world) => {
  for (const v of [5, 4]) {
    // A watcher of a topic, and a client whose will goes there.
    const scene = async (will = {}, fields = {}) => {
      const space = world.space()
      const topic = `${space}/will`
      const watcher = await world.peer({ v })
      await watcher.subscribe([[topic, 2]])
      const connect = { v, clientId: unique(), will: { topic, payload: 'gone', ...will }, ...fields }
      const client = await world.peer(connect)
      return { space, topic, watcher, client, connect }
    }

    for (const qos of [0, 1, 2]) {
      it(`[MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-12] [MQTT-3.1.2-14] [MQTT311-3.1.2-8] [MQTT311-3.1.2-14] [MQTT311-3.1.2-16] a will is published when the connection is cut, with its QoS, not retained: QoS ${qos} (MQTT ${v})`, async () => {
        const { space, topic, watcher, client } = await scene({ qos })
        client.cut()
        await watcher.receivesPublish({ topic, payload: 'gone', qos })
        const late = await world.peer({ v })
        await late.subscribe(topic)
        await late.silence(space)
      })
      it(`[MQTT-3.1.2-15] [MQTT311-3.1.2-17] with Will Retain 1 it is retained: QoS ${qos} (MQTT ${v})`, async () => {
        const { topic, watcher, client } = await scene({ qos, retain: true })
        client.cut()
        await watcher.receivesPublish({ topic, payload: 'gone', qos, retain: false })
        const late = await world.peer({ v })
        await late.subscribe([[topic, 2]])
        await late.receivesPublish({ topic, payload: 'gone', qos, retain: true })
      })
    }

    it(`[MQTT-3.1.2-8] [MQTT311-3.1.2-8] a will of no bytes is published (MQTT ${v})`, async () => {
      const { topic, watcher, client } = await scene({ payload: '' })
      client.cut()
      await watcher.receivesPublish({ topic, payload: '' })
    })

    it(`[MQTT-3.1.2-8] [MQTT311-3.1.2-8] a will is published after a protocol error (MQTT ${v})`, async () => {
      const { topic, watcher, client } = await scene()
      client.send(p.connect({ v, ...world.identity() }))
      await client.closes(0x82)
      await watcher.receivesPublish({ topic, payload: 'gone' })
    })

    it(`[MQTT-3.1.2-8] [MQTT311-3.1.2-8] a will is published when another connection takes over (MQTT ${v})`, async () => {
      const { topic, watcher, client, connect } = await scene()
      await world.peer({ ...connect, will: undefined })
      await client.closes(0x8e)
      await watcher.receivesPublish({ topic, payload: 'gone' })
    })

    it(`[MQTT-3.1.2-10] [MQTT-3.14.4-3] [MQTT311-3.1.2-10] [MQTT311-3.14.4-3] DISCONNECT removes the will (MQTT ${v})`, async () => {
      const { space, watcher, client } = await scene()
      await client.disconnect()
      await watcher.silence(space)
    })

    it(`[MQTT-3.1.2-10] [MQTT311-3.1.2-10] a will that was published is gone: not again when the next connection is cut (MQTT ${v})`, async () => {
      const { space, topic, watcher, client, connect } = await scene({}, v === 5 ? { cleanStart: false, properties: { sessionExpiry: 100 } } : { cleanStart: false })
      client.cut()
      await watcher.receivesPublish({ topic, payload: 'gone', qos: 0 })
      const again = await world.peer({ ...connect, will: undefined })
      again.cut()
      await world.peer({ ...connect, will: undefined })
      await watcher.silence(space)
    })

    it(`[MQTT311-3.1.2-12] [MQTT-3.1.2-7] without a will nothing is published (MQTT ${v})`, async () => {
      const { space, watcher, client } = await scene({}, { will: undefined })
      client.cut()
      await watcher.silence(space)
    })

    it(`[MQTT-3.1.4-2] [MQTT311-3.1.2-8] a refused CONNECT has no will (MQTT ${v})`, async () => {
      const { space, topic, watcher } = await scene()
      const refused = await world.open(v)
      refused.send(p.connect({ v, clientId: unique(), username: 'no/token', will: { topic, payload: 'refused' } }))
      await refused.refuses(v === 5 ? 0x86 : 4)
      await watcher.silence(space)
    })
  }

  const scene = async (properties, fields = {}) => {
    const space = world.space()
    const topic = `${space}/will`
    const watcher = await world.peer()
    await watcher.subscribe([[topic, 0]])
    const connect = { clientId: unique(), will: { topic, payload: 'gone', properties }, ...fields }
    return { space, topic, watcher, connect, client: await world.peer(connect) }
  }

  for (const code of [0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]) {
    it(`[MQTT-3.1.2-8] [MQTT-3.14.2-1] DISCONNECT with any reason but 0 leaves the will: 0x${code.toString(16)}`, async () => {
      const { topic, watcher, client } = await scene({})
      client.send(p.disconnect({ code, properties: code === 0x80 ? { reasonString: 'because' } : {} }))
      await client.closes()
      await watcher.receivesPublish({ topic, payload: 'gone' })
    })
  }

  it('[MQTT-3.1.3-10] [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-18] [MQTT-3.3.2-20] a will is published with its properties, User Properties in order', async () => {
    const properties = {
      payloadFormat: 1, contentType: 'text/plain', responseTopic: 'a/b', correlationData: Buffer.from([0, 255]), userProperty: [['z', '1'], ['a', '2'], ['z', '3']]
    }
    const { topic, watcher, client } = await scene(properties)
    client.cut()
    await watcher.receivesPublish({ topic, payload: 'gone', properties })
  })

  // ---- Will Delay Interval
  const staying = (willDelay, sessionExpiry = 100) => [{ willDelay }, { cleanStart: false, properties: { sessionExpiry } }]

  it('[MQTT-3.1.2-8] a will with a delay is published after it, and not before', async () => {
    const { space, topic, watcher, client } = await scene(...staying(2))
    client.cut()
    await watcher.silence(space)
    await watcher.receivesPublish({ topic, payload: 'gone' })
  })
  it('[MQTT-3.1.3-9] who connects again before the delay has passed has no will published', async () => {
    const { space, watcher, client, connect } = await scene(...staying(1))
    client.cut()
    const again = await world.peer({ ...connect, will: undefined })
    await world.hourglass()
    await again.ping()
    await watcher.silence(space)
  })
  it('[MQTT-3.1.2-8] [MQTT-3.1.3-9] the will of the new connection counts then', async () => {
    const { topic, watcher, client, connect } = await scene(...staying(1))
    client.cut()
    const again = await world.peer({ ...connect, will: { topic, payload: 'gone again' } })
    again.cut()
    await watcher.receivesPublish({ topic, payload: 'gone again' })
  })
  it('[MQTT-3.1.2-8] a will with a delay is published at the latest when its session ends: expiry', async () => {
    const { topic, watcher, client } = await scene(...staying(1000, 1))
    client.cut()
    await watcher.receivesPublish({ topic, payload: 'gone' })
  })
  it('[MQTT-3.1.2-8] a will with a delay is published when its session ends: none that outlives the connection', async () => {
    const { topic, watcher, client } = await scene({ willDelay: 1000 })
    client.cut()
    await watcher.receivesPublish({ topic, payload: 'gone' })
  })
  it('[MQTT-3.1.2-8] a will with a delay is published when its session ends: Clean Start', async () => {
    const { topic, watcher, client, connect } = await scene(...staying(1000))
    client.cut()
    await world.peer({ ...connect, will: undefined, cleanStart: true })
    await watcher.receivesPublish({ topic, payload: 'gone' })
  })
  it('[MQTT-3.14.4-3] [MQTT-3.1.2-10] DISCONNECT removes a will with a delay as well', async () => {
    const { space, watcher, client } = await scene(...staying(1))
    await client.disconnect()
    await world.hourglass()
    await watcher.silence(space)
  })
})
