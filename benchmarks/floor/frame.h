/* Messages as the contract shows them to readers. */
#ifndef CONFAB_BENCHMARKS_FLOOR_FRAME_H
#define CONFAB_BENCHMARKS_FLOOR_FRAME_H

#include "benchmarks/floor/commit.h"
#include "benchmarks/floor/log.h"
#include "benchmarks/floor/topic.h"

/* `2026-11-21T06:32:17.123Z`, made once per batch. */
struct frame_time {
    char text[32];
};
void frame_time_set(struct frame_time *t, int64_t created_us);

/* {"thing":...,"token":...,"chat":...,"createdAt":...,"id":...} */
void frame_put_object(struct bytes *to, const struct floor_entry *e,
                      const struct frame_time *at);

/* {"id":...,"thing":...,"chat":...,"createdAt":...}: a row of history */
void frame_put_row(struct bytes *to, const struct floor_record *r,
                   const struct frame_time *at);

/* The object as an event, or the payload as a PUBLISH. A message published
 * with QoS 0 goes out with QoS 0 always (MQTT §4.3: the lower of the two). */
void frame_put(struct bytes *to, enum framing framing,
               const struct floor_entry *e, const struct frame_time *at);

/* {"status":"ok","id":...} */
void frame_put_receipt(struct bytes *to, uint64_t id);

/* Headers every answer of the contract has. */
#define FRAME_HEADERS(X)                                                      \
    X("X-RateLimit-Remaining", "2147483647")                                  \
    X("Access-Control-Allow-Origin", "*")                                     \
    X("Access-Control-Expose-Headers",                                        \
      "X-RateLimit-Remaining, Retry-After, ETag")

/* What a stream begins with: head and `status` event. */
extern const char frame_stream_start[];

#endif
