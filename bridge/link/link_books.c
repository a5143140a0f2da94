#include "bridge/link/link_books.h"

static struct link_request_slot *slot_of(struct link_books *b, int packet_id)
{
    return &b->by_packet[(unsigned)packet_id % LINK_PACKET_SLOTS];
}

void link_books_init(struct link_books *b)
{
    TAILQ_INIT(&b->waiting);
    TAILQ_INIT(&b->under_way);
    for (size_t i = 0; i < LINK_PACKET_SLOTS; i++)
        LIST_INIT(&b->by_packet[i]);
    b->count = b->waiting_count = 0;
}

void link_books_accept(struct link_books *b, struct link_request *q)
{
    q->sent = false;
    q->packet_id = 0;
    TAILQ_INSERT_TAIL(&b->waiting, q, entry);
    b->waiting_count++;
    b->count++;
}

struct link_request *link_books_next(const struct link_books *b)
{
    return TAILQ_FIRST(&b->waiting);
}

void link_books_sent(struct link_books *b, struct link_request *q,
                     int packet_id)
{
    TAILQ_REMOVE(&b->waiting, q, entry);
    b->waiting_count--;
    q->sent = true;
    q->packet_id = packet_id;
    TAILQ_INSERT_TAIL(&b->under_way, q, entry);
    LIST_INSERT_HEAD(slot_of(b, packet_id), q, by_packet);
}

void link_books_remove(struct link_books *b, struct link_request *q)
{
    if (q->packet_id != 0) {
        LIST_REMOVE(q, by_packet);
        TAILQ_REMOVE(&b->under_way, q, entry);
    } else {
        TAILQ_REMOVE(&b->waiting, q, entry);
        b->waiting_count--;
    }
    b->count--;
}

struct link_request *link_books_answered(struct link_books *b, int packet_id)
{
    struct link_request *q;

    LIST_FOREACH (q, slot_of(b, packet_id), by_packet) {
        if (q->packet_id == packet_id) {
            link_books_remove(b, q);
            return q;
        }
    }
    return NULL;
}

void link_books_lost(struct link_books *b)
{
    struct link_request *q;

    TAILQ_FOREACH (q, &b->under_way, entry) {
        LIST_REMOVE(q, by_packet);
        q->packet_id = 0;
    }
    TAILQ_CONCAT(&b->under_way, &b->waiting, entry);
    TAILQ_CONCAT(&b->waiting, &b->under_way, entry);
    b->waiting_count = b->count;
}

static void expire_in(struct link_books *b, struct link_request_queue *queue,
                      int64_t now_us, bool away,
                      struct link_request_queue *ret_expired)
{
    struct link_request *q, *next;

    for (q = TAILQ_FIRST(queue); q != NULL; q = next) {
        next = TAILQ_NEXT(q, entry);
        if (q->deadline_us > now_us && (q->sent || !away))
            continue;
        link_books_remove(b, q);
        q->outcome = q->sent ? LINK_TIMEOUT : LINK_AWAY;
        TAILQ_INSERT_TAIL(ret_expired, q, entry);
    }
}

void link_books_expire(struct link_books *b, int64_t now_us, bool away,
                       struct link_request_queue *ret_expired)
{
    expire_in(b, &b->under_way, now_us, away, ret_expired);
    expire_in(b, &b->waiting, now_us, away, ret_expired);
}
