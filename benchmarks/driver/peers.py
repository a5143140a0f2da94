"""The peers: Debian's packages, set up by the files in peers/."""

import os
import re
import resource
import subprocess
import sys
import time

from .server import PEERS, Failed, Server, fill_in, find_program, free_port
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
    packages = ("nginx-core", "libnginx-mod-nchan")
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
    """Publishers speak to its back-end, readers to pushpin."""
    label = "pushpin"
    packages = ("pushpin",)
    load_options = ("--post-url", "/pub/{thing}",
                    "--listen-url", "/sub/{thing}", "--ready", "head",
                    "--settle", "2")
    # Port 5561 and those beside it, shifted: see peers/pushpin.conf.
    CONTROL_PORTS = range(5560, 5564)

    @classmethod
    def problem(cls):
        return missing("pushpin", "condure", "zurl")

    @classmethod
    def version(cls):
        return (f"{first_line([find_program('pushpin'), '--version'])}, "
                f"condure {package_version('condure')}, "
                f"zurl {package_version('zurl')}")
