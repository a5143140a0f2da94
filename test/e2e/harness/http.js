'use strict'
// One request, one answer, as bytes: no redirects, no decoding, no path clean-up
// (fetch would do all three).
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { execFile } = require('node:child_process')
const { PATIENCE, within } = require('./waits')

class Answer {
  constructor (response, body) {
    this.status = response.statusCode
    this.headers = response.headers
    this.body = body
  }

  get text () { return this.body.toString('utf8') }
  json () {
    try {
      return JSON.parse(this.text)
    } catch (error) {
      throw new Error(`answer ${this.status} is not JSON: ${this.text}`)
    }
  }

  get remaining () { return Number(this.headers['x-ratelimit-remaining']) }
  get lines () { return this.text.split('\n').filter((line) => line !== '') }
}

function collect (response) {
  return new Promise((resolve, reject) => {
    const parts = []
    response.on('data', (part) => parts.push(part))
    response.on('end', () => resolve(Buffer.concat(parts)))
    response.on('error', reject)
    response.on('aborted', () => reject(new Error('answer cut off')))
  })
}

// `base` is http://host:port; `path` goes out as it is.
async function request (base, path, { method = 'GET', headers = {}, body, agent = false, limit = PATIENCE } = {}) {
  const { hostname, port } = new URL(base)
  const data = body === undefined || Buffer.isBuffer(body) || typeof body === 'string'
    ? body
    : JSON.stringify(body)
  const sent = new Promise((resolve, reject) => {
    const outgoing = http.request(
      { hostname, port, path, method, headers, agent }, resolve)
    outgoing.on('error', reject)
    if (data !== undefined && !hasHeader(headers, 'transfer-encoding')) {
      outgoing.setHeader('Content-Length', Buffer.byteLength(data))
    }
    outgoing.end(data)
  })
  const what = `answer to ${method} ${path.slice(0, 100)}`
  const response = await within(sent, what, limit)
  try {
    return new Answer(response, await within(collect(response), what, limit))
  } catch (error) {
    response.destroy()
    throw error
  }
}

const hasHeader = (headers, name) =>
  Object.keys(headers).some((key) => key.toLowerCase() === name)

// A bare TCP connection for what no client library would send. `text` is all
// that came back, as latin1; `ended` resolves when the server closes.
async function rawSocket (base, options = {}) {
  const { hostname, port } = new URL(base)
  const socket = net.connect({ host: hostname, port, ...options })
  const raw = { socket, text: '' }
  socket.on('data', (bytes) => { raw.text += bytes.toString('latin1') })
  raw.ended = new Promise((resolve) => {
    socket.once('end', () => resolve('end'))
    socket.once('close', () => resolve('close'))
    socket.on('error', (error) => { raw.error = error; resolve(error.code) })
  })
  await within(new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  }), 'TCP connection')
  return raw
}

// Sends `bytes` on a fresh connection and returns what came back until the
// server closed, or until a whole answer with Content-Length is there.
async function rawExchange (base, bytes, { limit = PATIENCE } = {}) {
  const raw = await rawSocket(base)
  const whole = new Promise((resolve) => {
    raw.socket.on('data', () => { if (isWhole(raw.text)) resolve() })
  })
  raw.socket.write(bytes)
  try {
    await within(Promise.race([raw.ended, whole]), 'answer or end of connection', limit)
  } finally {
    raw.socket.destroy()
  }
  const match = /^HTTP\/1\.[01] (\d{3})/.exec(raw.text)
  return { status: match ? Number(match[1]) : null, text: raw.text, error: raw.error }
}

function isWhole (text) {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end + 2))
  return length !== null && text.length >= end + 4 + Number(length[1])
}

// How the server ended the connection: → { text, end: 'FIN' or 'RST' }. Reads the
// first bytes, and the rest `pause` seconds later.
async function endOf (base, bytes, pause = 0) {
  const script = path.join(__dirname, '../clients/raw_exchange.py')
  const printed = new Promise((resolve, reject) => {
    const child = execFile('python3', [script, new URL(base).port, pause], { maxBuffer: 1 << 30 },
      (error, stdout) => error ? reject(error) : resolve(stdout))
    child.stdin.on('error', reject)
    child.stdin.end(bytes)
  })
  return JSON.parse(await within(printed, 'the end of the connection', PATIENCE + pause * 1000))
}

module.exports = { request, rawSocket, rawExchange, endOf, Answer }
