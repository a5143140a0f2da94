/* The line that a thread logs on SIGUSR1. */
#include "base/log.h"
#include "bridge/http/http_private.h"

#define LOOKS 20000 /* connections to count in each list, at most */

static size_t count_list(const struct http_connections *list)
{
    const struct http_connection *c;
    size_t n = 0;

    TAILQ_FOREACH (c, list, in_list)
        if (++n == LOOKS)
            break;
    return n;
}

static unsigned number_of(const struct http_thread *t)
{
    unsigned i = 0;

    while (i < t->server->count && t->server->threads[i] != t)
        i++;
    return i;
}

void http_log_state(const struct http_thread *t)
{
    size_t n[LIST_COUNT];

    for (unsigned i = 0; i < LIST_COUNT; i++)
        n[i] = count_list(&t->lists[i]);
    log_info(
        "state",
        "http %u: connections: %zu idle, %zu sending a head, %zu sending a "
        "body, %zu waiting for their answer, %zu reading it, %zu "
        "lingering, %zu in the reserve (each counted to 20000); %u requests "
        "of all threads not answered",
        number_of(t), n[PHASE_IDLE], n[PHASE_HEAD], n[PHASE_BODY],
        n[PHASE_HANDLING], n[PHASE_ANSWERING], n[PHASE_LINGERING],
        n[LIST_RESERVE], atomic_load(&t->server->pending));
}
