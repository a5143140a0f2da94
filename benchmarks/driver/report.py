"""The report: one table, and all that is needed to read it."""

import os
import pathlib
import re
import statistics
import subprocess

from .servers import SERVERS, Failed, find_program

REPO = pathlib.Path(__file__).resolve().parent.parent.parent
# From this share of a core on, the load generator may be what limits a figure.
LOAD_IS_BUSY = 0.95


def values(results, column, key):
    return [f[key] for f in results.get(column, []) if f is not None]


def figure_cell(results, column, key):
    got = values(results, column, key)
    if column not in results:
        return "–"
    if not got:
        return "failed"
    busy = any(f is not None and f.get("load_cpu", 0) >= LOAD_IS_BUSY
               for f in results[column])
    text = f"{statistics.median(got):,.0f}"
    if len(got) > 1:
        text += f" ({min(got):,.0f}–{max(got):,.0f})"
    return text + ("\\*" if busy else "")


def ratio_cell(results, other, key):
    """Median of the rounds' own ratios: neighbours in time, same noise."""
    pairs = zip(results.get("confab", []), results.get(other, []))
    ratios = [a[key] / b[key] for a, b in pairs
              if a is not None and b is not None and b[key] != 0]
    return f"{statistics.median(ratios):.2f}" if ratios else "–"


def commit_cell(results, column):
    told = [f["commits"] for f in results.get(column, [])
            if f is not None and f["commits"] is not None]
    if not told:
        return "–"
    p50 = statistics.median(c[0] for c in told)
    p99 = statistics.median(c[1] for c in told)
    return f"{p50:,.0f} / {p99:,.0f}"


def table(measured):
    lines = [["row", "floor", "peer", "", "Confab", "Confab / floor",
              "Confab / peer", "commits of floor, µs p50 / p99",
              "commits of Confab"]]
    for row, results in measured:
        for i, metric in enumerate(row.metrics):
            title = row.title if not metric.label else (
                f"{row.title}: {metric.label}" if i == 0
                else f"  its {metric.label}")
            if metric.lower_is_better:
                title += " ↓"
            lines.append([
                title,
                figure_cell(results, "floor", metric.key),
                figure_cell(results, "peer", metric.key),
                SERVERS[row.peer].label if row.peer else "",
                figure_cell(results, "confab", metric.key),
                ratio_cell(results, "floor", metric.key),
                ratio_cell(results, "peer", metric.key),
                commit_cell(results, "floor") if i == 0 else "",
                commit_cell(results, "confab") if i == 0 else "",
            ])
    widths = [max(len(line[c]) for line in lines)
              for c in range(len(lines[0]))]
    text = [f"| {' | '.join(cell.ljust(w) for cell, w in zip(line, widths))} |"
            for line in lines]
    text.insert(1, f"|{'|'.join('-' * (w + 2) for w in widths)}|")
    return "\n".join(text)


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


def peer_version(name, *arguments):
    try:
        return first_line([find_program(name), *arguments])
    except Failed:
        return f"{name}: not installed"


def versions(bench):
    confab = "not built"
    if bench.confab.exists():
        commit = first_line(["git", "-C", str(REPO), "describe", "--always",
                             "--dirty", "--abbrev=12"])
        confab = f"{first_line([str(bench.confab), '--version'])} ({commit})"
    return [
        f"Confab: {confab}",
        peer_version("mosquitto", "-h"),
        f"{peer_version('nginx', '-v')}, nchan "
        f"{package_version('libnginx-mod-nchan')}",
        f"LMDB {package_version('liblmdb0')}, libmicrohttpd "
        f"{package_version('libmicrohttpd12')}",
    ]


def machine(bench):
    cpu = re.search(r"model name\s*:\s*(.*)",
                    pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)",
                       pathlib.Path("/proc/meminfo").read_text())
    model = cpu.group(1) if cpu else os.uname().machine
    gib = int(memory.group(1)) // 1048576 if memory else "?"
    kind, device = filesystem(bench.data)
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


def bullets(lines):
    return "\n".join(f"* {line}" for line in lines)


FLUSHES = """\
* floor and Confab: LMDB with default flags. A message is acknowledged and sent
  to readers after the commit it is part of: two flushes to disk (fdatasync),
  shared by all messages that waited.
* "1→1000 SSE at 50/s": the floor there is the bare send loop, which stores
  nothing.
* mosquitto: nothing is written to disk (`persistence false`). nchan: messages
  are kept in shared memory."""


def report(bench, measured, started, load_before):
    o = bench.options
    settings = [
        f"{o.rounds} round(s), servers in turn, each freshly started; "
        f"{o.duration:g} s measured after {o.warmup:g} s of warm-up",
        f"payload {o.size} bytes of JSON; load generator on the same cores; "
        f"{o.idle_readers:,} idle readers",
        "peers' settings: benchmarks/peers/; Confab: defaults",
        f"load average before {load_before}, after {load_average()}",
    ]
    problems = bullets(bench.problems) if bench.problems else "None."
    return f"""# Benchmarks of {started:%Y-%m-%d %H:%M}

{table(measured)}

Median (lowest–highest) of all rounds; ratios are medians of each round's own
ratio. ↓ lower is better. \\* the load generator used {LOAD_IS_BUSY:.0%} of a
core or more: the server may be faster than this figure.
Memory: heap, stacks and shared memory of all processes of the server; without
mapped files and without the kernel's socket buffers.

## Failures
{problems}

## Versions
{bullets(versions(bench))}

## Settings
{bullets(settings)}

## Machine
{bullets(machine(bench))}

## What is flushed to disk, and when
{FLUSHES}
"""


def write_report(text, started, folder):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{started:%Y-%m-%d}.md"
    number = 2
    while path.exists():
        path = folder / f"{started:%Y-%m-%d}-{number}.md"
        number += 1
    path.write_text(text)
    return path
