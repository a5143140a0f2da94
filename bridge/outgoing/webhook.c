#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/outgoing/webhook_private.h"

#define NAME_BYTES_MAX ((size_t)1 << 20)

void webhooks_again(struct webhooks *ws)
{
    if (ev_is_active(&ws->soon))
        return;
    ev_timer_set(&ws->soon, 0, 0);
    ev_timer_start(ws->loop, &ws->soon);
}

/* ---- things -------------------------------------------------------------- */

bool webhook_is_full(const struct webhook *w)
{
    return w->thing_count >= WEBHOOK_THINGS_MAX ||
           w->name_bytes >= NAME_BYTES_MAX;
}

static struct webhook_thing *thing_new(struct webhook *w, struct slice topic)
{
    struct webhook_thing *t = calloc(1, sizeof(*t) + topic.len);

    if (t == NULL)
        return NULL;
    t->webhook = w;
    t->topic_len = topic.len;
    if (topic.len > 0)
        memcpy(t->topic, topic.data, topic.len);
    w->thing_count++;
    w->name_bytes += topic.len;
    return t;
}

static struct webhook_thing *thing_add(struct webhook *w, struct slice topic)
{
    struct webhook_thing *t = thing_new(w, topic);

    if (t != NULL)
        HASH_ADD_KEYPTR(hh, w->things, t->topic, t->topic_len, t);
    return t;
}

/* It is in no list. */
static void thing_free(struct webhook_thing *t)
{
    struct webhook *w = t->webhook;

    if (!t->single)
        HASH_DEL(w->things, t);
    w->thing_count--;
    w->name_bytes -= t->topic_len;
    free(t);
}

/* Of the message being delivered: it was, or is given up. */
static void thing_next(struct webhook_thing *t)
{
    struct webhook *w = t->webhook;

    w->has_settled = true;
    t->failed = 0;
    t->settled = true;
    if (t->single || t->seen <= t->id)
        thing_free(t);
    else
        TAILQ_INSERT_HEAD(&w->ready, t, entry);
}

/* ---- what came of an attempt --------------------------------------------- */

static void begin_attempt(struct webhook_thing *t)
{
    TAILQ_INSERT_TAIL(&t->webhook->flying, t, entry);
    t->webhook->in_flight++;
}

/* First of all when an attempt has ended. */
static void end_attempt(struct webhook_thing *t)
{
    TAILQ_REMOVE(&t->webhook->flying, t, entry);
    t->webhook->in_flight--;
    webhooks_again(t->webhook->set);
}

static void thing_delivered(struct webhook_thing *t, int status)
{
    struct webhook *w = t->webhook;

    end_attempt(t);
    bridge_count(COUNT_WEBHOOKS_DELIVERED, 1);
    webhook_tried(w, status, "");
    if (t->single && !w->removed)
        w->set->opts.events.redelivered(w->set->opts.events.arg, w->tenant,
                                        t->id);
    thing_next(t);
}

static void thing_postponed(struct webhook_thing *t)
{
    end_attempt(t);
    TAILQ_INSERT_TAIL(&t->webhook->ready, t, entry);
}

static void tell_dead(struct webhook_thing *t, int status, const char *text)
{
    struct webhook *w = t->webhook;
    const struct webhook_dead dead = {
        .tenant = w->tenant,
        .topic = slice_of(t->topic, t->topic_len),
        .id = t->id,
        .at_us = clock_real_us(),
        .attempts = t->failed,
        .status = status,
        .text = text,
    };

    bridge_count(COUNT_WEBHOOKS_DEAD, 1);
    if (w->removed)
        return;
    w->set->opts.events.died(w->set->opts.events.arg, &dead);
}

/* One more attempt has failed. */
static void thing_retry(struct webhook_thing *t, int64_t retry_after_ms,
                        int status, const char *text)
{
    struct webhook *w = t->webhook;

    t->failed++;
    bridge_count(COUNT_WEBHOOKS_FAILED, 1);
    webhook_tried(w, status, text);
    const int64_t delay_ms =
        retry_delay_ms(&w->set->opts.retry, t->failed, retry_after_ms,
                       randombytes_random());
    if (delay_ms == RETRY_NEVER) {
        tell_dead(t, status, text);
        thing_next(t);
        return;
    }
    t->due_us = clock_mono_us() + delay_ms * 1000;
    TAILQ_INSERT_TAIL(&w->waiting, t, entry);
}

static void thing_failed(struct webhook_thing *t,
                         const struct fetch_result *result)
{
    end_attempt(t);
    thing_retry(
        t, retry_after_parse_ms(result->headers.retry_after, clock_real_us()),
        result->headers.status, result->text);
}

static void on_end(void *arg, const struct fetch_result *r)
{
    struct webhook_thing *t = arg;

    fetch_unref(t->fetch);
    t->fetch = NULL;
    if (webhook_is_delivered(r))
        thing_delivered(t, r->headers.status);
    else if (r->outcome == FETCH_STOPPED || r->outcome == FETCH_CANCELLED ||
             r->outcome == FETCH_NO_MEMORY)
        thing_postponed(t);
    else
        thing_failed(t, r);
}

/* ---- reading ------------------------------------------------------------- */

bool webhook_offer(struct webhook *w, const struct message *m)
{
    struct webhook_thing *t;

    HASH_FIND(hh, w->things, m->topic.data, m->topic.len, t);
    if (t != NULL) {
        if (m->id > t->seen)
            t->seen = m->id;
        return true;
    }
    if (webhook_is_full(w))
        return false;
    t = thing_add(w, m->topic);
    if (t == NULL)
        return false;
    t->id = t->seen = m->id;
    TAILQ_INSERT_TAIL(&w->ready, t, entry);
    return true;
}

bool webhook_add_single(struct webhook *w, uint64_t id)
{
    struct webhook_thing *t = thing_new(w, slice_of(NULL, 0));

    if (t == NULL)
        return false;
    t->single = true;
    t->id = id;
    TAILQ_INSERT_TAIL(&w->ready, t, entry);
    return true;
}

enum loaded { LOADED, LOAD_GONE, LOAD_LATER };

static enum loaded loaded_of(enum store_err err)
{
    if (err == STORE_OK)
        return LOADED;
    /* A damaged entry is gone: it will not get better. */
    return err == STORE_IO || err == STORE_NOMEM ? LOAD_LATER : LOAD_GONE;
}

static bool is_of_tenant(const struct webhook *w, struct slice topic)
{
    return topic.len > w->tenant.len &&
           memcmp(topic.data, w->tenant.data, w->tenant.len) == 0 &&
           ((const char *)topic.data)[w->tenant.len] == '/';
}

static enum loaded load_single(struct webhook_thing *t, struct store_reader *r,
                               struct record *ret_record)
{
    const enum loaded loaded = loaded_of(store_get(r, t->id, ret_record));

    return loaded == LOADED && !is_of_tenant(t->webhook, ret_record->m.topic)
               ? LOAD_GONE
               : loaded;
}

/* The thing's next message behind t->id and up to t->seen. What is above comes when
 * it is read. */
static enum loaded load_next(struct webhook_thing *t, struct store_reader *r,
                             struct record *ret_record)
{
    struct history h = {
        .topic = slice_of(t->topic, t->topic_len),
        .ascending = true,
        .after = t->id,
        .skips_deleted = true,
    };
    const enum loaded loaded =
        loaded_of(store_history_next(r, &h, ret_record));

    if (loaded != LOADED)
        return loaded;
    if (ret_record->m.id > t->seen)
        return LOAD_GONE;
    t->id = ret_record->m.id;
    t->settled = false;
    return LOADED;
}

/* The message that is to be sent; LOAD_GONE: the thing has none left. */
static enum loaded load(struct webhook_thing *t, struct store_reader *r,
                        struct record *ret_record)
{
    if (t->single)
        return load_single(t, r, ret_record);
    if (t->settled)
        return load_next(t, r, ret_record);
    const enum loaded loaded = loaded_of(store_get(r, t->id, ret_record));
    if (loaded != LOAD_GONE)
        return loaded;
    bridge_count(COUNT_WEBHOOKS_GONE, 1);
    t->failed = 0;
    return load_next(t, r, ret_record);
}

/* ---- sending ------------------------------------------------------------- */

static void thing_gone(struct webhook_thing *t)
{
    struct webhook *w = t->webhook;

    if (t->single)
        w->set->opts.events.redelivered(w->set->opts.events.arg, w->tenant,
                                        t->id);
    w->has_settled = true;
    thing_free(t);
}

/* false: no more can be sent now. */
static bool send_first(struct webhook *w, struct store_reader *r)
{
    struct webhook_thing *t = TAILQ_FIRST(&w->ready);
    struct record record;
    char text[FETCH_TEXT_MAX] = "";
    const enum loaded loaded = load(t, r, &record);

    if (loaded == LOAD_LATER)
        return false;
    TAILQ_REMOVE(&w->ready, t, entry);
    if (loaded == LOAD_GONE) {
        thing_gone(t);
        return true;
    }
    if (webhook_send(t, &record.m, on_end, text)) {
        begin_attempt(t);
        return true;
    }
    if (text[0] != '\0') {
        thing_retry(t, RETRY_AFTER_NONE, 0, text);
        return true;
    }
    TAILQ_INSERT_HEAD(&w->ready, t, entry); /* with the next tick */
    return false;
}

static void wake_due(struct webhook *w, int64_t now_us)
{
    struct webhook_thing *t, *next;

    for (t = TAILQ_FIRST(&w->waiting); t != NULL; t = next) {
        next = TAILQ_NEXT(t, entry);
        if (t->due_us > now_us)
            continue;
        TAILQ_REMOVE(&w->waiting, t, entry);
        TAILQ_INSERT_TAIL(&w->ready, t, entry);
    }
}

void webhook_send_ready(struct webhook *w, struct store_reader *r,
                        int64_t now_us)
{
    wake_due(w, now_us);
    while (w->in_flight < WEBHOOK_IN_FLIGHT_MAX && !TAILQ_EMPTY(&w->ready) &&
           send_first(w, r))
        ;
}

/* ---- life ---------------------------------------------------------------- */

static struct slice copy_slice(struct slice s)
{
    char *copy = malloc(s.len + 1);

    if (copy == NULL)
        return slice_of(NULL, 0);
    memcpy(copy, s.data, s.len);
    return slice_of(copy, s.len);
}

static void free_slice(struct slice *s, bool is_secret)
{
    if (is_secret && s->data != NULL)
        sodium_memzero((void *)s->data, s->len);
    free((void *)s->data);
    *s = slice_of(NULL, 0);
}

static void free_secrets(struct slice *secrets)
{
    for (size_t i = 0; i < SIGNATURE_SECRETS_MAX; i++)
        free_slice(&secrets[i], true);
}

static bool set_settings(struct webhook *w,
                         const struct webhook_settings *settings)
{
    struct slice secrets[SIGNATURE_SECRETS_MAX] = {{NULL, 0}};
    char *url = strdup(settings->url);
    bool ok = url != NULL;

    for (size_t i = 0; i < settings->secret_count; i++) {
        secrets[i] = copy_slice(settings->secrets[i]);
        ok &= secrets[i].data != NULL;
    }
    if (!ok) {
        free_secrets(secrets);
        free(url);
        return false;
    }
    free_secrets(w->secrets);
    free(w->url);
    w->url = url;
    memcpy(w->secrets, secrets, sizeof(secrets));
    w->secret_count = settings->secret_count;
    return true;
}

static bool add_position(struct webhook *w,
                         const struct webhook_position *position)
{
    w->read = w->told_id = position->id;
    for (size_t i = 0; i < position->behind_count; i++) {
        struct webhook_thing *t = thing_add(w, position->behind[i].topic);
        if (t == NULL)
            return false;
        t->id = position->behind[i].id;
        t->settled = true;
        t->seen = position->id;
        TAILQ_INSERT_TAIL(&w->ready, t, entry);
    }
    return true;
}

struct webhook *webhook_new(struct webhooks *ws,
                            const struct webhook_settings *settings,
                            const struct webhook_position *position)
{
    struct webhook *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->set = ws;
    TAILQ_INIT(&w->ready);
    TAILQ_INIT(&w->waiting);
    TAILQ_INIT(&w->flying);
    w->tenant = copy_slice(settings->tenant);
    if (w->tenant.data != NULL && set_settings(w, settings) &&
        add_position(w, position))
        return w;
    webhook_free(w);
    return NULL;
}

static void free_things(struct webhook_things *list)
{
    struct webhook_thing *t;

    while ((t = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, t, entry);
        thing_free(t);
    }
}

void webhook_free(struct webhook *w)
{
    free_things(&w->ready);
    free_things(&w->waiting);
    catchup_free(w->catchup);
    free_secrets(w->secrets);
    free_slice(&w->tenant, false);
    free(w->url);
    free(w);
}
