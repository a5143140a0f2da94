'use strict'
// GET /{token}/chat/{thing}/history
const assert = require('node:assert/strict')
const http = require('node:http')
const { it, before } = require('node:test')
const { suite, newToken, chat, until } = require('./harness/server')
const { within, sleep } = require('./harness/waits')

const NDJSON = { Accept: 'application/x-ndjson' }
const CSV = { Accept: 'text/csv' }

// RFC 4180, as strictly as a spreadsheet reads it.
function parseCsv (text) {
  const rows = [['']]
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const row = rows.at(-1)
    if (quoted) {
      if (text[i] !== '"') row[row.length - 1] += text[i]
      else if (text[i + 1] === '"') row[row.length - 1] += text[i++]
      else quoted = false
    } else if (text[i] === '"') {
      assert.equal(row.at(-1), '', 'a quote only at the start of a field')
      quoted = true
    } else if (text[i] === ',') row.push('')
    else if (text[i] === '\n') rows.push([''])
    else if (text[i] !== '\r') row[row.length - 1] += text[i]
  }
  assert.equal(quoted, false, 'last quote closed')
  assert.deepEqual(rows.pop(), [''], 'last line ended')
  return rows
}

// `count` messages {"n":1} … {"n":count} by MQTT, the fastest way in; → ids
async function fill (server, token, thing, count, payload = (n) => `{"n":${n}}`) {
  const device = await server.device({ token })
  const acks = []
  for (let n = 1; n <= count; n++) acks.push(device.publish(`${token}/${thing}`, payload(n)))
  for (const ack of await Promise.all(acks)) assert.equal(ack.code, 0)
  await device.end()
}

const numbers = (messages) => messages.map((message) => message.chat.n)
const countdown = (from, to) => Array.from({ length: from - to + 1 }, (_, i) => from - i)

suite('GET /{token}/chat/{thing}/history?limit=', {}, (server) => {
  it('array, newest first, of `{id, thing, chat, createdAt}`', async () => {
    const token = newToken()
    const ids = []
    for (let n = 1; n <= 3; n++) ids.push(await server.say(token, 'a/b', { n }))
    const answer = await server.get(chat(token, 'a/b', '/history'))
    assert.equal(answer.status, 200)
    assert.match(answer.headers['content-type'], /^application\/json/)
    const history = answer.json()
    assert.deepEqual(history.map(({ id }) => id), ids.reverse())
    assert.deepEqual(numbers(history), [3, 2, 1])
    for (const message of history) {
      assert.deepEqual(Object.keys(message), ['id', 'thing', 'chat', 'createdAt'])
      assert.equal(message.thing, 'a/b')
      assert.match(message.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    }
    assert.deepEqual(history[0].createdAt, (await server.latest(token, 'a/b')).createdAt)
  })

  it('`[]` for an unknown thing', async () => {
    const token = newToken()
    assert.deepEqual(await server.history(token, 'nothing'), [])
    await server.say(token, 'something', {})
    assert.deepEqual(await server.history(token, 'nothing'), [])
    assert.equal((await server.get(chat(token, 'nothing', '/history'), NDJSON)).text, '')
    assert.deepEqual(parseCsv((await server.get(chat(token, 'nothing', '/history'), CSV)).text),
      [['id', 'thing', 'createdAt', 'chat']])
  })

  it('not a positive integer → 400', async () => {
    const token = newToken()
    await server.say(token, 'x', {})
    for (const limit of ['0', '-1', '1.5', 'abc', '', '1e3', '%205', '5x', '0x10', '+', '-0', '%00']) {
      for (const headers of [{}, NDJSON, CSV]) {
        const answer = await server.get(chat(token, 'x', `/history?limit=${limit}`), headers)
        assert.equal(answer.status, 400, `limit=${limit}: ${answer.text}`)
        assert.equal(typeof answer.json().error, 'string')
      }
    }
  })
})

suite('GET /{token}/chat/{thing}/history of a long history', {}, (server) => {
  const token = newToken()
  let ids

  before(async () => {
    await fill(server, token, 'long', 1234)
    const lines = (await server.get(chat(token, 'long', '/history'), NDJSON)).lines
    ids = lines.map((line) => JSON.parse(line).id).reverse() // ids[n - 1]
  })

  it('limit: default 50', async () => {
    assert.deepEqual(numbers(await server.history(token, 'long')), countdown(1234, 1185))
  })

  it('limit: as many as asked for', async () => {
    for (const limit of [1, 2, 15, 16, 17, 49, 51, 999, 1000]) {
      assert.deepEqual(numbers(await server.history(token, 'long', `?limit=${limit}`)),
        countdown(1234, 1234 - limit + 1))
    }
  })

  it('limit: max 1000, larger is clamped', async () => {
    for (const limit of ['1001', '5000', '4294967297', '99999999999999999999999999']) {
      assert.deepEqual(numbers(await server.history(token, 'long', `?limit=${limit}`)), countdown(1234, 235))
    }
  })

  it('`before=<id>`', async () => {
    for (const n of [1234, 1000, 500, 17, 16, 2]) {
      assert.deepEqual(numbers(await server.history(token, 'long', `?limit=3&before=${ids[n - 1]}`)),
        countdown(n - 1, Math.max(1, n - 3)))
    }
    assert.deepEqual(await server.history(token, 'long', `?before=${ids[0]}`), [])
    assert.deepEqual(numbers(await server.history(token, 'long', `?limit=1&before=${ids[1233] + 1000}`)), [1234])
  })

  it('`after=<id>`', async () => {
    for (const n of [1233, 1232, 1200]) {
      assert.deepEqual(numbers(await server.history(token, 'long', `?after=${ids[n - 1]}`)), countdown(1234, n + 1))
    }
    assert.deepEqual(await server.history(token, 'long', `?after=${ids[1233]}`), [])
    assert.deepEqual(numbers(await server.history(token, 'long', '?after=0&limit=2')), [1234, 1233])
    assert.deepEqual(numbers(await server.history(token, 'long', `?after=${ids[99]}&before=${ids[109]}`)), countdown(109, 101))
  })

  it('`order=asc`', async () => {
    assert.deepEqual(numbers(await server.history(token, 'long', '?order=asc&limit=4')), [1, 2, 3, 4])
    assert.deepEqual(numbers(await server.history(token, 'long', `?order=asc&limit=20&after=${ids[9]}`)),
      countdown(30, 11).reverse())
    assert.deepEqual(numbers(await server.history(token, 'long', `?order=asc&limit=2&before=${ids[9]}`)), [1, 2])
    assert.deepEqual(numbers(await server.history(token, 'long', '?order=asc')), countdown(50, 1).reverse())
    assert.deepEqual(numbers(await server.history(token, 'long', '?order=desc&limit=2')), [1234, 1233])
    assert.equal((await server.get(chat(token, 'long', '/history?order=sideways'))).status, 400)
  })

  it('pages with `before` and `after` meet without gap or double', async () => {
    const down = []
    for (let before = ''; ;) {
      const page = await server.history(token, 'long', `?limit=100${before}`)
      if (page.length === 0) break
      down.push(...numbers(page))
      before = `&before=${page.at(-1).id}`
    }
    assert.deepEqual(down, countdown(1234, 1))
    const up = []
    for (let after = '0'; ;) {
      const page = await server.history(token, 'long', `?limit=100&order=asc&after=${after}`)
      if (page.length === 0) break
      up.push(...numbers(page))
      after = page.at(-1).id
    }
    assert.deepEqual(up, countdown(1234, 1).reverse())
  })

  it('`before`, `after`: a bad value → 400', async () => {
    for (const name of ['before', 'after']) {
      for (const value of ['', 'x', '-1', '1.5', '1x', '99999999999999999999999']) {
        const answer = await server.get(chat(token, 'long', `/history?${name}=${value}`))
        assert.equal(answer.status, 400, `${name}=${value}: ${answer.text}`)
      }
    }
  })

  it('`Accept: application/x-ndjson`: everything without `limit`', async () => {
    const answer = await server.get(chat(token, 'long', '/history'), NDJSON)
    assert.match(answer.headers['content-type'], /^application\/x-ndjson/)
    const messages = answer.lines.map((line) => JSON.parse(line))
    assert.deepEqual(numbers(messages), countdown(1234, 1))
    assert.deepEqual(Object.keys(messages[0]), ['id', 'thing', 'chat', 'createdAt'])
    assert.ok(answer.text.endsWith('\n'))
  })

  it('`Accept: application/x-ndjson`: exactly `limit` with it, no clamp', async () => {
    for (const limit of [1, 50, 1001, 1234, 5000]) {
      const answer = await server.get(chat(token, 'long', `/history?limit=${limit}`), NDJSON)
      assert.equal(answer.lines.length, Math.min(limit, 1234))
    }
  })

  it('`text/csv` (header `id,thing,createdAt,chat`): everything without `limit`, exactly `limit` with it', async () => {
    const answer = await server.get(chat(token, 'long', '/history'), CSV)
    assert.match(answer.headers['content-type'], /^text\/csv/)
    const [header, ...rows] = parseCsv(answer.text)
    assert.deepEqual(header, ['id', 'thing', 'createdAt', 'chat'])
    assert.equal(rows.length, 1234)
    assert.deepEqual(rows.map((row) => JSON.parse(row[3]).n), countdown(1234, 1))
    assert.deepEqual(rows.map((row) => Number(row[0])), [...ids].reverse())
    const limited = await server.get(chat(token, 'long', '/history?limit=1100'), CSV)
    assert.equal(parseCsv(limited.text).length, 1101)
  })

  it('NDJSON and CSV take before, after and order, too', async () => {
    const query = `/history?order=asc&after=${ids[99]}&before=${ids[109]}`
    const lines = (await server.get(chat(token, 'long', query), NDJSON)).lines
    assert.deepEqual(numbers(lines.map((line) => JSON.parse(line))), countdown(109, 101).reverse())
    const [, ...rows] = parseCsv((await server.get(chat(token, 'long', query), CSV)).text)
    assert.deepEqual(rows.map((row) => JSON.parse(row[3]).n), countdown(109, 101).reverse())
  })
})

suite('GET /{token}/chat/{thing}/history by time and as text', {}, (server) => {
  // Three messages whose shown times (milliseconds) differ.
  async function threeMoments (token) {
    const moments = []
    for (let n = 1; n <= 3; n++) {
      await server.say(token, 'timed', { n })
      const { createdAt } = await server.latest(token, 'timed')
      moments.push(createdAt)
      while (Date.now() <= Date.parse(createdAt) + 1) await sleep(1)
    }
    return moments
  }

  it('`until=` exclusive, `since=` inclusive (ISO 8601 or epoch ms)', async () => {
    const token = newToken()
    const [first, second, third] = await threeMoments(token)
    const list = async (query) => numbers(await server.history(token, 'timed', query))
    for (const spell of [encodeURIComponent, (iso) => Date.parse(iso)]) {
      assert.deepEqual(await list(`?since=${spell(second)}`), [3, 2])
      assert.deepEqual(await list(`?until=${spell(second)}`), [1])
      assert.deepEqual(await list(`?since=${spell(first)}&until=${spell(third)}`), [2, 1])
      assert.deepEqual(await list(`?since=${spell(second)}&until=${spell(second)}`), [])
      assert.deepEqual(await list(`?since=${spell(second)}&order=asc`), [2, 3])
    }
    assert.deepEqual(await list('?since=0'), [3, 2, 1])
    assert.deepEqual(await list(`?since=${Date.now() + 60000}`), [])
    assert.deepEqual(await list('?until=0'), [])
  })

  it('ISO 8601: without fraction, with an offset, a date alone', async () => {
    const token = newToken()
    await server.say(token, 'timed', { n: 1 })
    const at = Date.parse((await server.latest(token, 'timed')).createdAt)
    const list = async (query) => numbers(await server.history(token, 'timed', query))
    const seconds = new Date(at - 1000).toISOString().slice(0, 19) + 'Z'
    assert.deepEqual(await list(`?since=${seconds}`), [1])
    assert.deepEqual(await list(`?until=${seconds}`), [])
    const shifted = new Date(at - 1000 + 2 * 3600000).toISOString().slice(0, 19) + '%2B02:00'
    assert.deepEqual(await list(`?since=${shifted}`), [1])
    assert.deepEqual(await list(`?until=${shifted}`), [])
    assert.deepEqual(await list(`?since=${new Date(at).toISOString().slice(0, 10)}`), [1])
  })

  it('`since`, `until`: a bad value → 400', async () => {
    const token = newToken()
    await server.say(token, 'timed', {})
    for (const name of ['since', 'until']) {
      for (const value of ['', 'yesterday', '2024-13-01', '2024-02-30T00:00:00Z', '2024-01-01T25:00:00Z', '-5x', '1.2.3', '%00']) {
        const answer = await server.get(chat(token, 'timed', `/history?${name}=${value}`))
        assert.equal(answer.status, 400, `${name}=${value}: ${answer.text}`)
        assert.equal(typeof answer.json().error, 'string')
      }
    }
  })

  it('in NDJSON CR and LF outside strings become spaces', async () => {
    const token = newToken()
    await server.say(token, 'pretty', '{\r\n  "a": "line\\nend",\n  "b":\r1\n}')
    const { lines } = await server.get(chat(token, 'pretty', '/history'), NDJSON)
    assert.equal(lines.length, 1)
    assert.ok(!lines[0].includes('\r'))
    assert.ok(lines[0].includes('{    "a": "line\\nend",   "b": 1 }'), lines[0])
    assert.deepEqual(JSON.parse(lines[0]).chat, { a: 'line\nend', b: 1 })
  })

  it('CSV keeps commas, quotes and line ends', async () => {
    const token = newToken()
    const thing = 'a "quoted", thing'
    const body = '{\n"text":"comma, quote \\" and\\nline"}'
    const id = await server.say(token, thing, body)
    const { createdAt } = await server.latest(token, thing)
    const rows = parseCsv((await server.get(chat(token, thing, '/history'), CSV)).text)
    assert.equal(rows.length, 2)
    assert.deepEqual(rows[1].slice(0, 3), [String(id), thing, createdAt])
    assert.deepEqual(JSON.parse(rows[1][3]), JSON.parse(body))
  })

  it('an Accept header that names neither gets JSON', async () => {
    const token = newToken()
    await server.say(token, 'x', { n: 1 })
    for (const Accept of ['*/*', 'application/json', 'text/html, */*;q=0.1']) {
      const answer = await server.get(chat(token, 'x', '/history'), { Accept })
      assert.deepEqual(numbers(answer.json()), [1])
    }
  })

  it('streams any length without holding it in memory', async () => {
    const token = newToken()
    const MIB = 1024 * 1024
    const body = (n) => `{"n":${n},"fill":"${'x'.repeat(MIB - 100)}"}`
    for (let n = 1; n <= 48; n++) await server.say(token, 'huge', body(n))
    const before = server.privateMemory()
    const { hostname, port } = new URL(server.base)
    const response = await within(new Promise((resolve, reject) => {
      http.get({ hostname, port, path: chat(token, 'huge', '/history'), headers: NDJSON, agent: false }, resolve)
        .on('error', reject)
    }), 'head of the answer')
    let seen = 0
    let peak = 0
    let rest = ''
    for await (const part of response) {
      rest += part.toString('latin1')
      const lines = rest.split('\n')
      rest = lines.pop()
      for (const line of lines) assert.equal(JSON.parse(line).chat.n, 48 - seen++)
      peak = Math.max(peak, server.privateMemory())
      // a reader slower than the server, so that its buffers would fill
      if (seen < 8) await sleep(5)
    }
    assert.equal(seen, 48)
    assert.ok(peak - before < 16 * MIB, `grew by ${((peak - before) / MIB).toFixed(1)} MiB for 48 MiB`)
  })

  it('a reader that goes away in the middle of a long history does no harm', async () => {
    const token = newToken()
    for (let n = 1; n <= 8; n++) await server.say(token, 'cut', { n, fill: 'x'.repeat(900000) })
    const { hostname, port } = new URL(server.base)
    await within(new Promise((resolve, reject) => {
      const going = http.get({ hostname, port, path: chat(token, 'cut', '/history'), headers: NDJSON, agent: false }, (response) => {
        response.once('data', () => { going.destroy(); resolve() })
      })
      going.on('error', reject)
    }), 'first part')
    await until(async () => (await server.get(chat(token, 'cut', '/history?limit=1'))).status === 200, 'next answer')
    assert.equal((await server.get(chat(token, 'cut', '/history'), NDJSON)).lines.length, 8)
  })
})
