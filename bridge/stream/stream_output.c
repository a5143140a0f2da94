#include "bridge/stream/stream_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PIECES 64         /* of one sendmsg() */
#define FLUSH_MOST 262144 /* bytes of one output_flush() */

/* ---- runs ---------------------------------------------------------------- */

struct run *run_new(size_t *held)
{
    struct run *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->refs = 1;
    r->held = held;
    return r;
}

struct run *run_ref(struct run *r)
{
    r->refs++;
    return r;
}

void run_unref(struct run *r)
{
    if (r == NULL || --r->refs > 0)
        return;
    *r->held -= r->cap;
    free(r->bytes);
    free(r->marks);
    free(r);
}

static bool reserve_bytes(struct run *r, size_t more)
{
    /* For the first event exactly what it needs: most runs have only one. */
    size_t cap = r->cap == 0 ? more : r->cap * 2;

    if (more <= r->cap - r->len)
        return true;
    if (cap < r->len + more)
        cap = r->len + more;
    char *bytes = realloc(r->bytes, cap);
    if (bytes == NULL)
        return false;
    *r->held += cap - r->cap;
    r->bytes = bytes;
    r->cap = cap;
    return true;
}

static bool reserve_mark(struct run *r)
{
    const size_t cap = r->mark_cap == 0 ? 1 : r->mark_cap * 2;

    if (r->count < r->mark_cap)
        return true;
    struct run_mark *marks = realloc(r->marks, cap * sizeof(*marks));
    if (marks == NULL)
        return false;
    r->marks = marks;
    r->mark_cap = cap;
    return true;
}

bool run_append(struct run *r, uint64_t id, struct slice event)
{
    if (!reserve_mark(r) || !reserve_bytes(r, event.len))
        return false;
    if (event.len > 0)
        memcpy(r->bytes + r->len, event.data, event.len);
    r->len += event.len;
    r->marks[r->count++] = (struct run_mark){id, r->len};
    return true;
}

size_t run_offset_after(const struct run *r, uint64_t id)
{
    size_t i = r->count;

    /* From the end: most callers lack only the last few events. */
    while (i > 0 && r->marks[i - 1].id > id)
        i--;
    return i == 0 ? 0 : r->marks[i - 1].end;
}

/* ---- outputs ------------------------------------------------------------- */

static struct output_segment *segment_at(const struct output *o, unsigned i)
{
    return &o->segments[(o->first + i) % o->cap];
}

static void drop_first(struct output *o)
{
    struct output_segment *s = segment_at(o, 0);

    o->bytes -= (uint32_t)(s->to - s->from);
    run_unref(s->run);
    o->first = (o->first + 1) % o->cap;
    o->count--;
}

void output_release(struct output *o)
{
    while (o->count > 0)
        drop_first(o);
    free(o->segments);
    *o = (struct output){0};
}

static bool grow_segments(struct output *o)
{
    const unsigned cap = o->cap == 0 ? 4 : o->cap * 2;
    struct output_segment *wider = malloc(cap * sizeof(*wider));

    if (wider == NULL)
        return false;
    for (unsigned i = 0; i < o->count; i++)
        wider[i] = *segment_at(o, i);
    free(o->segments);
    o->segments = wider;
    o->first = 0;
    o->cap = cap;
    return true;
}

bool output_push(struct output *o, struct run *run, size_t from, size_t to)
{
    if (o->count > 0) {
        struct output_segment *last = segment_at(o, o->count - 1);
        if (last->run == run && last->to == from) { /* the run has grown */
            last->to = to;
            o->bytes += (uint32_t)(to - from);
            return true;
        }
    }
    if (o->count == o->cap && !grow_segments(o))
        return false;
    o->count++;
    *segment_at(o, o->count - 1) =
        (struct output_segment){run_ref(run), from, to};
    o->bytes += (uint32_t)(to - from);
    return true;
}

static size_t gather_pieces(const struct output *o, struct iovec *iov)
{
    size_t n = 0;

    for (unsigned i = 0; i < o->count && n < PIECES; i++) {
        const struct output_segment *s = segment_at(o, i);
        iov[n++] = (struct iovec){s->run->bytes + s->from, s->to - s->from};
    }
    return n;
}

static void output_advance(struct output *o, size_t sent)
{
    while (o->count > 0) {
        struct output_segment *s = segment_at(o, 0);
        const size_t part = sent < s->to - s->from ? sent : s->to - s->from;
        s->from += part;
        o->bytes -= (uint32_t)part;
        sent -= part;
        if (s->from < s->to)
            return;
        drop_first(o);
    }
}

enum output_result output_flush(struct output *o, int fd, size_t *ret_sent)
{
    struct iovec iov[PIECES];

    *ret_sent = 0;
    while (o->count > 0) {
        struct msghdr m = {.msg_iov = iov,
                           .msg_iovlen = gather_pieces(o, iov)};
        const ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? OUTPUT_BLOCKED : OUTPUT_BROKEN;
        output_advance(o, (size_t)n);
        *ret_sent += (size_t)n;
        if (*ret_sent >= FLUSH_MOST && o->count > 0)
            return OUTPUT_BLOCKED; /* now others have their turn */
    }
    output_release(o);
    return OUTPUT_EMPTY;
}

static void segment_each(const struct output_segment *s,
                         void (*each)(void *arg, struct slice event),
                         void *arg)
{
    size_t start = 0;

    for (size_t i = 0; i < s->run->count && start < s->to; i++) {
        const size_t end = s->run->marks[i].end;
        if (start >= s->from && end > start)
            each(arg, slice_of(s->run->bytes + start, end - start));
        start = end;
    }
}

void output_each(const struct output *o,
                 void (*each)(void *arg, struct slice event), void *arg)
{
    for (unsigned i = 0; i < o->count; i++)
        segment_each(segment_at(o, i), each, arg);
}

/* The start of the first event in s that may be dropped, and its id. */
static bool first_droppable(const struct output_segment *s, size_t *ret_start,
                            uint64_t *ret_id)
{
    size_t start = 0;

    for (size_t i = 0; i < s->run->count && start < s->to; i++) {
        const struct run_mark *m = &s->run->marks[i];
        const bool sent = m->end <= s->from;
        const bool begun = !sent && s->from > start;
        if (!sent && !begun && m->id != RUN_KEPT) {
            *ret_start = start;
            *ret_id = m->id;
            return true;
        }
        start = m->end;
    }
    return false;
}

/* Whether a segment has only what must not be dropped. */
static bool is_kept(const struct output_segment *s)
{
    for (size_t i = 0; i < s->run->count; i++)
        if (s->run->marks[i].id != RUN_KEPT)
            return false;
    return true;
}

/* Drops the segments from `first` on that hold messages. */
static void drop_messages(struct output *o, unsigned first)
{
    unsigned kept = first;

    for (unsigned i = first; i < o->count; i++) {
        struct output_segment *s = segment_at(o, i);
        if (is_kept(s) && s->from < s->to) {
            *segment_at(o, kept++) = *s;
            continue;
        }
        o->bytes -= (uint32_t)(s->to - s->from);
        run_unref(s->run);
    }
    o->count = kept;
}

bool output_cut(struct output *o, uint64_t *ret_position)
{
    for (unsigned i = 0; i < o->count; i++) {
        struct output_segment *s = segment_at(o, i);
        size_t start;
        uint64_t id;
        if (!first_droppable(s, &start, &id))
            continue;
        o->bytes -= (uint32_t)(s->to - start);
        s->to = start;
        drop_messages(o, s->from == s->to ? i : i + 1);
        *ret_position = id - 1;
        return true;
    }
    return false;
}
