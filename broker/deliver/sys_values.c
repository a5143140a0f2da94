#include "broker/deliver/sys_values.h"

#include "base/topic.h"
#include "broker/client/shard.h"
#include "broker/deliver/delivery.h"

struct message *sys_values_message(const struct sys_values *v, unsigned topic)
{
    const struct message m = {
        .kind = MESSAGE_EVENT,
        .retain = true,
        .payload_class = PAYLOAD_TEXT,
        .topic = slice_str(sys_topic_name(topic)),
        .payload = slice_str(v->text[topic]),
    };

    return message_new(&m);
}

bool sys_values_give(struct connection *c, struct slice filter,
                     const struct grant *grant, unsigned *at)
{
    const struct sys_values *values = c->worker->sys;

    for (; *at < SYS_TOPIC_COUNT && delivery_has_room(c); (*at)++) {
        if (values->text[*at][0] == '\0' ||
            !filter_matches(filter, slice_str(sys_topic_name(*at))))
            continue;
        struct message *m = sys_values_message(values, *at);
        if (m == NULL)
            return false;
        const bool good = delivery_give(c, m, grant);
        message_unref(m);
        if (!good)
            return false;
    }
    return true;
}
