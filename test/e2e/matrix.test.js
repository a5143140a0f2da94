'use strict'
// Who may do what: every kind of caller and every operation, with a topic inside its
// rights and one outside, over every transport that has the operation. The table below
// is what docs/access.md promises. A cell that is missing, or one too many, fails.
// After a refusal nothing is stored and nothing delivered.
const assert = require('node:assert/strict')
const { createHmac } = require('node:crypto')
const { it } = require('node:test')
const { suite, newToken, secret, chat, until } = require('./harness/server')
const { bearer, newTenant, newKey, revokeKey } = require('./harness/keys')
const { Device } = require('./harness/mqtt')
const { Socket } = require('./harness/socket')
const { within } = require('./harness/waits')

const [INSIDE, OUTSIDE] = ['a/in/x', 'a/out/x']
const RIGHTS = ['a/in/#']

// ---- what a letter means -----------------------------------------------------
//
//  +  granted        0  accepted, but nothing of it is shown
//  r  no right       u  unknown credential     n  no credential at all
//  e  a credential of another tenant           .  cannot be asked over this transport
const codes = {
  r: { 5: 0x87, 4: 0x80, connack: { 5: 0x87, 4: 5 }, http: 403 },
  u: { connack: { 5: 0x86, 4: 4 }, http: 401 },
  n: { connack: { 5: 0x87, 4: 5 }, http: 401 },
  e: { connack: { 5: 0x86, 4: 4 }, http: 403 }
}

// Each operation has a cell of two letters, inside and outside; those of one letter
// have no topic, or one that is wider than any right but all.
const table = `
                            | publish retained will subscribe wide share kept events unsubscribe resume emit | post keep latest history listing listen filter follow send signal | edit delete purge | keys make revoke ticket
holder of a token           | ++      ++       ++   ++        +    ++    ++   ++     ++          ++     ++   | ++   ++   ++     ++      ++      ++     ++     ++     ++   ++ | ++   ++     ++    | +    +    +      ++
key without rights          | ++      ++       ++   ++        +    ++    ++   ++     ++          ++     ++   | ++   ++   ++     ++      ++      ++     ++     ++     ++   ++ | rr   rr     rr    | r    r    r      ++
key that may publish        | +r      +r       +r   rr        r    rr    rr   rr     rr          00     +r   | +r   +r   rr     rr      00      rr     rr     rr     +r   +r | rr   rr     rr    | r    r    r      rr
key that may subscribe      | rr      rr       rr   +r        r    +r    +r   +r     +r          +0     rr   | rr   rr   +r     +r      +0      +r     +r     +r     rr   rr | rr   rr     rr    | r    r    r      +r
key that may manage         | rr      rr       rr   rr        r    rr    rr   rr     rr          00     rr   | rr   rr   rr     rr      00      rr     rr     rr     rr   rr | +r   +r     +r    | r    r    r      rr
key that may do both        | +r      +r       +r   +r        r    +r    +r   +r     +r          +0     +r   | +r   +r   +r     +r      +0      +r     +r     +r     +r   +r | rr   rr     rr    | r    r    r      +r
key with admin              | ++      ++       ++   ++        +    ++    ++   ++     ++          ++     ++   | ++   ++   ++     ++      ++      ++     ++     ++     ++   ++ | ++   ++     ++    | +    +    +      ++
key with a mount            | +r      +r       +r   +r        r    +r    +r   +r     +r          +0     +r   | +r   +r   +r     +r      +0      +r     +r     +r     +r   +r | rr   rr     rr    | r    r    r      +r
key of a user, rights of %u | +r      +r       +r   +r        r    +r    +r   +r     +r          +0     +r   | +r   +r   +r     +r      +0      +r     +r     +r     +r   +r | rr   rr     rr    | r    r    r      +r
JWT                         | +r      +r       +r   +r        r    +r    +r   +r     +r          +0     +r   | +r   +r   +r     +r      +0      +r     +r     +r     +r   +r | rr   rr     rr    | r    r    r      +r
JWT that has expired        | uu      uu       uu   uu        u    uu    uu   uu     uu          uu     uu   | uu   uu   uu     uu      uu      uu     uu     uu     uu   uu | uu   uu     uu    | u    u    u      uu
key that has expired        | uu      uu       uu   uu        u    uu    uu   uu     uu          uu     uu   | uu   uu   uu     uu      uu      uu     uu     uu     uu   uu | uu   uu     uu    | u    u    u      uu
key that was revoked        | uu      uu       uu   uu        u    uu    uu   uu     uu          uu     uu   | uu   uu   uu     uu      uu      uu     uu     uu     uu   uu | uu   uu     uu    | u    u    u      uu
unknown key                 | uu      uu       uu   uu        u    uu    uu   uu     uu          uu     uu   | uu   uu   uu     uu      uu      uu     uu     uu     uu   uu | uu   uu     uu    | u    u    u      uu
unknown token               | uu      uu       uu   uu        u    uu    uu   uu     uu          uu     uu   | uu   uu   uu     uu      uu      uu     uu     uu     uu   uu | uu   uu     uu    | u    u    u      uu
name of a tenant alone      | uu      uu       uu   uu        u    uu    uu   uu     uu          uu     uu   | uu   uu   uu     uu      uu      uu     uu     uu     uu   uu | uu   uu     uu    | u    u    u      uu
nobody                      | nn      nn       nn   nn        n    nn    nn   nn     nn          nn     nn   | nn   nn   nn     nn      nn      nn     nn     nn     nn   nn | nn   nn     nn    | n    n    n      nn
ticket                      | ..      ..       ..   ..        .    ..    ..   ..     ..          ..     ..   | uu   uu   uu     uu      uu      +r     +r     +r     +r   uu | uu   uu     uu    | u    u    u      uu
ticket of another tenant    | ..      ..       ..   ..        .    ..    ..   ..     ..          ..     ..   | uu   uu   uu     uu      uu      ee     ee     ee     ee   uu | uu   uu     uu    | u    u    u      uu
admin key of another tenant | ee      ee       ee   ee        e    ee    ee   ee     ee          ee     ee   | ee   ee   ee     ee      ee      ee     ee     ee     ee   ee | ee   ee     ee    | e    e    e      ee
the same, as its own tenant | rr      rr       rr   rr        r    rr    rr   rr     rr          00     rr   | ..   ..   ..     ..      ..      ..     ..     ..     ..   .. | ..   ..     ..    | .    .    .      ..
token of another tenant     | rr      rr       rr   rr        r    rr    rr   rr     rr          00     rr   | ..   ..   ..     ..      ..      ..     ..     ..     ..   .. | ..   ..     ..    | .    .    .      ..
JWT of another tenant       | ee      ee       ee   ee        e    ee    ee   ee     ee          ee     ee   | uu   uu   uu     uu      uu      uu     uu     uu     uu   uu | uu   uu     uu    | u    u    u      uu
`

// ---- callers ------------------------------------------------------------------

const JWT_SECRET = 'of a tenant whose JWTs it checks'

function jwt (key, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const body = `${part({ alg: 'HS256' })}.${part(claims)}`
  return secret(`${body}.${createHmac('sha256', key).update(body).digest('base64url')}`)
}

const inSeconds = (n) => Math.floor(Date.now() / 1000) + n
const both = { publish: RIGHTS, subscribe: RIGHTS }

// A tenant with a public name and an admin who sets the scene.
async function named (server) {
  const tenant = await newTenant(server, [`jwt.secret=${JWT_SECRET}`])
  const { code, stdout, stderr } = await server.cli('key', 'create', '--tenant', tenant, '--admin')
  assert.equal(code, 0, stderr)
  const admin = secret(stdout.trim())
  return { tenant, headers: bearer(admin), login: { token: tenant, password: admin } }
}

const keyed = (password) => ({ password, headers: bearer(password) })
const withKey = (wish) => async (server, at) => keyed((await newKey(server, at.tenant, wish, at.headers)).key)

// name → what it has: login for MQTT, headers for HTTP, or tickets (one each time).
const callers = {
  'holder of a token': async () => ({}), // world() makes one
  'key without rights': withKey({}),
  'key that may publish': withKey({ publish: RIGHTS }),
  'key that may subscribe': withKey({ subscribe: RIGHTS }),
  'key that may manage': withKey({ manage: RIGHTS }),
  'key that may do both': withKey(both),
  'key with admin': withKey({ admin: true }),
  'key with a mount': async (server, at) => ({ ...await withKey({ ...both, mount: 'a' })(server, at), mount: 'a/' }),
  'key of a user, rights of %u': withKey({ publish: ['a/%u/#'], subscribe: ['a/%u/#'], user: 'in' }),
  JWT: async () => keyed(jwt(JWT_SECRET, { sub: 'ann', exp: inSeconds(600), confab: both })),
  'JWT that has expired': async () => keyed(jwt(JWT_SECRET, { sub: 'ann', exp: inSeconds(-100), confab: both })),
  'key that has expired': async (server, at) => {
    const caller = await withKey({ ...both, expires_in: 1 })(server, at)
    await until(async () => (await server.get(`/${at.tenant}/things`, caller.headers)).status === 401, 'end of the key')
    return caller
  },
  'key that was revoked': async (server, at) => {
    const { key, id } = await newKey(server, at.tenant, both, at.headers)
    await revokeKey(server, at.tenant, id, at.headers)
    return keyed(key)
  },
  'unknown key': async () => keyed(secret(`sk_${newToken().padEnd(32, 'A')}`)),
  'unknown token': async () => ({ path: newToken(), headers: {} }),
  'name of a tenant alone': async () => ({ headers: {}, password: undefined }),
  nobody: async () => ({ headers: {}, nameless: true }),
  ticket: async (server, at) => ({ headers: {}, ticket: () => newTicket(server, at, both) }),
  'ticket of another tenant': async (server) => {
    const other = await named(server)
    return { headers: {}, ticket: () => newTicket(server, other, both) }
  },
  'admin key of another tenant': async (server) => keyed((await named(server)).login.password),
  'the same, as its own tenant': async (server) => (await named(server)).login,
  'token of another tenant': async (server) => ({ token: await server.planToken('home') }),
  'JWT of another tenant': async (server) => keyed(jwt('of some other tenant, not of that one', { exp: inSeconds(600), confab: both }))
}

async function newTicket (server, at, wish) {
  const answer = await server.post(`/${at.tenant}/tickets`, wish, at.headers)
  assert.equal(answer.status, 201, answer.text)
  return secret(answer.json().ticket)
}

// ---- the scene ------------------------------------------------------------------

let marks = 0
const mark = () => `mark ${++marks}`

class World {
  static async of (server, name) {
    const world = new World()
    world.server = server
    if (name === 'holder of a token') {
      const token = await server.planToken('home')
      world.at = { tenant: token, headers: {}, login: { token } }
    } else {
      world.at = await named(server)
    }
    world.caller = await callers[name](server, world.at)
    world.tenant = world.at.tenant
    world.path = world.caller.path ?? world.tenant
    world.headers = world.caller.headers ?? {}
    world.admin = await server.device(world.at.login)
    await world.admin.subscribe(`${world.tenant}/#`)
    return world
  }

  whole (thing) { return `${this.tenant}/${thing}` }

  // As the caller's client names it.
  topic (thing) {
    const { mount } = this.caller
    return mount ? thing.slice(mount.length) : this.whole(thing)
  }

  get login () {
    const { nameless, token, path, password } = this.caller
    return { token: nameless ? undefined : token ?? path ?? this.tenant, password }
  }

  // → the device, or the code of its CONNACK
  async connect (way, options = {}) {
    try {
      const device = await Device.connect(way.url(this.server), { ...this.login, v: way.v, ...options })
      this.server.clients.push(() => device.client.end(true))
      return device
    } catch (error) {
      if (typeof error.code !== 'number') throw error
      return { refused: error.code }
    }
  }

  // The scene's own word, seen by everybody who may.
  async say (thing, text, options = { qos: 1 }) {
    assert.equal((await this.admin.publish(this.whole(thing), text, options)).code, 0)
    await this.admin.messages.find((message) => message.text === text)
  }

  // Whether the text was stored; and delivered, or it is not on its way.
  async arrived (thing, text) {
    const rows = await this.server.get(chat(this.tenant, thing, '/history?limit=1000'), this.at.headers)
    const stored = rows.json().some(({ chat }) => chat === text || chat?.text === text)
    const fence = mark()
    assert.equal((await this.admin.publish(this.whole('fence'), fence, { qos: 1 })).code, 0)
    let delivered = false
    await this.admin.messages.find((message) => {
      delivered ||= message.topic === this.whole(thing) && message.text.includes(text)
      return message.text === fence
    })
    assert.equal(delivered, stored, 'stored and delivered, or neither')
    return stored
  }

  // A path that takes tickets.
  async withTicket (path) {
    if (!this.caller.ticket) return path
    return `${path}${path.includes('?') ? '&' : '?'}key=${await this.caller.ticket()}`
  }
}

// ---- operations over MQTT --------------------------------------------------------

const ways = {
  'MQTT 3.1.1': { v: 4, url: (server) => server.mqttUrl },
  'MQTT 5': { v: 5, url: (server) => server.mqttUrl },
  'MQTT 5 over WebSocket': { v: 5, url: (server) => `ws://127.0.0.1:${server.httpPort}/mqtt` }
}

// An event, which is stored nowhere. `$` topics have no mount.
const eventOf = (world, thing) => `$events/${world.tenant}/typing/${thing}`

async function hearsEvents (world) {
  world.hearing ??= world.admin.subscribe(`$events/${world.tenant}/#`)
  await world.hearing
}

async function emitted (world, thing, text) {
  assert.equal(await world.arrived(thing, text), false, 'stored nowhere')
  const fence = mark()
  assert.equal((await world.admin.publish(eventOf(world, 'fence'), fence, { qos: 1 })).code, 0)
  let delivered = false
  await world.admin.messages.find((message) => {
    delivered ||= message.topic === eventOf(world, thing) && message.text.includes(text)
    return message.text === fence
  })
  return delivered
}

async function emits (world, thing, letter, way) {
  await hearsEvents(world)
  const device = await world.connect(way)
  const text = mark()
  if (device.refused) return refusedAs(letter, device.refused, way, 'publisher')
  const answer = await device.publish(eventOf(world, thing), text, { qos: 1 }).catch((error) => error)
  if (letter === '+') assert.equal(answer.code, 0)
  else if (way.v === 5) assert.equal(answer.code, 0x87)
  else assert.ok(answer instanceof Error, '3.1.1 closes the connection')
  await device.end()
  if (letter === '+') await world.admin.messages.find((message) => message.topic === eventOf(world, thing) && message.text === text)
  else assert.equal(await emitted(world, thing, text), false)
}

// What was refused, as the letter says it.
function refusedAs (letter, code, way, what) {
  assert.equal(code, codes[letter]?.connack[way.v], `CONNACK of ${what}`)
}

const publishing = (retain) => async (world, thing, letter, way) => {
  const device = await world.connect(way)
  const text = mark()
  if (device.refused) {
    refusedAs(letter, device.refused, way, 'publisher')
  } else {
    const answer = await device.publish(world.topic(thing), text, { qos: 1, retain }).catch((error) => error)
    if (letter === '+') assert.equal(answer.code, 0)
    else if (way.v === 5) assert.equal(answer.code, 0x87)
    else assert.ok(answer instanceof Error, '3.1.1 closes the connection')
    await device.end()
  }
  assert.equal(await world.arrived(thing, text), letter === '+')
}

async function leavesWill (world, thing, letter, way) {
  const text = mark()
  const device = await world.connect(way, { will: { topic: world.topic(thing), payload: Buffer.from(text), qos: 1, retain: false } })
  if (device.refused) {
    refusedAs(letter, device.refused, way, 'a will')
    assert.equal(await world.arrived(thing, text), false)
    return
  }
  assert.equal(letter, '+')
  device.cut()
  assert.equal((await world.admin.messages.find((message) => message.text === text)).topic, world.whole(thing))
}

// granted(device, live): the SUBACK was good, and `live` makes a message.
const subscribing = (filterOf, granted, before = async () => {}) => async (world, thing, letter, way) => {
  const kept = await before(world, thing)
  const device = await world.connect(way)
  if (device.refused) return refusedAs(letter, device.refused, way, 'subscriber')
  const [code] = await device.subscribe(filterOf(world, thing))
  assert.equal(code, letter === '+' ? 1 : codes[letter][way.v], 'SUBACK')
  const live = async () => {
    const text = mark()
    await world.say(thing ?? INSIDE, text)
    return text
  }
  if (letter === '+') {
    await granted(world, device, live, thing, kept)
  } else {
    await live()
    await device.unsubscribe('a/fence') // a round trip behind it
    assert.deepEqual(device.messages.items, [], 'nothing is delivered')
  }
  await device.end()
}

async function hears (world, device, live, thing) {
  const text = await live()
  const { topic } = await device.messages.find((message) => message.text === text)
  assert.equal(topic, world.topic(thing ?? INSIDE))
}

// Workers and streamers may be behind the scene's own connection: what was said before
// can still arrive, so each wait is for a text.
async function getsKept (world, device, live, thing, kept) {
  const { topic } = await device.messages.find(({ text, retain }) => retain && text === kept)
  assert.equal(topic, world.topic(thing))
}

async function keep (world, thing) {
  const text = mark()
  await world.say(thing, text, { qos: 1, retain: true })
  return text
}

async function endsHearing (world, device, live, thing) {
  await hears(world, device, live, thing)
  await device.unsubscribe(world.topic(thing))
  await live()
  await device.unsubscribe('a/fence')
  assert.deepEqual(device.messages.items, [])
}

// The session was made by the scene's own caller, which may all: who takes it over by
// its client id gets what it may read itself.
async function resumes (world, thing, letter, way) {
  const clientId = `session ${++marks}`
  const stays = { clientId, clean: false, ...(way.v === 5 && { properties: { sessionExpiryInterval: 600 } }) }
  const first = await Device.connect(way.url(world.server), { ...world.at.login, v: way.v, ...stays })
  await first.subscribe(`${world.tenant}/${thing}`)
  await first.end()
  const text = mark()
  await world.say(thing, text)
  const second = await world.connect(way, stays)
  if (second.refused) return refusedAs(letter, second.refused, way, 'resuming')
  if (letter === '+') {
    // what is retained may come again, too: it was in flight
    const got = await second.messages.find((message) => message.text === text)
    assert.equal(got.topic, world.topic(thing))
  } else {
    const later = mark()
    await world.say(thing, later)
    await second.unsubscribe('a/fence')
    assert.deepEqual(second.messages.items, [], 'nothing of it')
  }
  await second.end()
}

const mqttOperations = {
  publish: publishing(false),
  retained: publishing(true),
  will: leavesWill,
  subscribe: subscribing((world, thing) => world.topic(thing), hears),
  wide: subscribing((world) => world.caller.mount ? '#' : world.whole('#'), hears),
  share: subscribing((world, thing) => `$share/g${++marks}/${world.topic(thing)}`, hears),
  kept: subscribing((world, thing) => world.topic(thing), getsKept, keep),
  events: subscribing((world, thing) => `$events/${world.tenant}/+/${thing}`, async () => {}),
  unsubscribe: subscribing((world, thing) => world.topic(thing), endsHearing),
  resume: resumes,
  emit: emits
}

// ---- operations over HTTP, SSE and the JSON WebSocket ------------------------------

const status = (letter) => letter === '+' || letter === '0' ? 200 : codes[letter].http

const posting = (query) => async (world, thing, letter) => {
  const text = mark()
  const answer = await world.server.post(chat(world.path, thing, query), { text }, world.headers)
  assert.equal(answer.status, status(letter), answer.text)
  assert.equal(await world.arrived(thing, text), letter === '+')
}

const getting = (rest) => async (world, thing, letter) => {
  const text = mark()
  await world.say(thing, text)
  const answer = await world.server.get(chat(world.path, thing, rest), world.headers)
  assert.equal(answer.status, status(letter), answer.text)
  assert.equal(answer.text.includes(text), letter === '+')
}

async function lists (world, thing, letter) {
  await world.say(thing, mark())
  const answer = await world.server.get(`/${world.path}/things`, world.headers)
  assert.equal(answer.status, status(letter), answer.text)
  assert.equal(answer.text.includes(thing), letter === '+')
}

const listening = (pathOf) => async (world, thing, letter) => {
  const stream = await world.server.stream(await world.withTicket(pathOf(world, thing)), world.headers)
  assert.equal(stream.status, status(letter))
  if (letter === '+') {
    await stream.expect('status')
    const text = mark()
    await world.say(thing, text)
    await stream.blocks.find(({ event, data }) => event === 'message' && JSON.parse(data).chat === text)
  } else {
    await world.say(thing, mark())
    assert.ok(!stream.text.includes('mark'), 'nothing is delivered')
  }
  stream.close()
}

// → an open socket, or the status of the handshake
async function socketOf (world) {
  try {
    return await Socket.openUrl(world.server, await world.withTicket(`/${world.path}/ws`), { headers: world.headers })
  } catch (error) {
    return { refused: Number(/Unexpected server response: (\d+)/.exec(error.message)?.[1]) }
  }
}

async function follows (world, thing, letter) {
  const socket = await socketOf(world)
  if (socket.refused) return assert.equal(socket.refused, status(letter))
  socket.send({ follow: [thing] })
  const answer = await socket.arrivals.next()
  if (letter === '+') {
    assert.ok(answer.ack, JSON.stringify(answer))
    const text = mark()
    await world.say(thing, text)
    await socket.arrivals.find(({ chat }) => chat === text)
  } else {
    assert.equal(answer.error?.status, status(letter))
    await world.say(thing, mark())
    socket.send({ unfollow: [thing] }) // a round trip behind it
    assert.equal((await socket.arrivals.next()).id, undefined, 'nothing is delivered')
  }
  socket.client.terminate()
}

async function sends (world, thing, letter) {
  const socket = await socketOf(world)
  const text = mark()
  if (socket.refused) {
    assert.equal(socket.refused, status(letter))
  } else {
    const answer = await socket.publish({ thing, payload: { text } })
    assert.equal(answer.id ? 200 : answer.status, status(letter))
    socket.client.terminate()
  }
  assert.equal(await world.arrived(thing, text), letter === '+')
}

async function signals (world, thing, letter) {
  await hearsEvents(world)
  const text = mark()
  const answer = await world.server.post(`/${world.path}/events/${encodeURIComponent(thing)}?kind=typing`, { text }, world.headers)
  assert.equal(answer.status, status(letter), answer.text)
  if (letter === '+') await world.admin.messages.find((message) => message.topic === eventOf(world, thing) && message.text.includes(text))
  else assert.equal(await emitted(world, thing, text), false)
}

const keysOf = async (world) => (await world.server.get(`/${world.tenant}/keys`, world.at.headers)).json()

async function listsKeys (world, _, letter) {
  const { id } = await newKey(world.server, world.tenant, {}, world.at.headers)
  const answer = await world.server.get(`/${world.path}/keys`, world.headers)
  assert.equal(answer.status, status(letter), answer.text)
  assert.equal(answer.text.includes(id), letter === '+')
}

async function makesKey (world, _, letter) {
  const before = (await keysOf(world)).length
  const answer = await world.server.post(`/${world.path}/keys`, {}, world.headers)
  assert.equal(answer.status, letter === '+' ? 201 : status(letter), answer.text)
  if (letter === '+') secret(answer.json().key)
  assert.equal((await keysOf(world)).length, letter === '+' ? before + 1 : before)
}

async function revokesKey (world, _, letter) {
  const { id } = await newKey(world.server, world.tenant, {}, world.at.headers)
  const answer = await world.server.request(`/${world.path}/keys/${id}`, { method: 'DELETE', headers: world.headers })
  assert.equal(answer.status, status(letter), answer.text)
  assert.equal((await keysOf(world)).some((key) => key.id === id), letter !== '+')
}

// A ticket to read the thing, which is worth no more than its maker.
async function makesTicket (world, thing, letter) {
  const answer = await world.server.post(`/${world.path}/tickets`, { subscribe: [thing] }, world.headers)
  assert.equal(answer.status, letter === '+' ? 201 : status(letter), answer.text)
  if (letter !== '+') return
  const stream = await world.server.stream(chat(world.path, thing, `/listen?key=${secret(answer.json().ticket)}`))
  assert.equal(stream.status, 200)
  stream.close()
}

const historyOf = async (world, thing) =>
  (await world.server.get(chat(world.tenant, thing, '/history?limit=1000'), world.at.headers)).json()

// One message; after a refusal it is as it was.
const changing = (method, options) => async (world, thing, letter) => {
  const text = mark()
  await world.say(thing, text)
  const message = (await historyOf(world, thing)).find((row) => row.chat === text)
  const answer = await world.server.request(chat(world.path, thing, `/${message.id}`),
    { method, headers: world.headers, ...options(mark()) })
  assert.equal(answer.status, status(letter), answer.text)
  const now = (await historyOf(world, thing)).find(({ id }) => id === message.id)
  if (letter === '+') assert.notDeepEqual(now.chat, text)
  else assert.deepEqual(now, message)
}

async function purges (world, thing, letter) {
  await world.say(thing, mark())
  const before = await historyOf(world, thing)
  const answer = await world.server.request(chat(world.path, thing), { method: 'DELETE', headers: world.headers })
  assert.equal(answer.status, status(letter), answer.text)
  assert.deepEqual(await historyOf(world, thing), letter === '+' ? [] : before)
}

const httpOperations = {
  post: posting(''),
  keep: posting('?retain=1'),
  latest: getting('/latest'),
  history: getting('/history'),
  listing: lists,
  listen: listening((world, thing) => chat(world.path, thing, '/listen')),
  filter: listening((world, thing) => `/${world.path}/listen?things=${encodeURIComponent(thing)}`),
  follow: follows,
  send: sends,
  signal: signals,
  keys: listsKeys,
  make: makesKey,
  revoke: revokesKey,
  edit: changing('PATCH', (text) => ({ body: { text } })),
  delete: changing('DELETE', () => ({})),
  purge: purges,
  ticket: makesTicket
}

const SINGLE = new Set(['wide', 'keys', 'make', 'revoke'])

// ---- the table -----------------------------------------------------------------

// → { caller: { operation: letters } }
function parsed (text) {
  const [head, ...rows] = text.trim().split('\n').map((line) => line.split('|').map((part) => part.trim()))
  const names = head.slice(1).join(' ').split(/\s+/)
  return Object.fromEntries(rows.map(([caller, ...cells]) => {
    const letters = cells.join(' ').split(/\s+/)
    assert.equal(letters.length, names.length, `cells of '${caller}'`)
    return [caller, Object.fromEntries(names.map((name, i) => [name, letters[i]]))]
  }))
}

const cells = parsed(table)

function topicsOf (operation, letters) {
  return SINGLE.has(operation) ? [[undefined, letters]] : [[INSIDE, letters[0]], [OUTSIDE, letters[1]]]
}

async function tries (world, operation, run, letters, waysOf) {
  for (const [name, way] of waysOf) {
    for (const [thing, letter] of topicsOf(operation, letters)) {
      if (letter === '.') continue
      try {
        await within(run(world, thing, letter, way), 'all of it', 60000)
      } catch (error) {
        error.message = `${operation}, ${thing ?? 'all'}, ${name}: expected '${letter}': ${error.message}`
        throw error
      }
    }
  }
}

suite('Who may do what', { set: { 'tokens.access': 'registered' }, concurrent: true }, (server) => {
  it('the table has a cell for each caller and operation', () => {
    assert.deepEqual(Object.keys(cells).sort(), Object.keys(callers).sort())
    const operations = { ...mqttOperations, ...httpOperations }
    for (const [caller, row] of Object.entries(cells)) {
      assert.deepEqual(Object.keys(row).sort(), Object.keys(operations).sort())
      for (const [operation, letters] of Object.entries(row)) {
        assert.match(letters, SINGLE.has(operation) ? /^[+0rune.]$/ : /^[+0rune.]{2}$/, `${caller}: ${operation}`)
      }
    }
  })

  for (const name of Object.keys(cells)) {
    it(name, async () => {
      const world = await World.of(server, name)
      for (const [operation, run] of Object.entries(mqttOperations)) {
        await tries(world, operation, run, cells[name][operation], Object.entries(ways))
      }
      for (const [operation, run] of Object.entries(httpOperations)) {
        await tries(world, operation, run, cells[name][operation], [['HTTP', undefined]])
      }
      await world.admin.end()
    })
  }
})
