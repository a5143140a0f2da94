/* What commands about messages take besides the message itself (store/command.h). */
#ifndef CONFAB_STORE_COMMAND_MESSAGE_H
#define CONFAB_STORE_COMMAND_MESSAGE_H

#include "store/session.h"

/* COMMAND_APPEND: command.message (kind MESSAGE) is stored, numbered and fanned
 * out. COMMAND_EVENT (kind EVENT) is only fanned out, in order with what is stored,
 * and takes no arguments. */
struct message_append {
    int64_t
        window_start_us; /* from the bridge: the token's window of an hour as
                                it knows it; 0: none */
    bool
        uncharged; /* nameless client in open mode: no limit of the plan holds;
                       things and bytes are counted */
    struct session_mark mark; /* what it does to a session */
    struct slice address; /* of the message's sender, where that is known, as
                             address_range() writes it (base/net/address_range.h):
                             for bans; empty: unknown */
};

/* COMMAND_EDIT and COMMAND_DELETE: command.message (kind EDIT or DELETE) says what is to
 * be done: topic (<token>/<thing>), about (the message's id), changed_by; and for an edit
 * payload, payload_class, content_type and payload format, which replace those of the
 * message. On disk and fanned out as an entry of that kind. Each counts as a write.
 * Results in `id` (of the entry), `seq` (the message's) and `at_us` (when it was
 * changed). NOT_FOUND: the thing has no such message (any more); GONE: it was deleted. */
struct message_change {
    int64_t window_start_us; /* as for an append */
};

#endif
