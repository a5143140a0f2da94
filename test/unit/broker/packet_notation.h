/* MQTT packets written down so that a test can be read next to the standard.
 *
 *   hex digits   bytes; white space means nothing
 *   'text'       the characters themselves
 *   ( … )        what is inside, behind its length in two bytes
 *   [ … ]        what is inside, behind its length as Variable Byte Integer
 *
 * A CONNECT:  10[ ('MQTT') 05 02 003c [] ('client') ] */
#ifndef CONFAB_TEST_UNIT_BROKER_PACKET_NOTATION_H
#define CONFAB_TEST_UNIT_BROKER_PACKET_NOTATION_H

#include "broker/wire/packet.h"

/* Its own allocation of exactly `len` bytes, so that a sanitizer sees a read
 * past the end. */
struct packet_bytes {
    uint8_t *data;
    size_t len;
};

/* Aborts on text that is not in the notation. */
struct packet_bytes packet_write_down(const char *text);
void packet_bytes_release(struct packet_bytes *b);

/* The frame that fills `b` from end to end; fails the test without one. */
struct packet_frame packet_only_frame(const struct packet_bytes *b);

/* Terms that allow everything, and those of 3.x clients. */
extern const struct packet_terms terms_5, terms_311, terms_31;

/* A row of a table: the packet is refused with that reason. */
struct packet_refusal {
    const char *claim;
    const char *packet;
    const struct packet_terms *terms;
    uint8_t reason;
};

/* Decodes with the decoder of the packet's type; the result goes nowhere. */
bool packet_decode_any(const struct packet_frame *f,
                       const struct packet_terms *terms,
                       struct packet_error *ret_error);

/* Fails the test at the first row that is not refused, or not for its reason,
 * or with a code that may stand neither in CONNACK nor in DISCONNECT. */
void packet_check_refusals(const struct packet_refusal *rows, size_t count);

/* `s` is this text. */
void packet_check_text(struct slice s, const char *text);

#endif
