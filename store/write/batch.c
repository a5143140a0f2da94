#include "store/batch.h"

#include <stdlib.h>

struct batch *batch_new(size_t capacity)
{
    struct batch *b = malloc(sizeof(*b) + capacity * sizeof(b->messages[0]));

    if (b == NULL)
        return NULL;
    atomic_init(&b->refs, 1);
    b->head = 0;
    b->count = b->events = b->bytes = 0;
    return b;
}

void batch_add(struct batch *b, struct message *m)
{
    b->messages[b->count++] = m;
    b->events += m->kind != MESSAGE_MESSAGE;
    b->bytes += message_size(m);
}

void batch_ref(struct batch *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
}

void batch_unref(struct batch *b)
{
    if (b == NULL)
        return;
    /* Acquire and release: nobody frees it before others have finished reading. */
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < b->count; i++)
        message_unref(b->messages[i]);
    free(b);
}
