#include "bridge/stream/subscriptions.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/filter_shape.h"
#include "base/subscription_index.h"
#include "base/topic.h"
#include "bridge/link/link.h"
#include "bridge/stream/name_table.h"

enum subscription_state {
    TO_ASK,  /* on the list of that name */
    ASKED,   /* SUBACK outstanding */
    GRANTED, /* on the list `idle` while nobody reads it */
    REFUSED  /* on that list too; asked again later */
};

struct link_subscription {
    struct name_node node; /* first: a node is its subscription */
    enum subscription_state state;
    unsigned holders;
    uint64_t streamers;          /* those with a reader */
    _Atomic uint64_t granted_at; /* moment; 0: not */
    int64_t since_us; /* nobody reads it, or the broker refused it, since */
    int64_t retry_us; /* from a refusal to the next attempt */
    TAILQ_ENTRY(link_subscription) entry;
    bool has_wildcard, has_plus;
    struct subscription pattern; /* in `patterns` while it has wildcards and
                                    a streamer reads it */
    unsigned readers[];          /* per streamer; the filter's text follows */
};

TAILQ_HEAD(subscription_queue, link_subscription);

struct subscriptions {
    pthread_mutex_t mutex;
    unsigned streamers;
    struct link *link; /* NULL: not known yet */
    bool up;
    struct name_table filters;
    struct subscription_index *patterns; /* wildcard filters with readers */
    struct subscription_queue to_ask, idle;
    /* A clock that SUBACKs and losses move. */
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
    ss->patterns = subscription_index_new();
    TAILQ_INIT(&ss->to_ask);
    TAILQ_INIT(&ss->idle);
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
    subscription_index_free(ss->patterns);
    pthread_mutex_destroy(&ss->mutex);
    free(ss);
}

/* ---- one filter ---------------------------------------------------------- */

static struct link_subscription *add_subscription(struct subscriptions *ss,
                                                  struct slice filter)
{
    const size_t counts = ss->streamers * sizeof(unsigned);
    struct link_subscription *sub =
        calloc(1, sizeof(*sub) + counts + filter.len);
    struct filter_outline outline;

    if (sub == NULL)
        return NULL;
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

/* sub is on no list. */
static void forget_subscription(struct subscriptions *ss,
                                struct link_subscription *sub)
{
    name_table_remove(&ss->filters, &sub->node);
    free(sub);
}

/* Is it on the list `idle`? */
static bool is_idle(const struct link_subscription *sub)
{
    return sub->state == REFUSED ||
           (sub->state == GRANTED && sub->holders == 0);
}

static void ask_waiting(struct subscriptions *ss)
{
    struct link_subscription *sub;

    if (!ss->up || ss->link == NULL)
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

struct link_subscription *subscriptions_hold(struct subscriptions *ss,
                                             struct slice filter,
                                             unsigned streamer)
{
    pthread_mutex_lock(&ss->mutex);
    struct link_subscription *sub =
        (struct link_subscription *)name_table_find(&ss->filters, filter);
    if (sub == NULL)
        sub = add_subscription(ss, filter);
    if (sub != NULL && !add_reader(ss, sub, streamer))
        sub = NULL; /* a new one is forgotten by the next tending */
    if (sub != NULL) {
        if (sub->state == GRANTED && sub->holders == 0)
            TAILQ_REMOVE(&ss->idle, sub, entry);
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
    if (--sub->holders == 0 && sub->state != REFUSED) {
        sub->since_us = now_us;
        if (sub->state == GRANTED)
            TAILQ_INSERT_TAIL(&ss->idle, sub, entry);
    }
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

/* Used ones are to be asked for again; the others are gone with the
 * connection. */
static void lose_subscription(void *arg, struct name_node *n)
{
    struct subscriptions *ss = arg;
    struct link_subscription *sub = (struct link_subscription *)n;

    if (is_idle(sub))
        TAILQ_REMOVE(&ss->idle, sub, entry);
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
    pthread_mutex_unlock(&ss->mutex);
}

uint64_t subscriptions_answered(struct subscriptions *ss, struct slice filter,
                                bool ok, int64_t now_us)
{
    uint64_t streamers = 0;

    pthread_mutex_lock(&ss->mutex);
    struct link_subscription *sub =
        (struct link_subscription *)name_table_find(&ss->filters, filter);
    if (sub != NULL && sub->state == ASKED) {
        if (ok) {
            const uint64_t moment = atomic_load(&ss->moment) + 1;
            atomic_store(&sub->granted_at, moment);
            atomic_store(&ss->moment, moment);
        }
        if (ok)
            sub->retry_us = SUBSCRIPTION_RETRY_US;
        sub->state = ok ? GRANTED : REFUSED;
        sub->since_us = now_us;
        if (is_idle(sub))
            TAILQ_INSERT_TAIL(&ss->idle, sub, entry);
        streamers = sub->streamers;
    }
    ask_waiting(ss); /* there is room again */
    pthread_mutex_unlock(&ss->mutex);
    return streamers;
}

/* Readers that come back find their filter still there. Not one with `+`: the
 * broker counts its shape for the token, and shapes nobody reads must not keep
 * out those that somebody wants. */
static int64_t linger_us(const struct link_subscription *sub)
{
    return sub->has_plus ? 0 : SUBSCRIPTION_LINGER_US;
}

/* sub is on `idle`: what becomes of it now? */
static void tend_idle(struct subscriptions *ss, struct link_subscription *sub,
                      int64_t now_us)
{
    const int64_t age_us = now_us - sub->since_us;

    if (sub->state == REFUSED && sub->holders == 0) {
        TAILQ_REMOVE(&ss->idle, sub, entry);
        forget_subscription(ss, sub);
    } else if (sub->state == REFUSED && age_us >= sub->retry_us) {
        sub->retry_us *= 2;
        if (sub->retry_us > SUBSCRIPTION_RETRY_MOST_US)
            sub->retry_us = SUBSCRIPTION_RETRY_MOST_US;
        TAILQ_REMOVE(&ss->idle, sub, entry);
        sub->state = TO_ASK;
        TAILQ_INSERT_TAIL(&ss->to_ask, sub, entry);
    } else if (sub->state == GRANTED && age_us >= linger_us(sub) &&
               link_unsubscribe(ss->link, sub->node.name)) {
        TAILQ_REMOVE(&ss->idle, sub, entry);
        forget_subscription(ss, sub);
    }
}

static void tend_waiting(struct subscriptions *ss)
{
    struct link_subscription *sub, *next;

    for (sub = TAILQ_FIRST(&ss->to_ask); sub != NULL; sub = next) {
        next = TAILQ_NEXT(sub, entry);
        if (sub->holders == 0) {
            TAILQ_REMOVE(&ss->to_ask, sub, entry);
            forget_subscription(ss, sub);
        }
    }
}

void subscriptions_tend(struct subscriptions *ss, int64_t now_us)
{
    struct link_subscription *sub, *next;

    pthread_mutex_lock(&ss->mutex);
    for (sub = TAILQ_FIRST(&ss->idle); sub != NULL; sub = next) {
        next = TAILQ_NEXT(sub, entry);
        tend_idle(ss, sub, now_us);
    }
    tend_waiting(ss);
    ask_waiting(ss);
    pthread_mutex_unlock(&ss->mutex);
}
