'use strict'
// Every client over TLS, with the server's certificate checked.
const fs = require('node:fs')
const { after } = require('node:test')
const { kinds } = require('./harness/clients')
const { keepsPromises } = require('./harness/promises')
const { selfSigned } = require('./harness/certificate')

const { folder, cert, key } = selfSigned()
after(() => fs.rmSync(folder, { recursive: true, force: true }))

const set = { 'mqtt.tls_listen': '127.0.0.1:0', 'mqtt.tls_cert': cert, 'mqtt.tls_key': key }
for (const name of ['MQTT.js over TLS', 'Paho', 'libmosquitto']) {
  keepsPromises(name === 'MQTT.js over TLS' ? name : `${name} over TLS`, kinds[name], { set, extra: { ca: cert } })
}
