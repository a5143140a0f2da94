// Socket.IO 5 over Engine.IO 4 on WebSocket, the namespace `/`: what the page needs of it.
// Packets: https://socket.io/docs/v4/engine-io-protocol/, …/socket-io-protocol/
// Events of a RoomSocket: 'up', 'down' (detail.retryAt in ms, or null: not again), and
// 'event' (detail.name, detail.payload).
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 15000
const HANDSHAKE_MS = 10000
const ACK_MS = 10000

export class RoomSocket extends EventTarget {
  #url
  #socket = null
  #isUp = false
  #isStopped = false
  #attempts = 0
  #retry = 0
  #silence = 0
  #patience = HANDSHAKE_MS
  #nextId = 0
  #waiting = new Map() // id → {resolve, reject, timer}

  constructor (url) {
    super()
    this.#url = url
  }

  get isUp () { return this.#isUp }

  connect () {
    clearTimeout(this.#retry)
    this.#isStopped = false
    if (this.#socket) return
    const socket = new WebSocket(this.#url)
    this.#socket = socket
    this.#patience = HANDSHAKE_MS
    this.#watch(socket)
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return
      this.#watch(socket)
      if (typeof data === 'string') this.#receive(data)
    }
    socket.onclose = () => this.#ended(socket)
  }

  // Sends an event. Resolves with the acknowledgement's value; rejects if it is an error, if
  // none comes, or if the connection is lost first.
  request (name, payload) {
    if (!this.#isUp) return Promise.reject(new Error('Not connected'))
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, { error: 'The server did not confirm it' }), ACK_MS)
      this.#waiting.set(id, { resolve, reject, timer })
      this.#socket.send(`42${id}${JSON.stringify([name, payload])}`)
    })
  }

  // No ping within the time that the server named: the connection is dead, although TCP
  // may not know it yet.
  #watch (socket) {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => { socket.close(); this.#ended(socket) }, this.#patience)
  }

  #receive (packet) {
    const rest = packet.slice(1)
    switch (packet[0]) {
      case '0': return this.#opened(rest)
      case '1': return this.#drop()
      case '2': return this.#socket.send('3' + rest)
      case '4': return this.#message(rest)
    }
  }

  #opened (text) {
    const { pingInterval, pingTimeout } = JSON.parse(text)
    this.#patience = pingInterval + pingTimeout
    this.#watch(this.#socket)
    this.#socket.send('40')
  }

  #message (packet) {
    const [, id, body] = /^\d(\d*)([^]*)$/.exec(packet) ?? []
    switch (packet[0]) {
      case '0':
        this.#isUp = true
        this.#attempts = 0
        return this.dispatchEvent(new Event('up'))
      case '1': // the server wants this client gone: as socket.io-client, not again by itself
      case '4':
        this.#isStopped = true
        return this.#drop()
      case '2': {
        const [name, payload] = JSON.parse(body)
        return this.dispatchEvent(new CustomEvent('event', { detail: { name, payload } }))
      }
      case '3': return this.#settle(Number(id), JSON.parse(body)[0])
    }
  }

  #settle (id, value) {
    const waiting = this.#waiting.get(id)
    if (!waiting) return
    this.#waiting.delete(id)
    clearTimeout(waiting.timer)
    if (typeof value?.error === 'string') waiting.reject(new Error(value.error))
    else waiting.resolve(value)
  }

  #drop () {
    const socket = this.#socket
    socket?.close()
    this.#ended(socket)
  }

  #ended (socket) {
    if (socket !== this.#socket) return
    clearTimeout(this.#silence)
    this.#socket = null
    this.#isUp = false
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { error: 'The connection was lost; the message may not have been sent' })
    let retryAt = null
    if (!this.#isStopped) {
      // Spread, so that a restarted server does not get everybody at once.
      const delay = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempts++) * (0.5 + Math.random())
      retryAt = Date.now() + delay
      this.#retry = setTimeout(() => this.connect(), delay)
    }
    this.dispatchEvent(new CustomEvent('down', { detail: { retryAt } }))
  }
}
