/* The topic of a PUBLISH: resolves its alias, and decides what its client
 * may do with it. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_TOPIC_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_TOPIC_H

#include "broker/client/connection.h"

/* What this client may do with the topic. The last verdict is cached,
 * because successive messages of a connection usually have the same topic. */
enum publish_verdict publish_topic_verdict(struct connection *c,
                                           struct slice topic);
/* The same for a packet with a Topic Alias: resolves it to p->topic, or sets
 * the alias (MQTT 5 §3.3.2.3.4). false: the connection was closed. */
bool publish_judge_alias(struct connection *c, struct packet_publish *p,
                         enum publish_verdict *ret);

/* For packets with and without an alias. */
static inline bool publish_judge_topic(struct connection *c,
                                       struct packet_publish *p,
                                       enum publish_verdict *ret)
{
    if (p->topic_alias != 0)
        return publish_judge_alias(c, p, ret);
    *ret = publish_topic_verdict(c, p->topic);
    return true;
}

#endif
