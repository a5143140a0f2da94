/* What the files of webhooks share. Each calls only those below it:
 *   webhooks.c          the set: threads, timers, reading the log for all
 *   webhook.c           one webhook: what it is behind with
 *   webhook_position.c  its position
 *   webhook_send.c      one attempt: the request and what came of it */
#ifndef CONFAB_BRIDGE_OUTGOING_WEBHOOK_PRIVATE_H
#define CONFAB_BRIDGE_OUTGOING_WEBHOOK_PRIVATE_H

#include <ev.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <uthash.h>

#include "base/buffer.h"
#include "bridge/outgoing/fetcher.h"
#include "bridge/outgoing/webhooks.h"
#include "store/read/catchup.h"
#include "store/store.h"

/* A thing that a webhook is behind with, or (single) one message that is sent
 * again. It is in `ready`, in `waiting`, or in `flying`: its message is in flight. */
struct webhook_thing {
    UT_hash_handle hh; /* of webhook.things, by topic; not if single */
    TAILQ_ENTRY(webhook_thing) entry;
    struct webhook *webhook;
    bool single;
    /* `id` is the message to be delivered next. If `settled`, it is the last that was
     * delivered or is dead, and the next is still to be looked for. */
    uint64_t id;
    bool settled;
    uint64_t seen; /* the last message of the thing that was read */
    unsigned failed;
    int64_t due_us;      /* waiting: monotonic time of the next attempt */
    struct fetch *fetch; /* in flight */
    size_t topic_len;
    char topic[];
};
TAILQ_HEAD(webhook_things, webhook_thing);

struct webhook {
    UT_hash_handle hh; /* of webhooks.by_tenant */
    TAILQ_ENTRY(webhook) entry;
    struct webhooks *set;
    struct slice tenant; /* this and the next are owned */
    char *url;
    struct slice secrets[SIGNATURE_SECRETS_MAX];
    size_t secret_count;
    bool removed; /* freed when nothing is in flight any more */
    /* Level with webhooks.read; otherwise it reads by itself, after `read`. */
    bool level;
    uint64_t read;
    struct catchup *catchup; /* NULL: not begun, or full */
    struct webhook_thing *things;
    size_t thing_count, name_bytes;
    struct webhook_things ready, waiting, flying;
    unsigned in_flight;
    bool has_settled; /* since its position was told */
    struct webhook_tried {
        bool is_new, is_other; /* since then: made; other than the last */
        int64_t at_us;         /* 0: none was made */
        int status;
        char text[FETCH_TEXT_MAX];
    } tried; /* the last attempt */
    uint64_t told_id;
    int64_t told_us;
};
TAILQ_HEAD(webhook_list, webhook);

struct webhooks {
    struct webhooks_opts opts;
    struct fetcher *fetcher;
    struct mailbox *changes;
    /* the fetcher's thread */
    struct ev_loop *loop; /* NULL: it has not begun, or has ended */
    ev_async wake;
    ev_timer tick; /* while there are webhooks */
    ev_timer soon; /* something can be done at once */
    struct webhook *by_tenant;
    struct webhook_list all;
    /* Up to here the log was read for those that are level; not known until the
     * first look at the log when there was no webhook before. */
    uint64_t read;
    bool read_known;
    uint64_t lag; /* as it was counted */
    int64_t lag_us;
    atomic_bool stopped;
};

/* webhook.c */
struct webhook *webhook_new(struct webhooks *ws,
                            const struct webhook_settings *settings,
                            const struct webhook_position *position);
void webhook_free(struct webhook *w); /* nothing is in flight */
/* A message of the tenant was read. false: it is behind with too many things; read
 * it again later. */
bool webhook_offer(struct webhook *w, const struct message *m);
/* Adds a message that is sent again. false: out of memory. */
bool webhook_add_single(struct webhook *w, uint64_t id);
/* Begins attempts as far as there may be more in flight. Inside a snapshot. */
void webhook_send_ready(struct webhook *w, struct store_reader *r,
                        int64_t now_us);
bool webhook_is_full(const struct webhook *w);
/* Has the set look at its webhooks in the loop's next round. */
void webhooks_again(struct webhooks *ws);

/* webhook_position.c */
/* Tells its position if it moved and it is time for that; `anyway`: whatever the
 * time. */
void webhook_tell(struct webhook *w, int64_t now_us, bool anyway);

/* Notes what came of an attempt. text: "" if it was delivered. */
void webhook_tried(struct webhook *w, int status, const char *text);
/* How many entries of the log it is behind. */
uint64_t webhook_lag(const struct webhook *w);

/* webhook_send.c: submits the request; `on_end` gets the thing. false: it was not
 * sent; *ret_text says why it never can be, or is empty: try again later. */
bool webhook_send(struct webhook_thing *t, const struct message *m,
                  void (*on_end)(void *arg, const struct fetch_result *r),
                  char *ret_text);
bool webhook_is_delivered(const struct fetch_result *r);

#endif
