'use strict'
// @microsoft/fetch-event-source: README.md has the lines that come out. It is made for
// browsers; Node has the fetch and the timers that it asks its window for.
globalThis.window = globalThis
globalThis.document = { hidden: false, addEventListener () {}, removeEventListener () {} }
const { fetchEventSource } = require('@microsoft/fetch-event-source')

const { url } = Object.fromEntries(process.argv.slice(2).map((argument) => {
  const at = argument.indexOf('=')
  return [argument.slice(0, at), argument.slice(at + 1)]
}))
const say = (...fields) => process.stdout.write(fields.join('\t') + '\n')

// Its promise is settled when the stream has ended or is given up.
fetchEventSource(url, {
  onmessage: ({ event, data }) => data !== '' && say('event', event, data)
}).then(() => say('ended'), (error) => say('ended', error.message))
