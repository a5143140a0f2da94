'use strict'
// One token's WebSockets do not harm another's, whatever they send.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const zlib = require('node:zlib')
const { suite, newToken, until } = require('./harness/server')
const { within, scaled, FACTOR } = require('./harness/waits')
const { Socket } = require('./harness/socket')
const { Frames, TEXT } = require('./harness/frames')

const DEFLATED = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }

async function raw (server, token, headers) {
  const made = await Frames.open(server.httpPort, { 'Sec-WebSocket-Protocol': undefined, ...headers }, `/${token}/ws`)
  server.clients.push(() => made.destroy())
  await made.expect(TEXT) // status
  return made
}

// A whole compressed message in one frame, masked with zeros.
function compressed (text) {
  const body = zlib.deflateRawSync(Buffer.from(text), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4)
  const head = body.length < 126
    ? Buffer.from([0xc1, 0x80 | body.length])
    : Buffer.from([0xc1, 0x80 | 126, body.length >> 8, body.length & 255])
  return Buffer.concat([head, Buffer.alloc(4), body])
}

suite('WebSockets of two tokens', { set: { 'http.streamers': 1 } }, (server) => {
  it('who holds much in many begun messages loses its own sockets, not those of others', async () => {
    const token = newToken()
    const greedy = await Promise.all(Array.from({ length: 140 }, () => Socket.open(server, token)))
    const codes = []
    for (const { client } of greedy) {
      client.once('close', (code) => codes.push(code))
      client.send(Buffer.alloc(480000, 'x').toString(), { fin: false })
    }
    await until(() => codes.length > 0, 'one of them to be closed')
    const other = await Socket.open(server, newToken())
    const text = 'y'.repeat(900000)
    for (let n = 0; n < 3; n++) {
      const answer = await other.publish({ thing: 'a', payload: { text }, ref: n })
      assert.equal(answer.ref, n, JSON.stringify(answer))
      assert.ok(answer.id > 0, JSON.stringify(answer))
    }
    assert.deepEqual([...new Set(codes)], [1013])
    for (const socket of greedy) socket.client.terminate()
  })

  it('keeps no memory of a message behind which half a frame came', async () => {
    const token = newToken()
    const message = Buffer.concat([compressed('{' + ' '.repeat(1060000) + '}'), Buffer.from([0x81])])
    const sockets = []
    const count = FACTOR > 1 ? 6 : 60 // each is a megabyte to check
    for (let n = 0; n < count; n++) sockets.push(await raw(server, token, DEFLATED))
    const before = server.privateMemory()
    for (const socket of sockets) socket.send(message)
    for (const socket of sockets) { // an error: it is no command; pings may come before
      await socket.frames.find(({ opcode }) => opcode === TEXT)
    }
    const grown = server.privateMemory() - before
    assert.ok(grown < 30 * 1024 * 1024, `${grown} bytes for ${count} sockets`)
  })

  it('messages that inflate a thousandfold leave another token its turn', async () => {
    const token = newToken()
    const bomb = compressed('{' + ' '.repeat(1060000) + '}')
    const burst = Buffer.concat(Array(15).fill(bomb))
    const sockets = []
    for (let n = 0; n < 20; n++) sockets.push(await raw(server, token, DEFLATED))
    let sent = 0
    let over = false
    for (const socket of sockets) {
      const more = () => {
        if (over) return
        sent += burst.length
        socket.socket.write(burst, more)
      }
      more()
    }
    const quiet = await Socket.open(server, newToken())
    await quiet.follow('#')
    const before = sent
    // before, each of these waited for seconds
    await within((async () => {
      for (let n = 0; n < 20; n++) {
        const { id } = await quiet.publish({ thing: 'a', payload: { n } })
        assert.ok(id > 0)
      }
    })(), 'twenty acknowledgements', scaled(30_000))
    over = true
    assert.ok(before > 0)
    for (const socket of sockets) socket.destroy()
  })
})

suite('WebSocket messages that come slowly', { set: { 'http.body_timeout': 1 } }, (server) => {
  it('half a message is kept for as long as half a body of a request', async () => {
    const token = newToken()
    const silent = await Socket.open(server, token)
    const half = await Socket.open(server, token)
    half.client.send('{"follow":', { fin: false })
    assert.deepEqual(await half.end(scaled(10_000)), {
      code: 1008,
      reason: 'a message that had begun came too slowly (http.body_timeout)'
    })
    await silent.follow('#') // who has begun nothing owes nothing
  })
})
