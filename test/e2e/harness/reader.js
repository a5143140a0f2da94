'use strict'
// Readers of streams that are programs of their own (../clients/README.md), and what
// each of them is put through: here, and by test/clients.
const assert = require('node:assert/strict')
const { newToken, chat } = require('./names')
const { Arrivals, scaled } = require('./waits')

const EVENTS = 20
const KILLS = 3
// A reader pauses between attempts, longer each time.
const BACK = scaled(30000)

const numbers = (from, to) => Array.from({ length: to - from }, (_, n) => from + n)

class Reader {
  // `command` is the driver; it is given the stream's URL.
  constructor (server, [command, ...args], url) {
    this.statuses = new Arrivals('status event')
    this.messages = new Arrivals('message event')
    this.program = server.follow(command, [...args, `url=${url}`])
    this.read()
  }

  async read () {
    try {
      for (;;) this.heed((await this.program.lines.next(2 ** 31 - 1)).split('\t'))
    } catch (error) {
      this.end(error.message)
    }
  }

  heed ([what, type, data]) {
    if (what === 'ended') this.end(`its library takes the stream for over: ${type ?? ''}`)
    else if (type === 'status') this.statuses.push(JSON.parse(data))
    else this.messages.push(JSON.parse(data).chat)
  }

  end (reason) {
    this.statuses.end(reason)
    this.messages.end(reason)
  }

  kill () { this.program.child.kill('SIGKILL') }
}

// `read(url)` → a Reader.
async function listening (server, read) {
  const token = newToken()
  const reader = await read(server.base + chat(token, 'x', '/listen'))
  await reader.statuses.next()
  return { token, reader }
}

const promises = {
  // The next event is sent only when the one before has been handed over.
  'at once': async ({ server, read }) => {
    const { token, reader } = await listening(server, read)
    for (const n of numbers(0, EVENTS)) {
      await server.say(token, 'x', { n })
      assert.deepEqual(await reader.messages.next(), { n })
    }
  },

  // A killed server is a broken stream, not the end of one: the reader comes back.
  'over kill': async ({ server, read }) => {
    const { token, reader } = await listening(server, read)
    const say = async (from, to) => {
      for (const n of numbers(from, to)) await server.say(token, 'x', { n })
    }
    await say(0, EVENTS)
    const got = await reader.messages.take(EVENTS)
    for (let kill = 1; kill <= KILLS; kill++) {
      await server.kill9()
      await server.restart()
      await say(kill * EVENTS, (kill + 1) * EVENTS) // most of it before the reader is back
      got.push(...await reader.messages.take(EVENTS, BACK))
    }
    await server.say(token, 'x', { n: 'last' }) // a double would come before it
    got.push(await reader.messages.next())
    assert.deepEqual(got.map(({ n }) => n), [...numbers(0, (KILLS + 1) * EVENTS), 'last'])
  }
}

module.exports = { Reader, promises }
