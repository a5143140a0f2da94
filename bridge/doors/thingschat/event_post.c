/* POST /{token}/events/{thing}?kind=…: an event, which is a PUBLISH to `$events/…` on the
 * link. 200 means that it has its place among the messages and was sent to those who
 * listen; nothing is stored. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/event_topic.h"
#include "base/hops.h"
#include "base/json_write.h"
#include "base/vocabulary.h"
#include "bridge/doors/access.h"
#include "bridge/doors/thingschat/body.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/http/url.h"

#define DEADLINE_US INT64_C(10000000)
#define KIND_DEFAULT "event"

struct event_post {
    struct call *call;
    struct access access;
    struct link_request request;
    struct body body;
    size_t payload_max;
    struct buffer topic;
    char kind[EVENT_KIND_MAX + 1];
};

static void event_release(void *own)
{
    struct event_post *p = own;

    body_release(&p->body);
    buffer_release(&p->topic);
    free(p->request.result);
    free(p);
}

size_t event_body_max(struct call *c)
{
    struct event_post *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return 0;
    p->call = c;
    c->own = p;
    c->release = event_release;
    access_look_up_now(c, &p->access);
    if (p->access.state != ACCESS_GRANTED)
        return 0;
    access_writes_left(c, &p->access);
    const uint64_t most = p->access.plan->payload_max;
    const bool is_plans = most != 0 && most <= EVENT_PAYLOAD_MAX;
    p->payload_max = is_plans ? (size_t)most : EVENT_PAYLOAD_MAX;
    p->body.limit = is_plans ? NULL : "that an event may have";
    return body_room(c, p->payload_max);
}

/* Called in the link's thread. */
static void on_answer(struct link_request *a)
{
    struct event_post *p = a->owner;
    struct call *c = p->call;
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);

    hop_resume(a, a->status, a->topic, a->id, a->payload.len);
    if (a->outcome == LINK_AWAY || a->outcome == LINK_FULL) {
        http_add_header(c->q, "Retry-After", "1");
        answer_error(c, 503, "%s", not_sent_text(a->outcome));
    } else if (a->outcome == LINK_TIMEOUT) {
        answer_error(c, 504,
                     "no answer from the broker in time: the event may or "
                     "may not have been sent");
    } else if (a->status == 200) {
        json_object(&w);
        json_member_text(&w, "status", "ok");
        json_object_end(&w);
        answer_json(c, 200, &body);
    } else {
        if (a->status == 429)
            http_add_header_u64(c->q, "Retry-After",
                                a->retry_after_s > 0 ? a->retry_after_s : 1);
        answer_error(c,
                     a->status < 400 || a->status > 599 ? 500
                                                        : (unsigned)a->status,
                     "%s", a->reason[0] != '\0' ? a->reason : "refused");
    }
    http_resume(c->q);
}

static bool read_kind(struct call *c, struct event_post *p)
{
    struct slice value;
    char decoded[sizeof(p->kind) * 3];
    size_t len = 0;

    if (!url_query(http_query(c->q), "kind", &value))
        value = slice_str(KIND_DEFAULT);
    if (value.len >= sizeof(decoded) ||
        !url_decode(value, true, decoded, &len) ||
        !event_kind_valid(slice_of(decoded, len))) {
        answer_error(c, 400, "kind: must be " EVENT_KIND_TEXT);
        return false;
    }
    memcpy(p->kind, decoded, len);
    if (!event_kind_reserved(slice_of(p->kind, len)))
        return true;
    answer_error(c, 400, "kind: " EVENT_RESERVED_TEXT);
    return false;
}

/* An event may do without a payload. */
static bool read_payload(struct call *c, struct event_post *p,
                         struct slice *ret_payload)
{
    return (http_body(c->q, ret_payload) && ret_payload->len == 0) ||
           body_read(c, p->payload_max, &p->body, ret_payload);
}

/* A repeat is recognized by what its first request stored. */
static bool idempotency_refused(struct call *c)
{
    struct slice key;

    if (!http_header(c->q, "Idempotency-Key", &key))
        return false;
    answer_error(c, 400,
                 "Idempotency-Key: events are not stored, so a repeat cannot "
                 "be recognized; send them without");
    return true;
}

static bool make_topic(struct event_post *p, struct slice token,
                       struct slice thing)
{
    buffer_put_str(&p->topic, EVENTS_PREFIX);
    buffer_put_slice(&p->topic, token);
    buffer_put_char(&p->topic, '/');
    buffer_put_str(&p->topic, p->kind);
    buffer_put_char(&p->topic, '/');
    buffer_put_slice(&p->topic, thing);
    return buffer_ok(&p->topic);
}

enum http_next event_post(struct call *c)
{
    struct event_post *p = c->own;
    const struct slice token = c->arguments[0], thing = c->arguments[1];
    struct slice payload;

    if (p == NULL)
        return answer_error(c, 500, "out of memory");
    if (c->identity != NULL) /* a key may have been revoked meanwhile */
        access_look_up_now(c, &p->access);
    if (access_refused(c, &p->access))
        return HTTP_ANSWERED;
    if (!thing_valid(thing) || !name_publishable(thing))
        return answer_error(c, 400,
                            "thing: 1 to 256 bytes of UTF-8 without "
                            "control characters, non-characters, + or "
                            "#, without empty levels, not starting "
                            "with $");
    if (caller_refused(c, CALLER_PUBLISH, thing) || query_refused(c) ||
        idempotency_refused(c) || !read_kind(c, p) ||
        !read_payload(c, p, &payload))
        return HTTP_ANSWERED;
    if (!make_topic(p, token, thing))
        return answer_error(c, 500, "out of memory");

    struct link_request *q = &p->request;
    q->topic = buffer_slice(&p->topic);
    q->payload = payload;
    q->sender = c->caller.user;
    q->is_json = payload.len > 0;
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
