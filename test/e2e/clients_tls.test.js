'use strict'
// Every client over TLS, with the server's certificate checked.
const { before, after } = require('node:test')
const { kinds } = require('./harness/clients')
const { keepsPromises } = require('./harness/promises')
const { Certificates } = require('./harness/certificates')

const certificates = new Certificates()
before(() => certificates.selfSigned('server', '127.0.0.1'))
after(() => certificates.remove())

const over = { set: certificates.settings(), extra: { ca: certificates.file('server.crt') } }
keepsPromises('MQTT.js over TLS', kinds['MQTT.js over TLS'], over)
keepsPromises('Paho over TLS', kinds.Paho, over)
keepsPromises('libmosquitto over TLS', kinds.libmosquitto, over)
