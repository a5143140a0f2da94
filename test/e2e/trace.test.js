'use strict'
// `confab trace`: the messages of a token, hop by hop.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { it } = require('node:test')
const { suite, Server, newToken, temporaryFolder, BINARY } = require('./harness/server')
const { run } = require('./harness/process')
const { until } = require('./harness/waits')

const LINE = /^(\S+Z) {2}(\w+) +(\S+) +(\d+|-) {2}(\w+(?: \d+)?) +(\d+) bytes(?: {2}\+(\d+) us)?$/

function parse (text) {
  return text.split('\n').filter((line) => line !== '').map((line) => {
    const found = LINE.exec(line)
    assert.ok(found, `not a line of a trace: ${line}`)
    const [, time, hop, thing, id, who, bytes, since] = found
    return { time, hop, thing, id, who, bytes: Number(bytes), since: since === undefined ? undefined : Number(since) }
  })
}

suite('confab trace', {}, (server) => {
  const tokenFile = (token) => {
    const file = path.join(temporaryFolder(), 'token')
    fs.writeFileSync(file, token)
    return file
  }
  const trace = async (token, ...args) => {
    const following = server.follow(BINARY, server.cliArguments('trace', '--token-file', tokenFile(token), ...args))
    await until(() => following.errors.includes('tracing') || following.child.exitCode !== null, 'the beginning of the trace')
    return following
  }

  it('shows every hop of a message by MQTT and by HTTP to a subscriber and a stream', async () => {
    const token = newToken()
    const other = newToken()
    const subscriber = await server.subscriber(token, '#')
    const stream = await server.listen(token, 'pump')
    const device = await server.device({ token })
    const following = await trace(token)
    await server.say(other, 'elsewhere', '{"not":"shown"}')
    assert.equal((await device.publish(`${token}/pump`, '{"secret":"payload"}', { qos: 1 })).code, 0)
    const posted = await server.say(token, 'pump', '{"second":"secret"}')
    await stream.expect('message')
    await stream.expect('message')
    await subscriber.messages.next()
    const published = String(posted - 1)
    await until(() => parse(following.text).some(({ hop, id }) => hop === 'resume' && id === String(posted)), 'the POST\'s last hop')
    assert.doesNotMatch(following.errors, /not shown/)
    await until(() => parse(following.text).filter(({ hop, who }) => hop === 'send' && who.startsWith('stream ')).length > 0, 'sending to the stream')
    const lines = parse(following.text)
    for (const id of [published, String(posted)]) {
      const hops = lines.filter((line) => line.id === id)
      const words = hops.map(({ hop, who }) => `${hop} ${who.split(' ')[0]}`)
      for (const word of ['commit writer', 'batch worker', 'deliver connection', 'deliver streams']) {
        assert.ok(words.includes(word), `${word} of ${id}: ${words}`)
      }
      assert.ok(words.indexOf('commit writer') < words.indexOf('deliver connection'))
      for (const line of hops.filter(({ hop }) => hop !== 'send')) {
        assert.equal(line.thing, 'pump')
        assert.ok(line.since >= 0, JSON.stringify(line))
      }
    }
    const read = lines.find(({ hop }) => hop === 'read')
    assert.match(read.who, /^connection \d+$/)
    assert.equal(read.bytes, '{"secret":"payload"}'.length)
    assert.equal(read.since, 0)
    assert.ok(lines.some(({ hop }) => hop === 'submit'))
    assert.ok(lines.some(({ hop }) => hop === 'suspend'))
    assert.ok(lines.some(({ hop, who }) => hop === 'send' && who.startsWith('connection ')))
    assert.doesNotMatch(following.text, /secret|shown|elsewhere/)
    assert.ok(!following.text.includes(token))
    // one at a time
    const second = await server.cli('trace', '--token-file', tokenFile(other), '--for', '1')
    assert.equal(second.code, 1)
    assert.match(second.stderr, /another trace is running/)
    await following.stop('SIGINT')
  })

  it('ends after --count lines, and after --for seconds', async () => {
    const token = newToken()
    const begun = async (...args) => {
      for (;;) { // the trace before holds the place for three seconds more
        const following = await trace(token, ...args)
        if (following.errors.includes('tracing')) return following
      }
    }
    const counted = await begun('--count', '3')
    await server.say(token, 'a', '{"v":1}')
    assert.equal((await counted.exited).code, 0)
    assert.equal(parse(counted.text).length, 3)
    const timed = await begun('--for', '1s')
    assert.equal((await timed.exited).code, 0)
    assert.equal(timed.text, '')
  })

  it('wants a token, and a server', async () => {
    assert.equal((await server.cli('trace')).code, 2)
    assert.equal((await server.cli('trace', '-t', newToken(), '--count', 'many')).code, 2)
    const nobody = await run(BINARY, ['trace', '--data', temporaryFolder(), '--token-file', tokenFile(newToken())])
    assert.equal(nobody.code, 1)
  })
})

suite('confab trace, broker and bridge as two processes', { command: 'broker' }, (broker) => {
  it('shows the broker\'s hops, and says that it has no others', async () => {
    const bridge = await new Server({ command: 'bridge', data: broker.data }).start()
    try {
      const token = newToken()
      const file = path.join(temporaryFolder(), 'token')
      fs.writeFileSync(file, token)
      const following = broker.follow(BINARY, broker.cliArguments('trace', '--token-file', file))
      await until(() => following.errors.includes('tracing'), 'the beginning of the trace')
      assert.match(following.errors, /hops of a confab bridge .* are not shown/)
      await until(async () => (await bridge.get('/health')).status === 200, 'the link')
      await bridge.say(token, 'pump', '{"v":1}')
      await until(() => parse(following.text).some(({ hop }) => hop === 'commit'), 'the commit')
      assert.ok(!parse(following.text).some(({ hop }) => hop === 'suspend' || hop === 'resume'))
      await following.stop('SIGINT')
    } finally {
      await bridge.close()
    }
  })
})
