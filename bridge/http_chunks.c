#include "bridge/http_chunks.h"

#define DIGITS_MAX 15U /* of a size: no body is that long */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_text(char c)
{
    return (unsigned char)c >= ' ' || c == '\t';
}

/* After the digits: an extension or the end of the line, with or without blanks
 * before it. "5 6" is 5 to some readers and 56 to others. */
static bool size_end(struct http_chunks *c, char b)
{
    if (b == ' ' || b == '\t') {
        c->at = CHUNK_SIZE_BLANK;
        return ++c->extra < HTTP_CHUNKS_EXTRA_MAX;
    }
    c->at = b == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
    return b == '\r' || b == ';';
}

/* false: it cannot stand there. */
static bool size_byte(struct http_chunks *c, char b)
{
    const int digit = hex_digit(b);

    if (digit >= 0 && c->digits < DIGITS_MAX) {
        c->left = c->left << 4 | (unsigned)digit;
        c->digits++;
        return true;
    }
    if (digit >= 0 || c->digits == 0)
        return false;
    return size_end(c, b);
}

/* A byte that is no data. false: it cannot stand there. */
static bool line_byte(struct http_chunks *c, char b)
{
    switch (c->at) {
    case CHUNK_SIZE: return size_byte(c, b);
    case CHUNK_SIZE_BLANK: return size_end(c, b);
    case CHUNK_EXTENSION:
        if (b == '\r')
            c->at = CHUNK_SIZE_LF;
        return b == '\r' || (is_text(b) && ++c->extra < HTTP_CHUNKS_EXTRA_MAX);
    case CHUNK_SIZE_LF:
        c->at = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_START;
        return b == '\n';
    case CHUNK_DATA_CR: c->at = CHUNK_DATA_LF; return b == '\r';
    case CHUNK_DATA_LF:
        c->at = CHUNK_SIZE;
        c->digits = 0;
        return b == '\n';
    case CHUNK_TRAILER_START:
        c->at = b == '\r' ? CHUNK_END_LF : CHUNK_TRAILER;
        return b == '\r' || (is_text(b) && ++c->extra < HTTP_CHUNKS_EXTRA_MAX);
    case CHUNK_TRAILER:
        if (b == '\r')
            c->at = CHUNK_TRAILER_LF;
        return b == '\r' || (is_text(b) && ++c->extra < HTTP_CHUNKS_EXTRA_MAX);
    case CHUNK_TRAILER_LF: c->at = CHUNK_TRAILER_START; return b == '\n';
    case CHUNK_END_LF: return b == '\n';
    case CHUNK_DATA: break;
    }
    return false;
}

enum http_chunks_next http_chunks_next(struct http_chunks *c, struct slice *in,
                                       struct slice *ret_data)
{
    while (in->len > 0) {
        const char *p = in->data;
        if (c->at == CHUNK_DATA) {
            const size_t n = in->len < c->left ? in->len : (size_t)c->left;
            *ret_data = slice_of(p, n);
            *in = slice_of(p + n, in->len - n);
            c->left -= n;
            if (c->left == 0)
                c->at = CHUNK_DATA_CR;
            return HTTP_CHUNKS_DATA;
        }
        const bool is_last = c->at == CHUNK_END_LF;
        if (!line_byte(c, *p))
            return HTTP_CHUNKS_BAD;
        *in = slice_of(p + 1, in->len - 1);
        if (is_last)
            return HTTP_CHUNKS_END;
    }
    return HTTP_CHUNKS_MORE;
}
