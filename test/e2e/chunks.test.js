'use strict'
// How a stream is framed (RFC 9112 §7.1, §8): each event is a chunk, readers have
// it before the next one comes, and a server that goes is no end of the stream.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, together, newToken, chat, until } = require('./harness/server')
const { within, scaled } = require('./harness/waits')

const get = (path, version = '1.1', headers = '') => `GET ${path} HTTP/${version}\r\nHost: localhost\r\n${headers}\r\n`

// Takes `text` apart: the chunks so far, and whether the last one came.
function chunksOf (text) {
  const chunks = []
  for (let at = 0; ;) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) return { chunks, complete: false, rest: text.slice(at) }
    const line = text.slice(at, end)
    assert.match(line, /^[0-9a-f]+$/)
    const size = parseInt(line, 16)
    if (text.length < end + 4 + size) return { chunks, complete: false, rest: text.slice(at) }
    assert.equal(text.slice(end + 2 + size, end + 4 + size), '\r\n')
    if (size === 0) {
      assert.equal(text.length, end + 4)
      return { chunks, complete: true, rest: '' }
    }
    chunks.push(text.slice(end + 2, end + 2 + size))
    at = end + 4 + size
  }
}

const isWholeEvent = (chunk) => chunk.endsWith('\n\n') && chunk.indexOf('\n\n') === chunk.length - 2

class RawStream {
  static async open (server, path, headers) {
    const stream = new RawStream()
    stream.raw = await server.rawSocket()
    stream.raw.socket.write(get(path, '1.1', headers))
    await until(() => stream.raw.text.includes('"connected"'), 'status event')
    return stream
  }

  get head () { return this.raw.text.slice(0, this.raw.text.indexOf('\r\n\r\n') + 4) }
  get body () { return chunksOf(this.raw.text.slice(this.head.length)) }
  async chunks (count) {
    await until(() => this.body.chunks.length >= count, `chunk ${count}`)
    return this.body.chunks
  }

  async end () {
    await within(this.raw.ended, 'end of stream')
    return this.body
  }
}

suite('Streams in chunks', {}, (server) => {
  it('HTTP/1.1: `Transfer-Encoding: chunked`, and each event is one chunk, stored ones and live ones alike', async () => {
    const token = newToken()
    for (let n = 0; n < 3; n++) await server.say(token, 'x', { n })
    const stream = await RawStream.open(server, chat(token, 'x', '/listen'), 'Last-Event-ID: 0\r\n')
    assert.match(stream.head, /\r\nTransfer-Encoding: chunked\r\n/)
    assert.doesNotMatch(stream.head, /content-length|keep-alive|connection:/i)
    for (let n = 3; n < 6; n++) await server.say(token, 'x', { n })
    const device = await server.device({ token })
    await Promise.all(Array.from({ length: 200 }, (_, i) => device.publish(`${token}/x`, { n: 6 + i })))
    const chunks = await stream.chunks(1 + 206)
    assert.ok(chunks.every(isWholeEvent))
    assert.deepEqual(chunks.slice(1).map((chunk) => JSON.parse(/^data: (.*)$/m.exec(chunk)[1]).chat.n), Array.from({ length: 206 }, (_, n) => n))
    assert.equal(stream.body.complete, false)
    stream.raw.socket.destroy()
  })

  it('an event of many lines and one of 100 kB are one chunk, too', async () => {
    const token = newToken()
    const stream = await RawStream.open(server, chat(token, 'x', '/listen'))
    await server.post(chat(token, 'x'), '{\n "a": [\n1,\n2]\n}')
    await server.say(token, 'x', { fill: 'y'.repeat(100000) })
    const chunks = await stream.chunks(3)
    assert.ok(chunks.every(isWholeEvent))
    stream.raw.socket.destroy()
  })

  it('HTTP/1.0: the same events without chunks, up to the end of the connection', async () => {
    const token = newToken()
    const raw = await server.rawSocket()
    raw.socket.write(get(chat(token, 'x', '/listen'), '1.0', 'Connection: keep-alive\r\n'))
    const chunked = await RawStream.open(server, chat(token, 'x', '/listen'))
    await until(() => raw.text.includes('"connected"'), 'status event')
    for (let n = 0; n < 20; n++) await server.say(token, 'x', { n })
    const events = (await chunked.chunks(21)).join('')
    const head = raw.text.slice(0, raw.text.indexOf('\r\n\r\n') + 4)
    assert.doesNotMatch(head, /transfer-encoding|keep-alive/i)
    assert.match(head, /\r\nConnection: close\r\n/)
    const withoutStart = (text) => text.slice(text.indexOf('id: '))
    await until(() => withoutStart(raw.text) === withoutStart(events), 'the same events')
    raw.socket.destroy()
    chunked.raw.socket.destroy()
  })

  it('HEAD: the head of GET, no body', async () => {
    const token = newToken()
    const stream = await RawStream.open(server, chat(token, 'x', '/listen'))
    for (const version of ['1.1', '1.0']) {
      const raw = await server.rawSocket()
      raw.socket.write(get(chat(token, 'x', '/listen'), version).replace('GET', 'HEAD'))
      await within(raw.ended, 'end of connection')
      assert.ok(raw.text.endsWith('\r\n\r\n'), raw.text)
      assert.doesNotMatch(raw.text, /content-length/i)
      assert.match(raw.text, /\r\nConnection: close\r\n\r\n$/) // so is the connection's end
      const expected = version === '1.1' ? stream.head : stream.head.replace('\r\nTransfer-Encoding: chunked', '')
      assert.equal(raw.text.replace('\r\nConnection: close', ''), expected)
    }
    stream.raw.socket.destroy()
  })

  it('curl --raw shows every event as soon as it was sent', async () => {
    const token = newToken()
    const curl = server.follow('curl', ['-sS', '-N', '--raw', server.base + chat(token, 'x', '/listen')])
    await curl.lines.find((line) => line.includes('"connected"'))
    for (let n = 0; n < 3; n++) {
      await server.say(token, 'x', { n })
      await curl.lines.find((line) => line.includes(`"chat":{"n":${n}}`))
    }
    await curl.stop('SIGINT')
  })

  // psf/requests#2433: iter_lines() reads 512 bytes at a time, but for chunks.
  it('requests.iter_lines() has each event before the next one is sent', async () => {
    const token = newToken()
    const reader = server.follow('/usr/bin/python3', ['-u', '-c', `
import requests, sys
for line in requests.get(sys.argv[1], stream=True).iter_lines():
    print(line.decode(), flush=True)
`, server.base + chat(token, 'x', '/listen')])
    await reader.lines.find((line) => line.includes('"connected"'), scaled(20000))
    for (let n = 0; n < 5; n++) {
      await server.say(token, 'x', { n, temperature: 22.5 })
      await reader.lines.find((line) => line.includes(`"chat":{"n":${n},`))
    }
    await reader.stop('SIGINT')
  })

  it('requests, read 128 bytes at a time (sseclient-py), has each event before the next one is sent', async () => {
    const token = newToken()
    const reader = server.follow('/usr/bin/python3', ['-u', '-c', `
import requests, sys
for piece in requests.get(sys.argv[1], stream=True):
    sys.stdout.write(piece.decode()); sys.stdout.flush()
`, server.base + chat(token, 'x', '/listen')])
    await reader.lines.find((line) => line.includes('"connected"'), scaled(20000))
    for (let n = 0; n < 5; n++) {
      await server.say(token, 'x', { n })
      await reader.lines.find((line) => line.includes(`"chat":{"n":${n}}`))
    }
    await reader.stop('SIGINT')
  })

  it('fetch() has each event as one piece before the next one is sent', async () => {
    const token = newToken()
    const reader = (await fetch(server.base + chat(token, 'x', '/listen'))).body.getReader()
    const piece = async () => Buffer.from((await within(reader.read(), 'piece')).value).toString()
    assert.match(await piece(), /"connected"/)
    for (let n = 0; n < 5; n++) {
      await server.say(token, 'x', { n })
      assert.ok((await piece()).includes(`"chat":{"n":${n}}`))
    }
    await reader.cancel()
  })
})

// What r3labs/sse and @microsoft/fetch-event-source look at: they come back
// after an error, and never after a clean end.
const readToTheEnd = async (server, token) => {
  const reader = (await fetch(server.base + chat(token, 'x', '/listen'))).body.getReader()
  await within(reader.read(), 'first piece')
  return async () => {
    try {
      for (;;) if ((await within(reader.read(), 'end of stream')).done) return 'clean end'
    } catch (error) {
      return error.name
    }
  }
}

together('Ends of streams', () => {
  suite('a server that goes cuts its streams off', {}, (server) => {
    const ways = { 'an orderly stop': () => server.stop(), 'kill -9': () => server.kill9() }
    for (const [how, end] of Object.entries(ways)) {
      it(`${how}: whole events, and no last chunk`, async () => {
        const token = newToken()
        const raw = await RawStream.open(server, chat(token, 'x', '/listen'))
        const fetched = await readToTheEnd(server, token)
        await server.say(token, 'x', { n: 1 })
        await raw.chunks(2)
        await end()
        assert.equal(await fetched(), 'TypeError')
        const { complete, rest, chunks } = await raw.end()
        assert.deepEqual({ complete, rest }, { complete: false, rest: '' })
        assert.ok(chunks.every(isWholeEvent))
        await server.restart()
      })
    }
  })

  suite('a stream that is over ends with the last chunk', { set: { 'plan:free.idle_timeout': 1 } }, (server) => {
    it('an idle stream', async () => {
      const token = await server.freeToken()
      const fetched = await readToTheEnd(server, token)
      const raw = await RawStream.open(server, chat(token, 'x', '/listen'))
      const { complete, chunks } = await raw.end()
      assert.equal(complete, true)
      assert.match(chunks.at(-1), /"expired"/)
      assert.equal(await fetched(), 'clean end')
    })

    it('a stream of a token that was revoked', async () => {
      const token = await server.planToken('paid')
      const fetched = await readToTheEnd(server, token)
      assert.equal((await server.cli('token', 'revoke', '--', token)).code, 0)
      assert.equal(await fetched(), 'clean end')
    })
  })
})

suite('Clients that read a stream in Python over a restart', {}, (server) => {
  it('requests raises ChunkedEncodingError, and Last-Event-ID brings what was missed', async () => {
    const token = newToken()
    const reader = server.follow('/usr/bin/python3', ['-u', '-c', `
import requests, sys, time
url, last = sys.argv[1], None
while True:
    try:
        headers = {'Last-Event-ID': last} if last else {}
        for line in requests.get(url, stream=True, headers=headers).iter_lines():
            if line.startswith(b'id: '): last = line[4:].decode()
            print(line.decode(), flush=True)
        print('clean end', flush=True)
        break
    except requests.exceptions.RequestException as error:
        print(type(error).__name__, flush=True)
        time.sleep(0.1)
`, server.base + chat(token, 'x', '/listen')])
    await reader.lines.find((line) => line.includes('"connected"'), scaled(20000))
    await server.say(token, 'x', { n: 0 })
    await reader.lines.find((line) => line.includes('"n":0'))
    await server.kill9()
    await reader.lines.find((line) => line === 'ChunkedEncodingError')
    await server.restart()
    for (let n = 1; n < 4; n++) {
      await server.say(token, 'x', { n })
      await reader.lines.find((line) => line.includes(`"n":${n}`))
    }
    await reader.stop('SIGINT')
  })
})
