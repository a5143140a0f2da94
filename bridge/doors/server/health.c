/* GET /health. `db_writable` comes from a real write: `$confab/ping` puts a row into
 * `meta` and commits. However often /health is asked, one ping is in flight at a time
 * and its result is used for a second; requests that come meanwhile wait for it. */
#include "bridge/doors/server/health.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/version.h"
#include "base/vocabulary.h"
#include "bridge/doors/server/server.h"

#define KEPT_US INT64_C(1000000)
#define DEADLINE_US INT64_C(3000000)
#define UPTIME_SIZE 64

struct waiter {
    struct call *call;
    struct waiter *next;
};

struct health {
    struct front *front;
    pthread_mutex_t mutex;
    int64_t known_at_us; /* monotonic time of the result; 0: none yet */
    bool writable;
    bool asking;
    struct waiter *waiting;
    struct link_request request;
};

struct health *health_new(struct front *front)
{
    struct health *h = calloc(1, sizeof(*h));

    if (h != NULL) {
        h->front = front;
        pthread_mutex_init(&h->mutex, NULL);
    }
    return h;
}

void health_free(struct health *h)
{
    if (h == NULL)
        return;
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

/* `26h3m1s`, `3m1s`, `1s`. */
static void write_uptime(char text[UPTIME_SIZE], int64_t us)
{
    const long long s = us / 1000000;

    if (s >= 3600)
        snprintf(text, UPTIME_SIZE, "%lldh%lldm%llds", s / 3600, s / 60 % 60,
                 s % 60);
    else if (s >= 60)
        snprintf(text, UPTIME_SIZE, "%lldm%llds", s / 60, s % 60);
    else
        snprintf(text, UPTIME_SIZE, "%llds", s);
}

static void answer_health(struct call *c, bool writable)
{
    const bool up = link_is_up(c->front->link);
    const bool ok = up && writable;
    struct buffer b = BUFFER_INIT;
    struct json_writer w = json_writer_of(&b);
    char uptime[UPTIME_SIZE];

    write_uptime(uptime, clock_mono_us() - c->front->started_us);
    json_object(&w);
    json_member_text(&w, "status", ok ? "ok" : "unavailable");
    json_member_text(&w, "uptime", uptime);
    json_member_bool(&w, "db_writable", writable);
    json_member_text(&w, "broker", up ? "up" : "down");
    json_member_text(&w, "version", CONFAB_VERSION);
    json_object_end(&w);
    http_add_header(c->q, "Cache-Control", "no-store");
    if (!ok)
        http_add_header(c->q, "Retry-After", "1");
    answer_json(c, ok ? 200 : 503, &b);
}

/* In the link's thread; in the requester's if nothing could be sent. */
static void on_pong(struct link_request *q)
{
    struct health *h = q->owner;
    const bool writable = q->outcome == LINK_ANSWERED && q->status == 200;

    free(q->result);
    q->result = NULL;
    pthread_mutex_lock(&h->mutex);
    struct waiter *w = h->waiting;
    h->waiting = NULL;
    h->asking = false;
    h->writable = writable;
    h->known_at_us = clock_mono_us();
    pthread_mutex_unlock(&h->mutex);
    while (w != NULL) {
        struct waiter *next = w->next; /* answering frees w */
        struct call *c = w->call;
        answer_health(c, writable);
        http_resume(c->q);
        w = next;
    }
}

static void send_ping(struct health *h)
{
    h->request = (struct link_request){
        .topic = slice_str(COMMAND_PREFIX "ping"),
        .payload = slice_of("\x80", 1), /* an empty msgpack map */
        .deadline_us = clock_mono_us() + DEADLINE_US,
        .done = on_pong,
        .owner = h,
    };
    if (!link_publish(h->front->link, &h->request))
        on_pong(&h->request);
}

enum http_next health_get(struct call *c)
{
    struct health *h = c->state;
    struct waiter *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return answer_error(c, 503, "out of memory");
    c->own = w;
    w->call = c;
    pthread_mutex_lock(&h->mutex);
    if (!h->asking && h->known_at_us != 0 &&
        clock_mono_us() - h->known_at_us < KEPT_US) {
        const bool writable = h->writable;
        pthread_mutex_unlock(&h->mutex);
        answer_health(c, writable);
        return HTTP_ANSWERED;
    }
    const bool first = !h->asking;
    h->asking = true;
    w->next = h->waiting;
    h->waiting = w;
    http_suspend(c->q); /* before another thread can find it in the list */
    pthread_mutex_unlock(&h->mutex);
    if (first)
        send_ping(h);
    return HTTP_SUSPENDED;
}
