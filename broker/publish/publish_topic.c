#include "broker/publish/publish_topic.h"

#include <string.h>

#include "broker/client/shard.h"
#include "broker/client/topic_alias.h"
#include "broker/publish/publish.h"

enum publish_verdict publish_topic_verdict(struct connection *c,
                                           struct slice topic)
{
    struct publish_judged *last = &c->worker->publishes->judged;

    if (last->connection == c->number &&
        slice_eq(slice_of(last->topic, last->topic_len), topic))
        return last->verdict;

    const struct caller caller = connection_caller(c);
    const enum publish_verdict verdict = auth_publish(c->role, &caller, topic);
    last->connection = 0;
    if (topic.len > 0 && topic.len <= sizeof(last->topic)) {
        memcpy(last->topic, topic.data, topic.len);
        last->topic_len = topic.len;
        last->connection = c->number;
        last->verdict = verdict;
    }
    return verdict;
}

static bool topic_refuse_alias(struct connection *c, enum close_reason reason,
                               const char *text)
{
    connection_close(c, reason, text);
    return false;
}

/* Keeps only topics that this client may publish to: any other would waste
 * memory, up to 64 KiB each (16 valid topics take about 5 KiB). */
static bool topic_set_alias(struct connection *c,
                            const struct packet_publish *p,
                            enum publish_verdict verdict)
{
    const bool is_good = verdict == PUBLISH_STORE ||
                         verdict == PUBLISH_EVENT ||
                         verdict == PUBLISH_COMMAND;
    int64_t more;

    if (!is_good) {
        if (!topic_alias_mark(&c->aliases_in, p->topic_alias,
                              (uint8_t)(verdict + 1), &more))
            return topic_refuse_alias(c, CLOSE_NO_MEMORY, NULL);
    } else {
        if (!held_aliases_have_room(c, p->topic.len))
            return topic_refuse_alias(c, CLOSE_BUSY, NULL);
        if (!topic_alias_set(&c->aliases_in, p->topic_alias, p->topic, &more))
            return topic_refuse_alias(c, CLOSE_NO_MEMORY, NULL);
    }
    held_add_aliases(c, more);
    return true;
}

bool publish_judge_alias(struct connection *c, struct packet_publish *p,
                         enum publish_verdict *ret)
{
    if (p->topic.len > 0) {
        *ret = publish_topic_verdict(c, p->topic);
        return topic_set_alias(c, p, *ret);
    }
    const uint8_t mark = topic_alias_marked(c->aliases_in, p->topic_alias);
    if (mark != 0) {
        *ret = (enum publish_verdict)(mark - 1);
        return true;
    }
    p->topic = topic_alias_get(c->aliases_in, p->topic_alias);
    if (p->topic.data == NULL)
        return topic_refuse_alias(c, CLOSE_PROTOCOL,
                                  "topic alias was never set");
    *ret = publish_topic_verdict(c, p->topic);
    return true;
}
