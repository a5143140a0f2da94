"""The server of a soak: started, looked at, killed, started again, all on one
data folder and the same two ports."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

START_PATIENCE_S = 30
STOP_PATIENCE_S = 10
MIB = 1048576.0


class Failed(Exception):
    """The soak cannot go on; the text says why."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write_configuration(path, plans):
    """plans: {name: {key: value}}"""
    text = ""
    for name, keys in plans.items():
        text += f"[plan:{name}]\n"
        text += "".join(f"{key} = {value}\n" for key, value in keys.items())
    path.write_text(text)


class Server:
    def __init__(self, program, folder, plans, environment):
        self.program = str(program)
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.ini = self.folder / "confab.ini"
        self.environment = environment
        self.http = f"127.0.0.1:{free_port()}"
        self.mqtt = f"127.0.0.1:{free_port()}"
        self.process = None
        write_configuration(self.ini, plans)
        self.stderr = open(self.folder / "server.log", "ab")

    def command(self, *words, timeout=30):
        """stdout of `confab WORDS`, with our data folder and settings."""
        done = subprocess.run(
            [self.program, *words, "-c", str(self.ini), "--data",
             str(self.data)], capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise Failed(f"confab {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "run", "-c", str(self.ini),
             "--data", str(self.data), "-s", f"http.listen={self.http}",
             "-s", f"mqtt.listen={self.mqtt}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.stderr, env={**os.environ, **self.environment})
        # A server that hangs at its start is killed, and readline() returns.
        alarm = threading.Timer(START_PATIENCE_S, self.process.kill)
        alarm.start()
        line = self.process.stdout.readline().decode(errors="replace")
        alarm.cancel()
        if not line.startswith("confab ready "):
            self.process.kill()
            self.process.wait()
            raise Failed("the server did not start: " + self.last_words())

    def last_words(self):
        text = (self.folder / "server.log").read_text(errors="replace")
        lines = text.strip().splitlines()
        return lines[-1] if lines else "it said nothing on stderr"

    def check_alive(self):
        if self.process.poll() is not None:
            raise Failed(f"the server ended with {self.process.returncode}: "
                         f"{self.last_words()}")

    def kill(self):
        """As a power cut would."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Asks it to stop. Returns why that was no clean stop, or None."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return (f"the server was still there {STOP_PATIENCE_S} s after "
                    "SIGTERM")
        self.process.stdout.close()
        self.stopped_in_s = time.monotonic() - begun
        if status != 0:
            return f"the server ended with {status} after SIGTERM"
        return None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def sample(self):
        """What the server uses now; sizes in MiB."""
        self.check_alive()
        proc = pathlib.Path(f"/proc/{self.process.pid}")
        kib = dict(re.findall(r"^(\w+):\s+(\d+) kB$",
                              (proc / "smaps_rollup").read_text(), re.M))
        threads = re.search(r"^Threads:\s+(\d+)$",
                            (proc / "status").read_text(), re.M)
        file = os.stat(self.data / "data.mdb")
        descriptors = self.descriptors()
        status = json.loads(self.command("status"))
        return {
            "rss": int(kib["Rss"]) / 1024,
            "pss": int(kib["Pss"]) / 1024,
            "pss_anon": int(kib["Pss_Anon"]) / 1024,
            "file": file.st_size / MIB,
            "file_allocated": file.st_blocks * 512 / MIB,
            "in_use": status["store"]["map_used"] / MIB,
            "entries": status["store"]["entries"],
            "descriptors": descriptors,
            "threads": int(threads[1]),
            "commit_p50_us": status["writer"]["commit_p50_us"],
            "commit_p99_us": status["writer"]["commit_p99_us"],
            "trimmed": status["writer"]["trimmed"],
            "dropped": {k: v for k, v in status["dropped"].items() if v > 0},
            "batches_dropped": status["batches_dropped"],
            "closed": {k: v for k, v in status["closed"].items() if v > 0},
        }
