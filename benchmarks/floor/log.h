/* The floor's log: an LMDB environment with default flags (a commit is two
 * flushes), one record for each message.
 *
 * Threads: one that appends; any that walk. Failures end the program. */
#ifndef CONFAB_BENCHMARKS_FLOOR_LOG_H
#define CONFAB_BENCHMARKS_FLOOR_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "benchmarks/floor/commit.h"

struct log;

/* In an existing folder. */
struct log *log_open(const char *dir);
void log_close(struct log *l);

/* All of the batch in one transaction; on disk when this returns. Ids must go
 * on increasing. */
void log_append(struct log *l, const struct entry_list *batch);

struct floor_record {
    uint64_t id;
    int64_t created_us;
    const char
        *topic; /* NUL-terminated; borrowed for the call, as is payload */
    size_t topic_len;
    const char *payload;
    size_t len;
};

enum log_order { LOG_OLDEST_FIRST, LOG_NEWEST_FIRST };

/* Calls `visit` for `limit` records at most. */
void log_walk(struct log *l, enum log_order order, uint64_t limit,
              void (*visit)(void *arg, const struct floor_record *r),
              void *arg);

#endif
