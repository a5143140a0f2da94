'use strict'
// Unmodified clients: the seed's Node.js client, eventsource 2 and current,
// curl, MQTT.js and mosquitto's, and what they do when the server restarts.
const assert = require('node:assert/strict')
const { createHash } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { it, before, after } = require('node:test')
const { suite, newToken, chat, until, temporaryFolder } = require('./harness/server')
const { run, plainEnvironment } = require('./harness/process')
const { Arrivals, within, scaled } = require('./harness/waits')
const mqtt = require('mqtt')

const SEED_CLIENT = path.join(__dirname, 'fixtures/thingschat-client.js')
const SEED_SHA256 = 'cc596e9b360c5be29f10fa77480810552d25d3129f58f8b8c7a88247cd6093ad'

// A folder with the seed's client where require('eventsource') finds version 2.
function seedClientFolder () {
  const folder = temporaryFolder()
  fs.copyFileSync(SEED_CLIENT, path.join(folder, 'thingschat-client.js'))
  fs.mkdirSync(path.join(folder, 'node_modules'))
  fs.symlinkSync(path.dirname(require.resolve('eventsource2/package.json')), path.join(folder, 'node_modules/eventsource'))
  return folder
}

suite("The seed's Node.js client", { set: { 'plan:free.idle_timeout': 3, 'plan:free.retry_ms': 400 } }, (server) => {
  let folder
  before(() => { folder = seedClientFolder() })
  after(() => { fs.rmSync(folder, { recursive: true, force: true }) })

  const start = (env) => {
    const client = server.follow(process.execPath, ['thingschat-client.js'],
      { cwd: folder, env: plainEnvironment({ BASE_URL: server.base, ...env }) })
    client.line = (fits) => client.lines.find((line) => typeof fits === 'string' ? line === fits : fits.test(line), scaled(15000))
    return client
  }

  it('the fixture is the seed, character by character', () => {
    const hash = createHash('sha256').update(fs.readFileSync(SEED_CLIENT)).digest('hex')
    assert.equal(hash, SEED_SHA256)
  })

  it("The seed's Node.js client (in its SSE guide) must run against Confab unmodified, with `eventsource@2`", async () => {
    const token = newToken()
    const client = start({ TOKEN: token, THING: 'sensor1' })
    assert.equal(await client.lines.next(scaled(15000)), `Connecting to ${server.base}/${token}/chat/sensor1/listen`)
    assert.equal(await client.line(/connected/), "[connected] { type: 'connected' }")
    const id = await server.say(token, 'sensor1', { temperature: 22.5 })
    const { createdAt } = await server.latest(token, 'sensor1')
    assert.equal(await client.lines.next(), `[message] id=${id} thing=sensor1`)
    assert.equal(await client.lines.next(), ' payload: { temperature: 22.5 }')
    assert.equal(await client.lines.next(), ` at: ${createdAt}`)
    const device = await server.device({ token })
    await device.publish(`${token}/sensor1`, 'by MQTT')
    await client.line(' payload: by MQTT')
    client.child.kill('SIGINT')
    assert.deepEqual(await within(client.exited, 'end after SIGINT'), { code: 0, signal: null })
    assert.match(client.text, /\nClosing connection\.\.\.\n$/)
    assert.equal(client.errors, '')
  })

  it("the seed's client on the free plan: status, idle time-out, reconnect, next message", async () => {
    const token = await server.freeToken()
    const client = start({ TOKEN: token })
    await client.line("[connected] { type: 'connected', retry: 400 }")
    await client.line(' Free plan — idle connections close after 3 min')
    await client.line(' Auto-reconnect delay: 0.4s')
    await client.line("[session] { type: 'expired', reason: 'idle' }")
    await client.line(' Expired due to inactivity — will reconnect automatically')
    await client.line('[reconnecting...]')
    await client.line("[connected] { type: 'connected', retry: 400 }")
    const id = await server.say(token, 'my-device', { again: true })
    await client.line(`[message] id=${id} thing=my-device`)
    await client.line(' payload: { again: true }')
  })

  it("the curl lines of the seed's reference", async () => {
    const token = newToken()
    const curl = async (...args) => (await run('curl', ['-sS', ...args])).stdout
    const posted = JSON.parse(await curl('-X', 'POST', `${server.base}/${token}/chat/sensor1`,
      '-H', 'Content-Type: application/json', '-d', '{"temperature": 22.5, "humidity": 60}'))
    assert.equal(posted.status, 'ok')
    const latest = JSON.parse(await curl(`${server.base}/${token}/chat/sensor1/latest`))
    assert.deepEqual([latest.id, latest.chat], [posted.id, { temperature: 22.5, humidity: 60 }])
    assert.equal(JSON.parse(await curl(`${server.base}/${token}/chat/sensor1/history?limit=10`)).length, 1)
    assert.deepEqual(JSON.parse(await curl(`${server.base}/${token}/things`)), ['sensor1'])
  })

  it('curl follows the SSE stream until interrupted', async () => {
    const token = newToken()
    const curl = server.follow('curl', ['-sS', '-N', `${server.base}/${token}/chat/sensor1/listen`])
    await curl.lines.find((line) => line.includes('"connected"'))
    for (let n = 0; n < 3; n++) {
      const id = await server.say(token, 'sensor1', { n })
      await curl.lines.find((line) => line === `id: ${id}`)
      await curl.lines.find((line) => line === 'event: message')
      const data = await curl.lines.find((line) => line.startsWith('data: '))
      assert.deepEqual(JSON.parse(data.slice(6)).chat, { n })
    }
    await curl.stop('SIGINT')
  })
})

// Both packages, one face.
const eventSources = {
  'eventsource@2': async () => require('eventsource2'),
  'current eventsource': async () => (await import('eventsource')).EventSource
}

// readers reconnect a moment after the server went
suite('Clients over a server restart', { set: { 'plan:local.retry_ms': 300 } }, (server) => {
  const ends = { 'an orderly stop': () => server.stop(), 'kill -9': () => server.kill9() }

  for (const [name, load] of Object.entries(eventSources)) {
    for (const [how, end] of Object.entries(ends)) {
      it(`EventSource reconnects with Last-Event-ID after ${how}, without gap or double (${name})`, async () => {
        const EventSource = await load()
        const token = newToken()
        const source = new EventSource(server.base + chat(token, 'x', '/listen'))
        const seen = new Arrivals('event of EventSource')
        const opened = new Arrivals('status of EventSource')
        source.addEventListener('status', (event) => opened.push(JSON.parse(event.data)))
        source.addEventListener('message', (event) => seen.push({ ...JSON.parse(event.data), lastEventId: event.lastEventId }))
        try {
          assert.deepEqual(await opened.next(), { type: 'connected' })
          for (let n = 0; n < 5; n++) await server.say(token, 'x', { n })
          for (const message of await seen.take(5)) assert.equal(message.lastEventId, String(message.id))
          await end()
          await server.restart()
          // most likely nobody listens yet: these come from the log
          for (let n = 5; n < 25; n++) await server.say(token, 'x', { n })
          await opened.next(scaled(15000))
          for (let n = 25; n < 30; n++) await server.say(token, 'x', { n })
          const numbers = (await seen.take(25)).map((message) => message.chat.n)
          assert.deepEqual(numbers, Array.from({ length: 25 }, (_, i) => 5 + i))
        } finally {
          source.close()
        }
      })
    }
  }

  it('current eventsource on a pattern: one connection, many things', async () => {
    const EventSource = await eventSources['current eventsource']()
    const token = newToken()
    const source = new EventSource(`${server.base}/${token}/listen?things=%2B/temp`)
    const opened = new Arrivals('status')
    const seen = new Arrivals('message')
    source.addEventListener('status', () => opened.push(true))
    source.addEventListener('message', (event) => seen.push(JSON.parse(event.data).thing))
    try {
      await opened.next()
      for (const thing of ['kitchen/temp', 'kitchen/light', 'hall/temp']) await server.say(token, thing, {})
      assert.deepEqual(await seen.take(2), ['kitchen/temp', 'hall/temp'])
    } finally {
      source.close()
    }
  })

  for (const protocolVersion of [5, 4]) {
    it(`MQTT.js reconnects by itself and goes on, what it published meanwhile is stored once (MQTT ${protocolVersion})`, async () => {
      const token = newToken()
      const client = mqtt.connect(server.mqttUrl, { protocolVersion, username: token, reconnectPeriod: 200 })
      const seen = new Arrivals('message of MQTT.js')
      const connects = new Arrivals('connect of MQTT.js')
      const closes = new Arrivals('close of MQTT.js')
      client.on('message', (topic, payload) => seen.push(payload.toString()))
      client.on('connect', () => connects.push(true))
      client.on('close', () => closes.push(true))
      client.on('error', () => {}) // refused while the server is away
      try {
        await connects.next()
        await within(client.subscribeAsync(`${token}/x`, { qos: 1 }), 'SUBACK')
        await within(client.publishAsync(`${token}/x`, 'one', { qos: 1 }), 'PUBACK')
        assert.equal(await seen.next(), 'one')
        await server.stop()
        await closes.next()
        const offline = client.publishAsync(`${token}/x`, 'two', { qos: 1 })
        await server.restart()
        await connects.next(scaled(15000))
        await within(offline, 'PUBACK after the restart', scaled(15000))
        await within(client.publishAsync(`${token}/x`, 'three', { qos: 1 }), 'PUBACK')
        await seen.find((text) => text === 'three')
        assert.deepEqual((await server.history(token, 'x')).map((message) => message.chat), ['three', 'two', 'one'])
      } finally {
        await client.endAsync(true)
      }
    })
  }

  it('mosquitto_sub reconnects by itself and goes on', async () => {
    const token = newToken()
    const sub = server.follow('mosquitto_sub', ['-d', '-h', '127.0.0.1', '-p', String(server.mqttPort), '-u', token, '-t', `${token}/#`, '-v'])
    const subscribed = (line) => line.startsWith('Subscribed')
    await sub.lines.find(subscribed)
    await server.stop()
    await server.restart()
    await sub.lines.find(subscribed, scaled(20000))
    await server.say(token, 'x', { n: 1 })
    await sub.lines.find((line) => line === `${token}/x {"n":1}`)
  })

  it('curl, MQTT.js, mosquitto and an EventSource on one thing all see the same', async () => {
    const token = newToken()
    const EventSource = await eventSources['eventsource@2']()
    const source = new EventSource(server.base + chat(token, 'x', '/listen'))
    const events = new Arrivals('event')
    const opened = new Arrivals('status')
    source.addEventListener('status', () => opened.push(true))
    source.addEventListener('message', (event) => events.push(JSON.parse(event.data).chat))
    try {
      const [five, four] = [await server.subscriber(token, 'x', { v: 5 }), await server.subscriber(token, 'x', { v: 4 })]
      const sub = server.follow('mosquitto_sub', ['-d', '-h', '127.0.0.1', '-p', String(server.mqttPort), '-u', token, '-t', `${token}/x`])
      await sub.lines.find((line) => line.startsWith('Subscribed'))
      await opened.next()
      const bodies = ['{"by":"curl"}', '{"by":"MQTT.js 5"}', '{"by":"MQTT.js 4"}', '{"by":"mosquitto_pub"}']
      await run('curl', ['-sS', server.base + chat(token, 'x'), '-d', bodies[0]])
      await five.publish(`${token}/x`, bodies[1])
      await four.publish(`${token}/x`, bodies[2])
      await run('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(server.mqttPort), '-u', token, '-t', `${token}/x`, '-q', '1', '-m', bodies[3]])
      assert.deepEqual((await events.take(4)).map((value) => JSON.stringify(value)), bodies)
      for (const device of [five, four]) assert.deepEqual((await device.messages.take(4)).map(({ text }) => text), bodies)
      for (const body of bodies) await sub.lines.find((line) => line === body)
      await until(async () => (await server.history(token, 'x')).length === 4, 'history')
    } finally {
      source.close()
    }
  })
})
