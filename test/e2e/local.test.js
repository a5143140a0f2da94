'use strict'
// Open mode is for the people of this machine: pages from elsewhere and what
// comes through a proxy are refused, unless they know a token that somebody
// created.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, secret, chat } = require('./harness/server')
const { Frames } = require('./harness/frames')

const frames = (server, headers) => Frames.open(server.httpPort, headers)

const foreign = {
  'a Host that is a name on the internet': { Host: 'evil.example' },
  'such a Host with our port': { Host: 'rebound.example:8080' },
  'a Host that only begins like ours': { Host: 'localhost.evil.example' },
  'a Host that only ends like ours': { Host: 'notlocalhost' },
  'a Host that is another machine': { Host: '192.168.1.7:8080' },
  'another machine by IPv6': { Host: '[fe80::1]:8080' },
  'an Origin elsewhere': { Origin: 'https://evil.example' },
  'an Origin that looks like ours': { Origin: 'http://127.0.0.1.evil.example' },
  'no Origin at all, says a sandboxed page': { Origin: 'null' },
  'two Origins, the first one ours': { Origin: ['http://localhost:3000', 'https://evil.example'] },
  'two Origins, the last one ours': { Origin: ['https://evil.example', 'http://localhost:3000'] },
  Forwarded: { Forwarded: 'for=192.0.2.1' },
  'X-Forwarded-For': { 'X-Forwarded-For': '127.0.0.1' },
  'X-Forwarded-Proto': { 'X-Forwarded-Proto': 'https' },
  'x-forwarded-anything': { 'x-forwarded-anything': '1' },
  Via: { Via: '1.1 proxy' },
  'X-Real-IP': { 'X-Real-IP': '127.0.0.1' }
}

const local = {
  'no header but Host': {},
  localhost: { Host: 'localhost' },
  'localhost in capitals, with a port': { Host: 'LOCALHOST:8080' },
  'a name below localhost': { Host: 'app.localhost:3000' },
  'any of 127.0.0.0/8': { Host: '127.200.3.4' },
  'IPv6 loopback': { Host: '[::1]:8080' },
  'an Origin on another port of this machine': { Origin: 'http://localhost:3000' },
  'an Origin by address': { Origin: 'https://127.0.0.1' },
  'an Origin by IPv6 address': { Origin: 'http://[::1]:9' }
}

function assertRefused (answer, what) {
  assert.equal(answer.status, 403, `${what}: ${answer.text}`)
  assert.match(answer.json().error, /tokens\.access = registered/, what)
  assert.match(answer.json().error, /confab token create/, what)
  for (const name of Object.keys(answer.headers)) assert.doesNotMatch(name, /^access-control-/, what)
}

suite('tokens.access = open', { set: { 'tokens.create_per_hour': 0 } }, (server) => {
  for (const [what, headers] of Object.entries(foreign)) {
    it(`refuses ${what}`, async () => {
      const token = newToken()
      await server.say(token, 'x', { n: 1 })
      const asked = {
        'POST to a name there is': await server.post(chat(token, 'x'), {}, headers),
        'POST to a new name': await server.post(chat(newToken(), 'x'), {}, headers),
        latest: await server.get(chat(token, 'x', '/latest'), headers),
        history: await server.get(chat(token, 'x', '/history'), headers),
        things: await server.get(`/${token}/things`, headers),
        listen: await server.get(chat(token, 'x', '/listen'), headers),
        pattern: await server.get(`/${token}/listen?things=%23`, headers),
        preflight: await server.options(chat(token, 'x'), { ...headers, 'Access-Control-Request-Method': 'POST' }),
        'preflight of /tokens': await server.options('/tokens', { ...headers, 'Access-Control-Request-Method': 'POST' }),
        'POST /tokens': await server.post('/tokens', '', headers),
        'home page': await server.get('/', headers)
      }
      for (const [which, answer] of Object.entries(asked)) assertRefused(answer, which)
      assert.equal((await server.history(token, 'x')).length, 1, 'nothing was written')
      const shaken = await frames(server, headers)
      assert.equal(shaken.status, 403, 'WebSocket')
      shaken.destroy()
    })
  }

  it('says nothing about which names there are', async () => {
    const token = newToken()
    await server.say(token, 'x', {})
    const [there, absent] = [
      await server.get(chat(token, 'x', '/latest'), { Origin: 'https://evil.example' }),
      await server.get(chat(newToken(), 'x', '/latest'), { Origin: 'https://evil.example' })
    ]
    assert.equal(there.text, absent.text)
  })

  for (const [what, headers] of Object.entries(local)) {
    it(`answers ${what}`, async () => {
      const token = newToken()
      assert.equal((await server.post(chat(token, 'x'), {}, headers)).status, 200)
      const read = await server.get(chat(token, 'x', '/latest'), headers)
      assert.equal(read.status, 200)
      assert.equal(read.headers['access-control-allow-origin'], '*')
      assert.equal((await server.get('/', headers)).status, 200)
      const made = await server.post('/tokens', '', headers)
      assert.equal(made.status, 201)
      secret(made.json().token)
      const shaken = await frames(server, headers)
      assert.equal(shaken.status, 101)
      shaken.destroy()
    })
  }

  it('a token that was created is valid from everywhere', async () => {
    for (const token of [await server.planToken('home'), await server.freeToken()]) {
      for (const [what, headers] of Object.entries(foreign)) {
        const answer = await server.get(`/${token}/things`, headers)
        assert.equal(answer.status, 200, `${what}: ${answer.text}`)
        assert.equal(answer.headers['access-control-allow-origin'], '*')
      }
      const answer = await server.post(chat(token, 'x'), {}, { Origin: 'https://dashboard.example', Via: '1.1 proxy' })
      assert.equal(answer.status, 200, answer.text)
    }
  })
})

suite('tokens.access = registered, behind a proxy', { set: { 'tokens.access': 'registered' } }, (server) => {
  it('answers whatever the proxy adds', async () => {
    const token = await server.planToken('home')
    for (const [what, headers] of Object.entries(foreign)) {
      assert.equal((await server.post(chat(token, 'x'), {}, headers)).status, 200, what)
      assert.equal((await server.get(`/${token}/things`, headers)).status, 200, what)
      assert.equal((await server.get('/', headers)).status, 200, what)
      const preflight = await server.options('/tokens', { ...headers, 'Access-Control-Request-Method': 'POST' })
      assert.equal(preflight.status, 204, what)
      assert.equal(preflight.headers['access-control-allow-origin'], '*', what)
      const shaken = await frames(server, headers)
      assert.equal(shaken.status, 101, what)
      shaken.destroy()
    }
  })
})

suite('a name of open mode, after tokens.access has become registered', {}, (server) => {
  it('is unknown over HTTP and MQTT until `confab token create NAME` makes it a token, with all it has', async () => {
    const token = newToken()
    await server.say(token, 'x', { n: 1 })
    const id = await server.say(token, 'x', { n: 2 })
    await server.stop()
    server.set['tokens.access'] = 'registered'
    await server.restart()

    assert.equal((await server.get(chat(token, 'x', '/latest'))).status, 401)
    assert.equal((await server.post(chat(token, 'x'), {})).status, 401)
    assert.equal((await server.get(`/${token}/things`)).status, 401)
    await assert.rejects(server.wire({ token }), /CONNACK 134/)

    const made = await server.cli('token', 'create', '--', token)
    assert.equal(made.code, 0, made.stderr)
    assert.equal((await server.latest(token, 'x')).id, id)
    assert.equal((await server.history(token, 'x')).length, 2)
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 2147483647, 'plan home')
    const again = await server.cli('token', 'create', '--', token)
    assert.equal(again.code, 1)
    assert.match(again.stderr, /already exists|exists already/)
  })

  it('so does one that a revoked token had', async () => {
    const token = await server.planToken('home')
    assert.equal((await server.cli('token', 'revoke', '--', token)).code, 0)
    assert.equal((await server.cli('token', 'create', '--', token)).code, 1)
  })
})
