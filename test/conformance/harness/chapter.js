'use strict'
// A chapter of cases, run once for each access mode: `open`, where any token
// works, and `registered` with a token made by `confab token create`. Topics are
// below the token in both.
const { before } = require('node:test')
const { suite, together, newToken } = require('../../e2e/harness/server')
const { scaled } = require('../../e2e/harness/waits')
const { Peer, unique } = require('./peer')

const AT_ONCE = 24 // cases; each waits for its own packets only

class World {
  constructor (server, access) {
    this.server = server
    this.access = access
  }

  async begin () {
    this.token = this.access === 'open' ? newToken() : await this.server.planToken('local')
  }

  get port () { return this.server.mqttPort }

  // A part of the topic space for one case: `<token>/<unique>`.
  space () { return `${this.token}/s${unique()}` }

  // A TCP connection on which nothing was sent.
  async open (v = 5) {
    const peer = await Peer.open(this.port, { v })
    this.server.clients.push(() => peer.cut())
    return peer
  }

  // A connected client; fields as of packets.connect().
  async peer ({ v = 5, ...fields } = {}) {
    return await (await this.open(v)).connect(this.identity(fields))
  }

  // The fields of a CONNECT that this server accepts.
  identity (fields = {}) {
    return { clientId: `c${unique()}`, username: this.token, ...fields }
  }

  // Two seconds and a half have passed when this resolves, by the server's own
  // clock: it closes a silent connection after one and a half times its keep-alive.
  async hourglass () {
    const first = await this.peer({ keepAlive: 1 })
    await first.closes(0x8d)
    const second = await this.peer({ keepAlive: 1 })
    await second.closes(0x8d)
  }
}

// `body` gets the world and defines the cases. `set`: further settings.
function chapter (title, body, set = {}) {
  together(title, () => {
    for (const access of ['open', 'registered']) {
      suite(`tokens.access = ${access}`, { concurrent: AT_ONCE, set: { 'tokens.access': access, ...set } }, (server) => {
        const world = new World(server, access)
        before(() => world.begin(), { timeout: scaled(15000) })
        body(world)
      })
    }
  })
}

module.exports = { chapter }
