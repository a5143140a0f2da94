/* The filters that a connection has subscribed to (client/session_filter.h):
 * adds them to the worker's index or to a group, removes them, keeps what a
 * filter is still due after it ended or was replaced, and describes their
 * rows in a stored session.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_SESSION_FILTERS_H
#define CONFAB_BROKER_SESSION_FILTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "broker/client/session_filter.h"
#include "store/session.h"

/* Bounds of one client's subscriptions, unless its plan's filters_max is
 * lower; more are refused with 0x97. A filter's cost is its length and what
 * its levels take in the index. filter_shape.h bounds all clients of a token
 * together. */
#define FILTERS_MAX 10000
#define FILTER_COST_MAX (4U * 1024 * 1024)
#define FILTER_LEVEL_COST 128
/* Cost that a client may always have, whatever its token and others hold
 * (held.h). */
#define FILTER_COST_SHORT (16U * 1024)
/* Groups a client may join: unlike a filter, each gives it messages. */
#define SHARES_MAX 256
/* Administrators stand for the streams of many clients. */
#define FILTERS_MAX_ADMIN 1000000
#define FILTER_COST_MAX_ADMIN (512U * 1024 * 1024)

/* Whether the client may subscribe to this filter, too. */
bool filters_have_room(const struct connection *c, struct slice filter);
/* The same, but removes filters that have ended if that makes room: they are
 * no reason to refuse a new one. */
bool filters_make_room(struct connection *c, struct slice filter);

/* Adds a new filter to the index, or joins its group. NULL: out of memory. */
struct session_filter *filters_add(struct connection *c, struct slice filter,
                                   const struct subscriber *s);
void filters_drop(struct connection *c, struct session_filter *f);
/* Changes the options of an existing filter that is not of a group, without
 * losing messages (MQTT-3.8.4-3): its since_id stays, unless it had ended. */
void filters_replace(struct connection *c, struct session_filter *f,
                     const struct subscriber *s);
/* UNSUBSCRIBE: removes it, at once or when it has got the messages published
 * before. */
void filters_end(struct connection *c, struct session_filter *f);
/* Undoes the SUBSCRIBE that added it: it is ended again, or removed. */
void filters_undo(struct connection *c, struct session_filter *f);

/* The filter's options; valid until the next add or remove. */
struct subscriber *session_filter_options(const struct session_filter *f);

/* ---- rows */

/* The filter's row, which borrows the filter text. */
struct session_subscription filters_row(const struct session_filter *f);
/* The same with a copy of the text: `name` has room for f->len bytes and
 * must live as long as the row. */
void filters_describe(const struct session_filter *f, char *name,
                      struct session_subscription *ret_row);
/* Adds a filter of a stored session. false: out of memory, or the index has
 * no room because of filters that others have added since. */
bool filters_restore(struct connection *c,
                     const struct session_subscription *row);
/* The store refused the SUBSCRIBE of this filter: restores what its row
 * `before` says, or removes it if that has no filter. */
void filters_take_back(struct connection *c, struct slice filter,
                       const struct session_subscription *before);

/* ---- events of the connection */

/* The backlog has been sent: removes ended filters; those of a stored
 * session are `leaving` until the disk has it. */
void filters_backlog_given(struct connection *c);
void filters_remove_leaving(struct connection *c);
/* Its retained messages have been sent. */
void filters_greeted(struct connection *c, struct slice filter);
/* The connection ends: leaves its groups, and removes its filters unless
 * they are many. filters_forget() removes the others from the index later,
 * at most *filters at a time, which it counts down. It returns true when
 * none is left. */
void filters_leave(struct connection *c);
bool filters_forget(struct connection *c, size_t *filters);

#endif
