/* Is this UTF-8? RFC 3629's grammar: no overlong forms, no surrogates, nothing
 * above U+10FFFF. Pure, no allocation, any thread. Eight bytes at a time while
 * the text is ASCII, so it can be used on whole payloads. */
#ifndef CONFAB_BASE_UTF8_H
#define CONFAB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes (1-4) of the one well-formed character that starts at `data`; 0 when
 * there is none: malformed, cut off by `len`, or `len` is 0. */
size_t utf8_sequence(const void *data, size_t len);

/* Well-formed from end to end. U+0000 is a character like any other; empty
 * text is fine. */
bool utf8_valid(const void *data, size_t len);

/* The same, and no U+0000: what MQTT calls a UTF-8 Encoded String
 * (MQTT-1.5.4-1, MQTT-1.5.4-2). */
bool utf8_valid_without_nul(const void *data, size_t len);

/* The code points MQTT calls disallowed (MQTT 5 §1.5.4): control characters
 * U+0000-001F and U+007F-009F, and Unicode's non-characters U+FDD0-FDEF and the
 * last two of each plane. A string SHOULD NOT have them, and who receives one
 * MAY close the connection: libmosquitto does. */
bool utf8_disallowed(uint32_t code_point);

/* Is there one of them in it? Must be valid UTF-8. */
bool utf8_has_disallowed(const void *data, size_t len);

#endif
