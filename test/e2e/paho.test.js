'use strict'
// Eclipse Paho for Python.
const { kinds } = require('./harness/clients')
const { keepsPromises } = require('./harness/promises')

keepsPromises('Paho', kinds.Paho)
