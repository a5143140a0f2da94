/* Checks UTF-8 by RFC 3629's grammar: no overlong forms, no surrogates,
 * nothing above U+10FFFF. Pure, no allocation, any thread. It checks ASCII
 * text eight bytes at a time, so it is fast enough for whole payloads. */
#ifndef CONFAB_BASE_UTF8_H
#define CONFAB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length (1-4 bytes) of the well-formed character that starts at `data`; 0
 * if there is none: malformed, truncated by `len`, or `len` is 0. */
size_t utf8_sequence(const void *data, size_t len);

/* Whether the whole text is well-formed. U+0000 is valid, and so is an empty
 * text. */
bool utf8_valid(const void *data, size_t len);

/* The same, and without U+0000: what MQTT calls a UTF-8 Encoded String
 * (MQTT-1.5.4-1, MQTT-1.5.4-2). */
bool utf8_valid_without_nul(const void *data, size_t len);

/* The code points MQTT calls disallowed (MQTT 5 §1.5.4): control characters
 * U+0000-001F and U+007F-009F, and Unicode's non-characters U+FDD0-FDEF and
 * the last two of each plane. A string SHOULD NOT contain them, and a receiver
 * MAY close the connection if it does: libmosquitto does so. */
bool utf8_disallowed(uint32_t code_point);

/* Whether the text contains one of them. It must be valid UTF-8. */
bool utf8_has_disallowed(const void *data, size_t len);

/* Whether the text, valid UTF-8, contains characters that are not seen or change the order
 * in which others are: Unicode's Default_Ignorable_Code_Point (zero-width characters,
 * direction marks and overrides, U+FEFF, variation selectors, …), U+2028, U+2029 and
 * U+FFF9-FFFB. Names with them look like other names (UTS #39 §3.1). */
bool utf8_has_invisible(const void *data, size_t len);

#endif
