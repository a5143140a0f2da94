'use strict'
// GET /metrics: Prometheus's text format, on a port of its own.
const assert = require('node:assert/strict')
const { describe, it } = require('node:test')
const os = require('node:os')
const { Server, suite, newToken, chat } = require('./harness/server')
const { request } = require('./harness/http')
const { parseMetrics, metric } = require('./harness/metrics')
const { Socket } = require('./harness/socket')
const { until } = require('./harness/waits')

async function figures (server) {
  const answer = await request(server.metricsUrl, '/metrics')
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  return parseMetrics(answer.text)
}

// Waits until the sample has grown by at least that much.
async function grows (server, before, by, name, labels) {
  const from = metric(before, name, labels)
  await until(async () => metric(await figures(server), name, labels) >= from + by,
    `${name} ${JSON.stringify(labels)} +${by}`)
}

describe('the parser of these tests', () => {
  const good = '# HELP confab_a_total A\\\\ \\n.\n# TYPE confab_a_total counter\nconfab_a_total{b="\\"\\\\\\n"} 1\n'

  it('takes what is in the format', () => {
    assert.equal(metric(parseMetrics(good), 'confab_a_total', { b: '"\\\n' }), 1)
  })

  it('refuses what is not', () => {
    for (const [from, to] of [[/\n$/, ''], ['counter', 'total'], ['# HELP confab_a_total A\\\\ \\n.\n', ''],
      ['} 1', '} 1 '], ['} 1', '} one'], ['{b=', '{b-c='], ['\\"\\\\\\n"', 'x"y"'], ['\\\\ ', '\\a '],
      [/^/, good], [/$/, 'confab_a_total{b="\\"\\\\\\n"} 2\n'], [/$/, 'confab_b 1\n'], ['} 1', '} -1']]) {
      const bad = good.replace(from, to)
      assert.notEqual(bad, good)
      assert.throws(() => parseMetrics(bad), undefined, bad)
    }
  })
})

suite('metrics', { set: { 'metrics.listen': '127.0.0.1:0' } }, (server) => {
  it('the ready line says where they are', () => {
    assert.match(server.readyLine, / metrics=http:\/\/127\.0\.0\.1:\d+\/metrics data=/)
  })

  it('every figure has its name, type and help, and confab status has the same', async () => {
    const page = await figures(server)
    const status = JSON.parse((await server.cli('status')).stdout)
    for (const name of ['confab_broker_uptime_seconds', 'confab_mqtt_connections',
      'confab_mqtt_received_bytes_total', 'confab_store_commits_total', 'confab_store_used_bytes',
      'confab_link_requests_waiting', 'confab_streams']) {
      assert.ok(page.has(name), name)
    }
    assert.equal(metric(page, 'confab_store_size_limit_bytes'), status.store.map_size)
    assert.equal(metric(page, 'confab_store_accepting'), 1)
    assert.deepEqual(page.get('confab_mqtt_messages_dropped_total').samples.map((s) => s.labels.cause),
      Object.keys(status.dropped))
    assert.deepEqual(page.get('confab_mqtt_connections_closed_total').samples.map((s) => s.labels.reason),
      Object.keys(status.closed))
  })

  it('counts bytes of bodies', async () => {
    const token = newToken()
    const before = await figures(server)
    const body = JSON.stringify({ text: 'x'.repeat(5000) })
    const posted = await request(server.base, `/${token}/chat/sizes`, { method: 'POST', body })
    assert.equal(posted.status, 200)
    const latest = await request(server.base, `/${token}/chat/sizes`)
    await grows(server, before, body.length, 'confab_http_received_body_bytes_total')
    await grows(server, before, posted.text.length + latest.text.length, 'confab_http_sent_body_bytes_total')
  })

  it('counts how often devices were faster than the disk', async () => {
    const token = newToken()
    const before = await figures(server)
    const device = await server.device({ token })
    await Promise.all(Array.from({ length: 20_000 }, (_, n) => device.publish(`${token}/fast`, `${n}`)))
    await grows(server, before, 1, 'confab_mqtt_reads_stalled_total')
  })

  it('figures move when devices publish and subscribe', async () => {
    const token = newToken()
    const before = await figures(server)
    const device = await server.device({ token })
    await device.subscribe(`${token}/#`)
    await device.publish(`${token}/a`, 'twelve bytes')
    await grows(server, before, 1, 'confab_mqtt_clients')
    await grows(server, before, 1, 'confab_mqtt_subscriptions')
    await grows(server, before, 1, 'confab_mqtt_publish_received_total')
    await grows(server, before, 12, 'confab_mqtt_publish_received_payload_bytes_total')
    await grows(server, before, 1, 'confab_mqtt_publish_sent_total')
    await grows(server, before, 1, 'confab_store_messages_appended_total')
  })

  it('figures move when messages come over HTTP and go to streams', async () => {
    const token = newToken()
    await server.say(token, 'a', { v: 1 })
    const before = await figures(server)
    const stream = await server.listen(token, 'a')
    await grows(server, before, 1, 'confab_streams_opened_total', { format: 'sse_chunked' })
    await grows(server, before, 1, 'confab_streams', { format: 'sse_chunked' })
    await grows(server, before, 1, 'confab_streams_catchup_started_total')
    await server.say(token, 'a', { v: 2 })
    await grows(server, before, 1, 'confab_link_requests_total', { outcome: 'answered' })
    await grows(server, before, 100, 'confab_streams_sent_bytes_total')
    const during = await figures(server)
    assert.ok(metric(during, 'confab_link_requests_wait_seconds_total') > metric(before, 'confab_link_requests_wait_seconds_total'))
    assert.equal(metric(during, 'confab_link_requests_waiting'), 0)
    stream.close()
    await until(async () => metric(await figures(server), 'confab_streams', { format: 'sse_chunked' }) === 0, 'stream is gone')
  })

  it('a live message is encoded, and compressed, once for all streams', async () => {
    const token = newToken()
    const encoded = async (format) => metric(await figures(server), 'confab_streams_encoded_total', { format })
    const readers = []
    for (let n = 0; n < 8; n++) {
      readers.push(await server.listen(token, 'a'))
      const socket = await Socket.open(server, token, { deflate: true })
      await socket.follow('a')
      readers.push(socket)
    }
    const formats = ['sse_chunked', 'websocket_deflate']
    const said = async (count) => {
      for (let n = 0; n < count; n++) await server.say(token, 'a', { text: 'x'.repeat(500), n })
      for (const reader of readers) await reader.messages(count)
    }
    await said(1) // then all are live
    const before = await Promise.all(formats.map(encoded))
    await said(10)
    for (const [i, format] of formats.entries()) {
      const times = await encoded(format) - before[i]
      assert.ok(times >= 1 && times <= 10, `${times} times in ${format} for 10 messages to 8 streams`)
    }
  })

  it('HTTP requests are counted by door and status', async () => {
    const before = await figures(server)
    const ofDoor = (status) => ({ door: 'thingschat', status })
    assert.equal((await server.get(chat(newToken(), 'a', '/latest'))).status, 404)
    await server.say(newToken(), 'a', { v: 1 })
    await grows(server, before, 1, 'confab_http_requests_total', ofDoor('404'))
    await grows(server, before, 1, 'confab_http_requests_total', ofDoor('200'))
    await grows(server, before, 2, 'confab_http_connections_accepted_total')
  })

  it('no label has a token or a thing', async () => {
    const token = newToken()
    await server.say(token, 'a-thing-of-mine', { v: 1 })
    const { text } = await request(server.metricsUrl, '/metrics')
    assert.ok(!text.includes(token) && !text.includes('a-thing-of-mine'))
  })

  it('there is nothing else', async () => {
    const base = server.metricsUrl
    assert.equal((await request(base, '/')).status, 404)
    assert.equal((await request(base, '/health')).status, 404)
    const post = await request(base, '/metrics', { method: 'POST', body: 'x' })
    assert.equal(post.status, 405)
    assert.equal(post.headers.allow, 'GET, HEAD')
    const head = await request(base, '/metrics', { method: 'HEAD' })
    assert.equal(head.status, 200)
    assert.equal(head.text, '')
    assert.equal((await server.get('/metrics')).status, 404, 'not where clients are')
  })

  it('only the address that was asked for answers', async (t) => {
    const other = Object.values(os.networkInterfaces()).flat()
      .find((a) => a.family === 'IPv4' && !a.internal)?.address
    if (!other) return t.skip('this machine has loopback only')
    await assert.rejects(request(server.metricsUrl.replace('127.0.0.1', other), '/metrics'), /ECONNREFUSED/)
  })
})

suite('metrics by default', {}, (server) => {
  it('are off', () => {
    assert.doesNotMatch(server.readyLine, /metrics/)
  })
})

describe('metrics of a broker and a bridge that run apart', () => {
  it('are at two addresses, from the same settings', async () => {
    const set = { 'metrics.listen': '127.0.0.1:0', 'metrics.bridge_listen': '127.0.0.1:0' }
    const broker = new Server({ command: 'broker', set })
    const bridge = new Server({ command: 'bridge', data: broker.data, set })
    try {
      await broker.start()
      await bridge.start()
      const ofBroker = await figures(broker)
      const ofBridge = await figures(bridge)
      assert.ok(ofBroker.has('confab_mqtt_connections') && !ofBroker.has('confab_streams'))
      assert.ok(ofBridge.has('confab_streams') && !ofBridge.has('confab_mqtt_connections'))
      await until(async () => metric(await figures(bridge), 'confab_link_connections_total') === 1, 'linked')
    } finally {
      await bridge.close()
      await broker.close()
    }
  })
})

describe('an address for metrics', () => {
  it('that is taken ends the start', async () => {
    const first = new Server({ set: { 'metrics.listen': '127.0.0.1:0' } })
    try {
      await first.start()
      const port = new URL(first.metricsUrl).port
      const second = new Server({ set: { 'metrics.listen': `127.0.0.1:${port}` } })
      const child = second.launch()
      const { code } = await child.exited
      assert.equal(code, 1)
      assert.match(second.stderr, new RegExp(`metrics\\.listen 127\\.0\\.0\\.1:${port}: `))
    } finally {
      await first.close()
    }
  })
})
