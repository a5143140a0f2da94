#include "broker/publish/bundle.h"

#include <stdlib.h>

#include "base/msgpack/append_bundle.h"
#include "base/vocabulary.h"
#include "broker/client/shard.h"
#include "broker/publish/publish.h"
#include "broker/publish/publish_properties.h"
#include "broker/wire/reason.h"

#define ANSWER_SIZE 128 /* enough for most */

struct bundle {
    struct publish *answer;
    unsigned count; /* messages made from the body */
    /* Of these, unanswered ones, plus one while messages are being made. */
    unsigned left;
    struct publish *messages[APPEND_MAX]; /* kept until all are answered */
};

static void bundle_put_answer(struct json_writer *w, const struct publish *q)
{
    const struct command *command = &q->command;
    const struct append_answer answer = {
        .status = q->status,
        .id = command->id,
        .seq = command->seq,
        .at_us = command->at_us,
        .remaining = command->remaining,
        .retry_after_s = command->retry_after_s,
        .repeated = command->repeated,
        .reason = slice_str(q->text == NULL ? "" : q->text),
    };

    append_answer_put(w, &answer);
}

static void bundle_finish(struct worker *w, struct bundle *bundle)
{
    struct publish *answer = bundle->answer;
    struct buffer b = BUFFER_INIT;
    struct json_writer answers = json_writer_of(&b);

    buffer_reserve(&b, (size_t)bundle->count * ANSWER_SIZE);
    json_array(&answers);
    for (unsigned i = 0; i < bundle->count; i++) {
        bundle_put_answer(&answers, bundle->messages[i]);
        publish_free(w, bundle->messages[i]);
    }
    json_array_end(&answers);
    free(bundle);
    if (!buffer_ok(&b) && answer->acknowledge)
        /* Not refused: they are stored. If the bridge publishes them again,
         * it is answered with the first results. */
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
                       const struct append_message *e)
{
    struct worker *w = c->worker;
    struct publish *q = publish_new(w, c);
    const struct caller caller = connection_caller(c);
    const bool is_json = (e->flags & APPEND_JSON) != 0;
    const struct publish_instructions instructions = {
        .operation = e->operation,
        .idempotency = e->idempotency,
        .sender = e->sender,
        .window_start_us = e->window_start_us,
        .is_json = is_json,
    };
    const struct message m = {
        .kind = MESSAGE_MESSAGE,
        .qos = 1,
        .retain = (e->flags & APPEND_RETAIN) != 0,
        .publisher = c->publisher,
        .topic = e->topic,
        .payload = e->payload,
        .sender = e->sender,
        .payload_class =
            is_json ? PAYLOAD_JSON : (uint8_t)payload_classify(e->payload),
    };

    if (q == NULL)
        return false;
    if (auth_publish(c->role, &caller, e->topic) != PUBLISH_STORE) {
        bundle_refuse(q, "topic is not <token>/<thing> with a valid thing");
    } else if (!publish_follow(q, &instructions)) {
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
    publish_note_address(q, e->address);
    publish_submit(w, q);
    return true;
}

void bundle_received(struct connection *c, struct publish *answer,
                     struct slice body)
{
    struct worker *w = c->worker;
    struct append_message messages[APPEND_MAX];
    const unsigned count = append_bundle_read(body, messages);
    struct bundle *bundle = count == 0 ? NULL : malloc(sizeof(*bundle));

    answer->is_command = true;
    if (bundle == NULL) {
        answer->status =
            command_status(count == 0 ? RESULT_INVALID : RESULT_IO);
        answer->reason = REASON_IMPLEMENTATION_SPECIFIC;
        answer->text = count == 0 ? "body: must contain messages to append"
                                  : "out of memory";
        publish_answered(w, answer);
        return;
    }
    bundle->answer = answer;
    bundle->count = 0;
    bundle->left = 1;
    /* One was counted already. */
    counter_add(&w->counters.received, count - 1);
    for (unsigned i = 0; i < count; i++) {
        if (!bundle_add(c, bundle, &messages[i])) {
            connection_close(c, CLOSE_NO_MEMORY, NULL); /* no answer will go */
            break;
        }
    }
    if (--bundle->left == 0)
        bundle_finish(w, bundle);
}
