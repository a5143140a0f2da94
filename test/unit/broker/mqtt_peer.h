/* The client's end of an MQTT connection, for tests of the broker: packets are
 * said and heard byte by byte, in the notation of packet_notation.h. Anything
 * unexpected fails the test. */
#ifndef CONFAB_TEST_UNIT_BROKER_MQTT_PEER_H
#define CONFAB_TEST_UNIT_BROKER_MQTT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer {
    int fd;
    /* called while waiting for bytes, unless NULL: turns a loop by hand */
    void (*meanwhile)(void *arg);
    void *arg;
};

struct peer peer_tcp(uint16_t port);
struct peer peer_unix(const char *path);
void peer_close(struct peer *p);
void peer_reset(struct peer *p); /* closes it the rude way */

void says(struct peer *p, const char *notation);
void says_bytes(struct peer *p, const void *data, size_t len);

/* Exactly these bytes come next; waits up to 5 s. */
void hears(struct peer *p, const char *notation);
/* Any bytes: `len` of them. false: the end came before. */
bool hears_bytes(struct peer *p, void *data, size_t len);
/* A whole packet of any kind; returns its first byte. `body` gets as much as
 * fits, *ret_len the full length. */
uint8_t hears_packet(struct peer *p, void *body, size_t size, size_t *ret_len);
void hears_end(struct peer *p);
/* Nothing comes for `ms`. */
void hears_nothing(struct peer *p, int ms);

#endif
