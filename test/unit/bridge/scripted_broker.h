/* A broker that does what a test tells it to: one connection at a time over a
 * UNIX socket, just enough MQTT 5 for the link, in a thread of its own.
 * Failures of its own end the test program. */
#ifndef CONFAB_TEST_UNIT_BRIDGE_SCRIPTED_BROKER_H
#define CONFAB_TEST_UNIT_BRIDGE_SCRIPTED_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum scripted_answer {
    SCRIPT_ACK,    /* PUBACK with a full receipt; id counts from 1 */
    SCRIPT_IGNORE, /* say nothing */
    SCRIPT_CUT     /* close the connection instead */
};

struct scripted_broker;

/* Listens on `path`. receive_maximum 0: not announced. */
struct scripted_broker *scripted_broker_start(const char *path,
                                              uint16_t receive_maximum);
/* Announces that Maximum Packet Size to who connects from now on. */
void scripted_broker_limit_packets(struct scripted_broker *b,
                                   uint32_t packet_maximum);
void scripted_broker_stop(struct scripted_broker *b); /* frees it */

/* What to do with PUBLISHes from now on; after `times` of them (0: no end)
 * SCRIPT_ACK again. */
void scripted_broker_do(struct scripted_broker *b, enum scripted_answer answer,
                        unsigned times);
/* Closes the connection of the moment. */
void scripted_broker_cut(struct scripted_broker *b);
/* Sends a PUBLISH, QoS 0, with a stamp. */
void scripted_broker_send(struct scripted_broker *b, const char *topic,
                          const char *payload, uint64_t id);
/* The same of any payload. */
void scripted_broker_send_bytes(struct scripted_broker *b, const char *topic,
                                struct slice payload, uint64_t id);
/* PUBACKs everything ignored on this connection. */
void scripted_broker_ack_ignored(struct scripted_broker *b);

/* What arrived, one line each and in order: `connect N`, `publish TOPIC OP`,
 * `bundle TOPIC OP TOPIC OP…` (what shared a PUBLISH, all made as in link_test),
 * `subscribe FILTER`, `unsubscribe FILTER`. Waits (5 s) until there are at least
 * `lines`; the text is the caller's to free. */
char *scripted_broker_log(struct scripted_broker *b, size_t lines);

#endif
