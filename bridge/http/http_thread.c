/* What any part of a thread may ask of it: to be woken, to hand over a request
 * that has its answer, to forget a socket, to free what was closed. */
#include <stdlib.h>
#include <sys/epoll.h>

#include "bridge/http/http_private.h"

void http_reap(struct http_thread *t)
{
    struct http_connection *c;

    while ((c = TAILQ_FIRST(&t->lists[PHASE_CLOSED])) != NULL) {
        TAILQ_REMOVE(&t->lists[PHASE_CLOSED], c, in_list);
        free(c);
    }
}

void http_wake(struct http_thread *t)
{
    ev_async_send(t->loop, &t->wake);
}

/* libev leaves forgetting to close(). Here that would not do: at the next event
 * it would find a closed descriptor, or another thread's, and make its epoll
 * instance anew, with a system call for each connection of the thread. It tells
 * the number of the instance only to who embeds the loop in another. */
void http_forget(struct http_thread *t, int fd)
{
    struct ev_embed embed;
    struct epoll_event unused = {0};

    if (ev_backend(t->loop) != EVBACKEND_EPOLL)
        return;
    ev_embed_init(&embed, NULL, t->loop);
    ev_embed_start(t->never_run, &embed);
    const int instance = embed.io.fd;
    ev_embed_stop(t->never_run, &embed);
    epoll_ctl(instance, EPOLL_CTL_DEL, fd, &unused);
}

void http_post_resumed(struct http_request *q)
{
    struct http_thread *t = q->connection->thread;
    struct http_request *head = atomic_load(&t->resumed);

    do
        q->next_resumed = head;
    while (!atomic_compare_exchange_weak(&t->resumed, &head, q));
    if (head == NULL)
        http_wake(t);
}
