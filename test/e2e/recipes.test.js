'use strict'
// The recipes of docs/access.md, run as they stand there, one after the other: only the
// ports and the data folder are this server's, and what would listen for ever is stopped.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { it } = require('node:test')
const { suite, secret, BINARY } = require('./harness/server')
const { run, plainEnvironment } = require('./harness/process')
const { scaled } = require('./harness/waits')

const PAGE = path.join(__dirname, '../../docs/access.md')

// [what it prints, …] of each block of commands, in the order of the page
const expected = [
  [],
  [],
  [/^\["pumps\/pump-7\/temp"\]$/m, /"thing":"pumps\/pump-7\/temp".*"chat":21\.5/, /^data: \{.*"chat":21\.5/m],
  [/^event: status$/m, /^data: \{.*"chat":21\.5/m],
  [/^shellies\/shellyplug-s-6A6534\/relay\/0 on$/m, /"thing":"home\/shellies\/shellyplug-s-6A6534\/relay\/0".*"chat":"on"/],
  [/"status":"ok"/, /no right/, /\[\{.*"chat":\{"name":"Ann","text":"Hello"\}/]
]

const MARK = '---- next recipe'
const STREAM_SECONDS = Math.ceil(scaled(2000) / 1000)

suite('The recipes of docs/access.md', { set: { 'tokens.access': 'registered' } }, (server) => {
  it('do what the page says', async () => {
    const text = fs.readFileSync(PAGE, 'utf8')
    const blocks = [...text.slice(text.indexOf('## Recipes')).matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block)
    assert.equal(blocks.length, expected.length, 'a recipe without an expectation, or the other way round')
    const bin = path.join(path.dirname(server.data), 'bin')
    fs.mkdirSync(bin)
    fs.writeFileSync(path.join(bin, 'confab'), `#!/bin/bash\nexec '${BINARY}' "$1" --data '${server.data}' "\${@:2}"\n`, { mode: 0o755 })
    const script = [
      'set -euo pipefail',
      `curl() { timeout ${STREAM_SECONDS} curl "$@" || [ $? -eq 124 ]; echo; }`,
      ...blocks.flatMap((block) => [block, `echo '${MARK}'`])
    ].join('\n').replaceAll('localhost:8080', `127.0.0.1:${server.httpPort}`).replaceAll('-p 1883', `-p ${server.mqttPort}`)
    const env = plainEnvironment({ PATH: `${bin}:${process.env.PATH}` })
    const { code, stdout, stderr } = await run('bash', ['-c', script], { env, limit: scaled(60000) })
    assert.equal(code, 0, stderr)
    for (const [found] of stdout.matchAll(/(sk|pk_live|dk|tk)_[A-Za-z0-9_-]{32}/g)) secret(found)
    const printed = stdout.split(`${MARK}\n`)
    for (const [i, patterns] of expected.entries()) {
      for (const pattern of patterns) assert.match(printed[i], pattern, blocks[i])
    }
  })
})
