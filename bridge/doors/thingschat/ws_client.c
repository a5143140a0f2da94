#include "bridge/doors/thingschat/ws_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/callers.h"
#include "base/clock.h"
#include "base/filter_shape.h"
#include "base/json.h"
#include "base/json_write.h"
#include "bridge/doors/thingschat/reading.h"
#include "bridge/doors/thingschat/ws_command.h"
#include "bridge/http/reads.h"

#define DEADLINE_US INT64_C(10000000)
/* A plan without a limit of its own is limited like the body of a POST. */
#define PAYLOAD_MAX (16U * 1024 * 1024)
#define COMMAND_ROOM 16384 /* bytes of a message in addition to a payload */

struct ws_client {
    struct front *front;
    const struct plan *plan; /* at the last follow, or at the handshake */
    struct plan own_plan;    /* that plan, if it has own limits */
    const struct caller *caller;
};

/* A message that is being stored, until its answer comes. */
struct ws_publish {
    struct stream_reply reply;
    struct link_request request;
    struct slice ref;
    char text[]; /* the request points into this */
};

/* A refusal. */
struct ws_error {
    unsigned status; /* the HTTP status */
    const char *reason;
    uint32_t retry_after_s; /* 0: left out */
};

/* One with own limits is the call's, which ends before us. */
static void keep_plan(struct ws_client *client, const struct plan *plan)
{
    client->plan = plan;
    if (plan->own == 0 || plan == &client->own_plan)
        return;
    client->own_plan = *plan;
    client->plan = &client->own_plan;
}

struct ws_client *ws_client_new(struct front *front,
                                const struct caller *caller,
                                const struct plan *plan)
{
    struct ws_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return NULL;
    client->front = front;
    keep_plan(client, plan);
    client->caller = caller_share(front->callers, caller);
    if (client->caller != NULL)
        return client;
    free(client);
    return NULL;
}

void ws_client_free(struct ws_client *client)
{
    if (client == NULL)
        return;
    caller_unref(client->caller);
    free(client);
}

static size_t payload_max(const struct ws_client *client)
{
    const uint64_t most = client->plan->payload_max;

    return most == 0 || most > PAYLOAD_MAX ? PAYLOAD_MAX : (size_t)most;
}

size_t ws_client_message_max(const struct ws_client *client)
{
    return payload_max(client) + COMMAND_ROOM;
}

static struct slice token_of(const struct ws_client *client)
{
    return client->caller->tenant;
}

/* ---- answers --------------------------------------------------------------- */

static void begin_answer(struct json_writer *w, const char *what,
                         struct slice ref)
{
    json_object(w);
    if (what[0] == 'a')
        json_member_object(w, "ack");
    else
        json_member_object(w, "error");
    if (ref.len > 0) {
        json_name(w, "ref");
        json_raw(w, ref);
    }
}

static void send_answer(struct stream *s, struct json_writer *w)
{
    json_object_end(w);
    json_object_end(w);
    if (buffer_ok(w->out))
        stream_send(s, buffer_slice(w->out));
    else
        stream_end(s,
                   STREAM_END_BUSY); /* else the client would wait for ever */
    buffer_release(w->out);
}

static void send_error(struct stream *s, struct slice ref,
                       const struct ws_error *refusal)
{
    struct buffer b = BUFFER_INIT;
    struct json_writer w = json_writer_of(&b);

    begin_answer(&w, "error", ref);
    json_member_u64(&w, "status", refusal->status);
    json_member_text(&w, "reason", refusal->reason);
    if (refusal->retry_after_s > 0)
        json_member_u64(&w, "retryAfter", refusal->retry_after_s);
    send_answer(s, &w);
}

static void send_error_text(struct stream *s, struct slice ref,
                            unsigned status, const char *reason)
{
    const struct ws_error refusal = {status, reason, status == 503 ? 1 : 0};

    send_error(s, ref, &refusal);
}

/* ---- follow and unfollow ---------------------------------------------------- */

/* Looks up the plan that the token has now: since the handshake the token may have been
 * given another (`confab token set --plan`), or the plan other limits (SIGHUP). */
static bool look_up_plan(struct ws_client *client, struct usage_row *ret_usage)
{
    const struct config *config = client->front->config;
    struct store_reader *r;
    struct token_row row;
    enum store_err err;

    *ret_usage = (struct usage_row){0};
    if (store_snapshot(client->front->store, &r) != STORE_OK)
        return false;
    err = store_token(r, token_of(client), &row);
    if (err == STORE_OK && client->caller->key.len > 0)
        client->plan = client->caller->plan; /* that of the key */
    else if (err == STORE_OK)
        client->plan = access_plan(config, &row, &client->own_plan);
    else if (err == STORE_NOTFOUND)
        client->plan = access_plan(config, NULL, &client->own_plan);
    if (client->plan->reads_per_hour != 0 &&
        store_usage(r, token_of(client), ret_usage) != STORE_OK)
        *ret_usage = (struct usage_row){0};
    store_reader_release(r);
    return err == STORE_OK || err == STORE_NOTFOUND;
}

/* Charges a follow, which costs as much as a request to listen. false: refused. */
static bool charge_follow(struct ws_client *client, struct stream *s,
                          struct slice ref)
{
    struct usage_row usage;

    if (!look_up_plan(client, &usage)) {
        send_error_text(s, ref, 503, "the store cannot be read: retry later");
        return false;
    }
    if (client->plan->reads_per_hour == 0)
        return true;
    const struct reads_answer answered =
        reads_charge(client->front->reads, token_of(client), client->plan,
                     &usage, LISTEN_COST, clock_real_us());
    if (answered.granted)
        return true;
    const struct ws_error refusal = {
        429, "hourly read limit of the token's plan reached: retry later",
        answered.retry_after_s};
    send_error(s, ref, &refusal);
    return false;
}

static void refuse_follow(struct stream *s, struct slice ref,
                          enum stream_follow_result result)
{
    switch (result) {
    case STREAM_FOLLOW_TOO_MANY:
        send_error_text(s, ref, 400, "at most 64 filters on a connection");
        break;
    case STREAM_FOLLOW_TOO_VARIED:
        send_error_text(
            s, ref, 429,
            "the open streams of this token have + at too many "
            "different combinations of levels: end some, or use # or "
            "the same combinations");
        break;
    default:
        send_error_text(s, ref, 503,
                        "out of memory, or the store cannot be read: retry "
                        "later");
    }
}

static void send_ack(struct stream *s, struct slice ref, const uint64_t *from)
{
    struct buffer b = BUFFER_INIT;
    struct json_writer w = json_writer_of(&b);

    begin_answer(&w, "ack", ref);
    if (from != NULL)
        json_member_u64(&w, "from", *from);
    send_answer(s, &w);
}

static void carry_out_follow(struct ws_client *client, struct stream *s,
                             const struct ws_command *c)
{
    uint64_t from = 0;

    for (size_t i = 0; i < c->thing_count; i++)
        if (!caller_may_below(client->caller, CALLER_SUBSCRIBE,
                              c->things[i])) {
            send_error_text(s, c->ref, 403, NO_RIGHT);
            return;
        }
    if (!charge_follow(client, s, c->ref))
        return;
    const enum stream_follow_result result =
        stream_follow(s, c->things, c->thing_count, c->has_cursor, c->cursor,
                      &from);
    if (result == STREAM_FOLLOWS) {
        send_ack(s, c->ref, &from);
        return;
    }
    reads_refund(client->front->reads, token_of(client), LISTEN_COST);
    refuse_follow(s, c->ref, result);
}

static void carry_out_unfollow(struct stream *s, const struct ws_command *c)
{
    const enum stream_follow_result result =
        stream_unfollow(s, c->things, c->thing_count);

    if (result == STREAM_FOLLOWS)
        send_ack(s, c->ref, NULL);
    else
        refuse_follow(s, c->ref, result);
}

/* ---- publish ----------------------------------------------------------------- */

static void answer_published(struct stream *s, const struct ws_publish *p)
{
    const struct link_request *a = &p->request;
    struct buffer b = BUFFER_INIT;
    struct json_writer w = json_writer_of(&b);

    begin_answer(&w, "ack", p->ref);
    json_member_u64(&w, "id", a->id);
    json_member_u64(&w, "seq", a->seq);
    json_member_time(&w, "createdAt", a->at_us);
    send_answer(s, &w);
}

static void answer_refused(struct stream *s, const struct ws_publish *p)
{
    const struct link_request *a = &p->request;
    struct ws_error refusal = {
        .status =
            a->status < 400 || a->status > 599 ? 500 : (unsigned)a->status,
        .reason = a->reason[0] != '\0' ? a->reason : "refused",
    };

    if (refusal.status == 429)
        refusal.retry_after_s = a->retry_after_s > 0 ? a->retry_after_s : 1;
    else if (refusal.status == 503 || refusal.status == 507)
        refusal.retry_after_s = 5;
    send_error(s, p->ref, &refusal);
}

/* Called in the streamer's thread. */
static void deliver_answer(struct stream_reply *r, bool is_open)
{
    struct ws_publish *p = (struct ws_publish *)r; /* its first member */
    const struct link_request *a = &p->request;
    struct stream *s = r->stream;

    if (!is_open)
        ; /* the client has gone */
    else if (a->outcome == LINK_AWAY || a->outcome == LINK_FULL)
        send_error_text(s, p->ref, 503, not_sent_text(a->outcome));
    else if (a->outcome == LINK_TIMEOUT)
        send_error_text(
            s, p->ref, 504,
            "no answer from the broker in time: the message may or "
            "may not be stored (send an idempotency_key to retry "
            "safely)");
    else if (a->status == 200)
        answer_published(s, p);
    else
        answer_refused(s, p);
    free(a->result);
    free(p);
}

/* Called in the link's thread. */
static void on_answer(struct link_request *a)
{
    struct ws_publish *p = a->owner;

    stream_reply_ready(&p->reply);
}

static struct slice copy_slice(char **at, struct slice s)
{
    const char *start = *at;

    if (s.len > 0)
        memcpy(*at, s.data, s.len);
    *at += s.len;
    return slice_of(start, s.len);
}

/* NULL: out of memory. */
static struct ws_publish *make_publish(const struct ws_client *client,
                                       const struct ws_command *c,
                                       size_t *ret_size)
{
    *ret_size = sizeof(struct ws_publish) + token_of(client).len + 1 +
                c->thing.len + c->payload.len + c->idempotency.len +
                c->ref.len;
    struct ws_publish *p = calloc(1, *ret_size);

    if (p == NULL)
        return NULL;
    char *at = p->text;
    copy_slice(&at, token_of(client));
    copy_slice(&at, slice_str("/"));
    copy_slice(&at, c->thing);
    p->request.topic = slice_of(p->text, (size_t)(at - p->text));
    p->request.payload = copy_slice(&at, c->payload);
    p->request.idempotency = copy_slice(&at, c->idempotency);
    p->ref = copy_slice(&at, c->ref);
    p->request.retain = c->retain;
    p->request.sender = client->caller->user;
    p->request.is_json = p->request.topic_checked = true;
    p->request.done = on_answer;
    p->request.owner = p;
    p->reply.deliver = deliver_answer;
    return p;
}

static void carry_out_publish(const struct ws_client *client, struct stream *s,
                              const struct ws_command *c)
{
    size_t size;

    if (!caller_may_below(client->caller, CALLER_PUBLISH, c->thing)) {
        send_error_text(s, c->ref, 403, NO_RIGHT);
        return;
    }
    if (c->payload.len > payload_max(client)) {
        send_error_text(s, c->ref, 413,
                        "payload is larger than the token's plan allows");
        return;
    }
    struct ws_publish *p = make_publish(client, c, &size);
    if (p == NULL) {
        send_error_text(s, c->ref, 503, "out of memory: retry later");
        return;
    }
    struct link_request *q = &p->request;
    if (client->plan->reads_per_hour != 0)
        q->window_start_us = reads_window(client->front->reads,
                                          token_of(client), clock_real_us());
    q->deadline_us = clock_mono_us() + DEADLINE_US;
    stream_expect(s, &p->reply, size);
    if (!link_publish(client->front->link, q))
        on_answer(q);
}

/* ---- the door ---------------------------------------------------------------- */

static void carry_out(struct ws_client *client, struct stream *s,
                      struct slice command)
{
    struct ws_command c;

    ws_command_read(&c, command);
    if (c.error != NULL)
        send_error_text(s, c.ref, 400, c.error);
    else if (c.kind == WS_FOLLOW)
        carry_out_follow(client, s, &c);
    else if (c.kind == WS_UNFOLLOW)
        carry_out_unfollow(s, &c);
    else
        carry_out_publish(client, s, &c);
    ws_command_release(&c);
}

static void on_message(void *arg, struct stream *s, struct slice message)
{
    struct ws_client *client = arg;
    struct slice command;
    size_t at = 0, count = 0;

    if (!json_check(message.data, message.len, NULL, NULL)) {
        stream_end(s, STREAM_END_BAD_DATA);
        return;
    }
    while (stream_is_open(s) && ws_next_command(message, &at, &command)) {
        if (++count > WS_COMMANDS_MAX) {
            send_error_text(
                s, slice_of(NULL, 0), 400,
                "at most 64 commands in a message: the rest was not "
                "carried out");
            return;
        }
        carry_out(client, s, command);
    }
}

static void on_end(void *arg)
{
    ws_client_free(arg);
}

const struct stream_door ws_door = {
    .received = on_message,
    .ended = on_end,
};
