'use strict'
// Fixed seeds for every day; test/model/run --seeds 1-100 for a night.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { scaled } = require('../e2e/harness/waits')
const { makeScenario } = require('./scenario')
const { play } = require('./play')
const { proven, FAULTS } = require('./prove')
const { report } = require('./main')

const ROUNDS = 8
const SEEDS = [[17, 1], [17, 3], [22, 1], [22, 3]]

for (const [seed, workers] of SEEDS) {
  it(`everything comes as the model says, over kills, takeovers and lost connections: seed ${seed}, ${workers} workers`, { timeout: scaled(120000) }, async () => {
    const asked = { rounds: ROUNDS, kill: true }
    const played = await play(makeScenario(seed, asked), { workers })
    assert.equal(played.complaints.length, 0, played.complaints.length > 0 ? report(seed, asked, workers, played) : '')
    assert.ok(played.journal.kills.length > 0, 'nothing was killed')
  })
}

it('the model tells each fault that a server could make', { timeout: scaled(120000) }, async () => {
  const { journal, complaints } = await play(makeScenario(5, { rounds: ROUNDS }), { workers: 1 })
  assert.deepEqual(complaints, [])
  assert.deepEqual(proven(journal), FAULTS)
})
