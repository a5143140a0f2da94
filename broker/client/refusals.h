/* What was refused to whom, of late: many clients are never told, because MQTT
 * 3.1.1 and QoS 0 have no words for it, or throw the reason away. So the server
 * keeps it for whoever runs it, in two ways: a line of the log at info, and a
 * table that `confab clients --refused` prints.
 *
 * An entry is a client and a reason. The log has a line for its first refusal,
 * and then one every REFUSAL_QUIET_S at most, with the number since the last; and
 * of all entries of a table together REFUSAL_LINES in REFUSAL_LINES_S at most.
 * What was left out is counted in the next line.
 *
 * Clients of tokens have one table, and who never was one another, so that
 * strangers take neither place nor lines from clients. Nor does one token from
 * others (of strangers: one address): the one with most entries makes room, and
 * half of the lines are for the first few of each, while of the other half each has
 * at most a third of what is left.
 *
 * Memory:   two tables of REFUSALS_MAX entries of about 400 bytes a worker, made at
 *           the first refusal; of the token with most entries the one that was
 *           quiet for longest makes room.
 * Threads:  the worker's. Administrators are not noted. */
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
#define REFUSAL_LINES_FEW 2 /* first ones of a party */
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
    uint64_t party;  /* hash of the token, or of a stranger's address */
    const char *why; /* static text; entries compare the pointer */
    enum refused_packet packet;
    uint64_t count, unlogged;
    int64_t first_us, last_us;  /* real time */
    int64_t used_us, logged_us; /* monotonic; logged 0: never */
    uint8_t token_len, id_len;  /* token 0: none was given, or no token */
    uint16_t id_full_len;
    char token[64], id[REFUSAL_ID_MAX], peer[56];
};

#define REFUSAL_PARTIES 256

struct refusal_table {
    struct refusal *list; /* REFUSALS_MAX; NULL: nothing was refused yet */
    unsigned count, last; /* last: found last time */
    int64_t lines_since_us;
    unsigned lines;
    uint8_t lines_of[REFUSAL_PARTIES]; /* by party, modulo */
    uint64_t left_out;                 /* lines */
};

struct refusals {
    struct refusal_table clients, strangers;
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
