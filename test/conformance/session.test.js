'use strict'
// MQTT 5 §3.1.2.4, §3.1.2.11 and §4.1, §4.4; 3.1.1 §3.1.2.4 and §4.1: sessions
// that outlive their connection, and servers.
const assert = require('node:assert/strict')
const { it, before, after } = require('node:test')
const { Server, group } = require('../e2e/harness/server')
const { chapter } = require('./harness/chapter')
const { Peer, unique } = require('./harness/peer')
const p = require('./harness/packets')

// The fields of a CONNECT whose session stays, and of one that ends it.
const staying = (v, expiry = 1000) => ({ v, clientId: unique(), cleanStart: false, ...(v === 5 ? { properties: { sessionExpiry: expiry } } : {}) })

chapter('Sessions', (world) => {
  for (const v of [5, 4]) {
    it(`[MQTT-3.1.2-6] [MQTT-3.2.2-3] [MQTT311-3.1.2-4] [MQTT311-3.2.2-3] without a session there is a new one, Session Present 0 (MQTT ${v})`, async () => {
      const client = await world.peer(staying(v))
      assert.equal(client.connack.sessionPresent, false)
    })

    it(`[MQTT-3.1.2-5] [MQTT-3.2.2-3] [MQTT-3.1.2-23] [MQTT311-3.1.2-4] [MQTT311-3.2.2-2] a session is resumed: Session Present 1, and the subscriptions are there (MQTT ${v})`, async () => {
      const space = world.space()
      const fields = staying(v)
      const first = await world.peer(fields)
      await first.subscribe([[`${space}/x`, 1], [`${space}/y/#`, 0]])
      await first.disconnect()
      const again = await world.peer(fields)
      assert.equal(again.connack.sessionPresent, true)
      const publisher = await world.peer({ v })
      await publisher.publish(`${space}/x`, 'x', { qos: 2 })
      await again.receivesPublish({ topic: `${space}/x`, payload: 'x', qos: 1 })
      await publisher.publish(`${space}/y/z`, 'y', { qos: 2 })
      await again.receivesPublish({ topic: `${space}/y/z`, payload: 'y', qos: 0 })
      await again.silence(space)
    })

    for (const end of ['DISCONNECT', 'a cut connection']) {
      it(`[MQTT-4.5.0-1] [MQTT-3.1.2-23] [MQTT311-3.1.2-5] [MQTT311-4.5.0-1] [MQTT311-4.1.0-1] messages that came after ${end} wait for the client, QoS 1 and 2, in order (MQTT ${v})`, async () => {
        const topic = `${world.space()}/x`
        const fields = staying(v)
        const first = await world.peer(fields)
        await first.subscribe([[topic, 2]])
        if (end === 'DISCONNECT') await first.disconnect()
        else first.cut()
        const publisher = await world.peer({ v })
        for (let n = 0; n < 20; n++) await publisher.publish(topic, `${n}`, { qos: 1 + n % 2 })
        const again = await world.peer(fields)
        for (let n = 0; n < 20; n++) {
          // Sent first before the server knew of a cut: with DUP, and no less for it.
          const got = await again.expect('PUBLISH', { topic, qos: 1 + n % 2 })
          assert.equal(got.payload.toString(), `${n}`)
          if (end === 'DISCONNECT') assert.equal(got.dup, false)
          if (got.qos === 1) again.acknowledge(got)
          else again.send(p.pubrec({ v, id: got.id }))
        }
      })
    }

    it(`[MQTT-3.1.2-4] [MQTT-3.2.2-2] [MQTT311-3.1.2-6] [MQTT311-3.2.2-1] Clean Start discards the session there is: Session Present 0, no subscriptions, no messages (MQTT ${v})`, async () => {
      const space = world.space()
      const fields = staying(v)
      const first = await world.peer(fields)
      await first.subscribe([[`${space}/x`, 1]])
      await first.disconnect()
      const publisher = await world.peer({ v })
      await publisher.publish(`${space}/x`, 'queued')
      const clean = await world.peer({ ...fields, cleanStart: true })
      assert.equal(clean.connack.sessionPresent, false)
      await publisher.publish(`${space}/x`, 'live')
      await clean.silence(space)
    })

    it(`[MQTT-3.1.2-4] [MQTT311-3.1.2-6] nothing of a discarded session comes back later (MQTT ${v})`, async () => {
      const space = world.space()
      const fields = staying(v)
      const first = await world.peer(fields)
      await first.subscribe([[`${space}/x`, 1]])
      await first.disconnect()
      await (await world.peer({ ...fields, cleanStart: true, properties: undefined })).disconnect()
      const again = await world.peer(fields)
      assert.equal(again.connack.sessionPresent, false)
      await again.publish(`${space}/x`, 'x')
      await again.silence(space)
    })

    it(`[MQTT-4.1.0-1] [MQTT311-4.1.0-2] a session lasts as long as its connection, whatever its expiry (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v, cleanStart: true })
      const short = await world.peer(staying(v, 1))
      for (const peer of [client, short]) await peer.subscribe([[`${space}/x`, 1]])
      await world.hourglass()
      await world.peer({ v }).then((publisher) => publisher.publish(`${space}/x`, 'x'))
      for (const peer of [client, short]) await peer.receivesPublish({ topic: `${space}/x`, payload: 'x', qos: 1 })
    })

    for (const qos of [1, 2]) {
      it(`[MQTT-3.3.1-1] [MQTT-4.4.0-1] [MQTT-4.3.2-3] [MQTT311-3.3.1-1] [MQTT311-4.4.0-1] [MQTT311-4.3.2-1] what was not acknowledged is sent again with its identifier and DUP, then what waited: QoS ${qos} (MQTT ${v})`, async () => {
        const topic = `${world.space()}/x`
        const fields = staying(v)
        const first = await world.peer(fields)
        await first.subscribe([[topic, 2]])
        const publisher = await world.peer({ v })
        const ids = []
        for (const payload of ['a', 'b', 'c']) {
          await publisher.publish(topic, payload, { qos })
          ids.push((await first.receivesPublish({ topic, payload, qos, dup: false })).id)
        }
        await first.disconnect()
        await publisher.publish(topic, 'd', { qos })
        const again = await world.peer(fields)
        for (const [n, payload] of ['a', 'b', 'c'].entries()) {
          await again.receives(p.publish({ v, topic, payload, qos, dup: true, id: ids[n] }))
        }
        await again.receivesPublish({ topic, payload: 'd', qos, dup: false })
      })
    }

    it(`[MQTT-4.4.0-1] [MQTT311-4.4.0-1] what was acknowledged is not sent again (MQTT ${v})`, async () => {
      const space = world.space()
      const fields = staying(v)
      const first = await world.peer(fields)
      await first.subscribe([[`${space}/x`, 1]])
      const publisher = await world.peer({ v })
      await publisher.publish(`${space}/x`, 'x')
      first.acknowledge(await first.receivesPublish({ topic: `${space}/x`, payload: 'x', qos: 1 }))
      await first.disconnect()
      const again = await world.peer(fields)
      assert.equal(again.connack.sessionPresent, true)
      await again.silence(space)
    })

    it(`[MQTT-4.4.0-1] [MQTT-2.2.1-4] [MQTT311-2.3.1-4] identifiers of what waits for an answer are not given again (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const fields = staying(v)
      const first = await world.peer(fields)
      await first.subscribe([[topic, 1]])
      const publisher = await world.peer({ v })
      await publisher.publish(topic, 'old')
      const { id } = await first.receivesPublish({ topic, payload: 'old', qos: 1 })
      first.cut()
      const again = await world.peer(fields)
      await again.receives(p.publish({ v, topic, payload: 'old', qos: 1, dup: true, id }))
      const seen = new Set([id])
      for (let n = 0; n < 20; n++) {
        await publisher.publish(topic, `${n}`)
        const next = await again.receivesPublish({ topic, payload: `${n}`, qos: 1 })
        assert.ok(!seen.has(next.id), `${next.id}`)
        seen.add(next.id)
      }
    })

    it(`[MQTT-3.1.4-3] [MQTT-3.1.2-5] [MQTT-4.4.0-1] [MQTT311-3.1.4-2] [MQTT311-3.1.2-4] [MQTT311-4.4.0-1] who takes over with Clean Start 0 resumes the session, and gets what is in flight again (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const fields = staying(v)
      const first = await world.peer(fields)
      await first.subscribe([[topic, 2]])
      const publisher = await world.peer({ v })
      await publisher.publish(topic, 'under way', { qos: 2 })
      const { id } = await first.receivesPublish({ topic, payload: 'under way', qos: 2 })
      const second = await world.peer(fields)
      await first.closes(0x8e)
      assert.equal(second.connack.sessionPresent, true)
      await second.receives(p.publish({ v, topic, payload: 'under way', qos: 2, dup: true, id }))
      await second.complete({ id })
      await publisher.publish(topic, 'new', { qos: 2 })
      await second.receivesPublish({ topic, payload: 'new', qos: 2 })
    })

    it(`[MQTT-3.1.3-2] [MQTT311-3.1.3-2] sessions of two clients are two (MQTT ${v})`, async () => {
      const space = world.space()
      const one = staying(v)
      const two = staying(v)
      await (await world.peer(one)).subscribe([[`${space}/one`, 1]])
      await (await world.peer(two)).subscribe([[`${space}/two`, 1]])
      const again = [await world.peer(one), await world.peer(two)]
      for (const thing of ['one', 'two']) await (await world.peer({ v })).publish(`${space}/${thing}`, thing)
      for (const [n, thing] of ['one', 'two'].entries()) {
        assert.equal(again[n].connack.sessionPresent, true)
        await again[n].receivesPublish({ topic: `${space}/${thing}`, payload: thing, qos: 1 })
        await again[n].silence(space)
      }
    })

    it(`[MQTT-3.2.0-1] [MQTT311-3.2.0-1] CONNACK comes before what waited (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const fields = staying(v)
      const first = await world.peer(fields)
      await first.subscribe([[topic, 1]])
      await first.disconnect()
      await (await world.peer({ v })).publish(topic, 'x')
      const again = await world.open(v)
      again.send(p.connect(world.identity(fields)), p.PINGREQ)
      await again.expect('CONNACK', { code: 0, sessionPresent: true })
    })

    it(`[MQTT-3.10.4-1] [MQTT311-3.10.4-1] an UNSUBSCRIBE holds for the stored session, too (MQTT ${v})`, async () => {
      const space = world.space()
      const fields = staying(v)
      const first = await world.peer(fields)
      await first.subscribe([[`${space}/x`, 1]])
      await first.unsubscribe(`${space}/x`)
      await first.disconnect()
      const again = await world.peer(fields)
      assert.equal(again.connack.sessionPresent, true)
      await again.publish(`${space}/x`, 'x')
      await again.silence(space)
    })
  }

  it('[MQTT311-3.1.2-6] [MQTT311-3.2.2-3] [MQTT311-4.1.0-2] a session of Clean Session 1 ends with its connection', async () => {
    const space = world.space()
    const clientId = unique()
    const first = await world.peer({ v: 4, clientId, cleanStart: true })
    await first.subscribe([[`${space}/x`, 1]])
    await first.disconnect()
    const again = await world.peer({ v: 4, clientId, cleanStart: false })
    assert.equal(again.connack.sessionPresent, false)
    await again.publish(`${space}/x`, 'x')
    await again.silence(space)
  })

  it('[MQTT-3.3.1-10] Retain Handling 1 knows the subscriptions of a resumed session', async () => {
    const space = world.space()
    const fields = staying(5)
    const first = await world.peer(fields)
    await first.publish(`${space}/x`, 'kept', { retain: true })
    await first.subscribe([[`${space}/x`, 0x20]])
    await first.disconnect()
    const again = await world.peer(fields)
    await again.subscribe([[`${space}/x`, 0x10]])
    await again.silence(space)
  })

  // ---- Session Expiry Interval
  for (const properties of [undefined, { sessionExpiry: 0 }]) {
    it(`[MQTT-4.1.0-2] [MQTT-3.1.2-23] Session Expiry Interval ${properties ? '0' : 'absent'}: the session ends with its connection`, async () => {
      const space = world.space()
      const clientId = unique()
      const first = await world.peer({ clientId, cleanStart: false, properties })
      await first.subscribe([[`${space}/x`, 1]])
      await first.disconnect()
      const again = await world.peer({ clientId, cleanStart: false, properties })
      assert.equal(again.connack.sessionPresent, false)
      await again.publish(`${space}/x`, 'x')
      await again.silence(space)
    })
  }
  it('[MQTT-4.1.0-2] a session whose expiry has passed is discarded, another is not', async () => {
    const [short, long] = [staying(5, 1), staying(5, 1000)]
    for (const fields of [short, long]) {
      const first = await world.peer(fields)
      await first.subscribe([[`${world.space()}/x`, 1]])
      await first.disconnect()
    }
    await world.hourglass()
    assert.equal((await world.peer(short)).connack.sessionPresent, false)
    assert.equal((await world.peer(long)).connack.sessionPresent, true)
  })
  it('[MQTT-4.1.0-2] DISCONNECT may change the expiry: to 0, the session ends', async () => {
    const fields = staying(5)
    const first = await world.peer(fields)
    await first.disconnect({ properties: { sessionExpiry: 0 } })
    assert.equal((await world.peer(fields)).connack.sessionPresent, false)
  })
  it('[MQTT-3.1.2-23] DISCONNECT may change the expiry: longer, the session stays', async () => {
    const fields = staying(5, 1)
    const first = await world.peer(fields)
    await first.disconnect({ properties: { sessionExpiry: 1000 } })
    await world.hourglass()
    assert.equal((await world.peer(fields)).connack.sessionPresent, true)
  })
  it('[MQTT-4.13.1-1] DISCONNECT with an expiry where CONNECT had 0 is a protocol error', async () => {
    const client = await world.peer()
    client.send(p.disconnect({ properties: { sessionExpiry: 10 } }))
    await client.closes(0x82)
  })
  it('[MQTT-3.1.2-23] Session Expiry Interval 0xFFFFFFFF does not expire', async () => {
    const fields = staying(5, 0xffffffff)
    await (await world.peer(fields)).disconnect()
    await world.hourglass()
    assert.equal((await world.peer(fields)).connack.sessionPresent, true)
  })
  it('[MQTT-3.1.2-4] Clean Start 1 with an expiry begins a session that stays', async () => {
    const fields = staying(5)
    await (await world.peer({ ...fields, cleanStart: true })).disconnect()
    assert.equal((await world.peer(fields)).connack.sessionPresent, true)
  })
  it('[MQTT-3.1.2-5] a session begun with 3.1.1 may be resumed with 5.0 and the other way round', async () => {
    const space = world.space()
    const clientId = unique()
    const old = await world.peer({ v: 4, clientId, cleanStart: false })
    await old.subscribe([[`${space}/x`, 1]])
    await old.disconnect()
    const fresh = await world.peer({ v: 5, clientId, cleanStart: false, properties: { sessionExpiry: 1000 } })
    assert.equal(fresh.connack.sessionPresent, true)
    await fresh.publish(`${space}/x`, 'x')
    fresh.acknowledge(await fresh.receivesPublish({ topic: `${space}/x`, payload: 'x', qos: 1 }))
    await fresh.disconnect()
    assert.equal((await world.peer({ v: 4, clientId, cleanStart: false })).connack.sessionPresent, true)
  })
})

// What sessions keep must survive the server as well: §4.1 knows no other end of
// a session than its expiry.
group('Sessions and a server that is killed', () => {
  for (const access of ['open', 'registered']) {
    const server = new Server({ set: { 'tokens.access': access } })
    let token
    before(async () => {
      await server.start()
      token = await server.planToken('local')
    })
    after(() => server.close())
    const connect = async (fields) => {
      const peer = await Peer.open(server.mqttPort, fields)
      server.clients.push(() => peer.cut())
      return await peer.connect({ username: token, ...fields })
    }

    it(`[MQTT-3.1.2-23] [MQTT-4.4.0-1] [MQTT-4.5.0-1] [MQTT311-4.1.0-1] [MQTT311-3.1.2-5] subscriptions, what is queued and what is in flight survive kill -9 (tokens.access = ${access})`, async () => {
      const cases = []
      for (const v of [5, 4]) {
        const topic = `${token}/s${unique()}/x`
        const fields = staying(v)
        const client = await connect(fields)
        await client.subscribe([[topic, 2]])
        const publisher = await connect({ v, clientId: unique() })
        await publisher.publish(topic, 'rec', { qos: 2 })
        const { id: one } = await client.receivesPublish({ topic, payload: 'rec', qos: 2 })
        client.send(p.pubrec({ v, id: one }))
        await client.receives(p.pubrel({ v, id: one }))
        await publisher.publish(topic, 'sent', { qos: 2 })
        const { id: two } = await client.receivesPublish({ topic, payload: 'sent', qos: 2 })
        const inbound = staying(v)
        const sender = await connect(inbound)
        sender.send(p.publish({ v, topic: `${topic}/inbound`, payload: 'in', qos: 2, id: 77 }))
        await sender.receives(p.pubrec({ v, id: 77 }))
        client.cut()
        await publisher.publish(topic, 'waits', { qos: 1 })
        cases.push({ v, topic, fields, one, two, inbound })
      }
      await server.kill9()
      await server.restart()
      for (const { v, topic, fields, one, two, inbound } of cases) {
        const again = await connect(fields)
        assert.equal(again.connack.sessionPresent, true)
        await again.receives(p.pubrel({ v, id: one }))
        await again.receives(p.publish({ v, topic, payload: 'sent', qos: 2, dup: true, id: two }))
        const { payload } = await again.expect('PUBLISH', { topic, qos: 1 })
        assert.equal(payload.toString(), 'waits')
        const watcher = await connect({ v, clientId: unique() })
        await watcher.subscribe([[`${topic}/inbound`, 0]])
        const sender = await connect(inbound)
        assert.equal(sender.connack.sessionPresent, true)
        sender.send(p.publish({ v, topic: `${topic}/inbound`, payload: 'in', qos: 2, id: 77, dup: true }))
        await sender.receives(p.pubrec({ v, id: 77 }))
        sender.send(p.pubrel({ v, id: 77 }))
        await sender.receives(p.pubcomp({ v, id: 77 }))
        await sender.publish(`${topic}/inbound`, 'marker')
        await watcher.receivesPublish({ topic: `${topic}/inbound`, payload: 'marker' })
      }
    })

    it(`[MQTT-3.3.1-5] [MQTT311-3.3.1-5] retained messages survive kill -9 (tokens.access = ${access})`, async () => {
      const topic = `${token}/s${unique()}/x`
      const publisher = await connect({ clientId: unique() })
      await publisher.publish(topic, 'kept', { qos: 2, retain: true })
      await server.kill9()
      await server.restart()
      const client = await connect({ clientId: unique() })
      await client.subscribe([[topic, 2]])
      await client.receivesPublish({ topic, payload: 'kept', qos: 2, retain: true })
    })
  }
})
