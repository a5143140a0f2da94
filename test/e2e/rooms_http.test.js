'use strict'
// The rooms door over HTTP: docs/rooms.md.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite } = require('./harness/server')

const ON = { 'door:rooms.enabled': 'yes' }

suite('rooms: beside other doors', { set: ON }, (server) => {
  it('what all doors want stays where it was', async () => {
    assert.equal((await server.get('/health')).json().status, 'ok')
    assert.match((await server.get('/')).headers['content-type'], /^text\/html/)
  })
  it('its own paths are JSON with two spaces and no newline at the end', async () => {
    const answer = await server.get('/moderators')
    assert.equal(answer.status, 200)
    assert.equal(answer.text, '{\n  "message": "Nothing to see here yet"\n}')
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    assert.equal(answer.headers['access-control-allow-origin'], '*')
  })
  it('GET /random suggests, HEAD is answered, POST is 405', async () => {
    const { username, password } = (await server.get('/random')).json()
    assert.match(username, /^user_\d{4,7}$/)
    assert.match(password, /^[A-Za-z0-9]{16}$/)
    const head = await server.request('/random', { method: 'HEAD' })
    assert.deepEqual([head.status, head.text], [200, ''])
    const post = await server.request('/random', { method: 'POST' })
    assert.equal(post.status, 405)
    assert.equal(post.headers.allow, 'GET, HEAD, OPTIONS')
    assert.equal(post.headers['access-control-allow-origin'], '*')
  })
  it('GET /websocket says where Socket.IO is', async () => {
    const { websocketUrl, error } = (await server.get('/websocket')).json()
    assert.equal(websocketUrl, `ws://127.0.0.1:${server.httpPort}/socket.io/?EIO=4&transport=websocket`)
    assert.equal(error, null)
  })
  it('a preflight is answered with 204, what was asked for, and ten minutes', async () => {
    const answer = await server.request('/random', { method: 'OPTIONS', headers: { Origin: 'https://a.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type' } })
    assert.equal(answer.status, 204)
    assert.equal(answer.headers['access-control-allow-origin'], '*')
    assert.equal(answer.headers['access-control-allow-methods'], 'GET,HEAD,PUT,PATCH,POST,DELETE')
    assert.equal(answer.headers['access-control-allow-headers'], 'authorization,content-type')
    assert.equal(answer.headers.vary, 'Access-Control-Request-Headers')
    assert.equal(answer.headers['access-control-max-age'], '600')
  })
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    it(`${method} of a path that is not there is 404 in JSON`, async () => {
      const answer = await server.request('/bans/no/such', { method })
      assert.equal(answer.status, 404)
      assert.deepEqual(answer.json(), { error: 'Endpoint /bans/no/such not found' })
      assert.equal(answer.headers['access-control-allow-origin'], '*')
    })
  }
  it('what is not implemented says so', async () => {
    const answer = await server.get('/connections')
    assert.equal(answer.status, 501)
    assert.deepEqual(answer.json(), { error: '501: Not Implemented' })
    assert.deepEqual((await server.request('/connections/x', { method: 'DELETE' })).json(), { success: true })
  })
})

suite('rooms: alone', { set: { ...ON, 'door:rooms.listen': '127.0.0.1:0' } }, (server) => {
  const at = (path) => / door:rooms=(http:\S+)/.exec(server.readyLine)[1] + path
  it('GET / and /health are its own', async () => {
    const status = await (await fetch(at('/'))).json()
    assert.equal(status.status, 'OK')
    assert.equal(status.load.length, 3)
    assert.match(status.uptime, /^\d+ seconds?$/)
    assert.equal(status.openapi_url, '')
    assert.equal(typeof (await (await fetch(at('/health'))).json()).ping, 'number')
    assert.equal((await fetch(at('/favicon.ico'))).status, 204)
    const none = await fetch(at('/x/y'))
    assert.deepEqual([none.status, await none.json()], [404, { error: 'Endpoint /x/y not found' }])
  })
  it('its tenant is there as soon as the server is ready', async () => {
    const { code, stdout } = await server.cli('tenant', 'list')
    assert.equal(code, 0)
    assert.match(stdout, /^community\t/m)
  })
  it('its paths are nowhere else', async () => {
    assert.equal((await server.get('/random')).status, 404)
  })
})
