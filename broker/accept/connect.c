#include "broker/accept/connect.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/callers.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "broker/accept/connect_key.h"
#include "broker/client/client_identity.h"
#include "broker/client/client_mount.h"
#include "broker/client/connection_counts.h"
#include "broker/client/key_end.h"
#include "broker/client/refusals.h"
#include "broker/client/shard.h"
#include "broker/client/spare.h"
#include "broker/client/token_connections.h"
#include "broker/client/topic_alias.h"
#include "broker/publish/publish_will.h"
#include "broker/session/session_open.h"
#include "broker/session/will.h"
#include "broker/wire/packet_encode.h"
#include "broker/wire/reason.h"

#define MAXIMUM_QOS 2
#define RECEIVE_MAXIMUM_ADMIN 512
#define ASSIGNED_RANDOM 12 /* bytes; twice as many hexadecimal digits */

/* ---- finding the worker ------------------------------------------------- */

static bool is_admin(const struct connection *c,
                     const struct packet_connect *p)
{
    return c->peer_is_admin && p->user_name.data == NULL &&
           !connect_has_key(p);
}

static void assign_id(char *to)
{
    unsigned char random[ASSIGNED_RANDOM];

    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(to, 2 * ASSIGNED_RANDOM + 1, random, sizeof(random));
}

/* An empty user name counts as none: libraries send one if their user set
 * nothing. */
static bool connect_decode(const struct packet_frame *f,
                           struct packet_connect *ret,
                           struct packet_error *ret_error)
{
    const bool good = packet_decode_connect(f, MAXIMUM_QOS, ret, ret_error);

    if (good && ret->user_name.len == 0)
        ret->user_name = slice_of(NULL, 0);
    return good;
}

static bool set_identity(struct connection *c, const struct packet_connect *p,
                         struct slice token)
{
    char assigned[2 * ASSIGNED_RANDOM + 1];
    struct slice id = p->client_id;

    if (id.len == 0) {
        assign_id(assigned);
        id = slice_of(assigned, 2 * ASSIGNED_RANDOM);
        c->id_assigned = true;
    }
    c->identity_len = token.len + 1 + id.len;
    c->identity = malloc(c->identity_len);
    if (c->identity == NULL)
        return false;
    if (token.len > 0)
        memcpy(c->identity, token.data, token.len);
    c->identity[token.len] = '\0';
    memcpy(c->identity + token.len + 1, id.data, id.len);
    c->token_len = token.len;
    c->publisher =
        client_identity_hash(slice_of(c->identity, c->identity_len));
    c->pinned = true;
    return true;
}

struct worker *connect_place(struct connection *c,
                             const struct packet_frame *f)
{
    const struct hub *hub = c->worker->hub;
    struct packet_connect p;
    struct packet_error error;
    char room[TOKEN_MAX];

    if (!connect_decode(f, &p, &error))
        return c->worker;
    const bool has_key = connect_has_key(&p);
    const struct slice token =
        has_key ? connect_key_tenant(hub, &p, room) : p.user_name;
    if ((token.data != NULL || has_key) && !token_valid(token))
        return c->worker;
    if (!set_identity(c, &p, token))
        return c->worker;
    if (is_admin(c, &p))
        return hub->workers[hub->count];
    return client_identity_home(hub, c->publisher);
}

/* ---- authentication ----------------------------------------------------- */

static void connect_refuse(struct connection *c, uint8_t reason,
                           const char *text)
{
    const struct packet_connack connack = {
        .reason = reason,
        .detail = {.reason_string = slice_str(text)},
    };
    uint8_t packet[512];
    const size_t size =
        packet_encode_connack(&c->terms, &connack, packet, sizeof(packet));

    refusal_note(c, REFUSED_CONNECT, text);
    if (size > 0)
        (void)connection_answer(c, packet, size);
    connection_close(c, CLOSE_REFUSED, text);
}

/* Not 0x86, which is about "the User Name or Password specified by the
 * Client" (MQTT 5 §3.2.2.2): it specified none. 3.1.1 gets 5, as from other
 * servers. */
static bool refuse_nameless(struct connection *c)
{
    connect_refuse(
        c, REASON_NOT_AUTHORIZED,
        c->transport.websocket != NULL
            ? "no user name: over WebSocket it must always be a token"
            : "no user name: it must be a token created on this server");
    return false;
}

static bool keep_caller(struct connection *c, const struct caller *caller)
{
    c->caller = caller_share(c->worker->hub->callers, caller);
    if (c->caller == NULL)
        connect_refuse(c, REASON_SERVER_BUSY, "out of memory: retry later");
    return c->caller != NULL;
}

static bool connect_by_key(struct connection *c,
                           const struct packet_connect *p)
{
    const char *text;
    uint8_t reason;

    c->caller = connect_key_caller(c, p, &reason, &text);
    if (c->caller == NULL)
        connect_refuse(c, reason, text);
    else if (!client_mount_begin(c))
        connect_refuse(c, REASON_NOT_AUTHORIZED,
                       "the key's mount has %u or %c, which must be a level: "
                       "give the key a user, or choose another client id");
    else
        key_end_expect(c);
    return c->state == CONNECTION_NEW;
}

static bool connect_authenticate(struct connection *c,
                                 const struct packet_connect *p)
{
    const struct hub *hub = c->worker->hub;
    struct caller caller = caller_administrator();
    struct plan own;

    if (is_admin(c, p)) {
        c->role = ROLE_ADMIN;
        return keep_caller(c, &caller);
    }
    if (connect_has_key(p)) {
        c->role = ROLE_TOKEN;
        return connect_by_key(c, p);
    }
    c->role = p->user_name.data == NULL ? ROLE_NAMELESS : ROLE_TOKEN;
    /* Any web page can make its visitor's browser connect here: open mode is
     * not meant for that. */
    if (c->role == ROLE_NAMELESS && c->transport.websocket != NULL)
        return refuse_nameless(c);
    switch (
        auth_connect(hub->config, hub->store, p->user_name, &caller, &own)) {
    case AUTH_OK: return keep_caller(c, &caller);
    case AUTH_BAD:
        connect_refuse(
            c, REASON_BAD_CREDENTIALS,
            "unknown token: the user name must be a token created on this server");
        return false;
    case AUTH_REVOKED:
        connect_refuse(c, REASON_BAD_CREDENTIALS,
                       "token was revoked: use another one");
        return false;
    case AUTH_SUSPENDED:
        connect_refuse(c, REASON_BANNED,
                       "tenant is suspended: ask who runs the server");
        return false;
    case AUTH_NAMELESS: return refuse_nameless(c);
    case AUTH_STORE: break;
    }
    connect_refuse(c, REASON_SERVER_UNAVAILABLE,
                   "store cannot be read: retry later");
    return false;
}

static bool is_throttled(const struct connection *c)
{
    const struct worker *w = c->worker;
    const struct throttled *t = &w->throttled[c->publisher % THROTTLED_MAX];
    const struct plan *plan = connection_plan(c);

    return t->publisher == c->publisher && t->until_us > w->mono_us &&
           plan != NULL && plan->writes_per_hour == t->writes_per_hour;
}

/* The id is in every row the client stores. 23 bytes are always allowed
 * (MQTT-3.1.3-5). */
static bool is_id_too_long(const struct connection *c)
{
    const size_t len = c->identity_len - c->token_len - 1;
    const struct plan *plan = connection_plan(c);

    return c->role != ROLE_ADMIN && plan->client_id_max != 0 && len > 23 &&
           len > plan->client_id_max;
}

/* MQTT-3.1.4-3: disconnects the client that has the session. true: that one
 * had a stored session, or was about to. */
static bool take_over(struct connection *c)
{
    struct connection *old;

    HASH_FIND(session, c->worker->sessions, c->identity, c->identity_len, old);
    if (old == NULL)
        return false;
    const bool had_stored = old->stored != NULL || old->opening;
    connection_close(old, CLOSE_TAKEN_OVER, NULL);
    return had_stored;
}

static bool connect_admit(struct connection *c)
{
    struct worker *w = c->worker;

    const uint64_t most =
        c->role == ROLE_TOKEN ? connection_plan(c)->connections : 0;

    if (most > 0) {
        if (!token_connections_add(w->hub->token_connections,
                                   connection_token(c), most)) {
            counter_add(&w->counters.plan_limit, 1);
            connect_refuse(c, REASON_QUOTA_EXCEEDED,
                           "the token's plan allows no more connections "
                           "(connections): end one of them first");
            return false;
        }
        c->plan_counted = true;
    }
    HASH_ADD_KEYPTR(session, w->sessions, c->identity, c->identity_len, c);
    if (c->session.tbl == NULL) { /* out of memory in the table */
        connect_refuse(c, REASON_SERVER_BUSY, "out of memory: retry later");
        return false;
    }
    return true;
}

static const char *will_text(const struct connection *c, uint8_t reason)
{
    switch (reason) {
    case REASON_NOT_AUTHORIZED:
        return c->caller->key.len > 0
                   ? "the key has no right to publish to the will's topic"
                   : "the will's topic must begin with your token";
    case REASON_TOPIC_NAME_INVALID:
        return "the will's topic is not <token>/<thing> with a valid thing";
    case REASON_IMPLEMENTATION_SPECIFIC:
        return "the will has user properties " RESERVED_PREFIX
               "*, which are reserved";
    default: return "the will is larger than the plan or the server allows";
    }
}

static bool accept_will(struct connection *c, struct packet_connect *p)
{
    if (!p->has_will)
        return true;
    const uint8_t reason = client_mount_will(c, &p->will)
                               ? publish_accept_will(c, &p->will, &c->will)
                               : REASON_TOPIC_NAME_INVALID;
    if (reason != 0)
        connect_refuse(c, reason, will_text(c, reason));
    return reason == 0;
}

/* ---- CONNACK ------------------------------------------------------------ */

static void connect_read_options(struct connection *c,
                                 const struct packet_connect *p)
{
    struct packet_user_cursor at = packet_user_props(p->user.span);
    struct packet_user_property property;

    while (p->user.size > 0 && packet_user_props_next(&at, &property)) {
        if (!slice_eq(property.name, slice_str(PROP_ASK)))
            continue;
        if (slice_eq(property.value, slice_str(ASK_STAMP)))
            c->stamped = true;
        else if (slice_eq(property.value, slice_str(ASK_RECEIPTS)))
            c->receipts = true;
        else if (slice_eq(property.value, slice_str(ASK_BARE)))
            c->bare = true;
        else if (slice_eq(property.value, slice_str(ASK_ENVELOPES)))
            c->enveloped = true;
        else if (slice_eq(property.value, slice_str(ASK_CHANGES)))
            c->changes = c->role == ROLE_ADMIN;
    }
}

/* If the plan sets none, none is announced: credits stop a client with more
 * than CONNECTION_COMMANDS_MAX, and MQTT.js, which ignores a server's
 * Receive Maximum, would be disconnected for a burst. */
static uint16_t receive_maximum(const struct plan *plan)
{
    if (plan == NULL)
        return RECEIVE_MAXIMUM_ADMIN;
    return plan->inflight == 0 || plan->inflight > UINT16_MAX
               ? UINT16_MAX
               : (uint16_t)plan->inflight;
}

/* MQTT-3.1.2-21, -22. Only MQTT 5 can be told a shorter one. */
static void settle_keep_alive(struct connection *c, uint16_t asked_s)
{
    const uint64_t most = c->worker->hub->config->mqtt_keep_alive_max;
    uint16_t granted_s = asked_s;

    if (c->terms.version == PACKET_V5 && c->role != ROLE_ADMIN && most != 0 &&
        (asked_s == 0 || asked_s > most))
        granted_s = c->server_keep_alive_s = (uint16_t)most;
    c->keep_alive_s = 1.5 * granted_s;
}

static void settle_limits(struct connection *c, const struct packet_connect *p)
{
    c->receive_maximum = receive_maximum(connection_plan(c));
    /* The bridge carries what own limits of a tenant allow, more than any plan. */
    c->packet_max =
        c->role == ROLE_ADMIN
            ? AUTH_PAYLOAD_MAX + PACKET_OVERHEAD_MAX
            : auth_packet_max(c->worker->hub->config, connection_plan(c));
    inflight_init(&c->inflight, p->receive_maximum < INFLIGHT_MAX
                                    ? p->receive_maximum
                                    : INFLIGHT_MAX);
    c->alias_maximum = p->topic_alias_maximum < TOPIC_ALIAS_MAX
                           ? p->topic_alias_maximum
                           : TOPIC_ALIAS_MAX;
    if (c->bare ||
        c->enveloped) /* an alias would stand for a topic that is not sent */
        c->alias_maximum = 0;
    settle_keep_alive(c, p->keep_alive_s);
    c->asked_expiry = p->session_expiry_s != 0;
    c->session_expiry_s =
        auth_session_expiry(c->role, connection_plan(c), p->session_expiry_s);
    c->expiry_differs = c->session_expiry_s != p->session_expiry_s;
    c->will_delay_s = p->will.delay_s;
}

static void send_connack(struct connection *c, bool session_present)
{
    const struct packet_connack connack = {
        .reason = REASON_SUCCESS,
        .session_present = session_present,
        .has_session_expiry = c->expiry_differs,
        .session_expiry_s = c->session_expiry_s,
        .receive_maximum =
            c->receive_maximum == UINT16_MAX ? 0 : c->receive_maximum,
        .maximum_packet_size = c->packet_max,
        .topic_alias_maximum =
            c->terms.version == PACKET_V5 ? TOPIC_ALIAS_MAX : 0,
        .has_server_keep_alive = c->server_keep_alive_s != 0,
        .server_keep_alive_s = c->server_keep_alive_s,
        .assigned_client_id =
            c->id_assigned ? slice_of(c->identity + c->token_len + 1,
                                      c->identity_len - c->token_len - 1)
                           : slice_of(NULL, 0),
    };
    uint8_t packet[256];
    const size_t size =
        packet_encode_connack(&c->terms, &connack, packet, sizeof(packet));

    /* The client does not even accept CONNACK: MQTT-3.1.2-24 leaves no other
     * choice. */
    if (size == 0) {
        connection_close(
            c, CLOSE_REFUSED,
            "the client's Maximum Packet Size is too small for CONNACK");
        return;
    }
    if (!connection_answer(c, packet, size)) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    connection_touch(c);
    connection_opened(c);
}

static void session_ready(struct connection *c, bool present)
{
    send_connack(c, present);
    if (c->state == CONNECTION_OPEN && present)
        session_resume(c);
}

static const struct session_open_calls opening_calls = {session_ready,
                                                        connect_refuse};

void connect_received(struct connection *c, const struct packet_frame *f)
{
    struct packet_connect p;
    struct packet_error error;
    const bool good = connect_decode(f, &p, &error);

    counter_add(&c->worker->counters.connects, 1);
    if (!good && p.version == 0) {
        connection_close(c, CLOSE_MALFORMED, error.text);
        return;
    }
    c->terms.version = p.version;
    c->terms.bridge = p.bridge;
    c->terms.maximum_qos = MAXIMUM_QOS;
    if (!good) {
        c->terms.problem_information = true;
        connect_refuse(c, error.reason, error.text);
        return;
    }
    c->terms.maximum_packet_size = p.maximum_packet_size;
    c->terms.problem_information = p.request_problem;
    c->terms.topic_alias_maximum =
        p.version == PACKET_V5 ? TOPIC_ALIAS_MAX : 0;
    if (p.auth_method.data != NULL) {
        connect_refuse(
            c, REASON_BAD_AUTHENTICATION_METHOD,
            "extended authentication is not supported: leave out the "
            "Authentication Method");
        return;
    }
    if (!connect_authenticate(c, &p))
        return;
    if (!c->pinned) {
        connect_refuse(c, REASON_SERVER_BUSY, "out of memory: retry later");
        return;
    }
    if (is_id_too_long(c)) {
        connect_refuse(c, REASON_CLIENT_ID_INVALID,
                       "client id is longer than the token's plan allows "
                       "(client_id_max)");
        return;
    }
    if (is_throttled(c)) {
        connect_refuse(
            c, REASON_QUOTA_EXCEEDED,
            "hourly write limit of the token's plan reached: reconnect when "
            "the hour is over");
        return;
    }
    if (!held_identify(c)) {
        connect_refuse(c, REASON_SERVER_BUSY, "out of memory: retry later");
        return;
    }
    connection_counts_identified(c->worker->hub, c);
    spare_leave(c);
    if (!accept_will(c, &p))
        return;
    const bool had_stored = take_over(c);
    if (!connect_admit(c))
        return;
    connect_read_options(c, &p);
    settle_limits(c, &p);
    will_client_returned(c, p.clean_start);
    session_open(c, p.clean_start, had_stored, &opening_calls);
}
