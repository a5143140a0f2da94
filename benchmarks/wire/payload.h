/* The JSON object that is published: who sent it, which one it is, when, and
 * padding up to the size asked for. All bytes but the three numbers are the
 * same in every payload, so a reader can check every byte of what it gets.
 *
 *     {"c":100003,"n":1000000042,"t":1000000123456789,"p":"xxxx"}
 */
#ifndef CONFAB_BENCHMARKS_WIRE_PAYLOAD_H
#define CONFAB_BENCHMARKS_WIRE_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAYLOAD_MIN = 55, PAYLOAD_MAX = 60000, PAYLOAD_SOURCES_MAX = 100000 };

#define PAYLOAD_START "{\"c\":1" /* what every payload begins with */

struct payload {
    unsigned source; /* which publisher, from 0 */
    uint32_t number; /* which of its messages, from 0 */
    int64_t sent_ns; /* monotonic; carried in microseconds */
};

struct payload_format {
    size_t size;
    char *text; /* owned: a payload with all numbers zero */
};

/* `size` from PAYLOAD_MIN to PAYLOAD_MAX. */
void payload_format_init(struct payload_format *f, size_t size);

/* The bytes of `p`, f->size of them: valid until the next call. */
const char *payload_write(struct payload_format *f, const struct payload *p);

/* Where in `text` a payload begins, as a rule where it began in the text
 * before (*at, which is kept up to date). NULL: it has none, or not all. */
const char *payload_find(const struct payload_format *f, const char *text,
                         size_t len, size_t *at);

/* `text` is f->size bytes. false: it is not a payload written with `f`. */
bool payload_read(const struct payload_format *f, const char *text,
                  struct payload *ret_p);

#endif
