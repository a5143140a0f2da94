/* MQTT 5 properties of the link, both ways: the names of base/vocabulary.h on
 * one side, libmosquitto's lists on the other. Pure. */
#ifndef CONFAB_BRIDGE_LINK_LINK_PROPERTIES_H
#define CONFAB_BRIDGE_LINK_LINK_PROPERTIES_H

#include <mosquitto.h>

#include "bridge/link/link.h"

/* CONNECT: asks for stamped envelopes and receipts, and, of a broker that does not
 * know those envelopes, for bare messages and stamps. false: out of memory. The
 * caller frees
 * *ret_list with mosquitto_property_free_all(), after a failure too. */
bool link_connect_properties(mosquitto_property **ret_list);

/* The operation id of this boot's request number `counter`. */
#define LINK_OPERATION_SIZE 64
void link_operation(char ret_text[LINK_OPERATION_SIZE], const char *boot,
                    uint64_t counter);

/* Can MQTT carry it? UTF-8 without control and non-characters, ≤ 256 bytes. */
bool link_idempotency_valid(struct slice key);

/* Decimal digits only, up to 2^64 - 1. */
bool link_read_u64(const char *text, uint64_t *ret_value);

/* PUBLISH of q under operation id `operation`. false: out of memory, or q's
 * idempotency key is not a string MQTT can carry. Freed as above. */
bool link_publish_properties(const struct link_request *q,
                             const char *operation,
                             mosquitto_property **ret_list);

/* No answer yet: zeroes, nothing to free, remaining unlimited. */
void link_clear_answer(struct link_request *q);

/* PUBACK: fills in the answer of q (LINK_ANSWERED). A broker that sends no
 * PROP_STATUS has said all it will in the reason code. */
void link_read_answer(struct link_request *q, int reason_code,
                      const mosquitto_property *list);

/* An answer that never reached the broker: the request cannot be sent. */
void link_refuse(struct link_request *q, int status, const char *reason);

/* PUBLISH from the broker: id, seq and at_us, 0 where missing. */
void link_read_stamp(const mosquitto_property *list, struct link_message *m);

#endif
