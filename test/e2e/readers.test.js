'use strict'
// Readers that take the end of a stream for the end: they come back only when it
// breaks. (Those of other languages: test/clients.)
const path = require('node:path')
const { it } = require('node:test')
const { suite } = require('./harness/server')
const { Reader, promises } = require('./harness/reader')

const DRIVER = path.join(__dirname, 'clients/fetch_event_source.js')

suite('fetch-event-source', {}, (server) => {
  const read = async (url) => {
    const reader = new Reader(server, [process.execPath, DRIVER], url)
    server.clients.push(() => reader.kill())
    return reader
  }

  it('has each event before the next one is sent', () => promises['at once']({ server, read }))
  it('comes back by itself after kill -9: every event once, in order', () => promises['over kill']({ server, read }))
})
