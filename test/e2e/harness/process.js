'use strict'
// Other programs: run to their end, or followed line by line while they run.
const { spawn } = require('node:child_process')
const { Arrivals, PATIENCE, within } = require('./waits')

const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

function start (command, args, options = {}) {
  const child = spawn(command, args, { stdio: 'pipe', ...options })
  running.add(child)
  child.exited = new Promise((resolve) => {
    child.once('error', (error) => {
      running.delete(child)
      resolve({ code: null, signal: null, error })
    })
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve({ code, signal })
    })
  })
  return child
}

// Our own environment without settings of Confab's: a test says what it sets.
function plainEnvironment (extra = {}) {
  const kept = Object.entries(process.env)
    .filter(([name]) => !name.startsWith('CONFAB_'))
  return { ...Object.fromEntries(kept), ...extra }
}

// → { code, signal, stdout, stderr }
async function run (command, args, { input, env, cwd, uid, gid, limit = PATIENCE } = {}) {
  const child = start(command, args, { env: env ?? plainEnvironment(), cwd, uid, gid })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8')
    child[name].on('data', (text) => { output[name] += text })
  }
  child.stdin.on('error', () => {}) // it need not read its input
  child.stdin.end(input)
  const name = `${command} ${args.join(' ')}`
  try {
    const { code, signal, error } = await within(child.exited, name, limit)
    if (error) throw error
    return { code, signal, ...output }
  } catch (error) {
    child.kill('SIGKILL')
    error.message += `\nstdout: ${output.stdout}\nstderr: ${output.stderr}`
    throw error
  }
}

// A program that goes on running. `lines`: its stdout; `text`: all of stdout.
function follow (command, args, { env, cwd } = {}) {
  const child = start(command, args, { env: env ?? plainEnvironment(), cwd })
  const name = `${command} ${args.join(' ')}`
  const followed = {
    child,
    lines: new Arrivals(`a line of ${name}`),
    text: '',
    errors: '',
    exited: child.exited,
    async stop (signal = 'SIGTERM') {
      child.kill(signal)
      return await within(child.exited, `end of ${name} after ${signal}`)
    }
  }
  let rest = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text) => {
    followed.text += text
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) followed.lines.push(line)
  })
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text) => { followed.errors += text })
  child.exited.then(({ code, signal, error }) =>
    followed.lines.end(`ended with ${error ?? code ?? signal}: ${followed.errors}`))
  return followed
}

module.exports = { start, run, follow, plainEnvironment }
