/* From a client's PUBLISH to the writer and back to its PUBACK or PUBREC.
 *
 * They are sent when the writer says the message is on disk, and in the order
 * in which the PUBLISHes came (MQTT-4.6.0-2): answers wait in a queue per
 * connection, those that were refused here without asking the writer too. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_H

#include <sys/queue.h>

#include "broker/client/auth.h"
#include "broker/client/credits.h"
#include "broker/wire/packet.h"
#include "store/command/message.h"
#include "store/write/writer.h"

struct connection;
struct client_query;
struct command_memory; /* store/commands/codec.h */
struct worker;

#define PUBLISH_OPERATION_MAX 64
#define PUBLISH_IDEMPOTENCY_MAX 256
#define PUBLISH_OUTBOX_ENOUGH 64
#define PUBLISH_JUDGED_MAX 512 /* longer topics are judged each time */

/* One PUBLISH between its arrival and its acknowledgement. */
struct publish {
    struct command command; /* command.owner is this; args are `append` until
                               it is a command of another kind */
    struct message_append append;
    struct worker *worker;
    struct connection *connection; /* NULL: a will */
    STAILQ_ENTRY(publish) entry;   /* connection.unacked */
    STAILQ_ENTRY(publish) waiting; /* publish_pool.waiting, or free */
    struct credit credit;          /* it holds, from publish_submit() on */
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
    size_t memory_size;             /* of both, counted as credit */
    struct command_memory *decoded; /* the same of a command as bytes */
    struct client_query *question; /* to the worker `asked`; freed with this */
    struct worker *asked;          /* NULL: it is the writer's command */
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
 * given all of them at once. The worker's credits (client/credits.h) count both. */
struct publish_pool {
    STAILQ_HEAD(, publish) idle;
    STAILQ_HEAD(, publish) waiting;
    struct command_list outbox;
    size_t idle_count;
    size_t outbox_count;
    struct publish_judged judged;
};

void publish_pool_init(struct publish_pool *p);
void publish_pool_release(struct publish_pool *p);
/* A PUBLISH came; its alias becomes its topic. Closes the connection where the
 * protocol wants that. */
void publish_received(struct connection *c, struct packet_publish *p);

/* A result came back from the writer; the command is freed or waits for its
 * turn to be acknowledged. */
void publish_finished(struct worker *w, struct command *command);
/* Results have made room: what waits for it goes into the outbox. */
void publish_submit_waiting(struct worker *w);

/* Gives the writer what is in the outbox: one lock and one wake-up for all, and
 * one commit. Called when a worker's turn begins and ends, and in between once
 * there is enough that the writer may begin. */
void publish_flush(struct worker *w);
static inline void publish_flush_if_enough(struct worker *w,
                                           const struct publish_pool *p)
{
    if (p->outbox_count >= PUBLISH_OUTBOX_ENOUGH)
        publish_flush(w);
}

/* The worker that was asked (publish_ask()) has its answer: q->result and
 * q->command.result. That worker's thread; q is not its own any more. */
void publish_ask_answered(struct publish *q);

/* The hold of a 3.1.1 client over its limit has ended. */
void publish_hold_over(struct connection *c);

/* The connection has ended: forgets what needs no answer any more. */
void publish_forget(struct connection *c);

/* ---- for those who make commands of what clients send --------------------
 * (publish_inbound.c, publish_command.c, bundle.c, publish_will.c, sessions)
 */

/* c: NULL for a will. NULL: out of memory. */
struct publish *publish_new(struct worker *w, struct connection *c);
void publish_free(struct worker *w, struct publish *q);

/* Hands it to the writer, or lets it wait for room there. */
void publish_submit(struct worker *w, struct publish *q);

/* The same with another worker, q->asked, who answers q->question. false: it has no
 * room for the question, nothing happened. */
bool publish_ask(struct worker *w, struct publish *q);

/* It is answered in its turn, behind what the connection published before. */
void publish_await_answer(struct connection *c, struct publish *q,
                          const struct packet_publish *p);

/* Makes status, reason and text of what the writer said to q's command, and the
 * result where it was an administrator's. */
void publish_take_answer(struct publish *q);

/* q, which was never submitted, has its answer in status, reason, text and
 * result: it is sent in its turn, or q freed where nobody waits for it (QoS 0,
 * or the connection has ended). May close the connection. */
void publish_answered(struct worker *w, struct publish *q);

/* Acknowledges what has its answer, in order; may close the connection. */
void publish_settle(struct connection *c);

#endif
