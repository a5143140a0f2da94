'use strict'
// Every packet of MQTT 5.0 and 3.1.1, made from its fields and read from its
// bytes. Making knows no rules, so that a case can break any of them; reading
// knows all that bind a server, so that no case overlooks one.
const assert = require('node:assert/strict')
const { bytes, int16, packet, string, varint } = require('../../e2e/harness/wire')

// MQTT 5 §2.2.2.2: name → identifier and type
const PROPERTIES = {
  payloadFormat: [0x01, 'byte'],
  messageExpiry: [0x02, 'int32'],
  contentType: [0x03, 'string'],
  responseTopic: [0x08, 'string'],
  correlationData: [0x09, 'binary'],
  subscriptionId: [0x0b, 'varint'],
  sessionExpiry: [0x11, 'int32'],
  assignedClientId: [0x12, 'string'],
  serverKeepAlive: [0x13, 'int16'],
  authMethod: [0x15, 'string'],
  authData: [0x16, 'binary'],
  requestProblem: [0x17, 'byte'],
  willDelay: [0x18, 'int32'],
  requestResponse: [0x19, 'byte'],
  responseInformation: [0x1a, 'string'],
  serverReference: [0x1c, 'string'],
  reasonString: [0x1f, 'string'],
  receiveMaximum: [0x21, 'int16'],
  topicAliasMaximum: [0x22, 'int16'],
  topicAlias: [0x23, 'int16'],
  maximumQos: [0x24, 'byte'],
  retainAvailable: [0x25, 'byte'],
  userProperty: [0x26, 'pair'],
  maximumPacketSize: [0x27, 'int32'],
  wildcardAvailable: [0x28, 'byte'],
  subscriptionIdAvailable: [0x29, 'byte'],
  sharedAvailable: [0x2a, 'byte']
}
const PROPERTY_NAMES = new Map(Object.entries(PROPERTIES).map(([name, [id]]) => [id, name]))

const WRITE = {
  byte: (value) => Buffer.from([value]),
  int16,
  int32: (value) => { const four = Buffer.alloc(4); four.writeUInt32BE(value); return four },
  varint,
  string,
  binary: string,
  pair: ([name, value]) => bytes(string(name), string(value))
}

// What a server may put into a packet, and which reason codes (MQTT 5 §2.4).
const ACK_PROPERTIES = ['reasonString', 'userProperty']
const FROM_SERVER = {
  CONNACK: {
    properties: ['sessionExpiry', 'receiveMaximum', 'maximumQos', 'retainAvailable', 'maximumPacketSize', 'assignedClientId', 'topicAliasMaximum', 'wildcardAvailable', 'subscriptionIdAvailable', 'sharedAvailable', 'serverKeepAlive', 'responseInformation', 'serverReference', 'authMethod', 'authData', ...ACK_PROPERTIES],
    codes: [0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f]
  },
  PUBLISH: {
    properties: ['payloadFormat', 'messageExpiry', 'topicAlias', 'responseTopic', 'correlationData', 'userProperty', 'subscriptionId', 'contentType']
  },
  PUBACK: { properties: ACK_PROPERTIES, codes: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] },
  PUBREC: { properties: ACK_PROPERTIES, codes: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] },
  PUBREL: { properties: ACK_PROPERTIES, codes: [0x00, 0x92] },
  PUBCOMP: { properties: ACK_PROPERTIES, codes: [0x00, 0x92] },
  SUBACK: { properties: ACK_PROPERTIES, codes: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2] },
  UNSUBACK: { properties: ACK_PROPERTIES, codes: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91] },
  PINGRESP: { properties: [] },
  DISCONNECT: {
    properties: ['serverReference', ...ACK_PROPERTIES],
    codes: [0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2]
  }
}
const TYPES = [null, 'CONNECT', 'CONNACK', 'PUBLISH', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'SUBSCRIBE', 'SUBACK', 'UNSUBSCRIBE', 'UNSUBACK', 'PINGREQ', 'PINGRESP', 'DISCONNECT', 'AUTH']
const FLAGS = { PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2 } // all others 0

// ---- making

// { messageExpiry: 10, userProperty: [['a', 'b'], ['a', 'c']] } in that order, or
// bytes as they are; without the length in front.
function properties (given = {}) {
  if (Buffer.isBuffer(given)) return given
  const parts = []
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const [id, type] = PROPERTIES[name]
    const list = name === 'userProperty' || Array.isArray(value) ? value : [value]
    for (const item of list) parts.push(bytes(id, WRITE[type](item)))
  }
  return bytes(...parts)
}

const block = (v, given) => {
  if (v < 5) return Buffer.alloc(0)
  const content = properties(given)
  return bytes(varint(content.length), content)
}

// will: { topic, payload, qos, retain, properties }. `flags` instead of those that
// follow from the fields; `name`, `level` instead of those that follow from `v`.
function connect ({ v = 5, name = 'MQTT', level = v, flags, cleanStart = true, keepAlive = 0, properties: given, clientId = '', will, username, password }) {
  flags ??= (cleanStart ? 0x02 : 0) | (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40) |
    (will ? 0x04 | (will.qos ?? 0) << 3 | (will.retain ? 0x20 : 0) : 0)
  const parts = [string(name), level, flags, int16(keepAlive), block(v, given)]
  if (clientId !== null) parts.push(string(clientId))
  if (will) parts.push(block(v, will.properties), string(will.topic), string(will.payload ?? ''))
  if (username !== undefined) parts.push(string(username))
  if (password !== undefined) parts.push(string(password))
  return packet(0x10, ...parts)
}

function publish ({ v = 5, topic, payload = '', qos = 0, retain = false, dup = false, id, properties: given }) {
  return packet(0x30 | (dup ? 8 : 0) | qos << 1 | (retain ? 1 : 0),
    string(topic), ...(qos > 0 ? [int16(id)] : []), block(v, given), Buffer.from(payload))
}

// PUBACK and its kin: reason code and properties only where there are any.
const acknowledgement = (first) => ({ v = 5, id, code = 0, properties: given }) => {
  const content = properties(given)
  if (v < 5 || (code === 0 && content.length === 0)) return packet(first, int16(id))
  return packet(first, int16(id), code, ...(content.length > 0 ? [varint(content.length), content] : []))
}
const puback = acknowledgement(0x40)
const pubrec = acknowledgement(0x50)
const pubrel = acknowledgement(0x62)
const pubcomp = acknowledgement(0x70)

// filters: [[filter, options], …]
const subscribe = ({ v = 5, id = 1, filters, properties: given }) =>
  packet(0x82, int16(id), block(v, given), ...filters.flatMap(([filter, options = 0]) => [string(filter), options]))
const suback = ({ v = 5, id = 1, codes, properties: given }) =>
  packet(0x90, int16(id), block(v, given), codes)
const unsubscribe = ({ v = 5, id = 1, filters, properties: given }) =>
  packet(0xa2, int16(id), block(v, given), ...filters.map((filter) => string(filter)))
const unsuback = ({ v = 5, id = 1, codes, properties: given }) =>
  v < 5 ? packet(0xb0, int16(id)) : packet(0xb0, int16(id), block(v, given), codes)
const PINGREQ = packet(0xc0)
const PINGRESP = packet(0xd0)

function disconnect ({ v = 5, code = 0, properties: given } = {}) {
  const content = properties(given)
  if (v < 5 || (code === 0 && content.length === 0)) return packet(0xe0)
  return packet(0xe0, code, ...(content.length > 0 ? [varint(content.length), content] : []))
}

const auth = ({ code = 0x18, properties: given } = {}) => packet(0xf0, code, block(5, given))

// ---- reading

class Reader {
  constructor (data) {
    this.data = data
    this.at = 0
  }

  get left () { return this.data.length - this.at }

  take (count) {
    assert.ok(this.left >= count, `${count} bytes expected, ${this.left} left`)
    this.at += count
    return this.data.subarray(this.at - count, this.at)
  }

  byte () { return this.take(1)[0] }
  int16 () { return this.take(2).readUInt16BE() }
  int32 () { return this.take(4).readUInt32BE() }
  binary () { return this.take(this.int16()) }

  string () {
    const data = this.binary()
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
    assert.ok(!text.includes('\0'), 'U+0000 in a string')
    return text
  }

  pair () { return [this.string(), this.string()] }

  varint () {
    let value = 0
    for (let n = 0; n < 4; n++) {
      const byte = this.byte()
      value += (byte & 0x7f) * 128 ** n
      if (byte & 0x80) continue
      assert.ok(n === 0 || byte !== 0, 'a variable byte integer longer than need be (MQTT-1.5.5-1)')
      return value
    }
    assert.fail('a variable byte integer of more than four bytes')
  }
}

function readProperties (reader, type) {
  const end = reader.varint() + reader.at
  const found = {}
  while (reader.at < end) {
    const id = reader.varint()
    const name = PROPERTY_NAMES.get(id)
    assert.ok(name, `property 0x${id.toString(16)}`)
    assert.ok(FROM_SERVER[type].properties.includes(name), `${name} in a ${type} of the server`)
    const value = reader[PROPERTIES[name][1]]()
    if (name === 'userProperty' || name === 'subscriptionId') (found[name] ??= []).push(value)
    else {
      assert.ok(!(name in found), `${name} twice`)
      found[name] = value
    }
  }
  assert.equal(reader.at, end, 'properties end where their length says')
  return found
}

function codeOf (type, code) {
  assert.ok(FROM_SERVER[type].codes.includes(code), `reason code 0x${code.toString(16)} in ${type}`)
  return code
}

const READ = {
  CONNACK (reader, v, into) {
    const flags = reader.byte()
    assert.equal(flags & 0xfe, 0, 'reserved flags of CONNACK')
    into.sessionPresent = flags === 1
    into.code = reader.byte()
    if (v === 5) into.code = codeOf('CONNACK', into.code)
    else assert.ok(into.code <= 5, `return code ${into.code}`)
    if (into.code !== 0) assert.equal(into.sessionPresent, false, 'Session Present in a refusal')
    if (v === 5) into.properties = readProperties(reader, 'CONNACK')
  },
  PUBLISH (reader, v, into, flags) {
    into.dup = (flags & 8) !== 0
    into.qos = flags >> 1 & 3
    into.retain = (flags & 1) !== 0
    assert.notEqual(into.qos, 3, 'QoS 3')
    assert.ok(!into.dup || into.qos > 0, 'DUP with QoS 0')
    into.topic = reader.string()
    assert.doesNotMatch(into.topic, /[+#]/, 'wildcard in a topic name')
    if (into.qos > 0) assert.notEqual(into.id = reader.int16(), 0, 'packet identifier 0')
    into.properties = v === 5 ? readProperties(reader, 'PUBLISH') : {}
    assert.ok(into.topic !== '' || into.properties.topicAlias !== undefined, 'neither topic nor alias')
    into.payload = reader.take(reader.left)
  },
  SUBACK (reader, v, into) {
    into.id = reader.int16()
    if (v === 5) into.properties = readProperties(reader, 'SUBACK')
    into.codes = [...reader.take(reader.left)]
    for (const code of into.codes) {
      if (v === 5) codeOf('SUBACK', code)
      else assert.ok([0, 1, 2, 0x80].includes(code), `SUBACK ${code}`)
    }
  },
  UNSUBACK (reader, v, into) {
    into.id = reader.int16()
    if (v < 5) return
    into.properties = readProperties(reader, 'UNSUBACK')
    into.codes = [...reader.take(reader.left)]
    for (const code of into.codes) codeOf('UNSUBACK', code)
  },
  PINGRESP () {},
  DISCONNECT (reader, v, into) {
    assert.equal(v, 5, 'a DISCONNECT from a 3.1.1 server')
    into.code = reader.left > 0 ? codeOf('DISCONNECT', reader.byte()) : 0
    into.properties = reader.left > 0 ? readProperties(reader, 'DISCONNECT') : {}
  }
}
for (const type of ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP']) {
  READ[type] = (reader, v, into) => {
    into.id = reader.int16()
    into.code = v === 5 && reader.left > 0 ? codeOf(type, reader.byte()) : 0
    into.properties = v === 5 && reader.left > 0 ? readProperties(reader, type) : {}
  }
}

// One whole packet from a server, as bytes → its fields. Fails on whatever a
// server must not send.
function read (data, v) {
  const type = TYPES[data[0] >> 4]
  const flags = data[0] & 0x0f
  assert.ok(READ[type], `${type} from a server: ${hex(data)}`)
  if (type !== 'PUBLISH') assert.equal(flags, FLAGS[type] ?? 0, `flags of ${type}`)
  const into = { type, bytes: data }
  try {
    const reader = new Reader(data)
    reader.byte()
    assert.equal(reader.varint(), reader.left, 'remaining length')
    READ[type](reader, v, into, flags)
    assert.equal(reader.left, 0, 'bytes after the end')
  } catch (error) {
    error.message = `${type}: ${error.message}: ${hex(data)}`
    throw error
  }
  return into
}

// Length of the packet at the start of `data`, or 0 when it is not all there.
function lengthOf (data) {
  let length = 0
  for (let i = 1; i <= 4 && i < data.length; i++) {
    length += (data[i] & 0x7f) * 128 ** (i - 1)
    if (data[i] & 0x80) continue
    return data.length >= i + 1 + length ? i + 1 + length : 0
  }
  assert.ok(data.length < 5, 'a remaining length of more than four bytes')
  return 0
}

const hex = (data) => data.subarray(0, 200).toString('hex').replace(/..(?=.)/g, '$& ')

module.exports = {
  PROPERTIES, properties, connect, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsubscribe, unsuback, PINGREQ, PINGRESP, disconnect, auth, read, lengthOf, hex, bytes, int16, string, varint, packet
}
