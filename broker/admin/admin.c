#include "broker/admin/admin.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/msgpack/unpack.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "broker/admin/client_query.h"
#include "broker/admin/trace_answer.h"
#include "broker/client/hub.h"
#include "broker/wire/reason.h"
#include "store/commands/codec.h"

/* A value of the map: text or a number that is not negative. */
struct value {
    bool is_text;
    struct slice text;
    uint64_t number;
};

/* What the map of a question about clients may hold. */
struct order {
    struct slice token, client, address, from;
    bool all, full, refused;
};

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
    return true;
}

/* The slices point into `body`. */
static bool read_order(struct slice body, struct order *ret_order)
{
    struct unpack u = unpack_of(body.data, body.len);
    bool good = true;

    *ret_order = (struct order){0};
    const uint32_t count = unpack_map(&u);
    for (uint32_t i = 0; i < count && good && !u.failed; i++) {
        const struct slice key = unpack_str(&u);
        const struct value value = take_value(&u);
        good = !u.failed && take_field(key, &value, ret_order);
    }
    return good && !u.failed && u.at == u.end;
}

static bool admin_refuse(struct publish *q, int status, uint8_t reason,
                         const char *text)
{
    q->status = status;
    q->reason = reason;
    q->text = text;
    return false;
}

static bool admin_refuse_argument(struct publish *q, const char *text)
{
    return admin_refuse(q, command_status(RESULT_INVALID),
                        REASON_IMPLEMENTATION_SPECIFIC, text);
}

static bool answer_status(struct publish *q, const struct hub *hub)
{
    struct buffer b = {.limit = 16 * 1024};

    hub->status(hub->arg, &b);
    if (!buffer_ok(&b)) {
        buffer_release(&b);
        return admin_refuse(q, command_status(RESULT_IO),
                            REASON_IMPLEMENTATION_SPECIFIC,
                            "no status available");
    }
    q->status = command_status(RESULT_OK);
    q->reason = REASON_SUCCESS;
    q->result = buffer_take(&b, &q->result_len);
    return false;
}

static bool take_doors(struct publish *q, const struct hub *hub,
                       struct slice json)
{
    enum json_type type;

    if (json.len > DOORS_TOLD_MAX ||
        !json_check(json.data, json.len, &type, NULL) || type != JSON_OBJECT)
        return admin_refuse_argument(q, "doors: must be a JSON object");
    hub->tell_doors(hub->arg, json);
    q->status = command_status(RESULT_OK);
    q->reason = REASON_SUCCESS;
    return false;
}

static bool answer_trace(struct publish *q, struct slice body)
{
    struct buffer b = {.limit = 16 * 1024};
    struct order o;

    if (!read_order(body, &o) || !token_valid(o.token))
        return admin_refuse_argument(q, "trace needs token");
    if (!trace_answer(o.token, q->connection->number, &b))
        return admin_refuse(
            q, command_status(RESULT_EXISTS), REASON_IMPLEMENTATION_SPECIFIC,
            "another trace is running: wait until it has ended");
    if (!buffer_ok(&b)) {
        buffer_release(&b);
        return admin_refuse(q, command_status(RESULT_IO),
                            REASON_IMPLEMENTATION_SPECIFIC, "out of memory");
    }
    q->status = command_status(RESULT_OK);
    q->reason = REASON_SUCCESS;
    q->result = buffer_take(&b, &q->result_len);
    return false;
}

/* ---- commands of the store ------------------------------------------------- */

/* COMMAND_KIND_COUNT: there is none that administrators may send. */
static enum command_kind find_command(struct slice name)
{
    unsigned kind = 0;

    while (kind < COMMAND_KIND_COUNT &&
           !(command_types[kind]->for_administrators &&
             slice_eq(name, slice_str(command_types[kind]->name))))
        kind++;
    return (enum command_kind)kind;
}

static bool order_command(struct publish *q, const struct hub *hub,
                          enum command_kind kind, struct slice body,
                          int64_t now_us)
{
    const struct command_type *type = command_types[kind];
    const char *wrong = command_decode(kind, body, &q->command, &q->decoded);

    if (wrong != NULL)
        return admin_refuse_argument(q, wrong);
    q->memory_size = command_memory_size(q->decoded);
    if (q->command.message != NULL)
        message_ref(q->command.message); /* publish_free() drops it, too */
    q->command.now_us = now_us;
    if (type->check != NULL)
        wrong = type->check(&q->command, hub->config);
    return wrong == NULL || admin_refuse_argument(q, wrong);
}

/* ---- questions about clients ----------------------------------------------- */

static bool ask_clients(struct publish *q, const struct hub *hub,
                        const struct order *o, bool kicks)
{
    struct client_query *r = malloc(sizeof(*r));

    if (r == NULL)
        return admin_refuse(q, command_status(RESULT_IO),
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
        return admin_refuse_argument(
            q, "from: must be the `next` of an earlier answer");
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
        return admin_refuse_argument(
            q, "kick needs client and token, address, or all and token");
    return ask_clients(q, hub, o, true);
}

static const struct {
    const char *name;
    bool (*make)(struct publish *q, const struct hub *hub,
                 const struct order *o);
} questions[] = {
    {"clients", order_clients},
    {"kick", order_kick},
};
#define QUESTION_COUNT (sizeof(questions) / sizeof(questions[0]))

/* Its place in `questions`; QUESTION_COUNT: none. */
static size_t find_question(struct slice name)
{
    size_t i = 0;

    while (i < QUESTION_COUNT && !slice_eq(name, slice_str(questions[i].name)))
        i++;
    return i;
}

static bool admin_order(struct publish *q, const struct hub *hub,
                        struct slice name, struct slice body, int64_t now_us)
{
    struct order o;

    q->is_command = true;
    if (slice_eq(name, slice_str("status")))
        return answer_status(q, hub);
    if (slice_eq(name, slice_str(COMMAND_DOORS_NAME)))
        return take_doors(q, hub, body);
    if (slice_eq(name, slice_str("trace")))
        return answer_trace(q, body);
    const enum command_kind command = find_command(name);
    const size_t question = find_question(name);
    if (command != COMMAND_KIND_COUNT)
        return order_command(q, hub, command, body, now_us);
    if (question == QUESTION_COUNT)
        return admin_refuse(q, command_status(RESULT_NOT_FOUND),
                            REASON_IMPLEMENTATION_SPECIFIC,
                            "there is no such command");
    /* Slices point into a copy: the packet is gone soon. */
    q->memory = malloc(body.len + 1);
    q->memory_size = body.len + 1;
    if (q->memory == NULL)
        return admin_refuse(q, command_status(RESULT_IO),
                            REASON_IMPLEMENTATION_SPECIFIC, "out of memory");
    if (body.len > 0)
        memcpy(q->memory, body.data, body.len);
    body.data = q->memory;
    if (!read_order(body, &o))
        return admin_refuse_argument(
            q, "body: must be a msgpack map of the command's keys");
    return questions[question].make(q, hub, &o);
}

static void admin_answer(struct publish *q)
{
    struct buffer b = BUFFER_INIT;

    if (q->result != NULL)
        return;
    command_answer(&b, &q->command);
    if (buffer_ok(&b))
        q->result = buffer_take(&b, &q->result_len);
    buffer_release(&b);
}

const struct admin_commands admin_commands = {.make = admin_order,
                                              .answer = admin_answer};
