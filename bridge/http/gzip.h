/* Compressed bodies: `Content-Encoding: gzip` (RFC 1952). Pure. */
#ifndef CONFAB_BRIDGE_HTTP_GZIP_H
#define CONFAB_BRIDGE_HTTP_GZIP_H

#include "base/buffer.h"

enum gunzip_result {
    GUNZIP_OK,
    GUNZIP_TOO_LONG, /* it inflates to more than `most` bytes */
    GUNZIP_DAMAGED,  /* not gzip, cut off, wrong checksum, bytes after it */
    GUNZIP_NOMEM
};

/* Inflates `in`, which has one or several members (RFC 1952 §2.2), and appends the
 * result to `out`. Never writes more than `most` bytes, whatever `in` announces: a few
 * KB can stand for gigabytes. */
enum gunzip_result gunzip(struct slice in, size_t most, struct buffer *out);

/* The greatest size of a body that inflates to at most `most` bytes: incompressible
 * data grows by 5 bytes in 16 KiB, plus a header and a file name. */
static inline size_t gzip_size_max(size_t most)
{
    return most + most / 1024 + 1024;
}

#endif
