'use strict'
// GET /{token}/listen?things=…
const assert = require('node:assert/strict')
const fs = require('node:fs')
const { it } = require('node:test')
const { suite, newToken, until } = require('./harness/server')
const { scaled } = require('./harness/waits')

const follow = (token, things, rest = '') => `/${token}/listen?things=${things}${rest}`

suite('Patterns', {}, (server) => {
  it('`/{token}/listen?things=a,b/%2B/c,%23` follows many things on one connection', async () => {
    const token = newToken()
    const listener = await server.listening(follow(token, 'a,b/%2B/c'))
    const said = ['a', 'b/1/c', 'a', 'b/x/c']
    for (const thing of ['b', 'b/c', 'a/1', 'b/1/c/d', 'x']) await server.say(token, thing, { thing })
    for (const thing of said) await server.say(token, thing, { thing })
    assert.deepEqual((await listener.messages(4)).map(({ chat }) => chat.thing), said)
    const everything = await server.listening(follow(token, 'a,b/%2B/c,%23'))
    for (const thing of ['z', 'a', 'b/1/c', 'deep/er/still']) await server.say(token, thing, { thing })
    assert.deepEqual((await everything.messages(4)).map(({ thing }) => thing), ['z', 'a', 'b/1/c', 'deep/er/still'])
  })

  it('MQTT filters under the token: nothing of another token', async () => {
    const token = newToken()
    const other = newToken()
    const listener = await server.listening(follow(token, '%23'))
    await server.say(other, 'x', {})
    await server.say(token, 'x', { mine: true })
    assert.deepEqual(await listener.messages(1).then(([message]) => [message.token, message.chat]), [token, { mine: true }])
  })

  it('`thing` names the source', async () => {
    const token = newToken()
    const listener = await server.listening(follow(token, '%2B/temp'))
    for (const thing of ['kitchen/temp', 'hall/temp', 'Küche/temp']) {
      await server.say(token, thing, {})
      assert.equal((await listener.expect('message')).thing, thing)
    }
  })

  it('overlapping filters deliver each message once', async () => {
    const token = newToken()
    const listener = await server.listening(follow(token, 'a,a,%2B,%23,a/%23'))
    for (let n = 0; n < 5; n++) await server.say(token, 'a', { n })
    assert.deepEqual((await listener.messages(5)).map(({ chat }) => chat.n), [0, 1, 2, 3, 4])
  })

  it('`#` includes the parent level: a/# matches a', async () => {
    const token = newToken()
    const listener = await server.listening(follow(token, 'a/%23'))
    await server.say(token, 'ab', {})
    await server.say(token, 'a', {})
    await server.say(token, 'a/b/c', {})
    assert.deepEqual((await listener.messages(2)).map(({ thing }) => thing), ['a', 'a/b/c'])
  })

  it('everything after `Last-Event-ID` first, over all matching things in id order, then live', async () => {
    const token = newToken()
    const said = []
    for (let n = 0; n < 120; n++) {
      const thing = `room${n % 7}/temp`
      said.push({ id: await server.say(token, thing, { n }), thing })
      if (n % 10 === 0) await server.say(token, `room${n % 7}/light`, { n })
    }
    const rooms = [0, 1, 2, 3, 4, 5, 6].map((n) => `room${n}/temp`).join()
    const last = said[9].id
    for (const things of ['%2B/temp', rooms, `${rooms},%2B/temp`]) {
      const replay = await server.listening(follow(token, things), { 'Last-Event-ID': String(last) })
      const expected = said.slice(10)
      const messages = await replay.messages(expected.length)
      assert.deepEqual(messages.map(({ id, thing }) => ({ id, thing })), expected)
      const live = { id: await server.say(token, 'room3/temp', { live: true }), thing: 'room3/temp' }
      assert.equal((await replay.expect('message')).id, live.id)
      said.push(live)
    }
    const query = await server.listening(follow(token, '%2B/temp', `&last_event_id=${said.at(-2).id}`))
    assert.equal((await query.expect('message')).id, said.at(-1).id)
  })

  it('no gap, no double over several things while messages come', async () => {
    const token = newToken()
    let last = await server.say(token, 't0', { n: 0 })
    const device = await server.device({ token })
    const TOTAL = 800
    const publishing = (async () => {
      for (let n = 1; n <= TOTAL; n += 4) {
        await Promise.all([0, 1, 2, 3].map((i) => device.publish(`${token}/t${(n + i) % 5}`, { n: n + i })))
      }
    })()
    const seen = []
    while (seen.length < TOTAL) {
      const listener = await server.listening(follow(token, 't0,t1,%2B'), { 'Last-Event-ID': String(last) })
      for (let i = 0; i < 53 && seen.length < TOTAL; i++) {
        const event = await listener.event(scaled(15000))
        seen.push(JSON.parse(event.data).chat.n)
        last = event.id
      }
      listener.close()
    }
    await publishing
    assert.deepEqual(seen, Array.from({ length: TOTAL }, (_, i) => i + 1))
  })

  it('what is no filter → 400', async () => {
    const token = newToken()
    for (const things of ['', 'a%2B', '%23/a', 'a%23', 'a,,b', ',', 'a,%23b', '%24SYS', '%FF', '%00', 'a%zz', 'x'.repeat(70000)]) {
      const answer = await server.get(follow(token, things), {})
      assert.ok([400, 414, 431].includes(answer.status) && (things.length > 100 || answer.status === 400),
        `things=${things.slice(0, 20)}: ${answer.status} ${answer.text}`)
    }
    assert.equal((await server.get(`/${token}/listen`)).status, 400)
    assert.equal((await server.get(`/${token}/listen?thing=a`)).status, 400)
    const many = Array.from({ length: 5000 }, (_, i) => `t${i}`).join()
    assert.ok((await server.get(follow(token, many))).status >= 400)
  })

  // as with MQTT, where SUBACK says 0x97
  it('a token\'s streams may have + at 128 combinations of levels; one more → 429, of another token → 200', async () => {
    const token = newToken()
    const shape = (n) => Array.from({ length: 8 }, (_, bit) => (n >> bit) & 1 ? '%2B' : 'x').join('/')
    const shapes = (from, to) => Array.from({ length: to - from }, (_, i) => shape(from + i)).join()
    const first = await server.listening(follow(token, shapes(1, 65)))
    await server.listening(follow(token, shapes(65, 129)))
    await server.listening(follow(token, shapes(1, 65))) // the same again
    const refused = await server.get(follow(token, shape(129)))
    assert.equal(refused.status, 429, refused.text)
    assert.match(refused.json().error, /\+ at 128 different/)
    assert.ok(Number(refused.headers['retry-after']) > 0)
    await server.listening(follow(newToken(), shape(129)))
    await server.listening(follow(token, `${shape(7)},%23,x/%23,a,b`))
    first.close()
  })

  it('headers and status are those of a listen', async () => {
    const listener = await server.stream(follow(await server.freeToken(), '%23'))
    assert.match(listener.headers['content-type'], /^text\/event-stream/)
    assert.deepEqual(await listener.expect('status'), { type: 'connected', retry: 60000 })
    assert.equal(listener.headers['x-ratelimit-remaining'], '55')
  })
})

// 25,600 filters were tried one by one for each message of their token, twice, by
// threads that serve everybody. How long others wait for that depends on the
// machine and who else is on it, so the time these threads worked is judged.
const processorSeconds = (pid) => {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100 // in ticks of 10 ms
}

suite('Patterns: one tenant must not hurt another', {}, (server) => {
  it('400 streams of 64 wildcard filters do not hold up the messages of another token', async () => {
    const STREAMS = 400
    const MESSAGES = 5000
    const [crowd, quiet] = [newToken(), newToken()]
    const open = async (i) => {
      const filters = Array.from({ length: 64 }, (_, k) => `s${i}/%2B/f${k}/%23`)
      const raw = await server.rawSocket()
      raw.socket.write(`GET ${follow(crowd, filters.join())} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      await until(() => raw.text.includes('"connected"'), 'status event', scaled(20000))
      return raw
    }
    const raws = []
    const reader = await server.listen(quiet, 'x')
    const arrives = async (n) => {
      await server.say(quiet, 'x', { n })
      assert.equal((await reader.expect('message', scaled(60000))).chat.n, n)
    }
    try {
      for (let i = 0; i < STREAMS; i += 50) raws.push(...await Promise.all(Array.from({ length: 50 }, (_, k) => open(i + k))))
      const last = await server.listen(crowd, 'last')
      const device = await server.device({ token: crowd })
      const before = processorSeconds(server.child.pid)
      for (let n = 0; n < MESSAGES; n++) device.publish(`${crowd}/s1/a/f1/${n}`, { n }, { qos: 0 })
      device.publish(`${crowd}/last`, { n: 'last' }, { qos: 0 })
      for (let n = 0; n < 10; n++) await arrives(n) // meanwhile
      assert.equal((await last.expect('message', scaled(60000))).chat.n, 'last')
      await until(() => raws[1].text.includes(`"thing":"s1/a/f1/${MESSAGES - 1}"`), 'last message of the crowd', scaled(20000))
      const took = processorSeconds(server.child.pid) - before
      assert.ok(took < scaled(3), `${took} s of processor time for ${MESSAGES} messages`)
      assert.ok(raws.every((raw) => !raw.error))
    } finally {
      for (const raw of raws) raw.socket.destroy()
    }
  })
})
