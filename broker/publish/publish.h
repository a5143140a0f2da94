/* From a client's PUBLISH to the writer and back to its PUBACK or PUBREC.
 *
 * They are sent when the writer says the message is on disk, and in the order
 * in which the PUBLISHes came (MQTT-4.6.0-2): answers wait in a queue per
 * connection, those that were refused here without asking the writer too. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_H

#include <sys/queue.h>

#include "broker/client/auth.h"
#include "broker/wire/packet.h"
#include "store/write/writer.h"

struct connection;
struct holder;
struct roll_call;
struct worker;

#define PUBLISH_OPERATION_MAX 64
#define PUBLISH_IDEMPOTENCY_MAX 256
#define PUBLISH_OUTBOX_ENOUGH 64
#define PUBLISH_JUDGED_MAX 512 /* longer topics are judged each time */

/* One PUBLISH under way. */
struct publish {
    struct command command; /* command.owner is this */
    struct worker *worker;
    struct connection *connection; /* NULL: a will */
    STAILQ_ENTRY(publish) entry;   /* connection.unacked */
    STAILQ_ENTRY(publish) waiting; /* publish_pool.waiting, or free */
    size_t bytes;          /* credits it holds, from publish_submit() on */
    struct holder *holder; /* … of whom; NULL: only of connection and worker */
    uint16_t packet_id;
    bool acknowledge; /* QoS 1 and 2: stands in connection.unacked */
    uint8_t qos;      /* 2: PUBREC instead of PUBACK */
    bool answered;
    bool is_command;  /* `$confab/<command>`: its answer has a result */
    uint8_t reason;   /* answered: enum reason for the PUBACK */
    int status;       /* answered: what HTTP would say */
    const char *text; /* static reason string, or NULL */
    char *result;     /* confab-result; freed with this */
    size_t result_len;
    /* Not NULL: not answered by a PUBACK of its own (another command of the
     * session's, or one of a bundle). Called with the result, and frees it. */
    void (*finished)(struct worker *w, struct publish *q);
    void *waiting_for; /* finished's */
    void *memory; /* what slices of `command` point into; freed with this */
    size_t memory_size;
    struct roll_call *roll_call; /* a question to a worker; freed with this */
    char operation[PUBLISH_OPERATION_MAX]; /* last: publish_new() leaves it */
};

/* The topic last judged by auth_publish(), and for whom. */
struct publish_judged {
    uint64_t connection; /* its number; 0: nothing */
    enum publish_verdict verdict;
    size_t topic_len;
    char topic[PUBLISH_JUDGED_MAX];
};

/* Publishes are kept and used again; those the worker has no credit for yet
 * (wills of many clients at once) wait here, and the others until the writer is
 * given all of them at once. */
struct publish_pool {
    STAILQ_HEAD(, publish) idle;
    STAILQ_HEAD(, publish) waiting;
    struct command_list outbox;
    size_t idle_count;
    size_t outbox_count;
    uint32_t commands; /* with the writer, or in the outbox */
    uint64_t bytes;    /* their messages */
};

void publish_pool_init(struct publish_pool *p);
void publish_pool_release(struct publish_pool *p);
/* Nothing of this worker is with the writer or waits for it. */
static inline bool publish_pool_is_quiet(const struct publish_pool *p)
{
    return p->commands == 0 && STAILQ_EMPTY(&p->waiting);
}
/* Is there room for another command? */
bool publish_pool_has_room(const struct publish_pool *p);

/* A PUBLISH came; its alias becomes its topic. Closes the connection where the
 * protocol wants that. */
void publish_received(struct connection *c, struct packet_publish *p);

/* What a will is published as, checked as its CONNECT comes: 0, or the reason
 * to refuse the CONNECT with. *ret_will: a message of the caller's, or NULL
 * when nothing is to be published. */
uint8_t publish_accept_will(struct connection *c,
                            const struct packet_will *will,
                            struct message **ret_will);
/* The will of a stored session whose connection is gone: takes `m`, and drops it
 * from the session's rows in the same transaction. false: out of memory. */
bool publish_stored_will(struct worker *w, struct message *m,
                         struct slice token, uint64_t number);
/* Publishes, or only forgets, the connection's will, if it has one. */
void publish_will(struct connection *c);
void publish_drop_will(struct connection *c);

/* A result came back from the writer; the command is freed or waits for its
 * turn to be acknowledged. */
void publish_finished(struct worker *w, struct command *command);
/* Results have made room: what waits for it goes into the outbox. */
void publish_submit_waiting(struct worker *w);

/* Gives the writer what is in the outbox: one lock and one wake-up for all, and
 * one commit. Called when a worker's turn begins and ends, and in between once
 * there is enough that the writer may begin. */
void publish_flush(struct worker *w);
static inline bool publish_should_flush(const struct publish_pool *p)
{
    return p->outbox_count >= PUBLISH_OUTBOX_ENOUGH;
}

/* The worker that was asked (publish_private.h) has its answer: q->result and
 * q->command.result. That worker's thread; q is not its own any more. */
void publish_ask_answered(struct publish *q);

/* The hold of a 3.1.1 client over its limit has ended. */
void publish_hold_over(struct connection *c);

/* The connection has ended: forgets what needs no answer any more. */
void publish_forget(struct connection *c);

#endif
