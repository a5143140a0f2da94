'use strict'
// Devices and programs of home automation as their manuals set them up: their topics,
// client ids, keep-alives, wills, retained messages and subscriptions, unchanged. Each
// connects with a key whose mount puts its fixed topics below a tenant; whatever it
// does is seen by an app of the same home in the device's own topics, by an
// administrator below `<tenant>/<mount>/`, and over HTTP. By simulation; programs that
// can be had run in mosquitto.test.js, bridge.test.js and ../clients.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, chat, until } = require('./harness/server')
const { bearer } = require('./harness/keys')
const { kinds } = require('./harness/clients')
const { follow, keyOf, home } = require('./harness/stock')

// will, birth and what follows: [topic, payload, retained]. commands: what an app
// sends, and what the device gets. `versions` are those its program can speak.
const devices = [
  {
    name: 'Shelly Gen1',
    id: 'shellyplug-s-6A6534',
    versions: [4],
    keepalive: 60,
    will: ['shellies/shellyplug-s-6A6534/online', 'false', true],
    subscribes: ['shellies/command', 'shellies/shellyplug-s-6A6534/command', 'shellies/shellyplug-s-6A6534/relay/0/command'],
    publishes: [
      ['shellies/shellyplug-s-6A6534/online', 'true', true],
      ['shellies/announce', '{"id":"shellyplug-s-6A6534","model":"SHPLG-S","mac":"3CE90E6A6534","ip":"192.168.1.57","new_fw":false,"fw_ver":"20230913-113421/v1.14.0-gcb84623"}', false],
      ['shellies/shellyplug-s-6A6534/relay/0', 'off', false],
      ['shellies/shellyplug-s-6A6534/relay/0/power', '0.00', false],
      ['shellies/shellyplug-s-6A6534/relay/0/energy', '1245', false],
      ['shellies/shellyplug-s-6A6534/temperature', '27.31', false]
    ],
    commands: [['shellies/shellyplug-s-6A6534/relay/0/command', 'on'], ['shellies/command', 'announce']]
  },
  {
    name: 'Shelly Gen2',
    id: 'shellyplus1-a8032abe54dc',
    versions: [4],
    keepalive: 60,
    qos: 1,
    will: ['shellyplus1-a8032abe54dc/online', 'false', true],
    subscribes: ['shellyplus1-a8032abe54dc/rpc', 'shellyplus1-a8032abe54dc/command', 'shellyplus1-a8032abe54dc/command/switch:0', 'shellies/command'],
    publishes: [
      ['shellyplus1-a8032abe54dc/online', 'true', true],
      ['shellyplus1-a8032abe54dc/status/switch:0', '{"id":0,"source":"init","output":false,"temperature":{"tC":43.5,"tF":110.3}}', false],
      ['shellyplus1-a8032abe54dc/events/rpc', '{"src":"shellyplus1-a8032abe54dc","dst":"shellyplus1-a8032abe54dc/events","method":"NotifyStatus","params":{"ts":1631186545.04,"switch:0":{"id":0,"output":false,"source":"init"}}}', false]
    ],
    commands: [
      ['shellyplus1-a8032abe54dc/command/switch:0', 'toggle'],
      ['shellyplus1-a8032abe54dc/rpc', '{"id":123,"src":"user_1","method":"Switch.Set","params":{"id":0,"on":true}}']
    ]
  },
  {
    name: 'Tasmota',
    id: 'DVES_9A2B3C',
    versions: [4],
    keepalive: 30,
    will: ['tele/tasmota_9A2B3C/LWT', 'Offline', true],
    subscribes: ['cmnd/tasmota_9A2B3C/#', 'cmnd/tasmotas/#', 'cmnd/DVES_9A2B3C_fb/#'],
    publishes: [
      ['tele/tasmota_9A2B3C/LWT', 'Online', true],
      ['tele/tasmota_9A2B3C/INFO1', '{"Info1":{"Module":"Sonoff Basic","Version":"14.2.0(tasmota)","FallbackTopic":"cmnd/DVES_9A2B3C_fb/","GroupTopic":"cmnd/tasmotas/"}}', false],
      ['tasmota/discovery/BCDDC29A2B3C/config', '{"ip":"192.168.1.60","dn":"Tasmota","fn":["Tasmota"],"hn":"tasmota-9A2B3C-2876","mac":"BCDDC29A2B3C","ft":"%prefix%/%topic%/","tp":["cmnd","stat","tele"]}', true],
      ['tasmota/discovery/BCDDC29A2B3C/sensors', '{"sn":{"Time":"2026-11-30T12:00:00"},"ver":1}', true],
      ['stat/tasmota_9A2B3C/RESULT', '{"POWER":"OFF"}', false],
      ['stat/tasmota_9A2B3C/POWER', 'OFF', true], // PowerRetain 1
      ['tele/tasmota_9A2B3C/STATE', '{"Time":"2026-11-30T12:00:00","Uptime":"0T00:00:09","POWER":"OFF"}', false]
    ],
    commands: [
      ['cmnd/tasmota_9A2B3C/POWER', 'TOGGLE'],
      ['cmnd/tasmota_9A2B3C/SetOption19', '0'],
      ['cmnd/tasmotas/STATUS', '0'], // of the group
      ['cmnd/tasmota_9A2B3C/POWER', ''] // asks for the state
    ]
  },
  {
    name: 'ESPHome',
    id: 'livingroom-7c9ebd4a1f20',
    versions: [4],
    keepalive: 15,
    clean: false,
    will: ['livingroom/status', 'offline', true],
    subscribes: ['livingroom/switch/relay/command', 'esphome/discover', 'esphome/ping/livingroom'],
    publishes: [
      ['homeassistant/switch/livingroom/relay/config', '{"name":"Relay","stat_t":"livingroom/switch/relay/state","cmd_t":"livingroom/switch/relay/command","avty_t":"livingroom/status","uniq_id":"ESPswitchrelay"}', true],
      ['esphome/discover/livingroom', '{"ip":"192.168.1.61","name":"livingroom","mac":"7c9ebd4a1f20","board":"esp32dev","version":"2025.4.0"}', true],
      ['livingroom/status', 'online', true],
      ['livingroom/sensor/temperature/state', '21.4', true],
      ['livingroom/switch/relay/state', 'OFF', true],
      ['livingroom/debug', '\x1b[0;36m[D][sensor:094]: \'Temperature\': Sending state 21.4\x1b[0m', true]
    ],
    commands: [['livingroom/switch/relay/command', 'ON'], ['esphome/discover', '']]
  },
  {
    name: 'Zigbee2MQTT',
    id: 'mqttjs_8f2c1a7b',
    versions: [4, 5],
    keepalive: 60,
    will: ['zigbee2mqtt/bridge/state', '{"state":"offline"}', true, 1],
    subscribes: ['zigbee2mqtt/#', 'homeassistant/status'],
    echoes: true, // it reads its whole tree, its own messages included
    publishes: [
      ['zigbee2mqtt/bridge/state', '{"state":"online"}', true],
      ['zigbee2mqtt/bridge/info', '{"version":"2.1.3","coordinator":{"type":"zStack3x0"},"permit_join":false}', true],
      ['zigbee2mqtt/bridge/devices', '[{"ieee_address":"0x00158d0001dc126a","friendly_name":"kitchen/floor_light","type":"Router"}]', true],
      ['zigbee2mqtt/kitchen/floor_light/availability', '{"state":"online"}', true],
      ['zigbee2mqtt/kitchen/floor_light', '{"brightness":215,"linkquality":96,"state":"OFF"}', false],
      ['homeassistant/light/0x00158d0001dc126a/light/config', '{"schema":"json","state_topic":"zigbee2mqtt/kitchen/floor_light","command_topic":"zigbee2mqtt/kitchen/floor_light/set"}', true]
    ],
    commands: [
      ['zigbee2mqtt/kitchen/floor_light/set', '{"state":"ON","brightness":128}'],
      ['zigbee2mqtt/kitchen/floor_light/get', '{"state":""}'],
      ['zigbee2mqtt/bridge/request/permit_join', '{"time":254}'],
      ['homeassistant/status', 'online']
    ]
  },
  {
    name: 'Home Assistant',
    id: '2q1TjSPkIYxkH9WqXhVvZc',
    versions: [4, 5],
    keepalive: 60,
    will: ['homeassistant/status', 'offline', false],
    subscribes: ['homeassistant/+/+/config', 'homeassistant/+/+/+/config', 'tasmota/discovery/#', 'zigbee2mqtt/bridge/state'],
    publishes: [['homeassistant/status', 'online', false]],
    commands: [
      ['homeassistant/binary_sensor/garden/config', '{"name":null,"device_class":"motion","state_topic":"homeassistant/binary_sensor/garden/state","unique_id":"motion01ad"}'],
      ['homeassistant/device_automation/0x90840000000000000/action_arrow_left_click/config', '{"automation_type":"trigger","type":"action","subtype":"arrow_left_click","payload":"arrow_left_click","topic":"zigbee2mqtt/0x90840000000000000/action","device":{"identifiers":["zigbee2mqtt_0x90840000000000000"]}}']
    ]
  }
]

// What JSON shows of a payload that MQTT carries as bytes.
function shown (payload) {
  try { return JSON.parse(payload) } catch { return payload }
}

const THING = (topic) => `home/${topic}`

async function livesItsLife (server, device, client, v) {
  const { tenant, app, admin } = await home(server)
  const key = await keyOf(server, tenant, '--mount', 'home', '--kind', 'device', '--label', device.name)
  const [topic, payload, retain, qos = 0] = device.will
  const settings = {
    token: tenant, password: key, id: device.id, v, clean: device.clean ?? true, expiry: 0, keepalive: device.keepalive
  }
  const thing = await kinds[client](server, { ...settings, will: { topic, payload, retain, qos } })

  const granted = []
  for (const filter of device.subscribes) granted.push(await thing.subscribe(filter, device.qos ?? 0))
  assert.deepEqual(granted, device.subscribes.map(() => device.qos ?? 0))
  for (const [topic, text, retain] of device.publishes) await thing.publish(topic, text, { qos: device.qos ?? 0, retain })

  // the app in the device's topics, an administrator in whole ones
  for (const [topic, text] of device.publishes) {
    assert.deepEqual(await app.next(), { topic, text, retain: false })
    assert.deepEqual(await admin.next(), { topic: `${tenant}/home/${topic}`, text, retain: false })
  }
  // who comes later gets what is retained, also by a filter with wildcards
  const late = await follow(server, tenant, app.key, '#')
  const retained = device.publishes.filter(([, , retain]) => retain).map(([topic, text]) => ({ topic, text, retain: true }))
  assert.deepEqual(await late.some(retained.length), late.sorted(retained))

  for (const [topic, text] of device.commands) {
    await app.publish(topic, text)
    const wanted = (got) => got.topic === topic && got.text === text
    const got = device.echoes ? await thing.messages.find(wanted) : await thing.messages.next()
    assert.ok(wanted(got), `${topic} ${text}: got ${JSON.stringify(got)}`)
    assert.equal(got.retain, false)
  }

  // its cable is cut
  await thing.lose()
  const will = ({ topic: where, text }) => where.endsWith(topic) && text === payload
  assert.deepEqual(await app.find(will), { topic, text: payload, retain: false })
  assert.equal((await admin.find(will)).topic, `${tenant}/home/${topic}`)
  const later = await follow(server, tenant, app.key, topic)
  if (retain) assert.deepEqual(await later.next(), { topic, text: payload, retain: true })

  // HTTP has all of it by whole names
  for (const [topic, text] of device.publishes) {
    const answer = await server.get(chat(tenant, THING(topic), '/history'), bearer(app.key))
    assert.equal(answer.status, 200, answer.text)
    assert.ok(answer.json().some(({ chat }) => JSON.stringify(chat) === JSON.stringify(shown(text))), `${topic}: ${answer.text}`)
  }
  const latest = await server.get(chat(tenant, THING(topic), '/latest'), bearer(app.key))
  assert.deepEqual(latest.json().chat, shown(payload))
  const listed = (await server.get(`/${tenant}/things`, bearer(app.key))).json()
  for (const [topic] of device.publishes) assert.ok(listed.includes(THING(topic)), topic)
}

suite('Stock devices', { set: { 'tokens.access': 'registered' } }, (server) => {
  for (const device of devices) {
    for (const client of ['MQTT.js', 'Paho']) {
      for (const v of device.versions) {
        it(`${device.name} lives its life below its mount (${client}, MQTT ${v})`, () => livesItsLife(server, device, client, v))
      }
    }
  }

  it('Shelly Gen2: an RPC answer goes to the topic that the caller named', async () => {
    const { tenant, app } = await home(server)
    const key = await keyOf(server, tenant, '--mount', 'home')
    const shelly = await kinds['MQTT.js'](server, { token: tenant, password: key, id: 'shellyplus1-a8032abe54dc', v: 4 })
    await shelly.subscribe('shellyplus1-a8032abe54dc/rpc', 1)
    await app.publish('shellyplus1-a8032abe54dc/rpc', '{"id":1,"src":"user_1","method":"Switch.GetStatus","params":{"id":0}}')
    const asked = JSON.parse((await shelly.messages.next()).text)
    await shelly.publish(`${asked.src}/rpc`, JSON.stringify({ id: asked.id, src: 'shellyplus1-a8032abe54dc', dst: asked.src, result: { id: 0, output: false } }), { qos: 1 })
    const answer = await app.find(({ topic }) => topic === 'user_1/rpc')
    assert.equal(JSON.parse(answer.text).id, 1)
  })

  it('ESPHome (clean session 0): what was sent while it slept comes when it is back, after kill -9, too', async () => {
    const { tenant, app } = await home(server)
    const key = await keyOf(server, tenant, '--mount', 'home')
    const settings = { token: tenant, password: key, id: 'livingroom-7c9ebd4a1f20', v: 4, clean: false, keepalive: 15 }
    const first = await kinds['MQTT.js'](server, settings)
    await first.subscribe('livingroom/switch/relay/command', 1)
    await first.lose()
    await app.publish('livingroom/switch/relay/command', 'ON')
    await server.kill9()
    await server.restart()
    const again = await kinds['MQTT.js'](server, settings)
    assert.equal(again.sessionPresent, true)
    assert.deepEqual(await again.messages.next(), { topic: 'livingroom/switch/relay/command', qos: 1, retain: false, text: 'ON' })
    await again.end()
  })

  it('two homes of one tenant with equal devices do not hear each other', async () => {
    const { tenant, admin } = await home(server)
    const ends = []
    for (const user of ['ann', 'bob']) {
      const key = await keyOf(server, tenant, '--user', user, '--mount', 'homes/%u')
      const hub = await follow(server, tenant, key, '#')
      const relay = await kinds['MQTT.js'](server, { token: tenant, password: key, id: `DVES_9A2B3C-${user}`, v: 4 })
      await relay.subscribe('cmnd/tasmota_9A2B3C/#', 1)
      ends.push({ hub, relay })
    }
    for (const [n, { hub, relay }] of ends.entries()) {
      await hub.publish('cmnd/tasmota_9A2B3C/POWER', `for ${n}`)
      assert.equal((await relay.messages.next()).text, `for ${n}`)
      await relay.publish('stat/tasmota_9A2B3C/POWER', `from ${n}`, { qos: 1 })
      assert.equal((await hub.find(({ topic }) => topic.startsWith('stat'))).text, `from ${n}`)
    }
    for (const [n, { hub, relay }] of ends.entries()) { // nothing else was on its way
      await hub.publish('cmnd/tasmota_9A2B3C/POWER', `last ${n}`)
      assert.equal((await relay.messages.next()).text, `last ${n}`)
      await hub.find(({ text }) => text === `last ${n}`)
      assert.deepEqual(hub.texts(), [`for ${n}`, `from ${n}`, `last ${n}`])
    }
    assert.ok(await admin.find(({ topic }) => topic === `${tenant}/homes/bob/stat/tasmota_9A2B3C/POWER`))
  })

  for (const v of [4, 5]) {
    it(`Home Assistant starts and gets 2,000 discovered entities (MQTT ${v})`, async () => {
      const { tenant } = await home(server)
      const key = await keyOf(server, tenant, '--mount', 'home')
      const z2m = await server.device({ token: tenant, password: key, v: 4, clientId: `z2m-${v}` })
      const topics = Array.from({ length: 2000 }, (_, n) => `homeassistant/sensor/0x${(n + 0x158d0001dc1000).toString(16)}/temperature/config`)
      const config = (topic) => JSON.stringify({ name: 'Temperature', unique_id: topic.split('/')[2], state_topic: `zigbee2mqtt/${topic.split('/')[2]}`, device: { identifiers: [topic.split('/')[2]], manufacturer: 'x'.repeat(500) } })
      await Promise.all(topics.map((topic) => z2m.publish(topic, config(topic), { qos: 1, retain: true })))
      const assistant = await server.device({ token: tenant, password: key, v, clientId: 'hass' })
      for (const code of await assistant.subscribe(['homeassistant/+/+/config', 'homeassistant/+/+/+/config'], { qos: 0 })) assert.equal(code, 0)
      const got = new Map()
      while (got.size < topics.length) {
        const message = await assistant.message()
        assert.ok(message.retain)
        assert.ok(!got.has(message.topic), `${message.topic} came twice`)
        got.set(message.topic, message.text)
      }
      assert.deepEqual([...got.keys()].sort(), [...topics].sort())
      for (const topic of topics) assert.equal(got.get(topic), config(topic))
      // an entity is removed by an empty retained message
      await z2m.publish(topics[0], '', { qos: 1, retain: true })
      assert.equal((await assistant.message()).text, '')
      const again = await server.device({ token: tenant, password: key, v, clientId: 'hass2' })
      await again.subscribe(['homeassistant/+/+/+/config'], { qos: 0 })
      const left = await again.messages.take(topics.length - 1)
      assert.ok(!left.some(({ topic }) => topic === topics[0]))
      for (const device of [z2m, assistant, again]) await device.end()
    })

    it(`Home Assistant's birth makes devices announce themselves again; its will tells that it is gone (MQTT ${v})`, async () => {
      const { tenant } = await home(server)
      const key = await keyOf(server, tenant, '--mount', 'home')
      const z2m = await server.device({ token: tenant, password: key, v: 4 })
      await z2m.subscribe('homeassistant/status')
      const will = { topic: 'homeassistant/status', payload: Buffer.from('offline'), qos: 0, retain: false }
      const assistant = await server.device({ token: tenant, password: key, v, clientId: 'hass', will })
      await assistant.publish('homeassistant/status', 'online', { qos: 0 })
      assert.equal((await z2m.message()).text, 'online')
      assistant.cut()
      assert.equal((await z2m.message()).text, 'offline')
      await z2m.end()
    })

    it(`Telegraf's consumers share $share/telegraf/…, and stay subscribed over kill -9 (MQTT ${v})`, async () => {
      const { tenant, app } = await home(server)
      const key = await keyOf(server, tenant, '--mount', 'home')
      const consumer = (n) => kinds['MQTT.js'](server, { token: tenant, password: key, id: `telegraf-${n}`, v, clean: false, expiry: 86400 })
      let agents = [await consumer(0), await consumer(1)]
      for (const agent of agents) assert.equal(await agent.subscribe('$share/telegraf/tele/+/SENSOR', 1), 1)
      const say = async (from, to) => {
        for (let n = from; n < to; n++) await app.publish('tele/tasmota_9A2B3C/SENSOR', String(n))
      }
      const collect = async (count) => {
        const got = []
        await until(() => {
          for (const agent of agents) {
            for (const message of agent.messages.items.splice(0)) {
              assert.equal(message.topic, 'tele/tasmota_9A2B3C/SENSOR')
              got.push(Number(message.text))
            }
          }
          return got.length >= count
        }, `${count} messages`)
        return got.sort((a, b) => a - b)
      }
      await say(0, 20)
      assert.deepEqual(await collect(20), Array.from({ length: 20 }, (_, n) => n))
      await Promise.all(agents.map((agent) => agent.lose()))
      await say(20, 40)
      await server.kill9()
      await server.restart()
      agents = [await consumer(0), await consumer(1)]
      for (const agent of agents) assert.equal(agent.sessionPresent, true)
      assert.deepEqual(await collect(20), Array.from({ length: 20 }, (_, n) => n + 20))
      for (const agent of agents) await agent.end()
    })
  }
})
