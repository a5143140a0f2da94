/* POST /{token}/chat/{thing}: the message becomes a QoS 1 PUBLISH on the link. The
 * answer is made from its PUBACK, so 200 means on disk. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hops.h"
#include "base/json_write.h"
#include "base/net/address_range.h"
#include "bridge/doors/access.h"
#include "bridge/doors/thingschat/body.h"
#include "bridge/doors/thingschat/reading.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/http/reads.h"

#define DEADLINE_US INT64_C(10000000)
#define LOOK_UP_AGAIN_US INT64_C(500000)
#define IDEMPOTENCY_KEY_MAX 256
/* A plan without a limit of its own is still limited to what one MQTT packet and one
 * commit can reasonably carry (docs/configuration.md, payload_max). */
#define BODY_MAX (16U * 1024 * 1024)

struct post {
    struct call *call;
    struct access access;
    int64_t looked_up_us; /* monotonic */
    struct link_request request;
    struct body body;
    size_t payload_max;
    char topic[TOKEN_MAX + 1 + THING_MAX];
    char address[ADDRESS_RANGE_MAX];
};

static void post_release(void *own)
{
    struct post *p = own;

    body_release(&p->body);
    free(p->request.result);
    free(p);
}

size_t chat_body_max(struct call *c)
{
    struct post *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return 0;
    p->call = c;
    c->own = p;
    c->release = post_release;
    access_look_up_now(c, &p->access);
    p->looked_up_us = clock_mono_us();
    if (p->access.state != ACCESS_GRANTED)
        return 0;
    access_writes_left(c, &p->access);
    const uint64_t most = p->access.plan->payload_max;
    const bool is_plans = most != 0 && most <= BODY_MAX;
    p->payload_max = is_plans ? (size_t)most : BODY_MAX;
    p->body.limit = is_plans ? NULL : "that a request may have";
    return body_room(c, p->payload_max);
}

/* A body can take minutes, in which a key may have been revoked. (Whether a token was,
 * the writer knows.) */
static void look_up_again(struct call *c, struct post *p)
{
    if (c->identity != NULL &&
        clock_mono_us() - p->looked_up_us >= LOOK_UP_AGAIN_US)
        access_look_up_now(c, &p->access);
}

static bool take_idempotency_key(struct post *p)
{
    struct slice key;

    if (!http_header(p->call->q, "Idempotency-Key", &key))
        return true;
    if (key.len > IDEMPOTENCY_KEY_MAX) {
        answer_error(p->call, 400, "Idempotency-Key: at most 256 bytes");
        return false;
    }
    p->request.idempotency = key;
    return true;
}

static void answer_refused(struct call *c, const struct link_request *a)
{
    const char *reason = a->reason[0] != '\0' ? a->reason : "refused";

    if (a->status == 429)
        http_add_header_u64(c->q, "Retry-After",
                            a->retry_after_s > 0 ? a->retry_after_s : 1);
    else if (a->status == 503 || a->status == 507)
        http_add_header(c->q, "Retry-After", "5");
    answer_error(c, (unsigned)a->status, "%s", reason);
}

/* Called in the link's thread. */
static void on_answer(struct link_request *a)
{
    struct post *p = a->owner;
    struct call *c = p->call;
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);

    hop_resume(a, a->status, a->topic, a->id, a->payload.len);
    if (a->outcome == LINK_AWAY || a->outcome == LINK_FULL) {
        http_add_header(c->q, "Retry-After", "1");
        answer_error(c, 503, "%s", not_sent_text(a->outcome));
    } else if (a->outcome == LINK_TIMEOUT) {
        answer_error(c, 504,
                     "no answer from the broker in time: the message "
                     "may or may not be stored (send an "
                     "Idempotency-Key to retry safely)");
    } else if (a->status == 200) {
        c->remaining = a->remaining;
        json_object(&w);
        json_member_text(&w, "status", "ok");
        json_member_u64(&w, "id", a->id);
        json_object_end(&w);
        answer_json(c, 200, &body);
    } else {
        if (a->status == 429)
            c->remaining = 0;
        if (a->status < 400 || a->status > 599)
            a->status = 500;
        answer_refused(c, a);
    }
    http_resume(c->q);
}

enum http_next chat_post(struct call *c)
{
    struct post *p = c->own;
    const struct slice token = c->arguments[0], thing = c->arguments[1];
    struct slice payload;
    bool retain = false;

    if (p == NULL)
        return answer_error(c, 500, "out of memory");
    look_up_again(c, p);
    if (access_refused(c, &p->access))
        return HTTP_ANSWERED;
    if (!thing_valid(thing) || !name_publishable(thing))
        return answer_error(c, 400,
                            "thing: 1 to 256 bytes of UTF-8 without "
                            "control characters, non-characters, + or "
                            "#, without empty levels, not starting "
                            "with $");
    if (caller_refused(c, CALLER_PUBLISH, thing))
        return HTTP_ANSWERED;
    if (query_refused(c) || query_flag(c, "retain", &retain) < 0)
        return HTTP_ANSWERED;
    if (!body_read(c, p->payload_max, &p->body, &payload) ||
        !take_idempotency_key(p))
        return HTTP_ANSWERED;
    memcpy(p->topic, token.data, token.len);
    p->topic[token.len] = '/';
    memcpy(p->topic + token.len + 1, thing.data, thing.len);

    struct link_request *q = &p->request;
    q->topic = slice_of(p->topic, token.len + 1 + thing.len);
    q->payload = payload;
    q->sender = c->caller.user;
    if (q->sender.len > 0) /* a room may be closed to the address */
        q->address =
            slice_of(p->address,
                     address_range_of(http_client(c->q).data, p->address));
    if (p->access.plan->reads_per_hour != 0)
        q->window_start_us =
            reads_window(c->front->reads, token, clock_real_us());
    q->retain = retain;
    q->is_json = q->topic_checked = true;
    q->deadline_us = clock_mono_us() + DEADLINE_US;
    q->done = on_answer;
    q->owner = p;
    /* Suspend before sending: the answer may come before link_publish() returns. */
    http_suspend(c->q);
    hop_suspend(q, q->topic, payload.len);
    if (!link_publish(c->front->link, q))
        on_answer(q);
    return HTTP_SUSPENDED;
}
