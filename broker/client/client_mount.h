/* Topics of clients whose key has a mount (base/mount.h): full behind the packet
 * handlers, relative on the wire. A client without one costs a test of a flag in
 * each of these.
 *
 * What is made full is in the worker's buffer `mounted`, and valid until the next
 * packet.
 * Threads: the worker's. */
#ifndef CONFAB_BROKER_CLIENT_CLIENT_MOUNT_H
#define CONFAB_BROKER_CLIENT_CLIENT_MOUNT_H

#include "broker/client/connection.h"

/* Makes connection.mount of its caller's mount, if that has one. false: it names a
 * user or client id that is absent or no level, or memory is short. */
bool client_mount_begin(struct connection *c);

/* ---- what comes in */

/* Makes topic and Response Topic full. A topic that is too long becomes one that is
 * invalid. false: the Response Topic is too long. */
bool client_mount_publish(struct connection *c, struct packet_publish *p);
bool client_mount_will(struct connection *c, struct packet_will *will);
/* Of SUBSCRIBE and UNSUBSCRIBE; a filter that is too long becomes one that is
 * invalid. false: out of memory. */
bool client_mount_filters(struct connection *c, struct packet_subscribe *s);

/* ---- what goes out */

/* Whether the client can have a name for what this full filter matches. */
bool client_mount_covers(const struct connection *c, struct slice filter);

/* Lets *m be the message as this client gets it; `room` may be used for that. A
 * Response Topic that is not below the mount is left out. false: the client has no
 * name for the topic, so it is not sent. */
bool client_mount_take_off(const struct connection *c,
                           const struct message **m, struct message *room);

#endif
