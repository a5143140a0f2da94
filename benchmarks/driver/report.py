"""The report: what was asked and whether it was met, all figures, and what is
needed to read them."""

import statistics

from .markdown import bullets, table
from .published import FIGURES, SOURCES
from .servers import SERVERS, of_role
from .targets import ahead, ratios, values
from .versions import commit_of, first_line, load_average, package_version
from .versions import machine

# From this share of a core on, the load generator may be what limits a figure.
LOAD_IS_BUSY = 0.95

FLUSHES = [
    "floor and Confab: LMDB with default flags. A message is acknowledged and "
    "sent to readers after the commit it is part of: two flushes to disk "
    "(fdatasync), shared by all messages that waited.",
    "the floor of latencies is the bare send loop, which stores nothing; that "
    "of GET answers a constant; that of replay walks one of four things in a log"
    " within one process, without any network: the line below it is the floor "
    "that sends it to a reader.",
    "mosquitto: nothing is written to disk (`persistence false`). nchan: "
    "messages are kept in shared memory. pushpin: messages are kept nowhere.",
    "NATS JetStream: file storage. A message is acknowledged when it has been "
    "written to the file, which is flushed every two minutes: a power cut "
    "takes back what was acknowledged meanwhile. Debian 12's version "
    "cannot be told otherwise: 2.9.10 does not know `sync_interval`.",
]

PEERS = [
    "mosquitto, nchan, pushpin: Debian's packages with the settings of "
    "benchmarks/peers/, which say why.",
    "pushpin holds what its back-end tells it to hold; the back-end here "
    "(benchmarks/peers/pushpin-backend) does no more than that and passes "
    "publishers' messages to pushpin's control port. Readers connect to "
    "pushpin, publishers to the back-end. Version 1.36 at times closes "
    "streams while thousands are opened one upon the other (in its log, as a "
    "rule: \"received message out of sequence, canceling\") or answers one of "
    "them with 502: such a run has no figure and is made again, up to twice. "
    "No other server has more than one attempt.",
    "NATS is measured where it offers the same: acknowledged publishes to a "
    "stream in files, and the replay of that to one consumer.",
]


def figure_cell(metric, results, server, rounds):
    if server not in results:
        return "–"
    got = values(results, server, metric.key)
    if not got:
        return "failed"
    text = metric.text(statistics.median(got))
    if len(got) > 1:
        text += f" ({metric.text(min(got))}–{metric.text(max(got))})"
    if len(got) < rounds:
        text += f" n={len(got)}"
    busy = any(f is not None and f.get("load_cpu", 0) >= LOAD_IS_BUSY
               for f in results[server])
    return text + ("\\*" if busy else "")


def ratio_cell(results, other, key):
    got = ratios(results, other, key)
    return f"{statistics.median(got):.2f}" if got else "–"


def commit_cell(results, server):
    told = [f["commits"] for f in results.get(server, [])
            if f is not None and f["commits"] is not None]
    if not told:
        return "–"
    p50 = statistics.median(c[0] for c in told)
    p99 = statistics.median(c[1] for c in told)
    return f"{p50:,.0f} / {p99:,.0f}"


def name_of(other):
    server = SERVERS[other]
    return "floor as a server" if server.role == "floor" else server.label


def metric_title(row, i):
    metric = row.metrics[i]
    if not metric.label:
        title = row.title
    elif i == 0:
        title = f"{row.title}: {metric.label}"
    else:
        title = f"  its {metric.label}"
    return title + (" ↓" if metric.lower_is_better else "")


def figures_table(bench):
    """A line for each metric of a row; peers after the first have lines of
    their own below it."""
    lines = []
    for row in bench.rows:
        results = bench.results[row.name]
        if not results:
            continue
        floor = next(iter(of_role(results, "floor")), None)
        # A second floor stands where peers do.
        others = of_role(results, "floor")[1:] + of_role(results, "peer")
        peers = others or [None]
        for i, metric in enumerate(row.metrics):
            for peer in peers:
                first = peer == peers[0]
                if not first and not any(metric.key in f for f in
                                         results[peer] if f is not None):
                    continue
                rounds = bench.options.rounds
                lines.append([
                    metric_title(row, i) if first else "",
                    figure_cell(metric, results, floor, rounds)
                    if first else "",
                    figure_cell(metric, results, "confab", rounds)
                    if first else "",
                    ratio_cell(results, floor, metric.key) if first else "",
                    name_of(peer) if peer else "",
                    figure_cell(metric, results, peer, rounds)
                    if peer else "–",
                    ratio_cell(results, peer, metric.key),
                    commit_cell(results, floor) if first and i == 0 else "",
                    commit_cell(results, "confab")
                    if first and i == 0 else "",
                ])
    return table(["row", "floor", "Confab", "Confab / floor", "peer",
                  "the peer's", "Confab / peer",
                  "commits of floor, µs p50 / p99", "commits of Confab"],
                 lines)


def judged(row, results, target):
    """(measured, verdict) as texts."""
    measured = target.measured(results)
    if measured is None:
        return "–", "not measured"
    plain = target.against is None and measured >= 100
    text = f"{measured:,.0f}" if plain else f"{measured:,.3f}"
    return text, "met" if target.met(measured) else "**missed**"


def targets_table(bench, targets_of):
    lines = []
    met = count = 0
    before = None
    for row in bench.rows:
        for target in targets_of(row):
            label = next(m.label for m in row.metrics if m.key == target.key)
            title = row.title if not label else f"{row.title}: {label}"
            measured, verdict = judged(row, bench.results[row.name], target)
            met += verdict == "met"
            count += 1
            lines.append(["" if title == before else title, target.text(),
                          measured, verdict])
            before = title
    if not lines:
        return "None of the rows measured has one."
    return (table(["row", "target", "measured", ""], lines)
            + f"\n\n{met} of {count} met.")


def ahead_of_measured(bench, row):
    return [t for t in ahead(row) if t.against in bench.results[row.name]]


def published_table(bench):
    rows = {row.name: row for row in bench.rows}
    lines = []
    for work, server, figure, source, name, key in FIGURES:
        got = values(bench.results.get(name, {}), "confab", key)
        here = "–"
        if got:
            here = f"{statistics.median(got):,.0f}"
            here += {"p99_us": " µs"}.get(key, "")
            here += " bytes" if name.startswith("idle") else ""
        ours = name if name in rows else "–"
        lines.append([work, server, figure, source, f"{here} ({ours})"])
    return (table(["work", "server", "published", "source",
                   "Confab, this run (row)"], lines) + "\n\n"
            + bullets(f"{name}: {where}" for name, where in SOURCES.items()))


def versions(bench, repository):
    confab = "not built"
    if bench.confab.exists():
        confab = (f"{first_line([str(bench.confab), '--version'])} "
                  f"({commit_of(repository)})")
    peers = dict.fromkeys(name for row in bench.rows
                          for name in of_role(row.servers, "peer"))
    lines = [f"Confab: {confab}"]
    for name in peers:
        if SERVERS[name].problem() is None:
            lines.append(SERVERS[name].version())
        else:
            lines.append(f"{SERVERS[name].label}: not installed")
    lines.append(f"LMDB {package_version('liblmdb0')}, libmicrohttpd "
                 f"{package_version('libmicrohttpd12')}")
    return lines


def settings(bench, load_before):
    o = bench.options
    lines = [
        f"{o.rounds} round(s), servers in turn, each freshly started; "
        f"{o.duration:g} s measured after {o.warmup:g} s of warm-up",
        f"payload {o.size} bytes of JSON; load generator on the same cores",
        f"limit of open files {bench.limits.open_files:,}",
        "peers' settings: benchmarks/peers/; Confab: defaults",
        f"load average before {load_before}, after {load_average()}",
    ]
    if bench.limits.notice():
        lines.append(bench.limits.notice())
    if bench.interrupted:
        lines.append(f"interrupted after {bench.done} of {bench.planned} "
                     "measurements: rows have the rounds that were complete")
    return lines


def made_again(bench):
    if not bench.repeated:
        return ""
    return ("Measurements that failed and were made again (see the notes on "
            f"peers):\n\n{bullets(bench.repeated)}\n\n")


def report(bench, repository, started, load_before, plots):
    """`plots` are (title, path relative to the report), or a text that says
    why there are none."""
    pictures = plots if isinstance(plots, str) else "\n\n".join(
        f"![{title}]({path})" for title, path in plots)
    return f"""# Benchmarks of {started:%Y-%m-%d %H:%M}

## Targets

{targets_table(bench, lambda row: row.targets)}

Ahead of every other peer measured:

{targets_table(bench, lambda row: ahead_of_measured(bench, row))}

## Figures

{figures_table(bench)}

Median (lowest–highest) of all rounds; ratios are medians of each round's own
ratio. ↓ lower is better. \\* the load generator used {LOAD_IS_BUSY:.0%} of a
core or more: the server may be faster than this figure. n= rounds that have a
figure, where others failed or are missing.
Memory: heap, stacks and shared memory of all processes of the server; without
mapped files and without the kernel's socket buffers.

## Plots

{pictures}

## Failures

{bullets(bench.problems) if bench.problems else "None."}

{made_again(bench)}## Versions

{bullets(versions(bench, repository))}

## Settings

{bullets(settings(bench, load_before))}

## Machine

{bullets(machine(bench.data))}

## What is flushed to disk, and when

{bullets(FLUSHES)}

## Notes on peers

{bullets(PEERS)}

## Published by others, not measured here

{published_table(bench)}
"""
