/* From a client's PUBLISH to the writer, and back to its PUBACK or PUBREC.
 *
 * Acknowledgements are sent when the writer says that the message is on
 * disk, and in the order in which the PUBLISHes arrived (MQTT-4.6.0-2). So
 * answers wait in a queue per connection, including those refused without
 * asking the writer. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_H

#include <sys/queue.h>

#include "base/net/address_range.h"
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
#define PUBLISH_JUDGED_MAX 512 /* verdicts on longer topics are not cached */

/* One PUBLISH between its arrival and its acknowledgement. */
struct publish {
    struct command command; /* command.owner is this; args are `append` until
                               it is a command of another kind */
    struct message_append append;
    struct worker *worker;
    struct connection *connection; /* NULL: a will */
    STAILQ_ENTRY(publish) entry;   /* connection.unacked */
    STAILQ_ENTRY(publish) waiting; /* publish_pool.waiting, or idle */
    struct credit credit;          /* held from publish_submit() on */
    uint16_t packet_id;
    bool acknowledge; /* QoS 1 and 2: is in connection.unacked */
    uint8_t qos;      /* 2: PUBREC instead of PUBACK */
    bool answered;
    bool is_command;  /* `$confab/<command>`: its answer has a result */
    uint8_t reason;   /* if answered: enum reason for the PUBACK */
    int status;       /* if answered: the HTTP status that says the same */
    const char *text; /* static reason string, or NULL */
    char *result;     /* confab-result; freed with this */
    size_t result_len;
    /* Not NULL: no PUBACK answers it directly (another command of the
     * session, or one message of a bundle). Called with the result; frees
     * it. */
    void (*finished)(struct worker *w, struct publish *q);
    void *waiting_for; /* argument for finished() */
    void *memory;      /* what slices of `command` point to; freed with this */
    size_t memory_size;             /* of both, counted as credit */
    struct command_memory *decoded; /* the same, for a command sent as bytes */
    /* For the worker `asked`; freed with this. */
    struct client_query *question;
    struct worker *asked; /* NULL: a command for the writer */
    /* Last, because publish_new() does not clear it. */
    char operation[PUBLISH_OPERATION_MAX];
    char address[ADDRESS_RANGE_MAX]; /* likewise: of the sender */
};

/* The last verdict of auth_publish(): its topic and connection. */
struct publish_judged {
    uint64_t connection; /* connection.number; 0: no verdict */
    enum publish_verdict verdict;
    size_t topic_len;
    char topic[PUBLISH_JUDGED_MAX];
};

/* Publishes are recycled. Those that the worker has no credit for yet (wills
 * of many clients at once) wait in `waiting`; the others collect in the
 * outbox until the writer gets all of them at once. The worker's credits
 * (client/credits.h) count both. */
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
/* Handles a PUBLISH; replaces its alias by its topic. Closes the connection
 * on protocol errors. */
void publish_received(struct connection *c, struct packet_publish *p);

/* A result came back from the writer. Frees the command, or keeps it until
 * it is its turn to be acknowledged. */
void publish_finished(struct worker *w, struct command *command);
/* Credits have returned: moves waiting publishes to the outbox. */
void publish_submit_waiting(struct worker *w);

/* Hands the outbox to the writer: one lock and one wake-up for all of it,
 * and one commit. Called when a worker's turn begins and ends, and in
 * between once there is enough to give the writer an early start. */
void publish_flush(struct worker *w);
static inline void publish_flush_if_enough(struct worker *w,
                                           const struct publish_pool *p)
{
    if (p->outbox_count >= PUBLISH_OUTBOX_ENOUGH)
        publish_flush(w);
}

/* The worker that publish_ask() asked has set q->result and
 * q->command.result. Call it in that worker's thread; it must not touch q
 * afterwards. */
void publish_ask_answered(struct publish *q);

/* The delay of an MQTT 3 client over its limit is over (connection_hold()). */
void publish_hold_over(struct connection *c);

/* The connection has ended: drops what needs no answer any more. */
void publish_forget(struct connection *c);

/* ---- for those who make commands of what clients send --------------------
 * (publish_inbound.c, publish_command.c, bundle.c, publish_will.c, sessions)
 */

/* c: NULL for a will. Returns NULL if memory is short. */
struct publish *publish_new(struct worker *w, struct connection *c);
void publish_free(struct worker *w, struct publish *q);

/* The message is of somebody at that address ("192.0.2.7:1883"; empty: unknown): a room
 * may be closed to him. Others than messages of users to rooms need none. */
void publish_note_address(struct publish *q, struct slice address);

/* Submits it to the writer, or queues it until there is credit. */
void publish_submit(struct worker *w, struct publish *q);

/* Submits it to another worker, q->asked, who answers q->question. false:
 * that worker has no room for the question; nothing changed. */
bool publish_ask(struct worker *w, struct publish *q);

/* Queues it for an answer, behind what the connection published before. */
void publish_await_answer(struct connection *c, struct publish *q,
                          const struct packet_publish *p);

/* Sets status, reason and text from the writer's result, and the result text
 * if an administrator sent the command. */
void publish_take_answer(struct publish *q);

/* q was never submitted, and has its answer in status, reason, text and
 * result. Sends it in its turn, or frees q if nobody waits for it (QoS 0, or
 * the connection has ended). May close the connection. */
void publish_answered(struct worker *w, struct publish *q);

/* Sends the acknowledgements that are next in order and answered. May close
 * the connection. */
void publish_settle(struct connection *c);

#endif
