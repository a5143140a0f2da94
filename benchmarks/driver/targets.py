"""What a row must reach, and whether it did."""

import statistics

from .servers import SERVERS, of_role


class Target:
    """A bound for one metric of Confab: of the figure itself or, with
    `against` ("floor" or a peer's name), of its ratio to theirs."""

    def __init__(self, key, at_least=None, at_most=None, against=None,
                 unit=""):
        self.key = key
        self.at_least = at_least
        self.at_most = at_most
        self.against = against
        self.unit = unit

    def text(self):
        bound, sign = ((self.at_least, "≥") if self.at_most is None
                       else (self.at_most, "≤"))
        if self.against is None:
            return f"{sign} {bound:,g}{self.unit}"
        name = ("floor" if self.against == "floor"
                else SERVERS[self.against].label)
        return f"{sign} {bound:,g} × {name}"

    def measured(self, results):
        """Median over the rounds, or None."""
        if self.against is None:
            got = values(results, "confab", self.key)
        else:
            other = self.against
            if other == "floor":
                floors = of_role(results, "floor")
                other = floors[0] if floors else None
            got = ratios(results, other, self.key)
        return statistics.median(got) if got else None

    def met(self, measured):
        if self.at_least is not None:
            return measured >= self.at_least
        return measured <= self.at_most


def values(results, server, key):
    return [f[key] for f in results.get(server, []) if f is not None]


def ratios(results, other, key):
    """Confab's figure by the other's, round by round: neighbours in time have
    the same noise."""
    pairs = zip(results.get("confab", []), results.get(other, []))
    return [a[key] / b[key] for a, b in pairs
            if a is not None and b is not None and b[key] != 0]


def ahead(row):
    """That Confab is at least as good as each peer in the row's first metric,
    for peers that no target of the row names."""
    named = {t.against for t in row.targets}
    metric = row.metrics[0]
    bound = {"at_most" if metric.lower_is_better else "at_least": 1}
    return [Target(metric.key, against=peer, **bound)
            for peer in of_role(row.servers, "peer") if peer not in named]
