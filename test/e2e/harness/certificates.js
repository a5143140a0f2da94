'use strict'
// Certificates made with openssl, in a folder of their own.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { run } = require('./process')

const NAMES = 'subjectAltName=DNS:localhost,IP:127.0.0.1'
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

class Certificates {
  constructor () { this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'confab-e2e-tls-')) }

  file (name) { return path.join(this.folder, name) }
  read (name) { return fs.readFileSync(this.file(name)) }

  async openssl (...args) {
    const { code, stderr } = await run('openssl', args)
    assert.equal(code, 0, stderr)
  }

  // A CA, or a certificate that is its own: NAME.crt, NAME.key.
  async selfSigned (name, subject = name) {
    await this.openssl('req', '-x509', ...KEY, '-days', '2', '-subj', `/CN=${subject}`,
      '-addext', NAMES, '-keyout', this.file(`${name}.key`), '-out', this.file(`${name}.crt`))
    return this
  }

  // days -1: has expired.
  async signed (name, ca, usage, days = 2) {
    const [request, extra] = [this.file(`${name}.csr`), this.file(`${name}.ext`)]
    fs.writeFileSync(extra, `${NAMES}\nextendedKeyUsage=${usage}\n`)
    await this.openssl('req', ...KEY, '-subj', `/CN=${name}`, '-keyout', this.file(`${name}.key`), '-out', request)
    // OpenSSL 3.4 wants the beginning as well.
    const period = days < 0 && (await run('openssl', ['x509', '-help'])).stderr.includes('-not_before')
      ? ['-not_before', '20200101000000Z', '-not_after', '20200102000000Z']
      : ['-days', String(days)]
    await this.openssl('x509', '-req', '-in', request, '-CA', this.file(`${ca}.crt`), '-CAkey', this.file(`${ca}.key`),
      '-CAcreateserial', ...period, '-extfile', extra, '-out', this.file(`${name}.crt`))
    return this
  }

  // The settings of a server that shows NAME.crt.
  settings (name = 'server', rest = {}) {
    return {
      'mqtt.tls_listen': '127.0.0.1:0',
      'mqtt.tls_cert': this.file(`${name}.crt`),
      'mqtt.tls_key': this.file(`${name}.key`),
      ...rest
    }
  }

  remove () { fs.rmSync(this.folder, { recursive: true, force: true }) }
}

module.exports = { Certificates }
