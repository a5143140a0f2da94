"""What is measured: the rows of the report.

A row's load is the load generator's mode and options, the same for all its
servers unless `loads` has another for one of them. Where one run of the load
generator is not enough, it is a function that gets a Turn (bench.py) and
returns the figures; those are in loads.py.

`points` says where a row's figures stand in the plots: (plot, panel, x)."""

import math

from . import loads
from .targets import Target


class Metric:
    """One figure of a measurement. `label` is appended to the row's title."""

    def __init__(self, label, key, lower_is_better=False, digits=0):
        self.label = label
        self.key = key
        self.lower_is_better = lower_is_better
        self.digits = digits

    def text(self, value):
        return f"{value:,.{self.digits}f}"


RATE = Metric("", "rate")
P50 = Metric("p50, µs", "p50_us", lower_is_better=True)
P99 = Metric("p99, µs", "p99_us", lower_is_better=True)
BYTES = Metric("", "rate", lower_is_better=True)


class Row:
    def __init__(self, name, title, load, servers, metrics=(RATE,),
                 targets=(), points=(), loads=None):
        self.name = name
        self.title = title
        self.load = load
        self.servers = tuple(servers.split())
        self.metrics = metrics
        self.targets = targets
        self.points = points
        self.loads = loads or {}

    def load_of(self, server):
        return self.loads.get(server, self.load)


def all_rows(limits, quick=False):
    """`limits` (limits.py) bounds connections; `quick` makes what is not
    bounded by --duration smaller."""
    return [*mqtt_fanout(limits), *sse_fanout(limits), *requests(),
            *ingest(), *replay(100_000 if quick else 1_000_000),
            *own_readers(limits), *idle(limits), *set_up(), *latency(limits),
            *growth(limits, 500 if quick else 50_000),
            *directory(100 if quick else 1_000)]


def sweep(limits):
    """Numbers of readers; 1,000 are measured by the rows with W=8."""
    sizes = {limits.connections(n) for n in (10, 100, 1_000, 10_000)}
    return sorted(sizes - {limits.connections(1_000)})


def mqtt_fanout(limits):
    must = {1: (0.7, 1.8), 8: (0.6, 5), 64: (0.6, 25)}
    many = limits.connections(1000)
    pairs = limits.connections(2000) // 2
    for w, (floor, mosquitto) in must.items():
        yield Row(f"mqtt-fanout-{w}",
                  f"MQTT fan-out 1→{many}, W={w}, deliveries/s",
                  f"mqtt-fanout --readers {many} --window {w}",
                  "floor mosquitto confab",
                  targets=[Target("rate", floor, against="floor"),
                           Target("rate", mosquitto, against="mosquitto")],
                  points=[("window", "MQTT, QoS 0", w)]
                  + [("subscribers", "MQTT, QoS 0", many)] * (w == 8))
    for w in must:
        yield Row(f"mqtt-fanout-q1-{w}",
                  f"MQTT fan-out 1→{many}, QoS 1, W={w}, deliveries/s",
                  f"mqtt-fanout --readers {many} --window {w} --qos 1",
                  "floor mosquitto confab",
                  points=[("window", "MQTT, QoS 1", w)])
    for n in sweep(limits):
        yield Row(f"mqtt-readers-{n}",
                  f"MQTT fan-out 1→{n}, W=8, deliveries/s",
                  f"mqtt-fanout --readers {n} --window 8",
                  "floor mosquitto confab",
                  points=[("subscribers", "MQTT, QoS 0", n)])
    for q in (0, 1):
        yield Row(f"mqtt-10-100-q{q}",
                  f"MQTT fan-out 10→100, W=64, QoS {q}, deliveries/s",
                  "mqtt-fanout --publishers 10 --readers 100 --window 64 "
                  f"--qos {q}", "floor mosquitto confab")
    for q in (0, 1):
        yield Row(f"mqtt-pairs-q{q}",
                  f"MQTT {pairs:,} topics 1→1, QoS {q}, messages/s",
                  f"mqtt-pairs --things {pairs} --window 1 --qos {q}",
                  "floor mosquitto confab")


def sse_fanout(limits):
    must = {1: (0.7, 1.3), 8: (0.6, 2.2), 64: (0.6, 8)}
    many = limits.connections(1000)
    for w, (floor, nchan) in must.items():
        yield Row(f"sse-fanout-{w}",
                  f"SSE fan-out 1→{many}, W={w}, deliveries/s",
                  f"sse-fanout --readers {many} --window {w}",
                  "floor nchan pushpin confab",
                  targets=[Target("rate", floor, against="floor"),
                           Target("rate", nchan, against="nchan")],
                  points=[("window", "SSE", w)]
                  + [("subscribers", "SSE", many)] * (w == 8))
    for n in sweep(limits):
        yield Row(f"sse-readers-{n}",
                  f"SSE fan-out 1→{n}, W=8, deliveries/s",
                  f"sse-fanout --readers {n} --window 8",
                  "floor nchan pushpin confab",
                  points=[("subscribers", "SSE", n)])


def requests():
    post = "post --publishers 64 --things 100"
    at_floor = Target("rate", 0.6, against="floor")
    yield Row("post", "POST, 64 connections, 100 things, posts/s", post,
              "floor_post nchan confab", (RATE, P50, P99),
              [at_floor, Target("p99_us", at_most=2, against="floor")])
    yield Row("post-readers", "POST with 100 SSE readers, posts/s",
              post + " --readers 100", "floor_post nchan confab",
              (RATE, P50, P99), [at_floor])
    yield Row("get-latest", "GET latest, 64 connections, gets/s",
              "get --what latest --publishers 64", "floor_post confab",
              (RATE, P99), [Target("rate", 0.8, against="floor")])
    yield Row("get-history", "GET history, the last 100 of 1,000, gets/s",
              "get --what history --limit 100 --publishers 64",
              "floor_post confab", (RATE, P99))


def ingest():
    for publishers in (8, 1):
        for q in (0, 1):
            # The target table's row is that with 8 publishers.
            must = [Target("rate", 0.6, against="floor"),
                    Target("rate", 1, against="mosquitto")]
            many = f"{publishers} publisher{'s' * (publishers > 1)}"
            yield Row(f"ingest-{q}" if publishers == 8 else f"ingest-{q}-one",
                      f"MQTT ingest, {many} × 128, QoS {q}, messages/s",
                      f"mqtt-ingest --publishers {publishers} --window 128 "
                      f"--qos {q}",
                      "floor mosquitto confab" if q == 0
                      else "floor mosquitto nats confab",
                      (RATE,) if q == 0 else (RATE, P99),
                      must if publishers == 8 else (),
                      loads={"nats": f"nats-ingest --publishers {publishers} "
                             "--window 128"})


def replay(count):
    for protocol, name in (("ndjson", "NDJSON"), ("sse", "SSE")):
        yield Row(f"replay-{protocol}",
                  f"replay of {count:,} messages over {name}, messages/s",
                  f"replay --protocol {protocol} --count {count}",
                  "floor_walk floor nats confab" if protocol == "ndjson"
                  else "floor_walk nats confab",
                  targets=[Target("rate", 0.5, against="floor")],
                  loads={"floor_walk": f"--count {count}",
                         "nats": f"replay --protocol nats --count {count}"})


def own_readers(limits):
    n = limits.connections(9000)
    for protocol, peer in (("sse", "nchan"), ("mqtt", "mosquitto")):
        yield Row(f"own-readers-{protocol}",
                  f"{n:,} {protocol.upper()} readers each of an own thing, "
                  "deliveries/s",
                  loads.own_readers(protocol, n), f"floor {peer} confab",
                  (RATE, Metric("with 100 readers and things", "rate_100"),
                   Metric("share of that", "share", digits=2)),
                  [Target("share", 0.5), Target("rate", 10_000, unit="/s")])


def idle(limits):
    most = limits.connections(10_000)
    for protocol, peers, what, bound in (
            ("sse", "nchan pushpin", "SSE reader", 1023),
            ("mqtt", "mosquitto", "MQTT connection", 2047)):
        for n in (most // 10, most // 2, most):
            yield Row(f"idle-{protocol}" if n == most
                      else f"idle-{protocol}-{n}",
                      f"memory per idle {what}, {n:,} of them, bytes",
                      f"idle --protocol {protocol} --readers {n}",
                      f"floor {peers} confab", (BYTES,),
                      [Target("rate", at_most=bound, unit=" bytes")]
                      * (n == most),
                      points=[("memory", protocol.upper(), n)])


def set_up():
    for protocol, peer in (("mqtt", "mosquitto"), ("sse", "nchan")):
        yield Row(f"connect-{protocol}",
                  f"{protocol.upper()} connections set up, 64 at a time, "
                  "connections/s",
                  f"connect --protocol {protocol} --concurrency 64",
                  f"floor {peer} confab", (RATE, P99))


def latency(limits):
    many = limits.connections(1000)
    for rate in (10, 50, 100):
        yield Row("latency" if rate == 50 else f"latency-{rate}",
                  f"1→{many} SSE at {rate}/s, publish to arrival",
                  f"latency --readers {many} --rate {rate}",
                  "floor_bare nchan pushpin confab", (P99, P50),
                  [Target("p50_us", at_most=1.5, against="floor"),
                   Target("p99_us", at_most=1.5, against="floor"),
                   Target("p99_us", at_most=1, against="nchan")]
                  if rate == 50 else (),
                  points=[("latency", f"1→{many} SSE", rate)])
    for rate in (10, 50, 100):
        yield Row(f"latency-mqtt-{rate}",
                  f"1→{many} MQTT at {rate}/s, publish to arrival",
                  f"latency --protocol mqtt --readers {many} --rate {rate}",
                  "floor_bare mosquitto confab", (P99, P50),
                  points=[("latency", f"1→{many} MQTT", rate)])
    for protocol, peer in (("sse", "nchan"), ("mqtt", "mosquitto")):
        yield Row(f"latency-tenth-{protocol}",
                  f"1→100 {protocol.upper()} at 10 % of the maximum",
                  loads.tenth_of_maximum(protocol), f"{peer} confab",
                  (Metric("its p99 by that when idle", "by_idle",
                          lower_is_better=True, digits=2),
                   Metric("p99, µs", "p99_us", lower_is_better=True),
                   Metric("p99 when idle (50/s), µs", "idle_p99_us",
                          lower_is_better=True),
                   Metric("messages/s at 10 %", "messages")),
                  [Target("by_idle", at_most=2)])


def growth(limits, stored):
    """Cost of a publish at 1×, 10× and 100× of what a server may have much of.
    What a measurement stores itself counts for the first of the sizes of
    stored messages: at the end of it there are about twice as many."""
    post = "post --publishers 64"
    ingest_q1 = "mqtt-ingest --publishers 8 --window 128 --qos 1"
    thousands = (100, 1_000, 10_000)
    for name, title, sizes, command, preload in (
            ("stored", "POST by stored messages",
             (stored, 10 * stored, 100 * stored), f"{post} --things 100",
             "preload --count {n} --things 100"),
            ("things", "POST by things", thousands, post + " --things {n}",
             "preload --count {n} --things {n}"),
            ("connections", "MQTT ingest by idle connections",
             [limits.connections(n) for n in thousands],
             ingest_q1 + " --idle-connections {n}", None),
            ("subscriptions", "MQTT ingest by foreign subscriptions",
             thousands, ingest_q1 + " --foreign-subscriptions {n}", None)):
        ladder = sorted(set(sizes))  # the limit may make some the same
        steps = list(enumerate(zip(ladder, ladder[1:]), 1))
        yield Row(f"growth-{name}", f"cost of {title}",
                  loads.growth(ladder, command, preload), "confab",
                  (*(Metric(f"with {n:,}, µs", f"cost_{i}",
                            lower_is_better=True, digits=2)
                     for i, n in enumerate(ladder)),
                   *(Metric(f"growth {a:,} → {b:,}", f"growth_{i}",
                            lower_is_better=True, digits=2)
                     for i, (a, b) in steps)),
                  # 25 % per factor 10
                  [Target(f"growth_{i}",
                          at_most=round(1.25 ** math.log10(b / a), 2))
                   for i, (a, b) in steps],
                  points=[("growth", title, None)])


def directory(least):
    """Cost of an operation at 1×, 10× and 100× of `least` keys, users or rooms.
    Creating many in a commit has no target: that touches more pages of larger
    trees. LMDB with the same rows has that growth, too; what the directory must
    not do is grow faster than it, or write pages that it does not write."""
    ladder = (least, 10 * least, 100 * least)
    steps = list(enumerate(zip(ladder, ladder[1:]), 1))
    names = {"create": "create one", "look_up": "look one up",
             "page": "list 100", "bulk": "create one of 256"}
    for kind in ("keys", "users", "rooms"):
        yield Row(f"directory-{kind}", f"{kind} of a tenant",
                  loads.directory(kind, ladder), "confab",
                  (*(Metric(f"{names[cost]} of {n:,}, µs", f"{cost}_{i}",
                            lower_is_better=True, digits=2)
                     for cost in loads.DIRECTORY_COSTS
                     for i, n in enumerate(ladder)),
                   *(Metric(f"{names[cost]}, growth {a:,} → {b:,}",
                            f"growth_{cost}_{i}", lower_is_better=True,
                            digits=2)
                     for cost in loads.DIRECTORY_COSTS
                     for i, (a, b) in steps),
                   *(Metric(f"{names[cost]} of {n:,}, bare LMDB, µs",
                            f"floor_{cost}_{i}", lower_is_better=True,
                            digits=2)
                     for cost in loads.DIRECTORY_COSTS
                     for i, n in enumerate(ladder)),
                   *(Metric(f"{names[cost]}, growth {a:,} → {b:,} as a share "
                            "of bare LMDB's", f"beyond_{cost}_{i}",
                            lower_is_better=True, digits=2)
                     for cost in loads.DIRECTORY_COSTS
                     for i, (a, b) in steps),
                   *(Metric(f"pages written to create one of {n:,}, beyond "
                            "bare LMDB's", f"extra_pages_{i}",
                            lower_is_better=True, digits=2)
                     for i, n in enumerate(ladder))),
                  # 25 % per factor 10
                  [*(Target(f"growth_{cost}_{i}", at_most=1.25)
                     for cost in ("create", "look_up", "page")
                     for i, _ in steps),
                   *(Target(f"beyond_{cost}_{i}", at_most=1.25)
                     for cost in ("create", "look_up", "page")
                     for i, _ in steps),
                   *(Target(f"extra_pages_{i}", at_most=1)
                     for i in range(len(ladder)))])
