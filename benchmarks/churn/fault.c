#include "benchmarks/churn/fault.h"

#include <stddef.h>
#include <string.h>

enum { STRIKE_EVERY = 300 };

static enum fault chosen;
static const char *where; /* NULL: in all */
static unsigned chances;

bool fault_choose(const char *name, const char *in)
{
    static const char *const names[] = {
#define X(name, value, text) value,
        FAULTS(X)
#undef X
    };

    where = in;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            chosen = (enum fault)i;
            return true;
        }
    }
    return false;
}

bool fault_strikes(enum fault fault, const char *in)
{
    if (fault != chosen || fault == FAULT_NONE)
        return false;
    if (where != NULL && strcmp(where, in) != 0)
        return false;
    return ++chances % STRIKE_EVERY == 0;
}

void fault_put_off(void)
{
    chances--;
}
