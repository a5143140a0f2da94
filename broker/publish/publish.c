#include "broker/publish/publish_private.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "broker/admin/admin.h"
#include "broker/client/inbound.h"
#include "broker/client/refusals.h"
#include "broker/publish/receipt.h"
#include "broker/wire/reason.h"

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

bool publish_pool_has_room(const struct publish_pool *p)
{
    return p->commands < WORKER_COMMANDS_MAX && p->bytes < WORKER_BYTES_MAX &&
           STAILQ_EMPTY(&p->waiting);
}

struct publish *publish_new(struct worker *w, struct connection *c)
{
    struct publish_pool *pool = &w->publishes;
    struct publish *q = STAILQ_FIRST(&pool->idle);

    if (q != NULL) {
        STAILQ_REMOVE_HEAD(&pool->idle, waiting);
        pool->idle_count--;
    } else {
        q = malloc(sizeof(*q));
        if (q == NULL)
            return NULL;
    }
    /* Not the operation, which stands last for that and has a length. */
    memset(q, 0, offsetof(struct publish, operation));
    q->connection = c;
    q->command.owner = q;
    return q;
}

void publish_free(struct worker *w, struct publish *q)
{
    struct publish_pool *pool = &w->publishes;

    message_unref(q->command.message);
    free(q->result);
    free(q->roll_call);
    free(q->memory);
    if (pool->idle_count >= IDLE_KEPT) {
        free(q);
        return;
    }
    STAILQ_INSERT_HEAD(&pool->idle, q, waiting);
    pool->idle_count++;
}

/* ---- to the writer and back --------------------------------------------- */

static struct worker *worker_of(const struct command *command)
{
    const struct publish *q = command->owner;

    return q->worker;
}

/* The writer's thread, or another worker's. The credits bound what may be in
 * the mailbox. */
static void on_done(struct command **c, size_t n)
{
    for (size_t i = 0, end; i < n; i = end) {
        struct worker *w = worker_of(c[i]);

        for (end = i + 1; end < n && worker_of(c[end]) == w; end++)
            ;
        if (!mailbox_send_all(w->results, (void *const *)(c + i), end - i))
            abort(); /* a credit was lost: no answer would ever come */
    }
}

static bool put_into_outbox(struct publish_pool *pool, struct publish *q)
{
    if (pool->commands >= WORKER_COMMANDS_MAX)
        return false;
    STAILQ_INSERT_TAIL(&pool->outbox, &q->command, entry);
    pool->outbox_count++;
    pool->commands++;
    pool->bytes += q->bytes;
    return true;
}

/* All that it keeps in memory until its result is back, properties and what its
 * command points to included. */
static size_t credits_of(const struct publish *q)
{
    const struct message *m = q->command.message;

    return sizeof(*q) + q->memory_size + (m == NULL ? 0 : message_size(m));
}

void publish_submit(struct worker *w, struct publish *q)
{
    struct publish_pool *pool = &w->publishes;
    struct connection *c = q->connection;

    q->bytes = credits_of(q);
    q->worker = w;
    q->command.done = on_done;
    if (c != NULL) {
        c->commands++;
        c->messages += q->command.message != NULL;
        c->command_bytes += q->bytes;
        q->holder = held_take_credits(c, q->bytes);
    }
    if (!STAILQ_EMPTY(&pool->waiting) || !put_into_outbox(pool, q))
        STAILQ_INSERT_TAIL(&pool->waiting, q, waiting);
}

bool publish_ask(struct worker *w, struct publish *q, struct worker *whom)
{
    struct connection *c = q->connection;

    q->bytes = credits_of(q);
    q->worker = w;
    q->command.done = on_done;
    /* It counts as a command until it is back: the mailbox has room for it, and
     * the connection and this worker wait for it. */
    if (!publish_pool_has_room(&w->publishes) ||
        !mailbox_send(whom->questions, q))
        return false;
    w->publishes.commands++;
    w->publishes.bytes += q->bytes;
    c->commands++;
    c->command_bytes += q->bytes;
    return true;
}

void publish_ask_answered(struct publish *q)
{
    struct command *command = &q->command;

    on_done(&command, 1);
}

void publish_submit_waiting(struct worker *w)
{
    struct publish_pool *pool = &w->publishes;
    struct publish *q;

    while ((q = STAILQ_FIRST(&pool->waiting)) != NULL &&
           put_into_outbox(pool, q))
        STAILQ_REMOVE_HEAD(&pool->waiting, waiting);
}

void publish_flush(struct worker *w)
{
    struct publish_pool *pool = &w->publishes;

    if (pool->outbox_count == 0)
        return;
    pool->outbox_count -=
        writer_submit_all(w->hub->writer, &pool->outbox, pool->outbox_count);
    /* Full with other workers' commands: nobody will wake us. */
    if (pool->outbox_count > 0 && pool->outbox_count == pool->commands)
        worker_again(w);
}

static uint8_t reason_of(enum command_result r)
{
    switch (r) {
    case RESULT_OK: return REASON_SUCCESS;
    case RESULT_UNKNOWN_TOKEN:
    case RESULT_REVOKED: return REASON_NOT_AUTHORIZED;
    case RESULT_TOO_LARGE:
    case RESULT_RATE:
    case RESULT_THINGS:
    case RESULT_BYTES:
    case RESULT_SESSIONS:
    case RESULT_SESSION_BYTES:
    case RESULT_SHARE:
    case RESULT_FULL:
    case RESULT_IO: return REASON_QUOTA_EXCEEDED;
    case RESULT_INVALID:
    case RESULT_NOT_FOUND:
    case RESULT_EXISTS:
    case RESULT_STOPPED: break;
    }
    return REASON_IMPLEMENTATION_SPECIFIC;
}

void publish_take_answer(struct publish *q)
{
    const struct command *command = &q->command;

    q->answered = true;
    q->status = command_status(command->result);
    q->reason = reason_of(command->result);
    if (q->reason >= 0x80)
        q->text = command_text(command->result);
    if (q->is_command)
        admin_answer(q);
}

/* A refusal MQTT 3 has no words for: the connection is all there is to say it
 * with. The client will send the message again. */
static void refuse_by_closing(struct connection *c, const struct publish *q)
{
    enum close_reason reason = CLOSE_NOT_STORED;

    if (q->reason == REASON_NOT_AUTHORIZED)
        reason = CLOSE_NOT_AUTHORIZED;
    else if (q->reason == REASON_TOPIC_NAME_INVALID)
        reason = CLOSE_TOPIC;
    connection_close(c, reason, q->text);
}

static bool is_over_rate(const struct publish *q)
{
    return q->answered && q->command.done != NULL &&
           q->command.result == RESULT_RATE;
}

/* Over the hourly limit in MQTT 3: wait for the window's end if that is near,
 * else let the client wait a while before it is sent away. */
static void hold(struct connection *c, const struct publish *q)
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
            if (is_over_rate(q))
                hold(c, q);
            else
                refuse_by_closing(c, q);
            return;
        }
        if (!receipt_send(c, q)) {
            connection_close(c, CLOSE_NO_MEMORY, NULL);
            return;
        }
        if (q->qos == 2 &&
            q->reason >= 0x80) /* §4.3.3: the id is free again */
            inbound_remove(c->inbound, q->packet_id);
        STAILQ_REMOVE_HEAD(&c->unacked, entry);
        c->unacked_count--;
        c->unacked_qos2 -= q->qos == 2;
        publish_free(c->worker, q);
    }
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

static void will_finished(struct worker *w, struct publish *q)
{
    w->wills_under_way--;
    if (q->command.result != RESULT_OK)
        counter_add(&w->counters.dropped.will, 1);
    publish_free(w, q);
}

void publish_finished(struct worker *w, struct command *command)
{
    struct publish *q = command->owner;
    struct connection *c = q->connection;

    w->publishes.commands--;
    w->publishes.bytes -= q->bytes;
    held_give_credits(w, q->holder, q->bytes);
    q->holder = NULL;
    if (c != NULL) {
        c->commands--;
        c->messages -= command->message != NULL;
        if (command->result == RESULT_OK && command->id > c->awaited_id)
            c->awaited_id = command->id;
        c->command_bytes -= q->bytes;
    }
    if (c != NULL && q->finished == NULL && command->result != RESULT_OK)
        refusal_note(c, REFUSED_PUBLISH, command_text(command->result));
    const bool was_closed = c != NULL && c->state == CONNECTION_CLOSED;
    if (q->finished != NULL) {
        q->finished(w, q);
    } else if (c == NULL) {
        will_finished(w, q);
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
            q->acknowledge = false; /* freed when it comes back */
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
                               c->plan->writes_per_hour};
        connection_close(c, CLOSE_RATE, NULL);
        return;
    }
    c->held = false;
    STAILQ_FOREACH (q, &c->unacked, entry) {
        if (!is_over_rate(q))
            continue;
        q->answered = false;
        q->command.now_us = w->real_us;
        publish_submit(w, q);
    }
}
