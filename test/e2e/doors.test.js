'use strict'
// Front doors: `[door:NAME] enabled` and `prefix`.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken } = require('./harness/server')

suite('[door:thingschat] prefix', { set: { 'door:thingschat.prefix': '/iot/v1' } }, (server) => {
  it('all its paths begin with the prefix, and none is served without it', async () => {
    const token = newToken()
    assert.equal((await server.post(`/iot/v1/${token}/chat/a%2Fb`, { n: 1 })).status, 200)
    assert.deepEqual((await server.get(`/iot/v1/${token}/things`)).json(), ['a/b'])
    assert.equal((await server.post(`/${token}/chat/a`, { n: 2 })).status, 404)
    assert.equal((await server.get(`/${token}/things`)).status, 404)
  })

  it('streams, preflights and errors are as they are at the root', async () => {
    const token = newToken()
    const stream = await server.listening(`/iot/v1/${token}/chat/x/listen`)
    assert.equal((await server.post(`/iot/v1/${token}/chat/x`, { n: 1 })).status, 200)
    await stream.expect('message')
    const options = await server.options(`/iot/v1/${token}/chat/x`)
    assert.equal(options.status, 204)
    assert.equal(options.headers['access-control-allow-methods'], 'GET, HEAD, POST, OPTIONS')
    const wrong = await server.request(`/iot/v1/${token}/chat/x`, { method: 'PUT' })
    assert.equal(wrong.status, 405)
    assert.equal(wrong.headers.allow, 'POST, OPTIONS')
    assert.equal(wrong.headers['x-ratelimit-remaining'], '2147483647')
    const none = await server.get('/iot/v1/no/such/path/here/x')
    assert.equal(none.status, 404)
    assert.deepEqual(Object.keys(none.json()), ['error'])
  })

  it('the home page is below the prefix too, and its links lead somewhere', async () => {
    const page = await server.get('/iot/v1/')
    assert.equal(page.status, 200)
    assert.match(page.headers['content-type'], /^text\/html/)
    assert.equal((await server.get('/')).status, 404)
    const links = [...page.text.matchAll(/href="((?:docs\/|[./]*health)[^"]*)"/g)].map(([, link]) => link)
    assert.ok(links.length >= 3, links.join(' '))
    for (const link of links) {
      const { pathname } = new URL(link, 'http://localhost/iot/v1/')
      assert.equal((await server.get(pathname)).status, 200, pathname)
    }
  })

  it('what the server says of itself stays at the root', async () => {
    assert.equal((await server.get('/health')).status, 200)
    assert.equal((await server.get('/mqtt')).status, 426)
  })
})

suite('[door:thingschat] enabled = no', { config: '[door:thingschat]\nenabled = no\n' }, (server) => {
  it('none of its paths is served; the server and MQTT are', async () => {
    const token = newToken()
    for (const path of ['/', `/${token}/things`, `/${token}/chat/x/latest`]) {
      const answer = await server.get(path)
      assert.equal(answer.status, 404, path)
      assert.equal(answer.headers['access-control-allow-origin'], '*')
    }
    assert.equal((await server.post(`/${token}/chat/x`, {})).status, 404)
    assert.equal((await server.get('/health')).json().status, 'ok')
    const device = await server.device({ token })
    await device.publish(`${token}/x`, '1')
  })
})
