/* The member's side of a shared subscription: a connection's membership in a
 * group, and the messages that the group's owner gives it. See share.h.
 *
 * Life:     from SUBSCRIBE until the owner has sent LEFT and every message
 *           in flight is settled or returned; so it may outlive its
 *           connection.
 * Threads:  the connection's worker. */
#ifndef CONFAB_BROKER_SHARE_SHARE_MEMBER_H
#define CONFAB_BROKER_SHARE_SHARE_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/subscription_index.h"
#include "broker/share/share.h"

struct connection;
struct inflight_entry;
struct message;

/* Joins the group of `filter`, a valid `$share/…`, with the options in `s`;
 * a new group begins at s->since_id. The answer comes in a later turn; until
 * then the connection is `joining` and not read from. NULL: out of memory. */
struct share_member *share_member_new(struct connection *c,
                                      struct slice filter,
                                      const struct subscriber *s);
/* The granted options; may be changed. */
struct subscriber *share_member_options(struct share_member *m);
/* Whether it is in the group: false while joining, and if joining failed. */
bool share_member_is_good(const struct share_member *m);
/* It accepts no more messages; those in flight stay with the client
 * (MQTT-3.10.4-3). Takes `m`. */
void share_member_leave(struct share_member *m);

/* A message of a group is settled: PUBACK, PUBCOMP, or PUBREC with an error
 * (MQTT-4.8.2-6: then no other member gets it). Call it before the entry is
 * removed; it ignores entries of ordinary subscriptions. */
void share_member_settle(struct worker *w, struct inflight_entry *entry);
/* The session ends: returns its unacknowledged QoS 1 messages to the groups
 * (MQTT-4.8.2-4). Call it before the last save. */
void share_member_return_all(struct connection *c);
/* Call it after the last save: QoS 2 messages go to no other member
 * (MQTT-4.8.2-5). */
void share_member_settle_all(struct connection *c);
/* The shared subscription that sent a message in flight; borrowed while that
 * is in flight. */
struct slice share_member_filter(struct worker *w,
                                 const struct inflight_entry *entry);
/* The connection has room for messages again. */
void share_member_wake(struct connection *c);

/* ---- for share.c: letters */

void share_member_joined(struct worker *w, uint64_t handle, bool good);
/* Takes the reference. */
void share_member_take(struct worker *w, uint64_t handle, struct message *m);
void share_member_left(struct worker *w, uint64_t handle);
/* Writes pending letters. false: some found no room. */
bool share_member_write(struct worker *w);
void share_member_release(struct worker *w);

#endif
