'use strict'
// A server on a disk that fails when told so: disk_faults.c preloaded into it.
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Server } = require('../e2e/harness/server')

const SHIM = process.env.DISK_FAULTS_SHIM ??
  path.join(path.dirname(process.env.CONFAB_BIN), 'test/fault/disk_faults.so')
const KINDS = ['data', 'meta', 'sync', 'allocate']
const FIELDS = ['error', 'times', 'after', 'held', 'calls']
const CUT_AT = KINDS.length * FIELDS.length
const SIZE = 4 * (CUT_AT + 2)

const errno = (name) => os.constants.errno[name]

class Disk {
  constructor () {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'confab-disk-'))
    this.file = path.join(this.folder, 'faults')
    fs.writeFileSync(this.file, Buffer.alloc(SIZE))
    this.fd = fs.openSync(this.file, 'r+')
  }

  get env () { return { LD_PRELOAD: SHIM, DISK_FAULTS: this.file } }

  write (index, number) {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32LE(number)
    fs.writeSync(this.fd, bytes, 0, 4, index * 4)
  }

  read (index) {
    const bytes = Buffer.alloc(4)
    fs.readSync(this.fd, bytes, 0, 4, index * 4)
    return bytes.readInt32LE()
  }

  at (kind, field) { return KINDS.indexOf(kind) * FIELDS.length + FIELDS.indexOf(field) }

  // `times` calls of that kind fail with that error; Infinity: all of them.
  // after: they do what they are called for, and fail all the same.
  fail (kind, error, { times = Infinity, after = false } = {}) {
    this.write(this.at(kind, 'error'), errno(error))
    this.write(this.at(kind, 'after'), after ? 1 : 0)
    this.write(this.at(kind, 'times'), times === Infinity ? -1 : times)
  }

  // Such calls do not return until they are let go.
  hold (kind) { this.write(this.at(kind, 'held'), 1) }
  letGo (kind) { this.write(this.at(kind, 'held'), 0) }
  left (kind) { return this.read(this.at(kind, 'times')) }
  calls (kind) { return this.read(this.at(kind, 'calls')) }
  // The power goes with the nth call from now on, and with it what was not flushed.
  cutAt (n) { this.write(CUT_AT + 1, 0); this.write(CUT_AT, n) }

  heal () {
    for (const kind of KINDS) {
      this.write(this.at(kind, 'times'), 0)
      this.write(this.at(kind, 'held'), 0)
    }
    this.write(CUT_AT, 0)
  }

  close () {
    fs.closeSync(this.fd)
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

// body(server, disk): the server is not started yet.
async function onFaultyDisk (options, body) {
  const disk = new Disk()
  const server = new Server({ ...options, env: { ...disk.env, ...options.env } })
  try {
    await body(server, disk)
  } finally {
    disk.heal()
    try { await server.close() } finally { disk.close() }
  }
}

module.exports = { Disk, onFaultyDisk, SHIM }
