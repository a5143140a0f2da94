/* A whole session against a real worker and store: what a client sends, in
 * pieces, must never crash the broker, stop it from answering others, or leave
 * anything behind when the client is gone.
 *
 * Input: one byte of settings (bit 0: an administrator's socket, bit 1: a watcher
 * that has subscribed to everything, bit 2: a script), one byte with the length
 * of a piece (0: all at once), then the client's bytes, or the script
 * (session_script.h), in which two clients come and go. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/callers.h"
#include "base/clock.h"
#include "broker/admin/admin.h"
#include "broker/admin/sys.h"
#include "broker/client/token_connections.h"
#include "broker/worker.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/session_script.h"

#define PATIENCE_US INT64_C(10000000)
#define LISTEN_US 3000

static struct config config;
static struct worker *workers[2];
static struct hub hub = {.config = &config, .workers = workers, .count = 1};
static struct sys_sampler sampler;
static char dir[64];

/* Not assert(): a promise counts in every build. */
#define must(promise)                                                         \
    do {                                                                      \
        if (!(promise)) {                                                     \
            fprintf(stderr, "broken: %s\n", #promise);                        \
            abort();                                                          \
        }                                                                     \
    } while (0)

static void on_batch(void *arg, struct batch *batch)
{
    (void)arg;
    for (unsigned i = 0; i < 2; i++)
        worker_offer(workers[i], batch);
}

static void put_status(void *arg, struct buffer *out)
{
    (void)arg;
    buffer_put_str(out, "{}");
}

static void remove_folder(void)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "confab.lock"};
    char path[96];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* Once per process: the store and the threads live as long as it does. */
static void begin(void)
{
    /* Flushes cost nothing there, where it exists. */
    const bool shm = access("/dev/shm", W_OK) == 0;
    const struct store_opts store = {.map_size = 64 << 20};
    const struct writer_opts writer = {.config = &config,
                                       .commands = command_types,
                                       .on_batch = on_batch};

    snprintf(dir, sizeof(dir), "%s/confab-fuzz-XXXXXX",
             shm ? "/dev/shm" : "/tmp");
    must(mkdtemp(dir) != NULL);
    atexit(remove_folder);
    config_defaults(&config);
    config.tokens_access = ACCESS_OPEN;
    for (size_t i = 0; i < CONFIG_PLANS_MAX; i++)
        config.plans[i].retention_count = 64; /* or the store would fill up */
    must(store_open(dir, &store, &hub.store, NULL) == STORE_OK);
    hub.token_connections = token_connections_new();
    hub.callers = callers_new();
    hub.status = put_status;
    hub.commands = &admin_commands;
    must(sys_init(&sampler, &hub, 0));
    for (unsigned i = 0; i < 2; i++) {
        workers[i] = worker_new(&hub, i, 0);
        must(workers[i] != NULL);
    }
    must(writer_start(hub.store, &writer, &hub.writer) == STORE_OK);
}

static void turn(void)
{
    ev_run(workers[0]->loop, EVRUN_NOWAIT);
    ev_run(workers[1]->loop, EVRUN_NOWAIT);
}

static int enter(bool as_admin)
{
    int fds[2];

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    must(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    must(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
    struct connection *c = connection_new(fds[1], as_admin, "fuzz");
    must(c != NULL);
    atomic_fetch_add(&hub.connections, 1);
    connection_attach(c, workers[as_admin]);
    return fds[0];
}

static void swallow(int fd)
{
    char bytes[4096];

    while (recv(fd, bytes, sizeof(bytes), 0) > 0)
        ;
}

/* Sends it piece by piece; false: the broker has closed. */
static bool say(int fd, const void *data, size_t size, size_t piece)
{
    const char *at = data;

    while (size > 0) {
        const size_t len = piece == 0 || piece > size ? size : piece;
        const ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        const bool closed = n < 0 && errno != EAGAIN;
        turn();
        swallow(fd);
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        } else if (closed) {
            return false;
        }
    }
    return true;
}

static const char watcher_says[] =
    "\x10\x14\0\4MQTT\5\x02\0\0\0\0\7watcher" /* CONNECT */
    "\x82\7\0\1\0\0\1#\1";                    /* SUBSCRIBE, QoS 1 */

/* Messages may come behind the answer: asks again until it is the last. */
static bool hears_pingresp(int fd)
{
    const int64_t until = clock_mono_us() + PATIENCE_US;
    char bytes[4096], last[2] = {0};

    for (unsigned turns = 0; clock_mono_us() < until; turns++) {
        if (turns % 64 == 0)
            (void)send(fd, "\xc0", 2, MSG_NOSIGNAL);
        turn();
        const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n >= 2)
            memcpy(last, bytes + n - 2, 2);
        else if (n == 1)
            last[0] = last[1], last[1] = bytes[0];
        else if (n == 0)
            return false;
        if (last[0] == '\xd0' && last[1] == 0)
            return true;
    }
    return false;
}

/* Whether a packet that begins so comes first. */
static bool hears(int fd, char first)
{
    const int64_t until = clock_mono_us() + PATIENCE_US;
    char got;

    while (clock_mono_us() < until) {
        turn();
        const ssize_t n = recv(fd, &got, 1, 0);
        if (n >= 0)
            return n == 1 && got == first;
    }
    return false;
}

/* Sessions may stay in the store, those of wipe()'s names excepted; in memory a
 * connection leaves nothing. */
static void await_nobody(void)
{
    const int64_t until = clock_mono_us() + PATIENCE_US;

    while (atomic_load(&hub.connections) > 0 ||
           !credits_all_back(&workers[0]->credits) ||
           !credits_all_back(&workers[1]->credits)) {
        turn();
        must(clock_mono_us() < until);
    }
    for (unsigned i = 0; i < 2; i++) {
        for (int pool = 0; pool < HELD_POOL_COUNT; pool++)
            must(workers[i]->held[pool] == 0);
        must(workers[i]->holders == NULL);
        must(workers[i]->held[HELD_FILTERS] == 0);
        must(subscription_index_count(workers[i]->index) == 0);
        must(workers[i]->pool.exact_bytes == 0);
    }
}

/* ---- scripts ------------------------------------------------------------- */

/* Answers wait for a commit; when nothing at all comes, the script goes on. */
static void listen_to(int fd)
{
    const int64_t until = clock_mono_us() + LISTEN_US;
    char bytes[4096];

    do {
        turn();
        const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n >= 0)
            return;
    } while (clock_mono_us() < until);
}

static void drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    turn();
}

static void play(const uint8_t *data, size_t size, bool as_admin, size_t piece)
{
    int clients[2] = {-1, -1};
    unsigned who = 0;

    for (size_t at = 0; at < size;) {
        const size_t len = script_item(data + at, size - at);
        int *fd = &clients[who];
        const uint8_t *item = data + at;
        at += len;
        switch (item[0]) {
        case SCRIPT_DROP: drop(fd); continue;
        case SCRIPT_SWITCH: who = !who; continue;
        case SCRIPT_LISTEN:
            if (*fd >= 0)
                listen_to(*fd);
            continue;
        }
        if (*fd < 0)
            *fd = enter(as_admin);
        if (!say(*fd, item, len, piece))
            drop(fd);
    }
    for (unsigned i = 0; i < 2; i++)
        drop(&clients[i]);
}

/* Ends what stored sessions a script may have left under the names that scripts
 * use, with their wills and their place in groups, so that each input finds the
 * same server. */
static void wipe(void)
{
    static const char *const tokens[] = {"t", "u", NULL}, *const ids = "ab";

    for (size_t t = 0; t < sizeof(tokens) / sizeof(tokens[0]); t++) {
        for (const char *id = ids; *id != '\0'; id++) {
            char connect[] = "\x10\x11\0\4MQTT\5\x82\0\0\0\0\1?\0\1?";
            connect[15] = *id;
            if (tokens[t] != NULL) {
                connect[18] = tokens[t][0];
            } else {
                connect[1] = 0x0e; /* nameless */
                connect[9] = 0x02;
            }
            const int fd = enter(false);
            say(fd, connect, 2 + (size_t)connect[1], 0);
            must(hears(fd, '\x20')); /* CONNACK */
            close(fd);
        }
    }
}

/* ---- an input ------------------------------------------------------------ */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;
    int watcher = -1;

    if (!begun)
        begin();
    begun = true;
    if (size < 2)
        return 0;
    if (data[0] & 2) {
        watcher = enter(false);
        say(watcher, watcher_says, sizeof(watcher_says) - 1, 0);
    }
    if (data[0] & SCRIPT_FLAG) {
        play(data + 2, size - 2, data[0] & 1, data[1]);
    } else {
        const int fd = enter(data[0] & 1);
        say(fd, data + 2, size - 2, data[1]);
        close(fd);
    }
    if (watcher >= 0) {
        if (memmem(data, size, "watcher", 7) == NULL) /* its place was taken */
            must(hears_pingresp(watcher));
        close(watcher);
    }
    if (data[0] & SCRIPT_FLAG)
        wipe();
    await_nobody();
    return 0;
}
