/* What readers send. Most formats have no messages from readers, and drop whatever comes;
 * otherwise the stream's door gets each message. Also the replies to these. */
#include <errno.h>
#include <sys/socket.h>

#include "bridge/stream/stream_private.h"

/* Reads all of a message that has begun, up to READ_BYTES at once, but little of what
 * follows it. So the bounds on unanswered messages, and on the time one reader takes, can
 * be exceeded only by what READ_AHEAD bytes contain. */
#define READ_BYTES 16384
#define READ_AHEAD 128
#define DISCARDS_PER_TURN 4
#define DISCARD_MAX 1048576 /* most bytes a reader may send to be dropped */

/* The reader has sent FIN. Usually it is gone, but it may have closed its sending side only.
 * A byte sent to it shows which: a reader that is gone answers with a reset, which the sweep
 * sees. A WebSocket client is closed at once: it would have sent a close frame. */
static void on_half_closed(struct stream *s)
{
    if (stream_parked(s)) {
        stream_lose_socket(s, STREAM_END_CLIENT);
        return;
    }
    s->half_closed = true;
    if (s->state == STREAM_LINGER || s->client != NULL) {
        stream_drop(s);
        return;
    }
    stream_watch(s);
    if (s->state != STREAM_CLOSING && s->start == NULL &&
        output_empty(&s->output))
        stream_ping(s);
}

/* Returns the number of bytes read; 0: none, or s is closed or gone. */
static size_t read_some(struct stream *s, char *bytes, size_t size)
{
    ssize_t n;

    do
        n = recv(s->fd, bytes, size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && stream_parked(s))
        stream_lose_socket(s, STREAM_END_CLIENT);
    else if (n < 0 && errno != EAGAIN)
        stream_drop(s);
    else if (n == 0)
        on_half_closed(s);
    return n > 0 ? (size_t)n : 0;
}

static void discard_bytes(struct stream *s)
{
    char bytes[4096];
    size_t n;

    for (int i = 0; i < DISCARDS_PER_TURN; i++) {
        n = read_some(s, bytes, sizeof(bytes));
        if (n == 0)
            return;
        s->discarded += (uint32_t)n;
        if (s->discarded > DISCARD_MAX) {
            stream_drop(s);
            return;
        }
    }
}

/* ---- messages ------------------------------------------------------------- */

/* Sends the format's own answer, which is in st->scratch. */
static bool send_answer(struct stream *s, bool is_last)
{
    stream_mark(s->streamer, RUN_KEPT);
    if (stream_parked(s))
        return stream_send_parked(s);
    return is_last ? stream_send_last(s) : stream_send_scratch(s);
}

/* From now on the next one has its time. */
static void await_message(struct stream *s)
{
    s->client->begun_ms = s->streamer->now_ms;
    s->client->heard_bytes = 0;
}

static void handle_messages(struct stream *s)
{
    const struct stream_input *input = s->format->received;
    struct streamer *st = s->streamer;
    struct slice message;
    enum stream_end why;

    while (stream_is_open(s) && !s->client->loses) {
        stream_clear_scratch(st);
        switch (input->next(s->client->input, &message, &st->scratch, &why)) {
        case STREAM_INPUT_MORE: return;
        case STREAM_INPUT_MESSAGE:
            await_message(s);
            s->event_at_ms = st->now_ms; /* a message; pongs do not count */
            s->client->door->received(s->client->state, s, message);
            break;
        case STREAM_INPUT_REPLY: send_answer(s, false); break;
        case STREAM_INPUT_END:
            if (!send_answer(s, true))
                return;
            if (stream_parked(s))
                stream_lose_socket(s, why);
            else
                stream_close(s, why);
            return;
        }
    }
}

static size_t held_for(const struct stream *s)
{
    const struct stream_client *client = s->client;

    return client == NULL || !stream_is_open(s)
               ? 0
               : client->input_bytes + client->reply_bytes +
                     client->state_bytes;
}

/* Too much is held for clients: closes the stream that holds most of the token that holds
 * most. So a client that holds many small parts cannot make others' streams close. */
static void close_greatest(struct streamer *st)
{
    size_t held[STREAMER_SHARES] = {0};
    size_t most = 0;
    struct stream *s, *greatest = NULL;

    TAILQ_FOREACH (s, &st->all, in_all) {
        held[s->share] += held_for(s);
        if (held[s->share] > held[most])
            most = s->share;
    }
    TAILQ_FOREACH (s, &st->all, in_all)
        if (s->share == most && held_for(s) > 0 &&
            (greatest == NULL || held_for(s) > held_for(greatest)))
            greatest = s;
    if (greatest == NULL)
        return;
    stream_hold(greatest, 0); /* it is going */
    stream_close(greatest, STREAM_END_BUSY);
    stream_drop_input(greatest);
}

void streamer_relieve_input(struct streamer *st)
{
    if (st->input_held > STREAMER_INPUT_MAX)
        close_greatest(st);
}

/* Frees the parser between two messages: most clients are silent. */
static void free_idle_input(struct stream *s)
{
    const struct stream_input *input = s->format->received;

    if (s->client->input == NULL)
        return;
    if (!stream_is_open(s) || input->is_idle(s->client->input))
        stream_drop_input(s);
    else
        stream_hold_input(s, input->held(s->client->input));
    streamer_relieve_input(s->streamer);
}

static size_t wanted_bytes(const struct stream *s)
{
    const size_t wanted = s->client->input == NULL
                              ? 0
                              : s->format->received->wanted(s->client->input);

    return wanted < READ_AHEAD   ? READ_AHEAD
           : wanted < READ_BYTES ? wanted
                                 : READ_BYTES;
}

static void receive_bytes(struct stream *s)
{
    char bytes[READ_BYTES];
    const int64_t since_us = clock_mono_us();

    if (!stream_may_receive(s, since_us))
        return;
    const size_t n = read_some(s, bytes, wanted_bytes(s));
    if (n == 0)
        return;
    if (s->client->input == NULL) {
        s->client->input = s->format->received->begin(s->client->message_max);
        await_message(s);
    }
    if (s->client->input == NULL) {
        stream_close(s, STREAM_END_BUSY);
        return;
    }
    s->client->heard_ms = s->streamer->now_ms;
    s->client->heard_bytes += n;
    s->format->received->feed(s->client->input, slice_of(bytes, n));
    s->client->receives = true;
    handle_messages(s);
    s->client->receives = false;
    stream_received_all(s);
    free_idle_input(s);
    stream_charge_share(s, since_us);
    streamer_relieve(s->streamer); /* many answers may be waiting */
}

static void on_readable(struct stream *s)
{
    if (s->client != NULL && stream_is_open(s))
        receive_bytes(s);
    else
        discard_bytes(s);
}

void stream_on_io(struct ev_loop *loop, ev_io *w, int events)
{
    struct stream *s = w->data;

    (void)loop;
    streamer_clock(s->streamer);
    if ((events & EV_ERROR) != 0 && stream_parked(s))
        stream_lose_socket(s, STREAM_END_CLIENT);
    else if ((events & EV_ERROR) != 0)
        stream_drop(s);
    else if ((events & EV_WRITE) != 0)
        stream_on_writable(s); /* s may be gone: reading must wait */
    else if ((events & EV_READ) != 0)
        on_readable(s);
}

/* ---- for doors ------------------------------------------------------------ */

void stream_send(struct stream *s, struct slice json)
{
    struct streamer *st = s->streamer;

    if (!stream_is_open(s))
        return;
    stream_clear_scratch(st);
    s->format->text(&st->scratch, s->client->state, json);
    stream_mark(st, RUN_KEPT);
    if (stream_parked(s))
        stream_send_parked(s);
    else if (stream_send_scratch(s))
        stream_watch(s); /* a client that reads no answers is not read from */
}

bool stream_received_binary(const struct stream *s)
{
    const struct stream_input *input = s->format->received;

    return input->is_binary != NULL && input->is_binary(s->client->input);
}

void stream_end(struct stream *s, enum stream_end why)
{
    stream_close(s, why);
}

void stream_hold(struct stream *s, size_t bytes)
{
    if (!stream_is_open(s))
        return;
    s->streamer->input_held += bytes - s->client->state_bytes;
    s->client->state_bytes = bytes;
}

void stream_expect(struct stream *s, struct stream_reply *r, size_t bytes)
{
    r->stream = s;
    r->bytes = bytes;
    s->client->replies_due++;
    s->client->reply_bytes += bytes;
    s->streamer->input_held += bytes;
    if (stream_is_open(s))
        stream_watch(s);
}

static void deliver_reply(struct streamer *st, struct stream_reply *r)
{
    struct stream *s = r->stream;

    s->client->replies_due--;
    s->client->reply_bytes -= r->bytes;
    st->input_held -= r->bytes;
    r->deliver(r, stream_is_open(s)); /* r is gone */
    if (stream_is_open(s))
        stream_watch(s);
    else if (s->state == STREAM_GONE)
        stream_forget(s);
}

void streamer_deliver_replies(struct streamer *st)
{
    STAILQ_HEAD(, stream_reply) ready = STAILQ_HEAD_INITIALIZER(ready);
    struct stream_reply *r;

    pthread_mutex_lock(&st->replies_mutex);
    STAILQ_CONCAT(&ready, &st->replies);
    pthread_mutex_unlock(&st->replies_mutex);
    while ((r = STAILQ_FIRST(&ready)) != NULL) {
        STAILQ_REMOVE_HEAD(&ready, entry);
        deliver_reply(st, r);
    }
}

void stream_reply_ready(struct stream_reply *r)
{
    struct streamer *st = r->stream->streamer;

    pthread_mutex_lock(&st->replies_mutex);
    STAILQ_INSERT_TAIL(&st->replies, r, entry);
    pthread_mutex_unlock(&st->replies_mutex);
    ev_async_send(st->loop, &st->wake);
}
