"""What a soak's figures must look like. Pure: samples in, reasons out."""

import statistics

# What may grow between the middle and the last third of a run: a share, and
# so many MiB more, for what one sample differs from the next anyway.
GROWTH = 0.10
GROWTH_MIB = 2.0

SWEEP_S = 60  # how often the server looks for messages that are too old

# The bridge's operation ids are kept for ten minutes, keys of clients for a
# day: two rows each, of at most so many bytes with their share of a page.
OPERATION_BYTES = 250
OPERATIONS_KEPT_S = 600

# Messages that are not for who is slow, or that no client here sends.
# Retention may take away what a slow reader has in flight.
MAY_BE_DROPPED = {"retention"}


def thirds(samples):
    third = len(samples) // 3
    return samples[third:2 * third], samples[2 * third:]


def level(samples, key, name, allowed=0.0, unit=" MiB", spare=GROWTH_MIB):
    """Reasons why `key` has not levelled off; the sentence for the report."""
    middle, last = thirds(samples)
    before = statistics.median(s[key] for s in middle)
    after = statistics.median(s[key] for s in last)
    limit = before * (1 + GROWTH) + spare + allowed
    text = (f"{name}: median {before:,.1f}{unit} in the middle third, "
            f"{after:,.1f}{unit} in the last, limit {limit:,.1f}{unit}")
    return ([f"{text}: it grows"] if after > limit else []), text


def operations_mib(samples, has_keys):
    """What the store may grow by rows that say how POSTs ended."""
    middle, last = thirds(samples)
    until = last[len(last) // 2]["at_s"]
    since = middle[len(middle) // 2]["at_s"]
    if not has_keys and since >= OPERATIONS_KEPT_S:
        return 0.0
    posts = sum(s["posts"] for s in samples if since < s["at_s"] <= until)
    return posts * OPERATION_BYTES * (2 if has_keys else 1) / 1048576


def growth(samples, keep_s, restarts):
    """(reasons, sentences)"""
    reasons, said = [], []
    if len(samples) < 6:
        return [], ["growth is not judged: it takes six intervals"]

    def look(*arguments, **options):
        bad, text = level(samples, *arguments, **options)
        reasons.extend(bad)
        said.append(text)

    if restarts:
        said.append("memory is not judged: the server was killed and began "
                    "anew")
    else:
        look("pss_anon", "memory (anonymous PSS)")
    balanced_s = keep_s + SWEEP_S
    if thirds(samples)[0][0]["at_s"] < balanced_s:
        said.append("growth of the store is not judged: retention comes into "
                    f"balance after {balanced_s} s, that must be within the "
                    f"first third (--duration {3 * balanced_s})")
        return reasons, said
    rows = operations_mib(samples, bool(restarts))
    look("file", "data.mdb", rows)
    look("in_use", "pages in use", rows)
    look("entries", "stored messages", unit="", spare=100)
    return reasons, said


def threads(samples, at_start):
    seen = sorted({s["threads"] for s in samples})
    if seen != [at_start]:
        return [f"threads: {at_start} at the start, then {seen}"]
    return []


def descriptors(at_start, at_end):
    if at_end != at_start:
        return [f"descriptors: {at_start} at the start, {at_end} when all "
                "clients had left"]
    return []


def progress(samples):
    return [f"nothing was {what} in the {s['seconds']:.0f} s before second "
            f"{s['at_s']:.0f}"
            for s in samples for what in ("published", "delivered")
            if s[what] == 0]


def dropped(samples):
    """Counters begin anew with each server: the highest seen is enough."""
    most = {}
    for s in samples:
        for cause, count in s["dropped"].items():
            most[cause] = max(most.get(cause, 0), count)
    return [f"the server dropped {count} messages: {cause}"
            for cause, count in sorted(most.items())
            if cause not in MAY_BE_DROPPED]
