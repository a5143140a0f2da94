'use strict'
// What the clients of one seed do: a pure function of seed and size. Clients do
// their steps side by side, each its own in order and without waiting for
// answers; a kill comes after so many answers, wherever everybody is then.
const { Random } = require('./random')

const TOPICS = ['a/0', 'a/1', 'a/2', 'b/0', 'b/1', 'c']
const FILTERS = ['a/+', 'a/0', 'a/1', 'b/#', '+/1', 'c', '#']
const GROUP_FILTER = 'a/+'

// Of both versions, with and without stored sessions. rap: Retain As Published,
// which hides what is greeting and what is live, so it asks for no greeting.
const CAST = [
  { name: 'witness', v: 5, stored: true, quiet: true, filters: [{ filter: '#', qos: 2 }] },
  { name: 's5', v: 5, stored: true },
  { name: 's4', v: 4, stored: true },
  { name: 't5', v: 5, stored: false },
  { name: 't4', v: 4, stored: false },
  // its session may be over when it comes back
  { name: 'e5', v: 5, stored: true, expiry: 1 },
  { name: 'r5', v: 5, stored: true, rap: true },
  { name: 'g0', v: 5, stored: true, group: 'g', qos: 2 },
  { name: 'g1', v: 4, stored: true, group: 'g', qos: 1 },
  // comes and goes; of QoS 1, for what it leaves unfinished of QoS 2 is lost by
  // right (MQTT-4.8.2-5)
  { name: 'g2', v: 5, stored: false, group: 'g', qos: 1 }
]

function makeWill (random) {
  if (random.chance(0.4)) return null
  return { qos: random.below(3), delay: random.weighted([[3, 0], [2, 3600]]) }
}

const makeSubscription = (random, { rap }) => ({
  filter: random.pick(FILTERS),
  qos: random.below(3),
  nl: random.chance(0.15),
  rh: rap ? 2 : random.weighted([[3, 0], [1, 1], [1, 2]])
})

function makePublish (random) {
  const retain = random.chance(0.25)
  return {
    do: 'publish',
    topic: random.pick(TOPICS),
    qos: random.below(3),
    retain,
    empty: retain && random.chance(0.2),
    expiry: random.weighted([[12, null], [1, 1], [2, 3600]])
  }
}

const leaving = (random, v) => random.weighted([[4, 'drop'], [3, 'bye'], [v === 5 ? 1 : 0, 'farewell']])

// Clean Session of 3.1.1 would make it a session that does not stay.
const back = (random, { v, group, stored }) => ({
  clean: stored && v === 5 && group === undefined && random.chance(0.15),
  will: group === undefined ? makeWill(random) : null
})

// → steps
function makeSteps (random, member) {
  const { v, group } = member
  const publishes = (most) => Array.from({ length: random.from(1, most) }, () => makePublish(random))
  if (member.quiet) return random.chance(0.2) ? [{ do: 'connect', clean: false, will: null }] : []
  if (group !== undefined) {
    return random.weighted([
      [4, []],
      [2, [{ do: 'leave', how: leaving(random, v) }, { do: 'connect', ...back(random, member) }]],
      [1, [{ do: 'connect', ...back(random, member) }]]
    ])
  }
  const step = () => random.weighted([
    [10, () => publishes(12)],
    // many of one topic, so that order shows
    [3, () => publishes(12).map((p, i, all) => ({ ...p, topic: all[0].topic, qos: all[0].qos, empty: false }))],
    [4, () => [{ do: 'subscribe', ...makeSubscription(random, member) }]],
    [2, () => [{ do: 'unsubscribe', filter: random.pick(FILTERS) }]],
    [2, () => [{ do: 'settle' }]],
    [1.5, () => [{ do: 'leave', how: leaving(random, v) }, { do: 'connect', ...back(random, member) }]],
    [1, () => [{ do: 'connect', ...back(random, member) }]], // takeover
    [member.expiry === undefined ? 0 : 1.5, () => [{ do: 'leave', how: leaving(random, v) }, { do: 'pause', ms: random.pick([300, 1500, 4000]) }, { do: 'connect', ...back(random, member) }]],
    [0.7, () => [{ do: 'leave', how: leaving(random, v) }, { do: 'away' }]]
  ])()
  return Array.from({ length: random.from(2, 6) }, step).flat()
}

function makeScenario (seed, { rounds = 8, kill = true } = {}) {
  const random = new Random(seed)
  const list = Array.from({ length: rounds }, (_, n) => {
    const clients = {}
    for (const member of CAST) {
      clients[member.name] = {
        steps: n === 0 && !member.quiet && member.group === undefined
          ? [1, 2].map(() => ({ do: 'subscribe', ...makeSubscription(random, member) })).concat(makeSteps(random, member))
          : makeSteps(random, member),
        back: back(random, member)
      }
    }
    const dies = random.chance(0.5)
    const after = random.weighted([[3, random.from(1, 30)], [2, random.from(30, 150)]])
    return { clients, killAfter: dies && kill ? after : null }
  })
  return { seed, cast: CAST, groupFilter: GROUP_FILTER, topics: TOPICS, rounds: list }
}

module.exports = { makeScenario }
