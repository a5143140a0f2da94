/* One HTTP GET whose answer has a message in every line, as history has with
 * `Accept: application/x-ndjson`; hands every message to the ledger. The answer
 * may come with a Content-Length or in chunks (RFC 9112 §7.1). Lines without
 * exactly one payload, ids that do not increase and an answer that ends early
 * end the program. */
#ifndef CONFAB_BENCHMARKS_LOAD_NDJSON_READER_H
#define CONFAB_BENCHMARKS_LOAD_NDJSON_READER_H

#include "benchmarks/load/ledger.h"
#include "benchmarks/load/loop.h"

struct ndjson_reader {
    struct conn conn;
    struct ledger *ledger;
    struct reader_book book; /* the caller's to prepare */
    bool past_head;
    bool chunked;
    bool ended;        /* the whole answer has arrived */
    bool in_chunk;     /* its data, else its size line comes next */
    uint64_t left;     /* bytes of the chunk, or of the answer */
    struct bytes line; /* the beginning of one that is not complete */
    size_t payload_at; /* where in the line the last payload began */
    uint64_t last_id;
};

/* `host` and `path` are copied, `ledger` is borrowed for good. */
void ndjson_reader_open(struct ndjson_reader *r, struct loop *l,
                        const struct sockaddr_in *to, const char *host,
                        const char *path, struct ledger *ledger);

#endif
