/* How a stream begins. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/name_hash.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/stream/stream_private.h"

/* Fails on sockets that are not TCP, which is fine. A reader that has gone
 * without a word is noticed after two minutes, whether we send or not. */
static void prepare_socket(int fd)
{
    const int on = 1, idle_s = 60, interval_s = 15, probes = 4;
    const unsigned patience_ms = 120000;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s,
               sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms,
               sizeof(patience_ms));
}

static uint32_t at_most_u32(uint64_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

void stream_begin(struct streamer *st, struct stream_start *start)
{
    struct stream *s = start->stream;

    s->streamer = st;
    s->start = start;
    s->idle_timeout = at_most_u32(start->idle_timeout);
    s->keepalive = at_most_u32(start->keepalive);
    s->format = start->format;
    s->state = STREAM_CATCHUP;
    s->share = (uint16_t)(name_hash(start->token.data, start->token.len) %
                          STREAMER_SHARES);
    s->position = start->has_cursor && start->cursor <= start->head
                      ? start->cursor
                      : start->head;
    s->event_at_ms = s->sent_at_ms = st->now_ms;
    ev_io_init(&s->io, stream_on_io, s->fd, EV_READ);
    s->io.data = s;
    if (s->client != NULL) {
        ev_timer_init(&s->client->due, stream_on_due, 0., 0.);
        s->client->due.data = s;
        s->client->due_ms = INT64_MAX;
    }
    TAILQ_INSERT_TAIL(&st->all, s, in_all);
    st->count++;
    bridge_count(COUNT_STREAMS + s->format->number, 1);
    bridge_count(COUNT_STREAMS_OPENED + s->format->number, 1);
    bridge_count(COUNT_STREAM_CATCHUPS, 1);
    if (st->stop_until_ms != 0 ||
        !stream_enter_audience(s, start->token, start->filters,
                               start->filter_count)) {
        stream_quota_give(st->env.quota, start->token);
        stream_shapes_give(st->env.shapes, s->shapes);
        atomic_fetch_sub(&st->load, 1);
        stream_drop(s);
        return;
    }
    prepare_socket(s->fd);
    stream_watch(s);
    stream_enqueue(s, QUEUE_RUNNABLE);
}
