#include "bridge/http/gzip.h"

#include <zlib.h>

#define STEP (16U * 1024)
#define GZIP_ONLY (16 + MAX_WBITS) /* zlib.h, inflateInit2() */
#define TOO_LONG 100               /* not one of zlib's own codes */

/* Returns Z_STREAM_END at the end of a member, Z_BUF_ERROR at the end of the input,
 * TOO_LONG, or zlib's error. Subtracts what it wrote from *room. */
static int inflate_member(z_stream *z, size_t *room, struct buffer *out)
{
    unsigned char step[STEP];

    for (;;) {
        /* one byte more than allowed shows that it is too long */
        const size_t most = *room < STEP ? *room + 1 : STEP;
        z->next_out = step;
        z->avail_out = (uInt)most;
        const int rc = inflate(z, Z_NO_FLUSH);
        const size_t made = most - z->avail_out;
        if (made > *room)
            return TOO_LONG;
        *room -= made;
        buffer_put(out, step, made);
        if (rc != Z_OK)
            return rc;
    }
}

enum gunzip_result gunzip(struct slice in, size_t most, struct buffer *out)
{
    /* zlib does not write to its input; its older headers lack the const */
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)in.data,
                  .avail_in = (uInt)in.len};
    size_t room = most;

    if (in.len > UINT32_MAX || inflateInit2(&z, GZIP_ONLY) != Z_OK)
        return GUNZIP_NOMEM;
    int rc = Z_DATA_ERROR;
    while (z.avail_in > 0) {
        rc = inflate_member(&z, &room, out);
        if (rc != Z_STREAM_END || z.avail_in == 0 || inflateReset(&z) != Z_OK)
            break;
    }
    inflateEnd(&z);
    if (rc == TOO_LONG)
        return GUNZIP_TOO_LONG;
    if (rc == Z_MEM_ERROR || !buffer_ok(out))
        return GUNZIP_NOMEM;
    return rc == Z_STREAM_END ? GUNZIP_OK : GUNZIP_DAMAGED;
}
