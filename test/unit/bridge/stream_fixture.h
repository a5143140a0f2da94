/* Streams over socket pairs, a real store and writer, and in place of the link
 * a broker that the test plays: link_subscribe() below only notes what is asked
 * for, pump() answers. The test's thread is the link's.
 *
 * Definitions: included once by each program, since no library may stand in the
 * link's place. */
#ifndef CONFAB_TEST_UNIT_BRIDGE_STREAM_FIXTURE_H
#define CONFAB_TEST_UNIT_BRIDGE_STREAM_FIXTURE_H

#include "bridge/stream/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "bridge/stream/format/sse.h"
#include "test/unit/store/writing.h"

/* Stands for the response head, which is never in a chunk. */
#define HEAD "HTTP/1.1 200 OK\r\n\r\n"
#define REVOKED "$events/+/revoked/#"
#define PATIENCE_US (5 * SECOND)

/* ---- in place of the link ------------------------------------------------ */

struct filter {
    char text[128];
    enum { ASKED, STANDS, GONE } state;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct filter filters[4096];
static size_t filter_count;
static bool up, silent; /* silent: no SUBACK but for REVOKED */
static struct link_opts link_opts;

bool link_subscribe(struct link *l, struct slice filter)
{
    bool ok = false;

    (void)l;
    pthread_mutex_lock(&mutex);
    if (up && filter_count < sizeof(filters) / sizeof(filters[0])) {
        struct filter *f = &filters[filter_count++];
        snprintf(f->text, sizeof(f->text), "%.*s", (int)filter.len,
                 (const char *)filter.data);
        f->state = ASKED;
        ok = true;
    }
    pthread_mutex_unlock(&mutex);
    return ok;
}

bool link_unsubscribe(struct link *l, struct slice filter)
{
    (void)l;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < filter_count; i++)
        if (slice_eq(slice_str(filters[i].text), filter))
            filters[i].state = GONE;
    pthread_mutex_unlock(&mutex);
    return true;
}

/* The next filter to be answered; "": none. */
static inline void next_asked(char *ret_text)
{
    ret_text[0] = 0;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < filter_count && ret_text[0] == 0; i++) {
        struct filter *f = &filters[i];
        if (f->state != ASKED || (silent && strcmp(f->text, REVOKED) != 0))
            continue;
        f->state = STANDS;
        strcpy(ret_text, f->text);
    }
    pthread_mutex_unlock(&mutex);
}

static inline void pump(void)
{
    char text[128];

    for (next_asked(text); text[0] != 0; next_asked(text))
        link_opts.on_subscribed(link_opts.arg, slice_str(text), true);
}

static inline bool is_subscribed(const char *topic)
{
    bool found = false;

    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < filter_count && !found; i++)
        found = filters[i].state == STANDS &&
                filter_matches(slice_str(filters[i].text), slice_str(topic));
    pthread_mutex_unlock(&mutex);
    return found;
}

static inline void link_goes_up(void)
{
    static uint64_t generation;

    pthread_mutex_lock(&mutex);
    filter_count = 0;
    up = true;
    pthread_mutex_unlock(&mutex);
    link_opts.on_up(link_opts.arg, ++generation);
    pump();
}

static inline void link_goes_down(void)
{
    pthread_mutex_lock(&mutex);
    up = false;
    filter_count = 0;
    pthread_mutex_unlock(&mutex);
    link_opts.on_down(link_opts.arg);
}

/* ---- fixture ------------------------------------------------------------- */

static struct writing w;
static struct streams *streams;
static int some_link; /* never looked into */

static inline int open_all(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    writing_open(&w, 0);
    silent = false;
    filter_count = 0;
    streams = streams_start(&w.config, w.store, NULL, 2);
    assert_non_null(streams);
    streams_link_opts(streams, &link_opts);
    link_goes_up();
    streams_set_link(streams, (struct link *)&some_link);
    pump();
    return 0;
}

static inline void *stop_streams(void *arg)
{
    (void)arg;
    streams_stop(streams);
    streams_free(streams);
    streams = NULL;
    return NULL;
}

static inline int close_all(void **state)
{
    (void)state;
    stop_streams(NULL);
    writing_close(&w);
    return 0;
}

static inline struct command store(const char *topic, const char *payload)
{
    struct sent *s = new_append(topic, payload);

    /* A broker's worker classifies. */
    s->c.message->payload_class =
        (uint8_t)payload_classify(s->c.message->payload);
    const struct command c = run(&w, s);
    assert_result(c, OK);
    return c;
}

/* Stored, and on the link if it is up and subscribed. */
static inline struct command say(const char *topic, const char *payload)
{
    const struct command c = store(topic, payload);
    const struct link_message m = {
        .topic = slice_str(topic),
        .payload = slice_str(payload),
        .id = c.id,
        .seq = c.seq,
        .at_us = c.at_us,
    };

    pump();
    if (up && is_subscribed(topic))
        link_opts.on_message(link_opts.arg, &m);
    return c;
}

/* How the readers of the tests that run now have their streams. */
static const struct stream_format *format = &sse_chunked;

struct reader {
    int fd;
    const struct stream_format *format;
    struct buffer raw; /* not taken out of its chunk yet */
    struct buffer got; /* without chunks */
    size_t checked;    /* bytes of `got` that were expected */
    size_t chunks;     /* that came */
    bool complete;     /* the last chunk came */
    bool ended;
};

static inline uint64_t head(void)
{
    struct store_stats stats;

    assert_int_equal(store_stats(w.store, &stats), STORE_OK);
    return stats.head;
}

static inline bool adopt(struct reader *r, const struct stream_opts *opts)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    *r = (struct reader){.fd = fds[0], .format = opts->format};
    if (streams_adopt(streams, fds[1], opts) == STREAMS_ADOPTED)
        return true;
    close(fds[0]);
    close(fds[1]);
    return false;
}

/* `things`: one, or several separated by a space. */
static inline struct stream_opts options(const char *plan, const char *things)
{
    static struct slice list[8];
    static char text[256];
    struct stream_opts o = {
        .token = slice_str("tok"),
        .things = list,
        .plan = writing_plan(&w, plan),
        .head = head(),
        .format = format,
        .response_head = slice_str(HEAD),
    };

    snprintf(text, sizeof(text), "%s", things);
    for (char *at = strtok(text, " "); at != NULL; at = strtok(NULL, " "))
        list[o.thing_count++] = slice_str(at);
    return o;
}

static inline void drop_raw(struct reader *r, size_t len)
{
    memmove(r->raw.data, r->raw.data + len, r->raw.len - len);
    r->raw.len -= len;
}

/* One whole event, or comment, and nothing more. */
static inline void check_event(const char *text, size_t len)
{
    assert_true(len > 2);
    assert_ptr_equal(memmem(text, len, "\n\n", 2), text + len - 2);
}

/* false: it is not all there. */
static inline bool take_chunk(struct reader *r)
{
    char *line_end = memmem(r->raw.data, r->raw.len, "\r\n", 2), *digits_end;

    if (line_end == NULL)
        return false;
    assert_false(r->complete);
    assert_true(line_end - r->raw.data <= 8);
    const size_t head = (size_t)(line_end + 2 - r->raw.data);
    const size_t len = strtoul(r->raw.data, &digits_end, 16);
    assert_ptr_equal(digits_end, line_end);
    if (r->raw.len < head + len + 2)
        return false;
    assert_memory_equal(r->raw.data + head + len, "\r\n", 2);
    r->complete = len == 0;
    if (len > 0) {
        check_event(r->raw.data + head, len);
        buffer_put(&r->got, r->raw.data + head, len);
        r->chunks++;
    }
    drop_raw(r, head + len + 2);
    return true;
}

static inline void take_raw(struct reader *r)
{
    size_t plain = r->raw.len;

    if (r->format == &sse_chunked)
        plain = r->got.len > 0              ? 0
                : r->raw.len < strlen(HEAD) ? 0
                                            : strlen(HEAD);
    if (plain > 0) {
        buffer_put(&r->got, r->raw.data, plain);
        drop_raw(r, plain);
    }
    while (r->format == &sse_chunked && r->got.len > 0 && take_chunk(r))
        ;
}

static inline void read_some(struct reader *r)
{
    char bytes[65536];
    ssize_t n;

    while ((n = recv(r->fd, bytes, sizeof(bytes), 0)) > 0) {
        buffer_put(&r->raw, bytes, (size_t)n);
        take_raw(r);
    }
    if (n == 0)
        r->ended = true;
}

/* The very next bytes are these; waits for them. */
static inline void expect(struct reader *r, const char *text)
{
    const size_t len = strlen(text);
    const int64_t until_us = clock_mono_us() + PATIENCE_US;

    while (r->got.len < r->checked + len && !r->ended &&
           clock_mono_us() < until_us) {
        pump();
        read_some(r);
        usleep(500);
    }
    buffer_put_char(&r->got, 0);
    r->got.len--;
    if (r->got.len < r->checked + len ||
        memcmp(r->got.data + r->checked, text, len) != 0)
        assert_string_equal(r->got.data + r->checked, text);
    r->checked += len;
}

/* On a slow machine a stream may be quiet for as long as its plan's keepalive. */
static inline void skip_keepalives(struct reader *r)
{
    const struct slice comment = slice_str(": keepalive\n\n");

    while (r->got.len - r->checked >= comment.len &&
           memcmp(r->got.data + r->checked, comment.data, comment.len) == 0)
        r->checked += comment.len;
}

static inline void expect_nothing(struct reader *r, int64_t us)
{
    const int64_t until_us = clock_mono_us() + us;

    while (clock_mono_us() < until_us) {
        pump();
        read_some(r);
        usleep(1000);
    }
    buffer_put_char(&r->got, 0);
    r->got.len--;
    skip_keepalives(r);
    assert_string_equal(r->got.data + r->checked, "");
}

/* The server said that this was all, as far as the framing can say so. */
static inline void expect_complete(const struct reader *r)
{
    assert_int_equal(r->complete, r->format == &sse_chunked);
    assert_int_equal(r->raw.len, 0);
}

/* The answer was cut off after an event. */
static inline void expect_cut_off(const struct reader *r)
{
    assert_false(r->complete);
    assert_int_equal(r->raw.len, 0);
}

static inline void expect_end(struct reader *r)
{
    const int64_t until_us = clock_mono_us() + PATIENCE_US;

    while (!r->ended && clock_mono_us() < until_us) {
        pump();
        read_some(r);
        usleep(500);
    }
    assert_true(r->ended);
    assert_int_equal(r->got.len, r->checked);
}

static inline void expect_message(struct reader *r, const struct command *c,
                                  const char *thing, const char *payload)
{
    struct buffer b = BUFFER_INIT;

    sse_put_message(&b, slice_str("tok"), slice_str(thing), slice_str(payload),
                    payload_classify(slice_str(payload)), c->id, c->at_us);
    buffer_put_char(&b, 0);
    expect(r, b.data);
    buffer_release(&b);
}

static inline void hang_up(struct reader *r)
{
    close(r->fd);
    buffer_release(&r->raw);
    buffer_release(&r->got);
}

static inline void wait_for_count(size_t count)
{
    const int64_t until_us = clock_mono_us() + PATIENCE_US;

    while (streams_count(streams) != count && clock_mono_us() < until_us)
        usleep(1000);
    assert_int_equal(streams_count(streams), count);
}

#define CONNECTED "event: status\ndata: {\"type\":\"connected\"}\n\n"

/* The tests with streams in chunks, then in HTTP/1.0's way. FRAMING in the
 * environment picks one of them: ctest runs both at the same time. */
static inline int run_in_framing(const struct stream_format *which,
                                 const char *name,
                                 const struct CMUnitTest *tests, size_t count)
{
    const char *only = getenv("FRAMING");

    if (only != NULL && strcmp(only, name) != 0)
        return 0;
    format = which;
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

#define RUN_IN_BOTH_FRAMINGS(tests)                                           \
    (run_in_framing(&sse_chunked, "chunked", tests,                           \
                    sizeof(tests) / sizeof((tests)[0])) +                     \
     run_in_framing(&sse_until_close, "until_close", tests,                   \
                    sizeof(tests) / sizeof((tests)[0])))

static inline void listen_to(struct reader *r, const char *things)
{
    const struct stream_opts o = options("paid", things);

    assert_true(adopt(r, &o));
    expect(r, HEAD CONNECTED);
}

static inline void listen_after(struct reader *r, const char *things,
                                uint64_t cursor)
{
    struct stream_opts o = options("paid", things);

    o.has_cursor = true;
    o.cursor = cursor;
    assert_true(adopt(r, &o));
    expect(r, HEAD CONNECTED);
}

#endif
