'use strict'
// WebSocket frames made by hand on a connection that shows every frame the
// server sends.
const crypto = require('node:crypto')
const net = require('node:net')
const { Arrivals, PATIENCE, within } = require('./waits')

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10]

// A client's frame: masked, unless said otherwise. `length` may lie.
function frame (opcode, payload = '', { fin = true, masked = true, rsv = 0, length } = {}) {
  const data = Buffer.from(payload)
  const said = length ?? data.length
  const head = [(fin ? 0x80 : 0) | rsv << 4 | opcode]
  const mask = masked ? 0x80 : 0
  if (said < 126) {
    head.push(mask | said)
  } else if (said < 65536) {
    head.push(mask | 126, said >> 8, said & 0xff)
  } else {
    const wide = Buffer.alloc(8)
    wide.writeBigUInt64BE(BigInt(said))
    head.push(mask | 127, ...wide)
  }
  if (!masked) return Buffer.concat([Buffer.from(head), data])
  const key = crypto.randomBytes(4)
  return Buffer.concat([Buffer.from(head), key, data.map((byte, i) => byte ^ key[i % 4])])
}

const HANDSHAKE = {
  Host: 'localhost',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol': 'mqtt'
}

const request = (headers, path = '/mqtt', method = 'GET') => `${method} ${path} HTTP/1.1\r\n` +
  Object.entries(headers).filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => [value].flat().map((line) => `${name}: ${line}\r\n`)).join('') + '\r\n'

class Frames {
  static async open (port, headers = {}, path = '/mqtt') {
    const frames = new Frames(net.connect({ port, host: '127.0.0.1' }))
    frames.socket.write(request({ ...HANDSHAKE, ...headers }, path))
    await within(frames.answered, 'answer to the handshake')
    return frames
  }

  constructor (socket) {
    this.socket = socket
    this.frames = new Arrivals('frame from the server')
    this.bytes = Buffer.alloc(0)
    this.answered = new Promise((resolve, reject) => {
      socket.on('data', (data) => {
        this.bytes = Buffer.concat([this.bytes, data])
        if (this.head === undefined) this.takeHead(resolve)
        if (this.head !== undefined) this.takeFrames()
      })
      socket.once('close', () => reject(new Error('closed without an answer')))
    })
    this.answered.catch(() => {})
    socket.on('error', () => {}) // told by 'close'
    this.closed = new Promise((resolve) => socket.on('close', () => {
      this.frames.end('the connection was closed')
      resolve()
    }))
  }

  takeHead (resolve) {
    const end = this.bytes.indexOf('\r\n\r\n')
    if (end < 0) return
    this.head = this.bytes.subarray(0, end).toString('latin1')
    this.status = Number(/^HTTP\/1\.1 (\d+)/.exec(this.head)[1])
    this.bytes = this.bytes.subarray(end + 4)
    resolve()
  }

  takeFrames () {
    if (this.status !== 101) return
    for (;;) {
      if (this.bytes.length < 2) return
      let [length, at] = [this.bytes[1] & 0x7f, 2]
      if (length >= 126) {
        at = length === 126 ? 4 : 10
        if (this.bytes.length < at) return
        length = at === 4 ? this.bytes.readUInt16BE(2) : Number(this.bytes.readBigUInt64BE(2))
      }
      if (this.bytes.length < at + length) return
      this.frames.push({
        first: this.bytes[0],
        opcode: this.bytes[0] & 0xf,
        masked: this.bytes[1] >= 0x80,
        payload: Buffer.from(this.bytes.subarray(at, at + length))
      })
      this.bytes = this.bytes.subarray(at + length)
    }
  }

  send (...parts) { this.socket.write(Buffer.concat(parts)) }

  // → its payload
  async expect (opcode, limit = PATIENCE) {
    const got = await this.frames.next(limit)
    if (got.opcode !== opcode || got.masked) {
      throw new Error(`expected opcode ${opcode}, got ${got.opcode}: ${got.payload.toString('hex')}`)
    }
    return got.payload
  }

  // → the code of the close frame behind which the server closed
  async closeCode () {
    const last = await this.frames.find(({ opcode }) => opcode === CLOSE)
    await within(this.closed, 'closing by the server')
    return last.payload.readUInt16BE(0)
  }

  destroy () { this.socket.destroy() }
}

module.exports = { Frames, frame, request, HANDSHAKE, CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG }
