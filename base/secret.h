/* Secrets of keys: how they look, and what is stored of them.
 *
 *     sk_1xRz…    <prefix>_<32 characters>, 24 bytes of a CSPRNG in base64url
 *
 * The prefix is for people and for scanners that search code for secrets. What a
 * key may do is in its row, which is found by the hash of the whole secret: no
 * secret is ever compared with another, so there is nothing to time. 192 random
 * bits need no slow hash; passwords do (base/password_pool.h).
 *
 * Whoever holds a secret wipes it with sodium_memzero() when it is not needed any
 * more, and writes the key id to logs instead. Any thread, after
 * sodium_init(). */
#ifndef CONFAB_BASE_SECRET_H
#define CONFAB_BASE_SECRET_H

#include <stdbool.h>

#include "base/slice.h"

/* X(name, prefix, word). The values are stored: add at the end, never
 * renumber. */
#define SECRET_KINDS(X)                                                       \
    X(SERVER, "sk", "server")                                                 \
    X(LIVE, "pk_live", "live") /* publishable: may stand in web pages */      \
    X(TEST, "pk_test", "test")                                                \
    X(DEVICE, "dk", "device")                                                 \
    X(AGENT, "ag", "agent")                                                   \
    X(TICKET, "tk", "ticket") /* once, for some minutes */

enum secret_kind {
#define X(name, prefix, word) SECRET_##name,
    SECRET_KINDS(X)
#undef X
        SECRET_KIND_COUNT
};

#define SECRET_RANDOM 32 /* characters behind the prefix */
#define SECRET_SIZE (sizeof("pk_live_") + SECRET_RANDOM) /* with its NUL */
#define SECRET_HASH_BYTES 32
#define KEY_ID_PREFIX "key_"
#define KEY_ID_HASH_BYTES 9 /* the beginning of the hash */
#define KEY_ID_SIZE (sizeof(KEY_ID_PREFIX) + 12) /* with its NUL */

/* "server", … : what --kind takes and listings show. */
const char *secret_kind_word(enum secret_kind kind);
/* false: no such kind. */
bool secret_kind_of_word(struct slice word, enum secret_kind *ret_kind);

/* Makes a secret, NUL-terminated. */
void secret_make(enum secret_kind kind, char ret_secret[SECRET_SIZE]);

/* Whether `text` is shaped like the secret of a key, and of which kind. It says
 * nothing about whether there is such a key. */
bool secret_parse(struct slice text, enum secret_kind *ret_kind);

/* Whether `text` is shaped like a JWT: three parts of base64url, the first of
 * which begins like a JSON object's. One without a signature is, too, so that it
 * is refused as a JWT instead of being taken for something else. Whether it holds:
 * base/jwt.h. */
bool secret_is_like_jwt(struct slice text);

/* BLAKE2b-256 of the whole secret, prefix included. */
void secret_hash(struct slice secret,
                 unsigned char ret_hash[SECRET_HASH_BYTES]);

/* The public name of the key with this hash: "key_" and the first bytes of the
 * hash in base64url, NUL-terminated. */
void key_id_make(const unsigned char hash[SECRET_HASH_BYTES],
                 char ret_id[KEY_ID_SIZE]);
/* The first bytes of that key's hash. false: `id` is no key id. */
bool key_id_parse(struct slice id, unsigned char ret_hash[KEY_ID_HASH_BYTES]);

#endif
