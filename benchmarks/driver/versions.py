"""What was measured, with what, on which machine."""

import os
import pathlib
import re
import subprocess


def first_line(argv):
    try:
        told = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    text = (told.stdout + told.stderr).strip()
    return text.splitlines()[0] if text else "unknown"


def package_version(name):
    told = first_line(["dpkg-query", "-W", "-f", "${Version}", name])
    return told if re.match(r"\d", told) else "unknown"


def commit_of(repository):
    return first_line(["git", "-C", str(repository), "describe", "--always",
                       "--dirty", "--abbrev=12"])


def machine(data):
    """Lines about the machine; `data` is the folder the servers write to."""
    cpu = re.search(r"model name\s*:\s*(.*)",
                    pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)",
                       pathlib.Path("/proc/meminfo").read_text())
    model = cpu.group(1) if cpu else os.uname().machine
    gib = int(memory.group(1)) // 1048576 if memory else "?"
    kind, device = filesystem(data)
    return [
        f"{os.cpu_count()} cores, {model}, {gib} GiB",
        f"Linux {os.uname().release}",
        f"data on {kind} ({device})"
        + (": memory, so a flush costs nothing here and no figure of a durable"
           " server means anything" if kind == "tmpfs" else ""),
    ]


def filesystem(path):
    best = ("", "unknown", "unknown")
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        device, mount, kind = line.split()[:3]
        inside = str(path) == mount or str(path).startswith(
            mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind, device)
    return best[1], best[2]


def load_average():
    return " ".join(f"{x:.2f}" for x in os.getloadavg())
