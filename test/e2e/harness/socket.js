'use strict'
// A client of GET /{token}/ws: the npm client `ws`, with what comes in order.
const { WebSocket } = require('ws')
const { Arrivals, PATIENCE, within } = require('./waits')

const socketUrl = (server, token) => `ws://127.0.0.1:${server.httpPort}/${token}/ws`

class Socket {
  // → open, `status` read
  static async open (server, token, options) {
    return await Socket.openUrl(server, `/${token}/ws`, options)
  }

  static async openUrl (server, path, { deflate = false, ...options } = {}) {
    const url = `ws://127.0.0.1:${server.httpPort}${path}`
    const socket = new Socket(new WebSocket(url, { perMessageDeflate: deflate, ...options }))
    server.clients.push(() => socket.client.terminate())
    await within(socket.opened, 'WebSocket')
    socket.connected = (await socket.expect('status')).status
    return socket
  }

  constructor (client) {
    this.client = client
    this.arrivals = new Arrivals('something from the server')
    this.opened = new Promise((resolve, reject) => {
      client.once('open', resolve)
      client.once('error', reject)
    })
    this.opened.catch(() => {})
    client.on('error', () => {}) // told by 'close'
    client.on('message', (data, isBinary) => {
      this.arrivals.push(isBinary ? { binary: data } : JSON.parse(data.toString()))
    })
    this.closed = new Promise((resolve) => client.once('close', (code, reason) => {
      this.arrivals.end('the connection was closed')
      resolve({ code, reason: reason.toString() })
    }))
  }

  send (command) { this.client.send(JSON.stringify(command)) }

  // The next thing that came is one of these: 'message', 'ack', 'gap', …
  async expect (kind, limit = PATIENCE) {
    const got = await this.arrivals.next(limit)
    if (kind === 'message' ? got.id === undefined : got[kind] === undefined) {
      throw new Error(`expected ${kind}, got ${JSON.stringify(got).slice(0, 500)}`)
    }
    return got
  }

  async messages (count, limit) {
    const got = []
    while (got.length < count) got.push(await this.expect('message', limit))
    return got
  }

  // → the ack's content
  async ask (command) {
    this.send(command)
    return (await this.expect('ack')).ack
  }

  async follow (filters, cursor) {
    return await this.ask({ follow: [filters].flat(), last_event_id: cursor })
  }

  // → the ack's or error's content; messages before it are dropped
  async publish (publish) {
    this.send({ publish })
    const { ack, error } = await this.arrivals.find((item) => item.ack ?? item.error)
    return ack ?? error
  }

  async end (limit = PATIENCE) { return await within(this.closed, 'close', limit) }
}

module.exports = { Socket, socketUrl }
