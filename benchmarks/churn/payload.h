/* What a publisher sends: which lane, which message of it, when, and padding
 * whose length and letters follow from the first two. So a reader can check
 * every byte it gets, and pages of the store see messages of many sizes.
 *
 *     {"l":1000042,"n":1000000007,"t":1000000123456789,"p":"klmno…"}
 */
#ifndef CONFAB_BENCHMARKS_CHURN_PAYLOAD_H
#define CONFAB_BENCHMARKS_CHURN_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "benchmarks/wire/bytes.h"

#define PAYLOAD_START "{\"l\":1" /* what every payload begins with */

struct churn_payload {
    uint32_t lane;
    uint32_t number;
    int64_t sent_ns; /* monotonic; carried in microseconds */
};

void payload_put(struct bytes *to, const struct churn_payload *p);

/* The payload at the beginning of `text`, which may go on behind it. Returns
 * its length, 0 when it is none or one byte of it is wrong. */
size_t payload_read(const char *text, size_t len, struct churn_payload *ret_p);

#endif
