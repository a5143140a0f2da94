'use strict'
// A home of stock devices: a tenant, an app with a key of the same mount, and an
// administrator who sees whole topics.
const assert = require('node:assert/strict')
const net = require('node:net')
const path = require('node:path')
const mqtt = require('mqtt')
const { secret } = require('./names')
const { Arrivals, PATIENCE, within } = require('./waits')

let homes = 0

// `confab key create`, as its operator would → the secret
async function keyOf (server, tenant, ...options) {
  const { code, stdout, stderr } = await server.cli('key', 'create', '--tenant', tenant, ...options)
  assert.equal(code, 0, stderr)
  return secret(stdout.trim())
}

// Subscribed to `filter` with QoS 1; nothing that comes is dropped.
class Follower {
  constructor (client, filter) {
    this.client = client
    this.arrivals = new Arrivals(`message of ${filter}`)
    this.seen = []
    client.on('message', (topic, payload, { retain }) => {
      const message = { topic, text: payload.toString(), retain }
      this.seen.push(message)
      this.arrivals.push(message)
    })
  }

  next () { return this.arrivals.next() }
  find (fits) { return this.arrivals.find(fits) }
  texts () { return this.seen.map(({ text }) => text) }
  sorted (messages) { return [...messages].sort((a, b) => a.topic < b.topic ? -1 : 1) }
  async some (count) { return this.sorted(await this.arrivals.take(count)) }
  async publish (topic, text) { await within(this.client.publishAsync(topic, text, { qos: 1 }), `PUBACK of ${topic}`) }
}

async function subscribed (server, client, filter) {
  server.clients.push(() => client.end(true))
  client.on('error', () => {}) // told by 'close', and it connects again
  const follower = new Follower(client, filter)
  await within(client.subscribeAsync(filter, { qos: 1 }), `SUBACK of ${filter}`, PATIENCE)
  return follower
}

// It connects again after a restart, and subscribes again.
async function follow (server, tenant, key, filter) {
  const client = mqtt.connect(server.mqttUrl, { protocolVersion: 4, username: tenant, password: key, reconnectPeriod: 100 })
  const follower = await subscribed(server, client, filter)
  follower.key = key
  return follower
}

async function administrator (server, filter) {
  const client = new mqtt.MqttClient(() => net.connect(path.join(server.data, 'confab.sock')), { protocolVersion: 5, reconnectPeriod: 100 })
  return await subscribed(server, client, filter)
}

// A tenant of its own → { tenant, app, admin }
async function home (server) {
  const tenant = `home${++homes}`
  const { code, stderr } = await server.cli('tenant', 'create', tenant)
  assert.equal(code, 0, stderr)
  const app = await follow(server, tenant, await keyOf(server, tenant, '--mount', 'home', '--label', 'app'), '#')
  return { tenant, app, admin: await administrator(server, `${tenant}/#`) }
}

module.exports = { keyOf, follow, administrator, home }
