/* What becomes of the properties of a PUBLISH or a will: those that are forwarded
 * with the message, and the confab-* ones, which administrators instruct the
 * broker by (base/vocabulary.h) and others may not send. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_PROPERTIES_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_PROPERTIES_H

#include "base/buffer.h"
#include "broker/publish/publish.h"
#include "store/message.h"

/* Some user property is one of RESERVED_PREFIX. */
bool publish_has_reserved(const struct packet_user_block *user);

/* What an administrator's PUBLISH says in confab-* properties. */
struct publish_instructions {
    struct slice operation, idempotency, sender; /* len 0: none */
    int64_t window_start_us;
    bool is_json;
};
/* One more of them, if the property is one. */
void publish_read_instruction(struct publish_instructions *ret,
                              const struct packet_user_property *property);
/* Makes them q's; copied. false: one is too long, or out of memory. */
bool publish_follow(struct publish *q,
                    const struct publish_instructions *instructions);

/* User properties to forward, as one encoded block: the client's own bytes
 * where they are one, else gathered in `scratch`. take: NULL, or what gets the
 * instructions among them, which are not forwarded. false: out of memory. */
bool publish_forwarded_properties(const struct packet_user_block *user,
                                  struct publish_instructions *take,
                                  struct buffer *scratch, struct slice *ret);
/* All other properties that go with the message; borrowed. */
static inline void publish_fill_properties(
    struct message *m, const struct packet_message_properties *p)
{
    m->has_expiry = p->has_expiry;
    m->expiry_s = p->expiry_s;
    m->has_payload_format = p->has_payload_format;
    m->payload_format = p->payload_format;
    m->content_type = p->content_type;
    m->response_topic = p->response_topic;
    m->correlation = p->correlation;
}

#endif
