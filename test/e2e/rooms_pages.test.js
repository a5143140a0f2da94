'use strict'
// The pages of the rooms door in Chromium, without a window: docs/rooms.md, "Pages".
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { describe, it, before, after, beforeEach, afterEach } = require('node:test')
const { chromium } = require('playwright-core')
const { RoomsMock } = require('./harness/rooms_mock')
const { PATIENCE, until } = require('./harness/waits')

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium'
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync']
const SHOTS = process.env.CONFAB_SCREENSHOTS

let browser
let server
let context
let complaints

before(async () => {
  assert.ok(fs.existsSync(CHROMIUM), `${CHROMIUM} is missing: install it or set CHROMIUM`)
  browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGS })
})
after(async () => { await browser?.close() })
beforeEach(async () => {
  server = await new RoomsMock().listen()
  context = await browser.newContext()
  context.setDefaultTimeout(PATIENCE)
  complaints = []
})
afterEach(async () => {
  await context.close()
  await server.close()
  assert.deepEqual(complaints, [], 'the page throws nothing, breaks no policy and asks nobody else')
})

async function newPage (options = {}) {
  const page = await context.newPage()
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (line) => { if (/Content Security Policy|Trusted/i.test(line.text())) complaints.push(line.text()) })
  page.on('request', (request) => { if (!/^data:/.test(request.url()) && new URL(request.url()).host !== new URL(server.origin).host) complaints.push(`asked for ${request.url()}`) })
  if (options.token) await page.addInitScript((token) => localStorage.setItem('chat_token', token), options.token)
  return page
}

async function open (query, options) {
  const page = await newPage(options)
  await page.goto(`${server.origin}/embed.html?${query}`)
  return page
}

const shown = (page, text) => page.locator('#messages').getByText(text, { exact: false }).first().waitFor()
const field = (page) => page.getByLabel('Message', { exact: true })
const canWrite = (page) => page.locator('#submit:not([disabled])').waitFor()
const shot = async (page, name) => { if (SHOTS) await page.screenshot({ path: path.join(SHOTS, `${name}.png`) }) }

describe('rooms: /embed.html', () => {
  it('joins the room, shows its history, names, roles, who is online, and sends with Enter', async () => {
    const anna = server.user('anna (VVVQu3pylV)', { roles: ['owner', 'registered'] })
    const uid = server.room('Main', { description: 'about all', slowMode: 0 })
    server.say(uid, anna.user, 'before')
    const page = await open(`room=${uid}`, { token: anna.token })
    await shown(page, 'before')
    assert.equal(await page.locator('h1').textContent(), 'Main')
    assert.equal(await page.locator('.role').first().textContent(), 'owner')
    assert.equal(await page.locator('.message svg text').first().textContent(), 'A')
    await page.getByText('1 online').waitFor()
    await canWrite(page)
    await field(page).fill('one')
    await field(page).press('Shift+Enter')
    await field(page).pressSequentially('two')
    assert.equal(server.received.filter(([name]) => name === 'sendMessage').length, 0)
    await field(page).press('Enter')
    await shown(page, 'one')
    assert.equal(server.received.find(([name]) => name === 'sendMessage')[1].text, 'one\ntwo')
    assert.equal(await page.locator('.message').count(), 2)
    assert.equal(await field(page).inputValue(), '')
    await shot(page, 'embed-light')
    await page.emulateMedia({ colorScheme: 'dark' })
    await shot(page, 'embed-dark')
  })

  it('text, names and rooms are never markup, and only http links are links', async () => {
    const evil = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>'
    const mallory = server.user(evil + '\u202e', { roles: [evil], picture: 'https://evil.example/x.png' })
    const uid = server.room(evil, { description: evil })
    server.say(uid, mallory.user, `${evil} javascript:alert(1) data:text/html,x https://a.example/?q=<b>"x" (https://b.example/w_(x)).`)
    server.say(uid, mallory.user, 'https://good.example/\u202egnp.exe')
    const page = await open(`room=${uid}`, { token: mallory.token })
    await shown(page, 'javascript:alert')
    assert.equal(await page.locator('#messages img, #messages script, h1 img, #description img').count(), 0)
    assert.deepEqual(await page.locator('#messages a').evaluateAll((all) => all.map((a) => [a.href, a.rel, a.target])),
      ['https://a.example/?q=', 'https://b.example/w_(x)', 'https://good.example/'].map((url) => [url, 'noopener noreferrer nofollow ugc', '_blank']))
    assert.equal(await page.evaluate(() => window.harmed), undefined)
    assert.equal(await page.locator('.name').first().evaluate((name) => getComputedStyle(name).unicodeBidi), 'isolate')
  })

  it('the author, and whoever moderates, may delete; others may not', async () => {
    const anna = server.user('anna')
    const bert = server.user('bert')
    const uid = server.room('Main')
    const mine = server.say(uid, anna.user, 'mine')
    server.say(uid, bert.user, 'his')
    const page = await open(`room=${uid}`, { token: anna.token })
    page.on('dialog', (dialog) => dialog.accept())
    const buttons = page.locator('.delete')
    await buttons.first().waitFor()
    assert.equal(await buttons.count(), 1)
    await buttons.first().click()
    await page.getByText('[message deleted]').waitFor()
    assert.ok(!server.rooms.get(uid).messages.some(({ id }) => id === mine))
    server.say(uid, { ...anna.user, roles: ['mod', 'registered'] }, 'now I moderate')
    await until(async () => await buttons.count() === 2, 'a button at each message that is left')
  })

  it('reconnects by itself, says so, and has each message once', async () => {
    const anna = server.user('anna')
    const uid = server.room('Main')
    server.say(uid, anna.user, 'before')
    const page = await open(`room=${uid}`, { token: anna.token })
    await shown(page, 'before')
    const { port } = server
    await server.close()
    await page.getByText('Connecting again').waitFor()
    await shot(page, 'embed-banner')
    server.say(uid, anna.user, 'meanwhile')
    await server.listen(port)
    await shown(page, 'meanwhile')
    await page.locator('#banner').waitFor({ state: 'hidden' })
    assert.equal(await page.locator('.message').count(), 2)
  })

  it('a server that falls silent is left after its own ping timeout', async () => {
    const uid = server.room('Main')
    server.ping = { pingInterval: 200, pingTimeout: 200 }
    await open(`room=${uid}`)
    await until(() => server.received.filter(([name]) => name === 'join').length >= 2, 'a second connection')
  })

  it('answers pings', async () => {
    const uid = server.room('Main')
    await open(`room=${uid}`)
    await until(() => server.received.some(([name]) => name === 'join'), 'the join')
    for (const { ws } of server.sockets) ws.send('2')
    await until(() => server.received.some(([name]) => name === '3'), 'a pong')
  })

  it('a refused message comes back into the field, and the error is announced', async () => {
    const anna = server.user('anna')
    const uid = server.room('Main', { slowMode: 30 })
    const page = await open(`room=${uid}`, { token: anna.token })
    await canWrite(page)
    await page.getByText('one message every 30 s').waitFor()
    server.refusal = 'You are banned from this channel.'
    await field(page).fill('hello')
    await field(page).press('Enter')
    await page.getByRole('alert').getByText('You are banned').waitFor()
    assert.equal(await field(page).inputValue(), 'hello')
    await field(page).press('Enter')
    await shown(page, 'hello')
    await field(page).fill('too soon')
    await field(page).press('Enter')
    await page.getByRole('alert').getByText('Slow mode: wait').waitFor()
    assert.equal(await field(page).inputValue(), 'too soon')
  })

  it('guest=1 logs a guest in, whose token is not kept', async () => {
    const uid = server.room('Main')
    const page = await open(`room=${uid}&guest=1`)
    await page.getByText('You are Guest').waitFor()
    assert.equal(await page.evaluate(() => localStorage.length), 0)
  })

  it('follows chat_token as other pages set and remove it', async () => {
    const anna = server.user('anna')
    const uid = server.room('Main')
    const page = await open(`room=${uid}`)
    await page.getByText('You must be logged in to write.').waitFor()
    const other = await newPage()
    await other.goto(`${server.origin}/embed.html`)
    await other.evaluate((token) => localStorage.setItem('chat_token', token), anna.token)
    await page.getByText('You are anna').waitFor()
    await other.evaluate(() => localStorage.removeItem('chat_token'))
    await page.getByText('You must be logged in to write.').waitFor()
  })

  it('obeys messages of pages of its own origin only', async () => {
    const anna = server.user('anna')
    const first = server.room('First')
    const second = server.room('Second')
    const page = await open(`room=${first}`)
    await page.getByRole('heading', { name: 'First' }).waitFor()
    await page.evaluate((data) => dispatchEvent(new MessageEvent('message', { origin: 'https://evil.example', data })), { login: anna.token, room: second })
    await page.evaluate(() => postMessage({ room: '../x' }))
    await page.evaluate((data) => postMessage(data), { room: second })
    await page.getByRole('heading', { name: 'Second' }).waitFor()
    assert.ok(!server.received.some(([name]) => name === 'login'))
    await page.evaluate((data) => postMessage(data), { login: anna.token })
    await page.getByText('You are anna').waitFor()
  })

  it('the emoji picker works with the keyboard alone', async () => {
    const anna = server.user('anna')
    const uid = server.room('Main')
    const page = await open(`room=${uid}`, { token: anna.token })
    await canWrite(page)
    await page.getByRole('button', { name: 'Insert an emoji' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'grinning', exact: true }).waitFor()
    await shot(page, 'embed-emoji')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    assert.equal(await field(page).inputValue(), '😃')
    await page.getByRole('button', { name: 'Insert an emoji' }).press('Enter')
    await page.keyboard.press('Escape')
    assert.ok(await page.locator('#picker').isHidden())
    assert.equal(await page.evaluate(() => document.activeElement.id), 'emoji')
  })

  it('older messages are asked for, in order and once', async () => {
    const anna = server.user('anna')
    const uid = server.room('Main')
    for (let n = 1; n <= 50; n++) server.say(uid, anna.user, `number ${n}`)
    const page = await open(`room=${uid}`)
    const older = page.getByRole('button', { name: 'Older messages' })
    await older.click()
    await until(async () => await page.locator('.message').count() === 40, '40 messages')
    await older.click()
    await until(async () => await page.locator('.message').count() === 50, '50 messages')
    await older.waitFor({ state: 'hidden' })
    const texts = await page.locator('.text').allTextContents()
    assert.deepEqual(texts, Array.from({ length: 50 }, (_, i) => `number ${i + 1}`))
  })

  it('purges, renames, and people who come and go', async () => {
    const anna = server.user('anna')
    const uid = server.room('Main')
    server.say(uid, anna.user, 'hello')
    const page = await open(`room=${uid}`)
    await shown(page, 'hello')
    server.emit(uid, 'user_updated', { user: { ...anna.user, displayName: 'Annabel' } })
    await page.locator('.name').getByText('Annabel').waitFor()
    server.emit(uid, 'user_joined', { user: anna.user, room: uid })
    await page.getByText('1 online').waitFor()
    server.emit(uid, 'user_left', { user: anna.user, room: uid })
    await page.getByText('0 online').waitFor()
    server.emit(uid, 'room_purged', { deleted: true })
    await page.getByText('No messages yet.').waitFor()
  })

  it('fits a phone', async () => {
    const anna = server.user('a'.repeat(60), { roles: ['mod', 'guest'] })
    const uid = server.room('A room with a rather long name')
    server.say(uid, anna.user, 'x'.repeat(500))
    const page = await open(`room=${uid}`, { token: anna.token })
    await page.setViewportSize({ width: 320, height: 560 })
    await shown(page, 'xxx')
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out')
    await shot(page, 'embed-phone')
  })

  it('an unknown room is said', async () => {
    const page = await open('room=NoSuchRoom')
    await page.getByRole('alert').getByText('No such room exists!').waitFor()
  })
})

describe('rooms: /playground.html', () => {
  it('registers, makes a room, posts and deletes; both chats follow; values are kept until reset', async () => {
    const page = await newPage()
    await page.setViewportSize({ width: 1200, height: 800 })
    await page.goto(`${server.origin}/playground.html`)
    await page.locator('#register-username').fill('anna')
    await page.locator('#register-password').fill('password1')
    await page.getByRole('button', { name: 'Register' }).click()
    await page.locator('#register-answer').getByText('"token"').waitFor()
    await page.locator('#room-name').fill('Main')
    await page.getByRole('button', { name: 'New room' }).click()
    await page.locator('#create-answer').getByText('"slowMode"').waitFor()
    for (const id of ['embed1', 'embed2']) await page.frameLocator(`#${id}`).getByText('You are anna').waitFor()
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    for (const id of ['embed1', 'embed2']) await page.frameLocator(`#${id}`).getByText('hello from HTTP!').waitFor()
    await shot(page, 'playground')
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.frameLocator('#embed2').getByText('[message deleted]').waitFor()
    await page.reload()
    assert.match(await page.locator('#create-answer').textContent(), /slowMode/)
    assert.equal(await page.locator('#room-name').inputValue(), 'Main')
    assert.ok(!JSON.stringify(await page.evaluate(() => ({ ...localStorage }))).includes('password1'))
    await page.getByRole('button', { name: 'Reset playground' }).click()
    await until(async () => await page.evaluate(() => localStorage.length).catch(() => 1) <= 1, 'an empty storage')
    assert.equal(await page.locator('#room-name').inputValue(), '')
  })
})
