/* Topics (`<token>/<thing>`), each existing once and for good. */
#ifndef CONFAB_BENCHMARKS_FLOOR_TOPIC_H
#define CONFAB_BENCHMARKS_FLOOR_TOPIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "benchmarks/wire/bytes.h"

/* How a message is framed for readers: as an event, or as a PUBLISH for
 * subscribers of QoS 0 or 1. */
enum framing { FRAMING_SSE, FRAMING_MQTT, FRAMING_MQTT_QOS1, FRAMINGS };

struct topic {
    char *name; /* NUL-terminated */
    size_t len;
    unsigned number;               /* 0, 1, 2, ... */
    atomic_uint readers[FRAMINGS]; /* that ever joined */

    /* the writer's alone: frames of the batch in hand */
    struct bytes frames[FRAMINGS];
    uint16_t last_packet_id; /* of QoS 1: all subscribers get the same bytes,
                                so they count together */
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
