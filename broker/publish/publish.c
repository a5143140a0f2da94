#include "broker/publish/publish.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/hops.h"
#include "broker/client/inbound.h"
#include "broker/client/refusals.h"
#include "broker/client/shard.h"
#include "broker/publish/publish_command.h"
#include "broker/publish/receipt.h"
#include "broker/wire/reason.h"
#include "store/commands/codec.h"
#include "store/people.h"

#define IDLE_KEPT 4096
#define HOLD_MAX_S 30
#define SECOND_US INT64_C(1000000)

void publish_pool_init(struct publish_pool *p)
{
    *p = (struct publish_pool){0};
    STAILQ_INIT(&p->idle);
    STAILQ_INIT(&p->waiting);
    STAILQ_INIT(&p->outbox);
}

void publish_pool_release(struct publish_pool *p)
{
    struct publish *q;

    while ((q = STAILQ_FIRST(&p->idle)) != NULL) {
        STAILQ_REMOVE_HEAD(&p->idle, waiting);
        free(q);
    }
}

struct publish *publish_new(struct worker *w, struct connection *c)
{
    struct publish_pool *pool = w->publishes;
    struct publish *q = STAILQ_FIRST(&pool->idle);

    if (q != NULL) {
        STAILQ_REMOVE_HEAD(&pool->idle, waiting);
        pool->idle_count--;
    } else {
        q = malloc(sizeof(*q));
        if (q == NULL)
            return NULL;
    }
    /* Not `operation`, which is last for that reason and has a length. */
    memset(q, 0, offsetof(struct publish, operation));
    q->connection = c;
    q->command.owner = q;
    q->command.args = &q->append;
    return q;
}

void publish_free(struct worker *w, struct publish *q)
{
    struct publish_pool *pool = w->publishes;

    message_unref(q->command.message);
    free(q->result);
    free(q->question);
    free(q->memory);
    if (q->decoded != NULL)
        command_memory_free(q->decoded);
    if (pool->idle_count >= IDLE_KEPT) {
        free(q);
        return;
    }
    STAILQ_INSERT_HEAD(&pool->idle, q, waiting);
    pool->idle_count++;
}

void publish_note_address(struct publish *q, struct slice address)
{
    const struct message *m = q->command.message;
    struct slice tenant, room;

    if (m->sender.len == 0 || m->kind != MESSAGE_MESSAGE ||
        !room_of_topic(m->topic, &tenant, &room))
        return;
    q->append.address =
        slice_of(q->address, address_range(address, q->address));
}

/* ---- to the writer and back --------------------------------------------- */

static struct worker *worker_of(const struct command *command)
{
    const struct publish *q = command->owner;

    return q->worker;
}

/* Called in the writer's thread, or in another worker's. Credits bound what
 * may be in the mailbox. */
static void publish_on_done(struct command **c, size_t n)
{
    for (size_t i = 0, end; i < n; i = end) {
        struct worker *w = worker_of(c[i]);

        for (end = i + 1; end < n && worker_of(c[end]) == w; end++)
            ;
        if (!mailbox_send_all(w->results, (void *const *)(c + i), end - i))
            abort(); /* a credit was lost: no answer would ever come */
    }
}

static bool publish_put_into_outbox(struct worker *w, struct publish *q)
{
    struct publish_pool *pool = w->publishes;

    if (!credits_take_workers(&w->credits, &q->credit))
        return false;
    STAILQ_INSERT_TAIL(&pool->outbox, &q->command, entry);
    pool->outbox_count++;
    return true;
}

/* All memory it holds until its result is back, with properties and whatever
 * its command points to. */
static size_t publish_memory(const struct publish *q)
{
    const struct message *m = q->command.message;

    return sizeof(*q) + q->memory_size + (m == NULL ? 0 : message_size(m));
}

/* Takes its credits, and sets who gets its result. */
static void publish_prepare(struct worker *w, struct publish *q)
{
    q->credit = (struct credit){.bytes = publish_memory(q),
                                .is_message = q->command.message != NULL};
    q->worker = w;
    q->command.done = publish_on_done;
}

static void publish_trace_read(const struct publish *q)
{
    const struct message *m = q->command.message;

    if (m != NULL)
        hop_read(q->connection == NULL ? 0 : q->connection->number, m->topic,
                 m->payload.len, &q->command);
}

static void publish_trace_submit(const struct worker *w)
{
    const struct command *c;

    STAILQ_FOREACH (c, &w->publishes->outbox, entry)
        if (c->message != NULL)
            hop_submit(w->number, c->message->topic, c->message->payload.len,
                       c);
}

void publish_submit(struct worker *w, struct publish *q)
{
    struct publish_pool *pool = w->publishes;

    publish_prepare(w, q);
    publish_trace_read(q);
    if (q->connection != NULL)
        credits_take(q->connection, &q->credit);
    if (w->credits.waiting == 0 && publish_put_into_outbox(w, q))
        return;
    STAILQ_INSERT_TAIL(&pool->waiting, q, waiting);
    w->credits.waiting++;
}

bool publish_ask(struct worker *w, struct publish *q)
{
    publish_prepare(w, q);
    /* It counts as a command until it is answered: the mailbox has room for
     * it, and the connection and this worker wait for it. */
    if (!credits_left(&w->credits) || !mailbox_send(q->asked->questions, q))
        return false;
    (void)credits_take_workers(&w->credits, &q->credit);
    credits_take(q->connection, &q->credit);
    return true;
}

void publish_ask_answered(struct publish *q)
{
    struct command *command = &q->command;

    publish_on_done(&command, 1);
}

void publish_submit_waiting(struct worker *w)
{
    struct publish_pool *pool = w->publishes;
    struct publish *q;

    while ((q = STAILQ_FIRST(&pool->waiting)) != NULL &&
           publish_put_into_outbox(w, q)) {
        STAILQ_REMOVE_HEAD(&pool->waiting, waiting);
        w->credits.waiting--;
    }
}

void publish_flush(struct worker *w)
{
    struct publish_pool *pool = w->publishes;

    if (pool->outbox_count == 0)
        return;
    hop_submit_all(pool->outbox_count);
    if (trace_is_on())
        publish_trace_submit(w);
    pool->outbox_count -=
        writer_submit_all(w->hub->writer, &pool->outbox, pool->outbox_count);
    /* The writer's queue is full with other workers' commands, and nobody
     * will wake this one. */
    if (pool->outbox_count > 0 && pool->outbox_count == w->credits.commands)
        worker_again(w);
}

/* The MQTT reason code: not authorized, or quota exceeded. */
static uint8_t publish_reason(int status)
{
    switch (status) {
    case 200: return REASON_SUCCESS;
    case 401:
    case 403: return REASON_NOT_AUTHORIZED;
    case 413:
    case 429:
    case 507: return REASON_QUOTA_EXCEEDED;
    default: return REASON_IMPLEMENTATION_SPECIFIC;
    }
}

void publish_take_answer(struct publish *q)
{
    const struct command *command = &q->command;

    q->answered = true;
    q->status = command_status(command->result);
    q->reason = publish_reason(q->status);
    if (q->reason >= 0x80)
        q->text = command_text(command->result);
    if (q->is_command)
        q->worker->hub->commands->answer(q);
}

/* MQTT 3 cannot refuse a message, so the connection is closed. The client
 * will send the message again. */
static void publish_refuse_by_closing(struct connection *c,
                                      const struct publish *q)
{
    enum close_reason reason = CLOSE_NOT_STORED;

    if (q->reason == REASON_NOT_AUTHORIZED)
        reason = CLOSE_NOT_AUTHORIZED;
    else if (q->reason == REASON_TOPIC_NAME_INVALID)
        reason = CLOSE_TOPIC;
    connection_close(c, reason, q->text);
}

static bool publish_is_over_rate(const struct publish *q)
{
    if (!q->answered || q->command.done == NULL)
        return false;
    /* Of a room that is slower than that, only the message is refused. */
    return q->command.result == RESULT_RATE ||
           (q->command.result == RESULT_SLOW_MODE &&
            q->command.retry_after_s <= HOLD_MAX_S);
}

/* Over the hourly limit, or too fast for a room, with MQTT 3: waits for the end of the window if that
 * is near, else lets the client wait a while before disconnecting it. */
static void publish_hold(struct connection *c, const struct publish *q)
{
    if (c->leaving) {
        connection_close(c, CLOSE_RATE, NULL);
        return;
    }
    c->held_retry_s = q->command.retry_after_s;
    connection_hold(c, c->held_retry_s <= HOLD_MAX_S ? c->held_retry_s
                                                     : HOLD_MAX_S);
}

void publish_settle(struct connection *c)
{
    struct publish *q;

    while (c->state == CONNECTION_OPEN && !c->held &&
           (q = STAILQ_FIRST(&c->unacked)) != NULL && q->answered) {
        if (c->terms.version < PACKET_V5 && q->reason >= 0x80) {
            if (publish_is_over_rate(q))
                publish_hold(c, q);
            else
                publish_refuse_by_closing(c, q);
            return;
        }
        if (!receipt_send(c, q)) {
            connection_close(c, CLOSE_NO_MEMORY, NULL);
            return;
        }
        if (q->qos == 2 &&
            q->reason >= 0x80) /* §4.3.3: the id can be used again */
            inbound_remove(c->inbound, q->packet_id);
        STAILQ_REMOVE_HEAD(&c->unacked, entry);
        c->unacked_count--;
        c->unacked_qos2 -= q->qos == 2;
        publish_free(c->worker, q);
    }
}

void publish_await_answer(struct connection *c, struct publish *q,
                          const struct packet_publish *p)
{
    q->acknowledge = true;
    q->packet_id = p->packet_id;
    q->qos = p->qos;
    c->unacked_qos2 += p->qos == 2;
    STAILQ_INSERT_TAIL(&c->unacked, q, entry);
    c->unacked_count++;
}

void publish_answered(struct worker *w, struct publish *q)
{
    if (!q->acknowledge) {
        publish_free(w, q);
        return;
    }
    q->answered = true;
    publish_settle(q->connection);
}

void publish_finished(struct worker *w, struct command *command)
{
    struct publish *q = command->owner;
    struct connection *c = q->connection;

    credits_give_back(w, c, &q->credit);
    if (c != NULL && command->result == RESULT_OK &&
        command->id > c->awaited_id)
        c->awaited_id = command->id;
    if (c != NULL && q->finished == NULL && command->result != RESULT_OK)
        refusal_note(c, REFUSED_PUBLISH, command_text(command->result));
    const bool was_closed = c != NULL && c->state == CONNECTION_CLOSED;
    if (q->finished != NULL) {
        q->finished(w, q);
    } else if (!q->acknowledge) {
        if (command->result != RESULT_OK)
            counter_add(&w->counters.dropped.refused, 1);
        publish_free(w, q);
    } else {
        publish_take_answer(q);
        publish_settle(c);
    }
    if (c == NULL)
        return;
    if (was_closed && c->commands == 0)
        SLIST_INSERT_HEAD(&w->dead, c, dead);
    connection_credit(c);
}

void publish_forget(struct connection *c)
{
    struct publish *q;

    while ((q = STAILQ_FIRST(&c->unacked)) != NULL) {
        STAILQ_REMOVE_HEAD(&c->unacked, entry);
        if (q->answered)
            publish_free(c->worker, q);
        else
            q->acknowledge = false; /* freed when it is answered */
    }
    c->unacked_count = c->unacked_qos2 = 0;
}

void publish_hold_over(struct connection *c)
{
    struct worker *w = c->worker;
    struct publish *q;

    if (c->held_retry_s > HOLD_MAX_S) {
        w->throttled[c->publisher % THROTTLED_MAX] =
            (struct throttled){c->publisher,
                               w->mono_us + c->held_retry_s * SECOND_US,
                               connection_plan(c)->writes_per_hour};
        connection_close(c, CLOSE_RATE, NULL);
        return;
    }
    c->held = false;
    STAILQ_FOREACH (q, &c->unacked, entry) {
        if (!publish_is_over_rate(q))
            continue;
        q->answered = false;
        q->command.now_us = w->real_us;
        publish_submit(w, q);
    }
}
