'use strict'
// A TCP proxy that takes user name and password out of CONNECT and changes nothing
// else. Suites that log in as `testuser` and publish to topics of any name are written
// for brokers without tenants; Confab takes a user name for a token, and topics begin
// with one's token. Clients without a name may use any topic (tokens.access = open).
const net = require('node:net')
const { variableInteger } = require('./tap')

const CONNECT = 0x10
const USER_NAME = 0x80
const PASSWORD = 0x40
const WILL = 0x04

function remainingLength (value) {
  const bytes = []
  do {
    const more = value >= 128 ? 128 : 0
    bytes.push(value % 128 + more)
    value = Math.floor(value / 128)
  } while (value > 0)
  return Buffer.from(bytes)
}

// Where the user name would stand, in the body of a CONNECT (MQTT 5.0, 3.1.3).
function endOfWill (body) {
  const field = (at) => at + 2 + body.readUInt16BE(at)
  const properties = (at) => {
    const length = variableInteger(body, at)
    return at + length.size + length.value
  }
  const name = field(0)
  const five = body[name] === 5
  const flags = body[name + 1]
  let at = name + 4
  if (five) at = properties(at)
  at = field(at)
  if (!(flags & WILL)) return at
  if (five) at = properties(at)
  return field(field(at))
}

// The bytes of a whole CONNECT → those of one without user name and password.
function withoutName (packet) {
  const { size } = variableInteger(packet, 1)
  const body = Buffer.from(packet.subarray(1 + size))
  const flagsAt = 2 + body.readUInt16BE(0) + 1
  body[flagsAt] &= ~(USER_NAME | PASSWORD)
  const kept = body.subarray(0, endOfWill(body))
  return Buffer.concat([packet.subarray(0, 1), remainingLength(kept.length), kept])
}

// What has come of a connection → { first, rest } once its first packet is whole.
function firstPacket (bytes) {
  if (bytes.length < 2) return null
  const length = variableInteger(bytes, 1)
  const end = length && 1 + length.size + length.value
  return length && bytes.length >= end ? { first: bytes.subarray(0, end), rest: bytes.subarray(end) } : null
}

// A suite closes connections in every way there is: so do we on the other side.
function passOn (client, server) {
  let held = Buffer.alloc(0)
  const collect = (chunk) => {
    held = Buffer.concat([held, chunk])
    const packet = firstPacket(held)
    if (!packet) return
    client.off('data', collect)
    server.write(packet.first[0] === CONNECT ? withoutName(packet.first) : packet.first)
    server.write(packet.rest)
    client.pipe(server)
  }
  client.on('data', collect)
  server.pipe(client)
  for (const [one, other] of [[client, server], [server, client]]) {
    one.on('error', () => other.resetAndDestroy())
    one.on('close', () => other.destroy())
  }
}

// → { close() }; listens on `port` of 127.0.0.1.
async function nameless (port, serverPort) {
  const clients = new Set()
  const listener = net.createServer({ noDelay: true }, (client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client))
    passOn(client, net.connect({ port: serverPort, host: '127.0.0.1', noDelay: true }))
  })
  await new Promise((resolve, reject) => {
    listener.on('error', reject)
    listener.listen(port, '127.0.0.1', resolve)
  })
  return {
    close () {
      listener.close()
      for (const client of clients) client.destroy()
    }
  }
}

module.exports = { nameless }
