'use strict'
// kill -9 under QoS 1 and QoS 2 load, with publishers and subscribers whose
// sessions go on: nothing acknowledged is lost, QoS 2 is exactly once, both into
// the log and out of it, and order is kept.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { Server, newToken, chat, until } = require('../e2e/harness/server')
const { scaled, sleep, within } = require('../e2e/harness/waits')
const mqtt = require('mqtt')
const { Unforgetting } = require('./unforgetting')

const ROUNDS = Number(process.env.ROUNDS ?? 20)
const PUBLISHERS = [1, 2, 1, 2].map((qos, n) => ({ qos, v: n < 2 ? 5 : 4, name: `p${n}` }))
const WINDOW = 20

// What one subscriber, or the log, has of each publisher.
class Sightings {
  constructor () { this.seen = new Map() }

  // QoS 1 may come again, QoS 2 not; first deliveries are in order.
  saw (text, where) {
    const { who, n, qos } = JSON.parse(text)
    const last = this.seen.get(who) ?? 0
    if (n <= last) {
      assert.equal(qos, 1, `${where}: ${who}'s ${n} (QoS 2) came again after ${last}`)
      return
    }
    assert.equal(n, last + 1, `${where}: ${who}'s ${n} after ${last}`)
    this.seen.set(who, n)
  }

  upTo (who) { return this.seen.get(who) ?? 0 }
}

// Publishes numbered messages as fast as its window lets it.
class Publisher {
  constructor ({ qos, v, name }, token) {
    Object.assign(this, { qos, name, n: 0, topic: `${token}/${name}` })
    this.client = new Unforgetting({ v, token, clientId: name, window: WINDOW })
  }

  async go (server, round) {
    await this.client.connect(server.mqttPort, () => round.over)
    while (this.client.line && !round.over) {
      while (this.client.hasRoom && !round.over) {
        this.client.publish(this.topic, JSON.stringify({ who: this.name, n: ++this.n, qos: this.qos }), this.qos)
      }
      await sleep(1)
    }
  }

  get acknowledgedUpTo () {
    return Math.max(0, ...this.client.acknowledged.map((text) => JSON.parse(text).n))
  }
}

// The whole log of a publisher's thing, held against what it was told.
async function checkLog (server, token, publisher) {
  const { lines } = await server.get(chat(token, publisher.name, '/history?order=asc'), { Accept: 'application/x-ndjson' }, { limit: scaled(60000) })
  const log = new Sightings()
  for (const line of lines) log.saw(JSON.stringify(JSON.parse(line).chat), 'log')
  assert.ok(log.upTo(publisher.name) >= publisher.acknowledgedUpTo,
    `${publisher.name}: acknowledged up to ${publisher.acknowledgedUpTo}, stored up to ${log.upTo(publisher.name)}`)
  if (publisher.qos === 2) assert.equal(lines.length, log.upTo(publisher.name), 'none twice')
  if (lines.length > 0) {
    const row = (await server.things(token, '?detail=1')).find(({ thing }) => thing === publisher.name)
    assert.deepEqual([row.lastSeq, row.count], [lines.length, lines.length], 'seqs have no gap')
  }
  return log.upTo(publisher.name)
}

// Lives on over all rounds, as MQTT.js does for its users: its stores are in
// memory, and it reconnects by itself.
class Js {
  constructor (server, token, v) {
    this.sightings = new Sightings()
    this.failure = null
    this.client = mqtt.connect(server.mqttUrl, {
      protocolVersion: v,
      username: token,
      clientId: `js${v}`,
      clean: false,
      resubscribe: false,
      reconnectPeriod: 50,
      ...(v === 5 && { properties: { sessionExpiryInterval: 0xffffffff } })
    })
    this.client.on('error', () => {})
    this.client.on('message', (topic, payload) => {
      try {
        this.sightings.saw(payload.toString(), `MQTT.js ${v}`)
      } catch (error) {
        this.failure ??= error
      }
    })
  }
}

for (const workers of [1, 3]) {
  it(`raising a subscription from QoS 0 to 1 does not bring back after a kill what came with QoS 0: ${workers} workers`, { timeout: scaled(60000) }, async () => {
    const server = new Server({ set: { 'mqtt.workers': workers } })
    const token = newToken()
    await server.start()
    const [subscriber, publisher] = ['s', 'p'].map((clientId) => new Unforgetting({ v: 5, token, clientId }))
    const came = () => subscriber.messages.items.splice(0).map(({ text }) => text)
    const send = async (...texts) => {
      for (const text of texts) publisher.publish(`${token}/x`, text, 1)
      await until(() => publisher.out.size === 0 && subscriber.messages.items.length >= texts.length, 'delivery')
      assert.deepEqual(came(), texts)
    }
    const past = Array.from({ length: 19 }, (_, i) => String(i))
    try {
      await subscriber.connect(server.mqttPort)
      await publisher.connect(server.mqttPort)
      await subscriber.subscribe(`${token}/x`, 0)
      await send(...past)
      await subscriber.subscribe(`${token}/x`, 1)
      await server.kill9()
      await Promise.all([subscriber.gone, publisher.gone])
      await server.restart()
      assert.equal(await subscriber.connect(server.mqttPort), true, 'session present')
      await publisher.connect(server.mqttPort)
      await send('after') // and before it nothing
    } finally {
      for (const client of [subscriber, publisher]) client.end()
      await server.close()
    }
  })
}

it(`QoS 2 is exactly once, QoS 1 at least once, in order, over ${ROUNDS} kills`, { timeout: scaled(120000) + ROUNDS * scaled(8000) }, async (t) => {
  const server = new Server()
  const token = newToken()
  await server.start()
  const publishers = PUBLISHERS.map((which) => new Publisher(which, token))
  const subscribers = [5, 4].map((v) => new Unforgetting({ v, token, clientId: `s${v}` }))
  const sightings = subscribers.map(() => new Sightings())
  const js = [5, 4].map((v) => new Js(server, token, v))
  const drain = () => subscribers.forEach(({ messages, v }, i) => {
    for (const { text } of messages.items.splice(0)) sightings[i].saw(text, `subscriber ${v}`)
  })
  const everybody = () => [...sightings, ...js.map((one) => one.sightings)]
  try {
    for (const subscriber of subscribers) {
      await subscriber.connect(server.mqttPort)
      await subscriber.subscribe(`${token}/#`, 2)
    }
    for (const { client } of js) await within(client.subscribeAsync(`${token}/#`, { qos: 2 }), 'SUBACK')

    let before = 0
    for (let number = 1; number <= ROUNDS; number++) {
      const round = { over: false }
      const load = publishers.map((publisher) => publisher.go(server, round))
      await sleep(50 + Math.random() * 400)
      await server.kill9()
      round.over = true
      await Promise.all(load)
      await Promise.all([...publishers.map(({ client }) => client), ...subscribers].map((client) => client.gone))
      drain()
      await server.restart()
      for (const subscriber of subscribers) assert.equal(await subscriber.connect(server.mqttPort), true, 'session present')
      for (const publisher of publishers) await checkLog(server, token, publisher)
      const now = publishers.reduce((sum, { client }) => sum + client.acknowledged.length, 0)
      assert.ok(now > before, `round ${number}: nothing was acknowledged`)
      before = now
      for (const { failure } of js) if (failure) throw failure
    }

    // let everything be acknowledged, then everybody must have all of it
    for (const { client } of publishers) await client.connect(server.mqttPort)
    await until(() => publishers.every(({ client }) => client.out.size === 0), 'acknowledgement of everything', scaled(30000))
    for (const publisher of publishers) assert.equal(await checkLog(server, token, publisher), publisher.n)
    await until(() => {
      drain()
      return everybody().every((one) => publishers.every(({ name, n }) => one.upTo(name) === n))
    }, 'delivery of everything', scaled(60000))
    for (const { failure } of js) if (failure) throw failure
    t.diagnostic(`${publishers.reduce((sum, { n }) => sum + n, 0)} messages, ${subscribers.map(({ redelivered }) => redelivered).join(' and ')} sent again to subscribers`)
  } finally {
    for (const { client } of js) client.end(true)
    for (const client of [...publishers.map((publisher) => publisher.client), ...subscribers]) client.end()
    await server.close()
  }
})
