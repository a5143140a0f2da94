/* Between MessagePack and JSON, for `application/msgpack` bodies and answers.
 * Pure; no recursion deeper than JSON_DEPTH_MAX. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_MSGPACK_JSON_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_MSGPACK_JSON_H

#include "base/buffer.h"

/* One msgpack map as a JSON object. Keys must be strings (duplicates are kept);
 * bin becomes {"$binary":"<base64>"}. false and *ret_error (static): not
 * msgpack, more bytes behind it, not a map, ext types, NaN or infinity, strings
 * that are not UTF-8, too deep. */
bool msgpack_to_json(struct slice in, struct buffer *out,
                     const char **ret_error);

/* JSON, which must have passed json_check(), as msgpack. Integers become int
 * where 64 bits hold them, other numbers float64; one too large for that, and
 * only that, becomes a string of its digits. Escaped lone surrogates become
 * U+FFFD. */
void json_to_msgpack(struct slice json, struct buffer *out);

/* The head of an array whose `count` elements the caller puts behind it. */
void put_msgpack_array(struct buffer *out, uint32_t count);
void put_msgpack_nil(struct buffer *out);

#endif
