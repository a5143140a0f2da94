// The emoji picker: a grid of buttons, one of which is in the tab order. Arrow keys move,
// Enter inserts, Escape closes.
import { make } from './show.js'

const COLUMNS = 8
const EMOJI = `😀 grinning|😃 smiling|😄 laughing eyes|😁 beaming|😆 laughing|😅 relieved laugh|😂 tears of joy|🙂 slight smile|😉 wink|😊 blush|😇 halo|😍 heart eyes|😘 kiss|😋 tasty|😜 winking tongue|🤔 thinking|😐 neutral|🙄 rolling eyes|😏 smirk|😬 grimace|😌 relieved|😴 asleep|😷 mask|🤒 ill|😎 sunglasses|🤓 nerd|😕 confused|🙁 frown|😮 surprised|😳 flushed|😢 crying|😭 sobbing|😱 screaming|😤 huffing|😡 angry|🤯 mind blown|🥳 party|🤗 hug|🤫 hush|👻 ghost|👍 thumbs up|👎 thumbs down|👏 clapping|🙏 thank you|🤝 handshake|💪 strong|👋 wave|👌 OK hand|✌️ victory|🤞 crossed fingers|👀 eyes|🧠 brain|❤️ red heart|🧡 orange heart|💛 yellow heart|💚 green heart|💙 blue heart|💜 purple heart|🖤 black heart|💔 broken heart|🔥 fire|✨ sparkles|⭐ star|🎉 celebration|🎁 gift|🎂 cake|🏆 trophy|⚽ football|🎵 music|🎮 game|💡 idea|💻 computer|📱 phone|📷 camera|📌 pin|🔒 lock|🔑 key|⏰ alarm clock|✅ done|❌ cross mark|❓ question|❗ exclamation|💯 hundred|🚀 rocket|🚗 car|✈️ aeroplane|🏠 house|🌍 earth|☀️ sun|🌙 moon|🌧️ rain|❄️ snow|🌱 plant|🌹 rose|🐶 dog|🐱 cat|🍕 pizza|🍎 apple|🍻 beer|☕ coffee`
  .split('|').map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)])

export function emojiPicker (button, box, insert) {
  const keys = EMOJI.map(([text, name], i) => make('button', { type: 'button', title: name, ariaLabel: name, tabIndex: i === 0 ? 0 : -1 }, text))
  box.append(...keys)

  const focus = (i) => {
    const to = Math.max(0, Math.min(keys.length - 1, i))
    keys.forEach((key, k) => { key.tabIndex = k === to ? 0 : -1 })
    keys[to].focus()
  }
  const open = (isOpen) => {
    box.hidden = !isOpen
    button.ariaExpanded = String(isOpen)
    if (isOpen) focus(keys.findIndex((key) => key.tabIndex === 0))
  }
  const close = () => { open(false); button.focus() }

  button.addEventListener('click', () => open(box.hidden))
  box.addEventListener('click', ({ target }) => {
    const i = keys.indexOf(target)
    if (i < 0) return
    open(false)
    insert(EMOJI[i][0])
  })
  box.addEventListener('keydown', (event) => {
    const at = keys.indexOf(document.activeElement)
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + COLUMNS, ArrowUp: at - COLUMNS, Home: 0, End: keys.length - 1 }[event.key]
    if (event.key === 'Escape') close()
    else if (to !== undefined) focus(to)
    else return
    event.preventDefault()
  })
  document.addEventListener('pointerdown', ({ target }) => {
    if (!box.hidden && !box.contains(target) && !button.contains(target)) open(false)
  })
}
