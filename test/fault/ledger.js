'use strict'
// What was acknowledged, held against what the server has kept: every
// acknowledged message is there, once, under the id it was acknowledged with;
// ids increase, seqs have no gap, and nothing is there that was never sent.
const assert = require('node:assert/strict')
const { chat } = require('../e2e/harness/server')

class Ledger {
  constructor (token) {
    this.token = token
    this.things = new Map()
    this.sent = 0
  }

  entry (thing) {
    if (!this.things.has(thing)) this.things.set(thing, { sent: new Set(), acked: new Map() })
    return this.things.get(thing)
  }

  // → the body to send: unique over the whole test
  next (thing, who) {
    const body = { who, n: ++this.sent }
    this.entry(thing).sent.add(body.n)
    return body
  }

  acked (thing, body, id) { this.entry(thing).acked.set(body.n, id) }

  get ackedCount () {
    let count = 0
    for (const { acked } of this.things.values()) count += acked.size
    return count
  }

  async check (server) {
    const detail = new Map((await server.things(this.token, '?detail=1')).map((row) => [row.thing, row]))
    for (const [thing, { sent, acked }] of this.things) {
      const { lines } = await server.get(chat(this.token, thing, '/history?order=asc'),
        { Accept: 'application/x-ndjson' }, { limit: 60000 })
      const stored = new Map()
      let lastId = 0
      const lastOf = new Map()
      for (const line of lines) {
        const { id, chat: { who, n } } = JSON.parse(line)
        assert.ok(id > lastId, `${thing}: id ${id} after ${lastId}`)
        lastId = id
        assert.ok(sent.has(n), `${thing}: ${n} was never sent`)
        assert.ok(!stored.has(n), `${thing}: ${n} is stored twice`)
        stored.set(n, id)
        // each publisher's own messages are in the order it sent them
        assert.ok(n > (lastOf.get(who) ?? 0), `${thing}: ${who}'s ${n} after ${lastOf.get(who)}`)
        lastOf.set(who, n)
      }
      for (const [n, id] of acked) {
        assert.ok(stored.has(n), `${thing}: ${n} was acknowledged and is gone`)
        if (id !== undefined) assert.equal(stored.get(n), id, `${thing}: ${n} was acknowledged under another id`)
      }
      if (lines.length > 0) {
        assert.equal(detail.get(thing).lastSeq, lines.length, `${thing}: seqs have gaps`)
        assert.equal(detail.get(thing).count, lines.length)
      }
    }
  }
}

module.exports = { Ledger }
