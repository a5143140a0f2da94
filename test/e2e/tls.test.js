'use strict'
// MQTT over TLS: certificates of the server and of clients, and that behind the
// handshake everything is as without it.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const tls = require('node:tls')
const { before, after, it } = require('node:test')
const { Server, group, confab, newToken, until } = require('./harness/server')
const { Certificates } = require('./harness/certificates')
const { Device } = require('./harness/mqtt')
const { within, scaled } = require('./harness/waits')
const wire = require('./harness/wire')

const { Wire } = wire
const MIB = 1024 * 1024
const SHUTTING_DOWN = 0x8b

group('MQTT over TLS', () => {
  const certificates = new Certificates()
  const servers = []

  before(async () => {
    await certificates.selfSigned('ca')
    await certificates.selfSigned('foreign', 'ca') // the same name, another key
    await certificates.signed('server', 'ca', 'serverAuth')
    await certificates.signed('device', 'ca', 'clientAuth')
    await certificates.signed('stranger', 'foreign', 'clientAuth')
  })
  after(async () => {
    for (const server of servers) await server.close()
    certificates.remove()
  })

  async function serve (settings = {}, name) {
    const server = new Server({ set: { 'mqtt.workers': 3, 'log.level': 'debug', ...certificates.settings(name, settings) } })
    servers.push(server)
    return await server.start()
  }

  const trusting = (options) => ({ ca: certificates.read('ca.crt'), ...options })
  const withCertificate = (name) => trusting({ cert: certificates.read(`${name}.crt`), key: certificates.read(`${name}.key`) })

  async function device (server, options) {
    const made = await Device.connect(server.mqttsUrl, trusting(options))
    server.clients.push(() => made.client.end(true))
    return made
  }

  async function secured (server, options) {
    const socket = tls.connect({ port: server.mqttsPort, host: '127.0.0.1', ...trusting(options) })
    server.clients.push(() => socket.destroy())
    await within(new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('closed in the handshake')))
    }), 'TLS handshake')
    return socket
  }

  async function works (server, options) {
    const token = newToken()
    const one = await device(server, { token, ...options })
    await one.subscribe(`${token}/#`)
    assert.equal((await one.publish(`${token}/x`, 'hello')).code, 0)
    assert.equal((await one.message()).text, 'hello')
    await one.end()
  }

  let server
  before(async () => { server = await serve() })

  it('the ready line has mqtts=… before data=', () => {
    assert.match(server.readyLine, / mqtt=mqtt:\/\/127\.0\.0\.1:\d+ mqtts=mqtts:\/\/127\.0\.0\.1:[1-9]\d* data=/)
  })

  for (const v of [5, 4]) {
    it(`publishes and subscribes with MQTT ${v === 5 ? '5' : '3.1.1'}`, () => works(server, { v }))
  }

  it('TLS 1.2 and 1.3 are spoken, nothing older', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const socket = await secured(server, { minVersion: version, maxVersion: version })
      assert.equal(socket.getProtocol(), version)
      const device = new Wire(socket)
      device.send(wire.connect({ token: newToken() }))
      await device.expect('CONNACK')
      device.destroy()
    }
    await assert.rejects(secured(server, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }))
  })

  it('large and many messages pass whole, in both directions', async () => {
    const token = newToken()
    const one = await device(server, { token })
    await one.subscribe(`${token}/#`)
    const payload = Buffer.alloc(MIB, 0).map((_, i) => i * 7 + (i >> 8))
    await one.publish(`${token}/big`, payload)
    assert.ok((await one.message()).payload.equals(payload))
    const many = Array.from({ length: 2000 }, (_, i) => one.publish(`${token}/n`, String(i)))
    await Promise.all(many)
    for (let i = 0; i < 2000; i++) assert.equal((await one.message()).text, String(i))
  })

  it('a slow reader gets everything, in order', async () => {
    const token = newToken()
    const slow = new Wire(await secured(server))
    slow.send(wire.connect({ token, keepAlive: 0 }), wire.subscribe({ filter: `${token}/#` }))
    await slow.expect('CONNACK')
    await slow.expect('SUBACK')
    slow.socket.pause()
    const sender = await device(server, { token })
    const [count, size] = [400, 40000]
    await Promise.all(Array.from({ length: count }, (_, i) => sender.publish(`${token}/x`, String(i).padEnd(size, '.'))))
    slow.socket.resume()
    for (let i = 0; i < count; i++) {
      const { body } = await slow.expect('PUBLISH')
      const payload = body.subarray(body.length - size).toString()
      assert.equal(parseInt(payload, 10), i)
    }
    slow.destroy()
  })

  it('packets need not keep to records', async () => {
    const token = newToken()
    const socket = await secured(server)
    const one = new Wire(socket)
    for (const byte of wire.connect({ token })) socket.write(Buffer.from([byte]))
    await one.expect('CONNACK')
    one.send(wire.subscribe({ filter: `${token}/x` }), wire.publish({ topic: `${token}/x`, payload: 'a', qos: 1, id: 1 }),
      wire.publish({ topic: `${token}/x`, payload: 'b', qos: 1, id: 2 }), wire.PINGREQ)
    const got = []
    for (let i = 0; i < 6; i++) got.push((await one.packets.next()).type)
    assert.deepEqual(got.sort(), ['PINGRESP', 'PUBACK', 'PUBACK', 'PUBLISH', 'PUBLISH', 'SUBACK'])
    one.destroy()
  })

  it('clients of one session find each other, whichever worker took them in', async () => {
    const token = newToken()
    const devices = await Promise.all(Array.from({ length: 12 }, (_, i) => device(server, { token, clientId: `one${i}` })))
    await Promise.all(devices.map((one) => one.subscribe(`${token}/#`)))
    await devices[0].publish(`${token}/x`, 'all')
    for (const one of devices) assert.equal((await one.message()).text, 'all')
    const again = await device(server, { token, clientId: 'one3' })
    assert.equal((await within(devices[3].closed, 'takeover')).reasonCode, 0x8e)
    await again.end()
  })

  it('what is no TLS is closed and harms nobody', async () => {
    for (const bytes of [wire.connect({ token: newToken() }), Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from('16030100c8010000c40303', 'hex'), Buffer.alloc(70000, 0x16), Buffer.from('160301ffff01', 'hex')]) {
      const socket = net.connect(server.mqttsPort, '127.0.0.1')
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.on('error', () => {}).resume()
      socket.end(bytes)
      await within(closed, 'closing')
    }
    // half a handshake holds up nobody either
    const half = net.connect(server.mqttsPort, '127.0.0.1').on('error', () => {})
    half.write(Buffer.from('16030100c8', 'hex'))
    await works(server)
    half.destroy()
  })

  it('a client that says goodbye gets one: close_notify, no reset', async () => {
    const socket = await secured(server)
    const one = new Wire(socket)
    let ended = false
    socket.once('end', () => { ended = true })
    one.send(wire.connect({ token: newToken() }))
    await one.expect('CONNACK')
    one.send(wire.DISCONNECT)
    await within(one.closed, 'closing')
    assert.equal(ended, true)
  })

  it('hundreds of connections opened and dropped leave nothing', async () => {
    const count = () => fs.readdirSync(`/proc/${server.child.pid}/fd`).length
    const before = count()
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 20 }, async (_, i) => {
        const socket = net.connect(server.mqttsPort, '127.0.0.1').on('error', () => {})
        if (i % 2) { // in the middle of the handshake
          await within(new Promise((resolve) => socket.once('connect', resolve)), 'TCP connection')
          socket.write(Buffer.from('16030100c8010000c40303', 'hex'), () => socket.destroy())
        } else {
          const one = tls.connect({ socket, ...trusting({ servername: 'localhost' }) }).on('error', () => {})
          await within(new Promise((resolve) => one.once('secureConnect', resolve)), 'TLS handshake')
          one.write(wire.connect({ token: newToken() }), () => one.destroy())
        }
      }))
    }
    await until(() => count() <= before, 'as many descriptors as before')
    await works(server)
  })

  it('the log names what failed, and the client', async () => {
    await until(() => /broker: 127\.0\.0\.1:\d+ \S+ closed: TLS or WebSocket error: \S+/.test(server.stderr), 'a line in the log')
  })

  it('SIGHUP has the certificate read again, for new connections; who is there stays', async () => {
    fs.copyFileSync(certificates.file('server.crt'), certificates.file('turn.crt'))
    fs.copyFileSync(certificates.file('server.key'), certificates.file('turn.key'))
    const server = await serve({}, 'turn')
    const token = newToken()
    const old = await device(server, { token })
    await old.subscribe(`${token}/#`)
    const shown = async () => {
      const socket = await secured(server)
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      return serialNumber
    }
    const first = await shown()
    await certificates.signed('turn', 'ca', 'serverAuth')
    assert.equal(await shown(), first)
    server.child.kill('SIGHUP')
    await until(() => server.stderr.includes('certificates were read again'), 'a line in the log')
    const second = await shown()
    assert.notEqual(second, first)

    fs.writeFileSync(certificates.file('turn.key'), 'no key')
    server.child.kill('SIGHUP')
    await until(() => server.stderr.includes('turn.key: no private key'), 'the reason in the log')
    assert.equal(await shown(), second)

    await old.publish(`${token}/x`, 'still here')
    assert.equal((await old.message()).text, 'still here')
    const closed = within(old.closed, 'closing', scaled(8000))
    await server.stop()
    assert.equal((await closed).reasonCode, SHUTTING_DOWN)
  })

  it('SIGHUP does not end a server without certificates', async () => {
    const server = new Server({})
    servers.push(server)
    await server.start()
    server.child.kill('SIGHUP')
    await until(() => server.stderr.includes('no certificates to read again'), 'a line in the log')
    assert.equal((await server.get('/health')).status, 200)
  })

  // → whether it works, by what the client shows
  async function whoGetsIn (server) {
    const got = {}
    for (const name of [undefined, 'device', 'stranger', 'server']) {
      try {
        await works(server, name ? withCertificate(name) : {})
        got[name ?? 'none'] = true
      } catch {
        got[name ?? 'none'] = false
      }
    }
    return got
  }

  it('a required client certificate must be there and come from the CA', async () => {
    const server = await serve({ 'mqtt.tls_client_ca': certificates.file('ca.crt'), 'mqtt.tls_client_cert': 'required' })
    assert.deepEqual(await whoGetsIn(server), { none: false, device: true, stranger: false, server: false })
  })

  it('an optional one may be missing, and must be good where it is shown', async () => {
    const server = await serve({ 'mqtt.tls_client_ca': certificates.file('ca.crt'), 'mqtt.tls_client_cert': 'optional' })
    assert.deepEqual(await whoGetsIn(server), { none: true, device: true, stranger: false, server: false })
    const refusals = () => server.stderr.match(/closed: TLS or WebSocket error: the client's certificate is/g)?.length
    await until(() => refusals() === 2, 'two lines in the log')
  })

  it('a bad client certificate is told what is wrong with it', async () => {
    const server = await serve({ 'mqtt.tls_client_ca': certificates.file('ca.crt'), 'mqtt.tls_client_cert': 'required' })
    await certificates.signed('late', 'ca', 'clientAuth', -1)
    const alerts = { late: /CERTIFICATE_EXPIRED/, stranger: /UNKNOWN_CA/, server: /UNSUPPORTED_CERTIFICATE/ }
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      for (const [name, alert] of Object.entries(alerts)) {
        const socket = tls.connect({ port: server.mqttsPort, host: '127.0.0.1', minVersion: version, maxVersion: version, ...withCertificate(name) })
        server.clients.push(() => socket.destroy())
        // With TLS 1.3 it is through on this side, and may have said CONNECT by then.
        socket.on('secureConnect', () => socket.write(wire.connect({ token: newToken() })))
        const code = await within(new Promise((resolve) => {
          socket.on('error', (error) => resolve(error.code))
          socket.on('close', () => resolve('closed'))
        }), 'alert')
        assert.match(code, alert, `${name}, ${version}`)
      }
    }
    await until(() => /the client's certificate has expired/.test(server.stderr), 'the log says so')
  })

  it('bad files are refused at start, by name', async () => {
    fs.writeFileSync(certificates.file('empty.pem'), '')
    const bad = {
      'mqtt.tls_cert': { 'not-there.pem': 'No such file', 'empty.pem': 'no certificate', 'server.key': 'no certificate' },
      'mqtt.tls_key': { 'not-there.pem': 'No such file', 'empty.pem': 'no private key', 'device.key': 'not the key of' },
      'mqtt.tls_client_ca': { 'not-there.pem': 'No such file', 'empty.pem': 'no certificate' }
    }
    for (const [key, files] of Object.entries(bad)) {
      for (const [name, why] of Object.entries(files)) {
        const settings = certificates.settings('server', {
          'mqtt.tls_client_ca': certificates.file('ca.crt'), 'mqtt.tls_client_cert': 'optional', [key]: certificates.file(name)
        })
        const server = new Server({ set: settings })
        const child = server.launch()
        const { code } = await within(child.exited, 'refusal', scaled(15000))
        server.child = null
        assert.equal(code, 1)
        assert.ok(server.stderr.includes(`${key} ${certificates.file(name)}: `) && server.stderr.includes(why), server.stderr)
        fs.rmSync(path.dirname(server.data), { recursive: true, force: true })
      }
    }
  })

  it('`confab check` prints what was set and refuses half of it', async () => {
    const settings = Object.entries(certificates.settings()).flatMap(([key, value]) => ['-s', `${key}=${value}`])
    const good = await confab(['check', ...settings])
    assert.equal(good.code, 0, good.stderr)
    assert.ok(good.stdout.includes(`tls_cert = ${certificates.file('server.crt')}`), good.stdout)
    const half = await confab(['check', '-s', 'mqtt.tls_listen=127.0.0.1:0'])
    assert.equal(half.code, 2)
    assert.match(half.stderr, /mqtt\.tls_cert and mqtt\.tls_key/)
  })
})
