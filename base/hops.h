/* The eight hand-overs of a message, as USDT probes (docs/HACKING.md has
 * one-liners) and as lines of `confab trace` (base/trace.h). Each is one
 * line of code where it happens.
 *
 * The probes exist if the build found <sys/sdt.h> (Debian:
 * systemtap-sdt-dev); each is a nop until a tracer attaches. Topics are
 * (pointer, length) and begin with the token: shorten it in what you print.
 *
 *   read      connection, topic, length, payload bytes   a message arrived
 *   submit    commands                     a worker hands them to the writer
 *   commit    commands, microseconds       a transaction is on disk
 *   batch     worker, id                   a worker begins to fan a message
 *             out
 *   deliver   connection, id, payload bytes    queued for a subscriber
 *   send      connection or descriptor, bytes  written to its socket
 *   suspend   request                      an HTTP request waits for the
 *             broker
 *   resume    request, status, id          … and has its answer */
#ifndef CONFAB_BASE_HOPS_H
#define CONFAB_BASE_HOPS_H

#include "base/trace.h"

#if defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define CONFAB_USDT 1
#endif
#endif
#ifndef CONFAB_USDT
#define DTRACE_PROBE1(provider, name, a) ((void)(a))
#define DTRACE_PROBE2(provider, name, a, b) ((void)(a), (void)(b))
#define DTRACE_PROBE3(provider, name, a, b, c)                                \
    ((void)(a), (void)(b), (void)(c))
#define DTRACE_PROBE4(provider, name, a, b, c, d)                             \
    ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

static inline void hop_read(uint64_t connection, struct slice topic,
                            size_t bytes, const void *command)
{
    DTRACE_PROBE4(confab, read, connection, topic.data, topic.len, bytes);
    if (trace_is_on())
        trace_record(TRACE_READ, connection, topic, 0, (uintptr_t)command,
                     bytes);
}

/* A trace line for one submitted message; hop_submit_all() is the probe for
 * all. */
static inline void hop_submit(unsigned worker, struct slice topic,
                              size_t bytes, const void *command)
{
    if (trace_is_on())
        trace_record(TRACE_SUBMIT, worker, topic, 0, (uintptr_t)command,
                     bytes);
}

static inline void hop_submit_all(size_t commands)
{
    DTRACE_PROBE1(confab, submit, commands);
}

/* A trace line for one committed message. */
static inline void hop_commit(struct slice topic, uint64_t id, size_t bytes,
                              const void *command)
{
    if (trace_is_on())
        trace_record(TRACE_COMMIT, 0, topic, id, (uintptr_t)command, bytes);
}

static inline void hop_commit_all(size_t commands, int64_t us)
{
    DTRACE_PROBE2(confab, commit, commands, us);
}

static inline void hop_batch(unsigned worker, struct slice topic, uint64_t id,
                             size_t bytes)
{
    DTRACE_PROBE2(confab, batch, worker, id);
    if (trace_is_on())
        trace_record(TRACE_BATCH, worker, topic, id, 0, bytes);
}

static inline void hop_deliver(uint64_t connection, struct slice topic,
                               uint64_t id, size_t bytes)
{
    DTRACE_PROBE3(confab, deliver, connection, id, bytes);
    if (trace_is_on())
        trace_record(TRACE_DELIVER, connection, topic, id, 0, bytes);
}

static inline void hop_send(uint64_t connection, struct slice token,
                            size_t bytes)
{
    DTRACE_PROBE2(confab, send, connection, bytes);
    if (trace_is_on())
        trace_record(TRACE_SEND, connection, token, 0, 0, bytes);
}

static inline void hop_suspend(const void *request, struct slice topic,
                               size_t bytes)
{
    DTRACE_PROBE1(confab, suspend, request);
    if (trace_is_on())
        trace_record(TRACE_SUSPEND, 0, topic, 0, (uintptr_t)request, bytes);
}

static inline void hop_resume(const void *request, int status,
                              struct slice topic, uint64_t id, size_t bytes)
{
    DTRACE_PROBE3(confab, resume, request, status, id);
    if (trace_is_on())
        trace_record(TRACE_RESUME, 0, topic, id, (uintptr_t)request, bytes);
}

/* A message reaches a streamer, for its streams. */
static inline void hop_stream_deliver(struct slice topic, uint64_t id,
                                      size_t bytes)
{
    DTRACE_PROBE3(confab, deliver, 0, id, bytes);
    if (trace_is_on())
        trace_record(TRACE_STREAM_DELIVER, 0, topic, id, 0, bytes);
}

/* `id`: of the last message in these bytes. */
static inline void hop_stream_send(int fd, struct slice token, uint64_t id,
                                   size_t bytes)
{
    DTRACE_PROBE2(confab, send, fd, bytes);
    if (trace_is_on())
        trace_record(TRACE_STREAM_SEND, (uint64_t)fd, token, id, 0, bytes);
}

#endif
