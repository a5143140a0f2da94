'use strict'
// What a client asks for that is not there: 400 with what would be right, never
// an answer to another question.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, chat } = require('./harness/server')

suite('Queries', {}, (server) => {
  const token = newToken()

  // → the error's text
  async function refused (path, { status = 400, method = 'GET', headers, body } = {}) {
    const answer = await server.request(path, { method, headers, body })
    assert.equal(answer.status, status, `${path}: ${answer.text}`)
    assert.ok(answer.headers['x-ratelimit-remaining'] !== undefined, path)
    return answer.json().error
  }

  it('an unknown or misspelt parameter → 400 that names what was meant', async () => {
    await server.say(token, 'x', { n: 1 })
    assert.match(await refused(chat(token, 'x', '/history?lim=3')), /lim.*did you mean limit/)
    assert.match(await refused(chat(token, 'x', '/history?Since=0')), /did you mean since/)
    assert.match(await refused(chat(token, 'x', '/history?foo')), /foo.*limit, before, after, since, until, order, format/)
    assert.match(await refused(chat(token, 'x', '/latest?limit=1')), /limit/)
    assert.match(await refused(chat(token, 'x', '/listen?since=10m')), /last_event_id/)
    assert.match(await refused(chat(token, 'x', '/listen?things=a')), /things/)
    assert.match(await refused(`/${token}/listen?thing=a`), /did you mean things/)
    assert.match(await refused(`/${token}/things?details=1`), /did you mean detail/)
    assert.match(await refused(chat(token, 'x', '?retained=1'), { method: 'POST', body: '{}' }), /did you mean retain/)
    assert.equal((await server.history(token, 'x')).length, 1, 'nothing was stored')
    const made = await server.post('/tokens?plan=paid')
    assert.equal(made.status, 400, made.text)
  })

  it('a refusal counts nothing, and a token is looked at first', async () => {
    const free = await server.freeToken()
    for (let n = 0; n < 3; n++) {
      const answer = await server.get(chat(free, 'x', '/history?lim=3'))
      assert.deepEqual([answer.status, answer.remaining], [400, 60])
    }
    const post = await server.post(chat(free, 'x', '?retian=1'), {})
    assert.deepEqual([post.status, post.remaining], [400, 100])
  })

  it('a cache buster, a name that begins with _, is nobody\'s', async () => {
    await server.say(token, 'busted', { n: 1 })
    assert.equal((await server.history(token, 'busted', '?_=1700000000&limit=5&_dc=7&&')).length, 1)
    await server.listening(chat(token, 'busted', '/listen?_=1'))
    assert.equal((await server.get('/?utm_source=mail')).status, 200)
    assert.equal((await server.get('/health?probe=1')).status, 200)
  })

  it('times are read alike wherever one may be given', async () => {
    await server.say(token, 'x', { n: 1 })
    const wrong = ['2020-01-01+02:00', '2020-01-01 02:00 CET', '2020-13-01', 'yesterday', '12 o\'clock', '10m']
    for (const text of wrong) {
      const value = encodeURI(text)
      for (const path of [`/history?since=${value}`, `/history?until=${value}`]) {
        assert.match(await refused(chat(token, 'x', path)), /since 1970|%2B/)
      }
      assert.match(await refused(chat(token, 'x', `?before=${value}`), { method: 'DELETE' }), /since 1970|%2B/)
    }
    for (const value of ['2020-01-01', '2020-W01', '2020-01-01T02:00%2B02:00', '20200101']) {
      for (const path of [`/history?since=${value}`, `/history?until=${value}`]) {
        assert.equal((await server.get(chat(token, 'x', path))).status, 200)
      }
      if (/^\d+$/.test(value)) continue // of a purge: an id
      assert.equal((await server.request(chat(token, 'x', `?before=${value}`), { method: 'DELETE' })).status, 200)
    }
  })

  it('a parameter given twice → 400', async () => {
    assert.match(await refused(chat(token, 'x', '/history?limit=1&limit=2')), /limit: given twice/)
    assert.match(await refused(`/${token}/listen?things=a&things=b`), /things=a,b/)
    assert.match(await refused(chat(token, 'x', '/listen?last_event_id=1&last_event_id=2')), /given twice/)
  })

  it('percent-encoded names are names', async () => {
    await server.say(token, 'encoded', { n: 1 })
    await server.say(token, 'encoded', { n: 2 })
    assert.equal((await server.history(token, 'encoded', '?l%69mit=1')).length, 1)
  })

  it('since and until in seconds → 400 that says milliseconds', async () => {
    for (const name of ['since', 'until']) {
      for (const value of ['1700000000', '1700000000.5', `${Math.floor(Date.now() / 1000)}`]) {
        assert.match(await refused(chat(token, 'x', `/history?${name}=${value}`)), /seconds.*milliseconds.*000/)
      }
    }
    assert.equal((await server.get(chat(token, 'x', `/history?since=${Date.now()}`))).status, 200)
    assert.equal((await server.get(chat(token, 'x', '/history?since=0'))).status, 200)
  })

  it('ISO 8601 as PostgreSQL, Python, `date` and RFC 3339 write it', async () => {
    await server.say(token, 'timed', { n: 1 })
    for (const since of ['2020-01-01T00:00:00%2B00', '2020-01-01+00:00:00%2B00', '2020-01-01T00:00:00+02:00',
      '20200101T000000Z', '20200101', '2020-01-01T00:00:00,5Z', '2016-12-31T23:59:60Z', '2020-01-01T24:00:00Z',
      '2020-W01-1', '2020-001', '2020-01-01T06']) {
      assert.equal((await server.history(token, 'timed', `?since=${since}`)).length, 1, since)
      assert.equal((await server.history(token, 'timed', `?until=${since}`)).length, 0, since)
    }
  })

  it('a + in a time that can be a zone\'s or a blank → 400 that says %2B', async () => {
    await server.say(token, 'zoned', { n: 1 })
    for (const since of ['2026-11-21+02:00', '2026-11-21+02', '20261121+0200', '2026-W47-6+02:00']) {
      assert.match(await refused(chat(token, 'zoned', `/history?since=${since}`)), /%2B/)
    }
    for (const since of ['2020-01-01+02:00:00', '2020-01-01%2B02:00', '2020-01-01T02:00+02:00', '2020-01-01%2002:00', '2020-01-01%2002:00+02']) {
      assert.equal((await server.history(token, 'zoned', `?since=${since}`)).length, 1, since)
    }
  })

  it('a wildcard + that is not percent-encoded → 400 that says %2B', async () => {
    for (const things of ['+', 'a/+', '+/b', 'a/+/b', 'c,a/+', '%2B,+']) {
      assert.match(await refused(`/${token}/listen?things=${things}`), /%2B/)
    }
    const listener = await server.listening(`/${token}/listen?things=living+room/%2B`)
    await server.say(token, 'living room/lamp', { on: true })
    assert.equal((await listener.expect('message')).thing, 'living room/lamp')
  })

  it('an Accept that no stream can satisfy → 406', async () => {
    for (const path of [chat(token, 'x', '/listen'), `/${token}/listen?things=a`]) {
      for (const Accept of ['application/json', 'text/html', 'text/event-stream;q=0']) {
        assert.match(await refused(path, { status: 406, headers: { Accept } }), /text\/event-stream/)
      }
      for (const Accept of ['text/event-stream', 'text/*', '*/*', 'text/html, */*;q=0.1', 'application/json, text/plain, */*', '']) {
        await server.listening(path, { Accept })
      }
    }
  })

  it('flags are 1, 0, true, false, or there', async () => {
    await server.say(token, 'flagged', {})
    for (const query of ['?detail', '?detail=1', '?detail=true']) assert.equal(typeof (await server.things(token, query))[0], 'object')
    for (const query of ['', '?detail=0', '?detail=false']) assert.equal(typeof (await server.things(token, query))[0], 'string')
    assert.match(await refused(`/${token}/things?detail=yes`), /0, 1, false or true/)
    for (const retain of ['yes', 'on', '2', '%zz']) {
      assert.match(await refused(chat(token, 'x', `?retain=${retain}`), { method: 'POST', body: '{}' }), /^retain: /)
    }
  })
})

suite('The last event\'s id in the query', {}, (server) => {
  const token = newToken()

  it('under every name that libraries give it', async () => {
    const first = await server.say(token, 'x', { n: 1 })
    const second = await server.say(token, 'x', { n: 2 })
    for (const name of ['last_event_id', 'lastEventId', 'lastEventID', 'Last-Event-ID', 'Last-Event-Id']) {
      const listener = await server.listening(chat(token, 'x', `/listen?${name}=${first}`))
      assert.equal((await listener.expect('message')).id, second, name)
      const many = await server.listening(`/${token}/listen?things=x&${name}=${first}`)
      assert.equal((await many.expect('message')).id, second, name)
    }
  })

  it('the one a library appended wins over the page\'s, the header over both', async () => {
    const ids = []
    for (let n = 0; n < 4; n++) ids.push(await server.say(token, 'y', { n }))
    const path = chat(token, 'y', `/listen?last_event_id=${ids[0]}&lastEventId=${ids[1]}`)
    assert.equal((await (await server.listening(path)).expect('message')).id, ids[2])
    const header = await server.listening(path, { 'Last-Event-ID': String(ids[2]) })
    assert.equal((await header.expect('message')).id, ids[3])
  })

  it('an empty one is none, as WHATWG has it', async () => {
    await server.say(token, 'z', { n: 1 })
    for (const query of ['last_event_id=', 'last_event_id', 'lastEventId=&last_event_id=']) {
      const listener = await server.listening(chat(token, 'z', `/listen?${query}`))
      const id = await server.say(token, 'z', { n: 2 })
      assert.equal((await listener.expect('message')).id, id, 'live only')
    }
  })

  it('what is no number → 400', async () => {
    for (const value of ['undefined', '-1', '1.5', '99999999999999999999999']) {
      const answer = await server.get(chat(token, 'x', `/listen?last_event_id=${value}`))
      assert.equal(answer.status, 400, value)
      assert.match(answer.json().error, /last_event_id/)
    }
  })
})
