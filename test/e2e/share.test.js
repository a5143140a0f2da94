'use strict'
// Shared subscriptions as unmodified clients see them.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, until } = require('./harness/server')

suite('Shared subscriptions', { set: { 'mqtt.workers': 4 } }, (server) => {
  it('mosquitto_sub -t $share/…: each POST goes to one of three, and to every subscriber of its own', async () => {
    const token = newToken()
    const where = ['-d', '-h', '127.0.0.1', '-p', String(server.mqttPort), '-u', token, '-q', '1', '-v']
    const follow = async (version, filter) => {
      const sub = server.follow('mosquitto_sub', ['-V', version, ...where, '-t', filter])
      await sub.lines.find((line) => line.startsWith('Subscribed'))
      return sub
    }
    const members = []
    for (const version of ['mqttv5', 'mqttv311', 'mqttv5']) {
      members.push(await follow(version, `$share/workers/${token}/#`))
    }
    const own = await follow('mqttv5', `${token}/#`)
    const MANY = 60
    for (let n = 0; n < MANY; n++) await server.say(token, 'job', { n })
    const line = (n) => `${token}/job {"n":${n}}`
    const got = new Map()
    const collect = async (sub) => {
      for (;;) {
        const text = await sub.lines.find((text) => text.startsWith(`${token}/`))
        got.set(text, (got.get(text) ?? 0) + 1)
      }
    }
    for (const member of members) collect(member).catch(() => {}) // ends with its process
    for (let n = 0; n < MANY; n++) await own.lines.find((text) => text === line(n))
    await until(() => got.size === MANY, 'all of them at some member')
    for (const [text, times] of got) assert.equal(times, 1, text)
    for (const member of members) await member.stop()
    await own.stop()
  })

  it('what a client that was killed had not acknowledged goes to another', async () => {
    const token = newToken()
    const filter = `$share/g/${token}/+`
    const lost = await server.device({ token, customHandleAcks: () => {} }) // acknowledges nothing
    assert.deepEqual(await lost.subscribe(filter), [1])
    const device = await server.device({ token })
    for (let n = 0; n < 5; n++) await device.publish(`${token}/job`, { n })
    const heir = await server.device({ token, v: 4 })
    assert.deepEqual(await heir.subscribe(filter), [1])
    lost.client.stream.destroy()
    for (let n = 0; n < 5; n++) assert.deepEqual(JSON.parse((await heir.message()).text), { n })
    await device.publish(`${token}/job`, 'more')
    assert.equal((await heir.message()).text, 'more')
  })

  it('CONNACK does not say that they are not available; filters are checked one by one', async () => {
    const token = newToken()
    const device = await server.device({ token })
    assert.notEqual(device.connack.properties?.sharedSubscriptionAvailable, false)
    assert.deepEqual(await device.subscribe([`$share/g/${token}/#`, `$share/g/${newToken()}/#`, `$share//${token}/#`]), [1, 0x87, 0x8f])
  })
})
