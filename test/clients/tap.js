'use strict'
// A TCP proxy that writes down the MQTT packets that pass, one line each:
//   12.345 #2 C→S PUBLISH qos 2 id 7 dup  token/x "n41"
// #2: the second connection through it. It knows no sessions and changes no byte.
const fs = require('node:fs')
const net = require('node:net')

const TYPES = ['', 'CONNECT', 'CONNACK', 'PUBLISH', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'SUBSCRIBE', 'SUBACK', 'UNSUBSCRIBE', 'UNSUBACK', 'PINGREQ', 'PINGRESP', 'DISCONNECT', 'AUTH']

// → { value, size } or null while bytes are missing.
function variableInteger (bytes, at) {
  let value = 0
  for (let n = 0; n < 4; n++) {
    if (at + n >= bytes.length) return null
    value += (bytes[at + n] & 127) * 128 ** n
    if (bytes[at + n] < 128) return { value, size: n + 1 }
  }
  throw new Error('a remaining length of five bytes')
}

// Whole packets as they come; `level` is that of the connection's CONNECT.
class Packets {
  constructor (seen) {
    this.seen = seen
    this.bytes = Buffer.alloc(0)
  }

  push (chunk) {
    this.bytes = Buffer.concat([this.bytes, chunk])
    for (;;) {
      const length = variableInteger(this.bytes, 1)
      if (!length || this.bytes.length < 1 + length.size + length.value) return
      const end = 1 + length.size + length.value
      this.seen(this.bytes[0], this.bytes.subarray(1 + length.size, end))
      this.bytes = this.bytes.subarray(end)
    }
  }
}

function describePublish (flags, body, level) {
  const qos = flags >> 1 & 3
  const topicEnd = 2 + body.readUInt16BE(0)
  let at = topicEnd
  const words = [`qos ${qos}`]
  if (qos > 0) {
    words.push(`id ${body.readUInt16BE(at)}`)
    at += 2
  }
  if (level === 5) {
    const properties = variableInteger(body, at)
    at += properties.size + properties.value
  }
  if (flags & 8) words.push('dup')
  if (flags & 1) words.push('retain')
  words.push(body.toString('utf8', 2, topicEnd), JSON.stringify(body.toString('utf8', at, at + 40)))
  return words.join(' ')
}

function describe (first, body, connection) {
  const type = first >> 4
  const name = TYPES[type]
  if (type === 1) {
    connection.level = body[6]
    return `${name} level ${body[6]} flags 0x${body[7].toString(16)}`
  }
  if (type === 2) return `${name} session present ${body[0] & 1} code ${body[1]}`
  if (type === 3) return `${name} ${describePublish(first & 15, body, connection.level)}`
  if (type >= 4 && type <= 11) return `${name} id ${body.readUInt16BE(0)}${type <= 7 && body.length > 2 ? ` code ${body[2]}` : ''}`
  return name
}

// → { port, close() }; `target()` is the server's port.
async function tap (target, file) {
  const log = fs.openSync(file, 'w')
  const began = process.hrtime.bigint()
  let connections = 0
  const sockets = new Set()
  const write = (number, text) => {
    const seconds = Number(process.hrtime.bigint() - began) / 1e9
    fs.writeSync(log, `${seconds.toFixed(4).padStart(9)} #${number} ${text}\n`)
  }
  const server = net.createServer((client) => {
    const number = ++connections
    const connection = { level: 4 }
    const upstream = net.connect(target(), '127.0.0.1')
    for (const [from, to, arrow] of [[client, upstream, 'C→S'], [upstream, client, 'S→C']]) {
      const packets = new Packets((first, body) => write(number, `${arrow} ${describe(first, body, connection)}`))
      sockets.add(from)
      from.setNoDelay(true)
      from.on('data', (chunk) => {
        packets.push(chunk)
        to.write(chunk)
      })
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        write(number, `${arrow} closed`)
        to.destroy()
      })
      from.on('end', () => to.end())
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    // Its file stays open until the process ends: sockets close later.
    close () {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }
}

module.exports = { tap, variableInteger }
