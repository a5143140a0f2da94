#include "bridge/outgoing/webhook_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/queue.h>
#include <unistd.h>

#include <sodium.h>
#include <uthash.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/topic.h"
#include "bridge/outgoing/fetcher.h"
#include "bridge/outgoing/webhooks.h"
#include "store/directory.h"

#define DIGEST_BYTES 16
#define URL_SIZE 2049 /* base/tenant_setting.c */

/* A tenant to look at or, with an id, a message that is not being sent again any more. */
struct watch_note {
    STAILQ_ENTRY(watch_note) entry;
    uint64_t id;
    size_t len;
    char tenant[TOKEN_MAX];
};
STAILQ_HEAD(watch_notes, watch_note);

/* A tenant whose webhook is on. */
struct watched_webhook {
    UT_hash_handle hh;
    unsigned char digest[DIGEST_BYTES]; /* of the settings that were put */
    uint64_t again[WATCH_AGAIN_MAX];    /* ids that are being sent again */
    size_t again_count;
    size_t len;
    char tenant[TOKEN_MAX];
};

struct webhook_watch {
    struct webhook_watch_opts opts;
    char *lock_path;
    pthread_mutex_t mutex; /* guards the next three */
    struct watch_notes notes;
    size_t note_count;
    bool all; /* everything is to be looked at */
    /* the thread that looks */
    int lock_fd; /* -1: not ours */
    bool has_complained;
    struct watched_webhook *on;
};

/* ---- noting; any thread --------------------------------------------------- */

static void free_notes(struct watch_notes *notes)
{
    struct watch_note *n;

    while ((n = STAILQ_FIRST(notes)) != NULL) {
        STAILQ_REMOVE_HEAD(notes, entry);
        free(n);
    }
}

static void need_all(struct webhook_watch *w)
{
    pthread_mutex_lock(&w->mutex);
    w->all = true;
    pthread_mutex_unlock(&w->mutex);
}

/* For the next look, in a second at most. */
static void note(struct webhook_watch *w, struct slice tenant, uint64_t id)
{
    struct watch_note *n = malloc(sizeof(*n));

    pthread_mutex_lock(&w->mutex);
    if (n == NULL || tenant.len > TOKEN_MAX ||
        w->note_count == WATCH_NOTES_MAX) {
        w->all = true;
        free(n);
    } else {
        n->id = id;
        n->len = tenant.len;
        memcpy(n->tenant, tenant.data, tenant.len);
        STAILQ_INSERT_TAIL(&w->notes, n, entry);
        w->note_count++;
    }
    pthread_mutex_unlock(&w->mutex);
}

static void wake(const struct webhook_watch *w)
{
    w->opts.wake(w->opts.arg);
}

void webhook_watch_subscribed(struct webhook_watch *w, struct slice filter)
{
    if (!slice_eq(filter, slice_str(WATCH_FILTER)))
        return;
    need_all(w);
    wake(w);
}

static bool ends_with(struct slice s, const char *end)
{
    const size_t len = strlen(end);

    return s.len >= len &&
           memcmp((const char *)s.data + s.len - len, end, len) == 0;
}

void webhook_watch_event(struct webhook_watch *w, struct slice topic)
{
    const size_t prefix = sizeof(EVENTS_PREFIX) - 1;

    if (topic.len <= prefix ||
        memcmp(topic.data, EVENTS_PREFIX, prefix) != 0 ||
        (!ends_with(topic, "/" EVENT_CHANGED "/") &&
         !ends_with(topic, "/" EVENT_REVOKED "/")))
        return;
    note(w,
         topic_first_level(
             slice_of((const char *)topic.data + prefix, topic.len - prefix)),
         0);
    wake(w);
}

void webhook_watch_outcome(struct webhook_watch *w, struct slice tenant,
                           uint64_t id)
{
    note(w, tenant, id);
    wake(w);
}

/* ---- what the store says of a tenant -------------------------------------- */

struct wanted {
    char url[URL_SIZE];
    struct webhook_settings settings; /* slices point into the map */
    unsigned char digest[DIGEST_BYTES];
};

static bool is_in_force(struct store_reader *r, struct slice tenant)
{
    struct token_row row;

    return store_token(r, tenant, &row) == STORE_OK && !row.implied &&
           row.revoked_us == 0 && row.suspended_us == 0;
}

static void add_digest(crypto_generichash_state *state, struct slice s)
{
    const uint64_t len = s.len;

    crypto_generichash_update(state, (const void *)&len, sizeof(len));
    crypto_generichash_update(state, s.data, s.len);
}

static void find_digest(struct wanted *x)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, DIGEST_BYTES);
    add_digest(&state, slice_str(x->url));
    for (size_t i = 0; i < x->settings.secret_count; i++)
        add_digest(&state, x->settings.secrets[i]);
    crypto_generichash_final(&state, x->digest, DIGEST_BYTES);
}

static void add_secret(struct webhook_settings *s, struct slice secret)
{
    if (secret.len > 0)
        s->secrets[s->secret_count++] = secret;
}

/* false: the tenant's webhook is off. */
static bool find_wanted(struct store_reader *r, struct slice tenant,
                        struct wanted *x)
{
    struct tenant_settings set;
    char text[FETCH_TEXT_MAX];

    if (!is_in_force(r, tenant) ||
        store_tenant_settings(r, tenant, &set) != STORE_OK)
        return false;
    const struct slice url = tenant_setting(&set, "webhook.url");
    const struct slice secret = tenant_setting(&set, "webhook.secret");
    if (url.len == 0 || url.len >= sizeof(x->url) || secret.len == 0)
        return false;
    snprintf(x->url, sizeof(x->url), "%.*s", (int)url.len,
             (const char *)url.data);
    if (!fetch_url_check(x->url, text)) {
        log_warn("webhook", "tenant %s: webhook.url: %s",
                 log_token(tenant.data, tenant.len).text, text);
        return false;
    }
    x->settings = (struct webhook_settings){.tenant = tenant, .url = x->url};
    add_secret(&x->settings, secret);
    add_secret(&x->settings, tenant_setting(&set, "webhook.secret_old"));
    find_digest(x);
    return true;
}

/* Without a row, of a version that stored none: at the head. */
static bool find_position(struct store_reader *r, struct slice tenant,
                          struct webhook_position *ret)
{
    struct webhook_row row;
    const enum store_err err = store_webhook(r, tenant, &row);

    *ret = (struct webhook_position){.text = ""};
    if (err == STORE_NOTFOUND || err == STORE_CORRUPT) {
        ret->id = store_head(r);
        return true;
    }
    if (err != STORE_OK)
        return false;
    ret->id = row.id;
    ret->behind_count = row.behind_count;
    memcpy(ret->behind, row.behind, sizeof(row.behind));
    return true;
}

/* ---- messages that are sent again ----------------------------------------- */

static size_t find_again(const struct watched_webhook *x, uint64_t id)
{
    size_t i = 0;

    while (i < x->again_count && x->again[i] != id)
        i++;
    return i;
}

static void end_again(struct watched_webhook *x, uint64_t id)
{
    const size_t i = find_again(x, id);

    if (i < x->again_count)
        x->again[i] = x->again[--x->again_count];
}

/* Those that are marked, as far as there is room. */
static void send_again(struct webhook_watch *w, struct store_reader *r,
                       struct watched_webhook *x)
{
    const struct slice tenant = slice_of(x->tenant, x->len);
    struct webhook_dead_row d = {.id = 0};

    while (x->again_count < WATCH_AGAIN_MAX &&
           store_webhook_dead_next(r, tenant, d.id, &d) == STORE_OK) {
        if (!d.again || find_again(x, d.id) < x->again_count)
            continue;
        if (!webhooks_redeliver(w->opts.webhooks, tenant, d.id)) {
            note(w, tenant, 0); /* with the next look */
            return;
        }
        x->again[x->again_count++] = d.id;
    }
}

/* ---- looking -------------------------------------------------------------- */

static struct watched_webhook *find(struct webhook_watch *w,
                                    struct slice tenant)
{
    struct watched_webhook *x;

    HASH_FIND(hh, w->on, tenant.data, tenant.len, x);
    return x;
}

static struct watched_webhook *add(struct webhook_watch *w,
                                   struct slice tenant)
{
    struct watched_webhook *x = calloc(1, sizeof(*x));

    if (x == NULL)
        return NULL;
    x->len = tenant.len;
    memcpy(x->tenant, tenant.data, tenant.len);
    HASH_ADD_KEYPTR(hh, w->on, x->tenant, x->len, x);
    return x;
}

static void drop(struct webhook_watch *w, struct watched_webhook *x)
{
    HASH_DEL(w->on, x);
    free(x);
}

static void turn_off(struct webhook_watch *w, struct watched_webhook *x)
{
    const struct slice tenant = slice_of(x->tenant, x->len);

    if (webhooks_remove(w->opts.webhooks, tenant)) {
        log_info("webhook", "tenant %s: webhook is off",
                 log_token(x->tenant, x->len).text);
        drop(w, x);
    } else {
        note(w, tenant, 0);
    }
}

static bool put(struct webhook_watch *w, struct store_reader *r,
                struct watched_webhook *x, const struct wanted *wanted)
{
    struct webhook_position position;

    if (!find_position(r, wanted->settings.tenant, &position) ||
        !webhooks_put(w->opts.webhooks, &wanted->settings, &position))
        return false;
    memcpy(x->digest, wanted->digest, DIGEST_BYTES);
    return true;
}

static void turn_on(struct webhook_watch *w, struct store_reader *r,
                    struct slice tenant, const struct wanted *wanted)
{
    struct watched_webhook *x = add(w, tenant);

    if (x == NULL || !put(w, r, x, wanted)) {
        if (x != NULL)
            drop(w, x);
        note(w, tenant, 0);
        return;
    }
    log_info("webhook", "tenant %s: webhook is on",
             log_token(tenant.data, tenant.len).text);
    send_again(w, r, x);
}

static void look_at(struct webhook_watch *w, struct store_reader *r,
                    struct slice tenant)
{
    struct watched_webhook *x = find(w, tenant);
    struct wanted wanted;

    if (!find_wanted(r, tenant, &wanted)) {
        if (x != NULL)
            turn_off(w, x);
        return;
    }
    if (x == NULL) {
        turn_on(w, r, tenant, &wanted);
        return;
    }
    if (memcmp(x->digest, wanted.digest, DIGEST_BYTES) != 0 &&
        !put(w, r, x, &wanted))
        note(w, tenant, 0);
    send_again(w, r, x);
}

/* Tenants without a webhook cost a look at their settings. */
static void look_at_all(struct webhook_watch *w, struct store_reader *r)
{
    struct watched_webhook *x, *next;
    struct token_row row;
    struct slice after = {NULL, 0};

    HASH_ITER (hh, w->on, x, next) {
        const struct watched_webhook copy = *x; /* it may be dropped */
        x->again_count = 0; /* what was told of them may be lost */
        look_at(w, r, slice_of(copy.tenant, copy.len));
    }
    while (store_token_next(r, after, &row) == STORE_OK) {
        if (find(w, row.token) == NULL)
            look_at(w, r, row.token);
        after = row.token;
    }
}

static void look_at_notes(struct webhook_watch *w, struct store_reader *r,
                          struct watch_notes *notes)
{
    struct watch_note *n;

    while ((n = STAILQ_FIRST(notes)) != NULL) {
        const struct slice tenant = slice_of(n->tenant, n->len);
        struct watched_webhook *x = find(w, tenant);
        STAILQ_REMOVE_HEAD(notes, entry);
        if (n->id == 0)
            look_at(w, r, tenant);
        else if (x != NULL && find_again(x, n->id) < x->again_count) {
            end_again(x, n->id);
            send_again(w, r, x);
        }
        free(n);
    }
}

/* false: another bridge delivers. */
static bool has_lock(struct webhook_watch *w)
{
    if (w->lock_fd >= 0)
        return true;
    const int fd = open(w->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        w->lock_fd = fd;
        return true;
    }
    if (!w->has_complained && fd >= 0 && errno == EWOULDBLOCK)
        log_info("webhook",
                 "another bridge of this data folder delivers to webhooks");
    else if (!w->has_complained)
        log_error("webhook", "%s: %s: nothing is delivered to webhooks",
                  w->lock_path, error_text(errno));
    w->has_complained = true;
    if (fd >= 0)
        close(fd);
    return false;
}

static bool take_notes(struct webhook_watch *w, struct watch_notes *notes)
{
    pthread_mutex_lock(&w->mutex);
    STAILQ_CONCAT(notes, &w->notes);
    const bool all = w->all;
    w->note_count = 0;
    w->all = false;
    pthread_mutex_unlock(&w->mutex);
    return all;
}

void webhook_watch_look(struct webhook_watch *w)
{
    struct watch_notes notes = STAILQ_HEAD_INITIALIZER(notes);
    struct store_reader *r;

    if (!has_lock(w))
        return;
    /* Notes first: the commit that an event tells of is in a later snapshot. */
    const bool all = take_notes(w, &notes);
    if (store_snapshot(w->opts.store, &r) != STORE_OK) {
        free_notes(&notes);
        need_all(w);
        return;
    }
    look_at_notes(w, r, &notes);
    if (all)
        look_at_all(w, r);
    store_reader_release(r);
}

/* ---- life ----------------------------------------------------------------- */

struct webhook_watch *webhook_watch_new(const struct webhook_watch_opts *opts)
{
    struct webhook_watch *w = calloc(1, sizeof(*w));

    if (w == NULL || asprintf(&w->lock_path, "%s/" WEBHOOKS_LOCK_NAME,
                              opts->data_dir) < 0) {
        free(w);
        return NULL;
    }
    w->opts = *opts;
    w->opts.data_dir = NULL;
    w->lock_fd = -1;
    STAILQ_INIT(&w->notes);
    pthread_mutex_init(&w->mutex, NULL);
    return w;
}

void webhook_watch_free(struct webhook_watch *w)
{
    struct watched_webhook *x, *next;

    if (w == NULL)
        return;
    free_notes(&w->notes);
    HASH_ITER (hh, w->on, x, next)
        drop(w, x);
    if (w->lock_fd >= 0)
        close(w->lock_fd);
    pthread_mutex_destroy(&w->mutex);
    free(w->lock_path);
    free(w);
}
