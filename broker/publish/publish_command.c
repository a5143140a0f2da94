#include "broker/publish/publish_command.h"

#include <string.h>

#include "base/vocabulary.h"
#include "broker/client/shard.h"
#include "broker/publish/bundle.h"
#include "broker/publish/publish.h"
#include "broker/publish/publish_properties.h"
#include "broker/wire/reason.h"

void publish_command(struct connection *c, const struct packet_publish *p)
{
    const size_t prefix = strlen(COMMAND_PREFIX);
    const struct slice name =
        slice_of((const char *)p->topic.data + prefix, p->topic.len - prefix);
    struct worker *w = c->worker;
    struct publish_instructions in = {0};
    struct packet_user_cursor at = packet_user_props(p->user.span);
    struct packet_user_property property;
    struct publish *q = publish_new(w, c);

    if (q == NULL) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    if (p->qos > 0)
        publish_await_answer(c, q, p);
    while (p->user.size > 0 && packet_user_props_next(&at, &property))
        publish_read_instruction(&in, &property);
    in.idempotency = slice_of(NULL, 0); /* for messages only */
    if (slice_eq(name, slice_str(COMMAND_APPEND_NAME))) {
        bundle_received(c, q, p->payload);
        return;
    }
    if (!publish_follow(q, &in)) {
        q->status = command_status(RESULT_INVALID);
        q->reason = REASON_IMPLEMENTATION_SPECIFIC;
        q->text = "confab-op is too long";
    } else if (w->hub->commands->make(q, w->hub, name, p->payload,
                                      w->real_us)) {
        if (q->asked == NULL) {
            publish_submit(w, q);
            return;
        }
        if (publish_ask(w, q))
            return;
        q->status = 503;
        q->reason = REASON_IMPLEMENTATION_SPECIFIC;
        q->text = "too many requests at once: retry";
    }
    publish_answered(w, q);
}
