#include "base/mailbox.h"

#include <pthread.h>
#include <stdlib.h>

struct mailbox {
    pthread_mutex_t mutex;
    void (*wake)(void *arg);
    void *arg;
    size_t bound;
    size_t first; /* ring index of the oldest item */
    size_t count;
    void *items[];
};

struct mailbox *mailbox_new(size_t bound, void (*wake)(void *arg), void *arg)
{
    struct mailbox *mb = malloc(sizeof(*mb) + bound * sizeof(mb->items[0]));

    if (mb == NULL)
        return NULL;
    if (pthread_mutex_init(&mb->mutex, NULL) != 0) {
        free(mb);
        return NULL;
    }
    mb->wake = wake;
    mb->arg = arg;
    mb->bound = bound;
    mb->first = mb->count = 0;
    return mb;
}

void mailbox_free(struct mailbox *mb)
{
    if (mb == NULL)
        return;
    pthread_mutex_destroy(&mb->mutex);
    free(mb);
}

bool mailbox_send(struct mailbox *mb, void *item)
{
    return mailbox_send_all(mb, &item, 1);
}

bool mailbox_send_all(struct mailbox *mb, void *const *items, size_t n)
{
    bool was_empty = false;

    pthread_mutex_lock(&mb->mutex);
    const bool sent = n <= mb->bound - mb->count;
    if (sent) {
        size_t at = mb->first + mb->count;
        if (at >= mb->bound)
            at -= mb->bound;
        for (size_t i = 0; i < n; i++) {
            mb->items[at] = items[i];
            if (++at == mb->bound)
                at = 0;
        }
        was_empty = mb->count == 0 && n > 0;
        mb->count += n;
    }
    pthread_mutex_unlock(&mb->mutex);
    /* Outside the lock, so that the receiver does not wake up and wait for
     * it. */
    if (was_empty && mb->wake != NULL)
        mb->wake(mb->arg);
    return sent;
}

size_t mailbox_receive(struct mailbox *mb, void **items, size_t max)
{
    pthread_mutex_lock(&mb->mutex);
    const size_t n = mb->count < max ? mb->count : max;
    for (size_t i = 0; i < n; i++) {
        items[i] = mb->items[mb->first];
        if (++mb->first == mb->bound)
            mb->first = 0;
    }
    mb->count -= n;
    pthread_mutex_unlock(&mb->mutex);
    return n;
}

size_t mailbox_count(struct mailbox *mb)
{
    pthread_mutex_lock(&mb->mutex);
    const size_t n = mb->count;
    pthread_mutex_unlock(&mb->mutex);
    return n;
}
