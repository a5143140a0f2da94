'use strict'
const assert = require('node:assert/strict')
const { newToken } = require('./names')

// A subscriber and a stream that have nothing to do with the attack.
class Bystander {
  async start (server) {
    this.server = server
    this.token = newToken()
    this.n = 0
    this.device = await server.subscriber(this.token, '#')
    this.stream = await server.listen(this.token, 'calm')
    return this
  }

  async isWell () {
    const n = ++this.n
    const body = `{"n":${n}}`
    if (n % 2) await this.server.say(this.token, 'calm', body)
    else await this.device.publish(`${this.token}/calm`, body)
    assert.equal((await this.device.message()).text, body)
    assert.equal((await this.stream.expect('message')).chat.n, n)
  }
}

module.exports = { Bystander }
