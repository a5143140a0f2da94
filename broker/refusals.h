/* What was refused to whom, of late: many clients are never told, because MQTT
 * 3.1.1 and QoS 0 have no words for it, or throw the reason away. So the server
 * keeps it for whoever runs it, in two ways: a line of the log at info, and a
 * table that `confab clients --refused` prints.
 *
 * An entry is a client and a reason. The log has a line for its first refusal,
 * and then one every REFUSAL_QUIET_S at most, with the number since the last; and
 * of all entries of a worker together REFUSAL_LINES in REFUSAL_LINES_S at most,
 * so that strangers cannot fill the log. What was left out is counted in the
 * next line.
 *
 * Memory:   REFUSALS_MAX entries of about 400 bytes a worker, made at the first
 *           refusal; the one that was quiet for longest makes room.
 * Threads:  the worker's. Administrators are not noted. */
#ifndef CONFAB_BROKER_REFUSALS_H
#define CONFAB_BROKER_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct connection;
struct worker;

#define REFUSALS_MAX 256
#define REFUSAL_QUIET_S 300
#define REFUSAL_LINES 30
#define REFUSAL_LINES_S 60
#define REFUSAL_ID_MAX 128 /* bytes of a client id that are kept */

/* What was refused: the packet's name. */
enum refused_packet {
    REFUSED_CONNECT,
    REFUSED_PUBLISH,
    REFUSED_SUBSCRIBE,
    REFUSED_PACKET /* which ended the connection: malformed, too large, … */
};

struct refusal {
    uint64_t number; /* ascending in the order they were noted first */
    uint64_t who;    /* hash of token and client id, or of the address */
    const char *why; /* static text; entries compare the pointer */
    enum refused_packet packet;
    uint64_t count, unlogged;
    int64_t first_us, last_us;  /* real time */
    int64_t used_us, logged_us; /* monotonic; logged 0: never */
    uint8_t token_len, id_len;  /* token 0: none was given, or no token */
    uint16_t id_full_len;
    char token[64], id[REFUSAL_ID_MAX], peer[56];
};

struct refusals {
    struct refusal *list; /* REFUSALS_MAX; NULL: nothing was refused yet */
    unsigned count, last; /* last: found last time */
    int64_t lines_since_us;
    unsigned lines;
    uint64_t left_out; /* lines */
};

void refusals_release(struct refusals *r);

/* `why`: static text, what to do in it. Without memory it is not noted. */
void refusal_note(struct connection *c, enum refused_packet packet,
                  const char *why);

/* Entries behind number `after` in their order, the next one each time; NULL:
 * no more. Borrowed until the next note. */
const struct refusal *refusals_next(const struct refusals *r, uint64_t after);

const char *refused_packet_name(enum refused_packet packet);

#endif
