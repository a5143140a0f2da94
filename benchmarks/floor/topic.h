/* Topics (`<token>/<thing>`), each existing once and for good. */
#ifndef CONFAB_BENCHMARKS_FLOOR_TOPIC_H
#define CONFAB_BENCHMARKS_FLOOR_TOPIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

#include "benchmarks/wire/bytes.h"

/* The two ways a message is framed for readers. */
enum framing { FRAMING_SSE, FRAMING_MQTT, FRAMINGS };

struct topic {
    char *name; /* NUL-terminated */
    size_t len;
    unsigned number;               /* 0, 1, 2, ... */
    atomic_uint readers[FRAMINGS]; /* that ever joined */

    /* the writer's alone: frames of the batch in hand */
    struct bytes frames[FRAMINGS];
    bool touched;
    struct topic *next_touched;

    UT_hash_handle hh;
};

/* Any thread. */
struct topic *topic_of(const char *name, size_t len);

/* The topic behind the path `/<token>/chat/<thing><suffix>`; NULL when the
 * path is something else. Names are taken as they are, without decoding. */
struct topic *topic_of_path(const char *path, size_t len, const char *suffix);

#endif
