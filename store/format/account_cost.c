#include "store/format/account_cost.h"

#include "store/format/schema.h"

/* Of a node in a tree: header and place in its page. */
#define NODE 32u
/* LMDB puts what is above about half a page into pages of its own. */
#define PAGE 4096u
#define INLINE_MAX 2000u
/* Of a record beyond topic, payload and properties; its share of a chunk row. */
#define MESSAGE 96u
#define THING 192u
#define SESSION 96u
#define SUBSCRIPTION 64u
#define ANSWER 48u
#define HASHED_KEY 401u
static uint64_t in_pages(uint64_t bytes)
{
    return bytes <= INLINE_MAX ? bytes : (bytes + PAGE - 1) / PAGE * PAGE;
}

uint64_t account_row_cost(size_t key, size_t row)
{
    return NODE + key + in_pages(row);
}

uint64_t account_message_cost(const struct message *m)
{
    return in_pages(MESSAGE + m->topic.len + m->payload.len +
                    m->content_type.len + m->response_topic.len +
                    m->correlation.len + m->sender.len +
                    m->user_properties.len);
}

/* A name that is too long for a key is in the row as well as its hash. */
static uint64_t name_cost(struct slice name)
{
    return name.len <= SCHEMA_KEY_MAX ? name.len
                                      : in_pages(name.len) + HASHED_KEY;
}

uint64_t account_thing_cost(struct slice topic)
{
    return NODE + THING + name_cost(topic);
}

uint64_t account_session_cost(struct slice identity)
{
    return NODE + SESSION + name_cost(identity);
}

uint64_t account_subscription_cost(struct slice filter)
{
    return NODE + SUBSCRIPTION + name_cost(filter);
}

uint64_t account_key_cost(struct slice token)
{
    return account_row_cost(IDEMPOTENCY_HASH, ANSWER + token.len) +
           account_row_cost(IDEMPOTENCY_HASH + 8, 0);
}

uint64_t account_plain_cost(struct slice topic, uint64_t count,
                            uint64_t payload_bytes)
{
    return payload_bytes + count * (MESSAGE + topic.len);
}
