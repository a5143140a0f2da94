'use strict'
// A certificate for 127.0.0.1 that is its own authority, made for one run.
const { execFileSync } = require('node:child_process')
const path = require('node:path')
const { temporaryFolder } = require('./server')

// → { folder, cert, key }: files
function selfSigned () {
  const folder = temporaryFolder()
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(folder, name))
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
    '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1',
    '-keyout', key, '-out', cert], { stdio: 'pipe' })
  return { folder, cert, key }
}

module.exports = { selfSigned }
