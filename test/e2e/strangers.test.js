'use strict'
// Sockets on the MQTT port whose owners never say who they are: they take no place
// that a client needs, however they spend their time, and the operator sees them.
const assert = require('node:assert/strict')
const net = require('node:net')
const { it, before, after } = require('node:test')
const { Server, group, newToken, chat, until } = require('./harness/server')
const { Certificates } = require('./harness/certificates')
const { Frames } = require('./harness/frames')
const wire = require('./harness/wire')

const PLACES = 40

group('Sockets that never say CONNECT', () => {
  const servers = []
  const sockets = []
  const certificates = new Certificates()
  before(() => certificates.selfSigned('server'))
  after(async () => {
    for (const socket of sockets) socket.destroy()
    for (const server of servers) await server.close()
    certificates.remove()
  })

  async function serve (set) {
    const server = new Server({ set })
    servers.push(server)
    return await server.start()
  }

  const status = async (server) => JSON.parse((await server.cli('status')).stdout)
  const unidentified = async (server) => (await status(server)).connections.unidentified

  // A connect() succeeds before the server has accepted: until then they wait in the
  // kernel, and all at once would take the place of who came between them.
  async function acceptedAll (server) {
    let accepted = 0
    let growth = -1
    await until(async () => {
      const before = growth
      const now = (await status(server)).connections.accepted
      growth = now - accepted
      accepted = now
      return growth === before // by the question itself
    }, 'all are accepted')
  }

  async function socket (port, bytes = '', options = {}) {
    const opened = net.connect({ port, host: '127.0.0.1', ...options })
    sockets.push(opened)
    opened.on('error', () => {})
    opened.gone = new Promise((resolve) => opened.on('close', resolve))
    opened.resume() // its end is seen
    await new Promise((resolve) => { opened.once('connect', resolve); opened.once('close', resolve) })
    if (bytes.length > 0) opened.write(bytes)
    return opened
  }

  const whole = (token) => wire.connect({ token, clientId: 'x' })
  // what each of them sends; how it opens, unless as a socket of mqtt.listen
  const kinds = {
    nothing: (server) => socket(server.mqttPort),
    'half a CONNECT': (server) => socket(server.mqttPort, whole(newToken()).subarray(0, 20)),
    'a CONNECT that is refused': (server) => socket(server.mqttPort, whole('no token'), { allowHalfOpen: true }), // which stays when it was told
    'no TLS hello': (server) => socket(server.mqttsPort),
    'half a TLS hello': (server) => socket(server.mqttsPort, Buffer.from('160301020001', 'hex')),
    'nothing over WebSocket': (server) => Frames.open(server.httpPort).then((frames) => sockets.push(frames.socket), () => {})
  }
  for (const [kind, open] of Object.entries(kinds)) {
    it(`${kind}: everybody who says who he is gets in, and nobody who is in has to go`, async () => {
      const server = await serve({ 'limits.connections': PLACES, ...certificates.settings() })
      const token = newToken()
      const stays = await server.wire({ token, clientId: 'stays' })
      const stream = await server.listening(`/${token}/listen?things=x`)
      for (let i = 0; i < 3 * PLACES; i++) await open(server)
      await acceptedAll(server)
      for (let i = 0; i < 20; i++) {
        const device = await server.wire({ token, clientId: `device ${i}` })
        assert.equal((await server.post(chat(token, 'x'), { i })).status, 200)
        assert.equal((await stream.expect('message')).chat.i, i)
        if (i % 2 === 0) device.destroy()
        await open(server)
      }
      stays.send(wire.PINGREQ)
      await stays.expect('PINGRESP')
      const { connections, closed } = await status(server)
      assert.ok(connections.now <= PLACES + 2, `${connections.now} open`) // the link, the command line
      if (kind === 'nothing') assert.ok(closed.no_place > PLACES, `${closed.no_place} gave their places`)
    })
  }

  it('who waited longest goes first', async () => {
    const server = await serve({ 'limits.connections': PLACES, 'mqtt.workers': 1 })
    const silent = []
    for (let i = 0; i < PLACES; i++) {
      silent.push(await socket(server.mqttPort))
      await until(async () => await unidentified(server) === i + 1, 'one more')
      if (i === 4) break
    }
    for (let i = 5; i < PLACES; i++) await server.wire({ token: newToken(), clientId: `c${i}` })
    for (let i = 0; i < 5; i++) {
      await server.wire({ token: newToken(), clientId: `later ${i}` })
      await silent[i].gone
      assert.equal(await unidentified(server), 4 - i)
    }
    await assert.rejects(server.wire({ token: newToken(), clientId: 'one too many' }))
  })

  it('an address has limits.connections_per_address of them, and any number of clients', async () => {
    const server = await serve({ 'limits.connections_per_address': 5 })
    const token = newToken()
    for (let i = 0; i < 10; i++) await server.wire({ token, clientId: `c${i}` })
    const silent = []
    for (let i = 0; i < 5; i++) silent.push(await socket(server.mqttPort))
    await until(async () => await unidentified(server) === 5, 'five of them')
    await (await socket(server.mqttPort)).gone
    assert.equal((await status(server)).connections.refused_address_limit, 1)
    silent[2].destroy()
    await until(async () => await unidentified(server) === 4, 'four of them')
    await server.wire({ token, clientId: 'one more' })
    assert.equal(await unidentified(server), 4)
  })

  it('`confab status` counts them, `confab kick --address` ends them', async () => {
    const server = await serve({})
    const token = newToken()
    const device = await server.wire({ token, clientId: 'device' })
    const silent = []
    for (let i = 0; i < 6; i++) silent.push(await socket(server.mqttPort))
    await until(async () => await unidentified(server) === 6, 'six of them')
    const one = `127.0.0.1:${silent[3].localPort}`
    assert.equal((await server.cli('kick', '--address', one)).stdout.trim(), '1')
    await silent[3].gone
    assert.equal((await server.cli('kick', '--address', one)).code, 1)
    device.send(wire.PINGREQ)
    await device.expect('PINGRESP')
    assert.equal((await server.cli('kick', '--address', '127.0.0.1')).stdout.trim(), '6') // the device, too
    assert.equal(await device.closeReason(), 0x98)
    for (const each of silent) await each.gone
    await until(async () => await unidentified(server) === 0, 'none of them')
  })
})
