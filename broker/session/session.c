#include "broker/session/session.h"

#include "broker/client/client_mount.h"
#include "broker/client/shard.h"
#include "broker/client/token_connections.h"
#include "broker/client/topic_alias.h"
#include "broker/deliver/client_catchup.h"
#include "broker/deliver/retained.h"
#include "broker/publish/publish.h"
#include "broker/publish/publish_will.h"
#include "broker/session/filters.h"
#include "broker/session/flow.h"
#include "broker/session/session_restore.h"
#include "broker/session/session_save.h"
#include "broker/session/subscribe.h"
#include "broker/session/will.h"
#include "broker/share/share_member.h"
#include "broker/wire/packet_encode.h"

void session_broken(struct connection *c, const struct packet_error *error)
{
    connection_close(c, connection_reason_of(error->reason), error->text);
}

static void on_publish(struct connection *c, const struct packet_frame *f)
{
    struct packet_publish p;
    struct packet_error error;

    if (packet_decode_publish(f, &c->terms, &p, &error))
        publish_received(c, &p);
    else
        session_broken(c, &error);
}

static void on_ack(struct connection *c, const struct packet_frame *f)
{
    struct packet_ack ack;
    struct packet_error error;

    if (packet_decode_ack(f, &c->terms, &ack, &error))
        flow_acknowledged(c, (enum packet_type)f->type, &ack);
    else
        session_broken(c, &error);
}

static void mounted_filters(struct connection *c, struct packet_subscribe *s,
                            void (*received)(struct connection *c,
                                             const struct packet_subscribe *s))
{
    if (client_mount_filters(c, s))
        received(c, s);
    else
        connection_close(c, CLOSE_NO_MEMORY, NULL);
}

static void on_subscribe(struct connection *c, const struct packet_frame *f)
{
    struct packet_subscribe s;
    struct packet_error error;

    if (packet_decode_subscribe(f, &c->terms, &s, &error))
        mounted_filters(c, &s, subscribe_received);
    else
        session_broken(c, &error);
}

static void on_unsubscribe(struct connection *c, const struct packet_frame *f)
{
    struct packet_subscribe s;
    struct packet_error error;

    if (packet_decode_unsubscribe(f, &c->terms, &s, &error))
        mounted_filters(c, &s, unsubscribe_received);
    else
        session_broken(c, &error);
}

static void on_pingreq(struct connection *c, const struct packet_frame *f)
{
    struct packet_error error;
    uint8_t packet[2];

    if (packet_decode_pingreq(f, &c->terms, &error))
        connection_say(c, packet,
                       packet_encode_pingresp(packet, sizeof(packet)));
    else
        session_broken(c, &error);
}

/* false: a session that was to end with its connection cannot be kept now
 * (MQTT-3.14.2-2 and §3.14.2.2.2). */
static bool change_expiry(struct connection *c, uint32_t expiry_s)
{
    if (!c->asked_expiry)
        return expiry_s == 0;
    if (c->stored != NULL)
        c->session_expiry_s =
            auth_session_expiry(c->role, connection_plan(c), expiry_s);
    return true;
}

static void on_disconnect(struct connection *c, const struct packet_frame *f)
{
    struct packet_disconnect d;
    struct packet_error error;

    if (!packet_decode_disconnect(f, &c->terms, &d, &error)) {
        session_broken(c, &error);
        return;
    }
    if (d.has_session_expiry && !change_expiry(c, d.session_expiry_s)) {
        connection_close(
            c, CLOSE_PROTOCOL,
            "session expiry set in DISCONNECT but not in CONNECT");
        return;
    }
    /* MQTT-3.14.4-3: whatever happens until the connection ends. */
    if (d.reason == 0)
        publish_drop_will(c);
    connection_leave(c, d.reason == 0 ? CLOSE_CLIENT : CLOSE_CLIENT_WILL);
}

void session_packet(struct connection *c, const struct packet_frame *f)
{
    switch (f->type) {
    case PACKET_PUBLISH: on_publish(c, f); break;
    case PACKET_PUBACK:
    case PACKET_PUBREC:
    case PACKET_PUBREL:
    case PACKET_PUBCOMP: on_ack(c, f); break;
    case PACKET_SUBSCRIBE: on_subscribe(c, f); break;
    case PACKET_UNSUBSCRIBE: on_unsubscribe(c, f); break;
    case PACKET_PINGREQ: on_pingreq(c, f); break;
    case PACKET_DISCONNECT: on_disconnect(c, f); break;
    case PACKET_AUTH: /* no CONNECT with a method was accepted */
        connection_close(c, CLOSE_AUTH_METHOD, NULL);
        break;
    default: /* MQTT-3.1.0-2 */
        connection_close(c, CLOSE_PROTOCOL, "a second CONNECT");
    }
}

/* Releases what outlives the connection, once. */
static void session_finish(struct connection *c, bool with_will)
{
    const int64_t due_us = with_will ? will_connection_ended(c) : 0;

    publish_drop_will(c);
    session_save_last(c, due_us);
}

void session_end(struct connection *c, bool with_will)
{
    struct worker *w = c->worker;

    if (c->session.tbl != NULL) {
        HASH_DELETE(session, w->sessions, c);
        c->session.tbl = NULL;
    }
    session_restore_forget(c);
    share_member_return_all(c);
    session_finish(c, with_will);
    share_member_settle_all(c);
    filters_leave(c);
    retained_forget(c);
    client_catchup_end(c);
    inflight_release(&c->inflight);
    held_add_aliases(c, -topic_aliases_bytes(c->aliases_in));
    topic_aliases_free(c->aliases_in);
    c->aliases_in = NULL;
    stored_session_free(c);
    publish_forget(c);
    if (c->plan_counted) {
        token_connections_remove(w->hub->token_connections,
                                 connection_token(c));
        c->plan_counted = false;
    }
}

void session_drain(struct connection *c)
{
    session_finish(c, true);
}
