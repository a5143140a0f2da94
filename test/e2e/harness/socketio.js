'use strict'
// The test server of Engine.IO and Socket.IO (test/socketio), and clients that speak to
// it in packets.
const assert = require('node:assert/strict')
const http = require('node:http')
const path = require('node:path')
const { after, before } = require('node:test')
const { WebSocket } = require('ws')
const { BINARY } = require('./server')
const { follow } = require('./process')
const { Arrivals, PATIENCE, scaled, within } = require('./waits')

const PROGRAM = path.join(path.dirname(BINARY), 'test/socketio/socketio_echo')
const SEPARATOR = '\x1e'

// Patient in everything, unless a case is about a time.
const PATIENT = { pingInterval: 25000, pingTimeout: 20000, connect: scaled(45000), upgrade: scaled(10000) }

// One WebSocket: `packets` has its texts and Buffers, `closed` its close code.
class PacketSocket {
  constructor (url) {
    this.packets = new Arrivals(`a packet from ${url}`)
    this.client = new WebSocket(url)
    this.client.on('message', (data, isBinary) => this.packets.push(isBinary ? data : data.toString()))
    this.opened = new Promise((resolve, reject) => {
      this.client.once('open', resolve)
      this.client.once('error', reject)
    })
    this.opened.catch(() => {})
    this.closed = new Promise((resolve) => this.client.once('close', resolve))
  }

  send (packet) {
    this.client.send(packet)
  }

  async expect (packet) {
    assert.deepEqual(await this.packets.next(), packet)
  }

  // → close code
  async end () {
    return await within(this.closed, 'the end of a WebSocket')
  }
}

class EchoServer {
  constructor (set) {
    this.set = { ...PATIENT, ...set }
    this.sockets = []
  }

  async start () {
    const { pingInterval, pingTimeout, connect, upgrade } = this.set
    this.program = follow(PROGRAM, [pingInterval, pingTimeout, connect, upgrade].map(String))
    this.port = Number(/^listening on (\d+)$/.exec(await this.program.lines.next())[1])
    this.url = `http://127.0.0.1:${this.port}`
  }

  async stop () {
    for (const socket of this.sockets) socket.client.terminate()
    this.program.child.stdin.end()
    const ended = await within(this.program.exited, `end of ${PROGRAM}`)
    assert.deepEqual(ended, { code: 0, signal: null }, this.program.errors)
    assert.doesNotMatch(this.program.errors, /Sanitizer|runtime error/)
  }

  // → { status, headers, text, json }
  async request (method, query, { body, door = 'socket.io', signal, headers } = {}) {
    const answer = new Promise((resolve, reject) => {
      const request = http.request(`${this.url}/${door}/?${query}`, { method, agent: false, signal, headers }, (response) => {
        const parts = []
        response.on('data', (part) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(parts).toString()
          resolve({ status: response.statusCode, headers: response.headers, text })
        })
      })
      request.on('error', reject)
      request.end(body)
    })
    return await within(answer, `${method} ${query}`, PATIENCE)
  }

  // → sid of a session that polls
  async open (door) {
    const { status, text } = await this.request('GET', 'EIO=4&transport=polling', { door })
    assert.equal(status, 200)
    return JSON.parse(text.slice(1)).sid
  }

  async poll (sid, options) {
    return await this.request('GET', `EIO=4&transport=polling&sid=${sid}`, options)
  }

  async post (sid, body, options) {
    return await this.request('POST', `EIO=4&transport=polling&sid=${sid}`, { body, ...options })
  }

  socket (query = 'EIO=4&transport=websocket', door = 'socket.io') {
    const socket = new PacketSocket(`ws://127.0.0.1:${this.port}/${door}/?${query}`)
    this.sockets.push(socket)
    return socket
  }

  // A WebSocket whose open packet has been read.
  async openSocket (door) {
    const socket = this.socket(undefined, door)
    socket.handshake = JSON.parse((await socket.packets.next()).slice(1))
    return socket
  }

  // … and that is connected to /.
  async connect () {
    const socket = await this.openSocket()
    socket.send('40')
    assert.match(await socket.packets.next(), /^40{"sid":"[\w-]{24}"}$/)
    await socket.expect('42["auth",{}]')
    return socket
  }

  // A WebSocket with the sid of a session that polls, up to the answer to its probe.
  async probe (sid, door) {
    const socket = this.socket(`EIO=4&transport=websocket&sid=${sid}`, door)
    await within(socket.opened, 'the WebSocket of an upgrade')
    socket.send('2probe')
    await socket.expect('3probe')
    return socket
  }
}

// The server of a suite; `set`: { pingInterval, … } in ms.
function echoServer (set) {
  const server = new EchoServer(set)
  before(() => server.start())
  after(() => server.stop())
  return server
}

module.exports = { echoServer, EchoServer, SEPARATOR }
