// Text, names and pictures of strangers as nodes. Nothing here makes markup of text.
const SVG = 'http://www.w3.org/2000/svg'

export function make (name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties)
  node.append(...children)
  return node
}

function hash (text) {
  let h = 2166136261
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619) >>> 0
  return h
}

// "anna maria (VVVQu3pylV)" → "AM"
export function initials (name) {
  const words = name.replace(/\s*\(\w{10}\)$/, '').match(/[\p{L}\p{N}]+/gu) ?? []
  return words.slice(0, 2).map((word) => [...word][0].toLocaleUpperCase()).join('') || '?'
}

// A picture may come from this server or be a data: image; the policy refuses others, and
// the page does not even ask for them.
function isOwnPicture (picture) {
  if (typeof picture !== 'string' || picture === '') return false
  if (/^data:image\/(png|jpeg|gif|webp|avif)[;,]/i.test(picture)) return true
  try {
    const url = new URL(picture, document.baseURI)
    return url.origin === location.origin && /^https?:$/.test(url.protocol)
  } catch { return false }
}

export function avatar (user) {
  if (isOwnPicture(user.picture)) return make('img', { className: 'avatar', src: user.picture, alt: '', loading: 'lazy', referrerPolicy: 'no-referrer' })
  const svg = document.createElementNS(SVG, 'svg')
  const part = (name, attributes, text = '') => {
    const node = document.createElementNS(SVG, name)
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
    node.textContent = text
    svg.append(node)
  }
  svg.setAttribute('class', 'avatar')
  svg.setAttribute('viewBox', '0 0 32 32')
  svg.setAttribute('aria-hidden', 'true')
  part('rect', { width: 32, height: 32, fill: `hsl(${hash(String(user.uid)) % 360} 55% 32%)` })
  part('text', { x: 16, y: 21, 'text-anchor': 'middle', 'font-size': 13, fill: '#fff' }, initials(user.displayName))
  return svg
}

// Stops at blanks, at what closes a quotation, and at characters that change the direction
// of text or are invisible, with which a link could look like another.
const LINK = /\bhttps?:\/\/[^\s<>"'`\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+/giu

function withoutPunctuation (link) {
  let end = link.length
  while (end > 0) {
    const last = link[end - 1]
    const isOpen = last === ')' && link.slice(0, end).split('(').length >= link.slice(0, end).split(')').length
    if (isOpen || !/[.,;:!?)\]}*_~]/.test(last)) break
    end--
  }
  return link.slice(0, end)
}

// → nodes: text, and links to http and https only
export function linked (text) {
  const nodes = []
  let from = 0
  for (const match of text.matchAll(LINK)) {
    const shown = withoutPunctuation(match[0])
    let url
    try { url = new URL(shown) } catch { continue }
    if (!/^https?:$/.test(url.protocol)) continue
    nodes.push(text.slice(from, match.index))
    nodes.push(make('bdi', {}, make('a', { href: url.href, title: url.href, target: '_blank', rel: 'noopener noreferrer nofollow ugc' }, shown)))
    from = match.index + shown.length
  }
  nodes.push(text.slice(from))
  return nodes
}

export function time (milliseconds) {
  const at = new Date(milliseconds)
  if (Number.isNaN(at.getTime())) return make('time')
  const clock = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  const isToday = at.toDateString() === new Date().toDateString()
  return make('time', { dateTime: at.toISOString(), title: at.toLocaleString() }, isToday ? clock : `${at.toLocaleDateString()} ${clock}`)
}
