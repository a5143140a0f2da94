/* Inputs of session_fuzz with SCRIPT_FLAG in their first byte are scripts: a
 * sequence of packets, and of steps between them. A step is one byte where a
 * packet would begin; no packet has type 0. */
#ifndef CONFAB_TEST_FUZZ_SESSION_SCRIPT_H
#define CONFAB_TEST_FUZZ_SESSION_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#define SCRIPT_FLAG 4

enum script_step {
    SCRIPT_DROP,   /* the connection is lost; the next packet opens another */
    SCRIPT_SWITCH, /* the other of two clients goes on */
    SCRIPT_LISTEN, /* until the server has answered, or has nothing to say */
    SCRIPT_STEPS
};

/* Bytes of the item at `p`, at least 1; what is no whole packet goes on to the
 * end. size > 0. */
static inline size_t script_item(const uint8_t *p, size_t size)
{
    size_t length = 0;

    if (p[0] < SCRIPT_STEPS)
        return 1;
    for (size_t i = 1; i < 5 && i < size; i++) {
        length |= (size_t)(p[i] & 0x7f) << 7 * (i - 1);
        if (p[i] < 0x80)
            return length < size - i ? i + 1 + length : size;
    }
    return size;
}

#endif
