/* Reads everything that is stored, thing by thing, and compares it with what
 * was published: nothing acknowledged is missing that retention owes, nothing
 * is stored twice, and retention has removed what it should. For a moment in
 * which nobody publishes. */
#ifndef CONFAB_BENCHMARKS_CHURN_AUDIT_H
#define CONFAB_BENCHMARKS_CHURN_AUDIT_H

#include "benchmarks/churn/reader.h"

struct audit {
    struct world *world;
    struct churn_reader
        *readers; /* NULL: none under way; one for each thing */
    unsigned things;
    int64_t begun_ns, changed_ns;
    uint64_t messages; /* got so far */
};

void audit_begin(struct audit *a, struct world *w, int64_t now_ns);
/* Once a second. true: it is over, and what is wrong was reported. */
bool audit_step(struct audit *a, int64_t now_ns);

#endif
