'use strict'
// Plays a scenario on a real server and holds what happened against the rules.
const { Server, newToken, chat } = require('../e2e/harness/server')
const { scaled, sleep, until } = require('../e2e/harness/waits')
const { Client } = require('./client')
const { Journal } = require('./journal')
const { check } = require('./rules')

// What may still be on its way when the barrier has been passed: messages to
// groups, which have no order, and wills.
const OVERDUE = scaled(15000)

class Play {
  constructor (scenario, { workers }) {
    this.scenario = scenario
    this.journal = new Journal()
    this.server = new Server({ set: { 'mqtt.workers': workers } })
    this.token = newToken()
    this.marker = `${this.token}/marker`
    this.dying = false // from the kill to the restart
    this.down = false // from the kill until the server is ready again
    this.killAfter = null
    this.marks = new Map() // client → last marker that came
    this.clients = new Map(scenario.cast.map((member) => [member.name, new Client(this, member)]))
    this.controller = new Client(this, { name: 'controller', v: 5, stored: false, group: 'none' })
    this.trace = [] // steps as they were done, for whoever looks for a fault
  }

  get port () { return this.server.mqttPort }
  get everybody () { return [...this.clients.values()] }

  marked (client, line, text) { this.marks.set(client, { line, text }) }

  // An answer came: the kill comes after so many.
  acknowledged () {
    if (this.killAfter !== null && --this.killAfter <= 0) this.kill()
  }

  kill () {
    this.killAfter = null
    this.dying = this.down = true
    const tick = this.journal.tick()
    this.journal.kills.push(tick)
    this.note('server', 'killed')
    this.killing = this.server.kill9()
    for (const client of [...this.everybody, this.controller]) client.killed(tick)
  }

  note (who, what) { this.trace.push(`${this.journal.clock} ${who}: ${what}`) }

  topic (name) { return `${this.token}/${name}` }

  async step (client, member, { do: what, ...step }) {
    if (this.dying) return
    this.note(client.name, `${what} ${JSON.stringify(step)}`)
    switch (what) {
      case 'publish': return await client.publish({ ...step, topic: this.topic(step.topic), expiry: client.v === 5 ? step.expiry : null })
      case 'subscribe': return client.subscribe({ ...step, filter: this.topic(step.filter), ...(client.v === 4 && { nl: false, rh: 0 }) })
      case 'unsubscribe': return client.unsubscribe(this.topic(step.filter))
      case 'pause': return await sleep(step.ms)
      case 'settle': return await client.settled()
      case 'leave': return await client.leave(step.how === 'farewell' && client.v === 4 ? 'drop' : step.how)
      case 'away': client.away = true; return
      case 'connect': client.away = false; return await this.enter(client, member, step)
    }
  }

  // Until it is in, or the server was killed.
  async enter (client, member, options) {
    const end = Date.now() + scaled(30000)
    while (!await client.connect(options)) {
      if (this.dying || this.journal.complaints.length > 0) return
      if (Date.now() > end) throw new Error(`${client.name} cannot connect`)
      await sleep(2)
    }
    if (client.session.subscriptions.length > 0) return
    const filters = member.group !== undefined ? [{ filter: this.scenario.groupFilter, qos: member.qos }] : member.filters ?? []
    for (const one of filters) client.subscribe({ ...one, filter: this.topic(one.filter) })
  }

  async round ({ clients, killAfter }) {
    this.killAfter = killAfter
    const members = this.scenario.cast
    await Promise.all(members.map(async (member) => {
      const client = this.clients.get(member.name)
      for (const step of clients[member.name].steps) {
        if (client.away && step.do !== 'connect') continue
        await this.step(client, member, step)
      }
    }))
    if (killAfter !== null && !this.dying) this.kill()
    this.killAfter = null
    let restarted = null
    if (this.dying) {
      await this.killing
      this.dying = false
      restarted = this.server.restart().then(() => { this.down = false })
    }
    // They knock before the server is there, so they are in before anybody else.
    await Promise.all([restarted, ...members.map(async (member) => {
      const client = this.clients.get(member.name)
      if (client.connected) return
      if (client.away && member.name !== 'witness') { client.away = false; return }
      this.note(client.name, `back ${JSON.stringify(clients[member.name].back)}`)
      await this.enter(client, member, clients[member.name].back)
    })])
    return await this.barrier()
  }

  // All that was asked is answered, and all that was due to who is here has come.
  async barrier () {
    const here = this.everybody.filter(({ connected }) => connected)
    for (const client of here) await client.publish({ topic: this.topic('flush'), qos: 1 })
    for (const client of here) await client.settled()
    const lines = new Map(here.map((client) => [client, client.line]))
    const tick = this.journal.tick()
    this.journal.barriers.push(tick)
    const text = `mark ${tick}`
    if (!this.controller.connected) await this.enter(this.controller, { group: undefined }, {})
    await this.sendMarker(text)
    for (const [client, line] of lines) {
      if (client.group !== null) continue
      await until(() => client.line !== line || this.marks.get(client)?.text === text, `${client.name}: what was published before the barrier`, OVERDUE)
    }
    for (const [client, line] of lines) {
      if (client.line !== line) continue
      line.connection.barrier = client.session.barrier = tick
      client.unsure.length = 0
    }
    return await this.settledComplaints(async () => {})
  }

  async sendMarker (text) {
    const { controller } = this
    const message = { id: text, topic: this.marker, qos: 1, retain: false, empty: false, expiry: null, transmissions: 0, sent: 0, acked: 0 }
    const id = controller.freeId()
    controller.out.set(id, { message, released: false })
    controller.transmit(id, message, false)
    await controller.settled()
  }

  // Complaints that stay; what is only late has its time to come.
  async settledComplaints (refresh) {
    const end = Date.now() + OVERDUE
    for (;;) {
      await refresh()
      const complaints = check(this.journal)
      if (complaints.length === 0 || Date.now() > end || complaints.some((text) => !/did not come|came to no member|is in the log 0 times/.test(text))) return complaints
      await sleep(50)
    }
  }

  async readLog () {
    const log = new Map()
    const names = [...this.scenario.topics, 'flush', ...this.scenario.cast.map(({ name }) => `will/${name}`)]
    for (const name of names) {
      const answer = await this.server.get(chat(this.token, name, '/history?order=asc'), { Accept: 'application/x-ndjson' }, { limit: scaled(20000) })
      const lines = answer.status === 404 ? [] : answer.lines
      log.set(this.topic(name), lines.map((line) => String(JSON.parse(line).chat)).filter((text) => text !== ''))
    }
    this.journal.log = log
  }

  async end () {
    for (const member of this.scenario.cast) {
      const client = this.clients.get(member.name)
      if (!client.connected) await this.enter(client, member, { clean: false, will: null })
    }
    const complaints = await this.barrier()
    if (complaints.length > 0) return complaints
    await Promise.all([...this.everybody, this.controller].map((client) => client.leave('bye')))
    return await this.settledComplaints(() => this.readLog())
  }

  // → complaints
  async run () {
    await this.server.start()
    try {
      for (const member of this.scenario.cast) await this.enter(this.clients.get(member.name), member, { clean: false, will: null })
      for (const client of this.everybody) await client.settled()
      for (const [n, round] of this.scenario.rounds.entries()) {
        this.note('round', n)
        const complaints = await this.round(round)
        if (complaints.length > 0) return complaints
      }
      return await this.end()
    } finally {
      for (const client of [...this.everybody, this.controller]) client.line?.wire.destroy()
      await this.server.close()
    }
  }

  get figures () {
    const { messages, sessions, kills } = this.journal
    const arrivals = sessions.reduce((sum, session) => sum + session.arrivals.length, 0)
    return `${messages.size} messages, ${arrivals} deliveries, ${sessions.length} sessions, ${kills.length} kills`
  }
}

async function play (scenario, options) {
  const one = new Play(scenario, options)
  return { complaints: await one.run(), journal: one.journal, trace: one.trace, figures: one.figures, token: one.token }
}

module.exports = { play }
