'use strict'
// Keys over HTTP: who may do what with them, and what becomes of streams when they
// end.
const assert = require('node:assert/strict')
const { createHmac } = require('node:crypto')
const { it } = require('node:test')
const { suite, newToken, secret, chat, until } = require('./harness/server')
const { bearer, command, newTenant, newKey, revokeKey } = require('./harness/keys')
const { Socket } = require('./harness/socket')
const { within, scaled } = require('./harness/waits')

const CHALLENGE = /^Bearer realm="confab"/

// What a stream gets until it ends → how it ended
const endOf = async (listener) => {
  try {
    for (;;) await listener.event()
  } catch (error) {
    return error.message
  }
}

// Every operation below a tenant, as a request that is valid.
const operations = {
  publish: (server, tenant, thing, headers) => server.post(chat(tenant, thing), { v: 1 }, headers),
  latest: (server, tenant, thing, headers) => server.get(chat(tenant, thing, '/latest'), headers),
  history: (server, tenant, thing, headers) => server.get(chat(tenant, thing, '/history'), headers),
  listen: async (server, tenant, thing, headers) => {
    const stream = await server.stream(chat(tenant, thing, '/listen'), headers)
    stream.close()
    return stream
  },
  'listen by filter': async (server, tenant, thing, headers) => {
    const stream = await server.stream(`/${tenant}/listen?things=${encodeURIComponent(thing)}`, headers)
    stream.close()
    return stream
  },
  'follow by WebSocket': async (server, tenant, thing, headers) => {
    const socket = await Socket.open(server, tenant, { headers })
    socket.send({ follow: [thing] })
    const got = await socket.arrivals.next()
    socket.client.terminate()
    return { status: got.ack ? 200 : got.error.status }
  },
  'publish by WebSocket': async (server, tenant, thing, headers) => {
    const socket = await Socket.open(server, tenant, { headers })
    const got = await socket.publish({ thing, payload: { v: 1 } })
    socket.client.terminate()
    return { status: got.id ? 200 : got.status }
  },
  'list keys': (server, tenant, thing, headers) => server.get(`/${tenant}/keys`, headers)
}

const everywhere = (status) => Object.fromEntries(Object.keys(operations).map((name) => [name, status]))

// rights, and what they allow with a/in (inside) and b/out (outside)
const table = [
  {
    name: 'a key that may publish a/#',
    rights: { publish: ['a/#'] },
    inside: { ...everywhere(403), publish: 200, 'publish by WebSocket': 200 },
    outside: everywhere(403)
  },
  {
    name: 'a key that may subscribe to a/#',
    rights: { subscribe: ['a/#'] },
    inside: { ...everywhere(200), publish: 403, 'publish by WebSocket': 403, 'list keys': 403 },
    outside: everywhere(403)
  },
  {
    name: 'a key that may publish and subscribe to what is its user\'s',
    rights: { publish: ['%u/+'], subscribe: ['%u/#'], user: 'a' },
    inside: { ...everywhere(200), 'list keys': 403 },
    outside: everywhere(403)
  },
  {
    name: 'a key that may manage a/# only',
    rights: { manage: ['a/#'] },
    inside: everywhere(403),
    outside: everywhere(403)
  },
  {
    name: 'a key without rights of its own',
    rights: {},
    inside: { ...everywhere(200), 'list keys': 403 },
    outside: { ...everywhere(200), 'list keys': 403 }
  },
  {
    name: 'a key with admin',
    rights: { admin: true },
    inside: everywhere(200),
    outside: everywhere(200)
  }
]

suite('keys over HTTP', { set: { 'tokens.access': 'registered', 'plan:five.writes_per_hour': 5 } }, (server) => {
  for (const { name, rights, inside, outside } of table) {
    it(`${name} may do that and nothing else`, async () => {
      const token = await server.planToken('home')
      await server.say(token, 'a/in', {})
      await server.say(token, 'b/out', {})
      const { key } = await newKey(server, token, rights)
      for (const [what, ask] of Object.entries(operations)) {
        for (const [thing, expected] of [['a/in', inside[what]], ['b/out', outside[what]]]) {
          const { status } = await ask(server, token, thing, bearer(key))
          assert.equal(status, expected, `${what} ${thing}`)
        }
      }
    })
  }

  it('the keys of two tenants open nothing of each other', async () => {
    const [one, other] = [await newTenant(server), await server.planToken('home')]
    await server.say(other, 'a/in', {})
    await command(server, 'tenant_set', { tenant: one, plan: 'home' })
    const { key: admin } = await newKey(server, other, { admin: true })
    for (const [what, ask] of Object.entries(operations)) {
      if (what.endsWith('WebSocket')) continue // its handshake is refused: below
      assert.equal((await ask(server, one, 'a/in', bearer(admin))).status, 403, what)
    }
    await assert.rejects(Socket.open(server, one, { headers: bearer(admin) }), /403/)
    const wide = await server.get(`/${other}/listen?things=%24events/%23`, bearer(admin))
    assert.equal(wide.status, 400)
  })

  it('a tenant\'s name alone is 401 with a challenge, at every path', async () => {
    const tenant = await newTenant(server)
    for (const [what, ask] of Object.entries(operations)) {
      if (what.endsWith('WebSocket')) {
        await assert.rejects(ask(server, tenant, 'a', {}), /401/)
        continue
      }
      const answer = await ask(server, tenant, 'a', {})
      assert.equal(answer.status, 401, what)
      assert.match(answer.headers['www-authenticate'], CHALLENGE)
      assert.doesNotMatch(answer.headers['www-authenticate'], /error/)
    }
    const nonsense = await server.get(chat(tenant, 'a', '/latest'), bearer('nonsense'))
    assert.equal(nonsense.status, 401)
  })

  it('a key that is not valid is 401 with invalid_token, also where the path is a token', async () => {
    const token = await server.planToken('home')
    const { key, id } = await newKey(server, token)
    const unknown = secret('sk_' + 'A'.repeat(32))
    await revokeKey(server, token, id)
    for (const bad of [unknown, key, 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.']) {
      const answer = await server.get(`/${token}/things`, bearer(bad))
      assert.equal(answer.status, 401, bad.slice(0, 4))
      assert.match(answer.headers['www-authenticate'], /^Bearer realm="confab", error="invalid_token"$/)
      assert.ok(!answer.text.includes(bad), 'its text has nothing of it')
    }
  })

  it('other Authorization headers are ignored, two of them are refused', async () => {
    const token = await server.planToken('home')
    const basic = { Authorization: 'Basic ' + Buffer.from('a:b').toString('base64') }
    assert.equal((await server.get(`/${token}/things`, basic)).status, 200)
    assert.equal((await server.get(`/${token}/things`, { authorization: 'bEARER   nonsense' })).status, 200)
    const { key } = await newKey(server, token, { subscribe: ['a'] })
    const lower = { authorization: `bearer   ${key}` }
    assert.equal((await server.get(chat(token, 'b', '/latest'), lower)).status, 403, 'the scheme has no case')
    const two = await server.rawExchange(
      `GET /${token}/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\n` +
      `Authorization: Bearer ${key}\r\nAuthorization: Bearer ${key}\r\n\r\n`)
    assert.equal(two.status, 400, two.text)
  })

  it('the listing shows what the key may read', async () => {
    const token = await server.planToken('home')
    for (const thing of ['a/x', 'a/y', 'b/x']) await server.say(token, thing, {})
    const { key } = await newKey(server, token, { subscribe: ['a/#'] })
    const answer = await server.get(`/${token}/things`, bearer(key))
    assert.deepEqual(answer.json(), ['a/x', 'a/y'])
  })

  it('a right that is missing is named in the challenge', async () => {
    const token = await server.planToken('home')
    const { key } = await newKey(server, token, { subscribe: ['a/#'] })
    const answer = await server.post(chat(token, 'a/x'), {}, bearer(key))
    assert.equal(answer.status, 403)
    assert.match(answer.headers['www-authenticate'], /error="insufficient_scope"/)
  })

  it('browsers may send Authorization and DELETE', async () => {
    const answer = await server.options('/x/keys/y', {
      Origin: 'https://a.example',
      'Access-Control-Request-Method': 'DELETE',
      'Access-Control-Request-Headers': 'authorization'
    })
    assert.match(answer.headers['access-control-allow-headers'], /, Authorization$/)
    assert.equal(answer.headers['access-control-allow-methods'], 'GET, HEAD, POST, DELETE, OPTIONS')
  })

  // ---- streams

  for (const what of ['revoked', 'expired', 'revoked while nobody else listens']) {
    it(`a stream and a WebSocket end with their key: ${what}; the token's go on`, async () => {
      const token = await server.planToken('home')
      const wish = what === 'expired' ? { expires_in: 2 } : {}
      const { key, id } = await newKey(server, token, wish)
      const { key: other } = await newKey(server, token)
      const stream = await server.listening(`/${token}/listen?things=%23`, bearer(key))
      const socket = await Socket.open(server, token, { headers: bearer(key) })
      const rest = what.endsWith('listens')
        ? []
        : [await server.listening(`/${token}/listen?things=%23`), await server.listening(`/${token}/listen?things=%23`, bearer(other))]
      await socket.follow(['#'])
      await server.say(token, 'a', { n: 1 })
      await stream.expect('message')
      await socket.expect('message')
      if (what !== 'expired') await revokeKey(server, token, id)
      await within(endOf(stream), 'end of the stream', scaled(4000))
      const { code, reason } = await socket.end(scaled(4000))
      assert.deepEqual({ code, reason }, { code: 1008, reason: 'the key was revoked or has expired' })
      await server.say(token, 'a', { n: 2 })
      for (const listener of rest) {
        await listener.expect('message')
        assert.deepEqual((await listener.expect('message')).chat, { n: 2 })
      }
      assert.equal((await server.get(`/${token}/things`, bearer(key))).status, 401)
    })
  }

  it('a JWT opens its tenant and ends its stream', async () => {
    const key = secret('k'.repeat(20) + newToken())
    const tenant = await newTenant(server, [`jwt.secret=${key}`])
    const sign = (claims) => {
      const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const body = `${part({ alg: 'HS256' })}.${part(claims)}`
      return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`
    }
    const now = Math.floor(Date.now() / 1000)
    const ann = sign({ sub: 'ann', exp: now + 600, confab: { publish: ['users/%u'], subscribe: ['users/#'] } })
    const sent = await server.post(chat(tenant, 'users/ann'), {}, bearer(ann))
    assert.equal(sent.status, 200, sent.text)
    assert.equal((await server.post(chat(tenant, 'users/bob'), {}, bearer(ann))).status, 403)
    // 60 s of skew: it has some two seconds left
    const brief = sign({ exp: now - 57, confab: { subscribe: ['#'] } })
    const stream = await server.listening(`/${tenant}/listen?things=%23`, bearer(brief))
    await within(endOf(stream), 'end of the stream', scaled(6000))
    const late = await server.get(`/${tenant}/things`, bearer(sign({ exp: now - 100, confab: { subscribe: ['#'] } })))
    assert.equal(late.status, 401)
    assert.match(late.text, /expired/)
  })

  it('a JWT that was used before is refused when its key was changed, its tenant suspended, or it has ended', async () => {
    const keys = [1, 2].map((n) => secret('k'.repeat(20) + newToken() + n))
    const tenant = await newTenant(server, [`jwt.secret=${keys[0]}`])
    const sign = (key, claims) => {
      const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const body = `${part({ alg: 'HS256' })}.${part({ confab: { subscribe: ['#'] }, ...claims })}`
      return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`
    }
    const status = async (jwt) => (await server.get(`/${tenant}/things`, bearer(jwt))).status
    const now = Math.floor(Date.now() / 1000)
    const [old, brief] = [sign(keys[0], { exp: now + 600 }), sign(keys[0], { exp: now - 57 })]
    for (let n = 0; n < 3; n++) assert.equal(await status(old), 200)
    await until(async () => await status(brief) === 401, 'the end of a JWT that had two seconds left', scaled(6000))
    await command(server, 'tenant_set', { tenant, set: [`jwt.secret=${keys[1]}`] })
    assert.equal(await status(old), 401, 'the key was changed')
    const fresh = sign(keys[1], { exp: now + 600 })
    for (let n = 0; n < 3; n++) assert.equal(await status(fresh), 200)
    await command(server, 'tenant_suspend', { tenant })
    assert.equal(await status(fresh), 403)
    assert.equal((await server.cli('tenant', 'resume', tenant)).code, 0)
    assert.equal(await status(fresh), 200)
    assert.equal((await server.cli('tenant', 'delete', tenant)).code, 0)
    assert.equal(await status(fresh), 401)
  })

  // ---- the API for keys

  it('keys are listed without their secrets, and revoked once', async () => {
    const token = await server.planToken('home')
    const made = await newKey(server, token, {
      label: 'Shelly', kind: 'device', user: 'ann', mount: 'home', publish: ['a/%u'], expires_in: 3600
    })
    assert.match(made.key, /^dk_[A-Za-z0-9_-]{32}$/)
    const [listed, ...others] = (await server.get(`/${token}/keys`)).json()
    assert.deepEqual(others, [])
    const { key, createdAt, ...shown } = made
    const { createdAt: at, ...row } = listed
    assert.deepEqual(row, shown)
    assert.deepEqual(row.rights, { publish: ['a/%u'], subscribe: [], manage: [], admin: false })
    assert.ok(Date.parse(row.expiresAt) > Date.parse(at))
    await revokeKey(server, token, made.id)
    assert.deepEqual((await server.get(`/${token}/keys`)).json(), [])
    const again = await server.request(`/${token}/keys/${made.id}`, { method: 'DELETE' })
    assert.equal(again.status, 404)
  })

  it('the last use is shown, of requests and of MQTT', async () => {
    const token = await server.planToken('home')
    const [asks, connects, idle] = [await newKey(server, token, {}), await newKey(server, token, {}), await newKey(server, token, {})]
    assert.equal(asks.lastUsedAt, null)
    const began = Date.now()
    assert.equal((await server.get(`/${token}/things`, bearer(asks.key))).status, 200)
    await server.device({ token, password: connects.key })
    const used = async () => new Map((await server.get(`/${token}/keys`)).json().map((row) => [row.id, row.lastUsedAt]))
    await until(async () => {
      const all = await used()
      return all.get(asks.id) !== null && all.get(connects.id) !== null
    }, 'both uses')
    const first = await used()
    assert.equal(first.get(idle.id), null)
    for (const key of [asks, connects]) {
      const at = Date.parse(first.get(key.id))
      assert.ok(at >= began - 2000 && at <= Date.now() + 2000, first.get(key.id))
    }
    // Once an hour is enough: it stays as it is.
    assert.equal((await server.get(`/${token}/things`, bearer(asks.key))).status, 200)
    await server.device({ token, password: connects.key })
    assert.equal((await server.get(`/${token}/things`, bearer(idle.key))).status, 200)
    await until(async () => (await used()).get(idle.id) !== null, 'the third use')
    const second = await used()
    for (const key of [asks, connects]) assert.equal(second.get(key.id), first.get(key.id))
  })

  it('a body that is not a key is refused with what is wrong', async () => {
    const token = await server.planToken('home')
    for (const [body, status, why] of [
      ['[]', 400, /JSON object/],
      ['{', 400, /JSON/],
      [{ publish: 'a' }, 400, /arrays/],
      [{ publish: ['a/#/b'] }, 400, /topic filter/],
      [{ lable: 'x' }, 400, /label/],
      [{ kind: 'ticket' }, 400, /kind/],
      [{ publish: [], subscribe: [], manage: [] }, 400, /empty/],
      [{ expires_in: 0 }, 400, /expires_in/],
      [{ expires_in: 1.5 }, 400, /expires_in/],
      [{ mount: '/a' }, 400, /mount/],
      [{ plan: 'nobody' }, 400, /no such plan/],
      ['{"label":"a","label":"b"}', 400, /once/],
      [{ label: 'x'.repeat(17000) }, 413, /16384/]
    ]) {
      const answer = await server.post(`/${token}/keys`, body)
      assert.equal(answer.status, status, answer.text)
      assert.match(answer.json().error, why)
    }
    assert.deepEqual((await server.get(`/${token}/keys`)).json(), [])
  })

  it('a key gives no higher limits than its giver has', async () => {
    const token = await server.freeToken()
    const answer = await server.post(`/${token}/keys`, { plan: 'paid' })
    assert.equal(answer.status, 403)
    assert.match(answer.text, /limits/)
    await newKey(server, token, { plan: 'free' })
  })

  it('a key and a ticket count as a write of the plan; revoking does not', async () => {
    const token = await server.planToken('five')
    const { id, key } = await newKey(server, token)
    for (const [path, headers] of [['tickets', {}], ['tickets', bearer(key)], ['keys', {}]]) {
      const answer = await server.post(`/${token}/${path}`, {}, headers)
      assert.equal(answer.status, 201, answer.text)
      for (const made of [answer.json().key, answer.json().ticket]) if (made) secret(made)
    }
    const sent = await server.post(chat(token, 'a'), {})
    assert.deepEqual([sent.status, sent.remaining], [200, 0])
    for (const [path, headers] of [['tickets', {}], ['tickets', bearer(key)], ['keys', {}], ['chat/a', {}]]) {
      const answer = await server.post(`/${token}/${path}`, {}, headers)
      assert.deepEqual([answer.status, answer.remaining], [429, 0], `${path}: ${answer.text}`)
      assert.ok(Number(answer.headers['retry-after']) > 3500)
    }
    assert.equal((await server.get(`/${token}/keys`)).json().length, 2)
    const { code, stdout } = await server.cli('key', 'create', '-t', token)
    assert.equal(code, 0, 'an administrator is not bound by it')
    secret(stdout.trim())
    await revokeKey(server, token, id)
  })

  it('300 keys are all listed, also in pages', async () => {
    const token = await server.planToken('home')
    const ids = []
    for (let i = 0; i < 300; i++) ids.push((await newKey(server, token, { label: `k${i}` })).id)
    const listed = (await server.get(`/${token}/keys`)).json().map(({ id }) => id)
    assert.deepEqual(listed.sort(), ids.sort())
  })

  it('a key that was made is there after kill -9', async () => {
    const token = await server.planToken('home')
    const { key } = await newKey(server, token, { subscribe: ['a'] })
    await server.kill9()
    await server.restart()
    await until(async () => (await server.get(chat(token, 'a', '/history'), bearer(key))).status === 200, 'the key')
    assert.equal((await server.get(chat(token, 'b', '/history'), bearer(key))).status, 403)
  })

  // ---- tickets

  const newTicket = async (tenant, wish = {}, headers = {}) => {
    const answer = await server.post(`/${tenant}/tickets`, wish, headers)
    assert.equal(answer.status, 201, answer.text)
    return secret(answer.json().ticket)
  }

  it('a ticket opens one stream or WebSocket, with the rights that were given to it', async () => {
    const token = await server.planToken('home')
    const { key } = await newKey(server, token, { subscribe: ['a/#', 'b/#'], user: 'ann' })
    const made = await server.post(`/${token}/tickets`, { subscribe: ['a/#'] }, bearer(key))
    assert.equal(made.status, 201, made.text)
    assert.match(made.json().ticket, /^tk_/)
    assert.equal(made.json().expires_in, 60)
    const ticket = secret(made.json().ticket)
    const path = (filter) => `/${token}/listen?things=${filter}&key=${ticket}`
    assert.equal((await server.get(path('b'))).status, 403, 'more than it was given')
    assert.equal((await server.get(path('a') + '&last_event_id=x')).status, 400)
    assert.equal((await server.head(path('a'))).status, 200)
    const stream = await server.listening(path('a')) // the mistakes before did not use it up
    await server.say(token, 'a', { n: 1 })
    await stream.expect('message')
    const again = await server.get(path('a'))
    assert.equal(again.status, 401)
    assert.match(again.headers['www-authenticate'], /invalid_token/)

    const other = await newTicket(token, {}, bearer(key))
    const socket = await Socket.openUrl(server, `/${token}/ws?key=${other}`)
    await socket.follow(['a', 'b/c'])
    socket.send({ follow: ['c'] })
    assert.equal((await socket.expect('error')).error.status, 403)
    await assert.rejects(Socket.openUrl(server, `/${token}/ws?key=${other}`), /401/)
  })

  it('of many that use a ticket at the same time one gets the stream', async () => {
    const token = await server.planToken('home')
    for (let round = 0; round < 10; round++) {
      const ticket = await newTicket(token)
      const streams = await Promise.all(Array.from({ length: 8 }, () =>
        server.stream(`/${token}/listen?things=%23&key=${ticket}`)))
      assert.deepEqual(streams.map(({ status }) => status).sort(), [200, ...Array(7).fill(401)])
      for (const stream of streams) stream.close()
    }
  })

  it('a ticket of a key that was revoked opens nothing, and what it has opened ends', async () => {
    const token = await server.planToken('home')
    const { key, id } = await newKey(server, token)
    const [used, unused] = [await newTicket(token, {}, bearer(key)), await newTicket(token, {}, bearer(key))]
    const stream = await server.listening(`/${token}/chat/a/listen?key=${used}`)
    await revokeKey(server, token, id)
    await within(endOf(stream), 'end of the stream', scaled(4000))
    assert.equal((await server.get(`/${token}/chat/a/listen?key=${unused}`)).status, 401)
  })

  it('a stream goes on when its ticket would have expired, and ends with its key', async () => {
    const token = await server.planToken('home')
    const { key } = await newKey(server, token, { expires_in: 4 })
    const ticket = await newTicket(token, { expires_in: 1 }, bearer(key))
    const stream = await server.listening(`/${token}/chat/a/listen?key=${ticket}`)
    const unused = await newTicket(token, { expires_in: 1 })
    await until(async () => (await server.head(`/${token}/chat/a/listen?key=${unused}`)).status === 401, 'end of the ticket')
    await server.say(token, 'a', { n: 1 })
    await stream.expect('message')
    await within(endOf(stream), 'end of the stream', scaled(6000))
  })

  it('a JWT makes tickets, and what they opened ends with it', async () => {
    const key = secret('k'.repeat(20) + newToken())
    const tenant = await newTenant(server, [`jwt.secret=${key}`])
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
    // 60 s of skew: it has some five seconds left
    const claims = { sub: 'ann', exp: Math.floor(Date.now() / 1000) - 54, confab: { subscribe: ['a/%u/#'] } }
    const body = `${part({ alg: 'HS256' })}.${part(claims)}`
    const ann = bearer(`${body}.${createHmac('sha256', key).update(body).digest('base64url')}`)
    const [used, other, unused] = [await newTicket(tenant, {}, ann), await newTicket(tenant, {}, ann), await newTicket(tenant, {}, ann)]
    assert.equal((await server.post(`/${tenant}/tickets`, { publish: ['a/ann'] }, ann)).status, 403)
    const path = (ticket) => `/${tenant}/listen?things=a/ann/%23&key=${ticket}`
    assert.equal((await server.get(`/${tenant}/listen?things=%23&key=${other}`)).status, 403)
    const stream = await server.listening(path(used))
    await within(endOf(stream), 'end of the stream', scaled(9000))
    assert.equal((await server.get(path(unused))).status, 401, 'the ticket has time left, its JWT none')
  })

  it('only tickets are taken from an address, and nowhere else', async () => {
    const token = await server.planToken('home')
    const { key } = await newKey(server, token)
    const ticket = await newTicket(token)
    for (const bad of [key, 'x', '', '%zz', 'x'.repeat(500)]) {
      const answer = await server.get(`/${token}/chat/a/listen?key=${bad}`)
      assert.equal(answer.status, 400, bad)
      assert.ok(bad.length < 2 || !answer.text.includes(bad))
    }
    assert.equal((await server.get(`/${token}/things?key=${ticket}`)).status, 400)
    assert.equal((await server.get(`/${token}/things`, bearer(ticket))).status, 401)
    assert.equal((await server.get(`/${token}/chat/a/listen?key=${ticket}`, bearer(key))).status, 400)
    const other = await server.planToken('home')
    assert.equal((await server.get(`/${other}/chat/a/listen?key=${ticket}`)).status, 403)
    const stream = await server.listening(`/${token}/chat/a/listen?key=${ticket}`)
    stream.close()
  })

  it('a ticket gives no more than its giver has, for 300 s at most', async () => {
    const token = await server.planToken('home')
    const { key } = await newKey(server, token, { subscribe: ['a/#'] })
    const ask = (wish) => server.post(`/${token}/tickets`, wish, bearer(key))
    assert.equal((await ask({ subscribe: ['#'] })).status, 403)
    assert.equal((await ask({ publish: ['a/b'] })).status, 403)
    assert.equal((await ask({ subscribe: ['a/b'] })).status, 201)
    assert.equal((await ask({ expires_in: 301 })).status, 400)
    assert.equal((await ask({ expires_in: 300 })).status, 201)
    assert.equal((await ask({ user: 'ann' })).status, 400)
    assert.deepEqual((await server.get(`/${token}/keys`)).json().length, 1, 'tickets are not listed')
  })
})
