'use strict'
// Cross-origin requests, as a browser makes them.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, secret, chat } = require('./harness/server')

const list = (header) => (header ?? '').split(',').map((name) => name.trim().toLowerCase()).filter(Boolean).sort()

suite('CORS', { set: { 'plan:free.writes_per_hour': 1, 'tokens.create_per_hour': 3 } }, (server) => {
  it('`Access-Control-Allow-Origin: *` on every answer, errors too; `Access-Control-Expose-Headers: X-RateLimit-Remaining, Retry-After, ETag`', async () => {
    const token = newToken()
    const free = await server.freeToken()
    await server.say(token, 'x', {})
    await server.say(free, 'x', {})
    const answers = {
      'POST 200': await server.post(chat(token, 'x'), {}),
      'POST 400': await server.post(chat(token, 'x'), '!'),
      'POST 413': await server.post(chat(token, 'x'), { fill: 'x'.repeat(1 << 20) }),
      'POST 429': await server.post(chat(free, 'x'), {}),
      'latest 200': await server.get(chat(token, 'x', '/latest')),
      'latest 304': await server.get(chat(token, 'x', '/latest'), { 'If-None-Match': '*' }),
      'latest 404': await server.get(chat(token, 'none', '/latest')),
      'latest HEAD': await server.head(chat(token, 'x', '/latest')),
      'history 200': await server.get(chat(token, 'x', '/history')),
      'history NDJSON': await server.get(chat(token, 'x', '/history'), { Accept: 'application/x-ndjson' }),
      things: await server.get(`/${token}/things`),
      405: await server.request(chat(token, 'x'), { method: 'DELETE' }),
      'unknown path': await server.get('/no/such/path/here/x'),
      'bad token': await server.get('/a.b/things'),
      'bad percent': await server.get(`/${token}/chat/%zz/latest`),
      health: await server.get('/health'),
      'home page': await server.get('/'),
      'POST /tokens': await server.post('/tokens'),
      listen: await server.stream(chat(token, 'x', '/listen')),
      pattern: await server.stream(`/${token}/listen?things=%23`),
      'listen 400': await server.get(`/${token}/listen?things=`)
    }
    secret(answers['POST /tokens'].json().token)
    assert.equal(answers['POST 429'].status, 429)
    assert.equal(answers['latest 304'].status, 304)
    while ((answers['tokens 429'] = await server.post('/tokens')).status === 201) secret(answers['tokens 429'].json().token)
    for (const [what, answer] of Object.entries(answers)) {
      assert.equal(answer.headers['access-control-allow-origin'], '*', what)
      assert.deepEqual(list(answer.headers['access-control-expose-headers']), ['etag', 'retry-after', 'x-ratelimit-remaining'], what)
      assert.equal(answer.headers['access-control-allow-credentials'], undefined, what)
    }
  })

  it('OPTIONS → 204 with methods `GET, HEAD, POST, OPTIONS` and headers `Content-Type, Last-Event-ID, Idempotency-Key, If-None-Match`, max-age 86400', async () => {
    const token = await server.planToken('home')
    const paths = [chat(token, 'x'), chat(token, 'x', '/latest'), chat(token, 'x', '/history'), chat(token, 'x', '/listen'),
      `/${token}/listen?things=%23`, `/${token}/things`]
    for (const path of paths) {
      const answer = await server.options(path, {
        Origin: 'https://dashboard.example',
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type,idempotency-key'
      })
      assert.equal(answer.status, 204, path)
      assert.equal(answer.body.length, 0)
      assert.equal(answer.headers['access-control-allow-origin'], '*')
      assert.deepEqual(list(answer.headers['access-control-allow-methods']), 
        path === chat(token, 'x') ? ['delete', 'get', 'head', 'options', 'post'] : ['get', 'head', 'options', 'post'])
      assert.deepEqual(list(answer.headers['access-control-allow-headers']), ['content-type', 'idempotency-key', 'if-none-match', 'last-event-id'])
      assert.equal(answer.headers['access-control-max-age'], '86400')
    }
    assert.deepEqual(await server.things(token), [], 'a preflight makes nothing')
  })

  it("Node's fetch-based clients may read the exposed headers", async () => {
    const answer = await fetch(`${server.base}/${newToken()}/things`, { mode: 'cors' })
    assert.equal(answer.headers.get('x-ratelimit-remaining'), '2147483647')
    assert.deepEqual(await answer.json(), [])
  })
})
