/* Who has published what, and what every reader must still see: the part that
 * makes a run fail when a message is lost, doubled, reordered or changed.
 *
 * A source is one publishing connection; its messages are numbered from 0. The
 * server owes order per source, so a reader knows exactly which number comes
 * next from each source; anything else ends the program.
 *
 * Threads: one. */
#ifndef CONFAB_BENCHMARKS_LOAD_LEDGER_H
#define CONFAB_BENCHMARKS_LOAD_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "benchmarks/measure/histogram.h"
#include "benchmarks/wire/payload.h"

struct ledger_shape {
    unsigned sources;
    unsigned window; /* messages of one source under way at most */
    unsigned wider;  /* so many of the first sources may have one more: a
                        window of 64 over 10 sources */
    unsigned things;
    bool rotate;   /* a source publishes to all things in turn, else to the one
                      of its own number (modulo things) */
    bool answered; /* every message gets an answer: HTTP response or PUBACK */
    bool await_deliveries; /* a message is under way until all readers have it;
                              else until it is answered */
    size_t payload_size;
};

struct source_book {
    uint32_t published; /* number of its next message */
    uint32_t answered;  /* number of the next message to be answered */
};

/* A place in a source's window. */
struct slot {
    uint32_t awaited; /* deliveries and answers that free it */
    int64_t sent_ns;
};

struct ledger {
    struct ledger_shape shape;
    struct payload_format format;
    struct source_book *sources;
    struct slot *slots;   /* window + 1 of them for each source */
    unsigned *readers_on; /* for each thing */

    uint64_t published;
    uint64_t answers;
    uint64_t deliveries;
    uint64_t deliveries_owed; /* of all published so far */
    int64_t progress_ns;      /* since when the next arrival is awaited */
    struct histogram answer_latency;
    struct histogram delivery_latency;
};

/* Per reader. */
struct reader_book {
    unsigned thing;
    uint32_t *next; /* for each source that publishes on the thing the number
                       that must come next */
};

void ledger_init(struct ledger *l, const struct ledger_shape *shape);

/* Before the first publish. The reader follows `thing` alone. */
void ledger_add_reader(struct ledger *l, struct reader_book *b,
                       unsigned thing);

/* May the source publish its next message, and on which thing? */
bool ledger_may_publish(const struct ledger *l, unsigned source);
unsigned ledger_thing(const struct ledger *l, unsigned source);

/* Notes the source's next message as sent at `sent_ns` and returns its
 * payload (payload_size bytes, valid until the next call). */
const char *ledger_publish(struct ledger *l, unsigned source, int64_t sent_ns);

/* The oldest unanswered message of the source was acknowledged. */
void ledger_answer(struct ledger *l, unsigned source, int64_t now_ns);

/* A reader got `text` of `len` bytes. */
void ledger_deliver(struct ledger *l, struct reader_book *b, const char *text,
                    size_t len, int64_t now_ns);

/* Everything published was answered and delivered to all. */
bool ledger_settled(const struct ledger *l);

/* Ends the program with what is missing. */
void ledger_give_up(const struct ledger *l) __attribute__((noreturn));

#endif
