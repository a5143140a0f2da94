/* A store in a folder of its own, and the smallest writer that keeps what
 * store/format/schema.h promises: one transaction at a time, opened by the first
 * change, committed by fixture_commit(). Anything unexpected fails the test. */
#ifndef CONFAB_TEST_UNIT_STORE_STORE_FIXTURE_H
#define CONFAB_TEST_UNIT_STORE_STORE_FIXTURE_H

#include "store/env/env.h"

struct fixture {
    char dir[64]; /* the store's folder, inside a temporary one */
    struct store *store;
    struct store_reader *reader;
    MDB_txn *txn;  /* NULL: nothing changed since the last commit */
    uint64_t head; /* last id given, also in the open transaction */
};

/* A fresh store with a soft limit of 16 MiB. In two steps for tests that fork()
 * in between: first only the folder's name and place. */
void fixture_open(struct fixture *f);
void fixture_place(struct fixture *f);
void fixture_start(struct fixture *f);
void fixture_reopen(struct fixture *f, const struct store_opts *opts);
void fixture_close(struct fixture *f); /* and removes the folder */

/* Payload "p<id>"; the id is returned. Ids grow by one; see fixture_skip. */
uint64_t fixture_append(struct fixture *f, const char *topic, int64_t at_us);
uint64_t fixture_put(struct fixture *f, const struct message *m);
void fixture_skip(struct fixture *f, uint64_t ids); /* leaves ids out */
void fixture_retain(struct fixture *f, const char *topic, uint64_t id);

/* Hides a topic's messages up to `through`; `erase` also deletes what they
 * leave in log and chunks, else the topic waits in `trims`. */
void fixture_trim(struct fixture *f, const char *topic, uint64_t through,
                  bool erase);

void fixture_commit(struct fixture *f);
/* Commits, and gives the reader a snapshot of it. */
struct store_reader *fixture_look(struct fixture *f);

#endif
