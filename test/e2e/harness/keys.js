'use strict'
// Tenants and keys for tests: keys by the HTTP API, tenants by the administrators'
// socket, as `confab tenant` does.
const assert = require('node:assert/strict')
const net = require('node:net')
const path = require('node:path')
const mqtt = require('mqtt')
const { secret } = require('./names')
const { within } = require('./waits')

const bearer = (key) => ({ Authorization: `Bearer ${key}` })

const text = (s) => Buffer.concat([Buffer.from([0xd9, Buffer.byteLength(s)]), Buffer.from(s)])

// A msgpack map of texts; arrays of texts are allowed, too.
function pack (map) {
  const parts = [Buffer.from([0x80 | Object.keys(map).length])]
  for (const [name, value] of Object.entries(map)) {
    parts.push(text(name))
    if (Array.isArray(value)) parts.push(Buffer.from([0x90 | value.length]), ...value.map(text))
    else parts.push(text(value))
  }
  return Buffer.concat(parts)
}

// A command of an administrator, which must succeed.
async function command (server, name, map) {
  const socket = path.join(server.data, 'confab.sock')
  const client = new mqtt.MqttClient(() => net.connect(socket), { protocolVersion: 5, reconnectPeriod: 0 })
  const answered = new Promise((resolve) => client.on('packetreceive', (packet) => {
    if (packet.cmd === 'puback') resolve(packet)
  }))
  client.on('error', () => {})
  client.once('connect', () => client.publish(`$confab/${name}`, pack(map), { qos: 1 }, () => {}))
  try {
    const { reasonCode, properties } = await within(answered, `answer to ${name}`)
    assert.ok(reasonCode < 0x80, `${name}: ${properties?.reasonString}`)
  } finally {
    client.end(true)
  }
}

let tenants = 0

// A tenant with a public name → the name.
async function newTenant (server, settings = []) {
  const tenant = `tenant${++tenants}`
  await command(server, 'tenant_create', { tenant })
  if (settings.length > 0) await command(server, 'tenant_set', { tenant, set: settings })
  return tenant
}

// A key, made by whoever `headers` say or by the token in the path → { key, id, … }
async function newKey (server, tenant, wish = {}, headers = {}) {
  const answer = await server.post(`/${tenant}/keys`, wish, headers)
  assert.equal(answer.status, 201, answer.text)
  const made = answer.json()
  secret(made.key)
  return made
}

async function revokeKey (server, tenant, id, headers = {}) {
  const answer = await server.request(`/${tenant}/keys/${id}`, { method: 'DELETE', headers })
  assert.equal(answer.status, 200, answer.text)
}

module.exports = { bearer, command, newTenant, newKey, revokeKey }
