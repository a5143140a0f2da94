/* The filters a connection has subscribed to (client/session_filter.h): into the
 * worker's index or a group and out again, what is owed to one that has ended or
 * was replaced, and their rows in a stored session.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_SESSION_FILTERS_H
#define CONFAB_BROKER_SESSION_FILTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "broker/client/session_filter.h"
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

/* Whether it may have this filter, too. */
bool filters_have_room(const struct connection *c, struct slice filter);
/* The same, where filters that have ended give way: they are no reason to refuse
 * one. */
bool filters_make_room(struct connection *c, struct slice filter);

/* A filter it does not have: into the index, or it joins its group. NULL: out of
 * memory. */
struct session_filter *filters_add(struct connection *c, struct slice filter,
                                   const struct subscriber *s);
void filters_drop(struct connection *c, struct session_filter *f);
/* Other options for one that it has, and that is no group's, without a gap
 * (MQTT-3.8.4-3): its since_id stays, unless it had ended. */
void filters_replace(struct connection *c, struct session_filter *f,
                     const struct subscriber *s);
/* UNSUBSCRIBE: it goes, at once or when it has got what was published before. */
void filters_end(struct connection *c, struct session_filter *f);
/* As it was before the SUBSCRIBE that made it new: ended, or gone. */
void filters_undo(struct connection *c, struct session_filter *f);

/* Its options; valid until the next add or remove. */
struct subscriber *session_filter_options(const struct session_filter *f);

/* ---- rows */

/* Its row; the filter is borrowed from it. */
struct session_subscription filters_row(const struct session_filter *f);
/* The same; `name` has room for f->len bytes and lives as long as the row. */
void filters_describe(const struct session_filter *f, char *name,
                      struct session_subscription *ret_row);
/* One of a stored session. false: out of memory, or the index does not take it
 * because of what others have subscribed to meanwhile. */
bool filters_restore(struct connection *c,
                     const struct session_subscription *row);
/* A SUBSCRIBE of it cannot be on disk: it is as its row `before` that one says, or
 * gone, where that has no filter. */
void filters_take_back(struct connection *c, struct slice filter,
                       const struct session_subscription *before);

/* ---- events of the connection */

/* The backlog is given: filters that have ended go; those of a stored session once
 * that is on disk, when they are `leaving`. */
void filters_backlog_given(struct connection *c);
void filters_remove_leaving(struct connection *c);
/* Its retained messages have been given. */
void filters_greeted(struct connection *c, struct slice filter);
/* The connection ends: leaves its groups, and removes its filters unless they are
 * many. The others stay in the index until filters_forget() removes them, at most
 * *filters at a time, which it counts down: then it is true. */
void filters_leave(struct connection *c);
bool filters_forget(struct connection *c, size_t *filters);

#endif
