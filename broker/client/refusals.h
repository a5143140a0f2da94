/* Recent refusals. Many clients are never told why they were refused: MQTT
 * 3.1.1 and QoS 0 cannot say it, and libraries drop the reason. So the
 * server keeps it for its administrator in two ways: a log line at level
 * info, and a table that `confab clients --refused` prints.
 *
 * An entry is a client and a reason. Its first refusal is logged, then at
 * most one every REFUSAL_QUIET_S, with the number since the last line. All
 * entries of a table together log at most REFUSAL_LINES in REFUSAL_LINES_S.
 * The next line tells how many lines were left out.
 *
 * Clients with a token have one table, and peers that never became clients
 * another, so that strangers take neither entries nor lines from clients.
 * One token (of strangers: one address) does not take them from others
 * either: when the table is full, the one with the most entries loses its
 * entry that was quiet the longest; and half of the lines are reserved for
 * the first few of each, while of the other half each gets at most a third
 * of what is left.
 *
 * Memory:   two tables per worker of REFUSALS_MAX entries of about 400
 *           bytes, made at the first refusal.
 * Threads:  the worker's. Refusals of administrators are not recorded. */
#ifndef CONFAB_BROKER_CLIENT_REFUSALS_H
#define CONFAB_BROKER_CLIENT_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct connection;
struct worker;

#define REFUSALS_MAX 256
#define REFUSAL_QUIET_S 300
#define REFUSAL_LINES 120
#define REFUSAL_LINES_FEW 2 /* reserved for each party's first refusals */
#define REFUSAL_LINES_S 60
#define REFUSAL_ID_MAX 128 /* longer client ids are cut */

/* The packet that was refused. */
enum refused_packet {
    REFUSED_CONNECT,
    REFUSED_PUBLISH,
    REFUSED_SUBSCRIBE,
    /* Anything that ended the connection: malformed, too large, … */
    REFUSED_PACKET
};

struct refusal {
    uint64_t number; /* in the order of first refusals */
    uint64_t who;    /* hash of token and client id, or of the address */
    uint64_t party;  /* hash of the token, or of a stranger's address */
    const char *why; /* static text; entries compare the pointer */
    enum refused_packet packet;
    uint64_t count, unlogged;
    int64_t first_us, last_us;  /* wall-clock time */
    int64_t used_us, logged_us; /* monotonic; logged_us 0: never */
    uint8_t token_len, id_len;  /* token_len 0: no token, or not a valid one */
    uint16_t id_full_len;
    char token[64], id[REFUSAL_ID_MAX], peer[56];
};

#define REFUSAL_PARTIES 256

struct refusal_table {
    struct refusal *list; /* REFUSALS_MAX entries; NULL: no refusal yet */
    unsigned count, last; /* last: index found by the last look-up */
    int64_t lines_since_us;
    unsigned lines;
    uint8_t lines_of[REFUSAL_PARTIES]; /* by party, modulo REFUSAL_PARTIES */
    uint64_t left_out;                 /* lines left out */
};

struct refusals {
    struct refusal_table clients, strangers;
};

void refusals_release(struct refusals *r);

/* `why`: static text that says what to do. Without memory the refusal is not
 * recorded. */
void refusal_note(struct connection *c, enum refused_packet packet,
                  const char *why);

/* Entries behind number `after` in their order, the next one each time; NULL:
 * no more. Borrowed until the next note. */
const struct refusal *refusals_next(const struct refusals *r, uint64_t after);

const char *refused_packet_name(enum refused_packet packet);

#endif
