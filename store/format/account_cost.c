#include "store/format/account_cost.h"

#include "store/format/schema.h"

/* A node in a tree: its header and its offset in the page. */
#define NODE 32u
/* LMDB stores a value above about half a page in pages of its own. */
#define PAGE 4096u
#define INLINE_MAX 2000u
/* A record without topic, payload and properties; and its share of a chunk row. */
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
                    m->correlation.len + m->sender.len + m->changed_by.len +
                    m->user_properties.len);
}

uint64_t account_change_cost(struct slice token, const struct message *m)
{
    const uint64_t row = account_row_cost(token.len + 1 + sizeof(m->id), 0);

    return m->kind == MESSAGE_PURGE
               ? in_pages(MESSAGE + m->topic.len + m->changed_by.len) + 2 * row
               : in_pages(MESSAGE + m->topic.len) + row;
}

/* A name too long for a key is stored in the row, besides its hash in the key. */
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
