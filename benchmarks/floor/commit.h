/* The floor's one writer: takes everything that waits, stores it in one LMDB
 * transaction with default flags (two flushes), then hands the batch on.
 *
 * Threads: committer_submit() from any; `committed` runs in the writer's.
 * The queue has no bound: the load generator has one. */
#ifndef CONFAB_BENCHMARKS_FLOOR_COMMIT_H
#define CONFAB_BENCHMARKS_FLOOR_COMMIT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

struct log;
struct topic;

/* One message. Made with entry_new(), ended with free() by who has it last. */
struct floor_entry {
    STAILQ_ENTRY(floor_entry) next;
    struct topic *topic;
    void *from; /* who wants an answer; NULL: nobody (QoS 0) */
    unsigned packet_id;
    uint64_t id;        /* from here on the writer's: 1, 2, 3, ... */
    int64_t created_us; /* since 1970 */
    size_t len;
    char payload[];
};
STAILQ_HEAD(entry_list, floor_entry);

/* `payload` is copied. */
struct floor_entry *entry_new(struct topic *topic, void *from,
                              unsigned packet_id, const char *payload,
                              size_t len);

struct committer;

/* `dir`: an existing folder; NULL stores nothing and only numbers: the bare
 * send loop. `committed` takes the entries of the list it gets. */
struct committer *committer_start(const char *dir,
                                  void (*committed)(struct entry_list *batch));

/* Takes all entries; `list` is empty afterwards. */
void committer_submit(struct committer *c, struct entry_list *list);

/* What it appends to; NULL: nothing is stored. Walking is allowed. */
struct log *committer_log(const struct committer *c);

/* Finishes what waits, ends the thread, prints one line of JSON about the
 * commits to `to`. The log stays open: somebody may still walk it. */
void committer_stop(struct committer *c, FILE *to);

#endif
