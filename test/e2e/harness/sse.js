'use strict'
// A listener that shows everything a stream holds: comments, retry fields and
// events that a real EventSource would hide. (Real ones: clients.test.js.)
const http = require('node:http')
const { StringDecoder } = require('node:string_decoder')
const { Arrivals, PATIENCE, within } = require('./waits')

// WHATWG HTML §9.2.6, keeping what is to be ignored.
class StreamParser {
  constructor (onBlock, onComment) {
    this.onBlock = onBlock
    this.onComment = onComment
    this.decoder = new StringDecoder('utf8')
    this.rest = ''
    this.block = null
  }

  write (bytes) {
    this.rest += this.decoder.write(bytes)
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.rest) // a CR at the end may be half of CRLF
      if (!end) return
      const line = this.rest.slice(0, end.index)
      this.rest = this.rest.slice(end.index + end[0].length)
      this.line(line)
    }
  }

  line (line) {
    if (line === '') {
      if (this.block) this.onBlock(this.block)
      this.block = null
      return
    }
    if (line.startsWith(':')) return this.onComment(line.slice(1).trim())
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    this.block ??= {}
    if (name === 'data') {
      this.block.data = this.block.data === undefined ? value : `${this.block.data}\n${value}`
      this.block.dataLines = (this.block.dataLines ?? 0) + 1
    } else {
      this.block[name] = value
    }
  }

  // Bytes of an event that never got its blank line.
  get unfinished () { return this.block !== null || this.rest !== '' }
}

class Listener {
  // Resolves with the answer's head; status and headers are the server's.
  static async open (base, path, headers = {}, limit = PATIENCE) {
    const { hostname, port } = new URL(base)
    const listener = new Listener(path)
    const head = new Promise((resolve, reject) => {
      listener.request = http.get(
        { hostname, port, path, headers: { Accept: 'text/event-stream', ...headers }, agent: false },
        resolve)
      listener.request.on('error', (error) => {
        reject(error)
        listener.blocks.end(error.message)
      })
    })
    listener.response = await within(head, `head of stream ${path}`, limit)
    listener.read()
    return listener
  }

  constructor (path) {
    this.path = path
    this.blocks = new Arrivals(`event of stream ${path}`)
    this.comments = new Arrivals(`comment of stream ${path}`)
    this.text = ''
    this.retries = []
  }

  get status () { return this.response.statusCode }
  get headers () { return this.response.headers }

  read () {
    const parser = new StreamParser((block) => {
      if (block.retry !== undefined) this.retries.push(block.retry)
      this.blocks.push(block)
    }, (comment) => this.comments.push(comment))
    this.response.on('data', (bytes) => {
      this.text += bytes.toString('latin1')
      parser.write(bytes)
    })
    this.response.on('error', () => {}) // told by 'close'
    // → { complete: ended by the server as HTTP wants it, unfinished: cut event }
    this.ended = new Promise((resolve) => {
      this.response.on('close', () => {
        const end = { complete: this.response.complete, unfinished: parser.unfinished }
        this.blocks.end('the stream ended')
        this.comments.end('the stream ended')
        resolve(end)
      })
    })
  }

  // The next block with a data field, which is what EventSource dispatches.
  async event (limit = PATIENCE) {
    return await this.blocks.find((block) => block.data !== undefined, limit)
  }

  // The next event, which must be of this type; its data parsed.
  async expect (type, limit = PATIENCE) {
    const event = await this.event(limit)
    if (event.event !== type) {
      throw new Error(`expected event ${type}, got ${JSON.stringify(event)}`)
    }
    return JSON.parse(event.data)
  }

  async messages (count, limit = PATIENCE) {
    const end = Date.now() + limit
    const list = []
    while (list.length < count) {
      list.push(await this.expect('message', Math.max(1, end - Date.now())))
    }
    return list
  }

  close () { this.request.destroy() }
}

module.exports = { Listener, StreamParser }
