/* The topic of a PUBLISH: found by its alias, and what its client may do with it. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_TOPIC_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_TOPIC_H

#include "broker/client/connection.h"

/* What this client may do with the topic. Asked once for all messages of a
 * connection that follow each other: as a rule they have one topic. */
enum publish_verdict publish_topic_verdict(struct connection *c,
                                           struct slice topic);
/* The same of a packet with a Topic Alias, which finds its topic, p->topic (MQTT 5
 * §3.3.2.3.4), or is set to it. false: the connection was closed. */
bool publish_judge_alias(struct connection *c, struct packet_publish *p,
                         enum publish_verdict *ret);

/* Of either. */
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
