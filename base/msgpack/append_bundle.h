/* The body of `$confab/append` (base/vocabulary.h) and its answer: what the bridge
 * writes and the broker reads, and the other way round. The order of fields is said
 * once, for both directions, in append_bundle.c.
 *
 *  body    msgpack: an array of messages, each an array of its fields
 *  answer  JSON text: an array of answers in the same order, each an array of its
 *          fields. `remaining` null: no limit
 *
 * Slices read are borrowed from the bytes. Pure; any thread. */
#ifndef CONFAB_BASE_MSGPACK_APPEND_BUNDLE_H
#define CONFAB_BASE_MSGPACK_APPEND_BUNDLE_H

#include "base/buffer.h"
#include "base/json_write.h"
#include "base/msgpack/unpack.h"

#define APPEND_MAX 64   /* messages, so that their answers stay below 16 KiB */
#define APPEND_FIELDS 6 /* of a message without a sender */
#define APPEND_RETAIN 1U /* flags */
#define APPEND_JSON 2U   /* PROP_CLASS json */

struct append_message {
    struct slice operation; /* PROP_OP */
    struct slice topic, payload;
    uint32_t flags;
    int64_t window_start_us;  /* PROP_CHARGE; 0: none */
    struct slice idempotency; /* empty: none */
    struct slice sender;      /* PROP_SENDER; empty: none, and not written */
    struct slice address; /* PROP_ADDRESS; likewise, and of a sender only */
};

struct append_answer {
    int status; /* 100 to 599 */
    uint64_t id, seq;
    int64_t at_us;
    uint64_t remaining; /* UINT64_MAX: no limit */
    uint32_t retry_after_s;
    bool repeated;
    struct slice
        reason; /* the broker's own words: nothing in them is escaped */
};

/* The head of a body of `count` messages, which follow. The buffer records a failed
 * allocation (buffer_ok()). */
void append_bundle_begin(struct buffer *b, size_t count);
void append_bundle_put(struct buffer *b, const struct append_message *m);
/* A whole body; ret_messages has room for APPEND_MAX. Number of messages; 0: it is
 * none, or has more. */
unsigned append_bundle_read(struct slice body,
                            struct append_message *ret_messages);

/* An element of the answer's array. */
void append_answer_put(struct json_writer *w, const struct append_answer *a);

/* What is left of an answer; zero it but for `at` and `end` to begin. Only the broker
 * writes it, so each element is read where it stands, in one pass. */
struct append_answers {
    const char *at, *end;
};
/* The next one. false: there is none, or it makes no sense. */
bool append_answer_next(struct append_answers *answers,
                        struct append_answer *ret_answer);

#endif
