/* RFC 4648 §4 and §5. Pure. */
#ifndef CONFAB_BASE_BASE64_H
#define CONFAB_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/slice.h"

enum base64_form {
    BASE64,   /* §4, with padding */
    BASE64URL /* §5, without */
};

/* Appends base64 with padding, without quotes. */
void buffer_put_base64(struct buffer *b, struct slice s);

/* Decodes into `room`. false: `text` has other bytes than the form's digits, wrong
 * padding, or bits set that mean nothing, so that each value has one spelling; or
 * it has more than `size` bytes in it. */
bool base64_decode(struct slice text, enum base64_form form,
                   unsigned char *room, size_t size, size_t *ret_len);

#endif
