/* bench_floor: the smallest honest server. Every message is on disk (LMDB,
 * group commit, default flags) before it is acknowledged and sent to readers;
 * there are no limits, sessions or errors, and history is all there is. What it
 * reaches is what this machine and disk allow, and what Confab's figures are a
 * share of. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "benchmarks/floor/setup.h"
#include "benchmarks/floor/worker.h"
#include "benchmarks/measure/fatal.h"

static struct floor_worker **workers;
static unsigned worker_count;
static struct committer *committer;

/* The worker an answer belongs to, as an index. */
static unsigned worker_of(const struct floor_entry *e)
{
    const struct floor_conn *c = e->from;
    unsigned i = 0;

    while (workers[i] != c->worker)
        i++;
    return i;
}

static void on_committed(struct entry_list *batch)
{
    struct entry_list answers[worker_count];

    fanout(workers, worker_count, batch);
    for (unsigned i = 0; i < worker_count; i++)
        STAILQ_INIT(&answers[i]);
    while (!STAILQ_EMPTY(batch)) {
        struct floor_entry *e = STAILQ_FIRST(batch);

        STAILQ_REMOVE_HEAD(batch, next);
        if (e->from != NULL)
            STAILQ_INSERT_TAIL(&answers[worker_of(e)], e, next);
        else
            free(e);
    }
    for (unsigned i = 0; i < worker_count; i++)
        worker_give_answers(workers[i], &answers[i]);
}

/* Connections go to the workers in turn. */
static void accept_all(int listener, const struct floor_door *door)
{
    static unsigned turn;
    int fd;

    while ((fd = accept4(listener, NULL, NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        worker_adopt(workers[turn++ % worker_count], fd, door, NULL);
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        fatal("accept: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    struct setup setup;
    uint16_t http_port, mqtt_port;

    /* One core is the load generator's: with as many senders as cores all
     * fan-out figures were lower on two cores. */
    const unsigned cores = setup_cores();

    setup_init(&setup, cores > 1 ? cores - 1 : 1, argc, argv);
    worker_count = setup.workers;
    workers = must_zalloc(worker_count, sizeof(struct floor_worker *));
    for (unsigned i = 0; i < worker_count; i++)
        workers[i] = worker_start(&committer);
    committer = committer_start(setup.dir, on_committed);

    struct pollfd fds[] = {
        {.fd = setup.signals, .events = POLLIN},
        {.fd = setup_listen(&http_port), .events = POLLIN},
        {.fd = setup_listen(&mqtt_port), .events = POLLIN},
    };

    printf("floor ready http=http://127.0.0.1:%u mqtt=mqtt://127.0.0.1:%u "
           "data=%s\n",
           http_port, mqtt_port, setup.dir != NULL ? setup.dir : "none");
    fflush(stdout);
    while ((fds[0].revents & POLLIN) == 0) {
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            fatal("poll: %s", strerror(errno));
        accept_all(fds[1].fd, &http_door);
        accept_all(fds[2].fd, &mqtt_door);
    }
    committer_stop(committer, stdout);
    return 0;
}
