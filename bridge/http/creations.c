#include "bridge/http/creations.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/name_hash.h"

#define HOUR_US INT64_C(3600000000)
/* Above this number of addresses the oldest is forgotten. A flood of addresses may
 * then create more tokens, but cannot use more memory. */
#define ADDRESSES_MAX 65536

struct address {
    unsigned char bytes[8];
    int64_t start_us;
    uint64_t count;
    UT_hash_handle hh;
};

struct creations {
    pthread_mutex_t mutex;
    uint64_t per_hour;
    struct address *by_bytes; /* uthash keeps the order of insertion */
};

struct creations *creations_new(uint64_t per_hour)
{
    struct creations *cs = calloc(1, sizeof(*cs));

    if (cs == NULL)
        return NULL;
    pthread_mutex_init(&cs->mutex, NULL);
    cs->per_hour = per_hour;
    return cs;
}

void creations_free(struct creations *cs)
{
    struct address *a, *next;

    if (cs == NULL)
        return;
    HASH_ITER (hh, cs->by_bytes, a, next) {
        HASH_DEL(cs->by_bytes, a);
        free(a);
    }
    pthread_mutex_destroy(&cs->mutex);
    free(cs);
}

/* IPv4: four bytes. IPv6: the /64, eight bytes. IPv4 clients of an IPv6 listener
 * (::ffff:a.b.c.d) are counted by their IPv4 address. */
static void key_of(struct slice address, unsigned char ret_key[8])
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};
    const unsigned char *p = address.data;

    memset(ret_key, 0, 8);
    if (address.len == 16 && memcmp(p, mapped, sizeof(mapped)) == 0)
        memcpy(ret_key, p + 12, 4);
    else if (address.len > 0)
        memcpy(ret_key, p, address.len < 8 ? address.len : 8);
}

static struct address *find_or_add(struct creations *cs,
                                   const unsigned char key[8], int64_t now_us)
{
    struct address *a;

    HASH_FIND(hh, cs->by_bytes, key, 8, a);
    if (a != NULL) {
        if (now_us - a->start_us >= HOUR_US) {
            a->start_us = now_us;
            a->count = 0;
        }
        return a;
    }
    if (HASH_COUNT(cs->by_bytes) >= ADDRESSES_MAX) {
        struct address *oldest = cs->by_bytes;
        HASH_DEL(cs->by_bytes, oldest);
        free(oldest);
    }
    a = calloc(1, sizeof(*a));
    if (a == NULL)
        return NULL;
    memcpy(a->bytes, key, 8);
    a->start_us = now_us;
    HASH_ADD(hh, cs->by_bytes, bytes, 8, a);
    if (a->hh.tbl == NULL) { /* out of memory in the table */
        free(a);
        return NULL;
    }
    return a;
}

bool creations_take(struct creations *cs, struct slice address, int64_t now_us,
                    uint32_t *ret_retry_s)
{
    unsigned char key[8];
    bool granted = true;

    if (cs->per_hour == 0)
        return true;
    key_of(address, key);
    pthread_mutex_lock(&cs->mutex);
    struct address *a = find_or_add(cs, key, now_us);
    if (a == NULL || a->count >= cs->per_hour) {
        granted = false;
        *ret_retry_s =
            a == NULL
                ? 1
                : (uint32_t)((a->start_us + HOUR_US - now_us) / 1000000 + 1);
    } else {
        a->count++;
    }
    pthread_mutex_unlock(&cs->mutex);
    return granted;
}

void creations_give_back(struct creations *cs, struct slice address)
{
    unsigned char key[8];
    struct address *a;

    key_of(address, key);
    pthread_mutex_lock(&cs->mutex);
    HASH_FIND(hh, cs->by_bytes, key, 8, a);
    if (a != NULL && a->count > 0)
        a->count--;
    pthread_mutex_unlock(&cs->mutex);
}
