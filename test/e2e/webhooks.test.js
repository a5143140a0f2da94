'use strict'
// Webhooks from end to end: a real receiver, settings by `confab tenant set`, what died
// by `confab webhook`, restarts, and processes of their own.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { it } = require('node:test')
const { Server, suite, group, chat, BINARY } = require('./harness/server')
const { run } = require('./harness/process')
const { parseMetrics } = require('./harness/metrics')
const { Receiver } = require('./harness/receiver')
const { scaled, sleep, until } = require('./harness/waits')

const SECRET = 'the first secret of this hook'
const OTHER = 'the second secret of this hook'
const ALLOWED = { 'outgoing.allow': '127.0.0.0/8' }
const FAST = { ...ALLOWED, 'tokens.access': 'registered', 'webhooks.attempts': 2, 'webhooks.retry_first': 1, 'webhooks.retry_max': 1, 'webhooks.timeout': 3 }

const SLOW = scaled(20000)

class Hook {
  constructor (server) {
    this.server = server
    this.receivers = []
  }

  async token () {
    this.name = await this.server.planToken('home')
    return this
  }

  async cli (...args) {
    return await run(BINARY, [args[0], '--data', this.server.data, '-s', 'outgoing.allow=127.0.0.0/8', ...args.slice(1)])
  }

  async done (...args) {
    const { code, stdout, stderr } = await this.cli(...args)
    assert.equal(code, 0, stderr)
    return stdout
  }

  file (text) {
    const at = path.join(path.dirname(this.server.data), `secret-${Math.random().toString(36).slice(2)}`)
    fs.writeFileSync(at, text)
    return at
  }

  async set (...settings) { await this.done('tenant', 'set', this.name, ...settings) }

  // A receiver that the tenant's messages go to from now on.
  async to (answer, ...more) {
    const receiver = await new Receiver([SECRET], answer).start()
    this.receivers.push(receiver)
    await this.set(`webhook.url=${receiver.url}`, `webhook.secret=@${this.file(SECRET)}`, ...more)
    return receiver
  }

  async list (...args) {
    const text = await this.done('webhook', 'list', '--json', '--tenant', this.name, ...args)
    return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line))
  }

  say (thing, chat) { return this.server.say(this.name, thing, { n: chat }) }

  async close () { for (const receiver of this.receivers) await receiver.close() }
}

// Each test has a tenant of its own.
function withHook (server, name, body) {
  it(name, async () => {
    const hook = await new Hook(server).token()
    try {
      await body(hook)
    } finally {
      await hook.close()
    }
  })
}

suite('webhooks', { set: { ...FAST, 'metrics.listen': '127.0.0.1:0' } }, (server) => {
  withHook(server, 'get what is published from the moment they are set, signed, in order', async (hook) => {
    await hook.say('lamp', 'before')
    const receiver = await hook.to()
    const ids = []
    for (let i = 0; i < 20; i++) ids.push(await hook.say('lamp', i))
    const device = await server.device({ token: hook.name })
    await device.publish(`${hook.name}/door`, 'open', { qos: 1 })
    await receiver.received(21)
    const lamp = receiver.requests.filter(({ thing }) => thing === 'lamp')
    assert.deepEqual(lamp.map(({ id }) => id), ids)
    assert.deepEqual(lamp.map(({ chat }) => chat.n), ids.map((_, i) => i))
    const first = lamp[0]
    assert.equal(first.message.id, ids[0])
    assert.equal(first.headers['content-type'], 'application/json')
    assert.equal(first.headers['x-confab-event'], 'message')
    assert.equal(first.url, '/in')
    assert.equal(receiver.requests.find(({ thing }) => thing === 'door').chat, 'open')
    const [row] = await until(async () => {
      const rows = await hook.list()
      return rows[0].behind === 0 && rows[0].status === 204 && rows
    }, 'position', SLOW)
    assert.deepEqual([row.tenant, row.state, row.url, row.dead, row.error], [hook.name, 'on', receiver.url, 0, ''])
    assert.ok(row.position >= ids.at(-1))
  })

  withHook(server, 'one thing that fails does not hold up the others, and keeps its order', async (hook) => {
    let failures = 1
    const receiver = await hook.to(({ thing }) => thing === 'bad' && failures-- > 0 ? 503 : 200)
    const bad = [await hook.say('bad', 1), await hook.say('bad', 2)]
    const good = await hook.say('good', 1)
    await receiver.received(4)
    const order = receiver.requests.map(({ id }) => id)
    assert.ok(order.indexOf(good) < order.lastIndexOf(bad[0]), `${order}`)
    assert.deepEqual(order.filter((id) => bad.includes(id)), [bad[0], bad[0], bad[1]])
  })

  withHook(server, 'what was deleted before its turn is not sent', async (hook) => {
    let failures = 1
    const receiver = await hook.to(() => failures-- > 0 ? 503 : 200)
    const ids = []
    for (const n of ['first', 'deleted', 'last']) ids.push(await hook.say('lamp', n))
    const answer = await hook.server.request(chat(hook.name, 'lamp', `/${ids[1]}`), { method: 'DELETE' })
    assert.equal(answer.status, 200, answer.text)
    await receiver.received(3) // the first one twice, while the second waits behind it
    assert.deepEqual(receiver.requests.map(({ chat }) => chat.n), ['first', 'first', 'last'])
  })

  withHook(server, 'what fails too often is dead, listed, and sent again on request', async (hook) => {
    let works = false
    const receiver = await hook.to((request) => works || request.thing === 'fine' ? 200 : 500)
    const ids = [await hook.say('lamp', 'a'), await hook.say('lamp', 'b'), await hook.say('door', 'c')]
    const dead = await until(async () => {
      const rows = await hook.list('--dead')
      return rows.length === 3 && rows
    }, '3 dead messages', SLOW)
    assert.deepEqual(dead.map(({ id }) => id), ids)
    assert.deepEqual(dead.map(({ thing, attempts, status, retry }) => [thing, attempts, status, retry]),
      [['lamp', 2, 500, false], ['lamp', 2, 500, false], ['door', 2, 500, false]])
    await hook.say('fine', 'd')
    await until(async () => (await hook.list())[0].dead === 3, 'number of dead messages', SLOW)

    // Again while it still fails: dead again.
    const before = receiver.requests.length
    await hook.done('webhook', 'retry', hook.name, String(ids[0]))
    await receiver.received(before + 2)
    await until(async () => (await hook.list('--dead')).every(({ retry }) => !retry), 'dead again', SLOW)
    assert.equal((await hook.list('--dead')).length, 3)

    works = true
    await hook.done('webhook', 'retry', hook.name, '--all')
    await until(async () => (await hook.list('--dead')).length === 0, 'no dead messages', SLOW)
    for (const id of ids) assert.ok(receiver.ids.slice(before + 2).includes(id))
    assert.equal((await hook.list())[0].dead, 0)
    const { code, stderr } = await hook.cli('webhook', 'retry', hook.name, '--all')
    assert.equal(code, 1)
    assert.match(stderr, /no such dead messages/)
  })

  withHook(server, 'both secrets sign while the secret is being changed', async (hook) => {
    const receiver = await hook.to()
    await hook.say('lamp', 1)
    await receiver.received(1)
    assert.equal(receiver.requests[0].signatures, 1)
    await hook.set(`webhook.secret=@${hook.file(OTHER)}`)
    // The receiver, which knows the former secret, finds its signature in each of them.
    await until(async () => {
      const { length } = receiver.requests
      await hook.say('lamp', 2)
      await receiver.received(length + 1)
      return receiver.requests.at(-1).signatures === 2
    }, 'second signature', SLOW)
    receiver.secrets = [OTHER]
    await hook.set('webhook.secret_old=')
    await until(async () => {
      const { length } = receiver.requests
      await hook.say('lamp', 3)
      await receiver.received(length + 1)
      return receiver.requests.at(-1).signatures === 1
    }, 'one signature', SLOW)
  })

  withHook(server, 'stop while the tenant is suspended, and go on after', async (hook) => {
    const receiver = await hook.to()
    await hook.say('lamp', 1)
    await receiver.received(1)
    await hook.done('tenant', 'suspend', hook.name)
    assert.equal((await hook.list())[0].state, 'suspended')
    assert.equal((await server.post(`/${hook.name}/chat/lamp`, { chat: 2 })).status, 403)
    await hook.done('tenant', 'resume', hook.name)
    const id = await hook.say('lamp', 3)
    await until(() => receiver.ids.includes(id), 'message after the suspension', SLOW)
    await hook.set('webhook.url=')
    assert.deepEqual(await hook.list(), [])
  })

  withHook(server, 'do not follow redirects, nor wait for a slow answer, nor read a huge one', async (hook) => {
    const elsewhere = await new Receiver([SECRET]).start()
    hook.receivers.push(elsewhere)
    const held = []
    const receiver = await hook.to(({ thing }, response) => {
      if (thing === 'redirect') response.writeHead(307, { location: elsewhere.url }).end()
      else if (thing === 'slow') held.push(response)
      else if (thing === 'huge') {
        response.writeHead(200)
        response.on('error', () => {})
        const more = () => { while (!response.destroyed && response.write(Buffer.alloc(65536))); }
        response.on('drain', more)
        more()
      } else return 200
    })
    for (const thing of ['redirect', 'slow', 'huge', 'fine']) await hook.say(thing, thing)
    await until(() => receiver.requests.some(({ thing }) => thing === 'fine'), 'the one that answers', SLOW)
    const dead = await until(async () => {
      const rows = await hook.list('--dead')
      return rows.length === 2 && rows
    }, 'two dead messages', scaled(30000))
    const of = (thing) => dead.find((row) => row.thing === thing)
    assert.equal(of('redirect').status, 307)
    assert.match(of('redirect').error, /redirects are not followed/)
    assert.match(of('slow').error, /not finished in time/)
    // 200 before the flood: delivered
    assert.equal(receiver.requests.filter(({ thing }) => thing === 'huge').length, 1)
    assert.deepEqual(elsewhere.requests, [])
    for (const response of held) response.destroy()
  })

  it('are in the metrics', async () => {
    const text = await (await fetch(server.metricsUrl)).text()
    const families = parseMetrics(text)
    const value = (name, outcome) => families.get(`confab_${name}`).samples.find(({ labels }) => outcome === undefined || labels.outcome === outcome).value
    assert.ok(value('webhook_messages_total', 'delivered') > 20)
    assert.ok(value('webhook_messages_total', 'dead') >= 5)
    assert.ok(value('webhook_failed_attempts_total') >= 10)
    await until(async () => {
      const now = parseMetrics(await (await fetch(server.metricsUrl)).text())
      return now.get('confab_webhooks_behind').samples[0].value >= 0
    }, 'webhooks_behind')
  })

  it('need a URL that can work', async () => {
    const hook = await new Hook(server).token()
    const refused = async (what, args) => {
      const { code, stderr } = await run(BINARY, ['tenant', '--data', server.data, 'set', ...args])
      assert.equal(code, 2, stderr)
      assert.match(stderr, what)
    }
    await refused(/127\.0\.0\.1 is .*outgoing\.allow/, [hook.name, 'webhook.url=http://127.0.0.1:1/'])
    await refused(/outgoing\.allow/, [hook.name, 'webhook.url=http://localhost/'])
    await refused(/outgoing\.allow/, [hook.name, 'webhook.url=http://[::1]/'])
    await refused(/outgoing\.allow/, [hook.name, 'webhook.url=http://169.254.169.254/latest'])
    await refused(/outgoing\.allow/, [hook.name, 'webhook.url=http://0x7f000001/'])
    await refused(/user name/, [hook.name, 'webhook.url=http://a@example.org/'])
    await refused(/http/, [hook.name, 'webhook.url=ftp://example.org/'])
  })
})

group('webhooks and processes', () => {
  let hook
  const open = (set, command) => new Server({ command, set: { ...FAST, ...set } })

  it('refuse private addresses unless the settings allow them, also those of names', async () => {
    const server = open({ 'outgoing.allow': '', 'webhooks.attempts': 1 })
    await server.start()
    try {
      hook = await new Hook(server).token()
      const receiver = await hook.to() // this command was told that it is allowed
      await hook.say('lamp', 1)
      const [dead] = await until(async () => {
        const rows = await hook.list('--dead')
        return rows.length === 1 && rows
      }, 'dead message', SLOW)
      assert.match(dead.error, /address refused/)
      assert.deepEqual(receiver.requests, [])
      await hook.set(`webhook.url=http://localhost:${receiver.port}/`)
      await hook.say('lamp', 2)
      await until(async () => (await hook.list('--dead')).length === 2, 'dead message of a name', SLOW)
      assert.deepEqual(receiver.requests, [])
    } finally {
      await hook?.close()
      await server.close()
    }
  })

  it('go on where they were after a restart, and after kill -9', async () => {
    const server = open()
    await server.start()
    try {
      hook = await new Hook(server).token()
      const receiver = await hook.to()
      const ids = [await hook.say('lamp', 1)]
      await receiver.received(1)
      await server.stop()
      // Set while nothing runs: what comes after the start is delivered.
      await server.restart()
      ids.push(await hook.say('lamp', 2))
      await receiver.received(2)
      assert.deepEqual(receiver.ids, ids) // an orderly stop stores the position
      await server.kill9()
      await server.restart()
      ids.push(await hook.say('lamp', 3))
      await until(() => receiver.ids.includes(ids[2]), 'the third one', SLOW)
      assert.deepEqual([...new Set(receiver.ids)], ids)
    } finally {
      await hook?.close()
      await server.close()
    }
  })

  it('work with broker and bridge as processes of their own, and one bridge delivers', async () => {
    const broker = open({}, 'broker')
    await broker.start()
    const bridges = [1, 2].map(() => new Server({ command: 'bridge', data: broker.data, set: FAST }))
    try {
      for (const bridge of bridges) await bridge.start()
      hook = await new Hook(bridges[0]).token()
      hook.server = { ...hook.server, data: broker.data, say: (...all) => bridges[0].say(...all) }
      const receiver = await hook.to()
      const ids = []
      for (let i = 0; i < 10; i++) ids.push(await hook.say('lamp', i))
      await receiver.received(10)
      await sleep(scaled(300)) // a second bridge would have been as fast
      assert.deepEqual(receiver.ids, ids)
      // The other one takes over.
      await bridges[0].stop()
      hook.server.say = (...all) => bridges[1].say(...all)
      ids.push(await hook.say('lamp', 'later'))
      await until(() => receiver.ids.includes(ids.at(-1)), 'delivery by the other bridge', SLOW)
      assert.deepEqual([...new Set(receiver.ids)], ids)
    } finally {
      await hook?.close()
      for (const bridge of bridges) await bridge.close()
      await broker.close()
    }
  })
})
