'use strict'
// mosquitto_pub, mosquitto_sub and mosquitto_rr, as they are typed in a shell.
const assert = require('node:assert/strict')
const { it, before, after } = require('node:test')
const { Server, group, suite, newToken, secret, until } = require('./harness/server')
const { run } = require('./harness/process')
const { home, keyOf } = require('./harness/stock')
const { scaled } = require('./harness/waits')

const VERSIONS = { 5: '5', '3.1.1': '311' }

// Of one version, one token.
class Shell {
  constructor (server, v) {
    this.server = server
    this.token = newToken()
    this.v = v
  }

  args (...rest) { return ['-h', '127.0.0.1', '-p', String(this.server.mqttPort), '-V', VERSIONS[this.v], '-u', this.token, ...rest] }

  topic (thing) { return `${this.token}/${thing}` }

  async pub (thing, text, ...rest) {
    const { code, stderr } = await run('mosquitto_pub', this.args('-t', this.topic(thing), '-m', text, ...rest))
    assert.equal(code, 0, stderr)
  }

  // Follows; resolves when subscribed, or when connected to a session that is.
  async sub (filter, ...rest) {
    const sub = this.server.follow('mosquitto_sub', this.args('-d', '-t', filter, '-F', '%q %r %p', ...rest))
    await sub.lines.find((line) => line.startsWith('Subscribed'))
    sub.line = (text) => sub.lines.find((line) => line === text)
    return sub
  }

  // MQTT 5 has to ask for more than its connection.
  get stays () { return this.v === '5' ? ['-c', '-x', '86400'] : ['-c'] }

  async stored (thing) {
    return (await this.server.history(this.token, thing, '?order=asc')).map(({ chat }) => chat)
  }
}

for (const v of Object.keys(VERSIONS)) {
  suite(`mosquitto's commands, MQTT ${v}`, {}, (server) => {
    it('QoS 0, 1 and 2: delivered once with that QoS, and stored once', async () => {
      const shell = new Shell(server, v)
      const sub = await shell.sub(shell.topic('#'), '-q', '2')
      for (const qos of [0, 1, 2]) {
        await shell.pub('x', `n${qos}`, '-q', String(qos))
        await sub.line(`${qos} 0 n${qos}`)
      }
      assert.deepEqual(await shell.stored('x'), ['n0', 'n1', 'n2'])
      assert.equal(sub.text.match(/^\d 0 n\d$/gm).length, 3)
    })

    it('a thousand lines with QoS 2: each once, in order', async () => {
      const shell = new Shell(server, v)
      const sub = server.follow('mosquitto_sub', shell.args('-t', shell.topic('x'), '-q', '2', '-C', '1000', '-d', '-F', 'got %p'))
      await sub.lines.find((line) => line.startsWith('Subscribed'))
      const lines = Array.from({ length: 1000 }, (_, n) => `line ${n}`)
      const { code, stderr } = await run('mosquitto_pub', shell.args('-t', shell.topic('x'), '-q', '2', '-l'), { input: lines.join('\n') + '\n', limit: scaled(60000) })
      assert.equal(code, 0, stderr)
      const { code: subCode } = await sub.exited
      assert.equal(subCode, 0)
      assert.deepEqual(sub.text.match(/^got .*$/gm), lines.map((line) => `got ${line}`))
      assert.deepEqual((await shell.server.history(shell.token, 'x', '?order=asc&limit=1000')).map(({ chat }) => chat), lines)
    })

    it('-r: retained, until an empty one (-n) removes it', async () => {
      const shell = new Shell(server, v)
      await shell.pub('lamp', 'on', '-r', '-q', '2')
      const greeted = await shell.sub(shell.topic('+'), '-q', '1')
      await greeted.line('1 1 on')
      const { code } = await run('mosquitto_pub', shell.args('-t', shell.topic('lamp'), '-n', '-r', '-q', '1'))
      assert.equal(code, 0)
      const late = await shell.sub(shell.topic('+'), '-q', '1')
      await shell.pub('lamp', 'live', '-q', '1')
      assert.equal(await late.lines.find((line) => /^\d \d /.test(line)), '1 0 live')
    })

    it('a will, when it is killed', async () => {
      const shell = new Shell(server, v)
      const watcher = await shell.sub(shell.topic('will'), '-q', '2')
      const lost = await shell.sub(shell.topic('x'), '--will-topic', shell.topic('will'), '--will-payload', 'lost', '--will-qos', '2')
      await lost.stop('SIGKILL')
      await watcher.line('2 0 lost')
    })

    if (v === '5') {
      it('a will with a delay', async () => {
        const shell = new Shell(server, v)
        const watcher = await shell.sub(shell.topic('will'))
        const lost = await shell.sub(shell.topic('x'), '-i', 'lost', ...shell.stays, '--will-topic', shell.topic('will'),
          '--will-payload', 'late', '-D', 'will', 'will-delay-interval', '1')
        await lost.stop('SIGKILL')
        await watcher.line('0 0 late')
      })

      it('mosquitto_rr gets the answer to its request', async () => {
        const shell = new Shell(server, v)
        const responder = await server.subscriber(shell.token, 'question')
        const asked = run('mosquitto_rr', shell.args('-t', shell.topic('question'), '-e', shell.topic('answer'), '-m', '6 x 7', '-q', '2', '-W', '10'), { limit: scaled(12000) })
        const { text, properties } = await responder.message()
        assert.equal(text, '6 x 7')
        assert.equal(properties.responseTopic, shell.topic('answer'))
        await responder.publish(properties.responseTopic, '42', { qos: 1, properties: { correlationData: properties.correlationData } })
        const { code, stdout, stderr } = await asked
        assert.equal(code, 0, stderr)
        assert.equal(stdout, '42\n')
      })
    }

    it('$share: each message to one of two', async () => {
      const shell = new Shell(server, v)
      const crew = []
      for (let n = 0; n < 2; n++) {
        crew.push(server.follow('mosquitto_sub', shell.args('-d', '-t', `$share/crew/${shell.topic('work')}`, '-q', '1', '-F', 'got %p')))
        await crew[n].lines.find((line) => /^Subscribed \(mid: \d+\): 1$/.test(line))
      }
      for (let n = 0; n < 20; n++) await shell.pub('work', `job ${n}`, '-q', '1')
      const jobs = () => crew.flatMap(({ text }) => text.match(/^got .*$/gm) ?? [])
      await until(() => jobs().length >= 20, 'all jobs done')
      assert.deepEqual(jobs().sort(), Array.from({ length: 20 }, (_, n) => `got job ${n}`).sort())
    })
  })

  for (const how of ['SIGTERM', 'kill -9']) {
    group(`mosquitto_sub -c over ${how}, MQTT ${v}`, () => {
      const server = new Server()
      before(() => server.start())
      after(() => server.close())
      const again = async () => {
        await (how === 'SIGTERM' ? server.stop() : server.kill9())
        await server.restart()
      }

      it('gets what came while it was away, over a restart before and after', async () => {
        const shell = new Shell(server, v)
        const me = ['-i', 'sleeper', '-q', '2', ...shell.stays]
        const { code, stderr } = await run('mosquitto_sub', shell.args('-t', shell.topic('#'), '-E', ...me))
        assert.equal(code, 0, stderr)
        await again()
        for (const qos of [2, 2, 1]) await shell.pub('x', `n${qos}`, '-q', String(qos))
        await again()
        const back = await run('mosquitto_sub', shell.args('-t', shell.topic('#'), '-C', '3', '-F', '%q %p', ...me))
        assert.equal(back.code, 0, back.stderr)
        // QoS 2 is printed at its PUBREL, which may be after a later QoS 1
        assert.deepEqual(back.stdout.trim().split('\n').sort(), ['1 n1', '2 n2', '2 n2'])
      })
    })
  }
}

suite('mosquitto\'s commands with a key that has a mount', { set: { 'tokens.access': 'registered' } }, (server) => {
  for (const v of Object.keys(VERSIONS)) {
    it(`-u TENANT -P KEY: fixed topics, retained, wills; another key is refused (MQTT ${v})`, async () => {
      const { tenant, admin } = await home(server)
      const key = await keyOf(server, tenant, '--mount', 'home')
      const reader = await keyOf(server, tenant, '--subscribe', 'home/lamp')
      const args = (password, ...rest) => ['-h', '127.0.0.1', '-p', String(server.mqttPort), '-V', VERSIONS[v], '-u', tenant, '-P', password, ...rest]
      const pub = (password, ...rest) => run('mosquitto_pub', args(password, '-q', '1', ...rest))
      const sub = server.follow('mosquitto_sub', args(key, '-d', '-t', '#', '-q', '1', '-F', '%r %t %p', '--will-topic', 'sub/gone', '--will-payload', 'gone'))
      await sub.lines.find((line) => line.startsWith('Subscribed'))
      assert.equal((await pub(key, '-t', 'lamp', '-m', 'on', '-r')).code, 0)
      await sub.lines.find((line) => line === '0 lamp on')
      assert.deepEqual(await admin.next(), { topic: `${tenant}/home/lamp`, text: 'on', retain: false })
      // whole topics for a key without a mount, and nothing else than its right
      const once = await run('mosquitto_sub', args(reader, '-t', `${tenant}/home/lamp`, '-C', '1', '-F', '%r %t %p'))
      assert.equal(once.stdout.trim(), `1 ${tenant}/home/lamp on`)
      const wide = await run('mosquitto_sub', args(reader, '-t', `${tenant}/#`, '-d', '-W', '3'), { limit: scaled(10000) })
      assert.match(wide.stdout + wide.stderr, v === '5' ? /Subscribed \(mid: 1\): 135/ : /Subscribed \(mid: 1\): 128/)
      const refused = await pub(reader, '-t', `${tenant}/home/lamp`, '-m', 'off')
      if (v === '5') assert.match(refused.stderr, /Publish 1 failed: Not authorized/) // and it exits with 0
      else assert.notEqual(refused.code, 0)
      const latest = await server.get(`/${tenant}/chat/home%2Flamp/history`, { Authorization: `Bearer ${reader}` })
      assert.deepEqual(latest.json().map(({ chat }) => chat), ['on'])
      const unknown = `dk_${'A'.repeat(32)}`
      assert.notEqual((await pub(secret(unknown), '-t', 'lamp', '-m', 'off')).code, 0)
      await sub.stop('SIGKILL')
      assert.deepEqual(await admin.next(), { topic: `${tenant}/home/sub/gone`, text: 'gone', retain: false })
    })
  }
})
