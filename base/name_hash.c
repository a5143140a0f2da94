#include "base/name_hash.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char key[crypto_shorthash_KEYBYTES];

static void draw_key(void)
{
    randombytes_buf(key, sizeof(key));
}

unsigned name_hash(const void *name, size_t len)
{
    unsigned char out[crypto_shorthash_BYTES];
    unsigned hash;

    pthread_once(&once, draw_key);
    crypto_shorthash(out, name, len, key);
    memcpy(&hash, out, sizeof(hash));
    return hash;
}
