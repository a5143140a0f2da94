#include "broker/publish/publish_properties.h"

#include <stdlib.h>
#include <string.h>

#include "base/vocabulary.h"

static bool properties_has_prefix(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && memcmp(s.data, prefix.data, prefix.len) == 0;
}

bool publish_has_reserved(const struct packet_user_block *user)
{
    struct packet_user_property property;

    if (user->size == 0)
        return false;
    struct packet_user_cursor at = packet_user_props(user->span);
    while (packet_user_props_next(&at, &property))
        if (properties_has_prefix(property.name, slice_str(RESERVED_PREFIX)))
            return true;
    return false;
}

static int64_t properties_number(struct slice s)
{
    const char *p = s.data;
    int64_t v = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (p[i] < '0' || p[i] > '9' || i >= 18)
            return 0;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

void publish_read_instruction(struct publish_instructions *ret,
                              const struct packet_user_property *p)
{
    if (slice_eq(p->name, slice_str(PROP_OP)))
        ret->operation = p->value;
    else if (slice_eq(p->name, slice_str(PROP_IDEMPOTENCY)))
        ret->idempotency = p->value;
    else if (slice_eq(p->name, slice_str(PROP_SENDER)))
        ret->sender = p->value;
    else if (slice_eq(p->name, slice_str(PROP_ADDRESS)))
        ret->address = p->value;
    else if (slice_eq(p->name, slice_str(PROP_CHARGE)))
        ret->window_start_us = properties_number(p->value);
    else if (slice_eq(p->name, slice_str(PROP_CLASS)))
        ret->is_json = slice_eq(p->value, slice_str("json"));
}

bool publish_forwarded_properties(const struct packet_user_block *user,
                                  struct publish_instructions *take,
                                  struct buffer *scratch, struct slice *ret)
{
    struct packet_user_property property;

    *ret = slice_of(NULL, 0);
    if (user->size == 0)
        return true;
    struct packet_user_cursor at = packet_user_props(user->span);
    if (take == NULL && user->span.len == user->size) {
        *ret = user->span;
        return true;
    }
    buffer_clear(scratch);
    while (packet_user_props_next(&at, &property)) {
        if (take != NULL &&
            properties_has_prefix(property.name, slice_str(RESERVED_PREFIX)))
            publish_read_instruction(take, &property);
        else
            buffer_put_slice(scratch, property.encoded);
    }
    if (scratch->len > 0)
        *ret = buffer_slice(scratch);
    return buffer_ok(scratch);
}

bool publish_follow(struct publish *q, const struct publish_instructions *in)
{
    struct command *command = &q->command;

    if (in->window_start_us != 0)
        q->append.window_start_us = in->window_start_us;
    if (in->operation.len > PUBLISH_OPERATION_MAX ||
        in->idempotency.len > PUBLISH_IDEMPOTENCY_MAX ||
        in->sender.len > MESSAGE_SENDER_MAX)
        return false;
    if (in->operation.len > 0) {
        memcpy(q->operation, in->operation.data, in->operation.len);
        command->operation = slice_of(q->operation, in->operation.len);
    }
    if (in->idempotency.len > 0 && q->memory == NULL) {
        q->memory = malloc(in->idempotency.len);
        if (q->memory == NULL)
            return false;
        q->memory_size = in->idempotency.len;
        memcpy(q->memory, in->idempotency.data, in->idempotency.len);
        command->idempotency = slice_of(q->memory, in->idempotency.len);
    }
    return true;
}
