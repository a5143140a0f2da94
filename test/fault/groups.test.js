'use strict'
// Shared subscriptions of stored sessions over kill -9: what a session has taken
// with QoS 2 goes to nobody again (MQTT-4.3.3), QoS 1 comes again, but not more
// of it than is given between two saves of the group's position; none is lost.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { Server, newToken, until } = require('../e2e/harness/server')
const { scaled } = require('../e2e/harness/waits')
const { Unforgetting } = require('./unforgetting')

const COUNT = 8000
const SAVE_EVERY = 1024 // SHARE_SAVE_EVERY
const UNDER_WAY = 2 * 64 // a member's credit, and what is given while a save is made

const texts = (from, to) => Array.from({ length: to - from }, (_, i) => String(from + i))
const take = (members) => members.flatMap(({ messages }) => messages.items.splice(0).map(({ text }) => text))

for (const workers of [1, 3]) {
  for (const qos of [1, 2]) {
    it(`a group goes on after a kill where it was: QoS ${qos}, ${workers} workers`, { timeout: scaled(90000) }, async (t) => {
      const server = new Server({ set: { 'mqtt.workers': workers } })
      const token = newToken()
      await server.start()
      const count = qos === 2 ? COUNT / 8 : COUNT
      const members = [5, 4].map((v) => new Unforgetting({ v, token, clientId: `m${v}` }))
      const publisher = new Unforgetting({ v: 5, token, clientId: 'p', window: 500 })
      const publish = async (list) => {
        for (const text of list) {
          await until(() => publisher.hasRoom, 'room to publish', scaled(30000))
          publisher.publish(`${token}/x`, text, qos)
        }
        await until(() => publisher.out.size === 0, 'acknowledgements', scaled(30000))
      }
      try {
        for (const member of members) {
          await member.connect(server.mqttPort)
          await member.subscribe(`$share/g/${token}/x`, qos)
        }
        await publisher.connect(server.mqttPort)
        await publish(texts(0, count))
        const first = []
        await until(() => first.push(...take(members)) >= count, 'delivery', scaled(30000))
        assert.deepEqual(first.map(Number).sort((a, b) => a - b).map(String), texts(0, count), 'each once')
        await server.kill9()
        await Promise.all([...members, publisher].map(({ gone }) => gone))
        await server.restart()
        for (const member of members) assert.equal(await member.connect(server.mqttPort), true, 'session present')
        await publisher.connect(server.mqttPort)
        await publish(texts(count, count + 100))
        const again = []
        const fresh = () => again.filter((text) => Number(text) >= count).length
        await until(() => { again.push(...take(members)); return fresh() >= 100 }, 'delivery of what is new', scaled(30000))
        const repeated = again.length - fresh()
        t.diagnostic(`${repeated} of ${count} came again`)
        if (qos === 2) assert.equal(repeated, 0, 'QoS 2 came again')
        else assert.ok(repeated <= 2 * SAVE_EVERY + UNDER_WAY, `${repeated} of ${count} came again`)
      } finally {
        for (const client of [...members, publisher]) client.end()
        await server.close()
      }
    })
  }
}
