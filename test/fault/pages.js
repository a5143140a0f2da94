'use strict'
// The pages of a data.mdb as LMDB 0.9 lays them out, to damage them (64 bits,
// little-endian). A page: number u64, pad u16, flags u16, lower u16, upper u16,
// then offsets of nodes: u16 each. A tree's record: pad u32, flags u16, depth u16,
// branches, leaves, overflows, entries, root: u64 each.
const fs = require('node:fs')

const PAGE = 4096
const HEAD = 16
const NODE = 8
const META = { magic: 16, freeList: 40, names: 88, lastPage: 136, txn: 144 }
const AT = { number: 0, flags: 10, lower: 12, upper: 14 }
const RECORD = { flags: 4, depth: 6, root: 40 }
const FLAGS = { branch: 1, leaf: 2, overflow: 4 }

class Pages {
  constructor (file) {
    this.fd = fs.openSync(file, 'r+')
  }

  close () { fs.closeSync(this.fd) }

  get count () { return Math.floor(fs.fstatSync(this.fd).size / PAGE) }

  page (number) {
    const bytes = Buffer.alloc(PAGE)
    fs.readSync(this.fd, bytes, 0, PAGE, number * PAGE)
    return bytes
  }

  set16 (number, offset, value) {
    const bytes = Buffer.alloc(2)
    bytes.writeUInt16LE(value)
    fs.writeSync(this.fd, bytes, 0, 2, number * PAGE + offset)
  }

  // The number of the meta page that counts.
  meta () {
    return this.page(1).readBigUInt64LE(META.txn) > this.page(0).readBigUInt64LE(META.txn) ? 1 : 0
  }

  // Where a page's nodes begin.
  nodes (number) {
    const page = this.page(number)
    const count = (page.readUInt16LE(AT.lower) - HEAD) / 2
    return Array.from({ length: count }, (_, i) => page.readUInt16LE(HEAD + 2 * i))
  }

  namesRoot () { return Number(this.page(this.meta()).readBigUInt64LE(META.names + RECORD.root)) }

  // → where the record of the named tree stands (page, offset) and what it says
  tree (name) {
    const number = this.namesRoot()
    const page = this.page(number)
    for (const at of this.nodes(number)) {
      const keyLength = page.readUInt16LE(at + 6)
      if (page.toString('latin1', at + NODE, at + NODE + keyLength) !== name) continue
      const record = at + NODE + keyLength
      return {
        page: number,
        record,
        depth: page.readUInt16LE(record + RECORD.depth),
        root: Number(page.readBigUInt64LE(record + RECORD.root))
      }
    }
    throw new Error(`no tree ${name}`)
  }

  // Of the tree with that root (a branch page): its first child.
  firstChild (root) {
    const [at] = this.nodes(root)
    return this.page(root).readUInt32LE(at)
  }

  // Every page in the file with that flag.
  all (flag) {
    return Array.from({ length: this.count - 2 }, (_, i) => i + 2)
      .filter((number) => this.page(number).readUInt16LE(AT.flags) === flag)
  }
}

module.exports = { Pages, PAGE, HEAD, META, AT, RECORD, FLAGS }
