#include "bridge/link/link_queue.h"

#include "base/clock.h"
#include "base/name_hash.h"
#include "base/topic.h"
#include "bridge/counters/bridge_counters.h"

static struct link_request_slot *slot_of(struct link_queue *b, int packet_id)
{
    return &b->by_packet[(unsigned)packet_id % LINK_PACKET_SLOTS];
}

void link_queue_init(struct link_queue *b)
{
    TAILQ_INIT(&b->waiting);
    TAILQ_INIT(&b->in_flight);
    for (size_t i = 0; i < LINK_PACKET_SLOTS; i++)
        LIST_INIT(&b->by_packet[i]);
    b->count = b->waiting_count = 0;
    atomic_init(&b->admitted, 0);
    for (size_t i = 0; i < LINK_SHARES; i++)
        atomic_init(&b->shares[i], 0);
}

bool link_queue_admit(struct link_queue *b, struct link_request *q,
                      size_t bound)
{
    const struct slice token = topic_first_level(q->topic);

    q->share = (uint16_t)(name_hash(token.data, token.len) % LINK_SHARES);
    const size_t all = atomic_fetch_add(&b->admitted, 1) + 1;
    const size_t own = atomic_fetch_add(&b->shares[q->share], 1) + 1;
    if (all <= bound &&
        (own <= LINK_SHARE_LEAST || own <= (bound - all) / LINK_SHARE_PART))
        return true;
    link_queue_dismiss(b, q);
    return false;
}

void link_queue_dismiss(struct link_queue *b, const struct link_request *q)
{
    atomic_fetch_sub(&b->shares[q->share], 1);
    atomic_fetch_sub(&b->admitted, 1);
}

static void count_answer(const struct link_request *q)
{
    switch (q->outcome) {
    case LINK_ANSWERED: bridge_count(COUNT_LINK_ANSWERED, 1); break;
    case LINK_TIMEOUT: bridge_count(COUNT_LINK_TIMEOUT, 1); break;
    case LINK_AWAY: bridge_count(COUNT_LINK_AWAY, 1); break;
    case LINK_FULL: break; /* it never got here */
    }
    bridge_uncount(COUNT_LINK_WAITING, 1);
    bridge_count(COUNT_LINK_WAITED, (uint64_t)(clock_mono_us() - q->asked_us));
}

int64_t link_queue_oldest_us(const struct link_queue *b)
{
    const struct link_request *waiting = TAILQ_FIRST(&b->waiting);
    const struct link_request *sent = TAILQ_FIRST(&b->in_flight);

    if (waiting == NULL || sent == NULL)
        return waiting != NULL ? waiting->asked_us
               : sent != NULL  ? sent->asked_us
                               : 0;
    return sent->asked_us < waiting->asked_us ? sent->asked_us
                                              : waiting->asked_us;
}

void link_queue_answer(struct link_queue *b, struct link_request *q)
{
    count_answer(q);
    link_queue_dismiss(b, q);
    q->done(q); /* q may be gone now */
}

void link_queue_accept(struct link_queue *b, struct link_request *q)
{
    q->sent = false;
    q->packet_id = 0;
    TAILQ_INSERT_TAIL(&b->waiting, q, entry);
    b->waiting_count++;
    b->count++;
}

struct link_request *link_queue_next(const struct link_queue *b)
{
    return TAILQ_FIRST(&b->waiting);
}

void link_queue_sent(struct link_queue *b, struct link_request *q,
                     int packet_id)
{
    TAILQ_REMOVE(&b->waiting, q, entry);
    b->waiting_count--;
    q->sent = true;
    q->packet_id = packet_id;
    TAILQ_INSERT_TAIL(&b->in_flight, q, entry);
    LIST_INSERT_HEAD(slot_of(b, packet_id), q, by_packet);
}

void link_queue_remove(struct link_queue *b, struct link_request *q)
{
    if (q->packet_id != 0) {
        LIST_REMOVE(q, by_packet);
        TAILQ_REMOVE(&b->in_flight, q, entry);
    } else {
        TAILQ_REMOVE(&b->waiting, q, entry);
        b->waiting_count--;
    }
    b->count--;
}

struct link_request *link_queue_answered(struct link_queue *b, int packet_id)
{
    struct link_request *q;

    LIST_FOREACH (q, slot_of(b, packet_id), by_packet) {
        if (q->packet_id == packet_id) {
            link_queue_remove(b, q);
            return q;
        }
    }
    return NULL;
}

void link_queue_lost(struct link_queue *b)
{
    struct link_request *q;

    TAILQ_FOREACH (q, &b->in_flight, entry) {
        LIST_REMOVE(q, by_packet);
        q->packet_id = 0;
    }
    TAILQ_CONCAT(&b->in_flight, &b->waiting, entry);
    TAILQ_CONCAT(&b->waiting, &b->in_flight, entry);
    b->waiting_count = b->count;
}

static void expire_in(struct link_queue *b, struct link_request_queue *queue,
                      int64_t now_us, bool away,
                      struct link_request_queue *ret_expired)
{
    struct link_request *q, *next;

    for (q = TAILQ_FIRST(queue); q != NULL; q = next) {
        next = TAILQ_NEXT(q, entry);
        if (q->deadline_us > now_us && (q->sent || !away))
            continue;
        link_queue_remove(b, q);
        q->outcome = q->sent ? LINK_TIMEOUT : LINK_AWAY;
        TAILQ_INSERT_TAIL(ret_expired, q, entry);
    }
}

void link_queue_expire(struct link_queue *b, int64_t now_us, bool away,
                       struct link_request_queue *ret_expired)
{
    expire_in(b, &b->in_flight, now_us, away, ret_expired);
    expire_in(b, &b->waiting, now_us, away, ret_expired);
}
