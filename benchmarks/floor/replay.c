#include "benchmarks/floor/replay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "benchmarks/floor/frame.h"
#include "benchmarks/measure/fatal.h"

/* An HTTP chunk: what one send takes. Its size stands in SIZE_LEN digits in
 * front of it, leading zeros allowed (RFC 9112 §7.1). */
enum { CHUNK_SIZE = 1 << 16, SIZE_LEN = 8, SIZE_LINE_LEN = SIZE_LEN + 2 };

struct floor_replay {
    int fd;
    struct log *log;
    const struct topic *topic;
    struct bytes out;
    int64_t created_us; /* what `at` says */
    struct frame_time at;
    bool broken;
};

/* The socket does not block: its worker has it, too. */
static void send_all(struct floor_replay *r)
{
    const char *data = r->out.data;
    size_t left = r->out.len;

    while (left > 0 && !r->broken) {
        const ssize_t n = send(r->fd, data, left, MSG_NOSIGNAL);

        if (n >= 0) {
            data += n;
            left -= (size_t)n;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = r->fd, .events = POLLOUT}, 1, -1);
        } else {
            r->broken = true;
        }
    }
    bytes_clear(&r->out);
}

static void begin_chunk(struct floor_replay *r)
{
    bytes_clear(&r->out);
    bytes_reserve(&r->out, SIZE_LINE_LEN);
    r->out.len = SIZE_LINE_LEN; /* filled in when it is known */
}

static void send_chunk(struct floor_replay *r)
{
    char line[SIZE_LINE_LEN + 1];
    const unsigned size = (unsigned)(r->out.len - SIZE_LINE_LEN);

    if (r->out.len == SIZE_LINE_LEN)
        return; /* an empty one would end the answer */
    snprintf(line, sizeof(line), "%08x\r\n", size);
    memcpy(r->out.data, line, SIZE_LINE_LEN);
    bytes_put_str(&r->out, "\r\n");
    send_all(r);
}

static void put_row(void *arg, const struct floor_record *record)
{
    struct floor_replay *r = arg;

    if (r->broken || strcmp(record->topic, r->topic->name) != 0)
        return;
    if (record->created_us != r->created_us) {
        r->created_us = record->created_us;
        frame_time_set(&r->at, record->created_us);
    }
    frame_put_row(&r->out, record, &r->at);
    bytes_put_u8(&r->out, '\n');
    if (r->out.len > CHUNK_SIZE) {
        send_chunk(r);
        begin_chunk(r);
    }
}

static void *run(void *arg)
{
#define LINE(name, value) name ": " value "\r\n"
    static const char head[] = "HTTP/1.1 200 OK\r\n" FRAME_HEADERS(LINE)
        LINE("Content-Type", "application/x-ndjson")
            LINE("Transfer-Encoding", "chunked") "\r\n";
#undef LINE
    struct floor_replay *r = arg;

    bytes_put_str(&r->out, head);
    send_all(r);
    begin_chunk(r);
    log_walk(r->log, LOG_OLDEST_FIRST, UINT64_MAX, put_row, r);
    send_chunk(r);
    bytes_put_str(&r->out, "0\r\n\r\n");
    send_all(r);
    close(r->fd);
    bytes_release(&r->out);
    free(r);
    return NULL;
}

void replay_start(int fd, struct log *log, const struct topic *topic)
{
    struct floor_replay *r =
        must_zalloc(1, sizeof(*r)); /* the thread's, then */
    pthread_t thread;

    r->fd = dup(fd);
    if (r->fd < 0)
        fatal("dup: %s", strerror(errno));
    r->log = log;
    r->topic = topic;
    if (pthread_create(&thread, NULL, run, r) != 0)
        fatal("no thread for a replay");
    pthread_detach(thread);
}
