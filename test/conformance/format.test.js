'use strict'
// MQTT 5 chapters 1 and 2, 3.1.1 chapters 1 and 2: strings, integers, flags,
// packet identifiers, property lengths. And MQTT 5 §4.13, what is malformed.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { chapter } = require('./harness/chapter')
const p = require('./harness/packets')

const MALFORMED = 0x81
const PROTOCOL = 0x82

// RFC 3629 §3 and §4
const ILL_FORMED = {
  'a lone continuation byte': [0x80],
  'a lone first byte': [0xc3],
  'an overlong NUL': [0xc0, 0x80],
  'an overlong solidus': [0xc0, 0xaf],
  'an overlong form of three bytes': [0xe0, 0x80, 0xaf],
  'an overlong form of four bytes': [0xf0, 0x80, 0x80, 0xaf],
  'the first surrogate': [0xed, 0xa0, 0x80],
  'the last surrogate': [0xed, 0xbf, 0xbf],
  'a surrogate pair': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  'a code point above U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'a form of five bytes': [0xf8, 0x88, 0x80, 0x80, 0x80],
  'a cut sequence': [0xe2, 0x82],
  'a byte that is never used': [0xff]
}
const WITH_NUL = { 'U+0000': [0x00] }

// Names of cases begin with the statement on the field, then that on strings.
const WELL_FORMED = {
  5: '[MQTT-1.5.4-1] ill-formed UTF-8 closes',
  4: '[MQTT311-1.5.3-1] ill-formed UTF-8 closes'
}
const NO_NUL = {
  5: '[MQTT-1.5.4-2] U+0000 closes',
  4: '[MQTT311-1.5.3-2] U+0000 closes'
}
const PAIR = '[MQTT-1.5.7-1] both strings of a pair are checked; '
const FIELDS = {
  'the client id': '[MQTT-3.1.3-4] the client id is a string; ',
  'the will topic': '[MQTT-3.1.3-11] the will topic is a string; ',
  'the user name': '[MQTT-3.1.3-12] the user name is a string; ',
  'a topic name': '[MQTT-3.3.2-1] [MQTT-4.7.3-2] a topic name is a string; ',
  'a response topic': '[MQTT-3.3.2-13] a response topic is a string; ',
  'a content type': '[MQTT-3.3.2-19] a content type is a string; ',
  'a filter to subscribe to': '[MQTT-3.8.3-1] [MQTT-4.7.3-2] filters of SUBSCRIBE are strings; ',
  'a second filter to subscribe to': '[MQTT-3.8.3-1] [MQTT-4.7.3-2] filters of SUBSCRIBE are strings; ',
  'a filter to unsubscribe': '[MQTT-3.10.3-1] filters of UNSUBSCRIBE are strings; ',
  'the name of a user property of CONNECT': PAIR,
  'the value of a user property of CONNECT': PAIR,
  'the name of a user property of a will': PAIR,
  'the value of a user property of a will': PAIR,
  'the name of a user property of PUBLISH': PAIR,
  'the value of a user property of PUBLISH': PAIR,
  'a user property of SUBSCRIBE': PAIR,
  'a user property of UNSUBSCRIBE': PAIR
}
const FIELDS_311 = {
  'the client id': '[MQTT311-3.1.3-4] the client id is a string; ',
  'the will topic': '[MQTT311-3.1.3-10] the will topic is a string; ',
  'the user name': '[MQTT311-3.1.3-11] the user name is a string; ',
  'a topic name': '[MQTT311-3.3.2-1] [MQTT311-4.7.3-2] a topic name is a string; ',
  'a filter to subscribe to': '[MQTT311-3.8.3-1] [MQTT311-4.7.3-2] filters of SUBSCRIBE are strings; ',
  'a second filter to subscribe to': '[MQTT311-3.8.3-1] [MQTT311-4.7.3-2] filters of SUBSCRIBE are strings; ',
  'a filter to unsubscribe': '[MQTT311-3.10.3-1] filters of UNSUBSCRIBE are strings; '
}

// Every string that a client may send: name → packet around it. `before`: is the
// CONNECT itself. `text` makes the string bad, `below` is the same under the token.
const strings = (world, v, text, below) => {
  const connect = (fields) => p.connect({ v, ...world.identity(), ...fields })
  const will = (fields) => connect({ will: { topic: `${world.token}/will`, ...fields } })
  const publish = (fields) => p.publish({ v, topic: `${world.token}/x`, qos: 1, id: 1, ...fields })
  const inConnect = {
    'the client id': connect({ clientId: text }),
    'the user name': connect({ username: text }),
    'the will topic': will({ topic: below })
  }
  const after = {
    'a topic name': publish({ topic: below }),
    'a filter to subscribe to': p.subscribe({ v, filters: [[below, 0]] }),
    'a second filter to subscribe to': p.subscribe({ v, filters: [[`${world.token}/x`, 0], [below, 0]] }),
    'a filter to unsubscribe': p.unsubscribe({ v, filters: [below] })
  }
  if (v === 5) {
    Object.assign(inConnect, {
      'the authentication method': connect({ properties: { authMethod: text } }),
      'the name of a user property of CONNECT': connect({ properties: { userProperty: [[text, 'x']] } }),
      'the value of a user property of CONNECT': connect({ properties: { userProperty: [['x', text]] } }),
      'the content type of a will': will({ properties: { contentType: text } }),
      'the response topic of a will': will({ properties: { responseTopic: below } }),
      'the name of a user property of a will': will({ properties: { userProperty: [[text, 'x']] } }),
      'the value of a user property of a will': will({ properties: { userProperty: [['x', text]] } })
    })
    Object.assign(after, {
      'a content type': publish({ properties: { contentType: text } }),
      'a response topic': publish({ properties: { responseTopic: below } }),
      'the name of a user property of PUBLISH': publish({ properties: { userProperty: [[text, 'x']] } }),
      'the value of a user property of PUBLISH': publish({ properties: { userProperty: [['x', text]] } }),
      'a user property of SUBSCRIBE': p.subscribe({ filters: [[`${world.token}/x`, 0]], properties: { userProperty: [['x', text]] } }),
      'a user property of UNSUBSCRIBE': p.unsubscribe({ filters: [`${world.token}/x`], properties: { userProperty: [[text, 'x']] } }),
      'the reason string of a PUBACK': p.puback({ id: 1, code: 0x80, properties: { reasonString: text } }),
      'the reason string of a PUBREC': p.pubrec({ id: 1, code: 0x80, properties: { reasonString: text } }),
      'the reason string of a PUBREL': p.pubrel({ id: 1, code: 0x92, properties: { reasonString: text } }),
      'the reason string of a PUBCOMP': p.pubcomp({ id: 1, code: 0x92, properties: { reasonString: text } }),
      'the reason string of a DISCONNECT': p.disconnect({ code: 0x04, properties: { reasonString: text } })
    })
  }
  return { inConnect, after }
}

// The bytes inside otherwise good text.
const spoilt = (bad) => Buffer.concat([Buffer.from('a'), Buffer.from(bad), Buffer.from('b')])
const spoiltBelow = (world, bad) => Buffer.concat([Buffer.from(`${world.token}/`), spoilt(bad)])

chapter('Strings', (world) => {
  const names = strings({ token: 't', identity: () => ({}) }, 5, 'x', 'x')
  const names4 = strings({ token: 't', identity: () => ({}) }, 4, 'x', 'x')

  const closesOnConnect = (v, where, bad) => async () => {
    const client = await world.open(v)
    client.send(strings(world, v, spoilt(bad), spoiltBelow(world, bad)).inConnect[where])
    // A name that is no token, an unknown method: refused for that reason, too.
    if (v === 5) await client.refuses(null, MALFORMED, 0x85, 0x86, 0x8c, 0x90)
    else await client.refuses(null, 2, 4)
  }
  const closes = (v, where, bad) => async () => {
    const client = await world.peer({ v })
    client.send(strings(world, v, spoilt(bad), spoiltBelow(world, bad)).after[where])
    await client.closes(MALFORMED)
  }

  for (const [what, bad] of [...Object.entries(ILL_FORMED), ...Object.entries(WITH_NUL)]) {
    const rule = what in WITH_NUL ? NO_NUL : WELL_FORMED
    for (const where of Object.keys(names.inConnect)) {
      it(`${FIELDS[where] ?? ''}${rule[5]}: ${what} in ${where}`, closesOnConnect(5, where, bad))
    }
    for (const where of Object.keys(names.after)) {
      it(`${FIELDS[where] ?? ''}${rule[5]}: ${what} in ${where}`, closes(5, where, bad))
    }
    for (const where of Object.keys(names4.inConnect)) {
      it(`${FIELDS_311[where]}${rule[4]}: ${what} in ${where} (MQTT 3.1.1)`, closesOnConnect(4, where, bad))
    }
    for (const where of Object.keys(names4.after)) {
      it(`${FIELDS_311[where]}${rule[4]}: ${what} in ${where} (MQTT 3.1.1)`, closes(4, where, bad))
    }
  }

  for (const v of [5, 4]) {
    it(`[MQTT-1.5.4-3] [MQTT311-1.5.3-3] U+FEFF is a character like any other, not stripped and not skipped (MQTT ${v})`, async () => {
      const space = world.space()
      const client = await world.peer({ v })
      await client.subscribe([[`${space}/\ufeffx`, 0], [`${space}/x`, 0], [`${space}/x\ufeff`, 0]])
      for (const thing of ['\ufeffx', 'x', 'x\ufeff']) {
        client.send(p.publish({ v, topic: `${space}/${thing}`, payload: '\ufeffpayload' }))
        await client.receivesPublish({ topic: `${space}/${thing}`, payload: '\ufeffpayload' })
      }
      await client.silence(space)
    })
  }

  it('[MQTT-1.5.4-3] U+FEFF stays in front of a user property, a content type, a response topic', async () => {
    const space = world.space()
    const properties = { contentType: '\ufefftext', responseTopic: `\ufeff${space}`, userProperty: [['\ufeffa', '\ufeffb']] }
    const client = await world.peer()
    await client.subscribe(`${space}/x`)
    client.send(p.publish({ topic: `${space}/x`, payload: '', properties }))
    await client.receivesPublish({ topic: `${space}/x`, payload: '', properties })
  })

  for (const text of ['\u00e9', '\u20ac', '\u{1f4a1}', '\u{10fffd}', '\ud7ff', '\ue000', '\ufffd']) {
    it(`[MQTT-1.5.4-1] [MQTT311-1.5.3-1] well-formed UTF-8 passes: U+${text.codePointAt(0).toString(16)}`, async () => {
      const space = world.space()
      for (const v of [5, 4]) {
        const client = await world.peer({ v })
        await client.subscribe(`${space}/${text}`)
        client.send(p.publish({ v, topic: `${space}/${text}`, payload: text }))
        await client.receivesPublish({ topic: `${space}/${text}`, payload: text })
      }
    })
  }

  // "SHOULD NOT include", and who receives them MAY treat them as malformed: a
  // topic with them is refused, in other strings they pass.
  for (const text of ['\u0001', '\u009f', '\ufdd0', '\uffff', '\u{10ffff}']) {
    it(`[MQTT-1.5.4-1] no topic has a control character or non-character, other strings may: U+${text.codePointAt(0).toString(16)}`, async () => {
      const space = world.space()
      const properties = { contentType: text, responseTopic: `${space}/${text}`, userProperty: [[text, text]] }
      const client = await world.peer()
      await client.subscribe(`${space}/x`)
      client.send(p.publish({ topic: `${space}/${text}`, qos: 1, id: 7 }))
      await client.expect('PUBACK', { id: 7, code: 0x90 })
      client.send(p.publish({ topic: `${space}/x`, payload: '', properties }))
      await client.receivesPublish({ topic: `${space}/x`, payload: '', properties })
    })
  }
})

chapter('Integers, flags and identifiers', (world) => {
  for (const length of [0, 1, 100, 127, 128, 129, 16383, 16384, 16385, 70000]) {
    it(`[MQTT-1.5.5-1] the server's lengths are as short as can be: payload of ${length} bytes`, async () => {
      const topic = `${world.space()}/x`
      const payload = Buffer.alloc(length, 'x')
      for (const v of [5, 4]) {
        const client = await world.peer({ v })
        await client.subscribe(topic)
        client.send(p.publish({ v, topic, payload }))
        await client.receivesPublish({ topic, payload })
      }
    })
  }

  const long = {
    'a PINGREQ of length 80 00': Buffer.from('c08000', 'hex'),
    'a PINGREQ of length 80 80 80 00': Buffer.from('c080808000', 'hex'),
    'a DISCONNECT of length 80 00': Buffer.from('e08000', 'hex'),
    'a SUBSCRIBE with property length 80 00': p.packet(0x82, 0, 1, 0x80, 0, p.string('x'), 0),
    'an UNSUBSCRIBE with property length 80 80 00': p.packet(0xa2, 0, 1, 0x80, 0x80, 0, p.string('x'))
  }
  for (const [what, data] of Object.entries(long)) {
    it(`[MQTT-1.5.5-1] an integer longer than need be is malformed: ${what}`, async () => {
      const client = await world.peer()
      client.send(data)
      await client.closes(MALFORMED)
    })
  }

  for (const v of [5, 4]) {
    it(`[MQTT-4.13.1-1] [MQTT311-4.8.0-1] a remaining length of five bytes closes (MQTT ${v})`, async () => {
      const client = await world.peer({ v })
      client.send(Buffer.from('30ffffffff01', 'hex'))
      await client.closes(MALFORMED)
    })
  }

  // Packets that are good but for the flags in their first byte.
  const good = (v) => ({
    PUBACK: p.puback({ v, id: 1 }),
    PUBREC: p.pubrec({ v, id: 1 }),
    PUBREL: p.pubrel({ v, id: 1 }),
    PUBCOMP: p.pubcomp({ v, id: 1 }),
    SUBSCRIBE: p.subscribe({ v, filters: [[`${world.token}/x`, 0]] }),
    UNSUBSCRIBE: p.unsubscribe({ v, filters: [`${world.token}/x`] }),
    PINGREQ: p.PINGREQ,
    DISCONNECT: p.disconnect({ v }),
    ...(v === 5 ? { AUTH: p.auth({ properties: { authMethod: 'x' } }) } : {})
  })
  const RIGHT = { PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2 }
  const CLAIMS = {
    PUBACK: '[MQTT-2.1.3-1] reserved flags of PUBACK other than 0000 are malformed',
    PUBREC: '[MQTT-2.1.3-1] reserved flags of PUBREC other than 0000 are malformed',
    PUBREL: '[MQTT-2.1.3-1] [MQTT-3.6.1-1] reserved flags of PUBREL other than 0010 are malformed',
    PUBCOMP: '[MQTT-2.1.3-1] reserved flags of PUBCOMP other than 0000 are malformed',
    SUBSCRIBE: '[MQTT-2.1.3-1] [MQTT-3.8.1-1] reserved flags of SUBSCRIBE other than 0010 are malformed',
    UNSUBSCRIBE: '[MQTT-2.1.3-1] [MQTT-3.10.1-1] reserved flags of UNSUBSCRIBE other than 0010 are malformed',
    PINGREQ: '[MQTT-2.1.3-1] reserved flags of PINGREQ other than 0000 are malformed',
    DISCONNECT: '[MQTT-2.1.3-1] [MQTT-3.14.1-1] reserved flags of DISCONNECT other than 0000 are malformed, 0x81',
    AUTH: '[MQTT-2.1.3-1] [MQTT-3.15.1-1] reserved flags of AUTH other than 0000 close'
  }
  const CLAIMS_311 = {
    PUBACK: '[MQTT311-2.2.2-1] [MQTT311-2.2.2-2] reserved flags of PUBACK other than 0000 close',
    PUBREC: '[MQTT311-2.2.2-1] [MQTT311-2.2.2-2] reserved flags of PUBREC other than 0000 close',
    PUBREL: '[MQTT311-2.2.2-2] [MQTT311-3.6.1-1] reserved flags of PUBREL other than 0010 close',
    PUBCOMP: '[MQTT311-2.2.2-1] [MQTT311-2.2.2-2] reserved flags of PUBCOMP other than 0000 close',
    SUBSCRIBE: '[MQTT311-2.2.2-2] [MQTT311-3.8.1-1] reserved flags of SUBSCRIBE other than 0010 close',
    UNSUBSCRIBE: '[MQTT311-2.2.2-2] [MQTT311-3.10.1-1] reserved flags of UNSUBSCRIBE other than 0010 close',
    PINGREQ: '[MQTT311-2.2.2-1] [MQTT311-2.2.2-2] reserved flags of PINGREQ other than 0000 close',
    DISCONNECT: '[MQTT311-2.2.2-2] [MQTT311-3.14.1-1] reserved flags of DISCONNECT other than 0000 close'
  }
  const withFlags = (data, flags) => p.bytes((data[0] & 0xf0) | flags, data.subarray(1))
  const wrong = (type) => Array.from({ length: 16 }, (_, flags) => flags).filter((flags) => flags !== (RIGHT[type] ?? 0))
  const closesOnFlags = (v, type, flags) => async () => {
    const client = await world.peer({ v })
    client.send(withFlags(good(v)[type], flags))
    // AUTH has no place here at all, whatever its flags
    await client.closes(MALFORMED, ...(type === 'AUTH' ? [PROTOCOL] : []))
  }
  for (const type of Object.keys(CLAIMS)) {
    for (const flags of wrong(type)) {
      it(`${CLAIMS[type]}: ${flags}`, closesOnFlags(5, type, flags))
      if (CLAIMS_311[type]) it(`${CLAIMS_311[type]}: ${flags} (MQTT 3.1.1)`, closesOnFlags(4, type, flags))
    }
  }
  for (const v of [5, 4]) {
    for (const flags of wrong('CONNECT')) {
      it(`[MQTT-2.1.3-1] [MQTT311-2.2.2-2] reserved flags of CONNECT are 0: ${flags} closes (MQTT ${v})`, async () => {
        const client = await world.open(v)
        client.send(withFlags(p.connect({ v, ...world.identity() }), flags))
        await client.refuses(null, ...(v === 5 ? [MALFORMED] : []))
      })
    }
    for (const type of [0, ...(v === 4 ? [15] : [])]) {
      it(`[MQTT-4.13.1-1] [MQTT311-4.8.0-1] a packet type that there is not closes: ${type} (MQTT ${v})`, async () => {
        const client = await world.peer({ v })
        client.send(p.packet(type << 4))
        await client.closes(MALFORMED, PROTOCOL)
      })
    }
    for (const type of ['CONNACK', 'SUBACK', 'UNSUBACK', 'PINGRESP']) {
      it(`[MQTT-4.13.1-1] [MQTT311-4.8.0-1] a packet that only servers send closes: ${type} (MQTT ${v})`, async () => {
        const data = { CONNACK: p.packet(0x20, 0, 0, ...(v === 5 ? [0] : [])), SUBACK: p.suback({ v, codes: [0] }), UNSUBACK: p.unsuback({ v, codes: [0] }), PINGRESP: p.PINGRESP }[type]
        const client = await world.peer({ v })
        client.send(data)
        await client.closes(MALFORMED, PROTOCOL)
      })
    }

    it(`[MQTT-2.2.1-2] [MQTT311-2.3.1-5] a PUBLISH of QoS 0 has no packet identifier (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer({ v })
      await client.subscribe(topic)
      // what would be an identifier is payload
      client.send(p.publish({ v, topic, payload: '\0\x01x' }))
      await client.receivesPublish({ topic, payload: '\0\x01x' })
    })

    const withoutId = {
      'PUBLISH of QoS 1': () => p.publish({ v, topic: `${world.token}/x`, qos: 1, id: 0 }),
      'PUBLISH of QoS 2': () => p.publish({ v, topic: `${world.token}/x`, qos: 2, id: 0 }),
      SUBSCRIBE: () => p.subscribe({ v, id: 0, filters: [[`${world.token}/x`, 0]] }),
      UNSUBSCRIBE: () => p.unsubscribe({ v, id: 0, filters: [`${world.token}/x`] })
    }
    for (const [type, data] of Object.entries(withoutId)) {
      it(`[MQTT-2.2.1-3] [MQTT311-2.3.1-1] a packet identifier is not 0: ${type} (MQTT ${v})`, async () => {
        const client = await world.peer({ v })
        client.send(data())
        await client.closes(MALFORMED, PROTOCOL)
      })
    }

    for (const qos of [1, 2]) {
      it(`[MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT311-2.3.1-4] each PUBLISH of the server has an identifier of its own that is not 0: QoS ${qos} (MQTT ${v})`, async () => {
        const topic = `${world.space()}/x`
        const client = await world.peer({ v })
        const publisher = await world.peer({ v })
        await client.subscribe([[topic, qos]])
        const ids = new Set()
        for (let n = 0; n < 20; n++) await publisher.publish(topic, `${n}`, { qos })
        for (let n = 0; n < 20; n++) {
          const { id } = await client.receivesPublish({ topic, payload: `${n}`, qos })
          assert.ok(!ids.has(id), `${id} is in use`)
          ids.add(id)
        }
      })
    }

    for (const id of [1, 2, 255, 256, 32767, 65535]) {
      it(`[MQTT-2.2.1-5] [MQTT-2.2.1-6] [MQTT311-2.3.1-6] [MQTT311-2.3.1-7] acknowledgements carry the identifier of their packet: ${id} (MQTT ${v})`, async () => {
        const topic = `${world.space()}/x`
        const client = await world.peer({ v })
        client.send(p.publish({ v, topic, qos: 1, id }))
        await client.receives(p.puback({ v, id }))
        client.send(p.publish({ v, topic, qos: 2, id }))
        await client.receives(p.pubrec({ v, id }))
        client.send(p.pubrel({ v, id }))
        await client.receives(p.pubcomp({ v, id }))
        client.send(p.subscribe({ v, id, filters: [[`${topic}/y`, 0]] }))
        await client.receives(p.suback({ v, id, codes: [0] }))
        client.send(p.unsubscribe({ v, id, filters: [`${topic}/y`] }))
        await client.receives(p.unsuback({ v, id, codes: [0] }))
      })
    }
  }

  // Sixty-six thousand messages are enough once.
  if (world.access === 'open') {
    it('[MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT311-2.3.1-4] identifiers begin again after 65535, without 0 and without those in use', async () => {
      const topic = `${world.space()}/x`
      const client = await world.peer()
      await client.subscribe([[topic, 1]])
      const publisher = await world.peer()
      const inUse = new Set()
      const BURST = 200 // below what the server sends unacknowledged
      let id = 0
      for (let sent = 0; sent < 66000; sent += BURST) {
        publisher.send(...Array.from({ length: BURST }, () => {
          id = id % 65535 + 1
          return p.publish({ topic, qos: 1, id })
        }))
        const acknowledged = []
        for (let n = 0; n < BURST; n++) {
          const got = await client.expect('PUBLISH')
          assert.ok(!inUse.has(got.id), `${got.id} is in use`)
          if (sent === 0 && n % 50 === 0) inUse.add(got.id) // never acknowledged
          else acknowledged.push(p.puback({ id: got.id }))
          await publisher.expect('PUBACK')
        }
        client.send(...acknowledged)
      }
    })
  }

  it('[MQTT-2.2.2-1] no properties are a property length of 0', async () => {
    const topic = `${world.space()}/x`
    const client = await world.peer()
    client.send(p.subscribe({ id: 1, filters: [[topic, 0]] }))
    await client.receives(p.packet(0x90, 0, 1, 0, 0))
    client.send(p.publish({ topic, payload: 'x' }))
    await client.receives(p.packet(0x30, p.string(topic), 0, Buffer.from('x')))
    client.send(p.unsubscribe({ id: 2, filters: [topic] }))
    await client.receives(p.packet(0xb0, 0, 2, 0, 0))
  })

  for (const v of [5, 4]) {
    const cut = {
      'a PUBLISH whose topic is longer than the packet': () => p.packet(0x30, p.int16(100), 'x'),
      'a PUBLISH without a topic': () => p.packet(0x30),
      'a PUBLISH of QoS 1 that ends after the topic': () => p.packet(0x32, p.string(`${world.token}/x`)),
      'a SUBSCRIBE of one byte': () => p.packet(0x82, 0),
      'a SUBSCRIBE whose filter is longer than the packet': () => p.packet(0x82, 0, 1, ...(v === 5 ? [0] : []), p.int16(100), 'x'),
      'a SUBSCRIBE without options behind its filter': () => p.packet(0x82, 0, 1, ...(v === 5 ? [0] : []), p.string('x')),
      'an UNSUBSCRIBE whose filter is longer than the packet': () => p.packet(0xa2, 0, 1, ...(v === 5 ? [0] : []), p.int16(100), 'x'),
      'a PUBACK of one byte': () => p.packet(0x40, 0),
      'a PUBREL of one byte': () => p.packet(0x62, 0),
      'a PINGREQ with a body': () => p.packet(0xc0, 0),
      ...(v === 4
        ? { 'a PUBACK of three bytes': () => p.packet(0x40, 0, 1, 0), 'a DISCONNECT with a body': () => p.packet(0xe0, 0) }
        : {
            'properties longer than the packet': () => p.packet(0x30, p.string(`${world.token}/x`), 100),
            'a property that is cut': () => p.publish({ topic: `${world.token}/x`, properties: Buffer.from([0x02, 0, 0]) }),
            'a property that there is not': () => p.publish({ topic: `${world.token}/x`, properties: Buffer.from([0x7e, 0]) }),
            'a property of another packet': () => p.publish({ topic: `${world.token}/x`, properties: { receiveMaximum: 1 } }),
            'a property identifier of two bytes': () => p.publish({ topic: `${world.token}/x`, properties: Buffer.from([0x81, 0x01, 1]) }),
            'a PUBACK with bytes behind its properties': () => p.packet(0x40, 0, 1, 0, 0, 0),
            'a DISCONNECT with bytes behind its properties': () => p.packet(0xe0, 0, 0, 0)
          })
    }
    for (const [what, data] of Object.entries(cut)) {
      it(`[MQTT-4.13.1-1] [MQTT311-4.8.0-1] what is malformed closes: ${what} (MQTT ${v})`, async () => {
        const client = await world.peer({ v })
        client.send(data())
        await client.closes(MALFORMED, PROTOCOL)
      })
    }
  }

  const twice = {
    payloadFormat: 0, messageExpiry: 10, contentType: 'x', responseTopic: 'x', correlationData: 'x', topicAlias: 1
  }
  for (const [name, value] of Object.entries(twice)) {
    it(`[MQTT-4.13.1-1] a property that may stand once is a protocol error twice: ${name} in PUBLISH`, async () => {
      const client = await world.peer()
      client.send(p.publish({ topic: `${world.token}/x`, properties: p.bytes(p.properties({ [name]: value }), p.properties({ [name]: value })) }))
      await client.closes(PROTOCOL)
    })
  }
  it('[MQTT-4.13.1-1] a Payload Format Indicator other than 0 and 1 closes', async () => {
    const client = await world.peer()
    client.send(p.publish({ topic: `${world.token}/x`, properties: { payloadFormat: 2 } }))
    await client.closes(MALFORMED, PROTOCOL)
  })

  it('[MQTT-4.13.2-1] behind a DISCONNECT of 0x80 or more the server closes, and so it does where none can be sent', async () => {
    const five = await world.peer({ v: 5 })
    five.send(p.packet(0x30))
    const { code } = await five.closes(MALFORMED)
    assert.ok(code >= 0x80)
    const four = await world.peer({ v: 4 })
    four.send(p.packet(0x30))
    await four.closes()
  })

  for (const v of [5, 4]) {
    it(`[MQTT311-4.8.0-1] [MQTT-4.13.1-1] what one client did wrong harms nobody else (MQTT ${v})`, async () => {
      const topic = `${world.space()}/x`
      const bystander = await world.peer({ v })
      await bystander.subscribe(topic)
      const client = await world.peer({ v })
      client.send(p.packet(0x30))
      await client.closes(MALFORMED)
      await bystander.publish(topic, 'well')
      await bystander.receivesPublish({ topic, payload: 'well' })
    })
  }
})
