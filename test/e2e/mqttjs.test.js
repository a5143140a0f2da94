'use strict'
// MQTT.js over TCP and WebSocket.
const { kinds } = require('./harness/clients')
const { keepsPromises } = require('./harness/promises')

for (const name of ['MQTT.js', 'MQTT.js over WebSocket']) keepsPromises(name, kinds[name])
