'use strict'
// Whatever code points a tenant puts into a message: the connection between the
// bridge and the broker stands, and other clients get the strings unaltered.
// MQTT 5 §1.5.4 lets a receiver close the connection for control characters and
// non-characters, and libmosquitto, which the link and the command line are made
// of, does.
const assert = require('node:assert/strict')
const http = require('node:http')
const { it, before } = require('node:test')
const { suite, BINARY, newToken, chat, until } = require('./harness/server')
const { within, scaled } = require('./harness/waits')
const wire = require('./harness/wire')

const BATCH = 1000 // PUBLISHes, then their PUBACKs
const TOPIC_INVALID = 0x90
const TOPIC_FILTER_INVALID = 0x8f
const FAILURE = 0x80 // all that MQTT 3.1.1 has
const [CONTENT_TYPE, RESPONSE_TOPIC] = [0x03, 0x08]

const isDisallowed = (c) => c < 0x20 || (c >= 0x7f && c <= 0x9f) ||
  (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) === 0xfffe

// Every code point of the first plane, and some of each other; what no string of
// MQTT may have (U+0000, surrogates) is left out.
function codePoints () {
  const list = []
  for (let c = 1; c <= 0xffff; c++) if (c < 0xd800 || c > 0xdfff) list.push(c)
  for (let plane = 0x10000; plane <= 0x100000; plane += 0x10000) {
    for (const c of [0, 1, 0x7f, 0x80, 0xf600, 0xfdd0, 0xfdef, 0xfffd, 0xfffe, 0xffff]) list.push(plane + c)
  }
  return list
}

// The last levels of topics that are no single level of one character.
const isSpecial = (c) => '+#/'.includes(String.fromCodePoint(c))

const strings = {
  'user property value': (text) => wire.userProperty('k', text),
  'user property name': (text) => wire.userProperty(`k${text}`, 'v'),
  'content type': (text) => wire.bytes(CONTENT_TYPE, wire.string(text)),
  'response topic': (text) => wire.bytes(RESPONSE_TOPIC, wire.string(`r/${text}`))
}
const everywhere = (text) => wire.bytes(...Object.values(strings).map((property) => property(text)))

// Publishes with QoS 1; → the reason codes of the PUBACKs.
async function publishAll (client, messages) {
  const reasons = []
  for (let at = 0; at < messages.length; at += BATCH) {
    const batch = messages.slice(at, at + BATCH)
    client.send(...batch.map((message, i) => wire.publish({ qos: 1, id: i + 1, ...message })))
    for (let i = 0; i < batch.length; i++) {
      const { body } = await client.expect('PUBACK')
      reasons.push(body.length > 2 ? body[2] : 0)
    }
  }
  return reasons
}

// Counts the messages of a stream without looking into them.
function countingStream (server, token) {
  const stream = { count: 0 }
  const request = http.get(`${server.base}/${token}/listen?things=%23`, { headers: { Accept: 'text/event-stream' }, agent: false })
  server.clients.push(() => request.destroy())
  request.on('error', () => {})
  stream.opened = new Promise((resolve) => {
    request.on('response', (response) => {
      let rest = ''
      response.setEncoding('latin1')
      response.on('data', (text) => {
        const parts = (rest + text).split('event: message\n')
        rest = parts.pop().slice(-20)
        stream.count += parts.length
        if (text.includes('event: status')) resolve()
      })
    })
  })
  return stream
}

function linkStands (server) {
  assert.doesNotMatch(server.stderr, /broker away/)
  assert.equal(server.stderr.match(/connected to .*confab\.sock/g)?.length, 1)
}

suite('Any code point in a message', { set: { 'log.level': 'debug', 'mqtt.sys_interval': 0 } }, (server) => {
  const token = newToken()
  const points = codePoints()
  let publisher, stream, sub

  before(async () => {
    stream = countingStream(server, token)
    await within(stream.opened, 'stream')
    sub = server.follow(BINARY, server.cliArguments('sub', '-j', '--', `${token}/#`))
    publisher = await server.wire({ token, clientId: 'strange' })
    // Its SUBACK has no trace outside: when the first message is printed it stands.
    await until(async () => {
      await server.say(token, 'ready', '{}')
      return sub.lines.items.length > 0
    }, 'the first line of confab sub')
  })

  const arrives = async (count, what) =>
    await until(() => stream.count >= count, `${what} (${count} messages)`, scaled(30000))

  it('as a topic: control and non-characters are refused, everything else is stored, and the link stands', async () => {
    const wanted = points.filter((c) => !isSpecial(c))
    const from = stream.count
    const reasons = await publishAll(publisher, wanted.map((c) =>
      ({ topic: `${token}/c${String.fromCodePoint(c)}`, payload: '1' })))
    const different = wanted.filter((c, i) => reasons[i] !== (isDisallowed(c) ? TOPIC_INVALID : 0))
    assert.deepEqual(different.map((c) => c.toString(16)), [])
    await arrives(from + reasons.filter((reason) => reason === 0).length, 'every topic on the stream')
    linkStands(server)
  })

  it('in every property at once: the message is stored, streamed, and the link stands', async () => {
    const from = stream.count
    const wanted = points.filter((c) => !isSpecial(c)) // a response topic has no wildcard
    const reasons = await publishAll(publisher, wanted.map((c) =>
      ({ topic: `${token}/p`, payload: '1', properties: everywhere(String.fromCodePoint(c)) })))
    assert.ok(reasons.every((reason) => reason === 0))
    await arrives(from + wanted.length, 'every message on the stream')
    linkStands(server)
  })

  it('in one property alone: other clients get it unaltered', async () => {
    const reader = await server.wire({ token, clientId: 'reader' })
    reader.send(wire.subscribe({ filter: `${token}/one` }))
    await reader.expect('SUBACK')
    for (const [name, property] of Object.entries(strings)) {
      const list = points.filter(isDisallowed)
      const sent = list.map((c) => property(`a${String.fromCodePoint(c)}z`))
      await publishAll(publisher, sent.map((properties) => ({ topic: `${token}/one`, payload: '1', properties })))
      for (const properties of sent) {
        const { body } = await reader.expect('PUBLISH')
        assert.ok(body.includes(properties), `${name}: ${body.toString('hex')}`)
      }
    }
    linkStands(server)
    await server.say(token, 'end', '{"end":1}')
    await until(() => sub.lines.items.some((line) => line.includes('{"end":1}')), 'confab sub is still there')
  })

  it('HTTP takes and refuses the same names', async () => {
    const sample = points.filter((c) => isDisallowed(c) || c % 499 === 0)
    const before = stream.count
    for (const c of sample.filter((c) => !isSpecial(c))) {
      const answer = await server.post(chat(token, `h${String.fromCodePoint(c)}`), '{}')
      assert.equal(answer.status, isDisallowed(c) ? 400 : 200, `U+${c.toString(16)}: ${answer.text}`)
    }
    await arrives(before + sample.filter((c) => !isDisallowed(c) && !isSpecial(c)).length, 'posts')
    for (const bad of ['%00', '%ED%A0%80', '%ED%BF%BF', '%C0%80']) {
      assert.equal((await server.post(`/${token}/chat/h${bad}`, '{}')).status, 400, bad)
    }
    linkStands(server)
  })

  // What no topic may have, no filter may ask for: it would wait for ever.
  it('in a filter: both doors refuse what they refuse in a topic', async () => {
    const sample = points.filter((c) => (isDisallowed(c) || c % 997 === 0) && !isSpecial(c))
    const peers = { 5: publisher, 4: await server.wire({ token, clientId: 'strange4', v: 4 }) }
    for (const c of sample) {
      const filter = `x${String.fromCodePoint(c)}`
      const what = `U+${c.toString(16)}`
      for (const [v, refusal] of [[5, TOPIC_FILTER_INVALID], [4, FAILURE]]) {
        for (const whole of [`${token}/${filter}/#`, `$share/g/${token}/+/${filter}`]) {
          peers[v].send(wire.subscribe({ v, filter: whole }))
          const { body } = await peers[v].expect('SUBACK')
          assert.equal(body.at(-1), isDisallowed(c) ? refusal : 0, `${what}, MQTT ${v}`)
        }
      }
      const text = encodeURIComponent(filter)
      for (const path of [`/${token}/listen?things=${text}/%23,live`, `/${token}/chat/${text}/listen`]) {
        const answer = await server.request(path, { method: 'HEAD' })
        assert.equal(answer.status, isDisallowed(c) ? 400 : 200, `${what}, ${path}`)
      }
    }
    linkStands(server)
  })

  it('retained: a new stream, confab sub and other clients read it, and the link stands', async () => {
    await publishAll(publisher, [{ topic: `${token}/kept`, payload: '"kept"', retain: true, properties: everywhere('\x01\ufdd0') }])
    const found = await server.cli('sub', '-n', '1', '--', `${token}/kept`)
    assert.equal(found.stdout, `${token}/kept "kept"\n`)
    const listener = await server.listen(token, 'kept', { 'Last-Event-ID': '0' })
    assert.equal((await listener.expect('message')).chat, 'kept')
    linkStands(server)
  })
})

suite('Any code point in the topics of clients without a token', { set: { 'log.level': 'debug', 'mqtt.sys_interval': 0 } }, (server) => {
  it('follows the same rule', async () => {
    const sub = server.follow(BINARY, server.cliArguments('sub', '--', '#'))
    const client = await server.wire({ clientId: 'nameless' })
    await until(async () => {
      await publishAll(client, [{ topic: 'ready', payload: '1' }])
      return sub.lines.items.length > 0
    }, 'the first line of confab sub')
    const points = codePoints().filter((c) => !isSpecial(c) && (c < 0x200 || isDisallowed(c) || c % 97 === 0))
    const reasons = await publishAll(client, points.map((c) => ({ topic: `n/${String.fromCodePoint(c)}`, payload: '1' })))
    assert.deepEqual(points.filter((c, i) => reasons[i] !== (isDisallowed(c) ? TOPIC_INVALID : 0)), [])
    await publishAll(client, [{ topic: 'end', payload: 'last' }])
    await until(() => sub.lines.items.includes('end last'), 'confab sub is still there')
    assert.ok(sub.lines.items.includes('n/é 1'), 'topics beyond ASCII are printed as they are')
    linkStands(server)
  })
})
