#include "test/unit/store/by_hand.h"

#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/callers.h"
#include "base/clock.h"
#include "broker/admin/admin.h"
#include "broker/client/token_connections.h"
#include "broker/session/will.h"
#include "test/unit/broker/broker_fixture.h"

static _Atomic int64_t behind_us;

static int64_t writers_clock_us(void)
{
    return clock_real_us() - atomic_load(&behind_us);
}

void by_hand_writer_behind(int64_t by_us)
{
    atomic_store(&behind_us, by_us);
}

static void on_batch(void *arg, struct batch *batch)
{
    struct hub *hub = arg;

    for (unsigned i = 0; i <= hub->count; i++)
        worker_offer(hub->workers[i], batch);
}

void by_hand_turn(void *arg)
{
    struct by_hand *h = arg;

    for (unsigned i = 0; i <= h->hub.count; i++)
        ev_run(h->workers[i]->loop, EVRUN_NOWAIT);
}

static void begin(struct by_hand *h, unsigned workers)
{
    const struct store_opts store = {.map_size = 256 << 20};
    struct store_stats stats;

    assert_in_range(workers, 1, BY_HAND_WORKERS_MAX);
    config_defaults(&h->config);
    h->config.tokens_access = ACCESS_OPEN;
    assert_int_equal(store_open(h->dir, &store, &h->store, NULL), STORE_OK);
    h->hub = (struct hub){.config = &h->config,
                          .store = h->store,
                          .workers = h->workers,
                          .count = workers,
                          .commands = &admin_commands};
    assert_true(sys_init(&h->sampler, &h->hub, clock_mono_us()));
    h->hub.token_connections = token_connections_new();
    h->hub.callers = callers_new();
    assert_non_null(h->hub.callers);
    assert_int_equal(store_stats(h->store, &stats), STORE_OK);
    for (unsigned i = 0; i <= workers; i++) {
        h->workers[i] = worker_new(&h->hub, i, stats.head);
        assert_non_null(h->workers[i]);
    }
    const struct writer_opts opts = {.config = &h->config,
                                     .commands = command_types,
                                     .on_batch = on_batch,
                                     .now_us = writers_clock_us,
                                     .arg = &h->hub};
    assert_int_equal(writer_start(h->store, &opts, &h->hub.writer), STORE_OK);
    assert_true(wills_load(&h->hub));
}

static void make_folder(struct by_hand *h)
{
    *h = (struct by_hand){.dir = "/tmp/confab-hand-XXXXXX"};
    assert_non_null(mkdtemp(h->dir));
}

void by_hand_begin(struct by_hand *h, unsigned workers)
{
    by_hand_writer_behind(0);
    make_folder(h);
    begin(h, workers);
}

/* The writer may not commit meanwhile: its queue is empty, and it is told
 * nothing. */
static void copy_data(const struct by_hand *from, const struct by_hand *to)
{
    char path[96], block[65536];
    ssize_t n;

    snprintf(path, sizeof(path), "%s/data.mdb", from->dir);
    const int in = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "%s/data.mdb", to->dir);
    const int out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, block, sizeof(block))) > 0)
        assert_int_equal(write(out, block, (size_t)n), n);
    assert_int_equal(n, 0);
    close(in);
    close(out);
}

void by_hand_after_crash(struct by_hand *h, struct by_hand *after,
                         unsigned workers)
{
    struct command last = {.kind = COMMAND_PING};

    by_hand_run(h, &last);
    make_folder(after);
    copy_data(h, after);
    begin(after, workers);
}

void by_hand_end(struct by_hand *h)
{
    struct broker_fixture folder = {.dir = ""};

    atomic_store(&h->hub.busy, h->hub.count + 1);
    atomic_store(&h->hub.phase, HUB_DRAINING);
    while (atomic_load(&h->hub.busy) > 0) /* the last saves of sessions */
        by_hand_turn(h);
    writer_stop(h->hub.writer);
    atomic_store(&h->hub.phase, HUB_CLOSING);
    while (atomic_load(&h->hub.connections) > 0)
        by_hand_turn(h);
    for (unsigned i = 0; i <= h->hub.count; i++)
        worker_free(h->workers[i]);
    writer_free(h->hub.writer);
    token_connections_free(h->hub.token_connections);
    callers_free(h->hub.callers);
    sys_release(&h->sampler);
    store_close(h->store);
    memcpy(folder.dir, h->dir, sizeof(h->dir));
    snprintf(folder.socket, sizeof(folder.socket), "%s/confab.sock", h->dir);
    broker_fixture_remove(&folder);
}

struct peer by_hand_stranger(struct by_hand *h)
{
    return by_hand_stranger_from(h, 0);
}

struct peer by_hand_stranger_from(struct by_hand *h, uint64_t address)
{
    struct peer p = {.meanwhile = by_hand_turn, .arg = h};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    p.fd = fds[0];
    struct connection *c = connection_new(fds[1], false, "guest");
    assert_non_null(c);
    c->address = address;
    atomic_fetch_add(&h->hub.connections, 1);
    connection_attach(c, h->workers[0]);
    return p;
}

struct peer by_hand_guest(struct by_hand *h, const char *client_id,
                          const char *token)
{
    struct peer p = by_hand_stranger(h);
    char text[128];

    snprintf(text, sizeof(text), "10[ ('MQTT') 04 82 0000 ('%s') ('%s') ]",
             client_id, token);
    says(&p, text);
    hears(&p, "20 02 00 00");
    return p;
}

static void on_done(struct command **c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sem_post(c[i]->owner);
}

void by_hand_run(struct by_hand *h, struct command *c)
{
    sem_t done;

    sem_init(&done, 0, 0);
    c->owner = &done;
    c->done = on_done;
    c->now_us = clock_real_us();
    assert_true(writer_submit(h->hub.writer, c));
    while (sem_wait(&done) != 0)
        ;
    assert_int_equal(c->result, RESULT_OK);
    sem_destroy(&done);
}

void by_hand_append(struct by_hand *h, const char *topic, uint8_t qos,
                    struct slice payload)
{
    const struct message from = {.topic = slice_str(topic),
                                 .qos = qos,
                                 .payload = payload};
    struct message_append args = {0};
    struct command c = {.kind = COMMAND_APPEND,
                        .args = &args,
                        .message = message_new(&from)};

    by_hand_run(h, &c);
    message_unref(c.message);
    /* done() comes before the batch is offered: one more command, and it was. */
    struct command after = {.kind = COMMAND_PING};
    by_hand_run(h, &after);
}
