#include "bridge/http/reads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/name_hash.h"
#include "store/write/limits.h"

struct window {
    char token[TOKEN_MAX];
    uint8_t token_len;
    bool changed; /* since the last report */
    int64_t start_us;
    uint64_t reads;
    UT_hash_handle hh;
};

struct reads {
    pthread_mutex_t mutex;
    struct window
        *by_token; /* bounded: registered tokens with a limit, and only
                                while their window is open */
};

struct reads *reads_new(void)
{
    struct reads *rs = calloc(1, sizeof(*rs));

    if (rs != NULL)
        pthread_mutex_init(&rs->mutex, NULL);
    return rs;
}

void reads_free(struct reads *rs)
{
    struct window *w, *next;

    if (rs == NULL)
        return;
    HASH_ITER (hh, rs->by_token, w, next) {
        HASH_DEL(rs->by_token, w);
        free(w);
    }
    pthread_mutex_destroy(&rs->mutex);
    free(rs);
}

static struct window *find_window(struct reads *rs, struct slice token)
{
    struct window *w;

    HASH_FIND(hh, rs->by_token, token.data, (unsigned)token.len, w);
    return w;
}

/* The token's open window: ours, or the store's, or one that begins now. */
static struct window *open_window(struct reads *rs, struct slice token,
                                  const struct usage_row *usage,
                                  int64_t now_us)
{
    struct window *w = find_window(rs, token);

    if (w == NULL) {
        w = calloc(1, sizeof(*w));
        if (w == NULL)
            return NULL;
        memcpy(w->token, token.data, token.len);
        w->token_len = (uint8_t)token.len;
        HASH_ADD_KEYPTR(hh, rs->by_token, w->token, w->token_len, w);
        if (w->hh.tbl == NULL) { /* out of memory in the table */
            free(w);
            return NULL;
        }
    }
    if (!window_open(w->start_us, now_us)) {
        w->reads = 0;
        w->start_us = now_us;
        if (window_open(usage->window_start_us, now_us)) {
            w->start_us = usage->window_start_us;
            w->reads = usage->reads;
        }
    } else if (window_open(usage->window_start_us, now_us) &&
               usage->window_start_us < w->start_us) {
        /* A write opened the window before our report arrived. */
        w->start_us = usage->window_start_us;
    }
    return w;
}

struct reads_answer reads_charge(struct reads *rs, struct slice token,
                                 const struct plan *plan,
                                 const struct usage_row *usage, unsigned cost,
                                 int64_t now_us)
{
    struct reads_answer a = {true, UINT64_MAX, 0};

    if (plan->reads_per_hour == 0)
        return a;
    pthread_mutex_lock(&rs->mutex);
    struct window *w = cost > 0 ? open_window(rs, token, usage, now_us)
                                : find_window(rs, token);
    uint64_t used = 0;
    if (w != NULL && window_open(w->start_us, now_us))
        used = w->reads;
    else if (window_open(usage->window_start_us, now_us))
        used = usage->reads;
    if (w == NULL &&
        cost > 0) { /* out of memory: grant it, show nothing spent */
        a.remaining = plan->reads_per_hour;
    } else if (used + cost > plan->reads_per_hour) {
        const int64_t left =
            w == NULL ? WINDOW_US : w->start_us + WINDOW_US - now_us;
        a.granted = false;
        a.remaining =
            used < plan->reads_per_hour ? plan->reads_per_hour - used : 0;
        a.retry_after_s = (uint32_t)(left / 1000000 + 1);
    } else {
        a.remaining = plan->reads_per_hour - used - cost;
        if (cost > 0) {
            w->reads += cost;
            w->changed = true;
        }
    }
    pthread_mutex_unlock(&rs->mutex);
    return a;
}

void reads_refund(struct reads *rs, struct slice token, unsigned cost)
{
    pthread_mutex_lock(&rs->mutex);
    struct window *w = find_window(rs, token);
    if (w != NULL) {
        w->reads = w->reads > cost ? w->reads - cost : 0;
        w->changed = true;
    }
    pthread_mutex_unlock(&rs->mutex);
}

int64_t reads_window(struct reads *rs, struct slice token, int64_t now_us)
{
    int64_t start = 0;

    pthread_mutex_lock(&rs->mutex);
    const struct window *w = find_window(rs, token);
    if (w != NULL && window_open(w->start_us, now_us))
        start = w->start_us;
    pthread_mutex_unlock(&rs->mutex);
    return start;
}

/* ---- reports ------------------------------------------------------------- */

size_t reads_changed(struct reads *rs, struct reads_change *ret_changes,
                     size_t max, int64_t now_us)
{
    struct window *w, *next;
    size_t count = 0;

    pthread_mutex_lock(&rs->mutex);
    HASH_ITER (hh, rs->by_token, w, next) {
        if (w->changed && count < max) {
            struct reads_change *c = &ret_changes[count++];
            memcpy(c->token, w->token, w->token_len);
            c->token_len = w->token_len;
            c->start_us = w->start_us;
            c->reads = w->reads;
            w->changed = false;
        }
        if (!window_open(w->start_us, now_us)) {
            HASH_DEL(rs->by_token, w);
            free(w);
        }
    }
    pthread_mutex_unlock(&rs->mutex);
    return count;
}
