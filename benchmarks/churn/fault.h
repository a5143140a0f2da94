/* Faults this program commits itself, to prove that its checks can fail:
 * `--fault NAME`, and `--fault-in WHO` for one kind of reader only. One of a
 * few hundred messages is struck. */
#ifndef CONFAB_BENCHMARKS_CHURN_FAULT_H
#define CONFAB_BENCHMARKS_CHURN_FAULT_H

#include <stdbool.h>

/* X(name, value, text) */
#define FAULTS(X)                                                             \
    X(NONE, "none", "")                                                       \
    X(LOSE, "lose", "a reader overlooks a message")                           \
    X(DOUBLE, "double", "a reader takes a message twice")                     \
    X(SWAP, "swap", "a reader takes two messages in the wrong order")         \
    X(CORRUPT, "corrupt", "one byte of a message changes")                    \
    X(FORGE, "forge", "a message nobody sent")                                \
    X(DEAF, "deaf", "a reader takes nothing any more")                        \
    X(CLAIM, "claim", "a message counts as acknowledged and was never sent")

enum fault {
#define X(name, value, text) FAULT_##name,
    FAULTS(X)
#undef X
};

bool fault_choose(const char *name, const char *in); /* false: no such one */
/* Does `fault` strike now, in this kind of actor? */
bool fault_strikes(enum fault fault, const char *in);
/* It could not: next time. */
void fault_put_off(void);

#endif
