"""What others have published, for orientation. None of it was measured here:
other machines, other load generators, other promises."""

# A figure of which we have not read the page it comes from is marked so.
UNREAD = "as given with this project's targets; its page was not found again"

# (work, server, figure, source, row of ours that is nearest, its metric)
FIGURES = [
    ("durable POST, 2 CPUs", "durable-streams (Rust)", "29,700/s, p99 6.4 ms",
     "targets", "post", "rate"),
    ("the same with 100 SSE readers", "durable-streams (Rust)",
     "17,100/s, p99 22.6 ms", "targets", "post-readers", "rate"),
    ("1→1000 SSE at 50/s, 4 CPUs, p99", "Ursula in memory", "4.8 ms",
     "ds-bench", "latency", "p99_us"),
    ("1→1000 SSE at 50/s, 4 CPUs, p99", "durable-streams (Rust)", "5.5 ms",
     "ds-bench", "latency", "p99_us"),
    ("memory per idle SSE reader", "Ursula", "about 1 KiB", "ds-bench",
     "idle-sse", "rate"),
    ("memory per idle SSE reader", "durable-streams (Rust)", "0.6 KiB",
     "release", "idle-sse", "rate"),
    ("memory per idle SSE reader", "Mercure", "about 10 KB", "targets",
     "idle-sse", "rate"),
    ("memory per idle SSE reader", "Centrifugo", "about 30 KB", "targets",
     "idle-sse", "rate"),
    ("20,000 SSE readers each of an own topic, 4 CPUs", "Mercure",
     "282 messages/s", "mercure-lite", "own-readers-sse", "rate"),
    ("20,000 SSE readers each of an own topic, 4 CPUs", "mercure-lite",
     "2,318 messages/s", "mercure-lite", "own-readers-sse", "rate"),
    ("replay, one consumer", "NATS JetStream", "777,000 messages/s",
     "targets", "replay-ndjson", "rate"),
]

SOURCES = {
    "ds-bench": "<https://github.com/electric-sql/ds-bench>, "
    "results-2026-06-30: p99 4.759 and 5.479 ms; memory of 1,000 subscribers "
    "less that of one",
    "release": "<https://github.com/electric-sql/electric>, release notes of "
    "durable-streams-server-rust 0.1.3",
    "mercure-lite": "<https://github.com/pantopic/mercure-lite>, its README",
    "targets": UNREAD,
}
