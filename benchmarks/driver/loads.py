"""Loads of several runs. Each function here returns one that a row runs: it
gets a Turn (bench.py), with run() against the server started for this turn
and restart() for a fresh one, and returns the figures."""


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
        idle = turn.run(f"{at} 10")
        busy = turn.run(f"{at} {messages:.1f}")
        return {**busy, "idle_p99_us": idle["p99_us"], "messages": messages,
                "by_idle": busy["p99_us"] / idle["p99_us"]}
    return load


def cost(figures):
    """Microseconds per publish."""
    return 1e6 / figures["rate"]


def costs(measured):
    """Figures of a ladder of sizes, smallest first."""
    by_size = [cost(figures) for figures in measured]
    return {**measured[-1],
            **{f"cost_{i}": c for i, c in enumerate(by_size)},
            **{f"growth_{i}": by_size[i] / by_size[i - 1]
               for i in range(1, len(by_size))}}


def growth(command):
    """A fresh server for each size, which is the last word of `command`."""
    def of(ladder):
        def load(turn):
            measured = []
            for size in ladder:
                if measured:
                    turn.restart()
                measured.append(turn.run(f"{command} {size}"))
            return costs(measured)
        return load
    return of


def growth_of_stored(command, spread):
    """One server that grows. What a measurement stores itself counts for the
    next size, but at the smallest it may be as much as what was there."""
    def of(ladder):
        def load(turn):
            measured = []
            stored = 0
            for size in ladder:
                turn.run(f"preload --count {max(size - stored, 1)} {spread}")
                stored = max(size, stored)
                figures = turn.run(command)
                stored += figures["count"]
                measured.append(figures)
            return costs(measured)
        return load
    return of


def growth_of_things(command):
    def of(ladder):
        def load(turn):
            measured = []
            for things in ladder:
                if measured:
                    turn.restart()
                turn.run(f"preload --count {things} --things {things}")
                measured.append(turn.run(f"{command} --things {things}"))
            return costs(measured)
        return load
    return of
