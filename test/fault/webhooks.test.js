'use strict'
// kill -9 while messages are published and delivered to a webhook whose receiver fails
// now and then: nothing that was acknowledged is lost, and things keep their order.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { it } = require('node:test')
const { Server } = require('../e2e/harness/server')
const { Receiver } = require('../e2e/harness/receiver')
const { scaled, sleep, until } = require('../e2e/harness/waits')

const ROUNDS = Number(process.env.ROUNDS ?? 6)
const SECRET = 'a secret of sixteen bytes or more'

async function publishUntilGone (server, token, thing, acknowledged) {
  try {
    for (let n = 0; ; n++) acknowledged.push(await server.say(token, thing, { n }))
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
  }
}

it(`webhooks lose nothing by kill -9, ${ROUNDS} rounds`, { timeout: scaled(60000) + ROUNDS * scaled(10000) }, async (t) => {
  const server = new Server({ set: { 'tokens.access': 'registered', 'outgoing.allow': '127.0.0.0/8', 'webhooks.retry_first': 1, 'webhooks.retry_max': 1 } })
  let count = 0
  let mayFail = true
  const receiver = await new Receiver([SECRET], () => ++count % 40 === 0 && mayFail ? 500 : 204).start()
  const acknowledged = []
  await server.start()
  try {
    const token = await server.planToken('home')
    const secret = path.join(path.dirname(server.data), 'secret')
    fs.writeFileSync(secret, SECRET)
    const set = await server.cli('tenant', 'set', '-s', 'outgoing.allow=127.0.0.0/8', token, `webhook.url=${receiver.url}`, `webhook.secret=@${secret}`)
    assert.equal(set.code, 0, set.stderr)
    for (let round = 1; round <= ROUNDS; round++) {
      const load = ['a', 'b', 'c'].map((thing) => publishUntilGone(server, token, `${thing}`, acknowledged))
      const { length } = receiver.requests
      await until(() => receiver.requests.length > length + 20, 'deliveries', scaled(20000))
      await sleep(Math.random() * 1500) // before and after a position is stored
      await server.kill9()
      await Promise.all(load)
      await server.restart()
    }
    mayFail = false // a retry takes a second, and a fast disk has acknowledged thousands
    const missing = () => {
      const ids = new Set(receiver.requests.map(({ id }) => id))
      return acknowledged.filter((id) => !ids.has(id)).length
    }
    for (let left = missing(); left > 0; left = missing()) {
      await until(() => missing() < left, `delivery of the ${left} acknowledged messages that are missing`, scaled(20000))
    }
    for (const thing of ['a', 'b', 'c']) {
      const firsts = [...new Set(receiver.requests.filter((request) => request.thing === thing).map(({ id }) => id))]
      assert.deepEqual(firsts, [...firsts].sort((x, y) => x - y), `order of ${thing}`)
    }
    t.diagnostic(`${acknowledged.length} acknowledged, ${receiver.requests.length} requests`)
  } finally {
    await receiver.close()
    await server.close()
  }
})
