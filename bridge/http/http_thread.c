/* What all parts of the HTTP front may ask of a thread: to wake up, to accept a request
 * that has been answered, to forget a socket, to free closed connections. */
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

/* libev relies on close() to make epoll forget a descriptor. Here a duplicate lives on,
 * so at its next event libev would find a closed descriptor, or one of another thread,
 * and would rebuild its epoll instance, with a system call for each connection of the
 * thread. libev reveals the instance's descriptor only to loops that embed it. */
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
