/* A connection's subscriptions: SUBSCRIBE, UNSUBSCRIBE, and who among its
 * filters matches a message that does not come by fan-out. */
#ifndef CONFAB_BROKER_SESSION_SUBSCRIBE_H
#define CONFAB_BROKER_SESSION_SUBSCRIBE_H

#include <stdbool.h>

#include "base/subscription_index.h"
#include "broker/client/connection.h"
#include "store/session.h"

/* Bounds of one client's subscriptions, where its plan's filters_max is not less;
 * more are refused with 0x97. The cost of
 * a filter is its length and what its levels take in the index. What all clients
 * of a token may have together: filter_shape.h. */
#define FILTERS_MAX 10000
#define FILTER_COST_MAX (4U * 1024 * 1024)
#define FILTER_LEVEL_COST 128
/* What a client may have however much its token and all others have (held.h). */
#define FILTER_COST_SHORT (16U * 1024)
/* Groups a client may be in: unlike filters, each gives it every message. */
#define SHARES_MAX 256
/* Administrators have streams of many clients behind them. */
#define FILTERS_MAX_ADMIN 1000000
#define FILTER_COST_MAX_ADMIN (512U * 1024 * 1024)

struct session_filter {
    LIST_ENTRY(session_filter) entry; /* connection.filters */
    UT_hash_handle hh; /* worker.filters, keyed by what follows */
    struct subscription where;
    uint64_t retained_as_of; /* stored sessions: retained messages up to this
                                id are owed; 0: none */
    /* A SUBSCRIBE of it is with the writer: 1 + its row in that save. What else
     * names it is not read before that is answered. 0: none is. */
    uint32_t storing;
    bool greeted;  /* … and have been given, which is not on disk yet */
    bool greeting; /* … which the save under way says */
    bool fresh;    /* a share the SUBSCRIBE at hand has joined */
    /* Its UNSUBSCRIBE came while messages from before it were still to be read
     * from the log. It stays until they are given, as no subscription any more:
     * its since_id is SUBSCRIPTION_ENDED, so that fan-out passes it over. */
    bool ended;
    bool leaving; /* … and the save under way deletes its row */
    /* Those messages: above the one, up to the other; 0, 0: none. A SUBSCRIBE
     * begins anew without losing them; only of the last such time there is
     * anything owed. */
    uint64_t earlier_since, earlier_until;
    /* Messages up to this id are given as the subscription was before it was
     * replaced (MQTT-3.8.4-4); fan-out has passed them, the log is read for them.
     * 0: it was not. */
    uint64_t changed_at;
    uint8_t qos_before;
    bool no_local_before;
    struct share_member *share; /* `$share/…`: then it is not in the index */
    size_t len;
    const struct connection *owner;
    char filter[];
};

static inline struct slice session_filter_slice(const struct session_filter *f)
{
    return slice_of(f->filter, f->len);
}

/* Its options; valid until the next add or remove. */
struct subscriber *session_filter_options(const struct session_filter *f);

/* Queue SUBACK or UNSUBACK; may close the connection. Where a SUBSCRIBE joins
 * groups (share_member.h), it is not done yet: the connection is `joining`, and
 * when the groups have answered, the same packet is received again. So it is, with
 * the connection `behind_store`, where a packet names a filter whose SUBSCRIBE is
 * not on disk yet: what becomes of that one decides what this one means. */
void subscribe_received(struct connection *c,
                        const struct packet_subscribe *s);
void unsubscribe_received(struct connection *c,
                          const struct packet_subscribe *s);
/* One of a stored session. false: out of memory, or the index does not take it
 * because of what others have subscribed to meanwhile. */
bool subscribe_restore(struct connection *c,
                       const struct session_subscription *row);
/* The row of a filter; `name` has room for f->len bytes and lives as long as the
 * row. */
void subscribe_describe(const struct session_filter *f, char *name,
                        struct session_subscription *ret_row);
/* Where the log ends: what is acknowledged has an id up to that, and fan-out may
 * be behind it. false: it cannot be read. */
bool subscribe_read_head(struct worker *w, uint64_t *ret_head);
/* The backlog is given: filters that have ended go; those of a stored session once
 * that is on disk, when they are `leaving`. */
void subscribe_backlog_given(struct connection *c);
void subscribe_left(struct connection *c);
/* Its retained messages have been given. */
void subscribe_greeted(struct connection *c, struct slice filter);
/* The connection ends: leaves its groups, and removes its filters unless they are
 * many. The others stay in the index until subscribe_forget() removes them, at most
 * *filters at a time, which it counts down: then it is true. */
void subscribe_leave(struct connection *c);
bool subscribe_forget(struct connection *c, size_t *filters);

/* What all matching filters give together (MQTT-3.3.4-2 to -4), as in fan-out. */
struct matched {
    bool any;
    uint8_t qos;
    bool retain_as_published;
    const uint32_t *identifiers; /* the worker's, until its next match */
    size_t identifier_count;
};
/* false: no filter of this connection matches (any more), or not messages that
 * old. */
bool subscribe_match(struct connection *c, const struct message *m,
                     struct matched *ret);

#endif
