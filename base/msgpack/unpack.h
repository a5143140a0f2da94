/* Reads msgpack without allocating: a cursor over untrusted bytes.
 *
 * Rows are written with msgpack-c but read with this. msgpack-c's unpacker
 * first builds a whole tree: that takes 110 ns for a log record in a reused
 * zone (143 ns with msgpack_unpack_next()), before the record is made from it.
 * Here it takes 70 ns, including the record. Reading the log takes 100 ns an
 * entry in all. msgpack-c also trusts array headers: 7 damaged bytes make it
 * allocate 6 GiB.
 *
 * The first invalid byte sets `failed`; from then on every function returns
 * zero, so a decoder checks once, at the end. Pure; any thread. */
#ifndef CONFAB_BASE_MSGPACK_UNPACK_H
#define CONFAB_BASE_MSGPACK_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct unpack {
    const unsigned char *at, *end; /* borrowed */
    bool failed;
};

static inline struct unpack unpack_of(const void *data, size_t len)
{
    return (struct unpack){data, (const unsigned char *)data + len, false};
}

uint32_t unpack_array(struct unpack *u); /* number of elements that follow */
uint32_t unpack_map(struct unpack *u);   /* number of pairs that follow */
uint64_t unpack_uint(struct unpack *u);
uint64_t unpack_uint_max(struct unpack *u, uint64_t max); /* fails above it */
int64_t unpack_int(struct unpack *u); /* fails above INT64_MAX */
bool unpack_bool(struct unpack *u);
struct slice unpack_str(struct unpack *u); /* data is NULL only on failure */
struct slice unpack_bin(struct unpack *u); /* same */
bool unpack_nil(struct unpack *u); /* true: there was a nil, now skipped */

#endif
