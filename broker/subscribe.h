/* A connection's subscriptions: SUBSCRIBE, UNSUBSCRIBE, and who among its
 * filters matches a message that does not come by fan-out. */
#ifndef CONFAB_BROKER_SUBSCRIBE_H
#define CONFAB_BROKER_SUBSCRIBE_H

#include <stdbool.h>

#include "broker/connection.h"
#include "broker/subscription_index.h"
#include "store/session.h"

/* Bounds of one client's subscriptions; more are refused with 0x97. The cost of
 * a filter is its length and what its levels take in the index. */
#define FILTERS_MAX 10000
#define FILTER_COST_MAX (4U * 1024 * 1024)
#define FILTER_LEVEL_COST 128
/* Administrators have streams of many clients behind them. */
#define FILTERS_MAX_ADMIN 1000000
#define FILTER_COST_MAX_ADMIN (512U * 1024 * 1024)

struct session_filter {
    LIST_ENTRY(session_filter) entry; /* connection.filters */
    UT_hash_handle hh; /* worker.filters, keyed by what follows */
    struct subscription where;
    uint64_t retained_as_of; /* stored sessions: retained messages up to this
                                id are owed; 0: none */
    bool greeted; /* … and have been given, which is not on disk yet */
    size_t len;
    const struct connection *owner;
    char filter[];
};

static inline struct slice session_filter_slice(const struct session_filter *f)
{
    return slice_of(f->filter, f->len);
}

/* Queue SUBACK or UNSUBACK; may close the connection. */
void subscribe_received(struct connection *c,
                        const struct packet_subscribe *s);
void unsubscribe_received(struct connection *c,
                          const struct packet_subscribe *s);
/* One of a stored session. false: out of memory. */
bool subscribe_restore(struct connection *c,
                       const struct session_subscription *row);
/* The row of a filter; `name` has room for f->len bytes and lives as long as the
 * row. */
void subscribe_describe(const struct session_filter *f, char *name,
                        struct session_subscription *ret_row);
/* Its retained messages have been given. */
void subscribe_greeted(struct connection *c, struct slice filter);
/* Removes them all. */
void subscribe_forget(struct connection *c);

/* The options all matching filters give together, as in fan-out; false: no
 * filter of this connection matches (any more), or not messages that old. */
bool subscribe_match(struct connection *c, const struct message *m,
                     uint8_t *ret_qos, bool *ret_retain_as_published);

#endif
