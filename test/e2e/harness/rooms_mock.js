'use strict'
// A server of the rooms API for tests of its pages: the events and answers that the pages
// use, and the files of bridge/web/rooms/ with the policy that the door sends. Written from
// the protocol; tests of the pages take the real door instead through `origin`.
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { WebSocketServer } = require('ws')

const PAGES = path.join(__dirname, '../../../bridge/web/rooms')
const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' }
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'; "

class RoomsMock {
  users = new Map() // token → user
  rooms = new Map() // uid → {room, owner, messages}
  sockets = new Set() // {ws, user, room, send}
  received = [] // [name, payload] of all sockets
  refusal = null // error for the next sendMessage
  acknowledges = true
  ping = { pingInterval: 25000, pingTimeout: 20000 }
  #nextId = 1

  async listen (port = 0) {
    this.server = http.createServer((request, response) => this.#answer(request, response))
    this.sockets.clear()
    const sockets = new WebSocketServer({ server: this.server, path: '/socket.io/' })
    sockets.on('connection', (ws) => this.#connected(ws))
    await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve))
    this.port = this.server.address().port
    this.origin = `http://127.0.0.1:${this.port}`
    return this
  }

  async close () {
    for (const { ws } of this.sockets) ws.terminate()
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  user (name, { roles = ['registered'], ...more } = {}) {
    const uid = `u${String(this.users.size).padStart(9, '0')}`
    const token = `token-${uid}`
    const user = { uid, displayName: name, picture: null, countryCode: '', balance: 0, roles, ...more }
    this.users.set(token, user)
    return { user, token }
  }

  room (name, { slowMode = 0, description = '', owner = null } = {}) {
    const uid = `Room${String(this.rooms.size).padStart(8, '0')}`
    this.rooms.set(uid, { room: { uid, name, description, slowMode }, owner, messages: [] })
    return uid
  }

  say (uid, user, text, more = {}) {
    const message = { id: this.#nextId++, timestamp: Date.now(), message: text, room: uid, user, ...more }
    this.rooms.get(uid).messages.push(message)
    this.emit(uid, 'message', message)
    return message.id
  }

  emit (uid, name, payload) {
    for (const socket of this.sockets) if (socket.room === uid) socket.send(name, payload)
  }

  drop () { for (const { ws } of this.sockets) ws.terminate() }

  #connected (ws) {
    const socket = { ws, user: null, room: null, send: (name, payload) => ws.send(`42${JSON.stringify([name, payload])}`) }
    this.sockets.add(socket)
    ws.on('close', () => this.sockets.delete(socket))
    ws.on('message', (data) => {
      const text = String(data)
      if (text === '40') return ws.send('40{"sid":"s"}')
      if (text.startsWith('42')) {
        const [, id, body] = /^42(\d*)([^]*)$/.exec(text)
        this.#event(socket, id, ...JSON.parse(body))
      } else this.received.push([text])
    })
    ws.send(`0${JSON.stringify({ sid: 'e', upgrades: [], ...this.ping, maxPayload: 100000 })}`)
  }

  #event (socket, id, name, payload) {
    this.received.push([name, payload])
    const answer = (value) => { if (id !== '' && this.acknowledges) socket.ws.send(`43${id}${JSON.stringify([value])}`) }
    const refuse = (error) => {
      socket.send('system', { type: 'error', text: error })
      answer({ error })
    }
    if (name === 'login') {
      socket.user = this.users.get(payload.token) ?? null
      if (!socket.user) return refuse('Invalid login')
      socket.send('auth_updated', { user: { ...socket.user, roles: [] } })
    } else if (name === 'logout') {
      socket.user = null
      socket.send('auth_updated', { user: null })
    } else if (name === 'join') {
      const room = this.rooms.get(payload.uid)
      if (!room) {
        socket.send('error', { timestamp: 1, message: 'No such room exists!' })
        return answer({ error: 'No such room exists!' })
      }
      socket.room = payload.uid
      socket.send('room_updated', { room: room.room })
      socket.send('room_messages', { messages: room.messages.slice(-20) })
      const online = new Map([...this.sockets].filter((s) => s.room === payload.uid && s.user).map((s) => [s.user.uid, s.user]))
      socket.send('room_users', { users: [...online.values()] })
    } else if (name === 'sendMessage') {
      if (this.refusal) {
        const error = this.refusal
        this.refusal = null
        return refuse(error)
      }
      return answer({ success: true, result: this.say(socket.room, socket.user, payload.text) })
    }
    answer({ success: true })
  }

  async #answer (request, response) {
    const url = new URL(request.url, this.origin)
    const file = path.join(PAGES, path.basename(url.pathname))
    if (request.method === 'GET' && TYPES[path.extname(file)] && fs.existsSync(file)) {
      const isPlayground = url.pathname === '/playground.html'
      response.writeHead(200, { 'Content-Type': `${TYPES[path.extname(file)]}; charset=utf-8`, 'Content-Security-Policy': POLICY + (isPlayground ? "frame-src 'self'; frame-ancestors 'none'" : 'frame-ancestors *') })
      return response.end(fs.readFileSync(file))
    }
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks)) : {}
    const { status, ...json } = this.#route(request.method, url, body, this.users.get(request.headers.authorization?.slice(7)))
    response.writeHead(status ?? 200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(json, null, 2))
  }

  #route (method, url, body, user) {
    const [, one, two, three] = url.pathname.split('/')
    if (method === 'POST' && one === 'users') {
      if (two === 'login' && body.guest) return this.user('Guest', { roles: ['guest'] })
      if (two === 'register') {
        const made = this.user(body.username)
        made.user.password = undefined
        this.passwords = { ...this.passwords, [body.username]: { password: body.password, made } }
        return made
      }
      const known = this.passwords?.[body.username]
      return known?.password === body.password ? known.made : { status: 401, error: 'Invalid credentials' }
    }
    if (method === 'GET' && one === 'rooms' && three === 'messages') {
      const room = this.rooms.get(two)
      const before = Number(url.searchParams.get('before') ?? Infinity)
      return { error: null, room: room.room, messages: room.messages.filter(({ id }) => id < before).slice(-Number(url.searchParams.get('limit') ?? 20)) }
    }
    if (!user) return { status: 401, error: '401 Unauthorized' }
    if (method === 'POST' && one === 'rooms') return { room: this.rooms.get(this.room(body.name, { owner: user.uid })).room }
    if (method === 'POST' && one === 'messages') return { success: true, result: this.say(body.room, user, body.message) }
    if (method === 'DELETE' && one === 'messages') {
      for (const [uid, room] of this.rooms) {
        const at = room.messages.findIndex(({ id }) => id === Number(two))
        if (at < 0) continue
        room.messages.splice(at, 1)
        this.emit(uid, 'message_deleted', { ids: Number(two) })
        return { status: undefined, deleted: true }
      }
      return { status: 404, error: 'Message not found' }
    }
    return { status: 404, error: `Endpoint ${url.pathname} not found` }
  }
}

module.exports = { RoomsMock }
