/* RFC 4648 §4. Pure. */
#ifndef CONFAB_BASE_BASE64_H
#define CONFAB_BASE_BASE64_H

#include "base/buffer.h"

/* Appends base64 with padding, without quotes. */
void buffer_put_base64(struct buffer *b, struct slice s);

#endif
