'use strict'
// `confab user` and `confab room`: by the running server, and on the data folder where
// none runs. The same must hold either way.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { it, before, after } = require('node:test')
const { Server, group, BINARY } = require('./harness/server')
const { run } = require('./harness/process')
const { scaled } = require('./harness/waits')

const lines = (text) => text.split('\n').filter((line) => line !== '')
const rows = (text) => lines(text).map((line) => line.split('\t'))
const PASSWORD = 'correct horse battery'

group('users and rooms on the command line', () => {
  for (const runs of [true, false]) {
    group(`${runs ? 'with' : 'without'} a running server`, () => {
      const server = new Server({ set: { 'tokens.access': 'registered' } })
      const cli = (args, input) => run(BINARY, server.cliArguments(...args), { input })
      const done = async (args, input) => {
        const { code, stdout, stderr } = await cli(args, input)
        assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
        return stdout
      }
      const refused = async (args, status, what, input) => {
        const { code, stdout, stderr } = await cli(args, input)
        assert.deepEqual([code, stdout], [status, ''], `${args.join(' ')}: ${stderr}`)
        assert.match(stderr, what)
        assert.equal(lines(stderr).length, status === 2 ? 2 : 1, stderr)
      }
      const user = (verb, ...rest) => done(['user', verb, '-t', 'acme', ...rest])
      const room = (verb, ...rest) => done(['room', verb, '-t', 'acme', ...rest])
      const shown = async (id) => JSON.parse(await user('show', '--json', id))
      const file = (name, text) => {
        const at = path.join(path.dirname(server.data), name)
        fs.writeFileSync(at, text)
        return at
      }

      before(async () => {
        if (runs) await server.start()
        await done(['tenant', 'create', 'acme'])
      })
      after(() => server.close())

      it('users of the rooms door are made by name, and root by nobody else', async () => {
        const door = (verb, ...rest) => ['user', verb, '--door', 'rooms', ...rest]
        const account = async (name) =>
          lines(await done(['user', 'list', '-t', 'community', '--json'])).map((line) => JSON.parse(line))
            .find((user) => user.name === name)
        await refused(door('create', '--password-file', '-', 'Anna'), 1, /unknown tenant/, PASSWORD)
        await done(['tenant', 'create', 'community'])
        const id = (await done(door('create', '--password-file', '-', 'Anna'), PASSWORD)).trim()
        assert.match(id, /^[A-Za-z0-9]{10}$/)
        const { user, password, attributes } = await account('anna')
        assert.deepEqual([user, password, attributes], [id, true, { displayName: `Anna (${id})` }])
        await refused(door('create', '--password-file', '-', 'aNNa'), 1, /there is a user of that name/, PASSWORD)
        for (const name of ['root', 'Admin', 'OWNER'])
          await refused(door('create', '--password-file', '-', name), 1, /reserved: it needs --root/, PASSWORD)
        for (const name of ['ann', 'an na', 'a'.repeat(33)])
          await refused(door('create', '--password-file', '-', name), 1, /a name has 4 to 32/, PASSWORD)
        await done(door('create', '--root', '--password-file', '-', 'root'), PASSWORD)
        assert.equal((await account('root')).attributes.root, true)
        await done(door('set', '--root', 'ANNA'))
        assert.deepEqual((await account('anna')).attributes, { displayName: `Anna (${id})`, root: true })
        await done(door('set', '--no-root', 'anna'))
        assert.deepEqual((await account('anna')).attributes, { displayName: `Anna (${id})` })
        await refused(door('set', '--root', 'nobody'), 1, /no such user/)
        await refused(door('set', 'anna'), 2, /needs --root or --no-root/)
        await refused(['user', 'create', '-t', 'acme', '--root', 'cy'], 2, /--door rooms only/)
      })

      it('users are created, shown, changed and listed', async () => {
        assert.equal(await user('create', 'ann'), '')
        assert.equal(await user('create', '--name', 'Bob', '--attributes', '{"a": 1, "b": "\u202e"}', 'bob'), '')
        const [ann, bob] = rows(await user('list'))
        assert.deepEqual([ann[0], ann[1], ann[2], ann[5]], ['ann', '-', '-', '{}'])
        assert.ok(Math.abs(Date.parse(ann[3]) - Date.now()) < scaled(60000), ann[3])
        assert.deepEqual(bob.slice(0, 3), ['bob', 'Bob', '-'])
        assert.ok(!bob[5].includes('\u202e'), bob[5])
        const { created, changed, ...rest } = await shown('bob')
        assert.deepEqual(rest, { user: 'bob', name: 'Bob', password: false, attributes: { a: 1, b: '\u202e' }, rooms: [] })
        assert.equal(created, changed)
        await user('set', '--merge', '--attributes', '{"a": null, "c": [2]}', 'bob')
        assert.deepEqual((await shown('bob')).attributes, { b: '\u202e', c: [2] })
        await user('set', '--attributes', '@' + file('attributes', '{\n"only":\n1}\n'), '--name', '', 'bob')
        const { name, attributes } = await shown('bob')
        assert.deepEqual([name, attributes], [null, { only: 1 }])
        const listed = lines(await user('list', '--json')).map((line) => JSON.parse(line))
        assert.deepEqual(listed.map((one) => one.user), ['ann', 'bob'])
      })

      it('passwords come from files and standard input, and only their hash stays', async () => {
        await user('create', '--password-file', file('password', PASSWORD + '\n'), 'carl')
        assert.equal((await shown('carl')).password, true)
        await user('passwd', '--no-password', 'carl')
        assert.equal((await shown('carl')).password, false)
        await done(['user', 'passwd', '-t', 'acme', 'carl'], PASSWORD + '\n')
        await done(['user', 'passwd', '-t', 'acme', '--password-file', '-', 'carl'], PASSWORD + '\n')
        assert.equal((await shown('carl')).password, true)
        const stored = fs.readFileSync(path.join(server.data, 'data.mdb'))
        assert.ok(stored.includes('$argon2id$v=19$m=65536'))
        assert.ok(!stored.includes(PASSWORD))
        await refused(['user', 'passwd', '-t', 'acme', 'carl'], 1, /the password is empty/, '\n')
        await refused(['user', 'passwd', '-t', 'acme', 'carl'], 1, /more than 1024 bytes/, 'x'.repeat(1025))
        await refused(['user', 'passwd', '-t', 'acme', 'nobody'], 1, /nobody: the tenant has no such user/, 'x\n')
        assert.equal((await shown('carl')).password, true)
      })

      it('what cannot be is refused, and says what to do', async () => {
        await refused(['user', 'create', '-t', 'acme', 'ann'], 1, /ann: there is a user of that id/)
        await user('set', '--name', 'Ann', 'ann')
        await refused(['user', 'create', '-t', 'acme', '--name', 'Ann', 'zoe'], 1, /zoe: there is a user of that id, or another one of that name/)
        await refused(['user', 'set', '-t', 'acme', '--name', 'x', 'nobody'], 1, /nobody: the tenant has no such user: confab user list/)
        await refused(['user', 'show', '-t', 'acme', 'nobody'], 1, /no such user/)
        await refused(['user', 'delete', '-t', 'acme', 'nobody'], 1, /no such user/)
        await refused(['user', 'create', '-t', 'acme', '--', ''], 1, /user: 1 to 128 bytes/)
        await refused(['user', 'create', '-t', 'acme', 'x'.repeat(129)], 1, /user: /)
        await refused(['user', 'create', '-t', 'nowhere', 'x'], 1, /unknown tenant/)
        await refused(['user', 'list', '-t', 'nowhere'], 1, /unknown tenant/)
        await refused(['user', 'create', '-t', 'acme', '--attributes', '[1]', 'x'], 1, /--attributes: a JSON object/)
        await refused(['user', 'create', '-t', 'acme', '--attributes', '{"a"', 'x'], 1, /--attributes: no JSON: byte 4/)
        await refused(['user', 'create', '-t', 'acme', '--attributes', `{"a":"${'x'.repeat(16384)}"}`, 'x'], 1, /more than 16384 bytes/)
        await refused(['room', 'create', '-t', 'acme', 'a/b'], 1, /room: .*without \/ \+ #/)
        for (const args of [[], ['fly'], ['create'], ['list', 'x'], ['show'], ['set', 'ann'], ['passwd', '--name', 'x', 'ann'],
          ['create', '--no-password', 'x'], ['delete', '--merge', 'ann']]) {
          await refused(['user', '-t', 'acme', ...args], 2, /confab user: /)
        }
        for (const args of [[], ['fly'], ['create'], ['list', 'x'], ['join', 'r'], ['leave', 'r'], ['members'],
          ['join', '--kind', 'dm', 'r', 'ann'], ['create', '--role', 'x', 'r'], ['create', '--kind', 'hall', 'r']]) {
          await refused(['room', '-t', 'acme', ...args], 2, /confab room: /)
        }
        await refused(['user', 'list'], 2, /--tenant is missing/)
      })

      it('rooms are created, joined, left and listed', async () => {
        await refused(['room', 'create', '-t', 'acme', '--member', 'nobody', 'r'], 1, /a member is no user/)
        await room('create', '--kind', 'group', '--settings', '{"title":"Hall"}', '--creator', 'ann', '--member', 'ann', 'hall')
        await room('create', 'attic')
        await refused(['room', 'create', '-t', 'acme', 'hall'], 1, /there is a room of that id/)
        const [attic, hall] = rows(await room('list'))
        assert.deepEqual(attic.slice(0, 4), ['attic', 'room', '0', '-'])
        assert.deepEqual([...hall.slice(0, 4), hall[6]], ['hall', 'group', '1', 'ann', '{"title":"Hall"}'])
        if (runs) await done(['pub', 'acme/rooms/hall', 'hello']) // needs a server
        const said = runs ? 1 : 0
        await room('join', '--role', 'moderator', 'hall', 'bob')
        await room('join', 'attic', 'bob')
        const members = lines(await room('members', '--json', 'hall')).map((line) => JSON.parse(line))
        assert.deepEqual(members.map(({ user, role, acked, read }) => [user, role, acked, read]),
          [['ann', 'member', 0, 0], ['bob', 'moderator', said, said]])
        await room('join', '--role', 'owner', 'hall', 'ann')
        assert.deepEqual(rows(await room('members', 'hall')).map(([id, role]) => [id, role]), [['ann', 'owner'], ['bob', 'moderator']])
        assert.equal(JSON.parse(await room('show', '--json', 'hall')).members, 2)
        const { rooms } = await shown('bob')
        assert.deepEqual(rooms.map((one) => one.room), runs ? ['hall', 'attic'] : ['attic', 'hall'])
        assert.deepEqual(rooms.map((one) => one.last_id > 0), [runs, false])
        await room('leave', 'attic', 'bob')
        await refused(['room', 'leave', '-t', 'acme', 'attic', 'bob'], 1, /attic has no member bob/)
        await refused(['room', 'join', '-t', 'acme', 'attic', 'nobody'], 1, /no user nobody/)
        await refused(['room', 'members', '-t', 'acme', 'nowhere'], 1, /no such room/)
      })

      it('what is deleted takes memberships and messages along', async () => {
        await user('delete', 'ann')
        assert.deepEqual(rows(await room('members', 'hall')).map(([id]) => id), ['bob'])
        await room('delete', 'hall')
        await refused(['room', 'show', '-t', 'acme', 'hall'], 1, /no such room/)
        await refused(['history', 'acme/rooms/hall'], 1, /nothing was ever stored/)
        assert.deepEqual((await shown('bob')).rooms, [])
        await done(['tenant', 'delete', 'acme'])
        await done(['tenant', 'create', 'acme'])
        assert.equal(await user('list') + await room('list'), '')
      })
    })
  }

  it('survive kill -9', async () => {
    const server = new Server({ set: { 'tokens.access': 'registered' } })
    try {
      await server.start()
      const done = async (...args) => {
        const { code, stderr } = await run(BINARY, server.cliArguments(...args))
        assert.equal(code, 0, stderr)
      }
      await done('tenant', 'create', 'acme')
      await done('user', 'create', '-t', 'acme', '--name', 'Ann', 'ann')
      await done('user', 'create', '-t', 'acme', 'bob')
      await done('room', 'create', '-t', 'acme', '--member', 'ann', '--member', 'bob', 'hall')
      await done('room', 'leave', '-t', 'acme', 'hall', 'bob')
      await done('user', 'delete', '-t', 'acme', 'bob')
      await server.kill9()
      await server.start()
      const { stdout } = await run(BINARY, server.cliArguments('room', 'members', '-t', 'acme', 'hall'))
      assert.deepEqual(rows(stdout).map(([id]) => id), ['ann'])
      const users = await run(BINARY, server.cliArguments('user', 'list', '-t', 'acme'))
      assert.deepEqual(rows(users.stdout).map(([id, name]) => [id, name]), [['ann', 'Ann']])
    } finally { await server.close() }
  })
})
