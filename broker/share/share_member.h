/* The member's side of a shared subscription: a connection's subscription to a
 * group, and what the group's owner gives it. See share.h.
 *
 * Life:     from SUBSCRIBE until the owner has said LEFT and everything of it
 *           that is in flight is settled or has gone back; so it may outlive
 *           its connection.
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

/* The connection joins the group of `filter`, a valid `$share/…`. The options
 * are those of `s`; s->since_id is where a group that is new begins. The answer
 * comes in a later turn: until then the connection is `joining` and not read
 * from. NULL: out of memory. */
struct share_member *share_member_new(struct connection *c,
                                      struct slice filter,
                                      const struct subscriber *s);
/* The granted options, to read and to change. */
struct subscriber *share_member_options(struct share_member *m);
/* Whether it is in the group: false while joining, and when that failed. */
bool share_member_is_good(const struct share_member *m);
/* It takes no more messages, from now on; what is in flight stays with the
 * client (MQTT-3.10.4-3). `m` is not the caller's any more. */
void share_member_leave(struct share_member *m);

/* A message of a group is settled: PUBACK, PUBCOMP, or PUBREC with an error came
 * (MQTT-4.8.2-6: with an error it goes to nobody else). Before the entry is
 * removed; entries of ordinary subscriptions are left alone. */
void share_member_settle(struct worker *w, struct inflight_entry *entry);
/* The session ends: what it has not acknowledged of QoS 1 goes back to the
 * groups (MQTT-4.8.2-4). Before its last save. */
void share_member_return_all(struct connection *c);
/* After it: QoS 2 goes to nobody else (MQTT-4.8.2-5). */
void share_member_settle_all(struct connection *c);
/* The shared subscription by which an entry in flight came; borrowed as long as
 * it is in flight. */
struct slice share_member_filter(struct worker *w,
                                 const struct inflight_entry *entry);
/* The connection has room for messages again. */
void share_member_wake(struct connection *c);

/* ---- for share.c: letters */

void share_member_joined(struct worker *w, uint64_t handle, bool good);
/* Takes the reference. */
void share_member_take(struct worker *w, uint64_t handle, struct message *m);
void share_member_left(struct worker *w, uint64_t handle);
/* Writes what is to be written; false: not all of it found room. */
bool share_member_write(struct worker *w);
void share_member_release(struct worker *w);

#endif
