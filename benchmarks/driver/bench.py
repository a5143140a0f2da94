"""Measuring: rows × rounds × servers, with progress on stderr."""

import contextlib
import sys
import time

from .server import Failed
from .servers import SERVERS, of_role


class Turn:
    """One server's turn at one row: a context manager that has it running."""

    def __init__(self, bench, row, name):
        self.bench = bench
        self.load = row.load_of(name)
        self.name = name

    def __enter__(self):
        self.running = contextlib.ExitStack()
        self.server = self.running.enter_context(
            SERVERS[self.name](self.bench))
        return self

    def __exit__(self, *why):
        return self.running.__exit__(*why)

    def restart(self):
        """The server anew, with an empty data folder."""
        self.running.close()
        self.__enter__()

    def run(self, arguments):
        return self.server.measure(arguments.split())

    def figures(self):
        return self.load(self) if callable(self.load) else self.run(self.load)


class Progress:
    """How far, and how long still, from what each turn took so far."""

    def __init__(self, turns):
        self.turns = turns
        self.done = 0
        self.took = {}  # (row, server): seconds, last time

    def took_so_long(self, row, server, seconds):
        self.done += 1
        self.took[row.name, server] = seconds

    def left(self, still):
        """Seconds for the turns `still` to come, each a (row, server)."""
        if not self.took:
            return None
        usual = sum(self.took.values()) / len(self.took)
        return sum(self.took.get((row.name, server), usual)
                   for row, server in still)


def in_words(seconds):
    if seconds is None:
        return "time left not known yet"
    minutes = seconds / 60
    if minutes < 1:
        return f"{seconds:.0f} s left"
    if minutes < 90:
        return f"about {minutes:.0f} min left"
    return f"about {minutes / 60:.1f} h left"


class Bench:
    def __init__(self, options, rows, limits):
        self.options = options
        self.rows = rows
        self.limits = limits
        self.bin = options.bin
        self.confab = options.confab
        self.data = options.data
        self.problems = []
        self.repeated = []  # attempts that failed and were made again
        self.skipped = set()  # servers that cannot be measured at all
        # {row name: {server: [figures or None for each round]}}
        self.results = {row.name: {} for row in rows}
        self.interrupted = False

    def check_programs(self):
        wanted = {name for row in self.rows for name in row.servers
                  if self.is_asked_for(name)}
        for name in ("bench_load", "bench_floor", "bench_floor_post"):
            if not (self.bin / name).exists():
                sys.exit(f"benchmarks/run: {self.bin / name} is missing")
        if "confab" in wanted and not self.confab.exists():
            self.skip("confab", f"{self.confab.name} is not built "
                      "(make build)")
        for name in of_role(sorted(wanted), "peer"):
            problem = SERVERS[name].problem()
            if problem is not None:
                self.skip(name, problem)

    def is_asked_for(self, name):
        asked = self.options.servers
        return name in asked or SERVERS[name].role in asked

    def skip(self, name, why):
        self.skipped.add(name)
        self.problem(f"{SERVERS[name].label} is not measured: {why}")

    def problem(self, text):
        self.problems.append(text)
        print(f"  ! {text}", file=sys.stderr)

    def servers_of(self, row):
        return [name for name in row.servers
                if self.is_asked_for(name) and name not in self.skipped]

    def run(self):
        """All rounds. Within a round the servers of a row take turns; a
        row's rounds are spread over the whole run. What an interrupt cuts
        short is left out, the rest kept."""
        turns = [(turn, row, server)
                 for turn in range(self.options.rounds)
                 for row in self.rows for server in self.servers_of(row)]
        progress = Progress(len(turns))
        self.planned = len(turns)
        self.done = 0
        try:
            for i, (number, row, server) in enumerate(turns):
                still = [(r, s) for _, r, s in turns[i:]]
                self.turn(progress, still, number, row, server)
                self.done += 1
        except KeyboardInterrupt:
            self.interrupted = True
            print(f"\nInterrupted after {self.done} of {self.planned} "
                  "measurements; writing the report of those.",
                  file=sys.stderr)
        # Ratios are of whole rounds.
        for row in self.rows:
            results = self.results[row.name]
            whole = min((len(results.get(s, []))
                         for s in self.servers_of(row)), default=0)
            self.results[row.name] = {s: r[:whole] for s, r in results.items()
                                      if whole > 0}

    def turn(self, progress, still, number, row, name):
        started = time.monotonic()
        where = f"{row.name}, {SERVERS[name].label}, round {number + 1}"
        figures = self.attempt(row, name, where)
        progress.took_so_long(row, name, time.monotonic() - started)
        if figures is not None:
            shown = "  ".join(f"{m.key} {m.text(figures[m.key])}"
                              for m in row.metrics if m.key in figures)
            left = in_words(progress.left(still[1:]))
            print(f"[{progress.done}/{progress.turns}, {left}] {where}: "
                  f"{shown}", file=sys.stderr)
        self.results[row.name].setdefault(name, []).append(figures)

    def attempt(self, row, name, where):
        """The figures, or None when every attempt failed."""
        for again in range(SERVERS[name].attempts, 0, -1):
            try:
                return self.measure(row, name)
            except Failed as problem:
                if again == 1:
                    self.problem(f"{where}: {problem}")
                    return None
                self.repeated.append(f"{where}: {problem}")

    def measure(self, row, name):
        with Turn(self, row, name) as turn:
            figures = turn.figures()
            missing = [m.key for m in row.metrics if m.key not in figures]
            if missing:
                raise Failed("the load generator gave no "
                             + ", ".join(missing))
        return {**figures, "commits": turn.server.commits}
