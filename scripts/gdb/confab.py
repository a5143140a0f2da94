"""gdb printers for Confab's most frequent structs.

    gdb -x scripts/gdb/confab.py -p PID          (docs/HACKING.md, Debugging)
    (gdb) p some_slice        "demo/sensor1" (12 bytes)
    (gdb) p *c                connection 17 OPEN 127.0.0.1:51234 token dem... ...
    (gdb) p/r *c              all fields, as without this file

They read memory and call nothing, so they work on core files, too. Tokens are
shortened as in logs: what gdb prints is pasted into reports. p/r has them whole.
"""
import gdb

SHOWN = 200  # bytes of a slice or buffer


def memory(address, size):
    """Bytes at an address of the process, the core or the program's file."""
    if size == 0:
        return b""
    block = gdb.Value(address).cast(
        gdb.lookup_type("unsigned char").pointer()).dereference()
    array = gdb.lookup_type("unsigned char").array(size - 1)
    value = block.address.cast(array.pointer()).dereference()
    return bytes(int(value[i]) for i in range(size))


def quoted(data):
    out = []
    for byte in data:
        char = chr(byte)
        if char in '"\\':
            out.append("\\" + char)
        elif 0x20 <= byte < 0x7f:
            out.append(char)
        else:
            out.append(f"\\x{byte:02x}")
    return '"' + "".join(out) + '"'


def text_of(pointer, size):
    size, address = int(size), int(pointer)
    if address == 0:
        return "NULL" if size == 0 else f"NULL ({size} bytes!)"
    try:
        text = quoted(memory(address, min(size, SHOWN)))
    except gdb.MemoryError:
        return f"unreadable at {address:#x} ({size} bytes)"
    more = "..." if size > SHOWN else ""
    return f"{text}{more} ({size} bytes)"


def c_string(array):
    """A char array up to its NUL."""
    data = memory(int(array.address), array.type.sizeof)
    return data.split(b"\0")[0].decode("ascii", "backslashreplace")


def short_token(data):
    shown = data[:min(6, len(data) // 2)].decode("ascii", "backslashreplace")
    return shown + "..."


def constant(value, tag, prefix):
    """The name of an enumerator without its prefix; its number where the
    compiler has left the type out (clang does, of types only used by value)."""
    try:
        name = str(value.cast(gdb.lookup_type(f"enum {tag}")))
    except gdb.error:
        return str(int(value))
    return name[len(prefix):] if name.startswith(prefix) else name


def true_fields(value, names):
    return [name for name in names if bool(value[name])]


class SlicePrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return text_of(self.value["data"], self.value["len"])


class BufferPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        text = text_of(self.value["data"], self.value["len"])
        limit = int(self.value["limit"])
        notes = [f"room for {int(self.value['cap'])}"]
        if limit:
            notes.append(f"limit {limit}")
        if self.value["failed"]:
            notes.append("FAILED")
        return f"{text}, {', '.join(notes)}"


class ConnectionPrinter:
    FLAGS = ["stalled", "starving", "held", "leaving", "behind_own",
             "opening", "touched"]

    def __init__(self, value):
        self.value = value

    def who(self):
        c = self.value
        if c["peer_is_admin"]:
            return "administrator"
        if int(c["identity"]) == 0:
            return "no client yet"
        try:
            identity = memory(int(c["identity"]), int(c["identity_len"]))
        except gdb.MemoryError:
            return "identity unreadable"
        token = identity[:int(c["token_len"])]
        client = identity[len(token) + 1:]
        return f"token {short_token(token)} client {quoted(client)}"

    def to_string(self):
        c = self.value
        state = constant(c["state"], "connection_state", "CONNECTION_")
        parts = [f"connection {int(c['number'])} {state} {c_string(c['peer'])}",
                 self.who(),
                 f"out {int(c['out']['bytes'])} bytes"
                 f" in {int(c['out']['count'])} runs",
                 f"inflight {int(c['inflight']['count'])}"
                 f" of {int(c['inflight']['window'])}",
                 f"unacked {int(c['unacked_count'])}",
                 f"commands {int(c['commands'])}"
                 f" ({int(c['command_bytes'])} bytes)",
                 f"filters {int(c['filter_count'])}"]
        parts.append("reads the log" if int(c["catchup"]) else "live")
        if int(c["stored"]):
            parts.append("stored session")
        return ", ".join(parts + true_fields(c, self.FLAGS))


class StreamPrinter:
    FLAGS = ["half_closed", "failed"]

    def __init__(self, value):
        self.value = value

    def to_string(self):
        s = self.value
        state = constant(s["state"], "stream_state", "STREAM_")
        queue = constant(s["queue"], "stream_queue", "QUEUE_")
        parts = [f"stream fd {int(s['fd'])} {state}",
                 f"position {int(s['position'])}",
                 f"owes {int(s['output']['bytes'])} bytes"
                 f" in {int(s['output']['count'])} segments"]
        if queue != "NONE":
            parts.append(f"queue {queue}")
        if int(s["gap_walk"]):
            parts.append(f"waits for gap walk {int(s['gap_walk'])}")
        if int(s["audience"]) == 0:
            parts.append("no audience")
        return ", ".join(parts + true_fields(s, self.FLAGS))


PRINTERS = {"slice": SlicePrinter, "buffer": BufferPrinter,
            "connection": ConnectionPrinter, "stream": StreamPrinter}


def find_printer(value):
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_STRUCT and kind.tag in PRINTERS:
        return PRINTERS[kind.tag](value)
    return None


gdb.pretty_printers.append(find_printer)
