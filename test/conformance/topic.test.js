'use strict'
// MQTT 5 §4.7 and §4.8, 3.1.1 §4.7: topic names, filters, matching, shared
// subscriptions.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { chapter } = require('./harness/chapter')
const { unique } = require('./harness/peer')
const p = require('./harness/packets')

const FILTER_INVALID = 0x8f
const NOT_AUTHORIZED = 0x87
const NO_LOCAL = 0x04

chapter('Filters and topics', (world) => {
  for (const v of [5, 4]) {
    const invalid = v === 5 ? FILTER_INVALID : 0x80

    // A filter with a wildcard in the wrong place is refused, and it alone.
    const refuses = (filter) => async () => {
      const client = await world.peer({ v })
      client.send(p.subscribe({ v, id: 2, filters: [[filter(), 0]] }))
      await client.expect('SUBACK', { id: 2, codes: [invalid] })
    }
    for (const filter of ['a#', '#/a', 'a/#/b', '##', 'a/##', '#a', 'a/b#', '+#', '#+', '#/']) {
      it(`[MQTT-4.7.1-1] [MQTT311-4.7.1-2] # stands alone in the last level: ${filter} is refused (MQTT ${v})`, refuses(() => `${world.token}/${filter}`))
    }
    for (const filter of ['a+', '+a', 'a/b+', 'a+/b', '++', 'a/++/b', 'a/+b/c']) {
      it(`[MQTT-4.7.1-2] [MQTT311-4.7.1-3] + occupies a whole level: ${filter} is refused (MQTT ${v})`, refuses(() => `${world.token}/${filter}`))
    }
    it(`[MQTT-4.7.3-1] [MQTT311-4.7.3-1] a filter has at least one character (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(p.subscribe({ v, id: 2, filters: [['', 0]] }))
      await client.closes(0x81, 0x82, FILTER_INVALID)
    })

    const matching = {
      '+': ['a', 'b', 'A', '\u00e9', 'e\u0301', 'a b', '\u212b', '\u00c5', 'a\u200d'],
      '#': ['a', 'b', 'A', 'a/b', 'a/c', 'a/b/c', 'b/c', '\u00e9', 'e\u0301', 'a b', '\u212b', '\u00c5', 'a\u200d', 'a\u200d/c'],
      a: ['a'],
      A: ['A'],
      'a/+': ['a/b', 'a/c'],
      '+/c': ['a/c', 'a\u200d/c', 'b/c'],
      '+/+': ['a/b', 'a/c', 'a\u200d/c', 'b/c'],
      'a/#': ['a', 'a/b', 'a/b/c', 'a/c'],
      '+/b/#': ['a/b', 'a/b/c'],
      'a/+/c': ['a/b/c'],
      'a/b/c/#': ['a/b/c'],
      'a/b/c/+': [],
      '\u00e9': ['\u00e9'],
      'e\u0301': ['e\u0301'],
      '\u00c5': ['\u00c5'],
      '\u212b': ['\u212b'],
      'a b': ['a b'],
      'a\u200d': ['a\u200d']
    }
    for (const [filter, expected] of Object.entries(matching)) {
      it(`[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-4] [MQTT-3.3.2-3] [MQTT311-4.7.1-2] [MQTT311-4.7.1-3] [MQTT311-4.7.3-4] [MQTT311-3.3.2-3] matching is by levels and by characters as they are, without normalisation: ${JSON.stringify(filter)} (MQTT ${v})`, async () => {
        const space = world.space()
        const client = await world.peer({ v })
        await client.subscribe([[`${space}/${filter}`, 0]])
        const publisher = await world.peer({ v })
        const things = ['a', 'b', 'A', 'a/b', 'a/c', 'a/b/c', 'b/c', '\u00e9', 'e\u0301', 'a b', '\u212b', '\u00c5', 'a\u200d', 'a\u200d/c']
        for (const thing of things) await publisher.publish(`${space}/${thing}`, thing)
        const got = []
        for (const _ of expected) got.push((await client.expect('PUBLISH')).payload.toString())
        assert.deepEqual(got.sort(), [...expected].sort())
        await client.silence(space)
      })
    }

    it(`[MQTT-4.7.3-3] [MQTT311-4.7.3-3] a topic of 65,535 bytes can be written, and is refused as no thing; a filter of that length is none (MQTT ${v})`, async () => {
      const long = `${world.token}/`.padEnd(65535, 'x')
      const client = await world.peer({ v })
      client.send(p.subscribe({ v, id: 3, filters: [[long, 0]] }))
      const { codes } = await client.expect('SUBACK', { id: 3 })
      assert.equal(codes.length, 1)
      client.send(p.publish({ v, topic: long, qos: 1, id: 4 }))
      if (v === 5) await client.expect('PUBACK', { id: 4, code: 0x90 })
      else await client.closes()
    })

    it(`[MQTT-4.7.2-1] [MQTT311-4.7.2-1] filters that begin with a wildcard do not match $ topics (MQTT ${v})`, async () => {
      // What a token may not subscribe to cannot match; a nameless client may, and
      // sees that $events/… of a token that is revoked does not come by # or +.
      const client = await world.peer({ v })
      client.send(p.subscribe({ v, id: 5, filters: [['#', 0], ['+/x', 0], ['+/#', 0]] }))
      await client.expect('SUBACK', { id: 5, codes: Array(3).fill(v === 5 ? NOT_AUTHORIZED : 0x80) })
      if (world.access !== 'open') return

      const token = await world.server.planToken('local')
      const all = await world.peer({ v, username: undefined })
      await all.subscribe([['#', 0], ['+/#', 0], [`+/${token}/#`, 0], [`+/${token}/revoked/`, 0]])
      const one = await world.peer({ v, username: undefined })
      await one.subscribe([[`$events/${token}/#`, 0]])
      const revoked = await world.server.cli('token', 'revoke', '--', token)
      assert.equal(revoked.code, 0, revoked.stderr)
      await one.receivesPublish({ topic: `$events/${token}/revoked/`, payload: '' })
      const marker = `${world.space()}/marker`
      await client.publish(marker, 'marker')
      for (;;) {
        const { topic } = await all.expect('PUBLISH')
        assert.doesNotMatch(topic, /^\$/)
        if (topic === marker) return
      }
    })
  }
})

chapter('Shared subscriptions', (world) => {
  const share = (space, group, filter = '#') => `$share/${group}/${space}/${filter}`

  it('[MQTT-4.8.2-1] [MQTT-4.8.2-2] $share/<name>/<filter> is granted, and each message goes to one of the group', async () => {
    const space = world.space()
    const clients = []
    for (let n = 0; n < 3; n++) {
      const client = await world.peer()
      await client.subscribe([[share(space, 'g'), 1]])
      clients.push(client)
    }
    const alone = await world.peer() // a group of its own, and a plain subscriber
    await alone.subscribe([[share(space, 'h'), 0]])
    const plain = await world.peer()
    await plain.subscribe([[`${space}/#`, 0]])
    const publisher = await world.peer()
    for (let n = 0; n < 30; n++) await publisher.publish(`${space}/x`, `${n}`)
    for (let n = 0; n < 30; n++) await plain.receivesPublish({ topic: `${space}/x`, payload: `${n}` })
    for (let n = 0; n < 30; n++) await alone.receivesPublish({ topic: `${space}/x`, payload: `${n}` })
    const got = []
    for (const client of clients) client.closed.catch(() => {})
    const collect = async (client) => {
      while (got.length < 30) {
        const packet = await client.next()
        if (packet.type !== 'PUBLISH') continue
        client.acknowledge(packet)
        got.push(Number(packet.payload))
        if (got.length === 30) for (const other of clients) other.cut()
      }
    }
    await Promise.all(clients.map((client) => collect(client).catch((error) => {
      if (got.length < 30) throw error
    })))
    assert.deepEqual(got.sort((a, b) => a - b), Array.from({ length: 30 }, (_, n) => n), 'each once')
  })

  for (const filter of ['$share', '$share/', '$share/g', '$share/g/', '$share//TOKEN/x', '$share/+/TOKEN/x', '$share/#/TOKEN/x', '$share/g+/TOKEN/x', '$share/g#/TOKEN/x', '$share/#', '$share/+', '$share/g/TOKEN/a#', '$share/g/TOKEN/#/a']) {
    it(`[MQTT-4.8.2-1] [MQTT-4.8.2-2] a name of at least one character without / + #, then a filter: ${filter} is refused`, async () => {
      const client = await world.peer()
      client.send(p.subscribe({ id: 2, filters: [[filter.replace('TOKEN', world.token), 0]] }))
      const packet = await client.next()
      if (packet.type === 'DISCONNECT') return assert.ok([0x81, 0x82, FILTER_INVALID].includes(packet.code))
      assert.equal(packet.type, 'SUBACK')
      assert.ok(packet.codes[0] >= 0x80, `${packet.codes}`)
    })
  }

  it('[MQTT-3.8.3-4] No Local with a shared subscription closes', async () => {
    const client = await world.peer()
    client.send(p.subscribe({ id: 2, filters: [[share(world.space(), 'g'), NO_LOCAL]] }))
    await client.closes(0x82)
  })

  for (let granted = 0; granted <= 2; granted++) {
    for (let published = 0; published <= 2; published++) {
      it(`[MQTT-4.8.2-3] the QoS is the lower of both: granted ${granted}, published ${published}`, async () => {
        const space = world.space()
        const client = await world.peer()
        await client.subscribe([[share(space, 'g'), granted]])
        const publisher = await world.peer()
        await publisher.publish(`${space}/x`, 'x', { qos: published })
        await client.receivesPublish({ topic: `${space}/x`, payload: 'x', qos: Math.min(granted, published) })
      })
    }
  }

  it('[MQTT-3.3.1-9] no retained messages for a new shared subscription', async () => {
    const space = world.space()
    const client = await world.peer()
    await client.publish(`${space}/x`, 'kept', { retain: true })
    await client.subscribe([[share(space, 'g'), 0]])
    await client.publish(`${space}/y`, 'marker')
    await client.receivesPublish({ topic: `${space}/y`, payload: 'marker' })
  })

  it('[MQTT-3.8.4-3] a shared and a plain subscription of one filter are two, and end each by itself', async () => {
    const space = world.space()
    const client = await world.peer()
    await client.subscribe([[`${space}/x`, 0]])
    await client.subscribe([[share(space, 'g', 'x'), 0]])
    await client.unsubscribe(`${space}/x`)
    await client.publish(`${space}/x`, 'shared')
    await client.receivesPublish({ topic: `${space}/x`, payload: 'shared' })
    await client.unsubscribe(share(space, 'g', 'x'))
    await client.publish(`${space}/x`, 'nobody')
    await client.silence(space)
  })

  it('[MQTT-3.3.4-3] with the identifier of the shared subscription', async () => {
    const space = world.space()
    const client = await world.peer()
    await client.subscribe([[share(space, 'g'), 0]], { subscriptionId: 6 })
    await client.publish(`${space}/x`, 'x')
    await client.receivesPublish({ topic: `${space}/x`, payload: 'x', properties: { subscriptionId: [6] } })
  })

  // A member with a message of QoS 2 on its way, and another without.
  const underWay = async () => {
    const space = world.space()
    const fields = { clientId: unique(), cleanStart: false, properties: { sessionExpiry: 100 } }
    const first = await world.peer(fields)
    await first.subscribe([[share(space, 'g'), 2]])
    const publisher = await world.peer()
    await publisher.publish(`${space}/x`, 'once', { qos: 2 })
    const { id } = await first.receivesPublish({ topic: `${space}/x`, payload: 'once', qos: 2 })
    const other = await world.peer()
    await other.subscribe([[share(space, 'g'), 2]])
    return { space, fields, first, other, publisher, id }
  }

  it('[MQTT-4.8.2-4] a QoS 2 message in flight stays with its client, which gets it when it reconnects', async () => {
    const { space, fields, first, other, id } = await underWay()
    first.cut()
    await other.ping()
    const again = await world.peer(fields)
    assert.equal(again.connack.sessionPresent, true)
    await again.receives(p.publish({ topic: `${space}/x`, payload: 'once', qos: 2, dup: true, id }))
    await again.complete({ id })
    await other.silence(space)
  })

  it('[MQTT-4.8.2-5] when its session ends before, the QoS 2 message goes to nobody else', async () => {
    const { space, fields, first, other } = await underWay()
    first.cut()
    const fresh = await world.peer({ ...fields, cleanStart: true })
    assert.equal(fresh.connack.sessionPresent, false)
    await other.silence(space)
  })

  for (const qos of [1, 2]) {
    it(`[MQTT-4.8.2-6] a message answered by 0x80 or more goes to nobody else: QoS ${qos}`, async () => {
      const space = world.space()
      const first = await world.peer()
      await first.subscribe([[share(space, 'g'), 2]])
      const publisher = await world.peer()
      await publisher.publish(`${space}/x`, 'unwanted', { qos })
      const { id } = await first.receivesPublish({ topic: `${space}/x`, payload: 'unwanted', qos })
      const other = await world.peer()
      await other.subscribe([[share(space, 'g'), 2]])
      first.send((qos === 1 ? p.puback : p.pubrec)({ id, code: 0x83 }))
      await first.ping()
      await first.disconnect()
      await other.silence(space)
    })
  }
})
