#include "broker/publish/bundle.h"

#include <stdlib.h>

#include "base/json_write.h"
#include "base/msgpack/unpack.h"
#include "base/vocabulary.h"
#include "broker/client/shard.h"
#include "broker/publish/publish.h"
#include "broker/publish/publish_properties.h"
#include "broker/wire/reason.h"

#define ANSWER_SIZE 128 /* of most */

struct bundle {
    struct publish *answer;
    unsigned count; /* messages that were made */
    unsigned left; /* of them not back yet, and one as long as some are made */
    struct publish *messages[APPEND_MAX]; /* kept until all are back */
};

/* An element of the body; slices point there. */
struct element {
    struct publish_instructions instructions;
    struct slice topic, payload;
    bool retain;
};

static bool read_element(struct unpack *u, struct element *ret)
{
    const uint32_t fields = unpack_array(u);
    const bool right = fields == APPEND_FIELDS || fields == APPEND_FIELDS + 1;

    ret->instructions.operation = unpack_str(u);
    ret->topic = unpack_str(u);
    ret->payload = unpack_bin(u);
    const uint64_t flags = unpack_uint(u);
    ret->retain = (flags & APPEND_RETAIN) != 0;
    ret->instructions.is_json = (flags & APPEND_JSON) != 0;
    ret->instructions.window_start_us = (int64_t)unpack_uint_max(u, INT64_MAX);
    ret->instructions.idempotency = unpack_str(u);
    ret->instructions.sender =
        fields > APPEND_FIELDS ? unpack_str(u) : slice_of(NULL, 0);
    return right && !u->failed;
}

/* Number of elements; 0: it is not a bundle. */
static unsigned bundle_read(struct slice body, struct element *elements)
{
    struct unpack u = unpack_of(body.data, body.len);
    const uint32_t count = unpack_array(&u);

    if (u.failed || count > APPEND_MAX)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        if (!read_element(&u, &elements[i]))
            return 0;
    return u.at == u.end ? count : 0;
}

/* [status, id, seq, at, remaining, retry_after, repeat, "reason"] */
static void put_answer(struct json_writer *w, const struct publish *q)
{
    const struct command *command = &q->command;

    json_array(w);
    json_u64(w, (uint64_t)q->status);
    json_u64(w, command->id);
    json_u64(w, command->seq);
    json_i64(w, command->at_us);
    if (command->remaining == UINT64_MAX)
        json_null(w);
    else
        json_u64(w, command->remaining);
    json_u64(w, command->retry_after_s);
    json_u64(w, command->repeated);
    json_text(w, q->text == NULL ? "" : q->text);
    json_array_end(w);
}

static void bundle_finish(struct worker *w, struct bundle *bundle)
{
    struct publish *answer = bundle->answer;
    struct buffer b = BUFFER_INIT;
    struct json_writer answers = json_writer_of(&b);

    buffer_reserve(&b, (size_t)bundle->count * ANSWER_SIZE);
    json_array(&answers);
    for (unsigned i = 0; i < bundle->count; i++) {
        put_answer(&answers, bundle->messages[i]);
        publish_free(w, bundle->messages[i]);
    }
    json_array_end(&answers);
    free(bundle);
    if (!buffer_ok(&b) && answer->acknowledge)
        /* No refusal: they are stored. What is published again after a loss is
         * answered as a repeat. */
        connection_close(answer->connection, CLOSE_NO_MEMORY, NULL);
    answer->status = command_status(RESULT_OK);
    answer->result = buffer_take(&b, &answer->result_len);
    publish_answered(w, answer);
}

static void bundle_take_back(struct worker *w, struct publish *q)
{
    struct bundle *bundle = q->waiting_for;

    publish_take_answer(q);
    if (--bundle->left == 0)
        bundle_finish(w, bundle);
}

static void bundle_refuse(struct publish *q, const char *text)
{
    q->command.remaining = UINT64_MAX;
    q->status = command_status(RESULT_INVALID);
    q->text = text;
}

/* false: out of memory. */
static bool bundle_add(struct connection *c, struct bundle *bundle,
                       const struct element *e)
{
    struct worker *w = c->worker;
    struct publish *q = publish_new(w, c);
    const struct caller caller = connection_caller(c);
    const struct message m = {
        .kind = MESSAGE_MESSAGE,
        .qos = 1,
        .retain = e->retain,
        .publisher = c->publisher,
        .topic = e->topic,
        .payload = e->payload,
        .sender = e->instructions.sender,
        .payload_class = e->instructions.is_json
                             ? PAYLOAD_JSON
                             : (uint8_t)payload_classify(e->payload),
    };

    if (q == NULL)
        return false;
    if (auth_publish(c->role, &caller, e->topic) != PUBLISH_STORE) {
        bundle_refuse(q, "topic is not <token>/<thing> with a valid thing");
    } else if (!publish_follow(q, &e->instructions)) {
        bundle_refuse(q,
                      "operation id, Idempotency-Key or sender is too long");
    } else {
        q->command.message = message_new(&m);
        if (q->command.message == NULL) {
            publish_free(w, q);
            return false;
        }
        q->finished = bundle_take_back;
        q->waiting_for = bundle;
    }
    bundle->messages[bundle->count++] = q;
    if (q->finished == NULL)
        return true;
    bundle->left++;
    q->command.kind = COMMAND_APPEND;
    q->command.now_us = w->real_us;
    q->append.uncharged = c->role == ROLE_NAMELESS;
    publish_submit(w, q);
    return true;
}

void bundle_received(struct connection *c, struct publish *answer,
                     struct slice body)
{
    struct worker *w = c->worker;
    struct element elements[APPEND_MAX];
    const unsigned count = bundle_read(body, elements);
    struct bundle *bundle = count == 0 ? NULL : malloc(sizeof(*bundle));

    answer->is_command = true;
    if (bundle == NULL) {
        answer->status =
            command_status(count == 0 ? RESULT_INVALID : RESULT_IO);
        answer->reason = REASON_IMPLEMENTATION_SPECIFIC;
        answer->text =
            count == 0 ? "body: messages to append expected" : "out of memory";
        publish_answered(w, answer);
        return;
    }
    bundle->answer = answer;
    bundle->count = 0;
    bundle->left = 1;
    counter_add(&w->counters.received, count - 1); /* one was counted */
    for (unsigned i = 0; i < count; i++) {
        if (!bundle_add(c, bundle, &elements[i])) {
            connection_close(c, CLOSE_NO_MEMORY, NULL); /* no answer will go */
            break;
        }
    }
    if (--bundle->left == 0)
        bundle_finish(w, bundle);
}
