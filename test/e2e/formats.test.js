'use strict'
// In which form an answer comes, and what caches may do with it.
const assert = require('node:assert/strict')
const http = require('node:http')
const { it } = require('node:test')
const { decode } = require('@msgpack/msgpack')
const { suite, newToken, chat } = require('./harness/server')
const { within } = require('./harness/waits')

const MIB = 1024 * 1024

suite('Formats', {}, (server) => {
  const token = newToken()

  it('`application/ndjson`, `application/jsonl` and their like are names of NDJSON', async () => {
    for (let n = 0; n < 60; n++) await server.say(token, 'many', { n })
    for (const Accept of ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonl', 'application/jsonlines', 'application/x-jsonlines']) {
      const answer = await server.get(chat(token, 'many', '/history'), { Accept })
      assert.equal(answer.headers['content-type'], Accept)
      assert.equal(answer.lines.length, 60, Accept)
    }
  })

  it('`application/vnd.msgpack` and `application/x-msgpack` are names of MessagePack, both ways', async () => {
    for (const name of ['application/msgpack', 'application/vnd.msgpack', 'application/x-msgpack']) {
      const posted = await server.post(chat(token, name), Buffer.from([0x81, 0xa1, 0x61, 0x01]), { 'Content-Type': name })
      assert.equal(posted.status, 200, posted.text)
      for (const path of ['/latest', '/history']) {
        const answer = await server.get(chat(token, name, path), { Accept: name })
        assert.equal(answer.headers['content-type'], name)
        assert.deepEqual([decode(answer.body)].flat()[0].chat, { a: 1 })
      }
    }
  })

  it('`?format=` wins over Accept, since links and spreadsheets send no header of their own', async () => {
    await server.say(token, 'formed', { n: 1 })
    const types = { json: /^application\/json/, ndjson: /^application\/x-ndjson/, jsonl: /^application\/jsonl/, csv: /^text\/csv/, msgpack: /^application\/msgpack/ }
    for (const [format, type] of Object.entries(types)) {
      for (const Accept of ['*/*', 'application/json', 'text/html']) {
        const answer = await server.get(chat(token, 'formed', `/history?format=${format}`), { Accept })
        assert.equal(answer.status, 200)
        assert.match(answer.headers['content-type'], type)
      }
    }
    assert.match((await server.get(chat(token, 'formed', '/latest?format=msgpack'))).headers['content-type'], types.msgpack)
    assert.match((await server.get(chat(token, 'formed', '/latest?format=json'), { Accept: 'application/msgpack' })).headers['content-type'], types.json)
  })

  it('an unknown format → 400 that lists them', async () => {
    const history = await server.get(chat(token, 'formed', '/history?format=xml'))
    assert.equal(history.status, 400)
    assert.match(history.json().error, /json, ndjson, csv, msgpack or jsonl/)
    const latest = await server.get(chat(token, 'formed', '/latest?format=csv'))
    assert.equal(latest.status, 400)
    assert.match(latest.json().error, /json or msgpack/)
  })

  it('CSV says that it is UTF-8', async () => {
    await server.say(token, 'warm', { t: '21 °C' })
    const { headers } = await server.get(chat(token, 'warm', '/history'), { Accept: 'text/csv' })
    assert.equal(headers['content-type'], 'text/csv; charset=utf-8')
  })

  it('CSV has no cell that a spreadsheet would run', async () => {
    const own = newToken()
    const device = await server.device({ token: own })
    const things = ['=HYPERLINK("x?"&A1)', '-2-3', '@SUM(A1)', '＝1', ' =1', '\'=1', 'plain', '-3.5']
    const payloads = ['{"a":1}', '=1', '@x', '-1-1', '+1', '\t[1]', '\r\n {"b":2}', '-3.5', 'plain']
    for (const thing of things) {
      for (const payload of payloads) await device.publish(`${own}/${thing}`, payload)
      const { text } = await server.get(chat(own, thing, '/history?format=csv'))
      const cells = text.split('\r\n').slice(1, -1).map((line) => /^\d+,"((?:[^"]|"")*)",[^,]*,"((?:[^"]|"")*)"$/s.exec(line)?.slice(1).map((cell) => cell.replaceAll('""', '"')))
      assert.equal(cells.length, payloads.length, text)
      for (const [name, chat] of cells) {
        for (const cell of [name, chat]) {
          assert.ok(!/^ *[=+\-@\t\r\n＝＋－＠]/.test(cell) || cell === '-3.5', JSON.stringify(cell))
        }
        assert.equal(name.replace(/^'/, ''), thing, 'one quote taken away gives the name back')
      }
      const numbers = cells.map((cell) => cell[1]).filter((cell) => cell === '-3.5')
      assert.equal(numbers.length, 1, 'a number stays one')
    }
  })
})

suite('Caches', {}, (server) => {
  const token = newToken()
  const control = async (path, headers) => (await server.get(path, headers)).headers['cache-control'] ?? 'none'

  // RFC 9111 §4.2.2: without it 200 and 404 may be kept for a while.
  it('every answer that changes says so: no-store, or no-cache where there is an ETag', async () => {
    assert.equal(await control(chat(token, 'x', '/latest')), 'no-store')
    await server.say(token, 'x', { n: 1 })
    assert.equal(await control(chat(token, 'x', '/latest')), 'no-cache')
    for (const format of ['json', 'ndjson', 'csv', 'msgpack']) {
      assert.equal(await control(chat(token, 'x', `/history?format=${format}`)), 'no-store')
    }
    assert.equal(await control(`/${token}/things`), 'no-store')
    assert.equal(await control('/health'), 'no-store')
    assert.equal((await server.post('/tokens')).headers['cache-control'], 'no-store')
    for (const path of ['/nothing', `/${token}/chat/%23/latest`, chat(token, 'x')]) {
      assert.equal(await control(path), 'no-store', path)
    }
  })

  it('a strong ETag for each representation', async () => {
    const id = await server.say(token, 'tagged', { n: 1 })
    const path = chat(token, 'tagged', '/latest')
    const json = (await server.get(path)).headers
    const msgpack = (await server.get(path, { Accept: 'application/msgpack' })).headers
    assert.equal(json.etag, `"${id}"`)
    assert.notEqual(msgpack.etag, json.etag)
    assert.deepEqual([json.vary, msgpack.vary], ['Accept', 'Accept'])
    for (const [Accept, known, status] of [
      ['application/json', json.etag, 304], ['application/json', msgpack.etag, 200],
      ['application/msgpack', msgpack.etag, 304], ['application/msgpack', json.etag, 200]]) {
      const answer = await server.get(path, { Accept, 'If-None-Match': known })
      assert.equal(answer.status, status, `${Accept} ${known}`)
      if (status === 304) assert.equal(answer.headers.etag, known)
    }
    assert.equal((await server.get(`${path}?format=msgpack`)).headers.etag, msgpack.etag)
  })
})

suite('MessagePack of a long history', {}, (server) => {
  const token = newToken()
  const asMsgpack = { Accept: 'application/msgpack' }

  it('readers that do not read take hardly any memory', async () => {
    const fill = 'x'.repeat(90000)
    for (let n = 0; n < 250; n++) await server.say(token, 'huge', { n, fill })
    const { hostname, port } = new URL(server.base)
    const open = () => within(new Promise((resolve, reject) => {
      http.get({ hostname, port, path: chat(token, 'huge', '/history?limit=1000'), headers: asMsgpack, agent: false }, resolve)
        .on('error', reject)
    }), 'head of the answer')
    const before = server.privateMemory()
    const unread = []
    for (let n = 0; n < 20; n++) unread.push(await open())
    const grown = server.privateMemory() - before
    assert.ok(grown < 32 * MIB, `20 readers of 21 MiB: ${(grown / MIB).toFixed(1)} MiB`)
    const parts = []
    for await (const part of unread[19]) parts.push(part)
    const messages = decode(Buffer.concat(parts))
    assert.deepEqual(messages.map(({ chat }) => chat.n), Array.from({ length: 250 }, (_, n) => 249 - n))
    for (const response of unread) response.destroy()
  })

  it('what is stored or trimmed while it is sent does not break the array', async () => {
    // plan of open mode: `local`
    await server.close()
    server.set['plan:local.retention_count'] = 300
    server.folder = null
    await server.start()
    const fill = 'x'.repeat(60000)
    const ids = []
    for (let n = 0; n < 300; n++) ids.push(await server.say(token, 'moving', { n, fill }))
    for (const order of ['desc', 'asc']) {
      const { hostname, port } = new URL(server.base)
      const response = await within(new Promise((resolve, reject) => {
        http.get({ hostname, port, path: chat(token, 'moving', `/history?limit=1000&order=${order}`), headers: asMsgpack, agent: false }, resolve)
          .on('error', reject)
      }), 'head of the answer')
      for (let n = 0; n < 100; n++) ids.push(await server.say(token, 'moving', { n, fill }))
      const parts = []
      for await (const part of response) parts.push(part)
      const got = decode(Buffer.concat(parts))
      assert.equal(got.length, 300, order)
      const there = got.filter((message) => message !== null).map(({ id }) => id)
      const end = got.length - there.length
      assert.ok(got.slice(300 - end).every((message) => message === null), 'nil at the end only')
      if (order === 'desc') assert.ok(end > 0, 'some were trimmed before they were sent')
      const asked = ids.slice(-400, -100)
      const expected = order === 'desc' ? [...asked].reverse() : asked
      // of what there was, all but what was trimmed meanwhile
      assert.deepEqual(there, expected.filter((id) => there.includes(id)))
      for (const id of asked.slice(100)) assert.ok(there.includes(id), `${order}: ${id} was never trimmed`)
    }
  })
})
