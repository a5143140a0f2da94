/* Conversion between MessagePack and JSON, for `application/msgpack` bodies and
 * answers. Pure; at most JSON_DEPTH_MAX levels. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_MSGPACK_JSON_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_MSGPACK_JSON_H

#include "base/buffer.h"

/* Writes one msgpack map as a JSON object. Keys must be strings (duplicates are kept);
 * binary becomes {"$binary":"<base64>"}. false and *ret_error (static): not msgpack,
 * bytes after it, not a map, extension types, NaN or infinity, strings that are not
 * UTF-8, nested too deep. */
bool msgpack_to_json(struct slice in, struct buffer *out,
                     const char **ret_error);

/* Writes JSON, which must have passed json_check(), as msgpack. Integers become int
 * where 64 bits suffice, other numbers float64; a number too large for that becomes a
 * string of its digits. Escaped lone surrogates become U+FFFD. */
void json_to_msgpack(struct slice json, struct buffer *out);

/* Begins an array; the caller appends its `count` elements. */
void put_msgpack_array(struct buffer *out, uint32_t count);
void put_msgpack_nil(struct buffer *out);

#endif
