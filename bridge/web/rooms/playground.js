// Every call of the API by hand. What was entered and answered is kept in localStorage, as
// `_input:<id>` and `_pre:<id>`; passwords are not.
import { base, call } from './api.js'

const TOKEN_KEY = 'chat_token'
const $ = (id) => document.getElementById(id)
const frames = [$('embed1'), $('embed2')]
const inputs = [...document.querySelectorAll('input:not([type=password])')]
const answers = [...document.querySelectorAll('pre[id]')]

// Also where the browser allows no storage.
const keep = (key, value) => { try { localStorage.setItem(key, value) } catch { /* it is not kept */ } }
const kept = (key) => { try { return localStorage.getItem(key) } catch { return null } }

function print (id, text) {
  $(id).textContent = text
  keep(`_pre:${id}`, text)
}

function enter (id, value) {
  $(id).value = value
  keep(`_input:${id}`, value)
}

const token = () => kept(TOKEN_KEY) ?? ''

// Sends one request and prints its answer; → its body, or undefined.
async function run (id, method, path, body) {
  try {
    const answer = await call(method, path, { token: token(), body })
    print(id, answer.body === undefined ? `${answer.status}` : JSON.stringify(answer.body, null, 2))
    return answer.status === 200 ? answer.body : undefined
  } catch {
    print(id, 'The server cannot be reached.')
  }
}

// A change of localStorage tells other pages and frames, but not those whose page made it.
function use (value) {
  enter('token', value)
  keep(TOKEN_KEY, value)
  for (const frame of frames) frame.contentWindow.postMessage({ login: value }, location.origin)
  $('used').textContent = 'The chat uses this token.'
}

function show (uid) {
  const url = new URL('embed.html', base)
  if (uid) url.searchParams.set('room', uid)
  for (const frame of frames) if (frame.src !== url.href) frame.src = url.href
  $('snippet').textContent = uid ? `<iframe src="${url.href}" title="Chat"></iframe>` : ''
}

const onSubmit = (id, act) => $(id).addEventListener('submit', (event) => { event.preventDefault(); act() })

onSubmit('register', async () => {
  const body = { username: $('register-username').value, password: $('register-password').value }
  const answer = await run('register-answer', 'POST', 'users/register', body)
  if (typeof answer?.token !== 'string') return
  enter('login-username', body.username)
  use(answer.token)
})
onSubmit('login', async () => {
  const answer = await run('login-answer', 'POST', 'users/login', { username: $('login-username').value, password: $('login-password').value })
  if (typeof answer?.token === 'string') use(answer.token)
})
$('guest').addEventListener('click', async () => {
  const answer = await run('login-answer', 'POST', 'users/login', { guest: 1 })
  if (typeof answer?.token === 'string') use(answer.token)
})
onSubmit('use', () => use($('token').value.trim()))
$('logout').addEventListener('click', () => {
  try { localStorage.removeItem(TOKEN_KEY) } catch { /* nothing was kept */ }
  enter('token', '')
  for (const frame of frames) frame.contentWindow.location.reload()
  $('used').textContent = 'The chat is logged out.'
})
onSubmit('create', async () => {
  const answer = await run('create-answer', 'POST', 'rooms', { name: $('room-name').value })
  if (typeof answer?.room?.uid !== 'string') return
  enter('room', answer.room.uid)
  show(answer.room.uid)
})
onSubmit('enter', () => show($('room').value))
onSubmit('post', async () => {
  const answer = await run('post-answer', 'POST', 'messages', { room: $('room').value, message: $('message').value })
  if (Number.isInteger(answer?.result)) enter('message-id', String(answer.result))
})
onSubmit('delete', () => run('delete-answer', 'DELETE', `messages/${encodeURIComponent($('message-id').value)}`))
$('reset').addEventListener('click', () => {
  try { localStorage.clear() } catch { /* nothing was kept */ }
  location.reload()
})

for (const input of inputs) {
  input.value = kept(`_input:${input.id}`) ?? input.value
  input.addEventListener('input', () => keep(`_input:${input.id}`, input.value))
}
for (const pre of answers) pre.textContent = kept(`_pre:${pre.id}`) ?? ''
$('base').textContent = base.href
$('token').value = token()
show($('room').value)
