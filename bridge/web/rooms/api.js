// The HTTP API. All URLs are relative to the page, since a proxy may serve it below a path.
export const base = new URL('.', document.baseURI)
export const socketUrl = () => {
  const url = new URL('socket.io/?EIO=4&transport=websocket', base)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

// → {status, body}; `body` is undefined if the answer is no JSON. Rejects if there is none.
export async function call (method, path, { token, body } = {}) {
  const headers = {}
  if (token) headers.Authorization = `Bearer ${token}`
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  const answer = await fetch(new URL(path, base), { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
  const text = await answer.text()
  let json
  try { json = JSON.parse(text) } catch { /* e.g. of a proxy, or empty */ }
  return { status: answer.status, body: json }
}
