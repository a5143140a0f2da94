"""Loads of several runs. Each function here returns one that a row runs: it
gets a Turn (bench.py), with run() against the server started for this turn
and restart() for a fresh one, and returns the figures."""

import json
import subprocess

from .server import LOAD_PATIENCE_S, Failed


def own_readers(protocol, readers):
    def load(turn):
        few = turn.run(f"own-readers --protocol {protocol} --readers 100")
        turn.restart()
        many = turn.run(f"own-readers --protocol {protocol} "
                        f"--readers {readers}")
        return {**many, "rate_100": few["rate"],
                "share": many["rate"] / few["rate"]}
    return load


def tenth_of_maximum(protocol):
    """p99 at 10 % of what the server can do at most, and at a rate where
    nothing waits for anything."""
    readers = 100

    def load(turn):
        top = turn.run(f"{protocol}-fanout --readers {readers} --window 64")
        # Enough of them that none waits for its connection to be free.
        at = (f"latency --protocol {protocol} --readers {readers} "
              f"--publishers {64 if protocol == 'sse' else 1} --rate")
        messages = top["rate"] / readers / 10
        idle = turn.run(f"{at} 50")
        busy = turn.run(f"{at} {messages:.1f}")
        return {**busy, "idle_p99_us": idle["p99_us"], "messages": messages,
                "by_idle": busy["p99_us"] / idle["p99_us"]}
    return load


def growth(ladder, command, preload=None):
    """What a publish costs at each size of `ladder`, smallest first, each with
    a fresh server. {n} in `command`, and in what fills the server before it,
    is the size."""
    def load(turn):
        costs = []
        for n in ladder:
            if costs:
                turn.restart()
            if preload is not None:
                turn.run(preload.format(n=n))
            figures = turn.run(command.format(n=n))
            costs.append(1e6 / figures["rate"])
        steps = zip(costs, costs[1:])
        return {**figures, "sizes": ladder,
                **{f"cost_{i}": cost for i, cost in enumerate(costs)},
                **{f"growth_{i}": after / before
                   for i, (before, after) in enumerate(steps, 1)}}
    return load


DIRECTORY_COSTS = ("create", "look_up", "page", "bulk")


def directory(kind, ladder):
    """What operations on rows of the directory cost at each size, in processor
    time of bench_directory, which has a store of its own, and bare LMDB with
    the same rows beside it, the floor. The server that runs meanwhile is
    idle."""
    def load(turn):
        result = subprocess.run(
            [str(turn.server.bench.bin / "bench_directory"), kind, "--sizes",
             ",".join(str(n) for n in ladder)],
            capture_output=True, text=True, timeout=LOAD_PATIENCE_S)
        if result.returncode != 0:
            raise Failed(result.stderr.strip() or "bench_directory failed")
        figures = json.loads(result.stdout)
        for cost in DIRECTORY_COSTS:
            for i in range(1, len(ladder)):
                grown, floor_grown = (
                    figures[f"{of}{cost}_{i}"] / figures[f"{of}{cost}_{i - 1}"]
                    for of in ("", "floor_"))
                figures[f"growth_{cost}_{i}"] = grown
                figures[f"beyond_{cost}_{i}"] = grown / floor_grown
        for i in range(len(ladder)):
            figures[f"extra_pages_{i}"] = (figures[f"create_pages_{i}"] -
                                           figures[f"floor_create_pages_{i}"])
        return figures
    return load
