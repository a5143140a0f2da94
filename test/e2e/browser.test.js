'use strict'
// The home page in Chromium, without a window.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { it, before, after } = require('node:test')
const { chromium } = require('playwright-core')
const { suite, secret, chat, temporaryFolder, PATIENCE } = require('./harness/server')
const { run } = require('./harness/process')
const { until } = require('./harness/waits')

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium'
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync']

suite('The home page `/`', { set: { 'plan:free.retry_ms': 300 } }, (server) => {
  let browser
  let folder
  let page
  const complaints = []

  before(async () => {
    assert.ok(fs.existsSync(CHROMIUM), `${CHROMIUM} is missing: install it or set CHROMIUM`)
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGS })
    folder = process.env.CONFAB_SCREENSHOTS ?? temporaryFolder()
  })
  after(async () => {
    await browser?.close()
    if (folder && !process.env.CONFAB_SCREENSHOTS) fs.rmSync(folder, { recursive: true, force: true })
  })

  async function open () {
    page = await browser.newPage()
    page.setDefaultTimeout(PATIENCE)
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('request', (request) => {
      if (!request.url().startsWith(server.base)) complaints.push(`asked for ${request.url()}`)
    })
    await page.goto(`${server.base}/`)
    return page
  }

  // Clicks the button; → the token that is shown.
  async function create () {
    await page.getByRole('button', { name: /create.*token/i }).click()
    await page.waitForFunction(() => document.querySelector('#token')?.textContent.trim().length >= 22)
    return secret((await page.locator('#token').textContent()).trim())
  }

  const state = (text) => page.locator('#state').getByText(text, { exact: false }).waitFor()
  const live = (text) => page.locator('#live').getByText(text, { exact: false }).first().waitFor()

  it('The home page `/` has the button, shows the token once, with curl lines filled in and a live view of what arrives', async () => {
    await open()
    assert.match(await page.title(), /confab/i)
    const token = await create()
    assert.match(token, /^[A-Za-z0-9_-]{22,64}$/)
    assert.ok(await page.locator('#token').isVisible())

    const curl = await page.locator('#curl').textContent()
    assert.ok(curl.includes(`${server.base}/${token}/chat/`), curl)
    const mqtt = await page.locator('#mqtt').textContent()
    assert.ok(mqtt.includes(token) && mqtt.includes(String(server.mqttPort)), mqtt)

    // exactly what a user would copy
    const post = curl.split('\n').find((line) => /-X POST|-d /.test(line))
    const ran = await run('sh', ['-c', post])
    assert.equal(JSON.parse(ran.stdout).status, 'ok', ran.stderr)
    const [thing] = await server.things(token)
    const { chat: sent } = await server.latest(token, thing)
    await live(thing)
    await live(JSON.stringify(sent))

    const publish = mqtt.split('\n').find((line) => line.startsWith('mosquitto_pub'))
    assert.ok(publish, 'a line with mosquitto_pub')
    const published = await run('sh', ['-c', publish])
    assert.equal(published.code, 0, published.stderr)
    await until(async () => await page.locator('#live > *').count() === 2, 'two messages in the live view')

    await page.screenshot({ path: path.join(folder, 'home.png'), fullPage: true })
    assert.ok(fs.statSync(path.join(folder, 'home.png')).size > 5000)
  })

  it('every curl line works as it stands', async () => {
    await open()
    const token = await create()
    await server.say(token, 'sensor1', { n: 1 })
    const lines = (await page.locator('#curl').textContent()).split('\n').filter((line) => line.startsWith('curl'))
    assert.ok(lines.length >= 1)
    for (const line of lines) {
      const stream = line.includes('/listen')
      const limited = stream ? `timeout 2 ${line}` : line
      const { stdout, stderr, code } = await run('sh', ['-c', limited])
      assert.ok(code === 0 || (stream && code === 124), `${line}: ${stderr}`)
      assert.doesNotMatch(stdout, /"error"/, line)
      if (stream) assert.match(stdout, /event: status/)
    }
  })

  it('messages are text: a name or payload cannot become markup', async () => {
    await open()
    const token = await create()
    await page.evaluate(() => { window.harmed = false })
    const evil = '<img src=x onerror="window.harmed=true">'
    await server.say(token, evil, { html: evil })
    const device = await server.device({ token })
    await device.publish(`${token}/x`, `${evil}<script>window.harmed=true</script>`)
    await until(async () => await page.locator('#live > *').count() === 2, 'two messages in the live view')
    assert.equal(await page.locator('#live img, #live script').count(), 0)
    assert.equal(await page.evaluate(() => window.harmed), false)
    await live('<img src=x')
  })

  it('shows the token once: after a reload it is kept, but only shown when asked for', async () => {
    await open()
    const token = await create()
    await server.say(token, 'x', { n: 'before' })
    await live('before')
    await page.reload()
    await state('connected')
    assert.ok(!(await page.content()).includes(token))
    assert.ok(!(await server.get('/')).text.includes(token))
    await server.say(token, 'x', { n: 'after' })
    await live('after')
    assert.equal(await page.locator('#live > *').count(), 1, 'what was there is not replayed')
    await page.getByRole('button', { name: 'Show' }).click()
    assert.equal((await page.locator('#token').textContent()).trim(), token)
    assert.ok((await page.locator('#curl').textContent()).includes(token))
    await page.getByRole('button', { name: 'Hide' }).click()
    assert.ok(!(await page.content()).includes(token))
  })

  it('forgets it when asked to', async () => {
    await open()
    const token = await create()
    await page.getByRole('button', { name: 'Forget' }).click()
    await page.locator('#create').waitFor()
    assert.ok(!(await page.content()).includes(token))
    assert.ok(!JSON.stringify(await page.evaluate(() => ({ ...localStorage, ...sessionStorage }))).includes(token))
    await page.reload()
    assert.ok(await page.locator('#create').isVisible())
  })

  it('opens an existing token: lists its things, shows their messages, follows from there', async () => {
    const token = await server.freeToken()
    for (let n = 1; n <= 3; n++) await server.say(token, 'kitchen/temp', { n })
    await server.say(token, '<b>odd</b> name\'s', { odd: true })
    await open()
    await page.getByLabel(/open a token/i).fill(token)
    await page.getByRole('button', { name: 'Open', exact: true }).click()
    await state('connected')
    assert.ok(!(await page.content()).includes(token), 'it is not shown')
    const things = page.locator('#things > li')
    assert.deepEqual(await things.evaluateAll((rows) => rows.map((row) => row.querySelector('button').textContent)),
      ['<b>odd</b> name\'s', 'kitchen/temp'])
    assert.match(await things.nth(1).textContent(), /3 messages/)
    assert.match(await page.locator('#quota').textContent(), /\d+ reads are left/)
    await page.getByRole('button', { name: 'kitchen/temp' }).click()
    await page.locator('#history > li').nth(2).waitFor()
    assert.match(await page.locator('#history > li').first().textContent(), /\{"n":3\}/)
    await server.say(token, 'kitchen/temp', { n: 4 })
    await live('{"n":4}')
    assert.match(await things.nth(1).textContent(), /4 messages/)
    await server.say(token, 'new', { n: 1 })
    await until(async () => await things.count() === 3, 'the new thing in the list')

    // a name that a shell would read
    await page.getByRole('button', { name: '<b>odd</b>' }).click()
    await page.locator('#history').getByText('{"odd":true}').waitFor()
    await page.getByRole('button', { name: 'Show' }).click()
    const lines = (await page.locator('#curl').textContent()).split('\n')
    const { stdout } = await run('sh', ['-c', lines.find((line) => line.endsWith('/latest'))])
    assert.deepEqual(JSON.parse(stdout).chat, { odd: true })
    const publish = (await page.locator('#mqtt').textContent()).split('\n').find((line) => line.startsWith('mosquitto_pub'))
    assert.equal((await run('sh', ['-c', publish])).code, 0)
    assert.deepEqual((await server.latest(token, '<b>odd</b> name\'s')).chat, { temperature: 22.5 })
  })

  it('says when a token is not valid, and keeps nothing', async () => {
    await open()
    await page.evaluate(() => { document.querySelector('#known').removeAttribute('pattern') })
    await page.getByLabel(/open a token/i).fill('no token')
    await page.getByRole('button', { name: 'Open', exact: true }).click()
    await page.locator('#error').getByText('token').waitFor()
    assert.ok(await page.locator('#create').isVisible())
    assert.equal(await page.evaluate(() => localStorage.length), 0)
  })

  it('says when its token is revoked, and stops asking', async () => {
    await open()
    const token = await create()
    await state('connected')
    assert.equal((await server.cli('token', 'revoke', '--', token)).code, 0)
    await state('unknown here, or was revoked')
  })

  it('says what there is and links the documentation, before any button is pressed', async () => {
    await open()
    assert.match(await page.locator('main').textContent(), /chat\/\{thing\}\/history/)
    for (const name of ['HTTP API', 'MQTT', 'Health']) {
      const link = await page.getByRole('link', { name }).first().evaluate((a) => a.href)
      const answer = await page.request.get(link)
      assert.equal(answer.status(), 200, link)
      assert.match(answer.headers()['content-type'], /text\/plain|json/)
    }
  })

  it('fits a narrow screen', async () => {
    await open()
    await page.setViewportSize({ width: 320, height: 700 })
    const token = await create()
    await server.say(token, 'a-thing-with-a-rather-long-name/that-goes-on-and-on-without-a-blank', { text: 'x'.repeat(300) })
    await live('xxx')
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out')
    await page.screenshot({ path: path.join(folder, 'home-narrow.png'), fullPage: true })
  })

  it('works with the keyboard alone', async () => {
    await open()
    const button = page.getByRole('button', { name: /create.*token/i })
    await button.focus()
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => document.querySelector('#token')?.textContent.trim().length >= 22)
    secret((await page.locator('#token').textContent()).trim())
  })

  it('the live view goes on after a server restart, without gap or double', async () => {
    await open()
    const token = await create()
    await server.say(token, 'x', { n: 'before' })
    await live('before')
    await server.stop()
    await server.restart()
    await server.say(token, 'x', { n: 'meanwhile' })
    await live('meanwhile')
    await server.say(token, 'x', { n: 'after' })
    await live('after')
    assert.equal(await page.locator('#live > *').count(), 3)
  })

  it('EventSource and fetch work from a page of another origin', async () => {
    // another port is another origin
    const elsewhere = http.createServer((request, response) => {
      response.setHeader('Content-Type', 'text/html')
      response.end('<title>elsewhere</title>')
    })
    await new Promise((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
    const other = await browser.newPage()
    await other.goto(`http://127.0.0.1:${elsewhere.address().port}/`)
    try {
      const token = await server.freeToken()
      const result = await other.evaluate(async ({ listen, post }) => {
        const source = new EventSource(listen)
        const next = (type) => new Promise((resolve, reject) => {
          source.addEventListener(type, (event) => resolve(JSON.parse(event.data)), { once: true })
          setTimeout(() => reject(new Error(`no ${type}`)), 8000)
        })
        await next('status')
        const message = next('message')
        const answer = await fetch(post, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'from afar' },
          body: '{"from":"afar"}'
        })
        const seen = await message
        source.close()
        return { status: answer.status, left: answer.headers.get('X-RateLimit-Remaining'), chat: seen.chat }
      }, { listen: server.base + chat(token, 'x', '/listen'), post: server.base + chat(token, 'x') })
      assert.deepEqual(result, { status: 200, left: '99', chat: { from: 'afar' } })
    } finally {
      await other.close()
      elsewhere.close()
    }
  })

  it('the page asks nobody else for anything and throws no error', () => {
    assert.deepEqual(complaints, [])
  })
})

// What a proxy does that hides a restart behind 502, and that serves this page
// below a path of its own.
function proxyBelow (prefix, target) {
  const asked = []
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith(prefix)) {
      response.writeHead(404).end('not here')
      return
    }
    asked.push(`${request.method} ${request.url.slice(prefix.length)}`)
    const onward = http.request({ host: '127.0.0.1', port: target(), path: `/${request.url.slice(prefix.length)}`, method: request.method, headers: { ...request.headers, host: `127.0.0.1:${target()}` }, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers)
      response.flushHeaders()
      answer.on('error', () => response.destroy())
      answer.pipe(response)
    })
    onward.on('error', () => {
      if (response.headersSent) response.destroy()
      else response.writeHead(502, { 'Content-Type': 'text/html' }).end('<h1>502 Bad Gateway</h1>')
    })
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  })
  return { proxy, asked }
}

suite('The home page behind a proxy, below /confab/', { set: { 'plan:free.retry_ms': 300 } }, (server) => {
  let browser
  let page
  let base
  const { proxy, asked } = proxyBelow('/confab/', () => server.httpPort)

  before(async () => {
    await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    base = `http://127.0.0.1:${proxy.address().port}/confab/`
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGS })
    page = await browser.newPage()
    page.setDefaultTimeout(PATIENCE)
    await page.goto(base)
  })
  after(async () => {
    await browser?.close()
    proxy.closeAllConnections()
    proxy.close()
  })

  const live = (text) => page.locator('#live').getByText(text, { exact: false }).first().waitFor()

  it('works there: makes a token, sends, follows, links', async () => {
    await page.getByRole('button', { name: /create.*token/i }).click()
    await page.waitForFunction(() => document.querySelector('#token')?.textContent.trim().length >= 22)
    const token = secret((await page.locator('#token').textContent()).trim())
    assert.ok((await page.locator('#curl').textContent()).includes(`${base}${token}/chat/`))
    await page.getByRole('button', { name: 'Send' }).click()
    await live('22.5')
    assert.equal((await page.request.get(await page.getByRole('link', { name: 'HTTP API' }).first().evaluate((a) => a.href))).status(), 200)
  })

  it('survives the 502 of a restart, without gap or double', async () => {
    const token = (await page.locator('#token').textContent()).trim()
    await server.stop()
    // it has been told 502 at least twice
    const probes = () => asked.filter((line) => line.startsWith('HEAD ')).length
    const before = probes()
    await until(() => probes() >= before + 2, 'the page looking for the server')
    await server.restart()
    await server.say(token, 'x', { n: 'meanwhile' })
    await live('meanwhile')
    await server.say(token, 'x', { n: 'after' })
    await live('after')
    assert.equal(await page.locator('#live > *').count(), 3)
  })
})

suite('The home page and the hourly reads of plan `free`', { set: { 'plan:free.idle_timeout': 1, 'plan:free.retry_ms': 2000, 'plan:free.reads_per_hour': 60 } }, (server) => {
  let browser
  let page

  before(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGS })
    page = await browser.newPage()
    page.setDefaultTimeout(PATIENCE)
  })
  after(async () => { await browser?.close() })

  it('a quiet while costs nothing until somebody does something, and nothing is missed', async () => {
    let streams = 0
    page.on('request', (request) => { if (request.url().includes('/listen?')) streams++ })
    await page.goto(`${server.base}/`)
    await page.getByRole('button', { name: /create.*token/i }).click()
    await page.locator('#state').getByText('to save reads').waitFor()
    assert.equal(streams, 1)
    const token = secret((await page.locator('#token').textContent()).trim())
    await server.say(token, 'x', { n: 'unseen' })
    await page.getByRole('button', { name: 'Send' }).click()
    await page.locator('#live').getByText('22.5').waitFor()
    await page.locator('#live').getByText('unseen').waitFor()
    assert.equal(streams, 2)
    await page.locator('#state').getByText('to save reads').waitFor()
    await page.getByRole('button', { name: 'Now' }).click()
    await page.locator('#state').getByText('connected').waitFor()
    assert.equal(await page.locator('#live > *').count(), 2)
  })

  it('with the reads used up it says until when, and does not give up', async () => {
    const token = await server.freeToken()
    for (let n = 0; n < 60; n++) assert.equal((await server.get(`/${token}/things`)).status, 200)
    await page.getByRole('button', { name: 'Forget' }).click()
    await page.getByLabel(/open a token/i).fill(token)
    await page.getByRole('button', { name: 'Open', exact: true }).click()
    await page.locator('#state').getByText(/used up; reconnecting at/).waitFor()
    assert.match(await page.locator('#error').textContent(), /limit/)
  })
})
