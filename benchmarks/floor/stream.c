#include "benchmarks/floor/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "benchmarks/measure/fatal.h"

enum { CHUNKS_PER_SEND = 64 };

void chunk_unref(struct chunk *c)
{
    if (atomic_fetch_sub(&c->refs, 1) == 1) {
        free(c->data);
        free(c);
    }
}

static struct chunk **place(const struct floor_stream *s, uint64_t number)
{
    return &s->chunks[number & (s->ring - 1)];
}

void stream_join(struct floor_stream *s, struct receiver *r, int fd)
{
    if (s->count == s->cap) {
        s->cap = s->cap > 0 ? s->cap * 2 : 16;
        s->receivers =
            must_realloc(s->receivers, s->cap * sizeof(*s->receivers));
    }
    *r = (struct receiver){
        .stream = s,
        .fd = fd,
        .index = s->count,
        .chunk = s->end,
    };
    s->receivers[s->count++] = r;
}

void stream_leave(struct receiver *r)
{
    struct floor_stream *s = r->stream;
    struct receiver *last = s->receivers[--s->count];

    s->receivers[r->index] = last;
    last->index = r->index;
    r->stream = NULL;
}

static void grow_ring(struct floor_stream *s)
{
    struct floor_stream larger = *s;

    larger.ring = s->ring > 0 ? s->ring * 2 : 16;
    larger.chunks = must_zalloc(larger.ring, sizeof(*larger.chunks));
    for (uint64_t n = s->first; n < s->end; n++)
        *place(&larger, n) = *place(s, n);
    free(s->chunks);
    *s = larger;
}

void stream_append(struct floor_stream *s, struct chunk *c)
{
    if (s->end - s->first == s->ring)
        grow_ring(s);
    *place(s, s->end++) = c;
}

static void advance(struct receiver *r, size_t sent)
{
    while (sent > 0) {
        const size_t left = (*place(r->stream, r->chunk))->len - r->offset;

        if (sent < left) {
            r->offset += sent;
            return;
        }
        sent -= left;
        r->offset = 0;
        r->chunk++;
    }
}

bool receiver_flush(struct receiver *r)
{
    const struct floor_stream *s = r->stream;

    r->blocked = false;
    while (r->chunk < s->end) {
        struct iovec parts[CHUNKS_PER_SEND];
        struct msghdr message = {.msg_iov = parts};

        for (uint64_t n = r->chunk;
             n < s->end && message.msg_iovlen < CHUNKS_PER_SEND; n++) {
            const struct chunk *c = *place(s, n);
            const size_t skip = n == r->chunk ? r->offset : 0;

            parts[message.msg_iovlen++] =
                (struct iovec){c->data + skip, c->len - skip};
        }
        const ssize_t sent = sendmsg(r->fd, &message, MSG_NOSIGNAL);

        if (sent < 0) {
            r->blocked = errno == EAGAIN;
            return errno == EAGAIN;
        }
        advance(r, (size_t)sent);
    }
    return true;
}

static void drop_sent(struct floor_stream *s)
{
    uint64_t needed = s->end;

    for (size_t i = 0; i < s->count; i++)
        if (s->receivers[i]->chunk < needed)
            needed = s->receivers[i]->chunk;
    for (; s->first < needed; s->first++)
        chunk_unref(*place(s, s->first));
}

void stream_flush(struct floor_stream *s, void (*broken)(struct receiver *r))
{
    /* Backwards: who leaves is replaced by the last, which had its turn. */
    for (size_t i = s->count; i-- > 0;) {
        struct receiver *r = s->receivers[i];

        if (!r->blocked && !receiver_flush(r))
            broken(r);
    }
    drop_sent(s);
}
