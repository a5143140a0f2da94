/* A filter that a connection subscribed to, and which of its filters match a
 * message that does not come by fan-out.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_CLIENT_SESSION_FILTER_H
#define CONFAB_BROKER_CLIENT_SESSION_FILTER_H

#include <stdbool.h>

#include "base/subscription_index.h"
#include "broker/client/connection.h"

struct session_filter {
    LIST_ENTRY(session_filter) entry; /* connection.filters */
    UT_hash_handle hh; /* worker.filters, keyed by what follows */
    struct subscription where;
    uint64_t retained_as_of; /* stored sessions: retained messages up to this
                                id are owed; 0: none */
    /* Its SUBSCRIBE is with the writer: 1 + its row in that save. Packets that name
     * this filter wait until the writer has answered. 0: it is not. */
    uint32_t storing;
    bool greeted;  /* … and have been given, which is not on disk yet */
    bool greeting; /* … which the save in progress says */
    bool fresh;    /* a share the SUBSCRIBE at hand has joined */
    /* Its UNSUBSCRIBE came while older messages were still to be read from the log.
     * The filter stays until they are sent, but is no subscription any more: its
     * since_id is SUBSCRIPTION_ENDED, so fan-out skips it. */
    bool ended;
    bool leaving; /* … and the save in progress deletes its row */
    /* Those messages: ids above earlier_since, up to earlier_until; 0, 0: none.
     * A new SUBSCRIBE does not lose them. Only the last such interval is kept. */
    uint64_t earlier_since, earlier_until;
    /* A SUBSCRIBE replaced its options (MQTT-3.8.4-4): messages up to this id, which
     * are read from the log, are sent with the options it had before. 0: none
     * did. */
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

/* NULL: no such filter of this client. */
struct session_filter *session_filter_find(struct connection *c,
                                           struct slice filter);

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
bool session_filter_match(struct connection *c, const struct message *m,
                          struct matched *ret);

#endif
