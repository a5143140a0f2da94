'use strict'
// Can the rules fail? Takes a journal that they accept, changes one thing that came
// to what a faulty server would have sent, and wants to hear of it.
const { check } = require('./rules')

// Each yields changes to try, as functions that make one and return how to undo
// it, and says how the complaint must read. Not every place shows a fault: what
// came while something was in doubt may be lost. So one of them must be reported.
const FAULTS = {
  'a message is lost': [/did not come/, function * (journal) {
    for (const session of plain(journal)) {
      for (const a of live(session)) {
        yield () => replace(session, 'arrivals', session.arrivals.filter(({ id }) => id !== a.id))
      }
    }
  }],
  'a message comes twice on one connection': [/times on one connection/, function * (journal) {
    for (const session of plain(journal)) {
      for (const a of live(session)) yield () => replace(session, 'arrivals', [...session.arrivals, { ...a, tick: ++journal.clock }])
    }
  }],
  'a message of QoS 2 comes again on another connection': [/of QoS 2 came again/, function * (journal) {
    for (const session of plain(journal)) {
      const conn = session.connectionKeys.at(-1)
      for (const a of live(session)) {
        if (a.qos === 2 && a.conn !== conn) yield () => replace(session, 'arrivals', [...session.arrivals, { ...a, conn, dup: true, tick: ++journal.clock }])
      }
    }
  }],
  'what came with QoS 0 comes again after a kill': [/of QoS 0/, function * (journal) {
    for (const session of plain(journal)) {
      const conn = session.connectionKeys.at(-1)
      for (const a of live(session)) {
        if (a.qos === 0 && a.conn !== conn) yield () => replace(session, 'arrivals', [...session.arrivals, { ...a, conn, qos: 0, tick: ++journal.clock }])
      }
    }
  }],
  'two messages change places': [/came after its/, function * (journal) {
    for (const session of plain(journal)) {
      const list = live(session)
      for (let i = 1; i < list.length; i++) {
        const [a, b] = [list[i - 1], list[i]]
        if (a.topic !== b.topic || a.qos !== b.qos || a.id === b.id) continue
        yield () => {
          [a.id, b.id] = [b.id, a.id]
          return () => { [a.id, b.id] = [b.id, a.id] }
        }
      }
    }
  }],
  'a message comes with another QoS': [/came with QoS/, function * (journal) {
    for (const session of plain(journal)) {
      for (const a of live(session)) {
        yield () => {
          const { qos } = a
          a.qos = (qos + 1) % 3
          return () => { a.qos = qos }
        }
      }
    }
  }],
  'a message comes to who did not subscribe': [/no subscription wants it/, function * (journal) {
    const all = [...journal.messages.values()].filter(({ will, empty }) => will === null && !empty)
    for (const session of plain(journal)) {
      for (const m of all) yield () => replace(session, 'arrivals', [...session.arrivals, arrival(journal, session, m)])
    }
  }],
  'a message comes after it has expired': [/after it had expired/, function * (journal) {
    for (const m of journal.messages.values()) {
      if (m.acked === Infinity) continue
      yield () => {
        const { expiry } = m
        m.expiry = 0
        const sessions = plain(journal).map((session) => {
          const found = session.arrivals.find(({ id }) => id === m.id)
          return found ? replace(session, 'arrivals', [...session.arrivals, { ...found, dup: false, conn: session.connectionKeys.at(-1), tick: ++journal.clock }]) : () => {}
        })
        return () => { m.expiry = expiry; for (const undo of sessions) undo() }
      }
    }
  }],
  'a stale retained message comes': [/stale retained/, function * (journal) {
    for (const session of plain(journal)) {
      for (const a of greetings(session)) {
        for (const m of journal.messages.values()) {
          if (m.topic !== a.topic || !m.retain || m.empty || m.id === a.id) continue
          yield () => {
            const { id } = a
            a.id = m.id
            return () => { a.id = id }
          }
        }
      }
    }
  }],
  'a retained message does not come': [/retained message of .* did not come/, function * (journal) {
    for (const session of plain(journal)) {
      for (const a of greetings(session)) yield () => replace(session, 'arrivals', session.arrivals.filter((b) => b !== a))
    }
  }],
  'a retained message comes twice': [/times for/, function * (journal) {
    for (const session of plain(journal)) {
      for (const a of greetings(session)) yield () => replace(session, 'arrivals', [...session.arrivals, { ...a, tick: ++journal.clock }])
    }
  }],
  'a will is not published': [/is in the log 0 times, due is 1/, function * (journal) {
    for (const m of journal.messages.values()) {
      if (m.will?.expect === 1) yield () => rewrite(journal.log, m.topic, journal.log.get(m.topic).filter((id) => id !== m.id))
    }
  }],
  'a will is published that was taken back': [/is in the log 1 times, due is 0/, function * (journal) {
    for (const m of journal.messages.values()) {
      if (m.will?.expect === 0) yield () => rewrite(journal.log, m.topic, [...journal.log.get(m.topic), m.id])
    }
  }],
  'a will is published twice': [/is in the log 2 times/, function * (journal) {
    for (const m of journal.messages.values()) {
      if (m.will?.expect === 1) yield () => rewrite(journal.log, m.topic, [...journal.log.get(m.topic), m.id])
    }
  }],
  'the log loses what was acknowledged': [/was acknowledged and is not there/, function * (journal) {
    for (const [topic, ids] of journal.log) {
      for (const id of ids) yield () => rewrite(journal.log, topic, ids.filter((other) => other !== id))
    }
  }],
  'the log has QoS 2 twice': [/\(QoS 2\) is there 2 times/, function * (journal) {
    for (const [topic, ids] of journal.log) {
      for (const id of ids) yield () => rewrite(journal.log, topic, [...ids, id])
    }
  }],
  'a group loses a message': [/came to no member/, function * (journal) {
    const members = journal.sessions.filter(({ group }) => group !== null)
    for (const id of new Set(members.flatMap(({ arrivals }) => arrivals.map((a) => a.id)))) {
      yield () => {
        const undo = members.map((session) => replace(session, 'arrivals', session.arrivals.filter((a) => a.id !== id)))
        return () => { for (const one of undo) one() }
      }
    }
  }],
  'a group gives a message to two members': [/though nobody had left/, function * (journal) {
    const members = journal.sessions.filter(({ group, stored }) => group !== null && stored)
    for (const session of members) {
      for (const a of session.arrivals) {
        const other = members.find((one) => one !== session)
        if (a.qos === 1) yield () => replace(other, 'arrivals', [...other.arrivals, { ...a, tick: a.tick + 0.5 }])
      }
    }
  }],
  'a group gives a message of QoS 2 out again': [/of QoS 2 came to/, function * (journal) {
    for (const session of journal.sessions.filter(({ group, stored }) => group !== null && stored)) {
      for (const a of session.arrivals) {
        if (a.qos === 2) yield () => replace(session, 'arrivals', [...session.arrivals, { ...a, tick: ++journal.clock }])
      }
    }
  }]
}

const plain = (journal) => journal.sessions.filter(({ group }) => group === null)
const live = (session) => session.arrivals.filter(({ retain, dup }) => !retain && !dup)
const greetings = (session) => session.rap ? [] : session.arrivals.filter(({ retain }) => retain)

const arrival = (journal, session, m) => ({
  tick: ++journal.clock, conn: session.connectionKeys.at(-1), id: m.id, topic: m.topic, qos: 0, dup: false, retain: false
})

function replace (owner, key, value) {
  const before = owner[key]
  owner[key] = value
  return () => { owner[key] = before }
}

function rewrite (map, key, value) {
  const before = map.get(key)
  map.set(key, value)
  return () => map.set(key, before)
}

const TRIES = 80

// → names of the faults that were reported
function proven (journal) {
  return Object.entries(FAULTS).filter(([, [complaint, changes]]) => {
    const all = [...changes(journal)]
    const step = Math.max(1, Math.floor(all.length / TRIES))
    for (let i = 0; i < all.length; i += step) {
      const undo = all[i]()
      const found = check(journal).some((text) => complaint.test(text))
      undo()
      if (found) return true
    }
    return false
  }).map(([name]) => name)
}

module.exports = { proven, FAULTS: Object.keys(FAULTS) }
