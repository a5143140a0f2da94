"""raw_exchange.py PORT PAUSE: what a TCP client sees that looks at everything.

Sends its standard input, reads the first bytes, waits PAUSE seconds, reads the
rest, and prints {"text": ..., "end": "FIN" or "RST"}. Node.js cannot tell: where
the last read was short, libuv takes a hang-up for the end of the stream, and the
reset that stands behind it is lost.
"""
import json
import socket
import sys
import time

with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) as client:
    client.sendall(sys.stdin.buffer.read())
    parts = [client.recv(65536)]
    time.sleep(float(sys.argv[2]))
    end = "FIN"
    try:
        while parts[-1]:
            parts.append(client.recv(65536))
    except ConnectionResetError:
        end = "RST"
print(json.dumps({"text": b"".join(parts).decode("latin1"), "end": end}))
