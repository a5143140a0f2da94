'use strict'
// Random numbers that a seed repeats (mulberry32). Every decision of a scenario
// comes from here, so that a seed is a scenario.
class Random {
  constructor (seed) { this.state = seed >>> 0 }

  // 0 ≤ x < 1
  next () {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  below (n) { return Math.floor(this.next() * n) }
  from (low, high) { return low + this.below(high - low + 1) }
  chance (p) { return this.next() < p }
  pick (list) { return list[this.below(list.length)] }

  // [[weight, value], …]
  weighted (list) {
    let at = this.next() * list.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, value] of list) {
      at -= weight
      if (at < 0) return value
    }
    return list.at(-1)[1]
  }
}

module.exports = { Random }
