/* Ids of rooms that follow from what they are for (store/people.h). */
#include <sodium.h>
#include <string.h>

#include "store/people.h"

#define HASH_BYTES                                                            \
    18 /* 24 characters; finding two that collide takes 2^72 tries */

static void add_part(crypto_generichash_state *hash, struct slice part)
{
    (void)crypto_generichash_update(hash, (const unsigned char *)"", 1);
    if (part.len > 0)
        (void)crypto_generichash_update(hash, part.data, part.len);
}

/* Of the kind's word and the parts, each behind a NUL, which no id contains. */
static void make_id(enum room_kind kind, const struct slice *parts,
                    size_t count, char out[ROOM_ID_FOR_SIZE])
{
    const char *word = room_kind_word(kind);
    const size_t len = strlen(word);
    unsigned char bytes[HASH_BYTES];
    crypto_generichash_state hash;

    (void)crypto_generichash_init(&hash, NULL, 0, sizeof(bytes));
    (void)crypto_generichash_update(&hash, (const unsigned char *)word, len);
    for (size_t i = 0; i < count; i++)
        add_part(&hash, parts[i]);
    (void)crypto_generichash_final(&hash, bytes, sizeof(bytes));
    memcpy(out, word, len);
    out[len] = '_';
    (void)sodium_bin2base64(out + len + 1, ROOM_ID_FOR_SIZE - len - 1, bytes,
                            sizeof(bytes),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static bool is_before(struct slice a, struct slice b)
{
    const int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return order != 0 ? order < 0 : a.len < b.len;
}

void room_id_for_pair(enum room_kind kind, struct slice one,
                      struct slice other, char out[ROOM_ID_FOR_SIZE])
{
    const bool in_order = is_before(one, other);
    const struct slice parts[] = {in_order ? one : other,
                                  in_order ? other : one};

    make_id(kind, parts, 2, out);
}

void room_id_for_text(enum room_kind kind, struct slice text,
                      char out[ROOM_ID_FOR_SIZE])
{
    make_id(kind, &text, 1, out);
}
