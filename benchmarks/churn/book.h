/* What one reader has got and must still get: a line for each lane of its
 * filter. A message that is lost, doubled or out of order is an error here.
 *
 * Joining, a reader gets the messages of a lane from some number on: not older
 * than what was acknowledged when it asked, and not newer than the first one
 * sent when it was told that it follows. From there on, all. */
#ifndef CONFAB_BENCHMARKS_CHURN_BOOK_H
#define CONFAB_BENCHMARKS_CHURN_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "benchmarks/churn/lane.h"
#include "benchmarks/churn/payload.h"

struct book_line {
    uint32_t next;      /* must come next; joining: none below may come */
    uint32_t must_from; /* joining: this one and later ones must come */
    uint32_t before[2]; /* `next` one and two seconds ago, about */
    bool joining;
};

struct book {
    const char *who;          /* for errors */
    const struct lane *lanes; /* of the filter */
    unsigned first;           /* number of lanes[0] */
    unsigned count;
    struct book_line *lines; /* owned */
    bool slow;               /* may miss what retention removes */
    bool replays; /* asks for what is stored: old messages are fine */
    uint64_t taken;
};

/* For lanes[first] to lanes[first + count - 1] of all `lanes`. */
void book_init(struct book *b, const char *who, const struct lane *lanes,
               unsigned first, unsigned count);

/* The reader asks now to follow; before its first byte is sent. */
void book_ask(struct book *b, bool replays);
/* The server said that it follows: all that is sent from now on must come. A
 * replaying reader, too, gets all that was owed `kept_s` seconds ago, if that
 * is not 0. */
void book_follow(struct book *b, unsigned second, unsigned kept_s);

/* Some of what it replays has just been removed: it joins again. */
void book_gap(struct book *b, unsigned second, unsigned kept_s);

enum book_verdict { BOOK_NEW, BOOK_REPEATED, BOOK_ERROR };

/* A message came. `repeat`: which messages that came before may come again. */
enum book_repeat {
    BOOK_NEVER,
    BOOK_MARKED,       /* with DUP: the connection was cut */
    BOOK_LAST_SECONDS, /* what came right before the server was killed */
};
enum book_verdict book_take(struct book *b, const struct churn_payload *p,
                            enum book_repeat repeat, bool marked);

void book_tick(struct book *b); /* once a second while connected */

/* Has it all that is owed now? */
bool book_complete(const struct book *b);

/* Reports what was owed `patience_s` before `second` and is not there, once. */
void book_check(struct book *b, unsigned second, unsigned patience_s);

#endif
