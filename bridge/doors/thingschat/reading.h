/* The beginning of every GET of a token's endpoints: token, thing, read limit. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_READING_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_READING_H

#include "bridge/doors/access.h"

/* Reads that a stream, or a follow on a WebSocket, costs. */
#define LISTEN_COST 5

struct reading {
    struct store_reader *reader; /* has a snapshot */
    struct access access;
    char topic[TOKEN_MAX + 1 + THING_MAX]; /* `<token>/<thing>` */
    size_t topic_len;
};

/* Takes a snapshot, looks up the token, and checks the thing (has_thing: it is the
 * call's second argument) and the names in the query.
 * false: answered (400, 401, 403, 503), and nothing is held. true: the caller ends it
 * with reading_end(). */
bool reading_begin(struct call *c, struct reading *ret, bool has_thing);
/* Charges `cost` reads. Call it after all checks: a refused request costs nothing.
 * false: answered with 429; the caller still calls reading_end(). */
bool reading_charge(struct call *c, const struct reading *g, unsigned cost);
void reading_end(struct reading *g); /* may be called twice */

/* After the store failed: refunds `cost` reads and answers 503. */
enum http_next reading_failed(struct call *c, enum store_err err,
                              unsigned cost);

/* Parameters of the query. All return 0: not there; 1: there; -1: answered with 400,
 * which says what would be right. */

/* Percent-decoded into `out`, NUL-terminated; longer than size - 1 is a 400. */
int query_text(struct call *c, const char *name, char *out, size_t size);
/* A decimal number below 10^19. */
int query_u64(struct call *c, const char *name, uint64_t *ret);
/* A time, see time_parse(). */
int query_time(struct call *c, const char *name, int64_t *ret_us);
/* One of `count` words: its index. */
int query_word(struct call *c, const char *name, const char *const *words,
               size_t count, size_t *ret);
/* `?name`, `name=1`, `name=true`; `name=0`, `name=false`. */
int query_flag(struct call *c, const char *name, bool *ret);

#endif
