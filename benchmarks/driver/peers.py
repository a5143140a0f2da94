"""The peers: Debian's packages, set up by the files in peers/."""

import contextlib
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request

from .server import PEERS, START_PATIENCE_S, Failed, Server, fill_in
from .server import find_program, free_offset, free_port
from .versions import first_line, package_version


def missing(*programs):
    try:
        for name in programs:
            find_program(name)
    except Failed as problem:
        return str(problem)
    return None


def nginx_modules():
    told = subprocess.run([find_program("nginx"), "-V"], capture_output=True,
                          text=True).stderr
    match = re.search(r"--modules-path=(\S+)", told)
    folder = match.group(1) if match else "/usr/lib/nginx/modules"
    if not os.path.exists(f"{folder}/ngx_nchan_module.so"):
        raise Failed("nginx has no nchan module")
    return folder


def open_files():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Mosquitto(Server):
    label = "mosquitto"
    packages = ("mosquitto",)

    @classmethod
    def problem(cls):
        return missing("mosquitto")

    @classmethod
    def version(cls):
        return first_line([find_program("mosquitto"), "-h"])

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
    packages = ("nginx-core", "nginx-common", "libnginx-mod-nchan")
    # Its stream begins before the reader is known to all workers: without the
    # pause the first message is lost to some, and the run fails.
    load_options = ("--post-url", "/pub/{thing}",
                    "--listen-url", "/sub/{thing}", "--ready", "head",
                    "--settle", "2")

    @classmethod
    def problem(cls):
        try:
            nginx_modules()
        except Failed as problem:
            return str(problem)
        return None

    @classmethod
    def version(cls):
        return (f"{first_line([find_program('nginx'), '-v'])}, nchan "
                f"{package_version('libnginx-mod-nchan')}")

    def prepare(self, folder):
        self.port = free_port()
        fill_in("nginx-nchan.conf", folder / "conf", {
            "PORT": self.port,
            "DIR": folder,
            "MODULES": nginx_modules(),
            "FILES": open_files(),
        })
        folder.chmod(0o755)  # its workers leave root behind
        return [find_program("nginx"), "-p", str(folder),
                "-c", str(folder / "conf")]

    def wait_ready(self):
        self.wait_for_port(self.port)
        self.http = f"127.0.0.1:{self.port}"


class Nats(Server):
    label = "NATS JetStream"
    packages = ("nats-server",)

    @classmethod
    def problem(cls):
        return missing("nats-server")

    @classmethod
    def version(cls):
        return first_line([find_program("nats-server"), "--version"])

    def prepare(self, folder):
        self.port = free_port()
        fill_in("nats.conf", folder / "conf",
                {"PORT": self.port, "DIR": folder})
        return [find_program("nats-server"), "-c", str(folder / "conf")]

    def wait_ready(self):
        self.wait_for_port(self.port)
        self.nats = f"127.0.0.1:{self.port}"


class Pushpin(Server):
    """Readers speak to pushpin, publishers to its back-end."""
    label = "pushpin"
    packages = ("pushpin", "condure", "zurl")
    load_options = ("--post-url", "/pub/{thing}",
                    "--listen-url", "/sub/{thing}", "--ready", "head")
    attempts = 3  # see wait_for_stream() and the report's notes on peers
    # It listens on all of these, shifted by one number.
    PORTS = range(5560, 5564)
    CONTROL_PORT = 5561
    SETTLE_S = 2

    @classmethod
    def problem(cls):
        return missing("pushpin", "condure", "zurl")

    @classmethod
    def version(cls):
        return (f"{first_line([find_program('pushpin'), '--version'])}, "
                f"condure {package_version('condure')}, "
                f"zurl {package_version('zurl')}")

    def prepare(self, folder):
        # In the folder for temporary files: the paths of its sockets must be
        # shorter than those below a deep checkout.
        self.sockets = tempfile.TemporaryDirectory(prefix="pushpin-")
        run = pathlib.Path(self.sockets.name)
        self.port, self.backend_port = free_port(), free_port()
        offset = free_offset(self.PORTS)
        self.control_port = self.CONTROL_PORT + offset
        fill_in("pushpin.conf", folder / "conf",
                {"RUN": run, "OFFSET": offset, "PORT": self.port,
                 "FILES": open_files()})
        (run / "routes").write_text(f"* 127.0.0.1:{self.backend_port}\n")
        self.start_companion(
            [sys.executable, str(PEERS / "pushpin-backend"),
             str(self.backend_port), str(self.control_port)])
        return [find_program("pushpin"), f"--config={folder / 'conf'}", "-m"]

    def wait_ready(self):
        for port in (self.backend_port, self.port, self.control_port):
            self.wait_for_port(port)
        self.http = f"127.0.0.1:{self.port}"
        self.wait_for_stream()

    def wait_for_stream(self):
        """Its processes find each other some time after they listen. For about
        a second more, some of 1,000 streams opened at once were closed again
        ("message out of sequence" in its log), nearly every time."""
        end = time.monotonic() + START_PATIENCE_S
        url = f"http://{self.http}/sub/is-it-there"
        while time.monotonic() < end:
            self.check_alive()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url, timeout=1).close()
                time.sleep(self.SETTLE_S)
                return
            time.sleep(0.1)
        raise Failed(f"pushpin serves no stream after {START_PATIENCE_S} s")

    def load_argv(self, arguments):
        return [*super().load_argv(arguments),
                "--post-http", f"127.0.0.1:{self.backend_port}"]

    def stop(self):
        try:
            return super().stop()
        finally:
            self.sockets.cleanup()
