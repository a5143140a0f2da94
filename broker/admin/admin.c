#include "broker/admin/admin.h"

#include <stdlib.h>

#include "base/json_write.h"
#include "base/msgpack/unpack.h"
#include "base/topic.h"
#include "broker/admin/client_query.h"
#include "broker/admin/trace_answer.h"
#include "broker/client/hub.h"
#include "broker/wire/reason.h"

/* A value of the map: text or a number that is not negative. */
struct value {
    bool is_text;
    struct slice text;
    uint64_t number;
};

/* What the map may hold; each command looks at its own. */
struct order {
    struct slice token, plan, topic, client, address, from;
    bool all, full, refused;
    bool has_start, has_reads, has_through;
    uint64_t start, reads, through;
};

static uint32_t take_map(struct unpack *u)
{
    const unsigned char type = u->at < u->end ? *u->at++ : 0;
    const size_t len = type == 0xde ? 2 : type == 0xdf ? 4 : 0;
    uint32_t count = 0;

    if (type >> 4 == 0x8)
        return type & 0x0f;
    u->failed |= len == 0 || (size_t)(u->end - u->at) < len;
    for (size_t i = 0; i < len && !u->failed; i++)
        count = count << 8 | *u->at++;
    return count;
}

static bool is_text(unsigned char type)
{
    return type >> 5 == 0x5 || (type >= 0xd9 && type <= 0xdb);
}

static struct value take_value(struct unpack *u)
{
    struct value v = {.is_text = u->at < u->end && is_text(*u->at)};

    if (v.is_text)
        v.text = unpack_str(u);
    else
        v.number = unpack_uint(u);
    return v;
}

static bool take_text(const struct value *v, struct slice *ret)
{
    *ret = v->text;
    return v->is_text;
}

static bool take_number(const struct value *v, bool *ret_has, uint64_t *ret)
{
    *ret_has = !v->is_text;
    *ret = v->number;
    return !v->is_text;
}

static bool take_yes(const struct value *v, bool *ret)
{
    *ret = v->number != 0;
    return !v->is_text;
}

static bool take_field(struct slice key, const struct value *v,
                       struct order *o)
{
    if (slice_eq(key, slice_str("token")))
        return take_text(v, &o->token);
    if (slice_eq(key, slice_str("plan")))
        return take_text(v, &o->plan);
    if (slice_eq(key, slice_str("topic")))
        return take_text(v, &o->topic);
    if (slice_eq(key, slice_str("client")))
        return take_text(v, &o->client);
    if (slice_eq(key, slice_str("address")))
        return take_text(v, &o->address);
    if (slice_eq(key, slice_str("from")))
        return take_text(v, &o->from);
    if (slice_eq(key, slice_str("all")))
        return take_yes(v, &o->all);
    if (slice_eq(key, slice_str("full")))
        return take_yes(v, &o->full);
    if (slice_eq(key, slice_str("refused")))
        return take_yes(v, &o->refused);
    if (slice_eq(key, slice_str("start")))
        return take_number(v, &o->has_start, &o->start) &&
               o->start <= INT64_MAX;
    if (slice_eq(key, slice_str("reads")))
        return take_number(v, &o->has_reads, &o->reads);
    if (slice_eq(key, slice_str("through")))
        return take_number(v, &o->has_through, &o->through);
    return true;
}

/* The slices point into `body`. */
static bool read_order(struct slice body, struct order *ret_order)
{
    struct unpack u = unpack_of(body.data, body.len);
    bool good = true;

    *ret_order = (struct order){0};
    const uint32_t count = take_map(&u);
    for (uint32_t i = 0; i < count && good && !u.failed; i++) {
        const struct slice key = unpack_str(&u);
        const struct value value = take_value(&u);
        good = !u.failed && take_field(key, &value, ret_order);
    }
    return good && !u.failed && u.at == u.end;
}

static bool refused(struct publish *q, int status, uint8_t reason,
                    const char *text)
{
    q->status = status;
    q->reason = reason;
    q->text = text;
    return false;
}

static bool bad(struct publish *q, const char *text)
{
    return refused(q, command_status(RESULT_INVALID),
                   REASON_IMPLEMENTATION_SPECIFIC, text);
}

static bool answer_status(struct publish *q, const struct hub *hub)
{
    struct buffer b = {.limit = 16 * 1024};

    hub->status(hub->arg, &b);
    if (!buffer_ok(&b)) {
        buffer_release(&b);
        return refused(q, command_status(RESULT_IO),
                       REASON_IMPLEMENTATION_SPECIFIC, "no status available");
    }
    q->status = command_status(RESULT_OK);
    q->reason = REASON_SUCCESS;
    q->result = buffer_take(&b, &q->result_len);
    return false;
}

static bool answer_trace(struct publish *q, struct slice body)
{
    struct buffer b = {.limit = 16 * 1024};
    struct order o;

    if (!read_order(body, &o) || !token_valid(o.token))
        return bad(q, "trace needs token");
    if (!trace_answer(o.token, q->connection->number, &b))
        return refused(q, command_status(RESULT_EXISTS),
                       REASON_IMPLEMENTATION_SPECIFIC,
                       "another trace is running: wait until it has ended");
    if (!buffer_ok(&b)) {
        buffer_release(&b);
        return refused(q, command_status(RESULT_IO),
                       REASON_IMPLEMENTATION_SPECIFIC, "out of memory");
    }
    q->status = command_status(RESULT_OK);
    q->reason = REASON_SUCCESS;
    q->result = buffer_take(&b, &q->result_len);
    return false;
}

static bool order_token_create(struct publish *q, const struct hub *hub,
                               const struct order *o)
{
    struct slice plan = o->plan;

    if (plan.len == 0)
        plan = slice_str(config_newest(hub->config)->tokens_operator_plan);
    if (!token_valid(o->token))
        return bad(q, "token: 1 to 64 of A-Z a-z 0-9 _ - expected");
    if (config_plan(hub->config, plan) == NULL)
        return bad(q, "plan: there is no such plan");
    q->command.kind = COMMAND_TOKEN_CREATE;
    q->command.token = o->token;
    q->command.plan = plan;
    return true;
}

static bool order_token_revoke(struct publish *q, const struct hub *hub,
                               const struct order *o)
{
    (void)hub;
    if (!token_valid(o->token))
        return bad(q, "token: 1 to 64 of A-Z a-z 0-9 _ - expected");
    q->command.kind = COMMAND_TOKEN_REVOKE;
    q->command.token = o->token;
    return true;
}

static bool order_token_set(struct publish *q, const struct hub *hub,
                            const struct order *o)
{
    if (!token_valid(o->token))
        return bad(q, "token: 1 to 64 of A-Z a-z 0-9 _ - expected");
    if (config_plan(hub->config, o->plan) == NULL)
        return bad(q, "plan: there is no such plan");
    q->command.kind = COMMAND_TOKEN_SET;
    q->command.token = o->token;
    q->command.plan = o->plan;
    return true;
}

static bool order_token_delete(struct publish *q, const struct hub *hub,
                               const struct order *o)
{
    if (!order_token_revoke(q, hub, o))
        return false;
    q->command.kind = COMMAND_TOKEN_DELETE;
    return true;
}

static bool order_thing_purge(struct publish *q, const struct hub *hub,
                              const struct order *o)
{
    struct slice token, thing;

    (void)hub;
    if (!topic_split(o->topic, &token, &thing))
        return bad(q, "topic: <token>/<thing> expected");
    q->command.kind = COMMAND_THING_PURGE;
    q->command.topic = o->topic;
    return true;
}

static bool order_usage(struct publish *q, const struct hub *hub,
                        const struct order *o)
{
    (void)hub;
    if (!token_valid(o->token) || !o->has_start || !o->has_reads)
        return bad(q, "usage needs token, start and reads");
    q->command.kind = COMMAND_USAGE;
    q->command.token = o->token;
    q->command.window_start_us = (int64_t)o->start;
    q->command.reads = o->reads;
    return true;
}

static bool order_ping(struct publish *q, const struct hub *hub,
                       const struct order *o)
{
    (void)hub;
    (void)o;
    q->command.kind = COMMAND_PING;
    return true;
}

static bool order_trim(struct publish *q, const struct hub *hub,
                       const struct order *o)
{
    (void)hub;
    if (!topic_valid(o->topic) || !o->has_through)
        return bad(q, "trim needs topic and through");
    q->command.kind = COMMAND_TRIM;
    q->command.topic = o->topic;
    q->command.through = o->through;
    return true;
}

static bool ask_clients(struct publish *q, const struct hub *hub,
                        const struct order *o, bool kicks)
{
    struct client_query *r = malloc(sizeof(*r));

    if (r == NULL)
        return refused(q, command_status(RESULT_IO),
                       REASON_IMPLEMENTATION_SPECIFIC, "out of memory");
    *r = (struct client_query){
        .kicks = kicks,
        .is_exact = kicks,
        .full = o->full,
        .refused = o->refused && !kicks,
        .token = o->token,
        .client = o->client,
        .address = o->address,
    };
    if (!client_query_begin(r, hub, o->from)) {
        free(r);
        return bad(q, "from: what an answer gave as next expected");
    }
    q->question = r;
    q->asked = hub->workers[r->worker];
    return true;
}

static bool order_clients(struct publish *q, const struct hub *hub,
                          const struct order *o)
{
    return ask_clients(q, hub, o, false);
}

/* A kick must name its targets: an empty request never means everyone. */
static bool order_kick(struct publish *q, const struct hub *hub,
                       const struct order *o)
{
    const bool one = o->client.data != NULL && o->token.data != NULL;
    const bool all = o->all && o->token.data != NULL;

    if (!one && !all && o->address.data == NULL)
        return bad(q,
                   "kick needs client and token, address, or all and token");
    return ask_clients(q, hub, o, true);
}

static const struct {
    const char *name;
    bool (*make)(struct publish *q, const struct hub *hub,
                 const struct order *o);
} orders[] = {
    {"token_create", order_token_create},
    {"token_revoke", order_token_revoke},
    {"token_set", order_token_set},
    {"token_delete", order_token_delete},
    {"thing_purge", order_thing_purge},
    {"usage", order_usage},
    {"ping", order_ping},
    {"trim", order_trim},
    {"clients", order_clients},
    {"kick", order_kick},
};

static bool admin_order(struct publish *q, const struct hub *hub,
                        struct slice name, struct slice body, int64_t now_us)
{
    struct order o;

    q->is_command = true;
    if (slice_eq(name, slice_str("status")))
        return answer_status(q, hub);
    if (slice_eq(name, slice_str("trace")))
        return answer_trace(q, body);
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (!slice_eq(name, slice_str(orders[i].name)))
            continue;
        /* The command's slices point into a copy: the packet is gone soon. */
        q->memory = malloc(body.len + 1);
        q->memory_size = body.len + 1;
        if (q->memory == NULL)
            return refused(q, command_status(RESULT_IO),
                           REASON_IMPLEMENTATION_SPECIFIC, "out of memory");
        if (body.len > 0)
            memcpy(q->memory, body.data, body.len);
        if (!read_order(slice_of(q->memory, body.len), &o))
            return bad(q,
                       "body: a msgpack map of the command's keys expected");
        q->command.now_us = now_us;
        return orders[i].make(q, hub, &o);
    }
    return refused(q, command_status(RESULT_NOT_FOUND),
                   REASON_IMPLEMENTATION_SPECIFIC, "there is no such command");
}

static void admin_answer(struct publish *q)
{
    const struct command *c = &q->command;
    struct buffer b = BUFFER_INIT;
    struct json_writer w = json_writer_of(&b);

    if (c->result != RESULT_OK || q->result != NULL)
        return;
    json_object(&w);
    switch (c->kind) {
    case COMMAND_TOKEN_SET:
    case COMMAND_TOKEN_CREATE:
        json_member_string(&w, "token", c->token);
        json_member_string(&w, "plan", c->plan);
        break;
    case COMMAND_TOKEN_REVOKE:
        json_member_string(&w, "token", c->token);
        json_member_bool(&w, "revoked", true);
        break;
    case COMMAND_TOKEN_DELETE:
    case COMMAND_THING_PURGE:
        json_member_u64(&w, "removed", c->removed);
        json_member_bool(&w, "more", c->more);
        break;
    case COMMAND_TRIM: json_member_u64(&w, "removed", c->removed); break;
    default: break;
    }
    json_object_end(&w);
    if (buffer_ok(&b))
        q->result = buffer_take(&b, &q->result_len);
    buffer_release(&b);
}

const struct admin_commands admin_commands = {.make = admin_order,
                                              .answer = admin_answer};
