'use strict'
// Front doors: `[door:NAME] enabled`, `prefix` and `listen`.
const assert = require('node:assert/strict')
const { it, before, after } = require('node:test')
const { Server, suite, group, newToken, BINARY } = require('./harness/server')
const { run } = require('./harness/process')
const { scaled, until } = require('./harness/waits')

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
    assert.equal(options.headers['access-control-allow-methods'], 'GET, HEAD, POST, DELETE, OPTIONS')
    const wrong = await server.request(`/iot/v1/${token}/chat/x`, { method: 'PUT' })
    assert.equal(wrong.status, 405)
    assert.equal(wrong.headers.allow, 'POST, DELETE, OPTIONS')
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

// `confab status` of the bridge's own word, which comes within a second.
const doorsOf = (server) => until(async () => JSON.parse((await server.cli('status')).stdout).doors, 'doors in the status')
const addressOf = (server, name) => new RegExp(` door:${name}=(http://\\S+:(\\d+)\\S*)`).exec(server.readyLine)

for (const host of ['127.0.0.1', '[::1]']) {
  suite(`[door:thingschat] listen = ${host}:0`, { set: { 'door:thingschat.listen': `${host}:0` } }, (server) => {
    const at = (path) => `${addressOf(server, 'thingschat')[1]}${path}`

    it('it is alone at its address, and the rest stays at http.listen', async () => {
      const token = newToken()
      assert.equal((await fetch(at(`/${token}/chat/x`), { method: 'POST', body: '{"n":1}' })).status, 200)
      assert.deepEqual(await (await fetch(at(`/${token}/things`))).json(), ['x'])
      assert.equal((await fetch(at('/health'))).status, 404)
      assert.equal((await fetch(at('/mqtt'))).status, 404)
      assert.equal((await server.get('/health')).status, 200)
      assert.equal((await server.get('/mqtt')).status, 426)
      for (const path of ['/', `/${token}/things`, `/${token}/chat/x/latest`]) assert.equal((await server.get(path)).status, 404, path)
      assert.equal((await server.post(`/${token}/chat/x`, {})).status, 404)
    })

    it('its home page links to nothing that is not there', async () => {
      const page = await (await fetch(at('/'))).text()
      const links = [...page.matchAll(/href="([^"#:]+)"/g)].map(([, link]) => link)
      assert.ok(links.length >= 2, links.join(' '))
      for (const link of links) assert.equal((await fetch(at(`/${link}`))).status, 200, link)
      assert.doesNotMatch(page, /GET health|\{\{/)
    })

    it('the ready line, the log and the status say where it is', async () => {
      const [, address, port] = addressOf(server, 'thingschat')
      assert.notEqual(Number(port), server.httpPort)
      assert.ok(server.stderr.includes(`door thingschat: ${address}/\n`), server.stderr)
      assert.ok(server.stderr.includes(`door server: ${server.base}/\n`), server.stderr)
      const doors = await doorsOf(server)
      assert.deepEqual(doors.thingschat, { address: address.slice('http://'.length), prefix: '' })
      assert.deepEqual(doors.server, { address: server.base.slice('http://'.length), prefix: '' })
    })

    it('SIGHUP leaves it where it is', async () => {
      const token = newToken()
      const from = server.stderr.length
      server.child.kill('SIGHUP')
      await until(() => /SIGHUP/.test(server.stderr.slice(from)), 'SIGHUP in the log')
      assert.equal((await fetch(at(`/${token}/chat/x`), { method: 'POST', body: '{"n":1}' })).status, 200)
    })
  })
}

suite('[door:thingschat] listen and prefix', { set: { 'door:thingschat.listen': '127.0.0.1:0', 'door:thingschat.prefix': '/iot' } }, (server) => {
  it('the prefix holds at that address', async () => {
    const [, address] = addressOf(server, 'thingschat')
    assert.match(address, /\/iot$/)
    const token = newToken()
    assert.equal((await fetch(`${address}/${token}/chat/x`, { method: 'POST', body: '{}' })).status, 200)
    assert.equal((await fetch(`${new URL(address).origin}/${token}/things`)).status, 404)
  })
})

group('[door:thingschat] listen in a bridge of its own', () => {
  const broker = new Server({ command: 'broker' })
  const bridge = new Server({ command: 'bridge', data: broker.data, set: { 'door:thingschat.listen': '127.0.0.1:0' } })
  before(async () => {
    await broker.start()
    await bridge.start()
  })
  after(async () => {
    await bridge.close()
    await broker.close()
  })

  it('the status of the broker shows it, and forgets it when the bridge has gone', async () => {
    const [, address] = addressOf(bridge, 'thingschat')
    const doors = await doorsOf(broker)
    assert.equal(doors.thingschat.address, address.slice('http://'.length))
    assert.match(bridge.stderr, /door thingschat: http:/)
    await bridge.stop()
    await until(async () => !('doors' in JSON.parse((await broker.cli('status')).stdout)), 'no doors in the status', scaled(5000))
  })
})

group('an address that is not to be had', () => {
  it('is named with its setting, and nothing starts', async () => {
    const server = new Server()
    try {
      await server.start()
      const other = new Server({ set: { 'door:thingschat.listen': `127.0.0.1:${server.httpPort}` } })
      await assert.rejects(other.start())
      assert.match(other.stderr, /door:thingschat\.listen/)
      assert.match(other.stderr, /in use/)
    } finally {
      await server.close()
    }
  })

  it('is no address: the settings are refused', async () => {
    const server = new Server()
    const { code, stderr } = await server.cli('check', '-s', 'door:thingschat.listen=here')
    assert.equal(code, 2)
    assert.match(stderr, /door:thingschat\.listen = here: must be address:port/)
  })

  it('which is not loopback makes the server registered', async () => {
    const { stdout } = await run(BINARY, ['check', '-s', 'door:thingschat.listen=0.0.0.0:0'])
    assert.match(stdout, /access = registered/)
    assert.match((await run(BINARY, ['check', '-s', 'door:thingschat.listen=[::1]:0'])).stdout, /access = open/)
  })
})
