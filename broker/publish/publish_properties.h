/* The properties of a PUBLISH or a will: those that are forwarded with the
 * message, and the confab-* user properties, with which administrators
 * instruct the broker (base/vocabulary.h) and which nobody else may send. */
#ifndef CONFAB_BROKER_PUBLISH_PUBLISH_PROPERTIES_H
#define CONFAB_BROKER_PUBLISH_PUBLISH_PROPERTIES_H

#include "base/buffer.h"
#include "broker/publish/publish.h"
#include "store/message.h"

/* Whether a user property begins with RESERVED_PREFIX. */
bool publish_has_reserved(const struct packet_user_block *user);

/* The confab-* properties of an administrator's PUBLISH. */
struct publish_instructions {
    struct slice operation, idempotency, sender, address; /* len 0: none */
    int64_t window_start_us;
    bool is_json;
};
/* Stores the property in *ret if it is an instruction. */
void publish_read_instruction(struct publish_instructions *ret,
                              const struct packet_user_property *property);
/* Copies them to q. false: one is too long, or memory is short. */
bool publish_follow(struct publish *q,
                    const struct publish_instructions *instructions);

/* Collects the user properties to forward in one encoded block: the client's
 * own bytes if these are contiguous, else a copy in `scratch`. take: NULL,
 * or receives the instructions among them, which are not forwarded. false:
 * out of memory. */
bool publish_forwarded_properties(const struct packet_user_block *user,
                                  struct publish_instructions *take,
                                  struct buffer *scratch, struct slice *ret);
/* Sets all other properties that are forwarded with the message; borrowed. */
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
