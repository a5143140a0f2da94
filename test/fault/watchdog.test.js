'use strict'
// systemd's watchdog is told that all is well while the server gets on, a slow
// disk's commits included, and not when a thread is stuck.
const assert = require('node:assert/strict')
const path = require('node:path')
const { it } = require('node:test')
const { newToken, chat, until } = require('../e2e/harness/server')
const { scaled } = require('../e2e/harness/waits')
const { follow } = require('../e2e/harness/process')
const { Disk, onFaultyDisk } = require('./disk')

const EVERY_US = 200000 // asked for; the server speaks twice as often

// What sd_notify(3) sends to: a line on stdout per message.
const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`

async function watched (body) {
  const place = new Disk() // only a folder
  const name = path.join(place.folder, 'notify')
  const listener = follow('python3', ['-c', LISTENER, name])
  try {
    await listener.lines.find((line) => line === 'bound')
    const env = { NOTIFY_SOCKET: name, WATCHDOG_USEC: String(EVERY_US) }
    // a small store asks for more of the disk every megabyte
    await onFaultyDisk({ env, set: { 'store.map_size': 16 * 1024 * 1024 } }, async (server, disk) => {
      await server.start()
      await body(server, disk, listener.lines)
    })
  } finally {
    await listener.stop('SIGKILL')
    place.close()
  }
}

const isWell = (line) => /WATCHDOG=1/.test(line)
const complaints = (server) => (server.stderr.match(/has made no progress/g) ?? []).length

it('is told while nothing happens and while a commit takes long', { timeout: scaled(60000) }, async () => {
  await watched(async (server, disk, lines) => {
    for (let i = 0; i < 5; i++) await lines.find(isWell)
    disk.hold('sync')
    const before = disk.calls('sync')
    const post = server.post(chat(newToken(), 'a'), { n: 1 }, {}, { limit: scaled(30000) })
    await until(() => disk.calls('sync') > before, 'a commit under way')
    for (let i = 0; i < 10; i++) await lines.find(isWell)
    disk.letGo('sync')
    assert.equal((await post).status, 200)
    assert.equal(complaints(server), 0)
  })
})

it('is not told while the writer is stuck outside of a commit', { timeout: scaled(60000) }, async () => {
  await watched(async (server, disk, lines) => {
    const token = newToken()
    await lines.find(isWell)
    disk.hold('allocate')
    const before = disk.calls('allocate')
    const posts = []
    // The writer asks for more before a commit: messages that came in one do not make it ask.
    await until(() => {
      posts.push(server.post(chat(token, 'a'), { filler: 'x'.repeat(60000) }, {}, { limit: scaled(30000) })
        .then((answer) => answer.status))
      return disk.calls('allocate') > before
    }, 'the writer stuck')
    await until(() => complaints(server) >= 3, 'the third complaint')
    disk.letGo('allocate')
    assert.ok((await Promise.all(posts)).every((status) => status === 200))
    lines.items.length = 0
    await lines.find(isWell)
  })
})
