"""The servers under measurement: how each is started, found ready, stopped."""

import contextlib
import json
import os
import pathlib
import re
import resource
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


class Failed(Exception):
    """A measurement that has no figure; the text says why."""


def find_program(name):
    # Debian keeps servers in sbin, which users have not on their PATH.
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        raise Failed(f"{name} is not installed")
    return found


def nginx_modules():
    told = subprocess.run([find_program("nginx"), "-V"], capture_output=True,
                          text=True).stderr
    match = re.search(r"--modules-path=(\S+)", told)
    folder = match.group(1) if match else "/usr/lib/nginx/modules"
    if not os.path.exists(f"{folder}/ngx_nchan_module.so"):
        raise Failed("nginx has no nchan module")
    return folder


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fill_in(template, to, values):
    text = (PEERS / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    to.write_text(text)


class Server:
    """A process under measurement; a context manager. Subclasses set `argv`
    in prepare() and may add options for bench_load in `load_options`."""

    label = ""
    load_options = ()

    def __init__(self, bench):
        self.bench = bench
        self.http = self.mqtt = None
        self.commits = None  # (p50, p99) in µs, where the server tells
        self.process = None

    def prepare(self, folder):
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
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=self.stderr)
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

    def stop(self):
        """Ends the process and removes its folder. Returns its stdout."""
        output = b""
        try:
            if self.process is not None:
                if self.process.poll() is None:
                    self.process.send_signal(signal.SIGTERM)
                try:
                    output, _ = self.process.communicate(
                        timeout=STOP_PATIENCE_S)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.communicate()
                    raise Failed(f"{self.label} did not stop within "
                                 f"{STOP_PATIENCE_S} s of SIGTERM") from None
        finally:
            self.stderr.close()
            shutil.rmtree(self.folder, ignore_errors=True)
        return output.decode(errors="replace")

    def complaint(self):
        self.stderr.seek(0)
        text = self.stderr.read().decode(errors="replace").strip()
        return text.splitlines()[-1] if text else "it said nothing on stderr"

    def check_alive(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.label} ended with {self.process.returncode}: "
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


class Floor(Server):
    label = "floor"
    program = "bench_floor"
    store = True

    def prepare(self, folder):
        (folder / "log").mkdir()
        where = ["--data", str(folder / "log")] if self.store else ["--bare"]
        return [str(self.bench.bin / self.program), *where]

    def wait_ready(self):
        self.wait_for_line("floor ready ")

    def after_stop(self, output):
        told = json.loads(output.splitlines()[-1])
        if told["commits"] > 0:
            self.commits = (told["commit_p50_us"], told["commit_p99_us"])


class FloorPost(Floor):
    program = "bench_floor_post"


class FloorBare(Floor):
    store = False


class Mosquitto(Server):
    label = "mosquitto"

    def prepare(self, folder):
        self.port = free_port()
        fill_in("mosquitto.conf", folder / "conf", {"PORT": self.port})
        folder.chmod(0o755)  # mosquitto leaves root behind
        return [find_program("mosquitto"), "-c", str(folder / "conf")]

    def wait_ready(self):
        self.wait_for_port(self.port)
        self.mqtt = f"127.0.0.1:{self.port}"


class Nchan(Server):
    label = "nchan"
    # Its stream begins before the reader is known to all workers: without the
    # pause the first message is lost to some, and the run fails.
    load_options = ("--post-url", "/pub/{thing}",
                    "--listen-url", "/sub/{thing}", "--ready", "head",
                    "--settle", "2")

    def prepare(self, folder):
        self.port = free_port()
        fill_in("nginx-nchan.conf", folder / "conf", {
            "PORT": self.port,
            "DIR": folder,
            "MODULES": nginx_modules(),
            "FILES": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        })
        folder.chmod(0o755)  # its workers leave root behind
        return [find_program("nginx"), "-p", str(folder),
                "-c", str(folder / "conf")]

    def wait_ready(self):
        self.wait_for_port(self.port)
        self.http = f"127.0.0.1:{self.port}"


class Confab(Server):
    label = "Confab"

    def prepare(self, folder):
        self.data = folder / "data"
        return [str(self.bench.confab), "run", "--data", str(self.data),
                "-s", "http.listen=127.0.0.1:0",
                "-s", "mqtt.listen=127.0.0.1:0"]

    def wait_ready(self):
        self.wait_for_line("confab ready ")

    def before_stop(self):
        """Of the last 1,024 commits, as `confab status` has them."""
        result = subprocess.run(
            [str(self.bench.confab), "status", "--data", str(self.data)],
            capture_output=True, text=True, timeout=30)
        if result.returncode != 0:
            raise Failed(f"confab status: {result.stderr.strip()}")
        writer = json.loads(result.stdout)["writer"]
        self.commits = (writer["commit_p50_us"], writer["commit_p99_us"])

    def after_stop(self, output):
        if self.process.returncode != 0:
            raise Failed(f"Confab ended with {self.process.returncode}")


SERVERS = {
    "floor": Floor,
    "floor_post": FloorPost,
    "floor_bare": FloorBare,
    "mosquitto": Mosquitto,
    "nchan": Nchan,
    "confab": Confab,
}
