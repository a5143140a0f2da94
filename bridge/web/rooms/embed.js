// The chat of one room: ?room=UID[&guest=1]. The token is localStorage.chat_token, followed
// live, or that of a guest. Pages of the same origin may post {login: TOKEN} and {room: UID}.
import { RoomSocket } from './socket.js'
import { avatar, linked, make, time } from './show.js'
import { emojiPicker } from './emoji.js'
import { call, socketUrl } from './api.js'

const TOKEN_KEY = 'chat_token'
const PAGE = 20 // messages that a join or a request for older ones brings
const KEPT = 1000 // messages shown at most
const ERROR_MS = 6000
const MAY_DELETE = ['root', 'admin', 'super_mod', 'mod', 'owner']
const ROLES = { root: 'root', admin: 'admin', super_mod: 'moderator', mod: 'moderator', owner: 'owner', guest: 'guest' }

const $ = (id) => document.getElementById(id)
const parameters = new URLSearchParams(location.search)
const socket = new RoomSocket(socketUrl())

let roomUid = asRoom(parameters.get('room')) // what is wanted
let room = null // what the server says of it
let token = null
let me = null
let myRoles = []
let messages = new Map() // id → {message, row}
const people = new Map() // uid → user
let freeAt = 0 // when slow mode lets the next message pass, in ms

function asRoom (text) { return typeof text === 'string' && /^[A-Za-z0-9]{1,32}$/.test(text) ? text : null }

// Whatever a server sends: strings where strings are shown.
function asUser (user) {
  const uid = String(user?.uid ?? '')
  return {
    uid,
    displayName: typeof user?.displayName === 'string' && user.displayName.trim() !== '' ? user.displayName : uid || 'Unknown',
    picture: user?.picture,
    roles: Array.isArray(user?.roles) ? user.roles.filter((role) => typeof role === 'string') : []
  }
}

// ---- what is said about the connection, and errors ------------------------------------

let errorTimer
function fail (text) {
  clearTimeout(errorTimer)
  $('error').textContent = text
  errorTimer = setTimeout(() => { $('error').textContent = '' }, ERROR_MS)
}

let noticeTimer
function note (text) {
  clearTimeout(noticeTimer)
  $('notice').textContent = text
  noticeTimer = setTimeout(() => { $('notice').textContent = '' }, ERROR_MS)
}

function banner (...content) {
  $('banner').replaceChildren(...content)
  $('banner').hidden = content.length === 0
}

// ---- messages -------------------------------------------------------------------------

const list = $('messages')
const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 60

function toEnd () {
  list.scrollTop = list.scrollHeight
  $('newest').hidden = true
}

function mayDelete (message) {
  return me !== null && token !== null && !message.isDeleted &&
    (message.user.uid === me.uid || myRoles.some((role) => MAY_DELETE.includes(role)))
}

function rowOf (message) {
  const by = make('div', { className: 'by' }, make('bdi', { className: 'name' }, message.user.displayName))
  for (const role of new Set(message.user.roles.map((role) => ROLES[role]).filter(Boolean))) by.append(make('span', { className: 'role' }, role))
  by.append(time(message.timestamp))
  const text = make('div', { className: 'text', dir: 'auto' })
  if (message.isDeleted) text.append(make('span', { className: 'deleted' }, '[message deleted]'))
  else text.append(...linked(message.message))
  const row = make('li', { className: 'message' }, avatar(message.user), by)
  row.dataset.id = message.id
  if (mayDelete(message)) {
    const button = make('button', { type: 'button', className: 'delete', title: 'Delete', ariaLabel: `Delete the message of ${message.user.displayName}` }, '✕')
    button.addEventListener('click', () => remove(message))
    row.append(button)
  }
  row.append(text)
  return row
}

function redraw (entry) {
  const row = rowOf(entry.message)
  entry.row.replaceWith(row)
  entry.row = row
}

function redrawAll () { for (const entry of messages.values()) redraw(entry) }

function asMessage (message) {
  return {
    id: Number(message.id),
    timestamp: Number(message.timestamp),
    message: typeof message.message === 'string' ? message.message : '',
    isDeleted: message.deleted === true,
    user: asUser(message.user)
  }
}

// Puts messages in the order of their ids; each once.
function add (added) {
  let hasMine = false
  for (const message of added.map(asMessage)) {
    if (!Number.isFinite(message.id) || messages.has(message.id)) continue
    if (me !== null && message.user.uid === me.uid) hasMine = learnRoles(message.user.roles) || hasMine
    const row = rowOf(message)
    let next = list.firstElementChild
    if (list.lastElementChild && Number(list.lastElementChild.dataset.id) < message.id) next = null
    while (next && Number(next.dataset.id) < message.id) next = next.nextElementSibling
    list.insertBefore(row, next)
    messages.set(message.id, { message, row })
  }
  if (hasMine) redrawAll()
  while (messages.size > KEPT) {
    messages.delete(Number(list.firstElementChild.dataset.id))
    list.firstElementChild.remove()
    $('older').hidden = false
  }
  showEmpty()
}

function clear () {
  messages = new Map()
  list.replaceChildren()
  $('older').hidden = true
  showEmpty()
}

function showEmpty () {
  $('empty').hidden = messages.size > 0
  $('empty').textContent = room === null ? (roomUid === null ? 'You are not in any room at this moment.' : 'Joining the room…') : 'No messages yet.'
}

// true: they are others than before
function learnRoles (roles) {
  if (roles.length === 0 || String(roles) === String(myRoles)) return false
  myRoles = roles
  return true
}

// What a join brings: the newest messages. Those before them stay if the two overlap;
// otherwise something is missing in between, and "Older messages" asks for it.
function window_ (newest) {
  const ids = newest.map(({ id }) => Number(id))
  const first = Math.min(...ids)
  const overlaps = ids.some((id) => messages.has(id))
  for (const [id, entry] of messages) {
    if (overlaps && (id < first || ids.includes(id))) continue
    entry.row.remove()
    messages.delete(id)
  }
  if (!overlaps) $('older').hidden = newest.length < PAGE
  add(newest)
  toEnd()
}

async function older () {
  const [first] = list.children
  const asked = roomUid
  if (!first) return
  $('older').disabled = true
  try {
    const { status, body } = await call('GET', `rooms/${asked}/messages?limit=${PAGE}&before=${first.dataset.id}`, { token })
    if (status !== 200 || !Array.isArray(body?.messages)) return fail(body?.error ?? 'Older messages cannot be read')
    if (asked !== roomUid) return
    const height = list.scrollHeight
    add(body.messages)
    list.scrollTop += list.scrollHeight - height
    $('older').hidden = body.messages.length < PAGE
  } catch {
    fail('Older messages cannot be read: the server cannot be reached')
  } finally {
    $('older').disabled = false
  }
}

async function remove (message) {
  if (!confirm('Delete this message?')) return
  try {
    const { status, body } = await call('DELETE', `messages/${message.id}`, { token })
    if (status === 200) wasDeleted(message.id)
    else fail(body?.error ?? `The message cannot be deleted (${status})`)
  } catch {
    fail('The message cannot be deleted: the server cannot be reached')
  }
}

function wasDeleted (id) {
  const entry = messages.get(Number(id))
  if (!entry || entry.message.isDeleted) return
  const hadFocus = entry.row.contains(document.activeElement)
  entry.message.isDeleted = true
  entry.message.message = ''
  redraw(entry)
  if (hadFocus) list.focus()
}

// ---- people ---------------------------------------------------------------------------

function showPeople () {
  $('online-count').textContent = `${people.size} online`
  $('people').replaceChildren(...[...people.values()]
    .sort((a, b) => a.displayName.localeCompare(b.displayName))
    .map((user) => make('li', {}, avatar(user), make('bdi', {}, user.displayName))))
}

function renamed (user) {
  if (people.has(user.uid)) people.set(user.uid, { ...people.get(user.uid), displayName: user.displayName, picture: user.picture })
  for (const entry of messages.values()) {
    if (entry.message.user.uid !== user.uid) continue
    entry.message.user = { ...entry.message.user, displayName: user.displayName, picture: user.picture }
    redraw(entry)
  }
  if (me?.uid === user.uid) me = { ...me, displayName: user.displayName }
  showPeople()
  showMe()
}

function showMe () {
  const canWrite = me !== null && room !== null
  $('text').disabled = $('emoji').disabled = !canWrite
  $('submit').disabled = !canWrite || !socket.isUp
  $('text').placeholder = canWrite ? 'Write a message (Shift+Enter: new line)' : me === null ? 'You must be logged in to write' : 'Join a room to write'
  $('who').replaceChildren(...me === null ? ['You must be logged in to write.'] : ['You are ', make('bdi', {}, me.displayName), '.'])
}

// ---- writing --------------------------------------------------------------------------

function showSlow () {
  const slow = room?.slowMode > 0 ? `Slow mode: one message every ${room.slowMode} s.` : ''
  const left = Math.ceil((freeAt - Date.now()) / 1000)
  $('slow').textContent = slow && left > 0 ? `${slow} ${left} s left.` : slow
  if (left > 0) setTimeout(showSlow, 250)
}

async function send () {
  const field = $('text')
  const text = field.value
  if (text.trim() === '' || $('submit').disabled) return
  if (Date.now() < freeAt) return fail(`Slow mode: wait ${Math.ceil((freeAt - Date.now()) / 1000)} s`)
  field.value = ''
  try {
    await socket.request('sendMessage', { text, timestamp: Date.now() })
    if (!text.startsWith('!')) {
      freeAt = Date.now() + (room?.slowMode ?? 0) * 1000
      showSlow()
    }
  } catch (error) {
    if (field.value === '') field.value = text
    fail(error.message)
  }
}

function insert (text) {
  const field = $('text')
  field.setRangeText(text, field.selectionStart, field.selectionEnd, 'end')
  field.focus()
}

// ---- the server -----------------------------------------------------------------------

const login = () => token === null ? undefined : socket.request('login', { token }).catch((error) => fail(error.message))
const join = () => roomUid === null ? undefined : socket.request('join', { uid: roomUid }).catch((error) => fail(error.message))

const events = {
  auth_updated ({ user }) {
    me = user == null ? null : asUser(user)
    myRoles = me?.roles ?? []
    const mine = [...messages.values()].findLast(({ message }) => message.user.uid === me?.uid)
    if (mine) learnRoles(mine.message.user.roles)
    showMe()
    redrawAll()
  },
  room_updated ({ room: told }) {
    if (told == null || (roomUid !== null && String(told.uid) !== roomUid)) return
    const slowMode = Number(told.slowMode)
    room = { name: String(told.name ?? ''), description: String(told.description ?? ''), slowMode: Number.isFinite(slowMode) ? slowMode : 0 }
    $('room').firstElementChild.textContent = room.name
    $('description').textContent = room.description
    document.title = room.name || 'Chat'
    showMe()
    showSlow()
    showEmpty()
  },
  room_messages ({ messages: newest }) { if (Array.isArray(newest)) window_(newest) },
  room_users ({ users }) {
    if (!Array.isArray(users)) return
    people.clear()
    for (const user of users.map(asUser)) people.set(user.uid, user)
    showPeople()
  },
  user_joined ({ user }) {
    people.set(asUser(user).uid, asUser(user))
    showPeople()
  },
  user_left ({ user }) {
    people.delete(asUser(user).uid)
    showPeople()
  },
  message (message) {
    if (typeof message.room === 'string' && message.room !== roomUid) return
    const follows = isAtEnd()
    add([message])
    if (follows) toEnd()
    else $('newest').hidden = false
  },
  message_deleted ({ ids }) { for (const id of [ids].flat()) wasDeleted(id) },
  room_purged: clear,
  user_updated ({ user }) { renamed(asUser(user)) },
  system ({ type, text }) { (type === 'error' ? fail : note)(String(text ?? '')) },
  error ({ message }) { fail(String(message ?? '')) }
}

socket.addEventListener('event', ({ detail: { name, payload } }) => {
  if (Object.hasOwn(events, name)) events[name](payload ?? {})
})
socket.addEventListener('up', () => {
  banner()
  login()
  join()
  showMe()
})
socket.addEventListener('down', ({ detail: { retryAt } }) => {
  const again = make('button', { type: 'button' }, 'Connect now')
  again.addEventListener('click', () => socket.connect())
  banner(retryAt === null ? 'The server ended the connection. ' : 'Disconnected. Connecting again… ', again)
  showMe()
})

function logIn (text) {
  token = typeof text === 'string' && text !== '' ? text : null
  if (!socket.isUp) return
  if (token !== null) login()
  else socket.request('logout', {}).catch((error) => fail(error.message))
}

function enter (uid) {
  roomUid = uid
  room = null
  people.clear()
  freeAt = 0
  clear()
  showPeople()
  showMe()
  if (socket.isUp) join()
}

// ---- what the user and other pages do -------------------------------------------------

$('send').addEventListener('submit', (event) => { event.preventDefault(); send() })
$('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  send()
})
$('older').addEventListener('click', older)
$('newest').addEventListener('click', () => { toEnd(); list.focus() })
list.addEventListener('scroll', () => { if (isAtEnd()) $('newest').hidden = true })
emojiPicker($('emoji'), $('picker'), insert)

addEventListener('storage', ({ key, newValue }) => {
  if (key === TOKEN_KEY || key === null) logIn(newValue)
})
addEventListener('message', ({ origin, data }) => {
  if (origin !== location.origin || data === null || typeof data !== 'object') return
  if (typeof data.login === 'string') logIn(data.login)
  if (asRoom(data.room)) enter(asRoom(data.room))
})
addEventListener('online', () => socket.connect())

// Frames of other sites may have no storage.
function stored () { try { return localStorage.getItem(TOKEN_KEY) } catch { return null } }

async function guest () {
  try {
    const { body } = await call('POST', 'users/login', { body: { guest: 1 } })
    if (typeof body?.token === 'string') return body.token
    fail(body?.error ?? 'Guests cannot log in')
  } catch {
    fail('The server cannot be reached')
  }
  return null
}

if (window !== window.top) {
  $('popout').href = location.href
  $('popout').hidden = false
}
showEmpty()
showMe()
token = stored() || null
if (parameters.get('guest')) token = await guest() ?? token
socket.connect()
