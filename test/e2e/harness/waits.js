'use strict'
// Waiting for events, never for time: every wait has a name and a deadline, and
// says what did not happen. CONFAB_SLOW=1 (sanitizers) makes all of them 5 times
// as long.
const { setTimeout: sleep } = require('node:timers/promises')

const FACTOR = process.env.CONFAB_SLOW === '1' ? 5 : 1

const scaled = (milliseconds) => milliseconds * FACTOR

// What one answer, event or exit may take; a failing test costs this much.
const PATIENCE = scaled(8000)

async function within (promise, what, limit = PATIENCE) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what}: not within ${limit} ms`)), limit)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

// For what has no event to wait for (a state behind a GET, a file, /proc):
// calls `probe` until it returns something truthy, and returns that.
async function until (probe, what, limit = PATIENCE) {
  const end = Date.now() + limit
  for (;;) {
    const found = await probe()
    if (found) return found
    if (Date.now() > end) throw new Error(`${what}: not within ${limit} ms`)
    await sleep(20)
  }
}

// Things that arrive (messages, events, lines), taken in order. Nothing that
// arrives is ever dropped, so a test sees doubles.
class Arrivals {
  constructor (what) {
    this.what = what
    this.items = []
    this.waiting = []
    this.ended = null
  }

  push (item) {
    const first = this.waiting.shift()
    if (first) first.resolve(item)
    else this.items.push(item)
  }

  // Nothing more will come: those who wait, and will wait, get `reason`.
  end (reason) {
    this.ended ??= new Error(`${this.what}: ${reason}`)
    for (const { reject } of this.waiting.splice(0)) reject(this.ended)
  }

  async next (limit = PATIENCE) {
    if (this.items.length > 0) return this.items.shift()
    if (this.ended) throw this.ended
    let entry
    const arrival = new Promise((resolve, reject) => {
      entry = { resolve, reject }
      this.waiting.push(entry)
    })
    try {
      return await within(arrival, this.what, limit)
    } finally {
      const at = this.waiting.indexOf(entry)
      if (at >= 0) this.waiting.splice(at, 1)
    }
  }

  // The next one that fits; those before it are dropped.
  async find (fits, limit = PATIENCE) {
    const end = Date.now() + limit
    for (;;) {
      const item = await this.next(Math.max(1, end - Date.now()))
      if (fits(item)) return item
    }
  }

  async take (count, limit = PATIENCE) {
    const end = Date.now() + limit
    const taken = []
    while (taken.length < count) {
      taken.push(await this.next(Math.max(1, end - Date.now())))
    }
    return taken
  }
}

module.exports = { FACTOR, PATIENCE, scaled, within, until, sleep, Arrivals }
