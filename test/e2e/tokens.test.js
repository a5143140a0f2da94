'use strict'
// Tokens: POST /tokens, open and registered access, plans.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, secret, chat } = require('./harness/server')

const WELL_FORMED = /^[A-Za-z0-9_-]{22,64}$/

suite('POST /tokens', {}, (server) => {
  it('201 `{"token":"…","plan":"free"}`; 22 or more characters from a CSPRNG', async () => {
    const tokens = new Set()
    for (let i = 0; i < 20; i++) {
      const answer = await server.post('/tokens')
      assert.equal(answer.status, 201, answer.text)
      assert.match(answer.headers['content-type'], /^application\/json/)
      const body = answer.json()
      assert.deepEqual(Object.keys(body), ['token', 'plan'])
      assert.equal(body.plan, 'free')
      assert.match(secret(body.token), WELL_FORMED)
      tokens.add(body.token)
    }
    assert.equal(tokens.size, 20)
    for (let at = 0; at < 22; at++) {
      assert.ok(new Set([...tokens].map((token) => token[at])).size > 4, `place ${at} hardly changes`)
    }
  })

  it('a body does no harm', async () => {
    for (const body of ['{}', '{"plan":"paid"}', 'plan=local']) {
      const answer = await server.post('/tokens', body)
      assert.equal(answer.status, 201, answer.text)
      secret(answer.json().token)
      assert.equal(answer.json().plan, 'free', 'nobody chooses a plan from outside')
    }
  })

  it('a token made by `POST /tokens` or `confab token create` keeps its own plan there too', async () => {
    for (const token of [await server.freeToken(), await server.planToken('free')]) {
      const answer = await server.post(chat(token, 'x'), {})
      assert.equal(answer.remaining, 99)
      assert.equal((await server.listen(token, 'x')).connected.retry, 60000)
    }
    const answer = await server.post(chat(await server.planToken('paid'), 'x'), {})
    assert.equal(answer.headers['x-ratelimit-remaining'], '2147483647')
  })

  it('in `open` a token comes into being with its first write', async () => {
    const token = newToken()
    assert.deepEqual(await server.things(token), [])
    const listed = async () => (await server.cli('token', 'list')).stdout
    const objects = async () => (await server.cli('token', 'list', '--json')).stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line))
    assert.equal((await objects()).length, (await listed()).split('\n').length - 1)
    for (const [args, text] of [[['create', 'a', 'b'], /at most one TOKEN/], [['revoke'], /one TOKEN/], [['delete', 'a', 'b'], /one TOKEN/],
      [['list', 'a'], /no operands/], [['create', '--json'], /for list only/], [['make'], /expected create/]]) {
      const { code, stderr } = await server.cli('token', ...args)
      assert.equal(code, 2, args.join(' '))
      assert.match(stderr, text)
    }
    assert.ok(!(await listed()).includes(token.slice(0, 4)))
    await server.say(token, 'x', {})
    assert.ok((await listed()).includes(token.slice(0, 4)))
  })
})

suite('POST /tokens: how many', { set: { 'tokens.access': 'registered', 'tokens.create_per_hour': 3 } }, (server) => {
  it('at most `tokens.create_per_hour` per client address', async () => {
    for (let i = 0; i < 3; i++) await server.freeToken()
    const refused = await server.post('/tokens')
    assert.equal(refused.status, 429, refused.text)
    assert.match(refused.headers['retry-after'], /^\d+$/)
    const wait = Number(refused.headers['retry-after'])
    assert.ok(wait >= 1 && wait <= 3600, `${wait}`)
    assert.equal(typeof refused.json().error, 'string')
    // another address of this machine
    const other = await server.rawSocket({ localAddress: '127.0.0.2' })
    other.socket.write('POST /tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    await other.ended
    assert.match(other.text, /^HTTP\/1\.1 201 /)
    secret(/"token":"([^"]+)"/.exec(other.text)[1])
  })

  it('a header cannot lie about the client address', async () => {
    const refused = await server.post('/tokens', '', { 'X-Forwarded-For': '198.51.100.7', Forwarded: 'for=198.51.100.7' })
    assert.equal(refused.status, 429)
  })

  it('`confab token create` is not counted', async () => {
    assert.match(await server.planToken('free'), WELL_FORMED)
  })
})

suite('POST /tokens: default number', { set: { 'tokens.create_per_hour': 10 } }, (server) => {
  it('default 10 per hour (given here, for the harness sets another)', async () => {
    for (let i = 0; i < 10; i++) await server.freeToken()
    assert.equal((await server.post('/tokens')).status, 429)
  })
})

suite('plan = `tokens.default_plan`', {
  set: { 'tokens.default_plan': 'gold', 'plan:gold.writes_per_hour': 7, 'plan:gold.retry_ms': 1234 }
}, (server) => {
  it('plan = `tokens.default_plan`; operators add plans of their own', async () => {
    const answer = await server.post('/tokens')
    assert.equal(answer.status, 201, answer.text)
    assert.equal(answer.json().plan, 'gold')
    const token = secret(answer.json().token)
    assert.equal((await server.post(chat(token, 'x'), {})).remaining, 6)
    assert.deepEqual((await server.listen(token, 'x')).retries, ['1234'])
  })

  it('`confab token create` without --plan takes it, too', async () => {
    const made = await server.cli('token', 'create')
    assert.equal(made.code, 0, made.stderr)
    assert.equal((await server.post(chat(secret(made.stdout.trim()), 'x'), {})).remaining, 6)
  })
})

suite('tokens.public_creation = off', { set: { 'tokens.public_creation': 'off' } }, (server) => {
  it('`POST /tokens` is refused, `confab token create` is not', async () => {
    const refused = await server.post('/tokens')
    assert.equal(refused.status, 403, refused.text)
    assert.match(refused.json().error, /confab token create/)
    assert.match(await server.planToken('home'), WELL_FORMED)
  })
})

suite('tokens.operator_plan', { set: { 'tokens.operator_plan': 'gold', 'plan:gold.writes_per_hour': 7 } }, (server) => {
  it('is what `confab token create` gives, as the server is told it, while `POST /tokens` goes on giving `free`', async () => {
    const made = await server.cli('token', 'create')
    assert.equal(made.code, 0, made.stderr)
    assert.equal((await server.post(chat(secret(made.stdout.trim()), 'x'), {})).remaining, 6)
    assert.equal((await server.post('/tokens')).json().plan, 'free')
  })
})

suite('tokens.access = registered', { set: { 'tokens.access': 'registered', 'log.level': 'debug' } }, (server) => {
  it('401 unknown token', async () => {
    const token = newToken()
    const answers = [
      await server.post(chat(token, 'x'), {}),
      await server.get(chat(token, 'x', '/latest')),
      await server.get(chat(token, 'x', '/history')),
      await server.get(chat(token, 'x', '/listen')),
      await server.get(`/${token}/listen?things=%23`),
      await server.get(`/${token}/things`)
    ]
    for (const answer of answers) {
      assert.equal(answer.status, 401, answer.text)
      assert.equal(typeof answer.json().error, 'string')
      assert.ok(!answer.text.includes(token), 'an error does not repeat the token')
    }
  })

  it('created tokens work', async () => {
    for (const token of [await server.freeToken(), await server.planToken('paid')]) {
      const id = await server.say(token, 'x', { n: 1 })
      assert.equal((await server.latest(token, 'x')).id, id)
      const device = await server.device({ token })
      assert.equal((await device.publish(`${token}/x`, '{}')).code, 0)
    }
  })

  it('401 revoked token, and its data stays', async () => {
    const token = await server.freeToken()
    await server.say(token, 'x', { n: 1 })
    const revoked = await server.cli('token', 'revoke', '--', token)
    assert.equal(revoked.code, 0, revoked.stderr)
    assert.equal((await server.post(chat(token, 'x'), {})).status, 401)
    assert.equal((await server.get(chat(token, 'x', '/latest'))).status, 401)
    assert.equal((await server.get(`/${token}/things`)).status, 401)
    await assert.rejects(server.device({ token }), (error) => [0x86, 0x87].includes(error.code))
    const history = await server.cli('history', '--', `${token}/x`)
    assert.equal(history.code, 0, history.stderr)
    assert.match(history.stdout, /"n":1/)
  })

  it('MQTT: an unknown token is refused at CONNECT (0x86 or 0x87; 3.1.1: 4 or 5)', async () => {
    await assert.rejects(server.device({ token: newToken() }), (error) => [0x86, 0x87].includes(error.code))
    await assert.rejects(server.device({ token: newToken(), v: 4 }), (error) => [4, 5].includes(error.code))
  })

  it('MQTT: no user name, no connection', async () => {
    await assert.rejects(server.device({}), (error) => [0x86, 0x87].includes(error.code))
    await assert.rejects(server.device({ v: 4 }), (error) => [4, 5].includes(error.code))
  })

  it('MQTT: a user name with odd characters is refused and does not come into being', async () => {
    for (const token of ['a/b', 'a b', '+', '#', '$SYS', 'ä', 'x'.repeat(65), '../../etc', '%s%n']) {
      await assert.rejects(server.device({ token }), (error) => [0x85, 0x86, 0x87].includes(error.code), token)
    }
  })
})

suite('revoked in open mode', {}, (server) => {
  it('a revoked token does not come into being again', async () => {
    const token = newToken()
    await server.say(token, 'x', {})
    const revoked = await server.cli('token', 'revoke', '--', token)
    assert.equal(revoked.code, 0, revoked.stderr)
    assert.equal((await server.post(chat(token, 'x'), {})).status, 401)
    await assert.rejects(server.device({ token }), (error) => [0x86, 0x87].includes(error.code))
  })
})

suite('not loopback', { set: { 'http.listen': '0.0.0.0:0' } }, (server) => {
  it('open mode is the default only while every listener is on loopback', async () => {
    const url = server.base.replace('0.0.0.0', '127.0.0.1')
    server.base = url
    assert.equal((await server.post(chat(newToken(), 'x'), {})).status, 401)
    assert.equal((await server.post(chat(await server.freeToken(), 'x'), {})).status, 200)
  })
})
