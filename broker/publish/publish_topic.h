/* The topic of a PUBLISH: found by its alias, and what its client may do with it. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_TOPIC_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_TOPIC_H

#include "broker/client/connection.h"

/* What may be done with the packet's topic, which is found by its alias (MQTT 5
 * §3.3.2.3.4) or sets that: p->topic. false: the connection was closed. */
bool publish_judge_topic(struct connection *c, struct packet_publish *p,
                         enum publish_verdict *ret);

#endif
