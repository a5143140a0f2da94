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

  it('shows the token once: not after a reload', async () => {
    await open()
    const token = await create()
    await page.reload()
    assert.ok(!(await page.content()).includes(token))
    assert.ok(!(await server.get('/')).text.includes(token))
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
