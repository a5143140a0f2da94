'use strict'
// A full map, a full map with a pinned reader, a full disk: refusals are clear,
// reading goes on, trimming succeeds each time, and writing resumes.
const assert = require('node:assert/strict')
const { execFileSync, spawn } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const path = require('node:path')
const { describe, it, before, after } = require('node:test')
const mqtt = require('mqtt')
const { encode } = require('@msgpack/msgpack')
const { Server, newToken, chat, temporaryFolder, until } = require('../e2e/harness/server')
const { scaled, within } = require('../e2e/harness/waits')

const MiB = 1024 * 1024
const CYCLES = 3

// An administrator's connection, as the bridge and the command line have one.
async function administrator (data) {
  const client = new mqtt.MqttClient(() => net.connect(path.join(data, 'confab.sock')),
    { protocolVersion: 5, reconnectPeriod: 0, clientId: 'fault', clean: true })
  await within(new Promise((resolve, reject) => {
    client.once('connect', resolve)
    client.once('error', reject)
  }), 'CONNACK of the administrator')
  return client
}

// → { status, result } of `$confab/<name>`
async function command (client, name, body) {
  // MQTT.js hands its callback the PUBLISH; the answer is in the PUBACK
  const packet = await within(new Promise((resolve, reject) => {
    client.on('packetreceive', (answer) => { if (answer.cmd === 'puback') resolve(answer) })
    client.publish(`$confab/${name}`, Buffer.from(encode(body)), { qos: 1 }, (error) => {
      if (error && error.code === undefined) reject(error)
    })
  }), `PUBACK of ${name}`, scaled(20000))
  const properties = packet.properties?.userProperties ?? {}
  return { status: Number(properties['confab-status']), result: JSON.parse(properties['confab-result'] ?? '{}') }
}

// Posts until refused for space; → the refusal.
// First with large messages, which is quick, then with small ones: what is
// refused then is any message at all.
async function fill (server, token, thing, state) {
  await fillWith('x'.repeat(60000), server, token, thing, state)
  return await fillWith('x'.repeat(8000), server, token, thing, state)
}

async function fillWith (filler, server, token, thing, state) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
  let refusal
  async function one () {
    while (!refusal) {
      const body = { n: state.n++, filler }
      const answer = await server.post(chat(token, thing), body, {}, { agent, limit: scaled(20000) })
      if (answer.status === 200) state.ids.push(answer.json().id)
      else refusal ??= answer
    }
  }
  await Promise.all(Array.from({ length: 16 }, one))
  agent.destroy()
  return refusal
}

function checkRefusal (answer) {
  assert.equal(answer.status, 507, answer.text)
  assert.match(answer.json().error, /full|disk/)
  assert.ok(Number(answer.headers['retry-after']) > 0)
}

async function checkReading (server, token, thing, state) {
  // While messages are refused: what was trimmed is deleted in small steps, and
  // freed pages come back, so between two refusals there may be room for some.
  let enough = false
  const pressing = (async () => { while (!enough) await fill(server, token, thing, state) })()
  try {
    await until(async () => {
      const health = await server.get('/health')
      return health.status === 503 && health.json().db_writable === false
    }, 'health telling that nothing can be stored', scaled(30000))
  } finally {
    enough = true
    await pressing
  }
  const last = state.ids.reduce((a, b) => Math.max(a, b), 0)
  assert.equal((await server.latest(token, thing)).id, last)
}

async function trimHalf (client, token, thing, state) {
  state.ids.sort((a, b) => a - b)
  const through = state.ids[Math.floor(state.ids.length / 2)]
  const { status, result } = await command(client, 'trim', { topic: `${token}/${thing}`, through })
  assert.equal(status, 200)
  assert.ok(result.removed > 0, JSON.stringify(result))
  state.ids = state.ids.filter((id) => id > through)
}

async function checkKept (server, token, thing, state) {
  const { lines } = await server.get(chat(token, thing, '/history?order=asc'), { Accept: 'application/x-ndjson' }, { limit: scaled(60000) })
  const kept = new Set(lines.map((line) => JSON.parse(line).id))
  for (const id of state.ids) assert.ok(kept.has(id), `acknowledged ${id} is gone`)
}

async function writingResumes (server, token, thing, state) {
  await until(async () => {
    const answer = await server.post(chat(token, thing), { again: true })
    if (answer.status !== 200) return false
    state.ids.push(answer.json().id)
    return true
  }, 'writing again', scaled(20000))
}

async function isWell (server) {
  await until(async () => (await server.get('/health')).status === 200, 'good health again', scaled(10000))
}

// onDisk: its file system stays full, so large messages may go on being refused
async function cycles (server, client, token, { onDisk = false, betweenFillAndTrim = async () => {} } = {}) {
  const state = { n: 0, ids: [] }
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    checkRefusal(await fill(server, token, 'big', state))
    await checkReading(server, token, 'big', state)
    const finish = await betweenFillAndTrim(state)
    await trimHalf(client, token, 'big', state)
    await finish?.()
    await writingResumes(server, token, 'big', state)
    if (!onDisk) await isWell(server)
    await checkKept(server, token, 'big', state)
  }
  await server.kill9()
  await server.restart()
  await checkKept(server, token, 'big', state)
  assert.equal((await server.post(chat(token, 'big'), { last: true })).status, 200)
}

function unmount (folder) {
  execFileSync('umount', [folder])
  fs.rmdirSync(folder)
}

describe('a full map', { timeout: scaled(300000) }, () => {
  const server = new Server({ set: { 'store.map_size': 64 * MiB, 'limits.token_share': 100 } })
  let client
  before(async () => { await server.start(); client = await administrator(server.data) })
  after(async () => { client.end(true); await server.close() })

  it('refuses clearly, goes on reading, trims each time, and writing resumes', async () => {
    await cycles(server, client, newToken())
  })
})

describe('a full map with a pinned reader', { timeout: scaled(300000) }, () => {
  const server = new Server({ set: { 'store.map_size': 16 * MiB, 'limits.token_share': 100 } })
  let client
  before(async () => { await server.start(); client = await administrator(server.data) })
  after(async () => { client.end(true); await server.close() })

  it('trims while another process holds a snapshot, and writing resumes when it lets go', async () => {
    const betweenFillAndTrim = async () => {
      const reader = spawn(process.env.PIN_READER, [server.data], { stdio: ['pipe', 'pipe', 'inherit'] })
      await within(new Promise((resolve) => reader.stdout.once('data', resolve)), 'pinned snapshot')
      return async () => {
        const gone = new Promise((resolve) => reader.once('exit', resolve))
        reader.stdin.end()
        await within(gone, 'end of the reader')
      }
    }
    await cycles(server, client, newToken(), { betweenFillAndTrim })
  })
})

// A small file system of our own; needs root, as `make test` in CI has.
function mountSmall (size) {
  const folder = temporaryFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'pipe' })
    return folder
  } catch (error) {
    fs.rmdirSync(folder)
    return null
  }
}

describe('a full disk', { timeout: scaled(300000) }, () => {
  const mountable = mountSmall(MiB)
  if (!mountable) {
    it('cannot be tested here', { skip: 'mounting a tmpfs needs root: run as root to include this' }, () => {})
    return
  }
  unmount(mountable)

  // two steps of 64 MiB are allocated ahead
  async function onSmallDisk (body) {
    const folder = mountSmall(256 * MiB)
    const server = new Server({ data: path.join(folder, 'data'), set: { 'store.map_size': 1024 * MiB, 'limits.token_share': 100 } })
    try {
      await server.start()
      const client = await administrator(server.data)
      await body(server, client, folder)
      client.end(true)
    } finally {
      await server.close()
      unmount(folder)
    }
  }

  it('refuses clearly, goes on reading, trims each time, and writing resumes', async () => {
    await onSmallDisk((server, client) => cycles(server, client, newToken(), { onDisk: true }))
  })

  it('somebody else fills it to the last byte: trimming works all the same', async () => {
    await onSmallDisk(async (server, client, folder) => {
      const token = newToken()
      const state = { n: 0, ids: [] }
      for (let i = 0; i < 200; i++) {
        state.ids.push(await server.say(token, 'small', { n: state.n++, filler: 'x'.repeat(60000) }))
      }
      const hog = path.join(folder, 'hog')
      const fd = fs.openSync(hog, 'w')
      try {
        for (;;) fs.writeSync(fd, Buffer.alloc(65536))
      } catch (error) {
        assert.equal(error.code, 'ENOSPC')
      }
      fs.closeSync(fd)
      checkRefusal(await fill(server, token, 'small', state))
      await trimHalf(client, token, 'small', state)
      await checkKept(server, token, 'small', state)
      fs.unlinkSync(hog)
      await writingResumes(server, token, 'small', state)
      await isWell(server)
    })
  })
})
