/* The checksum at the end of a row: four bytes, little-endian, made of XXH3 over
 * everything before them. It detects changes by a disk, a cable or a stray write;
 * it does not protect against people. Stable since xxHash 0.8.0 (Debian 12 and 13
 * have later versions). Pure; any thread. */
#ifndef CONFAB_STORE_FORMAT_CHECKSUM_H
#define CONFAB_STORE_FORMAT_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL /* rows are short: a call costs as much as the work */
#include <xxhash.h>

#include "base/buffer.h"

#define CHECKSUM_BYTES 4

static inline uint32_t checksum_of(const void *data, size_t len)
{
    const uint64_t hash = XXH3_64bits(data, len);

    return (uint32_t)(hash ^ hash >> 32);
}

/* Appends the checksum of everything in the buffer from `begin` on. */
static inline void checksum_put(struct buffer *b, size_t begin)
{
    if (!buffer_ok(b))
        return;
    const uint32_t sum = checksum_of(b->data + begin, b->len - begin);
    const unsigned char bytes[CHECKSUM_BYTES] = {(unsigned char)sum,
                                                 (unsigned char)(sum >> 8),
                                                 (unsigned char)(sum >> 16),
                                                 (unsigned char)(sum >> 24)};

    buffer_put(b, bytes, sizeof(bytes));
}

/* Whether the last CHECKSUM_BYTES of the row are the checksum of the rest. */
static inline bool checksum_holds(const void *row, size_t len)
{
    if (len < CHECKSUM_BYTES)
        return false;
    const unsigned char *at =
        (const unsigned char *)row + len - CHECKSUM_BYTES;
    const uint32_t sum = (uint32_t)at[0] | (uint32_t)at[1] << 8 |
                         (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;

    return sum == checksum_of(row, len - CHECKSUM_BYTES);
}

#endif
