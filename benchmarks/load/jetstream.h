/* NATS's log: streams, publishers whose messages are acknowledged, readers
 * from the beginning. What the JetStream API refuses ends the program.
 * https://docs.nats.io/reference/reference-protocols/nats_api_reference */
#ifndef CONFAB_BENCHMARKS_LOAD_JETSTREAM_H
#define CONFAB_BENCHMARKS_LOAD_JETSTREAM_H

#include "benchmarks/load/ledger.h"
#include "benchmarks/load/nats_client.h"

/* Makes a stream in files, one replica, of everything below `name`. */
void jetstream_create(struct loop *l, const struct sockaddr_in *to,
                      const char *name);

/* Publishes; acknowledgements must come in order and number upwards. */
struct jetstream_publisher {
    struct nats_client client;
    char inbox[48];
    uint64_t sent, acknowledged;
    uint64_t last_seq; /* in the stream */
    void (*on_acknowledged)(struct jetstream_publisher *p, int64_t now_ns);
    void *owner;  /* the user's, untouched */
    unsigned tag; /* likewise */
};

/* Sets everything but on_acknowledged, owner and tag, which are the caller's.
 */
void jetstream_publisher_open(struct jetstream_publisher *p, struct loop *l,
                              const struct sockaddr_in *to, unsigned number);
/* Leaves with the end of the loop's turn. */
void jetstream_publish(struct jetstream_publisher *p, const char *subject,
                       const char *payload, size_t len);

/* Reads a stream from the beginning as an ordered consumer does: pushed, with
 * flow control, without acknowledgements. Hands messages to the ledger. */
struct jetstream_reader {
    struct nats_client client;
    struct ledger *ledger;
    struct reader_book book; /* the caller's to prepare */
};

/* `ledger` is borrowed for good. */
void jetstream_reader_open(struct jetstream_reader *r, struct loop *l,
                           const struct sockaddr_in *to, const char *stream,
                           struct ledger *ledger);

#endif
