'use strict'
// Prometheus's text format 0.0.4, read as strictly as a scraper may: whatever is
// not in the format throws.
const assert = require('node:assert/strict')

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/i

const unescaped = (text) => text.replace(/\\(.)/g, (_, c) => c === 'n' ? '\n' : c)

function sampleOf (line) {
  const name = NAME.exec(line)?.[0]
  assert.ok(name, `no name: ${line}`)
  let rest = line.slice(name.length)
  const labels = {}
  if (rest[0] === '{') {
    rest = rest.slice(1)
    for (;;) {
      const [whole, label, value] = LABEL.exec(rest) ?? assert.fail(`no label: ${line}`)
      assert.ok(!(label in labels), `label twice: ${line}`)
      labels[label] = unescaped(value)
      rest = rest.slice(whole.length)
      if (rest[0] === '}') break
      assert.equal(rest[0], ',', line)
      rest = rest.slice(1)
    }
    rest = rest.slice(1)
  }
  assert.equal(rest[0], ' ', line)
  assert.match(rest.slice(1), VALUE, line)
  return { name, labels, value: Number(rest.slice(1)) }
}

// → Map of family name → { type, help, samples: [{ labels, value }] }
function parseMetrics (text) {
  assert.ok(text.endsWith('\n'), 'the last line has no end')
  const families = new Map()
  let family = null
  for (const line of text.slice(0, -1).split('\n')) {
    const head = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (head?.[1] === 'HELP') {
      assert.match(head[2], new RegExp(NAME.source + '$'))
      assert.ok(!families.has(head[2]), `${head[2]} stands in two places`)
      assert.doesNotMatch(head[3].replace(/\\[\\n]/g, ''), /\\/, line)
      assert.notEqual(head[3], '', line)
      family = { name: head[2], help: head[3], samples: [] }
      families.set(head[2], family)
    } else if (head) {
      assert.equal(head[2], family?.name, 'TYPE behind HELP of the same name')
      assert.equal(family.type, undefined, line)
      assert.match(head[3], /^(counter|gauge)$/, line)
      family.type = head[3]
    } else {
      const { name, labels, value } = sampleOf(line)
      assert.equal(name, family?.name, `not in its family: ${line}`)
      assert.ok(family.type, `no TYPE: ${line}`)
      const key = JSON.stringify(Object.entries(labels).sort())
      assert.ok(!family.samples.some((s) => s.key === key), `twice: ${line}`)
      family.samples.push({ key, labels, value })
    }
  }
  for (const f of families.values()) {
    assert.match(f.name, /^confab_/)
    assert.equal(f.name.endsWith('_total'), f.type === 'counter', f.name)
    assert.notEqual(f.samples.length, 0, `${f.name} is empty`)
    for (const { value } of f.samples) assert.ok(value >= 0, f.name)
  }
  return families
}

// The value of one sample; 0: it is not shown, or not yet.
function metric (families, name, labels = {}) {
  const key = JSON.stringify(Object.entries(labels).sort())
  return families.get(name)?.samples.find((s) => s.key === key)?.value ?? 0
}

module.exports = { parseMetrics, metric }
