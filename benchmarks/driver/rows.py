"""What is measured: the rows of the report."""



class Metric:
    """One figure of a measurement. `label` is appended to the row's title."""

    def __init__(self, label, key, lower_is_better=False):
        self.label = label
        self.key = key
        self.lower_is_better = lower_is_better


RATE = Metric("", "rate")
P50 = Metric("p50, µs", "p50_us", lower_is_better=True)
P99 = Metric("p99, µs", "p99_us", lower_is_better=True)
BYTES = Metric("", "rate", lower_is_better=True)


class Row:
    def __init__(self, name, title, load, floor, peer=None, metrics=(RATE,)):
        self.name = name
        self.title = title
        self.load = load.split()  # mode and options of bench_load
        self.floor = floor
        self.peer = peer
        self.metrics = metrics


def all_rows():
    rows = []
    for w in (1, 8, 64):
        rows.append(Row(f"mqtt-fanout-{w}",
                        f"MQTT fan-out 1→1000, W={w}, deliveries/s",
                        f"mqtt-fanout --readers 1000 --window {w}",
                        "floor", "mosquitto"))
    for w in (1, 8, 64):
        rows.append(Row(f"sse-fanout-{w}",
                        f"SSE fan-out 1→1000, W={w}, deliveries/s",
                        f"sse-fanout --readers 1000 --window {w}",
                        "floor", "nchan"))
    post = "post --publishers 64 --things 100"
    rows += [
        Row("post", "POST, 64 connections, 100 things, posts/s", post,
            "floor_post", "nchan", (RATE, P50, P99)),
        Row("post-readers", "POST with 100 SSE readers, posts/s",
            post + " --readers 100", "floor_post", "nchan", (RATE, P50, P99)),
        Row("ingest-0", "MQTT ingest, 8 publishers × 128, QoS 0, messages/s",
            "mqtt-ingest --publishers 8 --window 128 --qos 0",
            "floor", "mosquitto"),
        Row("ingest-1", "MQTT ingest, 8 publishers × 128, QoS 1, messages/s",
            "mqtt-ingest --publishers 8 --window 128 --qos 1",
            "floor", "mosquitto", (RATE, P99)),
        Row("get-latest", "GET latest, 64 connections, gets/s",
            "get --publishers 64", "floor_post", None, (RATE, P99)),
        Row("idle-sse", "memory per idle SSE reader, bytes",
            "idle --protocol sse", "floor", "nchan", (BYTES,)),
        Row("idle-mqtt", "memory per idle MQTT connection, bytes",
            "idle --protocol mqtt", "floor", "mosquitto", (BYTES,)),
        Row("latency", "1→1000 SSE at 50/s, publish to arrival",
            "latency --readers 1000 --rate 50", "floor_bare", "nchan",
            (P50, P99)),
    ]
    return rows
