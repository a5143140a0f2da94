'use strict'
// Settings of a tenant that hold at once: whose pages may use it, whose JWTs hold.
const assert = require('node:assert/strict')
const { createHmac } = require('node:crypto')
const { it } = require('node:test')
const { suite, newToken, secret, chat } = require('./harness/server')
const { bearer, command, newTenant } = require('./harness/keys')
const { Socket } = require('./harness/socket')

const set = (server, tenant, ...settings) => command(server, 'tenant_set', { tenant, set: settings })
const allowed = (answer) => answer.headers['access-control-allow-origin']

suite('cors.origins', {}, (server) => {
  const app = 'https://app.example.org'
  const named = { Origin: app }
  const other = { Origin: 'https://evil.example.org' }
  const opened = async () => {
    const token = await server.planToken('home')
    await server.say(token, 'x', { n: 1 })
    return token
  }

  it('answers name the request\'s origin, if it is one of them; unset, they say * as ever', async () => {
    const token = await opened()
    assert.equal(allowed(await server.get(chat(token, 'x', '/latest'), other)), '*')
    await set(server, token, `cors.origins=http://localhost:3000  ${app}`)
    for (const method of [
      (headers) => server.get(chat(token, 'x', '/latest'), headers),
      (headers) => server.get(chat(token, 'x', '/history'), headers),
      (headers) => server.get(chat(token, 'none', '/latest'), headers), // 404
      (headers) => server.get(`/${token}/things?x=1`, headers), // 400
      (headers) => server.post(chat(token, 'x'), { n: 2 }, headers),
      (headers) => server.post(chat(token, 'x'), '!', headers), // 400
      (headers) => server.options(chat(token, 'x'), { ...headers, 'Access-Control-Request-Method': 'POST' }),
      (headers) => server.request(chat(token, 'x'), { method: 'PUT', headers }) // 405
    ]) {
      const [good, bad, none] = [await method(named), await method(other), await method({})]
      assert.equal(allowed(good), app, `${method}`)
      assert.equal(good.headers['access-control-expose-headers'], 'X-RateLimit-Remaining, Retry-After, ETag')
      for (const answer of [good, bad, none]) assert.match(answer.headers.vary, /Origin/, `${method}`)
      assert.equal(allowed(bad), undefined, `${method}`)
      assert.equal(bad.headers['access-control-expose-headers'], undefined)
      assert.equal(good.status, bad.status, `${method}`)
    }
    assert.equal(allowed(await server.get(chat(token, 'x', '/latest'), { Origin: 'HTTP://LocalHost:3000' })), 'HTTP://LocalHost:3000')
    assert.equal(allowed(await server.get(chat(token, 'x', '/latest'), { Origin: 'http://localhost:30000' })), undefined)
    await set(server, token, 'cors.origins=*')
    assert.equal(allowed(await server.get(chat(token, 'x', '/latest'), other)), '*')
  })

  it('streams and WebSockets are for these pages, for programs and for the server\'s own pages', async () => {
    const token = await opened()
    await set(server, token, `cors.origins=${app}`)
    const own = { Origin: server.base }
    for (const path of [chat(token, 'x', '/listen'), `/${token}/listen?things=%23`]) {
      for (const headers of [named, own, {}]) {
        const stream = await server.stream(path, headers)
        assert.equal(stream.status, 200, path)
        assert.equal(allowed(stream), headers.Origin, path)
      }
      const refused = await server.get(path, other)
      assert.equal(refused.status, 403)
      assert.match(refused.text, /cors\.origins/)
      assert.equal(allowed(refused), undefined)
    }
    for (const headers of [named, own, {}]) {
      const socket = await Socket.open(server, token, { headers })
      await socket.follow(['#'])
    }
    const refused = await server.get(`/${token}/ws`, other)
    assert.equal(refused.status, 403)
    await assert.rejects(Socket.open(server, token, { headers: other }))
  })

  it('says nothing about other tenants', async () => {
    const [token, neighbour] = [await opened(), await opened()]
    await set(server, token, `cors.origins=${app}`)
    assert.equal(allowed(await server.get(chat(neighbour, 'x', '/latest'), other)), '*')
    assert.equal(allowed(await server.get('/health', other)), '*')
  })
})

suite('jwt.audience and jwt.require_exp', {}, (server) => {
  const tenantOf = async (...settings) => {
    const key = secret('k'.repeat(20) + newToken())
    const tenant = await newTenant(server, [`jwt.secret=${key}`, ...settings])
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const sign = (claims) => {
      const body = `${part({ alg: 'HS256' })}.${part({ confab: { publish: ['#'], subscribe: ['#'] }, ...claims })}`
      return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`
    }
    const status = async (claims) => (await server.get(`/${tenant}/things`, bearer(sign(claims)))).status
    const connects = async (claims) => {
      try {
        await server.device({ token: tenant, password: sign(claims) })
        return true
      } catch {
        return false
      }
    }
    return { tenant, sign, status, connects }
  }
  const soon = () => Math.floor(Date.now() / 1000) + 600

  it('a JWT with `aud` holds if it names one of the audiences, over HTTP and MQTT', async () => {
    const { tenant, status, connects } = await tenantOf()
    const mine = { exp: soon(), aud: 'https://iot.example.org' }
    assert.deepEqual([await status(mine), await connects(mine)], [401, false])
    await set(server, tenant, 'jwt.audience=confab https://iot.example.org')
    for (const [aud, holds] of [['confab', true], ['https://iot.example.org', true], [['other', 'confab'], true],
      ['other', false], [['other'], false], ['conf', false], ['confab https://iot.example.org', false], [[], false], ['', false], [undefined, true]]) {
      const claims = { exp: soon(), aud }
      assert.deepEqual([await status(claims), await connects(claims)], [holds ? 200 : 401, holds], JSON.stringify(aud))
    }
    await set(server, tenant, 'jwt.audience=')
    assert.deepEqual([await status(mine), await connects(mine)], [401, false])
  })

  it('a JWT without `exp` holds only where jwt.require_exp is no', async () => {
    const { tenant, sign, status, connects } = await tenantOf()
    assert.deepEqual([await status({}), await connects({})], [401, false])
    await set(server, tenant, 'jwt.require_exp=no')
    assert.deepEqual([await status({}), await connects({})], [200, true])
    const stream = await server.listening(`/${tenant}/listen?things=%23`, bearer(sign({})))
    await new Promise((resolve) => setTimeout(resolve, 2500)) // it is looked at once a second
    assert.equal((await server.post(chat(tenant, 'x'), { n: 1 }, bearer(sign({})))).status, 200)
    await stream.expect('message')
    assert.equal(await status({ exp: soon() - 800 }), 401, 'one that is there counts')
    await set(server, tenant, 'jwt.require_exp=yes')
    assert.equal(await status({}), 401)
  })

  it('values that mean nothing are refused', async () => {
    for (const wrong of ['jwt.require_exp=maybe', 'jwt.audience= ', 'jwt.audience=ä']) {
      const tenant = await newTenant(server)
      await assert.rejects(set(server, tenant, wrong), wrong)
    }
  })
})
