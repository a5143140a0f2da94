/* A store in a scratch folder with a running writer, for the tests of
 * store/write/writer.h: commands sent and waited for, batches kept, the clock owned.
 *
 * Threads: everything here is called by the test's thread. */
#ifndef CONFAB_TEST_UNIT_STORE_WRITING_H
#define CONFAB_TEST_UNIT_STORE_WRITING_H

#include <pthread.h>
#include <semaphore.h>

#include "store/command/ban.h"
#include "store/command/key.h"
#include "store/command/message.h"
#include "store/command/people.h"
#include "store/command/tenant.h"
#include "store/command/thing.h"
#include "store/command/token.h"
#include "store/command/webhook.h"
#include "store/env/env.h"
#include "store/write/writer.h"

/* What a batch offered, in order. */
struct offered {
    uint64_t id, seq;
    int64_t at_us;
    uint8_t kind;
    char topic[96];
    unsigned batch; /* number of the batch, from 1 */
};

struct writing {
    char dir[64];
    struct config config;
    uint64_t map_size;  /* 0: the default */
    size_t queue_bound; /* of a writer started from now on; 0: the default */
    /* Of a writer started from now on; gets this struct; NULL: none. */
    void (*on_entry)(void *arg, const struct admission *in,
                     const struct command *c);
    struct store *store;
    struct writer *writer;
    pthread_mutex_t mutex; /* of what follows; the writer's thread fills it */
    struct offered *offered;
    size_t offered_count, offered_room;
    unsigned batches;
    uint64_t head; /* as the last batch said */
};

/* Fails the test when anything does. Access is open; plans are the defaults,
 * and one token may have the whole store. */
void writing_open(struct writing *w, uint64_t map_size);
void writing_stop(
    struct writing
        *w); /* the writer and the store, not the folder; again: nothing */
void writing_start(struct writing *w);
void writing_restart(struct writing *w);
void writing_close(struct writing *w); /* and removes the folder */

/* The writer's clock, µs since 1970; begins at TEST_EPOCH in writing_open(). */
#define TEST_EPOCH INT64_C(1800000000000000)
#define SECOND INT64_C(1000000)
void clock_set(int64_t now_us);
void clock_advance(int64_t us);
int64_t clock_now(void);

/* Retention is looked at by the writer whenever it likes: stop it before changing
 * that, and start it afterwards. */
struct plan *writing_plan(struct writing *w, const char *name);

/* A command, its message and the waiting for it. */
struct sent {
    struct command
        c; /* with zeroed arguments of its own, unless they are set to
                         somebody else's */
    void *args;
    sem_t done;
};
#define ARGS(s, type) ((struct type *)(s)->c.args)

/* Each is the whole of a command, ready to be submitted; sent_free() it. */
struct sent *new_append(const char *topic, const char *payload);
struct sent *new_append_bytes(const char *topic, const void *payload,
                              size_t len, bool retain);
/* Makes it one of that user. */
void set_sender(struct sent *append, const char *user);
struct sent *new_event(const char *topic);
/* Of the message with that id; EDIT or DELETE. */
struct sent *new_change(enum message_kind kind, const char *topic, uint64_t id,
                        const char *payload);
/* One that tells readers; before 0: of all messages. */
struct sent *new_purge(const char *topic, uint64_t before);
struct sent *new_command(enum command_kind kind);
void sent_free(struct sent *s);

void submit(struct writing *w, struct sent *s);
void wait_for(struct sent *s);
/* Both, and frees it: the common results are in the copy. */
struct command run(struct writing *w, struct sent *s);
struct command append(struct writing *w, const char *topic,
                      const char *payload);
struct command append_retained(struct writing *w, const char *topic,
                               const char *payload);
struct command create_token(struct writing *w, const char *token,
                            const char *plan);
struct command revoke_token(struct writing *w, const char *token);
struct command trim(struct writing *w, const char *topic, uint64_t through);
struct command ping(struct writing *w);
struct command tell_usage(struct writing *w, const char *token,
                          int64_t start_us, uint64_t reads);

/* The writer's thread waits in a command until it is let go; what is submitted
 * meanwhile stays in its queue, where that command has its place, too. */
struct hold {
    struct sent *command;
    sem_t reached, over;
};
void writer_hold(struct writing *w, struct hold *h);
void writer_let_go(struct hold *h);
void hold_release(struct hold *h); /* once something later was answered */

/* Submits all while the writer is held, so that they are one group, and waits
 * for all. They stay the caller's. */
void run_together(struct writing *w, struct sent *const *all, size_t n);

struct writer_stats stats_of(struct writing *w);
struct usage_row usage_of(struct writing *w, const char *token);
/* false: no such row. ret_row->topic is not to be used. */
bool thing_of(struct writing *w, const char *topic, struct thing_row *ret_row);

/* Rows of a database by its name in store/format/schema.h. */
#define ROWS_IN(w, database) rows_in(w, offsetof(struct schema, database))
uint64_t rows_in(struct writing *w, size_t offset_in_schema);

/* Waits until hidden entries are deleted; fails the test after 10 s. */
void wait_for_leftovers(struct writing *w);

/* Reads the whole store and fails the test unless everything holds that
 * store/format/schema.h promises: seqs gapless, ids growing, times not decreasing,
 * counts and bytes exact per thing, what tokens hold (recount.h), nothing in `log` that no
 * thing has (unless `trims` has rows). Returns the number of messages. */
uint64_t check_store(struct writing *w);

#define assert_result(c, name)                                                \
    assert_string_equal(result_name((c).result), #name)
const char *result_name(enum command_result r);

#endif
