'use strict'
// What was done to the server and what came back, as facts with a time. The rules
// (rules.js) look at nothing else, so that they can be tried on a changed copy.
//
// A tick numbers the facts of all clients in the order in which we saw them. What
// we asked for has two: `sent`, before the first byte left, and `acked`, after the
// answer was read (Infinity: never). The server did it in between. So what was
// acked before something else was sent came first, and of all else nothing is
// known, except that packets of one connection take effect in their order.
//
//   message     a PUBLISH or a will: { id, by, topic, qos, retain, empty, expiry,
//               n, sent, acked, ackedAt, conn, transmissions, once, will }
//               by: the client. n: its number among all of that client.
//               conn: of the first transmission. once: QoS 2 of a stored session,
//               so it may be stored once only. will: see Will below, or null
//   session     { key, client, group, stored, rap, subscriptions, arrivals,
//               connectionKeys, ended, barrier }
//   subscription { filter, qos, nl, wantsRetained, start, end, replaces }
//               start, end: { sent, acked, conn }; end is null as long as nobody
//               asked for it. replaces: the subscription before it in a chain of
//               SUBSCRIBEs without UNSUBSCRIBE. wantsRetained: yes, no or maybe
//   connection  { key, sent, sentAt, acked, closing, barrier }
//               barrier: of it and of a session: the tick at which the last
//               barrier began that it passed; all that was acked before is due
//   arrival     { tick, conn, id, topic, qos, dup, retain }; empty messages bear no
//               id and are left out
//   will        { expect: 0, 1 or null }: how often it must be in the log; null:
//               at most once
//   log         topic → ids of messages in the log's order, read over HTTP
class Journal {
  constructor () {
    this.clock = 0
    this.messages = new Map()
    this.sessions = []
    this.connections = new Map()
    this.kills = [] // ticks
    this.barriers = [] // ticks
    this.log = null
    this.complaints = [] // of clients: answers that break the protocol
  }

  tick () { return ++this.clock }

  message (fields) {
    const id = `m${this.messages.size + 1}`
    const message = {
      id, retain: false, empty: false, expiry: null, acked: Infinity, ackedAt: Infinity, conn: null, transmissions: 0, once: false, will: null, ...fields
    }
    this.messages.set(id, message)
    return message
  }

  session (client) {
    const session = {
      key: `${client.name}#${this.sessions.length}`, client: client.name, group: client.group ?? null, stored: client.stored, rap: client.rap ?? false, subscriptions: [], arrivals: [], connectionKeys: [], ended: Infinity, barrier: 0
    }
    this.sessions.push(session)
    return session
  }

  connection () {
    const connection = {
      key: this.connections.size + 1, sent: this.tick(), sentAt: Date.now(), acked: Infinity, closing: Infinity, barrier: 0
    }
    this.connections.set(connection.key, connection)
    return connection
  }

  complain (text) { this.complaints.push(text) }
}

module.exports = { Journal }
