#include "bridge/stream/subscriptions.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/filter_shape.h"
#include "base/subscription_index.h"
#include "base/topic.h"
#include "bridge/link/link.h"
#include "bridge/stream/name_table.h"

#define TEND_SLICE 128 /* filters to look at before releasing the mutex */

enum subscription_state {
    TO_ASK,  /* in the list to_ask; somebody holds it */
    ASKED,   /* SUBSCRIBE sent, no SUBACK yet */
    GRANTED, /* lingers while nobody holds it */
    REFUSED  /* in the list refused; somebody holds it */
};

TAILQ_HEAD(subscription_queue, link_subscription);

/* What the filters of one token have in common. */
struct tenant {
    struct name_node node; /* first */
    size_t subscriptions;  /* it goes with the last one */
    size_t lingering_count;
    struct subscription_queue lingering; /* by `of_tenant` */
};

struct link_subscription {
    struct name_node node; /* first: a node is its subscription */
    struct tenant *tenant;
    enum subscription_state state;
    unsigned holders;
    uint64_t streamers;          /* those with a reader */
    _Atomic uint64_t granted_at; /* moment; 0: not */
    int64_t since_us; /* of the last reader's leaving, or of the refusal */
    int64_t retry_us; /* from a refusal to the next attempt */
    TAILQ_ENTRY(link_subscription) entry;
    TAILQ_ENTRY(link_subscription) of_tenant; /* while it lingers */
    bool has_wildcard, has_plus;
    struct subscription pattern; /* in `patterns` while it has wildcards and
                                    a streamer reads it */
    unsigned readers[];          /* per streamer; the filter's text follows */
};

struct subscriptions {
    pthread_mutex_t mutex;
    unsigned streamers;
    struct link *link; /* NULL: not known yet */
    bool up;
    struct name_table filters, tenants;
    struct subscription_index *patterns; /* wildcard filters with readers */
    struct subscription_queue to_ask, refused;
    struct subscription_queue lingering[2]; /* [has_plus], oldest first */
    size_t refused_count, lingering_count;
    /* A counter that SUBACKs and losses advance. */
    _Atomic uint64_t moment, lost_at;
};

struct subscriptions *subscriptions_new(unsigned streamers)
{
    struct subscriptions *ss = calloc(1, sizeof(*ss));

    if (ss == NULL)
        return NULL;
    assert(streamers <= SUBSCRIPTIONS_STREAMERS_MAX);
    pthread_mutex_init(&ss->mutex, NULL);
    ss->streamers = streamers;
    name_table_init(&ss->filters);
    name_table_init(&ss->tenants);
    ss->patterns = subscription_index_new();
    TAILQ_INIT(&ss->to_ask);
    TAILQ_INIT(&ss->refused);
    TAILQ_INIT(&ss->lingering[false]);
    TAILQ_INIT(&ss->lingering[true]);
    if (ss->patterns != NULL)
        return ss;
    subscriptions_free(ss);
    return NULL;
}

static void free_node(void *arg, struct name_node *n)
{
    (void)arg;
    free(n);
}

void subscriptions_free(struct subscriptions *ss)
{
    if (ss == NULL)
        return;
    name_table_each(&ss->filters, free_node, NULL);
    name_table_release(&ss->filters);
    name_table_each(&ss->tenants, free_node, NULL);
    name_table_release(&ss->tenants);
    subscription_index_free(ss->patterns);
    pthread_mutex_destroy(&ss->mutex);
    free(ss);
}

/* ---- one filter ---------------------------------------------------------- */

/* NULL: out of memory. */
static struct tenant *tenant_of(struct subscriptions *ss, struct slice filter)
{
    const struct slice token = topic_first_level(filter);
    struct tenant *t = (struct tenant *)name_table_find(&ss->tenants, token);

    if (t != NULL)
        return t;
    t = calloc(1, sizeof(*t) + token.len);
    if (t == NULL)
        return NULL;
    memcpy(t + 1, token.data, token.len);
    t->node.name = slice_of(t + 1, token.len);
    TAILQ_INIT(&t->lingering);
    name_table_add(&ss->tenants, &t->node);
    return t;
}

static void leave_tenant(struct subscriptions *ss, struct tenant *t)
{
    if (t->subscriptions > 0)
        return;
    name_table_remove(&ss->tenants, &t->node);
    free(t);
}

static struct link_subscription *add_subscription(struct subscriptions *ss,
                                                  struct slice filter)
{
    const size_t counts = ss->streamers * sizeof(unsigned);
    struct link_subscription *sub =
        calloc(1, sizeof(*sub) + counts + filter.len);
    struct tenant *tenant = sub == NULL ? NULL : tenant_of(ss, filter);
    struct filter_outline outline;

    if (tenant == NULL) {
        free(sub);
        return NULL;
    }
    tenant->subscriptions++;
    sub->tenant = tenant;
    char *text = (char *)sub->readers + counts;
    memcpy(text, filter.data, filter.len);
    sub->node.name = slice_of(text, filter.len);
    sub->has_wildcard = filter_has_wildcard(filter);
    filter_outline(filter, &outline);
    sub->has_plus = outline.has_plus;
    sub->retry_us = SUBSCRIPTION_RETRY_US;
    name_table_add(&ss->filters, &sub->node);
    sub->state = TO_ASK;
    TAILQ_INSERT_TAIL(&ss->to_ask, sub, entry);
    return sub;
}

/* sub is in no list. */
static void forget_subscription(struct subscriptions *ss,
                                struct link_subscription *sub)
{
    sub->tenant->subscriptions--;
    leave_tenant(ss, sub->tenant);
    name_table_remove(&ss->filters, &sub->node);
    free(sub);
}

static void stop_lingering(struct subscriptions *ss,
                           struct link_subscription *sub)
{
    TAILQ_REMOVE(&ss->lingering[sub->has_plus], sub, entry);
    TAILQ_REMOVE(&sub->tenant->lingering, sub, of_tenant);
    ss->lingering_count--;
    sub->tenant->lingering_count--;
}

/* sub lingers. false: the link has no room. */
static bool unsubscribe(struct subscriptions *ss,
                        struct link_subscription *sub)
{
    if (!link_unsubscribe(ss->link, sub->node.name))
        return false;
    stop_lingering(ss, sub);
    forget_subscription(ss, sub);
    return true;
}

static struct link_subscription *oldest_lingering(struct subscriptions *ss)
{
    struct link_subscription *plus = TAILQ_FIRST(&ss->lingering[true]);

    return plus != NULL ? plus : TAILQ_FIRST(&ss->lingering[false]);
}

/* false: too many linger, and the link has no room. */
static bool bound_lingering(struct subscriptions *ss)
{
    while (ss->lingering_count > SUBSCRIPTIONS_LINGERING_MAX)
        if (!unsubscribe(ss, oldest_lingering(ss)))
            return false;
    return true;
}

static void begin_lingering(struct subscriptions *ss,
                            struct link_subscription *sub, int64_t now_us)
{
    struct tenant *t = sub->tenant;

    sub->since_us = now_us;
    TAILQ_INSERT_TAIL(&ss->lingering[sub->has_plus], sub, entry);
    TAILQ_INSERT_TAIL(&t->lingering, sub, of_tenant);
    ss->lingering_count++;
    t->lingering_count++;
    /* The bound is positive, so the tenant still has filters in this loop. */
    while (t->lingering_count > SUBSCRIPTIONS_LINGERING_OF_TOKEN &&
           unsubscribe(ss, TAILQ_FIRST(&t->lingering)))
        ;
    bound_lingering(ss);
}

/* Unsubscribes what nobody reads before it subscribes more: so the broker never has more
 * filters than the bound and what the link has in flight. */
static void ask_waiting(struct subscriptions *ss)
{
    struct link_subscription *sub;

    if (!ss->up || ss->link == NULL || !bound_lingering(ss))
        return;
    while ((sub = TAILQ_FIRST(&ss->to_ask)) != NULL &&
           link_subscribe(ss->link, sub->node.name)) {
        TAILQ_REMOVE(&ss->to_ask, sub, entry);
        sub->state = ASKED;
    }
}

/* One more reader on that streamer. false: out of memory. */
static bool add_reader(struct subscriptions *ss, struct link_subscription *sub,
                       unsigned streamer)
{
    const struct subscriber who = {.who = sub};

    if (streamer >= ss->streamers)
        return true;
    if (sub->has_wildcard && sub->streamers == 0 &&
        !subscription_index_add(ss->patterns, sub->node.name, &who,
                                &sub->pattern))
        return false;
    if (sub->readers[streamer]++ == 0)
        sub->streamers |= UINT64_C(1) << streamer;
    return true;
}

static void remove_reader(struct subscriptions *ss,
                          struct link_subscription *sub, unsigned streamer)
{
    if (streamer >= ss->streamers || --sub->readers[streamer] > 0)
        return;
    sub->streamers &= ~(UINT64_C(1) << streamer);
    if (sub->has_wildcard && sub->streamers == 0)
        subscription_index_remove(ss->patterns, &sub->pattern);
}

/* For a filter that nobody holds and the broker does not have: nothing to unsubscribe. */
static void forget_unasked(struct subscriptions *ss,
                           struct link_subscription *sub)
{
    if (sub->holders > 0)
        return;
    if (sub->state == TO_ASK) {
        TAILQ_REMOVE(&ss->to_ask, sub, entry);
        forget_subscription(ss, sub);
    } else if (sub->state == REFUSED) {
        TAILQ_REMOVE(&ss->refused, sub, entry);
        ss->refused_count--;
        forget_subscription(ss, sub);
    }
}

struct link_subscription *subscriptions_hold(struct subscriptions *ss,
                                             struct slice filter,
                                             unsigned streamer)
{
    pthread_mutex_lock(&ss->mutex);
    struct link_subscription *sub =
        (struct link_subscription *)name_table_find(&ss->filters, filter);
    if (sub == NULL)
        sub = add_subscription(ss, filter);
    if (sub != NULL && !add_reader(ss, sub, streamer)) {
        forget_unasked(ss, sub);
        sub = NULL;
    }
    if (sub != NULL) {
        if (sub->state == GRANTED && sub->holders == 0)
            stop_lingering(ss, sub);
        sub->holders++;
        ask_waiting(ss);
    }
    pthread_mutex_unlock(&ss->mutex);
    return sub;
}

void subscriptions_release(struct subscriptions *ss,
                           struct link_subscription *sub, unsigned streamer,
                           int64_t now_us)
{
    pthread_mutex_lock(&ss->mutex);
    remove_reader(ss, sub, streamer);
    sub->holders--;
    if (sub->holders == 0 && sub->state == GRANTED)
        begin_lingering(ss, sub, now_us);
    else
        forget_unasked(ss, sub);
    pthread_mutex_unlock(&ss->mutex);
}

/* ---- moments ------------------------------------------------------------- */

uint64_t subscriptions_moment(struct subscriptions *ss)
{
    return atomic_load(&ss->moment);
}

bool subscription_stands(struct subscriptions *ss,
                         const struct link_subscription *sub, uint64_t moment)
{
    const uint64_t granted_at = atomic_load(&sub->granted_at);

    return granted_at != 0 && granted_at <= moment &&
           granted_at > atomic_load(&ss->lost_at);
}

/* ---- who reads a topic --------------------------------------------------- */

uint64_t subscriptions_streamers(struct subscriptions *ss, struct slice topic)
{
    const struct link_subscription *sub;
    const struct index_match *matches;
    uint64_t streamers = 0;

    pthread_mutex_lock(&ss->mutex);
    sub = (struct link_subscription *)name_table_find(&ss->filters, topic);
    if (sub != NULL)
        streamers |= sub->streamers;
    if (subscription_index_count(ss->patterns) > 0) {
        const size_t n =
            subscription_index_match(ss->patterns, topic, &matches);
        for (size_t i = 0; i < n; i++) { /* one filter each, so one `who` */
            sub = matches[i].subscribers[0].who;
            streamers |= sub->streamers;
        }
    }
    pthread_mutex_unlock(&ss->mutex);
    return streamers;
}

/* ---- the link's side ----------------------------------------------------- */

void subscriptions_set_link(struct subscriptions *ss, struct link *l)
{
    pthread_mutex_lock(&ss->mutex);
    ss->link = l;
    ask_waiting(ss);
    pthread_mutex_unlock(&ss->mutex);
}

void subscriptions_up(struct subscriptions *ss)
{
    pthread_mutex_lock(&ss->mutex);
    ss->up = true;
    ask_waiting(ss);
    pthread_mutex_unlock(&ss->mutex);
}

/* Filters with readers are to be subscribed again; the others are gone with the
 * connection. */
static void lose_subscription(void *arg, struct name_node *n)
{
    struct subscriptions *ss = arg;
    struct link_subscription *sub = (struct link_subscription *)n;

    if (sub->state == GRANTED && sub->holders == 0)
        stop_lingering(ss, sub);
    else if (sub->state == REFUSED)
        TAILQ_REMOVE(&ss->refused, sub, entry);
    else if (sub->state == TO_ASK)
        TAILQ_REMOVE(&ss->to_ask, sub, entry);
    if (sub->holders == 0) {
        forget_subscription(ss, sub);
        return;
    }
    atomic_store(&sub->granted_at, 0);
    sub->state = TO_ASK;
    TAILQ_INSERT_TAIL(&ss->to_ask, sub, entry);
}

void subscriptions_down(struct subscriptions *ss)
{
    pthread_mutex_lock(&ss->mutex);
    const uint64_t moment = atomic_load(&ss->moment) + 1;
    ss->up = false;
    atomic_store(&ss->lost_at, moment);
    atomic_store(&ss->moment, moment);
    name_table_each(&ss->filters, lose_subscription, ss);
    ss->refused_count = 0;
    pthread_mutex_unlock(&ss->mutex);
}

static void mark_granted(struct subscriptions *ss,
                         struct link_subscription *sub, int64_t now_us)
{
    const uint64_t moment = atomic_load(&ss->moment) + 1;

    atomic_store(&sub->granted_at, moment);
    atomic_store(&ss->moment, moment);
    sub->retry_us = SUBSCRIPTION_RETRY_US;
    sub->state = GRANTED;
    if (sub->holders == 0)
        begin_lingering(ss, sub, now_us);
}

static void note_refusal(struct subscriptions *ss,
                         struct link_subscription *sub, int64_t now_us)
{
    sub->state = REFUSED;
    sub->since_us = now_us;
    TAILQ_INSERT_TAIL(&ss->refused, sub, entry);
    ss->refused_count++;
    forget_unasked(ss, sub);
}

uint64_t subscriptions_answered(struct subscriptions *ss, struct slice filter,
                                bool ok, int64_t now_us)
{
    uint64_t streamers = 0;

    pthread_mutex_lock(&ss->mutex);
    struct link_subscription *sub =
        (struct link_subscription *)name_table_find(&ss->filters, filter);
    if (sub != NULL && sub->state == ASKED) {
        streamers = sub->streamers;
        if (ok)
            mark_granted(ss, sub, now_us);
        else
            note_refusal(ss, sub, now_us);
    }
    ask_waiting(ss); /* there is room again */
    pthread_mutex_unlock(&ss->mutex);
    return streamers;
}

/* ---- once a second ------------------------------------------------------- */

/* Filters linger, so that readers who come back find them subscribed. Those with `+` do not:
 * the broker counts their shapes for the token, and shapes that nobody reads must not keep
 * out those that somebody wants. */
static int64_t linger_us(bool has_plus)
{
    return has_plus ? 0 : SUBSCRIPTION_LINGER_US;
}

/* Unsubscribes up to TEND_SLICE of those that have lingered. true: there are more. */
static bool tend_lingering(struct subscriptions *ss, bool has_plus,
                           int64_t now_us)
{
    struct link_subscription *sub;

    for (unsigned i = 0; i < TEND_SLICE; i++) {
        sub = TAILQ_FIRST(&ss->lingering[has_plus]);
        if (sub == NULL || now_us - sub->since_us < linger_us(has_plus) ||
            !unsubscribe(ss, sub))
            return false;
    }
    return true;
}

static void tend_refused(struct subscriptions *ss,
                         struct link_subscription *sub, int64_t now_us)
{
    TAILQ_REMOVE(&ss->refused, sub, entry);
    if (now_us - sub->since_us < sub->retry_us) {
        TAILQ_INSERT_TAIL(&ss->refused, sub, entry); /* later */
        return;
    }
    ss->refused_count--;
    sub->retry_us *= 2;
    if (sub->retry_us > SUBSCRIPTION_RETRY_MOST_US)
        sub->retry_us = SUBSCRIPTION_RETRY_MOST_US;
    sub->state = TO_ASK;
    TAILQ_INSERT_TAIL(&ss->to_ask, sub, entry);
}

/* Lets threads that wait for the mutex have it, the link's among them. */
static void yield_mutex(struct subscriptions *ss)
{
    pthread_mutex_unlock(&ss->mutex);
    sched_yield();
    pthread_mutex_lock(&ss->mutex);
}

void subscriptions_tend(struct subscriptions *ss, int64_t now_us)
{
    pthread_mutex_lock(&ss->mutex);
    while (tend_lingering(ss, true, now_us))
        yield_mutex(ss);
    while (tend_lingering(ss, false, now_us))
        yield_mutex(ss);
    /* Each is removed or appended, so this many rounds meet all of them. */
    for (size_t left = ss->refused_count;
         left > 0 && !TAILQ_EMPTY(&ss->refused); left--) {
        tend_refused(ss, TAILQ_FIRST(&ss->refused), now_us);
        if (left % TEND_SLICE == 0)
            yield_mutex(ss);
    }
    ask_waiting(ss);
    pthread_mutex_unlock(&ss->mutex);
}
