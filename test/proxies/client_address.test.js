'use strict'
// HAProxy and nginx say who the clients are: with PROXY protocol in front of MQTT and
// HTTP, and with X-Forwarded-For. Clients are other addresses of loopback.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const http = require('node:http')
const { it, describe, before, after } = require('node:test')
const { Server, until } = require('../e2e/harness/server')
const { newToken } = require('../e2e/harness/names')
const { start } = require('../e2e/harness/process')
const { within, scaled } = require('../e2e/harness/waits')
const { freePort, temporaryFolder } = require('./recipes')

const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so'
const user = process.getuid() === 0 ? 'user root;' : ''

// → { command, ports }; each knows `mqtt` and `http`, the server's ports
const relays = {
  'HAProxy send-proxy': (folder, upstream, port) => haproxy(folder, upstream, port, 'send-proxy'),
  'HAProxy send-proxy-v2': (folder, upstream, port) => haproxy(folder, upstream, port, 'send-proxy-v2'),
  'nginx proxy_protocol on': (folder, upstream, port) => {
    const server = (name) => `server { listen 127.0.0.1:${port[name]}; proxy_pass 127.0.0.1:${upstream[name]}; proxy_protocol on; }`
    fs.writeFileSync(`${folder}/nginx.conf`, `
load_module ${STREAM_MODULE};
${user}
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log crit;
events {}
stream { ${server('mqtt')} ${server('http')} }
`)
    return ['/usr/sbin/nginx', '-p', folder, '-c', `${folder}/nginx.conf`, '-e', `${folder}/error.log`]
  }
}

function haproxy (folder, upstream, port, how) {
  const proxy = (name) => `
listen ${name}
    mode tcp
    bind 127.0.0.1:${port[name]}
    server confab 127.0.0.1:${upstream[name]} ${how}
`
  fs.writeFileSync(`${folder}/haproxy.cfg`, `
defaults
    timeout connect 2s
    timeout client 1m
    timeout server 1m
${proxy('mqtt')}${proxy('http')}`)
  return ['/usr/sbin/haproxy', '-db', '-f', `${folder}/haproxy.cfg`]
}

const status = (port, from, path, method = 'GET') => new Promise((resolve, reject) => {
  http.request({ host: '127.0.0.1', port, localAddress: from, path, method, agent: false }, (answer) => {
    answer.resume().on('end', () => resolve(answer.statusCode))
  }).on('error', reject).end()
})

function mqttFrom (port, from, token) {
  const text = (s) => Buffer.concat([Buffer.from([0, s.length]), Buffer.from(s)])
  const body = Buffer.concat([text('MQTT'), Buffer.from([4, 0x82, 0, 0]), text(`from-${from}`), text(token)])
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: from })
  socket.on('error', () => {})
  socket.write(Buffer.concat([Buffer.from([0x10, body.length]), body]))
  return within(new Promise((resolve) => socket.once('data', (data) => resolve({ socket, code: data[3] })).once('close', () => resolve({ socket }))), 'CONNACK')
}

for (const [name, prepare] of Object.entries(relays)) {
  describe(name, () => {
    const server = new Server({
      set: {
        'tokens.access': 'open',
        'tokens.create_per_hour': 1,
        'http.trusted_proxies': '127.0.0.1',
        'mqtt.trusted_proxies': '127.0.0.1',
        'http.proxy_protocol': 'on',
        'mqtt.proxy_protocol': 'on'
      }
    })
    const port = {}
    let folder, child

    before(async () => {
      await server.start()
      folder = temporaryFolder('relay')
      port.mqtt = await freePort()
      port.http = await freePort()
      const command = await prepare(folder, { mqtt: server.mqttPort, http: server.httpPort }, port)
      child = start(command[0], command.slice(1), {})
      await until(async () => await status(port.http, '127.0.0.2', '/health').catch(() => 0) === 200, `answer through ${name}`, scaled(20000))
    })

    after(async () => {
      child?.kill('SIGTERM')
      if (child) await within(child.exited, `end of ${name}`, scaled(20000))
      await server.close()
      fs.rmSync(folder, { recursive: true, force: true })
    })

    it('`confab clients` shows the clients\' addresses', async () => {
      const token = newToken()
      const two = [await mqttFrom(port.mqtt, '127.0.0.2', token), await mqttFrom(port.mqtt, '127.0.0.3', token)]
      assert.deepEqual(two.map(({ code }) => code), [0, 0])
      const shown = (await server.cli('clients')).stdout
      for (const address of ['127.0.0.2:', '127.0.0.3:']) assert.ok(shown.includes(address), shown)
      for (const { socket } of two) socket.destroy()
    })

    it('two clients are limited each by itself', async () => {
      assert.equal(await status(port.http, '127.0.0.4', '/tokens', 'POST'), 403, 'nobody behind a proxy is local')
      await server.stop()
      await server.restart({ 'tokens.access': 'registered' })
      await until(async () => await status(port.http, '127.0.0.2', '/health').catch(() => 0) === 200, 'the server again')
      const answers = []
      for (const from of ['127.0.0.4', '127.0.0.5', '127.0.0.4', '127.0.0.5']) answers.push(await status(port.http, from, '/tokens', 'POST'))
      assert.deepEqual(answers, [201, 201, 429, 429])
    })

    it('who comes without the proxy is closed', async () => {
      assert.equal(await status(server.httpPort, '127.0.0.1', '/health').catch((error) => error.code), 'ECONNRESET')
      assert.equal((await mqttFrom(server.mqttPort, '127.0.0.9', newToken())).code, undefined)
    })
  })
}
