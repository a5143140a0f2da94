"""`benchmarks/soak --prove`: commits every fault there is, one short soak for
each, and fails when a soak does not say what it must say. A check that was
never seen to fail is none."""

import re
import subprocess
import sys

SMALL = ["--duration", "15", "--interval", "2", "--patience", "6",
         "--readers", "400", "--publishers", "192", "--rate", "300",
         "--stay-max", "30", "--keep", "10", "--show-errors", "100"]

# fault, more options, what one line about an error or a failure must say
FAULTS = (
    ("lose", [], r"errors of delivery.*lost or out of order"),
    ("lose", ["--fault-in", "session"], r"session-\d+ got .*lost"),
    ("lose", ["--fault-in", "share"], r"group g\d+ has not got .*missing"),
    ("double", [], r"errors of delivery.*twice"),
    ("double", ["--fault-in", "session"], r"session-\d+ got .*twice"),
    ("double", ["--fault-in", "share"], r"group g\d+ got .*twice"),
    ("swap", ["--fault-in", "mqtt-0"], r"mqtt-0-\d+ got .*out of order"),
    ("corrupt", [], r"errors of delivery.*a payload nobody sent"),
    ("forge", [], r"errors of delivery.*before it was sent"),
    ("deaf", ["--fault-in", "sse"], r"sse-\d+ has not got .*missing"),
    ("claim", [], r"errors of delivery.*(lost|missing|are stored)"),
    ("forget", ["--restart-every", "6"], r"its session is gone"),
    ("forget", ["--restart-every", "6"], r"errors of delivery"),
    ("keep", ["--duration", "40"], r"errors of delivery.*retention does not work"),
    ("small", [], r"the server dropped \d+ messages: refused"),
    ("small", [], r"publisher \d+: connection lost"),
    ("stall", [], r"nothing was delivered in the "),
    ("stall", ["--patience", "3"], r"a message is not answered"),
    # Few messages, or the readers' complaints do not come to word.
    ("stall", ["--patience", "3", "--rate", "10"], r"waits in vain to follow"),
    ("stall", ["--patience", "3", "--rate", "10"], r"not let go after"),
    ("stubborn", [], r"still there 10 s after SIGTERM"),
    ("leak-memory", ["--duration", "30"], r"memory .*it grows"),
    ("leak-descriptor", [], r"descriptors: \d+ at the start, \d+ when"),
    ("leak-thread", [], r"threads: \d+ at the start"),
    # Retention comes into balance after some minutes only.
    ("keep", ["--duration", "240", "--interval", "10"],
     r"stored messages: .*it grows"),
    ("none", [], None),
)


def prove(soak, arguments):
    """`soak`: the command. Returns how many proofs failed."""
    failed = 0
    for fault, options, wanted in FAULTS:
        done = subprocess.run(
            [sys.executable, soak, *SMALL, "--fault", fault, *options,
             *arguments], capture_output=True, text=True)
        reasons = [line for line in done.stdout.splitlines()
                   if line.startswith(("FAILED: ", "  ! "))]
        if wanted is None:
            good = done.returncode == 0
            seen = reasons[0] if reasons else "all of it holds"
        else:
            seen = next((r for r in reasons if re.search(wanted, r)), None)
            good = done.returncode == 1 and seen is not None
            seen = seen or f"not seen: {wanted}; instead: {reasons[:5]}"
        failed += not good
        name = " ".join([fault, *options])
        print(f"{'ok' if good else 'NOT'}  {name}: {seen}"
              + (f"\n{done.stderr}" if done.stderr else ""), flush=True)
    return failed
