'use strict'
// A hostile tenant, in a process of its own so that its work does not delay the
// quiet one's clock: everything a client can do to a server that costs memory or
// time, over and over, on the bounds of its plan and beyond. What is refused is
// tried again; it never looks at what it is told.
//   HOSTILE='{ base, mqttPort, home, free: [token…] }' node hostile.js
// Prints a line when everything is under way, then goes on until SIGTERM.
const http = require('node:http')
const net = require('node:net')
const { setTimeout: sleep } = require('node:timers/promises')
const { Wire, bytes, connect, publish, subscribe, int16, string, packet, userProperty, DISCONNECT } = require('../e2e/harness/wire')

const { base, mqttPort, home, free } = JSON.parse(process.env.HOSTILE)
const LIMIT = 20000 // for what a loaded server owes us
const done = {} // how often each attack came round

const count = (name) => { done[name] = (done[name] ?? 0) + 1 }
const expiry = (seconds) => bytes(0x11, 0, 0, seconds >> 8, seconds & 255)

async function stored (token, clientId, more = {}) {
  const wire = await Wire.open(mqttPort)
  wire.send(connect({ token, clientId, clean: false, properties: expiry(3600), ...more }))
  await wire.expect('CONNACK', LIMIT)
  return wire
}

// New sessions with as many filters as one may have.
async function sessions (token, n) {
  const wire = await stored(token, `session-${n}`)
  for (let i = 0; i < 300; i++) wire.send(subscribe({ filter: `${token}/${'x'.repeat(60)}/${i}`, id: i + 1 }))
  for (let i = 0; i < 300; i++) await wire.expect('SUBACK', LIMIT)
  wire.send(DISCONNECT)
  await wire.closed
}

// 10,000 filters, of which a thousand a packet.
async function fill (token, clientId) {
  const wire = await stored(token, clientId)
  for (let i = 0; i < 10; i++) {
    const filters = Array.from({ length: 1000 }, (_, n) => bytes(string(`${token}/filter/${i}/${n}`), 1))
    wire.send(packet(0x82, int16(i + 1), 0, ...filters))
    await wire.expect('SUBACK', LIMIT)
  }
  wire.destroy()
}

// … opened again and again.
async function reopen (token, clientId) {
  const wire = await stored(token, clientId)
  wire.destroy()
}

// As many connections as there may be, each with a large will, then all anew.
const wide = bytes(...[1, 2, 3, 4, 5].map(() => userProperty('p', 'v'.repeat(60000))))
async function wills (token, many) {
  const wires = await Promise.all(Array.from({ length: many }, async (_, i) => {
    const wire = await Wire.open(mqttPort)
    wire.send(connect({ token, clientId: `will-${i}`, will: { topic: `${token}/will`, payload: 'w'.repeat(9000), properties: wide } }))
    await wire.expect('CONNACK', LIMIT).catch(() => {})
    return wire
  }))
  for (const wire of wires) wire.send(DISCONNECT)
  await Promise.all(wires.map((wire) => wire.closed))
}

// Half a CONNECT each, and nobody's token.
const half = bytes(0x10, 0xe0, 0xa7, 0x12, string('MQTT'), 5, 0x82, int16(60), 0, int16(65535), Buffer.alloc(60000, 'i'))
async function halfConnects () {
  const socket = net.connect(mqttPort, '127.0.0.1')
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.once('end', () => socket.destroy())
  socket.write(half)
  await closed
}

const strings = (size) => bytes(0x03, string('c'.repeat(size)), 0x08, string('r'.repeat(size)), 0x09, string('d'.repeat(size)), userProperty('p', 'v'.repeat(size)))
const huge = { home: strings(60000), free: strings(30000) }

// Messages that are all properties, as fast as they are taken.
async function properties (token, clientId, size) {
  const message = publish({ topic: `${token}/properties`, properties: huge[size] })
  const wire = await Wire.connected(mqttPort, { token, clientId })
  for (let i = 0; i < 200; i++) {
    if (wire.socket.write(message)) continue
    await Promise.race([new Promise((resolve) => wire.socket.once('drain', resolve)), wire.closed])
  }
  wire.destroy()
}

// Streams with 64 patterns each, all different, and messages they all look at.
const agent = new http.Agent({ maxSockets: 1000 })
function stream (token, n) {
  const filters = Array.from({ length: 64 }, (_, i) => {
    const levels = Array.from({ length: 9 }, (_, l) => ((n * 64 + i) >> l & 1) ? '+' : `l${l}`)
    return levels.map(encodeURIComponent).join('/')
  })
  return new Promise((resolve) => {
    const request = http.get(`${base}/${token}/listen?things=${filters.join(',')}`, { agent, headers: { Accept: 'text/event-stream' } }, (answer) => {
      answer.on('error', () => {})
      answer.on('close', resolve)
      if (n % 2) answer.resume() // the others are not read
    })
    request.on('error', resolve)
  })
}

async function talk (token) {
  const wire = await Wire.connected(mqttPort, { token, clientId: 'talk' })
  for (let i = 0; i < 200; i++) {
    wire.send(publish({ topic: `${token}/l0/l1/l2/l3/l4/l5/l6/l7/l8`, payload: 'x'.repeat(500), qos: 1, id: i + 1 }))
    await wire.expect('PUBACK', LIMIT)
  }
  wire.destroy()
}

// A byte now and then.
async function drip (port, text) {
  const socket = net.connect(port, '127.0.0.1')
  let open = true
  const closed = new Promise((resolve) => socket.once('close', resolve)).then(() => { open = false })
  socket.on('error', () => {})
  socket.once('end', () => socket.destroy())
  for (let i = 0; open; i = (i + 1) % text.length) {
    socket.write(text.subarray(i, i + 1))
    await Promise.race([sleep(500), closed])
  }
}

// Subscribes to all there is and does not read it; asks for histories likewise.
async function unread (token, n) {
  const wire = await stored(token, `unread-${n}`)
  wire.send(subscribe({ filter: `${token}/#`, options: 1 }))
  await wire.expect('SUBACK', LIMIT)
  wire.socket.pause()
  await Promise.race([wire.closed, sleep(5000)])
  wire.destroy()
}

async function unreadHistory (token) {
  const { hostname, port } = new URL(base)
  const socket = net.connect({ host: hostname, port })
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(`GET /${token}/chat/properties/history HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`.repeat(20))
  socket.pause()
  await Promise.race([closed, sleep(5000)])
  socket.destroy()
}

function forever (name, attack, times = 1) {
  for (let i = 0; i < times; i++) {
    (async () => {
      for (let n = i; ; n += times) {
        await attack(n).catch(() => {})
        count(name)
        await sleep(1)
      }
    })()
  }
}

async function main () {
  const some = (n) => free[n % free.length]
  await fill(home, 'ten-thousand-0')
  await fill(home, 'ten-thousand-1')
  forever('sessions', (n) => sessions(some(n), n), 4)
  forever('reopen', (n) => reopen(home, `ten-thousand-${n % 2}`), 2)
  forever('wills', () => wills(home, 1500))
  forever('freeWills', (n) => wills(some(n), 110))
  forever('halfConnects', halfConnects, 1500)
  forever('properties', (n) => properties(home, `properties-${n % 8}`, 'home'), 8)
  forever('freeProperties', (n) => properties(some(n), `properties-${n % 4}`, 'free'), 4)
  forever('streams', (n) => stream(n % 8 ? home : some(n), n), 400)
  forever('talk', () => talk(home), 2)
  forever('drippers', () => drip(new URL(base).port, Buffer.from(`GET /${home}/things HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'x'.repeat(2000)}`)), 150)
  forever('mqttDrippers', () => drip(mqttPort, half), 50)
  forever('unread', (n) => unread(n % 2 ? home : some(n), n % 20), 20)
  forever('unreadHistory', () => unreadHistory(home), 30)
  console.log('under way')
}

process.on('SIGTERM', () => {
  console.log(JSON.stringify(done))
  process.exit(0)
})
main()
