'use strict'
// libmosquitto, as a C program uses it.
const { kinds } = require('./harness/clients')
const { keepsPromises } = require('./harness/promises')

keepsPromises('libmosquitto', kinds.libmosquitto)
