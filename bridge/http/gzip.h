/* Bodies that come compressed: `Content-Encoding: gzip` (RFC 1952). Pure. */
#ifndef CONFAB_BRIDGE_HTTP_GZIP_H
#define CONFAB_BRIDGE_HTTP_GZIP_H

#include "base/buffer.h"

enum gunzip_result {
    GUNZIP_OK,
    GUNZIP_TOO_LONG, /* more than `most` bytes come out */
    GUNZIP_DAMAGED,  /* no gzip, cut off, a wrong checksum, bytes behind it */
    GUNZIP_NOMEM
};

/* Appends to `out` what `in` holds, one member or several after each other
 * (RFC 1952 §2.2). Never makes more than `most` bytes, whatever `in` announces:
 * a few KB can stand for gigabytes. */
enum gunzip_result gunzip(struct slice in, size_t most, struct buffer *out);

/* Room for a body that is at most `most` bytes when inflated: what cannot be
 * compressed grows by 5 bytes in 16 KiB, a header and a file name. */
static inline size_t gzip_size_max(size_t most)
{
    return most + most / 1024 + 1024;
}

#endif
