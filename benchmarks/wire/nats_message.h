/* As much of the NATS client protocol as measuring takes. Pure: bytes in,
 * fields out. https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
#ifndef CONFAB_BENCHMARKS_WIRE_NATS_MESSAGE_H
#define CONFAB_BENCHMARKS_WIRE_NATS_MESSAGE_H

#include "benchmarks/wire/bytes.h"

enum nats_type {
    NATS_INFO,
    NATS_MSG, /* HMSG, too */
    NATS_PING,
    NATS_PONG,
    NATS_OK,
    NATS_ERR
};

struct nats_text {
    const char *at; /* borrowed from the bytes parsed */
    size_t len;
};

struct nats_message {
    enum nats_type type;
    /* of a MSG */
    struct nats_text subject;
    size_t sid;               /* number of the subscription */
    struct nats_text reply;   /* empty: none */
    struct nats_text headers; /* with the NATS/1.0 line; empty: none */
    struct nats_text payload;
    /* of an -ERR: what it says; of INFO: the JSON */
    struct nats_text rest;
    size_t total; /* where the next one begins */
};

/* The message at the beginning of `data`: 1 found, 0 more bytes needed, -1 not
 * the protocol. */
int nats_message_next(const char *data, size_t len,
                      struct nats_message *ret_m);

/* Append one message. CONNECT asks for headers and for no +OK. */
void nats_put_connect(struct bytes *to);
void nats_put_subscribe(struct bytes *to, const char *subject, unsigned sid);
/* `reply` may be empty. */
void nats_put_publish(struct bytes *to, struct nats_text subject,
                      struct nats_text reply, const char *payload, size_t len);

static inline struct nats_text nats_text(const char *s)
{
    return (struct nats_text){s, strlen(s)};
}

#endif
