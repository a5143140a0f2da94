'use strict'
// Fresh tokens, and the check that none of them ever shows up in a log.
const { randomBytes } = require('node:crypto')

const secrets = new Set()

// A token is its tenant's password: 24 random characters, so that finding it
// in a log can be no accident.
// Like the server's, none begins with a dash: it would be a command's option.
function newToken () {
  const token = randomBytes(18).toString('base64url')
  return token.startsWith('-') ? newToken() : secret(token)
}

// Remember a token the server made.
function secret (token) {
  secrets.add(token)
  return token
}

function secretsIn (text) {
  return [...secrets].filter((token) => text.includes(token))
}

const chat = (token, thing, rest = '') =>
  `/${token}/chat/${encodeURIComponent(thing)}${rest}`

module.exports = { newToken, secret, secretsIn, chat }
