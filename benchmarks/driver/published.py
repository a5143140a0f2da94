"""What others have published, for orientation. None of it was measured here:
other machines, other load generators, other promises."""

# (work, server, figure, source, row of ours that is nearest, its metric)
FIGURES = [
    ("durable POST, 2 CPUs", "durable-streams (Rust)", "29,700/s, p99 6.4 ms",
     "durable-streams", "post", "rate"),
    ("the same with 100 SSE readers", "durable-streams (Rust)",
     "17,100/s, p99 22.6 ms", "durable-streams", "post-readers", "rate"),
    ("1→1000 SSE at 50/s, 4 CPUs, p99", "Ursula", "4.8 ms", "Ursula",
     "latency", "p99_us"),
    ("1→1000 SSE at 50/s, 4 CPUs, p99", "durable-streams (Rust)", "5.5 ms",
     "Ursula", "latency", "p99_us"),
    ("memory per idle SSE reader", "Ursula", "about 1 KiB", "Ursula",
     "idle-sse", "rate"),
    ("memory per idle SSE reader", "durable-streams (Rust)", "0.6 KiB",
     "durable-streams", "idle-sse", "rate"),
    ("memory per idle SSE reader", "Mercure", "about 10 KB", "Mercure",
     "idle-sse", "rate"),
    ("memory per idle SSE reader", "Centrifugo", "about 30 KB", "Centrifugo",
     "idle-sse", "rate"),
    ("20,000 SSE readers each of an own topic, 4 CPUs", "Mercure",
     "282 messages/s", "mercure-lite", "own-readers-sse", "rate"),
    ("20,000 SSE readers each of an own topic, 4 CPUs", "mercure-lite",
     "2,318 messages/s", "mercure-lite", "own-readers-sse", "rate"),
    ("replay, one consumer", "NATS JetStream", "777,000 messages/s", "NATS",
     "replay-ndjson", "rate"),
]

SOURCES = {
    "durable-streams": "<https://electric.ax/blog/2026/06/26/"
    "durable-streams-at-kernel-speed> and the release notes of "
    "durable-streams-server-rust",
    "Ursula": "<https://ursula.tonbo.io/benchmark> and its repository",
    "Mercure": "<https://mercure.rocks/docs/hub/load-test>",
    "Centrifugo": "<https://centrifugal.dev>",
    "mercure-lite": "<https://github.com/pantopic/mercure-lite>, its README",
    "NATS": "<https://docs.nats.io/using-nats/nats-tools/nats_cli/natsbench>",
}
