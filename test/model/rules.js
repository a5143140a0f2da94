'use strict'
// The reference model: what MQTT and docs/mqtt.md allow and demand of a server,
// given what was done to it. A pure function of a journal (journal.js).
const EXPIRY_SLACK = 300 // ms: the server's clock is ours, its reading is not

// MQTT 5 §4.7, without $ topics: there are none here.
function matches (filter, topic) {
  const [f, t] = [filter.split('/'), topic.split('/')]
  for (let i = 0; i < f.length; i++) {
    if (f[i] === '#') return true
    if (i >= t.length || (f[i] !== '+' && f[i] !== t[i])) return false
  }
  return f.length === t.length
}

// ---- order of a message and a SUBSCRIBE or UNSUBSCRIBE (an edge)

// Packets of one connection take effect in their order. A message that was sent
// again on a later one may have been stored twice.
const sameConnection = (m, edge) =>
  m.will === null && m.transmissions === 1 && m.conn === edge.conn

const surelyAfter = (m, edge) => edge.acked < m.sent ||
  (sameConnection(m, edge) && edge.sent < m.sent && edge.acked < Infinity)

const surelyBefore = (m, edge) => m.acked < edge.sent ||
  (sameConnection(m, edge) && m.sent < edge.sent)

// Of a pair on one connection that was never answered, too.
const cannotBeUnder = (m, { start, end }) => surelyBefore(m, start) ||
  (end !== null && surelyAfter(m, end))

// A chain: one subscription and those that replaced it. Replacing one loses no
// message (MQTT-3.8.4-4), so it counts as one, whose QoS is in doubt for a while.
function chainsOf (session) {
  const chains = new Map()
  for (const subscription of session.subscriptions) {
    const chain = subscription.replaces === null ? [] : chains.get(subscription.replaces)
    chain.push(subscription)
    chains.set(subscription, chain)
  }
  return [...new Set(chains.values())]
}

function surelyUnder (m, chain) {
  const { end } = chain.at(-1)
  return chain.some(({ start }) => surelyAfter(m, start)) && (end === null || surelyBefore(m, end))
}

// A message that is stored may still be on its way to a subscriber when that one
// asks for another QoS. Then it may come with either: nothing the client saw until
// then was later than it.
function overtaken (m, edge, session, world) {
  if (edge.sent < m.sent || world.journal.barriers.some((tick) => m.acked < tick && tick < edge.sent)) return false
  if ((world.journal.connections.get(edge.conn)?.sent ?? Infinity) > m.acked) return false
  return !session.arrivals.some(({ id, tick, conn }) => tick < edge.sent &&
    (id === m.id || (conn === edge.conn && world.journal.messages.get(id)?.sent > m.acked)))
}

// What a session's subscriptions make of a message:
// → { may, must, low, least, high }: low is the QoS that must have been granted
// when it was stored; it comes with least to high
function subscribed (session, m, world) {
  const own = m.will === null && m.by === session.client
  const verdict = { may: false, must: false, low: 0, least: 0, high: 0, doubt: false }
  for (const chain of session.chains) {
    if (!matches(chain[0].filter, m.topic)) continue
    const all = chain.filter((subscription) => !cannotBeUnder(m, subscription))
    const taking = all.filter(({ nl }) => !(nl && own))
    if (taking.length === 0) continue
    verdict.may = true
    const late = chain.filter((subscription) => !all.includes(subscription) && overtaken(m, subscription.start, session, world))
    verdict.high = Math.max(verdict.high, ...[...taking, ...late].map(({ qos }) => qos))
    if (taking.length < all.length || !surelyUnder(m, chain)) continue
    verdict.must = true
    verdict.low = Math.max(verdict.low, Math.min(...taking.map(({ qos }) => qos)))
    const { end } = chain.at(-1)
    // Of a filter that ended again only the last time's messages are still owed
    // after a crash (MQTT5 §3.10.4 demands none that was not begun to be sent).
    const endedAgain = end !== null && session.chains.some((other) => other[0].filter === chain[0].filter && other.at(-1).end?.sent > end.sent)
    if (endedAgain && world.journal.kills.some((tick) => end.sent < tick && !world.journal.barriers.some((over) => m.acked < over && over < tick))) verdict.doubt = true
    if (end !== null && overtaken(m, end, session, world)) continue
    verdict.least = Math.max(verdict.least, Math.min(...[...taking, ...late].map(({ qos }) => qos)))
  }
  return verdict
}

// How often it can be in the log.
const copies = (m) => m.once || m.will !== null ? 1 : Math.max(1, m.transmissions)

// ---- retained messages

// The newest write before `since` that is surely over makes all older ones stale.
const stale = (m, since, writes) => writes.some((later) =>
  later.acked < since && m.acked < later.sent)

// What may be the topic's retained message between two ticks: messages, of which
// empty ones stand for none.
function candidates (topic, since, until, world) {
  const writes = (world.writes.get(topic) ?? []).filter(({ sent }) => sent < until)
  const found = writes.filter((m) => !stale(m, since, writes))
  const surelySet = writes.some(({ acked }) => acked < since)
  return { values: found, maybeNone: !surelySet || found.some(({ empty, expiry }) => empty || expiry !== null) }
}

// ---- the rules of one plain session

function killBetween (journal, from, to) {
  return journal.kills.some((tick) => from < tick && tick < to)
}

function checkRetained (session, a, m, world, say) {
  const asked = session.subscriptions.filter(({ filter, start, wantsRetained }) =>
    wantsRetained !== 'no' && start.sent < a.tick && matches(filter, m.topic))
  if (asked.length === 0) return say(`retained ${m.id} came, and no SUBSCRIBE asked for it`)
  if (!m.retain || m.empty) return say(`${m.id} came as retained and was not published so`)
  const writes = world.writes.get(m.topic)
  if (asked.every(({ start }) => stale(m, start.sent, writes))) say(`stale retained ${m.id} of ${m.topic} came: another had been acknowledged before the SUBSCRIBE`)
  if (a.qos > Math.min(m.qos, Math.max(...asked.map(({ qos }) => qos)))) say(`retained ${m.id} came with QoS ${a.qos}`)
  const count = session.arrivals.filter((b) => b.conn === a.conn && b.tick <= a.tick && b.retain && b.topic === a.topic).length
  if (count > asked.length) say(`retained message of ${m.topic} came ${count} times for ${asked.length} SUBSCRIBEs`)
}

function checkRetainedDue (session, world, say) {
  for (const { filter, nl, start, end, wantsRetained } of session.subscriptions) {
    const connection = world.journal.connections.get(start.conn)
    // a SUBSCRIBE that was replaced at once need not be greeted
    if (wantsRetained !== 'yes' || nl || start.acked > connection.barrier || (end !== null && end.sent < connection.barrier)) continue
    for (const topic of world.writes.keys()) {
      if (!matches(filter, topic)) continue
      const { values, maybeNone } = candidates(topic, start.sent, start.acked, world)
      // One that was written while the SUBSCRIBE was under way may come live instead.
      const came = session.arrivals.some((a) => a.conn === start.conn && a.tick > start.sent && a.topic === topic &&
        (a.retain || values.some((m) => m.id === a.id && !surelyBefore(m, start))))
      if (!maybeNone && !came) say(`SUBSCRIBE ${filter}: retained message of ${topic} did not come (${values.map(({ id }) => id).join(' or ')})`)
    }
  }
}

// a: a live arrival of m, not the first one if `before` is not empty.
function checkLive (session, a, m, verdict, before, world, say) {
  const { journal } = world
  const connection = journal.connections.get(a.conn)
  if (!verdict.may) return say(`${m.id} of ${m.topic} came, and no subscription wants it`)
  const [low, high] = [verdict.must ? Math.min(m.qos, verdict.least) : 0, Math.min(m.qos, verdict.high)]
  if (a.qos < low || a.qos > high) say(`${m.id} came with QoS ${a.qos}, due is ${low} to ${high}`)
  if (a.retain !== (session.rap && m.retain)) say(`${m.id} came with RETAIN ${a.retain}`)
  if (high === 0 && m.acked < connection.sent) say(`${m.id} is of QoS 0, was stored before the client connected and came nevertheless`)
  if (m.expiry !== null && !a.dup && connection.sentAt > m.ackedAt + m.expiry * 1000 + EXPIRY_SLACK) say(`${m.id} came after it had expired`)

  // What comes again in a resumed session bears DUP (MQTT-3.3.1-1); a kill takes
  // back a second's answers of QoS 1.
  const same = before.filter(({ dup }) => dup === a.dup)
  const here = same.filter(({ conn }) => conn === a.conn).length
  if (here >= copies(m)) return say(`${m.id} came ${here + 1} times on one connection, stored ${copies(m)} at most`)
  if (before.length < copies(m)) return
  if (high === 0) say(`${m.id} of QoS 0 came again`)
  else if (a.qos === 2 && before.every(({ qos }) => qos === 2)) say(`${m.id} of QoS 2 came again`)
  else if (!a.dup && same.length >= copies(m) && !killBetween(journal, same[0].tick, a.tick)) say(`${m.id} came again without DUP, and nothing was killed in between`)
}

function checkDue (session, m, verdict, arrivals, world, say) {
  if (!verdict.must || verdict.doubt || m.acked === Infinity || m.expiry !== null || m.empty) return
  const qos = Math.min(m.qos, verdict.low)
  if (session.stored && qos > 0) {
    if (m.acked < session.barrier && arrivals.length === 0) say(`${m.id} (QoS ${m.qos} by ${m.by}, ${m.topic}) did not come`)
    return
  }
  for (const key of session.connectionKeys) {
    const connection = world.journal.connections.get(key)
    if (connection.acked > m.sent || m.acked > connection.barrier) continue
    if (!arrivals.some(({ conn }) => conn === key)) say(`${m.id} (QoS ${m.qos} by ${m.by}, ${m.topic}) did not come on a connection that stayed`)
  }
}

// First arrivals of one publisher, topic and QoS are in its order (MQTT-4.6.0-5).
// Only of messages that were surely subscribed to when they were sent first: of
// one that was sent again only the second copy might count.
function checkOrder (session, firsts, say) {
  const last = new Map()
  for (const { a, m, verdict } of firsts) {
    // one that was stored twice may come by its second copy, its first having expired
    if (!verdict.must || m.will !== null || (m.expiry !== null && m.transmissions > 1)) continue
    const key = `${m.by} ${m.topic} ${m.qos} ${a.qos}`
    const before = last.get(key)
    if (before && before.n > m.n) say(`${m.id} (${m.by}'s ${m.n} on ${m.topic}) came after its ${before.n}`)
    else last.set(key, m)
  }
}

function checkSession (session, world, complain) {
  const say = (text) => complain(`${session.key}: ${text}`)
  const came = new Map() // id → live arrivals
  const verdicts = new Map()
  const verdictOf = (m) => {
    if (!verdicts.has(m.id)) verdicts.set(m.id, subscribed(session, m, world))
    return verdicts.get(m.id)
  }
  const firsts = []
  for (const a of session.arrivals) {
    const m = world.journal.messages.get(a.id)
    if (!m || m.topic !== a.topic) { say(`${a.id} of ${a.topic} was never published there`); continue }
    if (a.retain && !session.rap) { checkRetained(session, a, m, world, say); continue }
    const before = came.get(m.id) ?? []
    checkLive(session, a, m, verdictOf(m), before, world, say)
    if (before.length === 0) firsts.push({ a, m, verdict: verdictOf(m) })
    came.set(m.id, [...before, a])
  }
  for (const m of world.journal.messages.values()) {
    if (m.acked > session.ended) continue
    checkDue(session, m, verdictOf(m), came.get(m.id) ?? [], world, say)
  }
  checkOrder(session, firsts, say)
  if (!session.rap) checkRetainedDue(session, world, say)
}

// ---- shared groups: their members have no other subscriptions, and at least one
// stored member stays from the first SUBACK to the end.

function checkGroup (name, members, world, complain) {
  const say = (text) => complain(`group ${name}: ${text}`)
  const { journal } = world
  const came = new Map()
  const all = members.flatMap((session) => session.arrivals.map((a) => ({ ...a, session }))).sort((a, b) => a.tick - b.tick)
  for (const a of all) {
    const m = journal.messages.get(a.id)
    if (!m || m.topic !== a.topic) { say(`${a.id} of ${a.topic} was never published there`); continue }
    const under = a.session.subscriptions.filter(({ filter, start }) => matches(filter, m.topic) && !surelyBefore(m, world.groupStart.get(name) ?? start))
    if (under.length === 0) { say(`${m.id} of ${m.topic} came to ${a.session.key}, which did not subscribe to it`); continue }
    const granted = under.map(({ qos }) => Math.min(qos, m.qos))
    if (!granted.includes(a.qos)) say(`${m.id} came to ${a.session.key} with QoS ${a.qos}`)
    if (a.retain) say(`${m.id} came to ${a.session.key} as retained`)
    const before = came.get(m.id) ?? []
    came.set(m.id, [...before, a])
    if (before.length < copies(m)) continue
    const twos = before.filter(({ qos, session }) => qos === 2 && session.stored)
    if (a.qos === 2 && twos.length >= copies(m)) say(`${m.id} of QoS 2 came to ${before.at(-1).session.key} and to ${a.session.key}`)
    const left = members.some(({ connectionKeys }) => connectionKeys.some((key) => {
      const { closing } = journal.connections.get(key)
      return m.sent < closing && closing < a.tick
    }))
    if (!left && !killBetween(journal, before[0].tick, a.tick)) say(`${m.id} came to ${before.at(-1).session.key} and to ${a.session.key}, though nobody had left`)
  }
  const start = world.groupStart.get(name)
  if (!start) return
  for (const m of journal.messages.values()) {
    if (m.qos === 0 || m.expiry !== null || m.empty || !matches(start.filter, m.topic)) continue
    if (surelyAfter(m, start) && m.acked < start.barrier && !came.has(m.id)) say(`${m.id} (QoS ${m.qos} by ${m.by}, ${m.topic}) came to no member`)
  }
}

// ---- the log, read over HTTP at the end

function checkLog (journal, complain) {
  if (journal.log === null) return
  const seen = new Map()
  for (const [topic, ids] of journal.log) {
    const last = new Map()
    for (const id of ids) {
      const m = journal.messages.get(id)
      if (!m || m.topic !== topic) { complain(`log: ${id} of ${topic} was never published there`); continue }
      const count = (seen.get(id) ?? 0) + 1
      seen.set(id, count)
      if (count > copies(m) && m.will === null) complain(`log: ${id} (QoS ${m.qos}) is there ${count} times, sent ${m.transmissions} times`)
      if (count > 1 || m.will !== null) continue
      const key = `${m.by} ${m.qos}`
      if ((last.get(key) ?? 0) > m.n) complain(`log: ${id} (${m.by}'s ${m.n}) after its ${last.get(key)}`)
      else last.set(key, m.n)
    }
  }
  for (const m of journal.messages.values()) {
    const count = seen.get(m.id) ?? 0
    if (m.will !== null) {
      const { expect, why } = m.will
      if (count > 1 || (expect !== null && count !== expect)) complain(`will ${m.id} of ${m.by} is in the log ${count} times, due is ${expect ?? '0 or 1'}: ${why}`)
    } else if (m.acked < Infinity && !m.empty && count === 0) {
      complain(`log: ${m.id} (QoS ${m.qos} by ${m.by}, ${m.topic}) was acknowledged and is not there`)
    }
  }
}

// ---- all of it

function worldOf (journal) {
  const writes = new Map()
  for (const m of journal.messages.values()) {
    if (!m.retain) continue
    if (!writes.has(m.topic)) writes.set(m.topic, [])
    writes.get(m.topic).push(m)
  }
  const groupStart = new Map()
  for (const session of journal.sessions) {
    session.chains = chainsOf(session)
    if (session.group === null) continue
    for (const { start, filter } of session.subscriptions) {
      if (start.acked < (groupStart.get(session.group)?.acked ?? Infinity)) groupStart.set(session.group, { ...start, filter, barrier: 0 })
    }
  }
  // A group owes nothing before all of its stored members passed the barrier.
  for (const [name, start] of groupStart) {
    start.barrier = Math.min(...journal.sessions.filter((s) => s.group === name && s.stored && s.ended === Infinity).map((s) => s.barrier))
  }
  return { journal, writes, groupStart }
}

// → complaints, one sentence each; [] when all is well
function check (journal) {
  const complaints = [...journal.complaints]
  const complain = (text) => complaints.push(text)
  const world = worldOf(journal)
  for (const session of journal.sessions) {
    if (session.group === null) checkSession(session, world, complain)
  }
  for (const name of world.groupStart.keys()) {
    checkGroup(name, journal.sessions.filter(({ group }) => group === name), world, complain)
  }
  checkLog(journal, complain)
  return complaints
}

module.exports = { check, matches }
