'use strict'
// The command line: test/model/run says what there is.
const { parseArgs } = require('node:util')
const { makeScenario } = require('./scenario')
const { play } = require('./play')
const { proven, FAULTS } = require('./prove')

const TAIL = 60 // steps before a fault

const USAGE = `usage: test/model/run [--seed N | --seeds A-B] [--rounds N] [--workers 1|3] [--kill yes|no] [--prove] [--trace]
without options: what \`make test\` runs`

function options () {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      rounds: { type: 'string', default: '8' },
      workers: { type: 'string' },
      kill: { type: 'string', default: 'yes' },
      prove: { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) throw new Error(USAGE)
  const [first, last = first] = (values.seeds ?? values.seed ?? process.env.SEEDS ?? '1').split('-').map(Number)
  const number = (text) => {
    if (!/^[1-9][0-9]*$/.test(text)) throw new Error(USAGE)
    return Number(text)
  }
  if (!Number.isInteger(first) || !Number.isInteger(last) || !['yes', 'no'].includes(values.kill)) throw new Error(USAGE)
  return {
    seeds: Array.from({ length: last - first + 1 }, (_, i) => first + i),
    rounds: number(values.rounds),
    workers: values.workers === undefined ? [1, 3] : [number(values.workers)],
    kill: values.kill === 'yes',
    prove: values.prove,
    trace: values.trace
  }
}

const again = (seed, { rounds, kill }, workers) => `test/model/run --seed ${seed} --workers ${workers} --rounds ${rounds} --kill ${kill ? 'yes' : 'no'}`

// What there is to know of a fault: the sentence, the messages it names, the last
// steps. Tokens are shortened away.
function report (seed, asked, workers, { complaints, journal, trace, token }) {
  const lines = [`seed ${seed}, ${workers} workers: ${complaints.length} complaints`, ...complaints.slice(0, 20).map((text) => `  ${text}`)]
  for (const id of new Set(complaints.slice(0, 20).join(' ').match(/\bm\d+\b/g) ?? [])) {
    const message = journal.messages.get(id)
    if (message) lines.push(`  ${JSON.stringify(message, (key, value) => value === Infinity ? 'never' : value)}`)
    for (const session of journal.sessions) {
      for (const a of session.arrivals) if (a.id === id) lines.push(`    at ${session.key}: ${JSON.stringify(a)}`)
    }
  }
  lines.push(`the last steps (all of them: --trace; killed at ticks ${journal.kills.join(', ') || '-'}):`, ...trace.slice(-TAIL).map((line) => `  ${line}`))
  lines.push(`again: ${again(seed, asked, workers)}`)
  return lines.join('\n').replaceAll(token, 'TOKEN')
}

// → whether all was well
async function one (seed, asked, workers) {
  const played = await play(makeScenario(seed, asked), { workers }).catch((error) => {
    error.message += `\nagain: ${again(seed, asked, workers)}`
    throw error
  })
  console.log(`model: seed ${seed}, ${workers} workers: ${played.figures}${played.complaints.length === 0 ? '' : ': FAILED'}`)
  if (asked.trace) console.log(played.trace.join('\n'))
  if (played.complaints.length > 0) console.log(report(seed, asked, workers, played))
  return played
}

async function main () {
  const asked = options()
  let failed = 0
  const reported = new Set()
  for (const seed of asked.seeds) {
    for (const workers of asked.workers) {
      const played = await one(seed, asked, workers)
      if (played.complaints.length > 0) failed++
      else if (asked.prove) for (const name of proven(played.journal)) reported.add(name)
    }
  }
  if (asked.prove) {
    for (const name of FAULTS) console.log(`${reported.has(name) ? 'reported' : 'NOT REPORTED'}: ${name}`)
    if (reported.size < FAULTS.length) failed++
  }
  if (failed > 0) process.exitCode = 1
}

if (require.main === module) {
  main().catch((error) => {
    console.error(error.message === USAGE || error.code?.startsWith('ERR_PARSE_ARGS') ? `${error.message}` : error)
    process.exitCode = 2
  })
}

module.exports = { report, again }
