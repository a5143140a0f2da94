/* A filter that a connection subscribed to, and which of its filters match a
 * message that does not come through fan-out.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_CLIENT_SESSION_FILTER_H
#define CONFAB_BROKER_CLIENT_SESSION_FILTER_H

#include <stdbool.h>

#include "base/subscription_index.h"
#include "broker/client/connection.h"

struct session_filter {
    LIST_ENTRY(session_filter) entry; /* connection.filters */
    UT_hash_handle hh; /* worker.filters, keyed by owner and filter */
    struct subscription where;
    /* Stored sessions: retained messages up to this id must still be sent;
     * 0: none. */
    uint64_t retained_as_of;
    /* While its SUBSCRIBE is with the writer: 1 + its row in that save, else
     * 0. Packets that name this filter wait for the answer. */
    uint32_t storing;
    bool greeted;  /* … and have been sent, but the disk does not know yet */
    bool greeting; /* … and the save in progress records that */
    bool fresh;    /* a shared subscription joined by the SUBSCRIBE at hand */
    /* Its UNSUBSCRIBE came while older messages had still to be read from
     * the log. The filter stays until these are sent, but is no subscription
     * any more: its since_id is SUBSCRIPTION_ENDED, so fan-out skips it. */
    bool ended;
    bool leaving; /* … and the save in progress deletes its row */
    /* These messages: ids above earlier_since, up to earlier_until; 0, 0:
     * none. A new SUBSCRIBE does not lose them. Only the last such interval
     * is kept. */
    uint64_t earlier_since, earlier_until;
    /* A SUBSCRIBE replaced its options (MQTT-3.8.4-4): messages from the log
     * up to this id are sent with the previous options. 0: not replaced. */
    uint64_t changed_at;
    uint8_t qos_before;
    bool no_local_before;
    /* `$share/…`; such a filter is not in the index. */
    struct share_member *share;
    size_t len;
    const struct connection *owner;
    char filter[];
};

static inline struct slice session_filter_slice(const struct session_filter *f)
{
    return slice_of(f->filter, f->len);
}

/* NULL: the client has no such filter. */
struct session_filter *session_filter_find(struct connection *c,
                                           struct slice filter);

/* All matching filters combined (MQTT-3.3.4-2 to -4), as in fan-out. */
struct matched {
    bool any;
    uint8_t qos;
    bool retain_as_published;
    const uint32_t *identifiers; /* the worker's, valid until its next match */
    size_t identifier_count;
};
/* false: no filter of this connection matches (any more), or none covers a
 * message this old. */
bool session_filter_match(struct connection *c, const struct message *m,
                          struct matched *ret);

#endif
