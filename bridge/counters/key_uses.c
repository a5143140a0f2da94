#include "bridge/counters/key_uses.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct key_uses {
    pthread_mutex_t mutex;
    size_t count;
    unsigned char hashes[KEYS_USED_MAX][SECRET_HASH_BYTES];
};

struct key_uses *key_uses_new(void)
{
    struct key_uses *u = calloc(1, sizeof(*u));

    if (u != NULL)
        pthread_mutex_init(&u->mutex, NULL);
    return u;
}

void key_uses_free(struct key_uses *u)
{
    if (u == NULL)
        return;
    pthread_mutex_destroy(&u->mutex);
    free(u);
}

/* A walk over a few hashes: keys are here for a second an hour. */
void key_uses_add(struct key_uses *u,
                  const unsigned char hash[SECRET_HASH_BYTES])
{
    size_t i = 0;

    pthread_mutex_lock(&u->mutex);
    while (i < u->count && memcmp(u->hashes[i], hash, SECRET_HASH_BYTES) != 0)
        i++;
    if (i == u->count && i < KEYS_USED_MAX)
        memcpy(u->hashes[u->count++], hash, SECRET_HASH_BYTES);
    pthread_mutex_unlock(&u->mutex);
}

size_t key_uses_take(
    struct key_uses *u,
    unsigned char ret_hashes[KEYS_USED_MAX * SECRET_HASH_BYTES])
{
    pthread_mutex_lock(&u->mutex);
    const size_t count = u->count;
    memcpy(ret_hashes, u->hashes, count * SECRET_HASH_BYTES);
    u->count = 0;
    pthread_mutex_unlock(&u->mutex);
    return count;
}
