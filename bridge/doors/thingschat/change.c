/* PATCH and DELETE /{token}/chat/{thing}/{id}: another payload for a message, or none any
 * more. DELETE /{token}/chat/{thing}: all messages of the thing, or those `before` an id
 * or a time. Each is a command on the link; 200 means on disk. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/flat_json.h"
#include "base/json_write.h"
#include "base/vocabulary.h"
#include "bridge/doors/access.h"
#include "bridge/doors/thingschat/body.h"
#include "bridge/doors/thingschat/reading.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/http/reads.h"
#include "store/command.h"
#include "store/command/message.h"
#include "store/command/thing.h"

#define DEADLINE_US INT64_C(10000000)
#define IDEMPOTENCY_KEY_MAX 256
#define ID_DIGITS_MAX 19 /* always fit into 64 bits */
#define NO_MESSAGE "there is no such message (any more)"
#define NO_THING "there is no such thing: nothing to remove"
#define BODY_MAX (16U * 1024 * 1024)

struct change_call {
    struct call *call;
    struct access access;
    size_t payload_max; /* PATCH */
    struct body body;
    struct buffer command;
    struct link_request request;
    uint64_t id; /* of the message; 0: of none in particular */
    struct slice idempotency;
    size_t topic_len;
    char topic[TOKEN_MAX + 1 + THING_MAX];
};

static void change_release(void *own)
{
    struct change_call *x = own;

    body_release(&x->body);
    buffer_release(&x->command);
    free(x->request.result);
    free(x);
}

static struct change_call *change_new(struct call *c)
{
    struct change_call *x = calloc(1, sizeof(*x));

    if (x == NULL)
        return NULL;
    x->call = c;
    c->own = x;
    c->release = change_release;
    return x;
}

size_t chat_patch_body_max(struct call *c)
{
    struct change_call *x = change_new(c);

    if (x == NULL)
        return 0;
    access_look_up_now(c, &x->access);
    if (x->access.state != ACCESS_GRANTED)
        return 0;
    access_writes_left(c, &x->access);
    const uint64_t most = x->access.plan->payload_max;
    const bool is_plans = most != 0 && most <= BODY_MAX;
    x->payload_max = is_plans ? (size_t)most : BODY_MAX;
    x->body.limit = is_plans ? NULL : "that a request may have";
    return body_room(c, x->payload_max);
}

/* ---- the answer ----------------------------------------------------------- */

static void answer_failed(struct call *c, const struct link_request *a)
{
    if (a->outcome == LINK_AWAY || a->outcome == LINK_FULL) {
        http_add_header(c->q, "Retry-After", "1");
        answer_error(c, 503, "%s", not_sent_text(a->outcome));
        return;
    }
    if (a->outcome == LINK_TIMEOUT) {
        answer_error(c, 504,
                     "no answer from the broker in time: it may or may not be "
                     "done (send an Idempotency-Key to retry safely)");
        return;
    }
    if (a->status == 429) {
        c->remaining = 0;
        http_add_header_u64(c->q, "Retry-After",
                            a->retry_after_s > 0 ? a->retry_after_s : 1);
    } else if (a->status == 503 || a->status == 507) {
        http_add_header(c->q, "Retry-After", "5");
    }
    const struct change_call *x = a->owner;
    if (a->status == 404)
        answer_error(c, 404, "%s", x->id != 0 ? NO_MESSAGE : NO_THING);
    else
        answer_error(c,
                     a->status >= 400 && a->status <= 599 ? (unsigned)a->status
                                                          : 500,
                     "%s", a->reason[0] != '\0' ? a->reason : "refused");
}

/* A change of one message has counted as a write. */
static void put_message_answer(struct change_call *x, struct json_writer *w)
{
    struct call *c = x->call;

    json_member_u64(w, "id", x->id);
    json_member_u64(w, "changeId", x->request.id);
    if (!x->request.repeated && c->remaining != UINT64_MAX && c->remaining > 0)
        c->remaining--;
}

static void put_purge_answer(const struct change_call *x,
                             struct json_writer *w)
{
    const struct slice result =
        slice_of(x->request.result, x->request.result_len);
    struct slice removed = slice_str("0");

    (void)flat_json_member(result, "removed", &removed);
    json_name(w, "removed");
    json_raw_begin(w);
    buffer_put_slice(w->out, removed);
    json_raw_end(w);
}

/* Link's thread. */
static void on_answer(struct link_request *a)
{
    struct change_call *x = a->owner;
    struct call *c = x->call;
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);

    if (a->outcome != LINK_ANSWERED || a->status != 200) {
        answer_failed(c, a);
    } else {
        json_object(&w);
        json_member_text(&w, "status", "ok");
        if (x->id != 0)
            put_message_answer(x, &w);
        else
            put_purge_answer(x, &w);
        json_object_end(&w);
        answer_json(c, 200, &body);
    }
    http_resume(c->q);
}

/* ---- sending -------------------------------------------------------------- */

static enum http_next send_command(struct change_call *x, const char *topic,
                                   struct command *command)
{
    struct call *c = x->call;

    command->idempotency = x->idempotency;
    command_encode(&x->command, command);
    if (!buffer_ok(&x->command))
        return answer_error(c, 500, "out of memory");
    x->request = (struct link_request){
        .topic = slice_str(topic),
        .payload = buffer_slice(&x->command),
        .deadline_us = clock_mono_us() + DEADLINE_US,
        .done = on_answer,
        .owner = x,
    };
    http_suspend(c->q);
    if (!link_publish(c->front->link, &x->request))
        on_answer(&x->request);
    return HTTP_SUSPENDED;
}

static enum http_next send_change(struct change_call *x, const char *topic,
                                  enum command_kind kind, struct message *m)
{
    struct call *c = x->call;
    struct message_change args = {0};
    struct command command = {.kind = kind, .args = &args, .message = m};

    if (x->access.plan->reads_per_hour != 0)
        args.window_start_us =
            reads_window(c->front->reads, c->arguments[0], clock_real_us());
    m->topic = slice_of(x->topic, x->topic_len);
    m->about = x->id;
    m->changed_by = c->caller.user;
    return send_command(x, topic, &command);
}

/* ---- reading the request --------------------------------------------------- */

static bool read_idempotency_key(struct change_call *x)
{
    if (!http_header(x->call->q, "Idempotency-Key", &x->idempotency))
        return true;
    if (x->idempotency.len <= IDEMPOTENCY_KEY_MAX)
        return true;
    answer_error(x->call, 400, "Idempotency-Key: at most 256 bytes");
    return false;
}

static bool read_id(struct slice text, uint64_t *ret)
{
    const char *p = text.data;
    uint64_t id = 0;

    if (text.len == 0 || text.len > ID_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        id = id * 10 + (uint64_t)(p[i] - '0');
    }
    *ret = id;
    return id != 0;
}

/* 0 and what is too great are no ids, but no other paths either. */
static bool is_number(struct slice text)
{
    const char *p = text.data;
    size_t digits = 0;

    while (digits < text.len && p[digits] >= '0' && p[digits] <= '9')
        digits++;
    return text.len > 0 && digits == text.len;
}

/* Who, and of which thing. false: answered. */
static bool read_thing(struct change_call *x)
{
    struct call *c = x->call;
    const struct slice token = c->arguments[0], thing = c->arguments[1];

    access_look_up_now(c, &x->access); /* a body may have taken minutes */
    if (access_refused(c, &x->access))
        return false;
    access_writes_left(c, &x->access);
    if (!thing_valid(thing)) {
        answer_error(c, 400,
                     "thing: 1 to 256 bytes of UTF-8 without control "
                     "characters, + or #, without empty levels, not "
                     "starting with $");
        return false;
    }
    if (caller_refused(c, CALLER_MANAGE, thing) || query_refused(c) ||
        !read_idempotency_key(x))
        return false;
    memcpy(x->topic, token.data, token.len);
    x->topic[token.len] = '/';
    memcpy(x->topic + token.len + 1, thing.data, thing.len);
    x->topic_len = token.len + 1 + thing.len;
    return true;
}

/* … and of which message. false: answered. */
static bool read_message(struct change_call *x)
{
    if (!read_thing(x))
        return false;
    if (read_id(x->call->arguments[2], &x->id))
        return true;
    answer_error(x->call, 404, "%s",
                 is_number(x->call->arguments[2])
                     ? NO_MESSAGE
                     : "no such path: a message is named by its id, a number");
    return false;
}

enum http_next chat_patch(struct call *c)
{
    struct change_call *x = c->own;
    struct message m = {.kind = MESSAGE_EDIT, .payload_class = PAYLOAD_JSON};

    if (x == NULL)
        return answer_error(c, 500, "out of memory");
    if (!read_message(x) ||
        !body_read(c, x->payload_max, &x->body, &m.payload))
        return HTTP_ANSWERED;
    return send_change(x, COMMAND_PREFIX "message_edit", COMMAND_EDIT, &m);
}

enum http_next chat_delete(struct call *c)
{
    struct change_call *x = change_new(c);
    struct message m = {.kind = MESSAGE_DELETE, .payload_class = PAYLOAD_TEXT};

    if (x == NULL)
        return answer_error(c, 500, "out of memory");
    if (!read_message(x))
        return HTTP_ANSWERED;
    return send_change(x, COMMAND_PREFIX "message_delete", COMMAND_DELETE, &m);
}

/* ---- purges ---------------------------------------------------------------- */

/* The id of the first message that is not older than that; if all are, the one behind the
 * last. */
static enum store_err first_since(struct change_call *x, int64_t at_us,
                                  uint64_t *ret_id)
{
    const struct slice topic = slice_of(x->topic, x->topic_len);
    struct history h = {.topic = topic, .ascending = true, .since_us = at_us};
    struct store_reader *r;
    struct record record;
    struct thing_row row;

    enum store_err err = store_snapshot(x->call->front->store, &r);
    if (err != STORE_OK)
        return err;
    err = store_thing(r, topic, &row);
    if (err == STORE_OK) {
        *ret_id = row.last_id + 1;
        err = store_history_next(r, &h, &record);
        if (err == STORE_OK)
            *ret_id = record.m.id;
        else if (err == STORE_NOTFOUND)
            err = STORE_OK;
    }
    store_reader_release(r);
    return err;
}

/* Whether a message may have it: a time in milliseconds is far above. */
static bool id_was_given(struct change_call *x, uint64_t id)
{
    struct store_reader *r;

    if (store_snapshot(x->call->front->store, &r) != STORE_OK)
        return true; /* the command meets the same store, and says so */
    const uint64_t head = store_head(r);
    store_reader_release(r);
    return id <= head + 1;
}

/* `before`: an id, or a time that is not digits alone. false: answered. */
static bool read_before(struct change_call *x, uint64_t *ret_before)
{
    struct call *c = x->call;
    char text[64];
    int64_t at_us;
    const int there = query_text(c, "before", text, sizeof(text));

    *ret_before = 0;
    if (there <= 0)
        return there == 0;
    if (read_id(slice_str(text), ret_before)) {
        if (id_was_given(x, *ret_before))
            return true;
        answer_error(c, 400,
                     "before: no message has this id yet; a time is written "
                     "like 2026-11-30T12:00:00Z");
        return false;
    }
    if (strspn(text, "0123456789") == strlen(text)) {
        answer_error(c, 400,
                     "before: must be the id of a message, or a time like "
                     "2026-11-30T12:00:00Z");
        return false;
    }
    if (query_time(c, "before", &at_us) != 1)
        return false;
    switch (first_since(x, at_us, ret_before)) {
    case STORE_OK: return true;
    case STORE_NOTFOUND: answer_error(c, 404, NO_THING); return false;
    default:
        http_add_header(c->q, "Retry-After", "1");
        answer_error(c, 503, "the store cannot be read: retry later");
        return false;
    }
}

enum http_next chat_purge(struct call *c)
{
    struct change_call *x = change_new(c);
    struct thing_purge args = {.tell = true};
    struct command command = {.kind = COMMAND_THING_PURGE, .args = &args};

    if (x == NULL)
        return answer_error(c, 500, "out of memory");
    if (!read_thing(x) || !read_before(x, &args.before))
        return HTTP_ANSWERED;
    args.topic = slice_of(x->topic, x->topic_len);
    args.changed_by = c->caller.user;
    return send_command(x, COMMAND_PREFIX "thing_purge", &command);
}
