'use strict'
// A receiver of webhooks: Node's HTTP server, which checks every signature with
// node:crypto and answers what the test says.
const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const http = require('node:http')
const { until } = require('./waits')

class Receiver {
  // secrets: each signature must be of the first; `answer(request)` → a status, or
  // (request, response) handled by the test, which then returns undefined
  constructor (secrets, answer = () => 204) {
    this.secrets = secrets
    this.answer = answer
    this.requests = [] // { id, thing, chat, message, signatures, at, url, headers }
    this.wrong = []
  }

  async start (port = 0) {
    this.server = http.createServer((request, response) => {
      const parts = []
      request.on('data', (part) => parts.push(part))
      request.on('end', () => this.take(request, response, Buffer.concat(parts)))
    })
    await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve))
    this.port = this.server.address().port
    this.url = `http://127.0.0.1:${this.port}/in`
    return this
  }

  take (request, response, body) {
    const message = JSON.parse(body)
    const taken = {
      id: Number(request.headers['x-confab-id']),
      thing: message.thing,
      chat: message.chat,
      message,
      signatures: this.check(request.headers['x-confab-signature'], body),
      url: request.url,
      headers: request.headers
    }
    this.requests.push(taken)
    const status = this.answer(taken, response)
    if (status !== undefined) response.writeHead(status).end()
  }

  // → how many secrets signed it. What is not signed by the first one is noted.
  check (header, body) {
    const [time, ...signatures] = (header ?? '').split(',')
    const seconds = /^t=(\d+)$/.exec(time)?.[1]
    if (seconds === undefined || Math.abs(Date.now() / 1000 - seconds) > 300) this.wrong.push(header)
    const of = (secret) => 'v1=' + crypto.createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex')
    if (!signatures.includes(of(this.secrets[0]))) this.wrong.push(header)
    return signatures.length
  }

  get ids () { return this.requests.map(({ id }) => id) }

  async received (count, what = `${count} requests`) {
    await until(() => this.requests.length >= count, what, 30000)
    return this.requests
  }

  async close () {
    assert.deepEqual(this.wrong, [], 'wrong signatures')
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}

module.exports = { Receiver }
