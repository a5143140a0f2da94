"""A server under measurement: how it is started, found ready, stopped."""

import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"
START_PATIENCE_S = 20
STOP_PATIENCE_S = 10
# bench_load itself gives up after 10 s without progress; this is for the case
# that it hangs.
LOAD_PATIENCE_S = 600


class Failed(Exception):
    """A measurement that has no figure; the text says why."""


def find_program(name):
    # Debian keeps servers in sbin, which users have not on their PATH.
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        raise Failed(f"{name} is not installed")
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_offset(ports):
    """A number that makes free ports of all of `ports` when added."""
    while True:
        offset = free_port() - ports[0]
        with contextlib.suppress(OSError, OverflowError), \
                contextlib.ExitStack() as all_bound:
            for port in ports:
                s = all_bound.enter_context(socket.socket())
                s.bind(("127.0.0.1", port + offset))
            return offset


def fill_in(template, to, values):
    text = (PEERS / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    to.write_text(text)


class Server:
    """A context manager. Subclasses say in prepare() what to start, and may
    have options of their own for bench_load in `load_options`."""

    label = ""
    role = "peer"  # or floor, confab
    packages = ()  # Debian's, of a peer
    load_options = ()
    attempts = 1  # at a measurement, before it counts as failed

    @classmethod
    def problem(cls):
        """Why it cannot be measured at all, or None."""
        return None

    @classmethod
    def version(cls):
        return None

    def __init__(self, bench):
        self.bench = bench
        self.http = self.mqtt = self.nats = None
        self.commits = None  # (p50, p99) in µs, where the server tells
        self.process = None
        self.companions = []

    def prepare(self, folder):
        """The command to start, or None when there is nothing to."""
        raise NotImplementedError

    def wait_ready(self):
        raise NotImplementedError

    def before_stop(self):
        pass

    def after_stop(self, output):
        pass

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.bench.data))
        self.stderr = open(self.folder / "stderr", "w+b")
        try:
            argv = self.prepare(self.folder)
            if argv is not None:
                self.process = self.start(argv, subprocess.PIPE)
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind, value, traceback):
        output = ""
        try:
            if kind is None:
                self.before_stop()
        finally:
            output = self.stop()
        if kind is None:
            self.after_stop(output)

    def start(self, argv, stdout=subprocess.DEVNULL):
        # In a session of its own, or a Ctrl-C in the terminal would end it
        # before the driver has decided anything.
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout,
                                stderr=self.stderr, start_new_session=True)

    def start_companion(self, argv):
        """A process that the server needs, ended after it."""
        self.companions.append(self.start(argv))

    def stop(self):
        """Ends the processes and removes the folder. Returns what the main
        one printed."""
        output = b""
        try:
            if self.process is not None:
                output = self.end(self.process)
        finally:
            for companion in self.companions:
                self.end(companion)
            self.stderr.close()
            shutil.rmtree(self.folder, ignore_errors=True)
        return output.decode(errors="replace")

    def end(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.communicate(timeout=STOP_PATIENCE_S)[0] or b""
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failed(f"{self.label} did not stop within "
                         f"{STOP_PATIENCE_S} s of SIGTERM") from None

    def complaint(self):
        self.stderr.seek(0)
        text = self.stderr.read().decode(errors="replace").strip()
        return text.splitlines()[-1] if text else "it said nothing on stderr"

    def check_alive(self):
        for process in [self.process, *self.companions]:
            if process is not None and process.poll() is not None:
                raise Failed(f"{self.label} ended with {process.returncode}: "
                             f"{self.complaint()}")

    def wait_for_port(self, port):
        end = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < end:
            self.check_alive()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            time.sleep(0.02)
        raise Failed(f"{self.label} does not listen after "
                     f"{START_PATIENCE_S} s")

    def wait_for_line(self, start):
        """The `<name> ready http=... mqtt=...` line of floor and Confab."""
        end = time.monotonic() + START_PATIENCE_S
        line = b""
        out = self.process.stdout.fileno()
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise Failed(f"{self.label} is not ready after "
                             f"{START_PATIENCE_S} s")
            byte = os.read(out, 1)
            if not byte:
                self.process.wait()
                self.check_alive()
            line += byte
        text = line.decode(errors="replace")
        if not text.startswith(start):
            raise Failed(f"{self.label} printed {text.strip()!r} when ready")
        found = dict(re.findall(r"(\w+)=(\S+)", text))
        self.http = found.get("http")
        self.mqtt = found.get("mqtt")

    def common(self, mode):
        """Options that every run of the load generator has."""
        o = self.bench.options
        if mode == "idle":
            return ["--size", str(o.size), "--settle", "1",
                    "--pid", str(self.process.pid)]
        return ["--size", str(o.size), "--duration", str(o.duration),
                "--warmup", str(o.warmup)]

    def load_argv(self, arguments):
        """The load generator's command line for this server."""
        argv = [str(self.bench.bin / "bench_load"), *arguments,
                *self.load_options, *self.common(arguments[0])]
        for door in ("http", "mqtt", "nats"):
            if getattr(self, door) is not None:
                argv += [f"--{door}", getattr(self, door)]
        return argv

    def measure(self, arguments):
        """One run of the load generator against this server: its figures."""
        load = subprocess.Popen(
            self.load_argv(arguments), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        try:
            told, complaint = load.communicate(timeout=LOAD_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Failed("the load generator did not end") from None
        finally:
            if load.poll() is None:
                load.kill()
                load.communicate()
        self.check_alive()
        if load.returncode != 0:
            lines = (complaint.strip() or told.strip()).splitlines()
            raise Failed(lines[0] if lines else "no reason given")
        figures = json.loads(told)
        if figures.get("count") == 0:
            # Or a server that keeps up with nothing would have a p99 of 0.
            raise Failed("nothing arrived within the time measured")
        return figures
