'use strict'
// PATCH and DELETE of messages, DELETE of things: what every reader is told.
const assert = require('node:assert/strict')
const { it } = require('node:test')
const { suite, newToken, chat } = require('./harness/server')
const { Socket } = require('./harness/socket')
const { Arrivals, within, sleep } = require('./harness/waits')

const patch = (server, token, thing, id, body, headers) =>
  server.request(chat(token, thing, `/${id}`), { method: 'PATCH', body, headers })
const remove = (server, token, thing, id, headers) =>
  server.request(chat(token, thing, id === undefined ? '' : `/${id}`), { method: 'DELETE', headers })

async function done (answer) {
  const got = await answer
  assert.equal(got.status, 200, got.text)
  return got.json()
}

for (const workers of [1, 4]) {
  suite(`edit, delete and purge, mqtt.workers ${workers}`, { set: { 'mqtt.workers': workers, 'http.streamers': workers } }, (server) => {
    it('history and latest show what was made of it', async () => {
      const token = newToken()
      const ids = []
      for (const n of [1, 2, 3]) ids.push(await server.say(token, 'room', { n }))
      const edited = await done(patch(server, token, 'room', ids[1], { n: 'two' }))
      assert.deepEqual({ ...edited, changeId: 0 }, { status: 'ok', id: ids[1], changeId: 0 })
      assert.ok(edited.changeId > ids[2])
      await done(remove(server, token, 'room', ids[2]))
      const [third, second, first] = await server.history(token, 'room')
      assert.deepEqual(Object.keys(first), ['id', 'thing', 'chat', 'createdAt'])
      assert.deepEqual(second.chat, { n: 'two' })
      assert.ok(Date.parse(second.editedAt) >= Date.parse(second.createdAt))
      assert.deepEqual(Object.keys(third), ['id', 'thing', 'createdAt', 'deletedAt'])
      const latest = await server.latest(token, 'room')
      assert.equal(latest.id, ids[1])
      assert.equal(latest.editedAt, second.editedAt)
      const csv = await server.get(chat(token, 'room', '/history?format=csv'))
      assert.equal(csv.text.trim().split('\r\n').length, 3) // no row of the deleted one
    })

    it('the ETag of latest changes with an edit', async () => {
      const token = newToken()
      const id = await server.say(token, 'room', { n: 1 })
      const before = await server.get(chat(token, 'room', '/latest'))
      await done(patch(server, token, 'room', id, { n: 2 }))
      const after = await server.get(chat(token, 'room', '/latest'), { 'If-None-Match': before.headers.etag })
      assert.equal(after.status, 200)
      assert.notEqual(after.headers.etag, before.headers.etag)
      const same = await server.get(chat(token, 'room', '/latest'), { 'If-None-Match': after.headers.etag })
      assert.equal(same.status, 304)
    })

    it('streams and WebSockets get events in order, also across a reconnect', async () => {
      const token = newToken()
      const listeners = [await server.listen(token, 'room'), await server.listening(`/${token}/listen?things=%23`)]
      const socket = await Socket.open(server, token)
      await socket.follow('#')
      const first = await server.say(token, 'room', { n: 1 })
      const edited = await done(patch(server, token, 'room', first, { text: 'a\nb' }))
      const second = await server.say(token, 'room', { n: 2 })
      const deleted = await done(remove(server, token, 'room', first))
      await done(remove(server, token, 'room'))
      for (const listener of listeners) {
        assert.equal((await listener.expect('message')).id, first)
        const block = await listener.event()
        assert.equal(block.event, 'edit')
        assert.equal(Number(block.id), edited.changeId)
        const edit = JSON.parse(block.data)
        assert.deepEqual(edit.chat, { text: 'a\nb' })
        assert.equal(edit.id, first)
        assert.equal(edit.changeId, edited.changeId)
        assert.equal((await listener.expect('message')).id, second)
        const gone = await listener.expect('delete')
        assert.equal(gone.id, first)
        assert.equal(gone.chat, undefined)
        const purged = await listener.expect('purge')
        assert.equal(purged.thing, 'room')
        assert.ok(purged.before > second)
      }
      assert.equal((await socket.expect('message')).id, first)
      const { edit } = await socket.expect('edit')
      assert.equal(edit.changeId, edited.changeId)
      assert.equal((await socket.expect('message')).id, second)
      assert.equal((await socket.expect('delete')).delete.changeId, deleted.changeId)
      assert.ok((await socket.expect('purge')).purge.changeId > deleted.changeId)
    })

    it('confab thing purge and confab room delete tell readers as DELETE does', async () => {
      const token = await server.planToken('home')
      for (const thing of ['lamp', 'rooms/hall']) {
        const id = await server.say(token, thing, { n: 1 })
        const listener = await server.listen(token, thing)
        const socket = await Socket.open(server, token)
        await socket.follow(thing)
        const device = await server.device({ token })
        await device.subscribe(`$events/${token}/purge/#`)
        const cli = thing === 'lamp'
          ? [['thing', 'purge', '--', `${token}/lamp`]]
          : [['room', 'create', '-t', token, 'hall'], ['room', 'delete', '-t', token, 'hall']]
        for (const args of cli) {
          const { code, stderr } = await server.cli(...args)
          assert.equal(code, 0, stderr)
        }
        const purged = await listener.expect('purge')
        assert.equal(purged.thing, thing)
        assert.ok(purged.before > id)
        assert.equal((await socket.expect('purge')).purge.changeId, purged.changeId)
        assert.equal((await device.message()).topic, `$events/${token}/purge/${thing}`)
      }
    })

    it('who resumes behind a change gets it once, who is beyond it does not', async () => {
      const token = newToken()
      const [a, b] = [await server.say(token, 'x/a', { n: 1 }), await server.say(token, 'x/b', { n: 2 })]
      await done(patch(server, token, 'x/a', a, { n: 'one' }))
      const last = await done(patch(server, token, 'x/a', a, { n: 'uno' })) // in place of the first
      const c = await server.say(token, 'x/b', { n: 3 })
      const gone = await done(remove(server, token, 'x/b', c))
      const end = await server.say(token, 'x/a', { n: 4 })
      for (const path of [`/${token}/listen?things=x/%23`, `/${token}/listen?things=x/a,x/b`]) {
        const listener = await server.listening(path, { 'Last-Event-ID': String(b) })
        const edit = await listener.expect('edit')
        assert.deepEqual([edit.id, edit.chat, edit.changeId], [a, { n: 'uno' }, last.changeId])
        assert.equal((await listener.expect('delete')).id, c)
        assert.equal((await listener.expect('message')).id, end)
        const beyond = await server.listening(path, { 'Last-Event-ID': String(last.changeId) })
        assert.equal((await beyond.expect('delete')).id, c)
        const further = await server.listening(path, { 'Last-Event-ID': String(gone.changeId) })
        assert.equal((await further.expect('message')).id, end)
      }
      const socket = await Socket.open(server, token)
      await socket.follow('x/a', b)
      assert.deepEqual((await socket.expect('edit')).edit.chat, { n: 'uno' })
      assert.equal((await socket.expect('message')).id, end)
    })

    it('a real EventSource', async () => {
      const { EventSource } = await import('eventsource')
      const token = newToken()
      const source = new EventSource(server.base + chat(token, 'room', '/listen'))
      server.clients.push(() => source.close())
      const seen = new Arrivals('event of EventSource')
      const open = new Promise((resolve) => source.addEventListener('status', resolve))
      for (const type of ['message', 'edit', 'delete', 'purge']) {
        source.addEventListener(type, (event) => seen.push({ type, id: Number(event.lastEventId), data: JSON.parse(event.data) }))
      }
      await within(open, 'status')
      const id = await server.say(token, 'room', { n: 1 })
      const { changeId } = await done(patch(server, token, 'room', id, { n: 2 }))
      await done(remove(server, token, 'room', id))
      assert.equal((await seen.next()).type, 'message')
      const edit = await seen.next()
      assert.deepEqual([edit.type, edit.id, edit.data.chat], ['edit', changeId, { n: 2 }])
      assert.equal((await seen.next()).type, 'delete')
    })

    it('MQTT: new messages on the topic, the rest on $events', async () => {
      const token = newToken()
      const device = await server.subscriber(token, '#')
      const events = await server.device({ token })
      assert.deepEqual(await events.subscribe([`$events/${token}/+/room/#`], { qos: 1 }), [1])
      const id = await server.say(token, 'room/1', { n: 1 })
      const edited = await done(patch(server, token, 'room/1', id, { n: 2 }))
      await done(remove(server, token, 'room/1', id))
      await server.say(token, 'room/1', { n: 3 })
      await done(remove(server, token, 'room/1'))
      assert.equal((await device.message()).text, '{"n":1}')
      assert.equal((await device.message()).text, '{"n":3}')
      const edit = await events.message()
      assert.equal(edit.topic, `$events/${token}/edit/room/1`)
      assert.deepEqual(JSON.parse(edit.text).chat, { n: 2 })
      assert.equal(JSON.parse(edit.text).changeId, edited.changeId)
      assert.equal((await events.message()).topic, `$events/${token}/delete/room/1`)
      assert.equal((await events.message()).topic, `$events/${token}/purge/room/1`)
    })

    it('MQTT: retained messages and stored sessions', async () => {
      const token = newToken()
      const stored = { token, clientId: `stored-${token}`, clean: false, properties: { sessionExpiryInterval: 600 } }
      const away = await server.device(stored)
      await away.subscribe([`${token}/#`], { qos: 1 })
      await within(away.client.endAsync(), 'DISCONNECT')
      const kept = await server.say(token, 'lamp', { on: true })
      const gone = await server.say(token, 'lamp', { on: false })
      const id = (await done(server.post(chat(token, 'state', '?retain=1'), { on: 1 }))).id
      await done(patch(server, token, 'lamp', kept, { on: 'edited' }))
      await done(remove(server, token, 'lamp', gone))
      await done(patch(server, token, 'state', id, { on: 2 }))
      const late = await server.subscriber(token, 'state')
      assert.equal((await late.message()).text, '{"on":2}')
      await done(remove(server, token, 'state', id))
      await server.say(token, 'last', { n: 1 })
      const back = await server.device(stored)
      assert.equal((await back.message()).text, '{"on":"edited"}')
      assert.equal((await back.message()).text, '{"n":1}')
      const empty = await server.subscriber(token, ['state', 'last'])
      await server.say(token, 'last', { n: 2 })
      assert.equal((await empty.message()).text, '{"n":2}')
    })

    it('what is refused', async () => {
      const token = newToken()
      const id = await server.say(token, 'a', { n: 1 })
      const other = await server.say(token, 'b', { n: 1 })
      const cases = [
        [patch(server, token, 'a', other, {}), 404],
        [patch(server, token, 'a', 999999999, {}), 404],
        [patch(server, token, 'a', 'latest', {}), 405],
        [patch(server, token, 'a', 'word', {}), 404],
        [patch(server, token, 'a', id, 'no JSON'), 400],
        [patch(server, token, 'a', id, '[1]'), 400],
        [remove(server, token, 'nothing'), 404],
        [server.request(`/${token}/chat/a?before=yesterday`, { method: 'DELETE' }), 400],
        [server.request(`/${token}/chat/a?before=${Date.now()}`, { method: 'DELETE' }), 400], // a time, not an id
        [server.request(`/${token}/chat/a?before=2020-01-01+02:00`, { method: 'DELETE' }), 400], // + is a blank
        [server.request(`/${token}/chat/a?other=1`, { method: 'DELETE' }), 400],
        [patch(server, token, 'a', id, {}, { 'Idempotency-Key': 'x'.repeat(257) }), 400],
        [server.post(chat(token, 'a', `/${id}`), {}), 404],
        [server.get(chat(token, 'a', `/${id}`)), 404]
      ]
      for (const [i, [answer, status]] of cases.entries()) {
        assert.equal((await answer).status, status, `case ${i}`)
      }
      const texts = [
        [patch(server, token, 'a', 0, {}), /no such message/],
        [patch(server, token, 'a', '9'.repeat(30), {}), /no such message/],
        [remove(server, token, 'a', 0), /no such message/],
        [remove(server, token, 'nothing'), /no such thing/],
        [server.request(`/${token}/chat/nothing?before=2020-01-01`, { method: 'DELETE' }), /no such thing/]
      ]
      for (const [answer, text] of texts) assert.match((await answer).json().error, text)
      await done(remove(server, token, 'a', id))
      assert.equal((await remove(server, token, 'a', id)).status, 410)
      assert.equal((await patch(server, token, 'a', id, {})).status, 410)
    })

    it('keys need the right to manage; the user is shown', async () => {
      const token = await server.planToken('home')
      const key = async (body) => {
        const answer = await server.post(`/${token}/keys`, body)
        assert.equal(answer.status, 201, answer.text)
        return { Authorization: `Bearer ${answer.json().key}` }
      }
      const writer = await key({ publish: ['#'], subscribe: ['#'] })
      const manager = await key({ manage: ['open/#'], user: 'ann' })
      const id = await server.say(token, 'open/1', { n: 2 })
      const closed = await server.say(token, 'closed', { n: 2 })
      assert.equal((await patch(server, token, 'open/1', id, {}, writer)).status, 403)
      assert.equal((await remove(server, token, 'open/1', id, writer)).status, 403)
      assert.equal((await remove(server, token, 'open/1', undefined, writer)).status, 403)
      assert.equal((await patch(server, token, 'closed', closed, {}, manager)).status, 403)
      const listener = await server.listen(token, 'open/1')
      await done(patch(server, token, 'open/1', id, { n: 3 }, manager))
      assert.equal((await listener.expect('edit')).editedBy, 'ann')
      assert.equal((await server.latest(token, 'open/1')).editedBy, 'ann')
      const author = await key({ publish: ['#'], user: 'bob' })
      await server.say(token, 'open/1', { n: 4 }, author)
      assert.equal((await listener.expect('message')).sender, 'bob')
      assert.equal((await server.latest(token, 'open/1')).sender, 'bob')
    })

    it('an Idempotency-Key makes it happen once', async () => {
      const token = newToken()
      const once = { 'Idempotency-Key': 'k' }
      const id = await server.say(token, 'a', { n: 1 }, once)
      const first = await done(patch(server, token, 'a', id, { n: 2 }, once))
      await done(patch(server, token, 'a', id, { n: 3 }))
      assert.deepEqual(await done(patch(server, token, 'a', id, { n: 2 }, once)), first)
      assert.deepEqual((await server.latest(token, 'a')).chat, { n: 3 })
      assert.equal((await done(remove(server, token, 'a', undefined, once))).removed, 1)
      await server.say(token, 'a', { n: 4 })
      assert.equal((await done(remove(server, token, 'a', undefined, once))).removed, 1)
      assert.deepEqual((await server.latest(token, 'a')).chat, { n: 4 })
    })

    it('a purge before an id or a time leaves the rest', async () => {
      const token = newToken()
      const ids = []
      for (let n = 0; n < 5; n++) {
        ids.push(await server.say(token, 'a', { n }))
        await sleep(3)
      }
      assert.equal((await done(server.request(`/${token}/chat/a?before=${ids[2]}`, { method: 'DELETE' }))).removed, 2)
      const at = (await server.history(token, 'a', '?order=asc'))[1].createdAt
      assert.equal((await done(server.request(`/${token}/chat/a?before=${at}`, { method: 'DELETE' }))).removed, 1)
      assert.deepEqual((await server.history(token, 'a', '?order=asc')).map((m) => m.id), ids.slice(3))
      assert.equal((await done(remove(server, token, 'a'))).removed, 2)
      assert.deepEqual(await server.history(token, 'a'), [])
      assert.equal((await server.get(chat(token, 'a', '/latest'))).status, 404)
    })

    it('kill -9: what was acknowledged is there, and is told to who resumes', async () => {
      const token = newToken()
      const [a, b] = [await server.say(token, 'a', { n: 1 }), await server.say(token, 'a', { n: 2 })]
      const { changeId } = await done(patch(server, token, 'a', a, { n: 'one' }))
      await done(remove(server, token, 'a', b))
      await server.kill9()
      await server.restart()
      const [second, first] = await server.history(token, 'a')
      assert.deepEqual(first.chat, { n: 'one' })
      assert.ok(second.deletedAt)
      const listener = await server.listen(token, 'a', { 'Last-Event-ID': String(b) })
      assert.equal((await listener.expect('edit')).changeId, changeId)
      assert.equal((await listener.expect('delete')).id, b)
      await done(remove(server, token, 'a'))
      assert.equal((await listener.expect('purge')).thing, 'a')
    })
  })
}
