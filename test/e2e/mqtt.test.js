'use strict'
// MQTT, alone and crossing with HTTP: MQTT.js 4 and 5 modes, mosquitto_pub and
// mosquitto_sub, and hand-made packets where a client would hide the answer.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, chat, until } = require('./harness/server')
const { run } = require('./harness/process')
const { within, scaled, FACTOR } = require('./harness/waits')
const wire = require('./harness/wire')

const VERSIONS = [5, 4]

suite('The same things over MQTT', {}, (server) => {
  for (const v of VERSIONS) {
    it(`Topic \`<token>/<thing>\`. HTTP POST appears to MQTT subscribers as a PUBLISH whose payload is the body, byte for byte (MQTT ${v})`, async () => {
      const token = newToken()
      const device = await server.subscriber(token, ['lamp', 'kitchen/+'], { v })
      const bodies = ['{"on":true}', ' {\n"z":1.0e0, "a" :"ü\\u00fc" }\r\n']
      for (const thing of ['lamp', 'kitchen/temp']) {
        for (const body of bodies) {
          await server.say(token, thing, body)
          const message = await device.message()
          assert.deepEqual([message.topic, message.text, message.retain, message.qos], [`${token}/${thing}`, body, false, 1])
        }
      }
    })

    it(`an MQTT PUBLISH appears in latest, history, listen and things (MQTT ${v})`, async () => {
      const token = newToken()
      const listener = await server.listen(token, 'a/b')
      const device = await server.device({ token, v })
      for (const [n, qos] of [0, 1].entries()) {
        await device.publish(`${token}/a/b`, { n }, { qos })
        const message = await listener.expect('message')
        assert.deepEqual([message.thing, message.token, message.chat], ['a/b', token, { n }])
        assert.deepEqual(await server.latest(token, 'a/b'), message)
        const [{ id, chat: stored }] = await server.history(token, 'a/b')
        assert.deepEqual([id, stored], [message.id, { n }])
      }
      assert.deepEqual(await server.things(token), ['a/b'])
    })
  }

  const payloads = {
    'an array': ['[1, 2]', [1, 2]],
    'a number': ['22.50', 22.5],
    'a string': ['"text"', 'text'],
    null: ['null', null],
    true: [' true ', true]
  }
  for (const [what, [payload, value]] of Object.entries(payloads)) {
    it(`Payloads that are JSON but no object pass as they are: ${what}`, async () => {
      const token = newToken()
      const device = await server.device({ token })
      await device.publish(`${token}/x`, payload)
      assert.deepEqual((await server.latest(token, 'x')).chat, value)
      const { text } = await server.get(chat(token, 'x', '/latest'))
      assert.ok(text.includes(`"chat":${payload}`), text)
    })
  }

  it('text becomes a string', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'x')
    const texts = ['on', '22.5 °C', '{"open":', '{"a":1}x', '01', 'NaN', ' ', 'tab\tand\nline\rend "quoted" \\', '\u2028\u2029', 'x'.repeat(100000)]
    for (const text of texts) {
      await device.publish(`${token}/x`, text)
      assert.equal((await server.latest(token, 'x')).chat, text)
      assert.equal((await device.message()).text, text, 'and stays text over MQTT')
    }
  })

  it('binary `{"$binary":…}`', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'x')
    for (const bytes of [[0xff], [0, 1, 2, 3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], Array.from({ length: 256 }, (_, i) => i)]) {
      const payload = Buffer.from(bytes)
      await device.publish(`${token}/x`, payload)
      assert.deepEqual((await device.message()).payload, payload)
      const { chat: seen } = await server.latest(token, 'x')
      if (typeof seen === 'string') assert.deepEqual(Buffer.from(seen), payload) // control characters may pass as text
      else assert.deepEqual(seen, { $binary: payload.toString('base64') })
      if (bytes[0] === 0xff) assert.equal(typeof seen, 'object')
    }
  })

  it('an empty payload `""`', async () => {
    const token = newToken()
    const listener = await server.listen(token, 'x')
    const device = await server.subscriber(token, 'x')
    await device.publish(`${token}/x`, '')
    assert.equal((await device.message()).payload.length, 0)
    assert.equal((await listener.expect('message')).chat, '')
    assert.equal((await server.latest(token, 'x')).chat, '')
  })

  it('`application/msgpack` as content type of an MQTT PUBLISH stays bytes for MQTT', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'x')
    const payload = Buffer.from([0x81, 0xa1, 0x61, 0xff])
    await device.publish(`${token}/x`, payload, { qos: 1, properties: { contentType: 'application/msgpack' } })
    const message = await device.message()
    assert.deepEqual(message.payload, payload)
    assert.equal(message.properties.contentType, 'application/msgpack')
  })

  it('The same rule holds for MQTT publishes by token clients (0x90)', async () => {
    const token = newToken()
    const device = await server.device({ token })
    const bad = ['', '/', 'a//b', '/a', 'a/', '$x', '$SYS/a', 'x'.repeat(257), 'ü'.repeat(129)]
    for (const thing of bad) {
      const { code } = await device.publish(`${token}/${thing}`, '{}')
      assert.equal(code, 0x90, JSON.stringify(thing))
    }
    for (const thing of ['x', 'x'.repeat(256), 'a/$b', 'ü'.repeat(128)]) {
      assert.equal((await device.publish(`${token}/${thing}`, '{}')).code, 0, thing)
    }
    assert.equal((await server.things(token)).length, 4)
  })

  it('no control characters in a topic: 0x90, or 0x81 as malformed', async () => {
    const token = newToken()
    for (const thing of ['a\u0001b', 'a\nb', 'a\u007f', 'a\u0085']) {
      const device = await server.device({ token })
      const code = await Promise.race([
        device.publish(`${token}/${thing}`, '{}').then(({ code }) => code, () => device.closed.then((packet) => packet?.reasonCode)),
        device.closed.then((packet) => packet?.reasonCode)
      ])
      assert.ok([0x90, 0x81].includes(code), `${JSON.stringify(thing)}: ${code}`)
    }
    assert.deepEqual(await server.things(token), [])
  })

  it('the topic `<token>` alone is no thing', async () => {
    const token = newToken()
    const device = await server.device({ token })
    assert.ok([0x87, 0x90].includes((await device.publish(token, '{}')).code))
    assert.deepEqual(await server.things(token), [])
  })

  it('MQTT 3.1.1 has no refusal: an invalid topic closes the connection or is acknowledged, and stores nothing', async () => {
    const token = newToken()
    const device = await server.wire({ v: 4, token })
    device.send(wire.publish({ v: 4, topic: `${token}/a//b`, payload: '{}', qos: 1 }))
    await Promise.race([device.closed, device.packets.next()])
    assert.deepEqual(await server.things(token), [])
  })
})

suite('Publishing and subscribing', {}, (server) => {
  it('PUBACK after the commit: a message that was acknowledged can be read at once', async () => {
    const token = newToken()
    const device = await server.device({ token })
    for (let n = 0; n < 50; n++) {
      assert.equal((await device.publish(`${token}/x`, { n })).code, 0)
      assert.deepEqual((await server.latest(token, 'x')).chat, { n })
    }
  })

  for (const v of VERSIONS) {
    it(`thousands in flight are all acknowledged and stored in order (MQTT ${v})`, async () => {
      const token = newToken()
      const device = await server.device({ token, v })
      const acks = []
      for (let n = 0; n < 3000; n++) acks.push(device.publish(`${token}/x`, { n }))
      for (const { code } of await Promise.all(acks)) assert.equal(code, 0)
      const { lines } = await server.get(chat(token, 'x', '/history?order=asc'), { Accept: 'application/x-ndjson' })
      assert.deepEqual(lines.map((line) => JSON.parse(line).chat.n), Array.from({ length: 3000 }, (_, n) => n))
    })

    it(`SUBSCRIBE with + and # (MQTT ${v})`, async () => {
      const token = newToken()
      const publisher = await server.device({ token, v })
      const cases = {
        a: ['a'],
        '+': ['a', 'b'],
        'a/+': ['a/b', 'a/c'],
        'a/#': ['a', 'a/b', 'a/c', 'a/b/c'],
        '+/b': ['a/b'],
        '+/+/c': ['a/b/c'],
        '#': ['a', 'b', 'a/b', 'a/c', 'a/b/c']
      }
      const devices = []
      for (const filter of Object.keys(cases)) devices.push(await server.subscriber(token, [filter, 'the/very/end'], { v }))
      for (const thing of ['a', 'b', 'a/b', 'a/c', 'a/b/c', 'the/very/end']) await publisher.publish(`${token}/${thing}`, '{}')
      for (const [i, [filter, expected]] of Object.entries(cases).entries()) {
        const got = []
        for (;;) {
          const thing = (await devices[i].message()).topic.slice(token.length + 1)
          if (thing === 'the/very/end') break
          got.push(thing)
        }
        assert.deepEqual(got, expected, filter)
      }
    })

    it(`after UNSUBSCRIBE nothing more comes (MQTT ${v})`, async () => {
      const token = newToken()
      const device = await server.subscriber(token, ['a', 'b'], { v })
      await device.unsubscribe([`${token}/a`])
      await server.say(token, 'a', {})
      await server.say(token, 'b', {})
      assert.equal((await device.message()).topic, `${token}/b`)
    })

    it(`a message comes with the lower of published and granted QoS (MQTT ${v})`, async () => {
      const token = newToken()
      const device = await server.device({ token, v })
      assert.deepEqual(await device.subscribe(`${token}/zero`, { qos: 0 }), [0])
      assert.deepEqual(await device.subscribe(`${token}/one`, { qos: 1 }), [1])
      for (const [thing, qos, expected] of [['zero', 0, 0], ['zero', 1, 0], ['one', 0, 0], ['one', 1, 1]]) {
        await device.publish(`${token}/${thing}`, 'x', { qos })
        assert.equal((await device.message()).qos, expected, `${thing} published with ${qos}`)
      }
    })
  }

  it('v5 and v3.1.1 clients hear each other', async () => {
    const token = newToken()
    const [five, four] = [await server.subscriber(token, 'x', { v: 5 }), await server.subscriber(token, 'x', { v: 4 })]
    await five.publish(`${token}/x`, 'from five', { qos: 1, properties: { userProperties: { a: 'b' } } })
    await four.publish(`${token}/x`, 'from four')
    for (const device of [five, four]) {
      assert.deepEqual((await device.messages.take(2)).map(({ text }) => text), ['from five', 'from four'])
    }
  })

  it('CONNACK forbids nothing: no Maximum QoS, nothing "unavailable"', async () => {
    const { properties } = (await server.device({ token: newToken() })).connack
    for (const name of ['maximumQoS', 'retainAvailable', 'wildcardSubscriptionAvailable', 'subscriptionIdentifiersAvailable', 'sharedSubscriptionAvailable']) {
      assert.equal(properties[name], undefined, name)
    }
    assert.equal(properties.topicAliasMaximum, 16)
  })

  it('a client without an id is given one (v5)', async () => {
    const device = await server.device({ token: newToken(), clientId: '' })
    assert.ok(device.connack.properties.assignedClientIdentifier?.length > 0)
  })

  it('PINGREQ → PINGRESP', async () => {
    for (const v of VERSIONS) {
      const device = await server.wire({ v, token: newToken() })
      device.send(wire.PINGREQ)
      await device.expect('PINGRESP')
    }
  })

  it('DISCONNECT closes the connection', async () => {
    const device = await server.wire({ token: newToken() })
    device.send(wire.DISCONNECT)
    assert.equal(await device.closeReason(), null)
  })

  it('keep-alive enforced: one and a half times the keep-alive without a packet closes with 0x8D', async () => {
    const device = await server.wire({ token: newToken(), keepAlive: 1 })
    const started = Date.now()
    assert.equal(await device.closeReason(), 0x8d)
    const took = Date.now() - started
    assert.ok(took >= 1400 && took < 4000 * FACTOR, `after ${took} ms`)
  })

  it('keep-alive enforced: pings keep a connection', async () => {
    const token = newToken()
    const silent = await server.wire({ token, keepAlive: 1, clientId: 'silent' })
    const device = await server.wire({ token, keepAlive: 1, clientId: 'pinging' })
    let open = true
    device.closed.then(() => { open = false })
    const pings = setInterval(() => device.send(wire.PINGREQ), 300)
    await silent.closeReason()
    await device.expect('PINGRESP')
    clearInterval(pings)
    assert.ok(open)
  })

  it('a token takes over its own client id: the old connection gets 0x8E', async () => {
    const token = newToken()
    const old = await server.wire({ token, clientId: 'one' })
    const fresh = await server.device({ token, clientId: 'one' })
    assert.equal(await old.closeReason(), 0x8e)
    assert.equal((await fresh.publish(`${token}/x`, '{}')).code, 0)
  })

  it('a token takes over its own client id: v3.1.1 is just closed', async () => {
    const token = newToken()
    const old = await server.wire({ v: 4, token, clientId: 'one' })
    await server.wire({ v: 4, token, clientId: 'one' })
    assert.equal(await old.closeReason(), null)
  })

  it('no tenant can take over another\'s session', async () => {
    const mine = await server.subscriber(newToken(), 'x', { clientId: 'same' })
    const token = newToken()
    const other = await server.device({ token, clientId: 'same' })
    assert.equal((await other.publish(`${token}/x`, '{}')).code, 0)
    assert.equal(mine.client.connected, true)
    assert.deepEqual(await mine.subscribe(`${mine.client.options.username}/y`), [1])
  })

  it('a session with expiry 0 is gone with its connection', async () => {
    const token = newToken()
    const first = await server.subscriber(token, '#', { clientId: 'one' })
    await first.end()
    const again = await server.device({ token, clientId: 'one' })
    assert.equal(again.connack.sessionPresent, false)
    await server.say(token, 'x', {})
    await again.subscribe(`${token}/y`)
    await server.say(token, 'y', {})
    assert.equal((await again.message()).topic, `${token}/y`)
  })
})

suite('Retained messages', {}, (server) => {
  for (const v of VERSIONS) {
    it(`a retained message greets every new subscriber, the last one only (MQTT ${v})`, async () => {
      const token = newToken()
      const device = await server.device({ token, v })
      await device.publish(`${token}/a`, 'old', { qos: 1, retain: true })
      await device.publish(`${token}/a`, 'new', { qos: 1, retain: true })
      await device.publish(`${token}/a`, 'passing', { qos: 1 })
      await device.publish(`${token}/b/c`, 'deep', { qos: 0, retain: true })
      await until(async () => (await server.things(token)).includes('b/c'), 'storing of QoS 0')
      const reader = await server.subscriber(token, '#', { v })
      const got = (await reader.messages.take(2)).sort((one, two) => one.topic < two.topic ? -1 : 1)
      assert.deepEqual(got.map(({ topic, text, retain }) => [topic.slice(token.length + 1), text, retain]),
        [['a', 'new', true], ['b/c', 'deep', true]])
      await device.publish(`${token}/a`, 'live', { qos: 1, retain: true })
      const live = await reader.message()
      assert.deepEqual([live.text, live.retain], ['live', false], 'not marked to those who were there')
    })

    it(`an empty retained message removes it (MQTT ${v})`, async () => {
      const token = newToken()
      const device = await server.device({ token, v })
      await device.publish(`${token}/a`, 'kept', { qos: 1, retain: true })
      await device.publish(`${token}/b`, 'kept', { qos: 1, retain: true })
      await device.publish(`${token}/a`, '', { qos: 1, retain: true })
      const reader = await server.subscriber(token, '#', { v })
      assert.equal((await reader.message()).topic, `${token}/b`)
      await server.say(token, 'marker', {})
      assert.equal((await reader.message()).topic, `${token}/marker`)
    })
  }

  it('a retained message is also in latest and history', async () => {
    const token = newToken()
    const device = await server.device({ token })
    await device.publish(`${token}/a`, '{"n":1}', { qos: 1, retain: true })
    assert.deepEqual((await server.latest(token, 'a')).chat, { n: 1 })
  })

  it('nothing retained of another token', async () => {
    const token = newToken()
    const other = await server.device({ token: newToken() })
    await other.publish(`${other.client.options.username}/a`, 'theirs', { qos: 1, retain: true })
    const reader = await server.subscriber(token, '#')
    await server.say(token, 'marker', {})
    assert.equal((await reader.message()).topic, `${token}/marker`)
  })

  it('Retain Handling 2 sends none, 1 only for a new subscription', async () => {
    const token = newToken()
    const device = await server.device({ token })
    await device.publish(`${token}/a`, 'kept', { qos: 1, retain: true })
    await device.subscribe(`${token}/a`, { qos: 1, rh: 2 })
    await server.say(token, 'a', '{"marker":1}')
    assert.equal((await device.message()).text, '{"marker":1}')
    await device.subscribe(`${token}/a`, { qos: 1, rh: 1 })
    await server.say(token, 'a', '{"marker":2}')
    assert.equal((await device.message()).text, '{"marker":2}')
    await device.unsubscribe([`${token}/a`])
    await device.subscribe(`${token}/a`, { qos: 1, rh: 1 })
    assert.equal((await device.message()).text, 'kept')
  })
})

suite('Wills', {}, (server) => {
  for (const v of VERSIONS) {
    it(`a will is published when the connection is cut (MQTT ${v})`, async () => {
      const token = newToken()
      const watcher = await server.subscriber(token, 'status/#', { v })
      const device = await server.device({ token, v, will: { topic: `${token}/status/one`, payload: '{"gone":true}', qos: 1 } })
      device.cut()
      const message = await watcher.message()
      assert.deepEqual([message.topic, message.text], [`${token}/status/one`, '{"gone":true}'])
      assert.deepEqual((await server.latest(token, 'status/one')).chat, { gone: true })
    })

    it(`a will is not published after DISCONNECT (MQTT ${v})`, async () => {
      const token = newToken()
      const watcher = await server.subscriber(token, '#', { v })
      const device = await server.wire({ v, token, will: { topic: `${token}/status`, payload: 'gone' } })
      device.send(wire.DISCONNECT)
      await device.closeReason()
      await server.say(token, 'marker', {})
      assert.equal((await watcher.message()).topic, `${token}/marker`)
    })
  }

  it('a will is published after DISCONNECT 0x04 (v5)', async () => {
    const token = newToken()
    const watcher = await server.subscriber(token, 'status')
    const device = await server.wire({ token, will: { topic: `${token}/status`, payload: 'gone' } })
    device.send(wire.packet(0xe0, 0x04, 0x00))
    assert.equal((await watcher.message()).text, 'gone')
  })

  it('a retained will is retained', async () => {
    const token = newToken()
    const device = await server.device({ token, will: { topic: `${token}/status`, payload: 'gone', qos: 1, retain: true } })
    device.cut()
    await until(async () => (await server.things(token)).length > 0, 'storing of the will')
    const watcher = await server.subscriber(token, 'status')
    const message = await watcher.message()
    assert.deepEqual([message.text, message.retain], ['gone', true])
  })

  it('a will is published on takeover and on keep-alive time-out', async () => {
    const token = newToken()
    const watcher = await server.subscriber(token, 'status/#')
    await server.wire({ token, clientId: 'one', will: { topic: `${token}/status/one`, payload: 'taken over' } })
    await server.wire({ token, clientId: 'one' })
    assert.equal((await watcher.message()).text, 'taken over')
    await server.wire({ token, clientId: 'two', keepAlive: 1, will: { topic: `${token}/status/two`, payload: 'asleep' } })
    assert.equal((await watcher.message()).text, 'asleep')
  })

  it('A will is authorised at CONNECT', async () => {
    const token = newToken()
    for (const topic of [`${newToken()}/x`, '$SYS/x', 'x', `${token}/a//b`]) {
      const device = await server.wire()
      device.send(wire.connect({ token, will: { topic, payload: 'x' } }))
      const { type, body } = await device.packets.next()
      assert.equal(type, 'CONNACK')
      assert.ok([0x87, 0x90].includes(body[1]), `${topic}: ${body[1]}`)
      await within(device.closed, 'closing')
    }
  })
})

suite('Who may do what', {}, (server) => {
  it('every foreign topic is refused (PUBACK 0x87)', async () => {
    const token = newToken()
    const other = newToken()
    const watcher = await server.subscriber(other, '#')
    const device = await server.device({ token })
    for (const topic of [`${other}/x`, other, 'x', 'x/y', `${token}x/y`, `/${token}/x`, token.toLowerCase() + 'X/x']) {
      const { code } = await device.publish(topic, '{}')
      assert.equal(code, 0x87, topic.replace(other, '<other>').replace(token, '<token>'))
    }
    await server.say(other, 'marker', {})
    assert.equal((await watcher.message()).topic, `${other}/marker`)
    assert.deepEqual(await server.things(other), ['marker'])
  })

  it('`#` and `+/…` at the first level, and foreign filters, are refused (SUBACK 0x87)', async () => {
    const token = newToken()
    const other = newToken()
    const device = await server.device({ token })
    const filters = ['#', '+', '+/x', '+/#', `${other}/#`, `${other}/x`, 'x', '$SYS/#', '$confab/#', '$events/#', `$events/${other}/#`]
    assert.deepEqual(await device.subscribe(filters), filters.map(() => 0x87))
    assert.deepEqual(await device.subscribe([`${token}/#`, '#']), [1, 0x87], 'each by itself')
    await server.say(other, 'x', {})
    await server.say(token, 'x', {})
    assert.equal((await device.message()).topic, `${token}/x`)
  })

  it('v3.1.1 knows only 0x80', async () => {
    const token = newToken()
    const device = await server.device({ token, v: 4 })
    assert.deepEqual(await device.subscribe([`${token}/x`, '#', `${newToken()}/x`]), [1, 0x80, 0x80])
  })

  it('`$events/<token>/…` is readable under the token, and written by its clients and the nameless', async () => {
    const token = newToken()
    const device = await server.device({ token })
    assert.deepEqual(await device.subscribe(`$events/${token}/#`), [1])
    await device.publish(`$events/${token}/typing/x`, '{}', { qos: 1 })
    const raw = await server.device({})
    await raw.publish(`$events/${token}/typing/y`, '{}', { qos: 1 })
    assert.equal((await raw.publish(`$events/${token}/revoked/x`, '', { qos: 1 })).code, 0x87)
    await device.subscribe(`${token}/#`)
    await server.say(token, 'marker', {})
    for (const topic of [`$events/${token}/typing/x`, `$events/${token}/typing/y`, `${token}/marker`]) {
      assert.equal((await device.message()).topic, topic)
    }
  })

  it('Open mode: clients without a user name may use the whole topic space', async () => {
    const token = newToken()
    const watcher = await server.device({})
    assert.deepEqual(await watcher.subscribe(['#', `${token}/x`]), [1, 1])
    const device = await server.device({})
    assert.equal((await device.publish(`${token}/x`, '{"n":1}')).code, 0)
    assert.equal((await watcher.messages.find(({ topic }) => topic === `${token}/x`)).text, '{"n":1}')
    assert.deepEqual((await server.latest(token, 'x')).chat, { n: 1 })
  })

  it('topics that are no `<token>/<thing>` are stored and served over MQTT only', async () => {
    const device = await server.device({})
    const topic = `odd topic ${newToken()}//x`
    assert.equal((await device.publish(topic, 'kept', { qos: 1, retain: true })).code, 0)
    const watcher = await server.device({ v: 4 })
    await watcher.subscribe(topic)
    const message = await watcher.message()
    assert.deepEqual([message.topic, message.text, message.retain], [topic, 'kept', true])
  })

  it('client publishes to `$…` are acknowledged and dropped', async () => {
    const device = await server.device({})
    await device.subscribe(['$test/#', '#'])
    assert.equal((await device.publish('$test/x', '{}', { qos: 1, retain: true })).code, 0)
    assert.equal((await device.publish('$confab/token_create', '{}')).code, 0)
    assert.equal((await device.publish('$confab/token_revoke', '{}')).code, 0)
    const token = newToken()
    await device.publish(`${token}/marker`, '{}')
    assert.equal((await device.messages.find(({ retain }) => !retain)).topic, `${token}/marker`)
    const late = await server.device({})
    assert.ok((await late.subscribe('$test/#'))[0] < 0x80)
    await late.subscribe(`${token}/#`)
    await server.say(token, 'marker', {})
    assert.equal((await late.message()).topic, `${token}/marker`)
  })
})

suite('User properties, stamps and receipts', {}, (server) => {
  it('Reserved user properties `confab-*` are refused (PUBACK 0x83, nothing stored)', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'x')
    for (const name of ['confab-id', 'confab-op', 'confab-idempotency', 'confab-class', 'confab-anything', 'confab-']) {
      const { code } = await device.publish(`${token}/x`, '{"forged":true}', { qos: 1, properties: { userProperties: { fine: '1', [name]: '1' } } })
      assert.equal(code, 0x83, name)
    }
    await device.publish(`${token}/x`, '{"forged":true}', { qos: 0, properties: { userProperties: { 'confab-id': '1' } } })
    await device.publish(`${token}/x`, '{"marker":true}')
    assert.equal((await device.message()).text, '{"marker":true}')
    assert.equal((await server.history(token, 'x')).length, 1)
  })

  it('a reserved user property in a will is refused at CONNECT', async () => {
    const token = newToken()
    const device = await server.wire()
    device.send(wire.connect({ token, will: { topic: `${token}/x`, payload: 'x', properties: wire.userProperty('confab-id', '7') } }))
    const { type, body } = await device.packets.next()
    assert.equal(type, 'CONNACK')
    assert.ok(body[1] >= 0x80)
  })

  it('all others are forwarded unaltered and in order', async () => {
    const token = newToken()
    const watcher = await server.wire({ token, clientId: 'watcher' })
    watcher.send(wire.subscribe({ filter: `${token}/x` }))
    await watcher.expect('SUBACK')
    const pairs = [['b', '1'], ['a', '2'], ['b', '3'], ['', ''], ['b', '1'], ['Confab-id', 'upper'], ['confab', 'x'], ['ü', '💡']]
    const properties = wire.bytes(...pairs.map(([name, value]) => wire.userProperty(name, value)))
    const device = await server.wire({ token, clientId: 'device' })
    device.send(wire.publish({ topic: `${token}/x`, payload: 'p', qos: 1, properties }))
    assert.equal((await device.expect('PUBACK')).body[2] ?? 0, 0)
    const { body } = await watcher.expect('PUBLISH')
    assert.ok(body.includes(properties), body.toString('hex'))
  })

  it('other properties pass: content type, response topic, correlation data, payload format, expiry', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'x')
    const properties = { contentType: 'text/plain', responseTopic: `${token}/answer`, correlationData: Buffer.from([0, 1, 255]), payloadFormatIndicator: true, messageExpiryInterval: 1000 }
    await device.publish(`${token}/x`, 'text', { qos: 1, properties })
    const got = (await device.message()).properties
    assert.deepEqual([got.contentType, got.responseTopic, got.payloadFormatIndicator], ['text/plain', `${token}/answer`, true])
    assert.deepEqual(Buffer.from(got.correlationData), properties.correlationData)
    assert.ok(got.messageExpiryInterval > 990 && got.messageExpiryInterval <= 1000, `${got.messageExpiryInterval}`)
  })

  it('a client that asks (CONNECT user property `confab` = `stamp`) gets `confab-id`, `confab-seq`, `confab-at` appended last to each PUBLISH', async () => {
    const token = newToken()
    const device = await server.wire({ token, properties: wire.userProperty('confab', 'stamp') })
    device.send(wire.subscribe({ filter: `${token}/#` }))
    await device.expect('SUBACK')
    const publisher = await server.device({ token })
    for (let n = 1; n <= 3; n++) {
      await publisher.publish(`${token}/x`, { n }, { qos: 1, properties: { userProperties: { own: 'first' } } })
      const { createdAt, id } = await server.latest(token, 'x')
      const { body } = await device.expect('PUBLISH')
      const end = wire.bytes(wire.userProperty('own', 'first'), wire.userProperty('confab-id', String(id)), wire.userProperty('confab-seq', String(n)))
      const at = body.indexOf(end)
      assert.ok(at > 0, body.toString('latin1'))
      const rest = body.subarray(at + end.length).toString('latin1')
      const [, microseconds] = /^&\0\x09confab-at\0\x10(\d{16})\{"n":/.exec(rest) ?? assert.fail(rest)
      assert.equal(Math.floor(Number(microseconds) / 1000), Date.parse(createdAt))
    }
  })

  it('HTTP messages are stamped, too', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'x', { properties: { userProperties: { confab: 'stamp' } } })
    const id = await server.say(token, 'x', {})
    const { userProperties } = (await device.message()).properties
    assert.equal(userProperties['confab-id'], String(id))
    assert.equal(userProperties['confab-seq'], '1')
  })

  it('a client that asks (`confab` = `receipts`) gets them in PUBACK', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'x', { properties: { userProperties: { confab: 'receipts' } } })
    for (let n = 1; n <= 2; n++) {
      const { code, properties } = await device.publish(`${token}/x`, { n })
      assert.equal(code, 0)
      assert.equal(properties.userProperties?.['confab-id'], String((await server.latest(token, 'x')).id))
      assert.equal(properties.userProperties['confab-seq'], String(n))
      assert.match(properties.userProperties['confab-at'], /^\d{16}$/)
      assert.equal((await device.message()).properties.userProperties?.['confab-id'], undefined, 'stamps were not asked for')
    }
  })

  it('both may be asked for at once; who asks for nothing gets nothing', async () => {
    const token = newToken()
    const both = await server.subscriber(token, 'x', { properties: { userProperties: { confab: ['stamp', 'receipts'] } } })
    const none = await server.subscriber(token, 'x')
    const receipt = (await both.publish(`${token}/x`, '{}')).properties.userProperties
    assert.equal((await both.message()).properties.userProperties['confab-id'], receipt['confab-id'])
    assert.equal((await none.message()).properties.userProperties?.['confab-id'], undefined)
    assert.equal((await none.publish(`${token}/x`, '{}')).properties.userProperties, undefined)
  })

  it('stamps are left out where the packet would exceed its Maximum Packet Size', async () => {
    const token = newToken()
    const maximum = 200
    const device = await server.subscriber(token, 'x', { properties: { maximumPacketSize: maximum, userProperties: { confab: 'stamp' } } })
    const publisher = await server.device({ token })
    await publisher.publish(`${token}/x`, 'short')
    assert.ok((await device.message()).properties.userProperties['confab-id'])
    const long = 'x'.repeat(maximum - 50) // fits bare, not with three stamps
    await publisher.publish(`${token}/x`, long)
    const message = await device.message()
    assert.equal(message.text, long)
    assert.equal(message.properties.userProperties?.['confab-id'], undefined)
  })

  it('a message larger than a client\'s Maximum Packet Size is skipped, not an error', async () => {
    const token = newToken()
    const device = await server.subscriber(token, 'x', { properties: { maximumPacketSize: 200 } })
    const publisher = await server.device({ token })
    await publisher.publish(`${token}/x`, 'x'.repeat(1000))
    await publisher.publish(`${token}/x`, 'marker')
    assert.equal((await device.message()).text, 'marker')
  })
})

suite('mosquitto_pub and mosquitto_sub', {}, (server) => {
  const where = (token) => ['-h', '127.0.0.1', '-p', String(server.mqttPort), '-u', token]

  for (const version of ['mqttv31', 'mqttv311', 'mqttv5']) {
    it(`mosquitto_pub → latest and listen, POST → mosquitto_sub (${version})`, async () => {
      const token = newToken()
      const listener = await server.listen(token, 'kitchen/temp')
      const sub = server.follow('mosquitto_sub', ['-d', '-V', version, ...where(token), '-t', `${token}/#`, '-v', '-q', '1'])
      await sub.lines.find((line) => line.startsWith('Subscribed'))
      const pub = await run('mosquitto_pub', ['-V', version, ...where(token), '-t', `${token}/kitchen/temp`, '-q', '1', '-m', '{"celsius":21}'])
      assert.equal(pub.code, 0, pub.stderr)
      assert.deepEqual((await server.latest(token, 'kitchen/temp')).chat, { celsius: 21 })
      assert.deepEqual((await listener.expect('message')).chat, { celsius: 21 })
      await server.say(token, 'lamp', '{"on": true}')
      const isMessage = (line) => line.startsWith(`${token}/`)
      assert.equal(await sub.lines.find(isMessage), `${token}/kitchen/temp {"celsius":21}`)
      assert.equal(await sub.lines.find(isMessage), `${token}/lamp {"on": true}`)
      await sub.stop()
    })
  }

  it('mosquitto_pub -l sends a thousand lines, all stored', async () => {
    const token = newToken()
    const input = Array.from({ length: 1000 }, (_, n) => `{"n":${n}}`).join('\n') + '\n'
    const pub = await run('mosquitto_pub', ['-V', 'mqttv5', ...where(token), '-t', `${token}/x`, '-q', '1', '-l'], { input, limit: scaled(20000) })
    assert.equal(pub.code, 0, pub.stderr)
    const { lines } = await server.get(chat(token, 'x', '/history?order=asc'), { Accept: 'application/x-ndjson' })
    assert.deepEqual(lines.map((line) => JSON.parse(line).chat.n), Array.from({ length: 1000 }, (_, n) => n))
  })

  it('mosquitto_pub -r is greeted with, mosquitto_sub -C 1 ends', async () => {
    const token = newToken()
    await run('mosquitto_pub', [...where(token), '-t', `${token}/x`, '-q', '1', '-r', '-m', 'kept'])
    const sub = await run('mosquitto_sub', [...where(token), '-t', `${token}/x`, '-C', '1', '-F', '%r %p'])
    assert.equal(sub.stdout, '1 kept\n')
  })

  it('mosquitto_sub is told that a foreign topic is refused', async () => {
    const token = newToken()
    const sub = await run('mosquitto_sub', ['-V', 'mqttv5', ...where(token), '-t', `${newToken()}/#`, '-E'])
    assert.match(sub.stdout + sub.stderr, /denied|not authori[sz]ed/i)
  })
})
