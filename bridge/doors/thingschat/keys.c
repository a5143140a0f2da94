/* POST, GET and DELETE /{tenant}/keys, for callers with `admin`; POST
 * /{tenant}/tickets, for all. The writer makes and revokes keys: a command goes over
 * the link (store/command/key.h), with the hash of a secret that is made here and
 * shown once. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/vocabulary.h"
#include "bridge/doors/access.h"
#include "bridge/doors/thingschat/key_request.h"
#include "bridge/doors/thingschat/keys.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "store/command.h"
#include "store/command/key.h"
#include "store/identity.h"

#define DEADLINE_US INT64_C(10000000)
#define TICKET_EXPIRES_S 60
#define TICKET_EXPIRES_MAX_S 300

/* One command about keys, until its answer comes. */
struct key_order {
    struct call *call;
    struct link_request request;
    struct buffer command;
    struct buffer answer; /* for 2xx */
    unsigned status;      /* likewise */
    char secret[SECRET_SIZE];
};

static void order_release(void *own)
{
    struct key_order *o = own;

    sodium_memzero(o->secret, sizeof(o->secret));
    if (o->answer.data != NULL)
        sodium_memzero(o->answer.data, o->answer.len);
    buffer_release(&o->answer);
    buffer_release(&o->command);
    free(o->request.result);
    free(o);
}

static struct key_order *order_new(struct call *c)
{
    struct key_order *o = calloc(1, sizeof(*o));

    if (o == NULL)
        return NULL;
    o->call = c;
    c->own = o;
    c->release = order_release;
    return o;
}

/* ---- who may ----------------------------------------------------------------- */

/* Who names the tenant by its token has the token, which is all there is to know. */
static struct caller giver_of(const struct call *c)
{
    static const struct right all[] = {{CALLER_ADMIN, "#"}};
    struct caller giver = c->caller;

    if (c->identity == NULL) {
        giver.rights = all;
        giver.right_count = 1;
    }
    return giver;
}

/* false: answered. */
static bool caller_granted(struct call *c)
{
    struct access access;

    access_look_up_now(c, &access);
    if (access_refused(c, &access))
        return false;
    access_writes_left(c, &access);
    return !query_refused(c);
}

bool keys_caller_granted(struct call *c)
{
    return caller_granted(c) &&
           (c->identity == NULL ||
            !caller_refused(c, CALLER_ADMIN, slice_str("#")));
}

/* ---- sending ------------------------------------------------------------------ */

static void answer_failed(struct call *c, const struct link_request *a)
{
    if (a->outcome == LINK_TIMEOUT) {
        answer_error(c, 504,
                     "no answer from the broker in time: list the keys to see "
                     "whether it was done");
        return;
    }
    if (a->outcome == LINK_AWAY || a->status == 503)
        http_add_header(c->q, "Retry-After", "1");
    if (a->status == 429) {
        http_add_header_u64(c->q, "Retry-After",
                            a->retry_after_s > 0 ? a->retry_after_s : 1);
        c->remaining = 0;
    }
    if (a->outcome == LINK_AWAY)
        answer_error(c, 503, "broker away, nothing was done: retry");
    else if (a->status == 401)
        answer_error(c, 403,
                     "nobody has created this name, so it can have no keys: "
                     "create a token with confab token create");
    else
        answer_error(c,
                     a->status >= 400 && a->status <= 599 ? (unsigned)a->status
                                                          : 500,
                     "%s", a->reason[0] != '\0' ? a->reason : "refused");
}

/* Link's thread. */
static void on_answer(struct link_request *a)
{
    struct key_order *o = a->owner;
    struct call *c = o->call;

    if (a->outcome != LINK_ANSWERED || a->status != 200) {
        answer_failed(c, a);
    } else {
        if (o->status == 201 && c->remaining != UINT64_MAX && c->remaining > 0)
            c->remaining--; /* it counted as a write */
        http_add_header(c->q, "Cache-Control", "no-store");
        answer_json(c, o->status, &o->answer);
    }
    http_resume(c->q);
}

static enum http_next send_order(struct call *c, struct key_order *o,
                                 const char *topic,
                                 const struct command *command)
{
    command_encode(&o->command, command);
    if (!buffer_ok(&o->command) || !buffer_ok(&o->answer))
        return answer_error(c, 500, "out of memory");
    o->request = (struct link_request){
        .topic = slice_str(topic),
        .payload = buffer_slice(&o->command),
        .deadline_us = clock_mono_us() + DEADLINE_US,
        .done = on_answer,
        .owner = o,
    };
    http_suspend(c->q);
    if (!link_publish(c->front->link, &o->request)) {
        o->request.outcome = LINK_AWAY;
        on_answer(&o->request);
    }
    return HTTP_SUSPENDED;
}

/* ---- creating ----------------------------------------------------------------- */

size_t keys_body_max(struct call *c)
{
    (void)c;
    return KEY_REQUEST_MAX;
}

/* The body as JSON; empty means {}. false: answered. */
static bool read_body(struct call *c, struct slice *ret_body)
{
    struct json_error error;
    enum json_type type;

    if (!http_body(c->q, ret_body)) {
        http_close_after(c->q);
        answer_error(c, 413, "body: at most %d bytes", KEY_REQUEST_MAX);
        return false;
    }
    if (ret_body->len == 0)
        *ret_body = slice_str("{}");
    if (!json_check(ret_body->data, ret_body->len, &type, &error)) {
        answer_error(c, 400, "body is not JSON: byte %zu: %s", error.at,
                     error.text);
        return false;
    }
    if (type != JSON_OBJECT) {
        answer_error(c, 400,
                     "body must be a JSON object, like "
                     "{\"subscribe\":[\"#\"]}");
        return false;
    }
    return true;
}

/* Of each limit a key may have as much as its giver, or less: 0 means no limit. */
static bool plan_is_within(const struct plan *plan, const struct plan *limits)
{
    static const size_t at[] = {
        offsetof(struct plan, writes_per_hour),
        offsetof(struct plan, reads_per_hour),
        offsetof(struct plan, payload_max),
        offsetof(struct plan, connections),
        offsetof(struct plan, inflight),
        offsetof(struct plan, sessions_max),
        offsetof(struct plan, session_expiry),
        offsetof(struct plan, session_bytes_max),
        offsetof(struct plan, filters_max),
        offsetof(struct plan, client_id_max),
        offsetof(struct plan, things_max),
        offsetof(struct plan, bytes_max),
    };

    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        uint64_t wanted, most;
        memcpy(&wanted, (const char *)plan + at[i], sizeof(wanted));
        memcpy(&most, (const char *)limits + at[i], sizeof(most));
        if (most != 0 && (wanted == 0 || wanted > most))
            return false;
    }
    return true;
}

/* false: answered. */
static bool plan_granted(struct call *c, struct slice name)
{
    struct access access;

    if (name.len == 0)
        return true;
    const struct plan *plan = config_plan(c->front->config, name);
    if (plan == NULL) {
        answer_error(c, 400, "plan: there is no such plan");
        return false;
    }
    access_look_up_now(c, &access);
    if (access_refused(c, &access))
        return false;
    if (plan_is_within(plan, access.plan))
        return true;
    answer_error(c, 403,
                 "plan: it has higher limits than yours; leave it out");
    return false;
}

/* A key without rights may publish and subscribe to all of its tenant; a ticket
 * without any has those of its giver. */
static bool add_default_rights(struct rights_draft *d, const struct caller *of,
                               bool is_ticket)
{
    if (!is_ticket || of->right_count == 0)
        return rights_add(d, CALLER_PUBLISH, slice_str("#")) == RIGHT_OK &&
               rights_add(d, CALLER_SUBSCRIBE, slice_str("#")) == RIGHT_OK;
    for (size_t i = 0; i < of->right_count; i++)
        if (rights_add(d, of->rights[i].action,
                       slice_str(of->rights[i].filter)) != RIGHT_OK)
            return false;
    return true;
}

/* The rights as the command takes them. */
struct right_texts {
    struct buffer text;
    size_t count;
    struct slice list[RIGHTS_MAX];
};

static bool put_right_texts(const struct rights *rights, struct right_texts *t)
{
    size_t ends[RIGHTS_MAX];

    t->text = BUFFER_INIT;
    t->count = rights->count;
    for (size_t i = 0; i < rights->count; i++) {
        right_put_text(&t->text, &rights->list[i]);
        ends[i] = t->text.len;
    }
    for (size_t i = 0; i < rights->count; i++) {
        const size_t start = i == 0 ? 0 : ends[i - 1];
        t->list[i] = slice_of(t->text.data + start, ends[i] - start);
    }
    return buffer_ok(&t->text);
}

static void put_created_key(struct key_order *o, const struct key_create *a,
                            const struct rights *rights)
{
    struct json_writer w = json_writer_of(&o->answer);
    struct key_row row = {
        .hash = a->hash,
        .kind = (enum secret_kind)a->kind,
        .label = a->label,
        .user = a->user,
        .mounted = a->mounted,
        .mount = a->mount,
        .plan = a->plan,
        .created_us = clock_real_us(),
        .expires_us = a->expires_us,
    };

    o->status = 201;
    json_object(&w);
    json_member_text(&w, "key", o->secret);
    key_put_members(&w, &row, rights->list, rights->count);
    json_object_end(&w);
}

static void put_created_ticket(struct key_order *o, uint64_t expires_in_s)
{
    struct json_writer w = json_writer_of(&o->answer);

    o->status = 201;
    json_object(&w);
    json_member_text(&w, "ticket", o->secret);
    json_member_u64(&w, "expires_in", expires_in_s);
    json_object_end(&w);
}

/* What a ticket opens ends with the key or JWT that it was made with. */
static void make_ticket_of(struct key_create *args, const struct call *c)
{
    args->user = c->caller.user;
    if (c->identity == NULL)
        return;
    if (c->identity->plan->own == 0) /* else it is the tenant's */
        args->plan = slice_str(c->identity->plan->name);
    if (slice_eq(c->caller.key, slice_str(IDENTITY_KEY_OF_JWT)))
        args->until_us = c->identity->expires_us;
    else
        args->parent = c->caller.key;
}

static enum http_next create_key(struct call *c, const struct key_request *k,
                                 const struct rights *rights)
{
    const bool is_ticket = k->kind == SECRET_TICKET;
    unsigned char hash[SECRET_HASH_BYTES];
    struct right_texts texts;
    struct key_order *o = order_new(c);

    if (o == NULL)
        return answer_error(c, 500, "out of memory");
    secret_make(k->kind, o->secret);
    secret_hash(slice_str(o->secret), hash);
    const bool ok = put_right_texts(rights, &texts);
    struct key_create args = {
        .tenant = c->caller.tenant,
        .hash = slice_of(hash, sizeof(hash)),
        .kind = k->kind,
        .label = k->label,
        .rights = texts.list,
        .right_count = texts.count,
        .mounted = k->mounted,
        .mount = k->mount,
        .user = k->user,
        .plan = k->plan,
        .expires_us =
            k->expires ? clock_real_us() + (int64_t)k->expires_in_s * 1000000
                       : 0,
        .charged = true,
    };
    if (is_ticket)
        make_ticket_of(&args, c);
    const struct command command = {.kind = COMMAND_KEY_CREATE, .args = &args};
    if (is_ticket)
        put_created_ticket(o, k->expires_in_s);
    else
        put_created_key(o, &args, rights);
    const enum http_next next =
        ok ? send_order(c, o, COMMAND_PREFIX "key_create", &command)
           : answer_error(c, 500, "out of memory");
    buffer_release(&texts.text); /* the command is encoded */
    return next;
}

static bool rights_granted(struct call *c, const struct key_request *k,
                           const struct rights *rights)
{
    const struct caller giver = giver_of(c);
    const struct slice user = k->kind == SECRET_TICKET ? c->caller.user
                              : k->user.len > 0        ? k->user
                                                       : slice_of(NULL, 0);

    if (rights_covered(&giver, giver.tenant, user, rights->list,
                       rights->count))
        return true;
    answer_error(c, 403, "these are more rights than you have yourself");
    return false;
}

static enum http_next create_requested(struct call *c, struct key_request *k)
{
    const bool is_ticket = k->kind == SECRET_TICKET;

    if (k->rights.count == 0 &&
        !add_default_rights(&k->rights, &c->caller, is_ticket))
        return answer_error(c, 500, "out of memory");
    struct rights *rights = rights_new(&k->rights);
    if (rights == NULL)
        return answer_error(c, 500, "out of memory");
    const enum http_next next =
        rights_granted(c, k, rights) && plan_granted(c, k->plan)
            ? create_key(c, k, rights)
            : HTTP_ANSWERED;
    free(rights);
    return next;
}

enum http_next keys_post(struct call *c)
{
    struct key_request k;
    struct slice body;

    if (!keys_caller_granted(c) || !read_body(c, &body))
        return HTTP_ANSWERED;
    const enum http_next next = key_request_read(&k, body, false)
                                    ? create_requested(c, &k)
                                    : answer_error(c, 400, "%s", k.error);
    key_request_release(&k);
    return next;
}

/* false: answered. */
static bool ticket_granted(struct call *c, struct key_request *k)
{
    if (!k->expires)
        k->expires_in_s = TICKET_EXPIRES_S;
    k->expires = true;
    if (k->expires_in_s > TICKET_EXPIRES_MAX_S) {
        answer_error(c, 400, "expires_in: a ticket is valid for %d s at most",
                     TICKET_EXPIRES_MAX_S);
        return false;
    }
    return true;
}

enum http_next tickets_post(struct call *c)
{
    struct key_request k;
    struct slice body;

    if (!caller_granted(c) || !read_body(c, &body))
        return HTTP_ANSWERED;
    enum http_next next = HTTP_ANSWERED;
    if (!key_request_read(&k, body, true))
        answer_error(c, 400, "%s", k.error);
    else if (ticket_granted(c, &k))
        next = create_requested(c, &k);
    key_request_release(&k);
    return next;
}

/* ---- revoking ----------------------------------------------------------------- */

enum http_next keys_delete(struct call *c)
{
    unsigned char begin[KEY_ID_HASH_BYTES];

    if (!keys_caller_granted(c))
        return HTTP_ANSWERED;
    if (!key_id_parse(c->arguments[1], begin))
        return answer_error(c, 400,
                            "key: the id of a key, like key_AbCdEf012345");
    struct key_order *o = order_new(c);
    if (o == NULL)
        return answer_error(c, 500, "out of memory");
    struct key_revoke args = {.tenant = c->caller.tenant,
                              .key = c->arguments[1]};
    const struct command command = {.kind = COMMAND_KEY_REVOKE, .args = &args};
    struct json_writer w = json_writer_of(&o->answer);
    o->status = 200;
    json_object(&w);
    json_member_string(&w, "id", c->arguments[1]);
    json_member_bool(&w, "revoked", true);
    json_object_end(&w);
    return send_order(c, o, COMMAND_PREFIX "key_revoke", &command);
}
