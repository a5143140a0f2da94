/* The current mosquitto instance, driven by the loop. It is made for one connection and
 * destroyed with it: otherwise libmosquitto would, after a reconnect, send again what
 * the queue sends again, too. */
#include <errno.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/envelope.h"
#include "base/log.h"
#include "base/vocabulary.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/link/link_bundle.h"
#include "bridge/link/link_private.h"
#include "bridge/link/link_properties.h"
#include "store/message.h"

#define KEEPALIVE_S 10 /* a broker that hangs is noticed after twice that */
#define CONNACK_S 5.0
#define BACKOFF_MOST_S 1.0
#define READS_PER_TURN 128

static void on_connack(struct mosquitto *m, void *arg, int reason, int flags,
                       const mosquitto_property *list)
{
    struct link *l = arg;
    uint16_t most = 0;

    (void)m;
    (void)flags;
    l->reason = reason;
    if (reason != 0)
        return;
    l->accepted_by_broker = true;
    l->window = LINK_WINDOW;
    if (mosquitto_property_read_int16(list, MQTT_PROP_RECEIVE_MAXIMUM, &most,
                                      false) != NULL &&
        most > 0 && most < LINK_WINDOW)
        l->window = most;
}

static void on_disconnect(struct mosquitto *m, void *arg, int reason,
                          const mosquitto_property *list)
{
    struct link *l = arg;

    (void)m;
    (void)list;
    if (l->reason == 0)
        l->reason = reason;
}

/* Collects q and the other requests of q's bundle, which are still in the queue. */
static void take_bundle(struct link *l, struct link_request *q,
                        struct link_request **ret_requests)
{
    const int packet_id = q->packet_id;

    for (; q != NULL; q = link_queue_answered(&l->queue, packet_id)) {
        if (q->place != LINK_ALONE) {
            ret_requests[q->place] = q;
        } else { /* the library has used all packet ids once since then */
            q->outcome = LINK_TIMEOUT;
            link_queue_answer(&l->queue, q);
        }
    }
}

static void answer_bundle(struct link *l, struct link_request *first,
                          int reason, const mosquitto_property *list)
{
    struct link_request *requests[LINK_BUNDLE_MAX] = {NULL};
    struct link_request whole;

    take_bundle(l, first, requests);
    link_read_answer(&whole, reason, list);
    link_bundle_read(&whole, requests);
    free(whole.result);
    for (size_t i = 0; i < LINK_BUNDLE_MAX; i++)
        if (requests[i] != NULL)
            link_queue_answer(&l->queue, requests[i]);
}

static void on_puback(struct mosquitto *m, void *arg, int packet_id,
                      int reason, const mosquitto_property *list)
{
    struct link *l = arg;
    struct link_request *q = link_queue_answered(&l->queue, packet_id);

    (void)m;
    if (l->in_flight > 0)
        l->in_flight--;
    if (q == NULL)
        return; /* its deadline passed */
    if (q->place != LINK_ALONE) {
        answer_bundle(l, q, reason, list);
        return;
    }
    link_read_answer(q, reason, list);
    link_queue_answer(&l->queue, q);
}

/* false: it is malformed. */
static bool open_stamped(struct slice body, struct link_message *ret)
{
    struct stamped s;

    if (!stamped_open(body, &s))
        return false;
    *ret = (struct link_message){
        .topic = s.topic,
        .payload = s.payload,
        .kind = s.kind,
        .sender = s.sender,
        .id = s.id,
        .seq = s.seq,
        .at_us = s.at_us,
        .is_classified = s.payload_class <= PAYLOAD_JSON,
        .payload_class = s.payload_class,
    };
    return true;
}

/* From a broker that knows no stamped envelopes. */
static bool open_bare(const mosquitto_property *list, struct link_message *m)
{
    if (!envelope_open(&m->topic, &m->payload))
        return false;
    link_read_stamp(list, m);
    return true;
}

static void on_publish(struct mosquitto *m, void *arg,
                       const struct mosquitto_message *message,
                       const mosquitto_property *list)
{
    struct link *l = arg;
    struct link_message given = {
        .topic = slice_str(message->topic),
        .payload = slice_of(message->payload, (size_t)message->payloadlen),
    };

    (void)m;
    const bool ok = slice_eq(given.topic, slice_str(STAMPED_TOPIC))
                        ? open_stamped(given.payload, &given)
                        : open_bare(list, &given);
    if (ok && l->opts.on_message != NULL)
        l->opts.on_message(l->opts.arg, &given);
}

static void schedule_attempt(struct link *l, double after_s)
{
    ev_timer_stop(l->loop, &l->reconnect);
    ev_timer_set(&l->reconnect, after_s, 0);
    ev_timer_start(l->loop, &l->reconnect);
}

static const char *why_lost(const struct link *l, int rc)
{
    if (l->reason >= 0x80) /* the broker's own reason, MQTT 5 §2.4 */
        return mosquitto_reason_string(l->reason);
    if (rc == MOSQ_ERR_KEEPALIVE) /* libmosquitto has no text for this one */
        return "it does not answer";
    return mosquitto_strerror(rc);
}

static void take_down(struct link *l, int rc)
{
    const bool was_up = atomic_load(&l->generation) != 0;

    if (!l->said_away) {
        l->said_away = true;
        log_warn("link", "broker away: %s", why_lost(l, rc));
    }
    ev_io_stop(l->loop, &l->io);
    mosquitto_destroy(l->mosq);
    l->mosq = NULL;
    l->accepted_by_broker = false;
    l->in_flight = 0;
    link_queue_lost(&l->queue);
    link_filters_lost(l);
    if (was_up) {
        atomic_store(&l->down_since_us, clock_mono_us());
        atomic_store(&l->generation, 0);
        l->backoff_s = LINK_BACKOFF_S;
        if (l->opts.on_down != NULL)
            l->opts.on_down(l->opts.arg);
    }
    schedule_attempt(l, l->backoff_s);
    l->backoff_s =
        l->backoff_s * 2 < BACKOFF_MOST_S ? l->backoff_s * 2 : BACKOFF_MOST_S;
}

bool link_check(struct link *l, int rc)
{
    if (l->mosq == NULL) /* closed already */
        return false;
    /* A DISCONNECT from the broker closes the socket without an error code. */
    if (!link_is_broken(rc) && mosquitto_socket(l->mosq) >= 0)
        return true;
    take_down(l, rc);
    return false;
}

static void come_up(struct link *l)
{
    ev_timer_stop(l->loop, &l->reconnect);
    l->backoff_s = LINK_BACKOFF_S;
    l->said_away = false;
    atomic_store(&l->down_since_us, 0);
    atomic_store(&l->generation, ++l->generations);
    bridge_count(COUNT_LINK_CONNECTED, 1);
    log_info("link", "connected to %s", l->path);
    if (l->opts.on_up != NULL)
        l->opts.on_up(l->opts.arg, l->generations);
}

static void read_packets(struct link *l)
{
    for (int i = 0; i < READS_PER_TURN; i++) {
        errno = 0;
        const int rc = mosquitto_loop_read(l->mosq, 1);
        const bool empty = errno == EAGAIN;
        if (!link_check(l, rc))
            return;
        /* Not in on_connack(): the library accepts no PUBLISH before that callback
         * has returned. */
        if (l->accepted_by_broker && atomic_load(&l->generation) == 0)
            come_up(l);
        if (empty)
            return;
    }
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
    struct link *l = w->data;

    (void)loop;
    l->reason = 0;
    if ((events & EV_WRITE) != 0 &&
        !link_check(l, mosquitto_loop_write(l->mosq, 1)))
        return;
    if ((events & EV_READ) != 0)
        read_packets(l);
}

void link_watch(struct link *l)
{
    if (l->mosq == NULL)
        return;
    const int events =
        EV_READ | (mosquitto_want_write(l->mosq) ? EV_WRITE : 0);
    if (ev_is_active(&l->io) &&
        (l->io.events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(l->loop, &l->io);
    ev_io_init(&l->io, on_io, mosquitto_socket(l->mosq), events);
    l->io.data = l;
    ev_io_start(l->loop, &l->io);
}

static struct mosquitto *make_instance(struct link *l)
{
    char id[64];
    struct mosquitto *m;

    snprintf(id, sizeof(id), "confab-bridge-%s", l->boot);
    m = mosquitto_new(id, true, l);
    if (m == NULL)
        return NULL;
    mosquitto_int_option(m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(m, MOSQ_OPT_SEND_MAXIMUM, LINK_WINDOW);
    mosquitto_connect_v5_callback_set(m, on_connack);
    mosquitto_disconnect_v5_callback_set(m, on_disconnect);
    mosquitto_publish_v5_callback_set(m, on_puback);
    mosquitto_message_v5_callback_set(m, on_publish);
    mosquitto_subscribe_v5_callback_set(m, link_on_suback);
    return m;
}

static int start_connection(struct link *l)
{
    mosquitto_property *list = NULL;
    int rc = MOSQ_ERR_NOMEM;

    if (link_connect_properties(&list))
        rc = mosquitto_connect_bind_v5(l->mosq, l->address, 0, KEEPALIVE_S,
                                       NULL, list);
    mosquitto_property_free_all(&list);
    return rc;
}

void link_connect(struct link *l)
{
    l->reason = 0;
    if (l->mosq != NULL) { /* no CONNACK in time */
        take_down(l, MOSQ_ERR_KEEPALIVE);
        return;
    }
    l->mosq = make_instance(l);
    const int rc = l->mosq == NULL ? MOSQ_ERR_NOMEM : start_connection(l);
    if (rc != MOSQ_ERR_SUCCESS) {
        take_down(l, rc);
        return;
    }
    schedule_attempt(l, CONNACK_S);
    link_watch(l);
}

void link_disconnect(struct link *l)
{
    ev_io_stop(l->loop, &l->io);
    if (l->mosq == NULL)
        return;
    mosquitto_disconnect_v5(l->mosq, 0, NULL);
    mosquitto_destroy(l->mosq);
    l->mosq = NULL;
    l->in_flight = 0;
    link_queue_lost(&l->queue);
    link_filters_lost(l);
}

static const char *c_string(struct link *l, struct slice s)
{
    buffer_clear(&l->topic);
    buffer_put_slice(&l->topic, s);
    buffer_put_char(&l->topic, 0);
    return buffer_ok(&l->topic) ? l->topic.data : NULL;
}

static int send_alone(struct link *l, struct link_request *q,
                      int *ret_packet_id)
{
    char operation[LINK_OPERATION_SIZE];
    mosquitto_property *list = NULL;
    const char *topic = c_string(l, q->topic);
    int rc = MOSQ_ERR_INVAL;

    link_operation(operation, l->boot, q->operation);
    q->place = LINK_ALONE;
    if (topic == NULL || q->payload.len > INT32_MAX)
        return MOSQ_ERR_PAYLOAD_SIZE;
    /* A NUL would cut the name and publish to another topic. */
    if (strlen(topic) == q->topic.len &&
        link_publish_properties(q, operation, &list))
        rc = mosquitto_publish_v5(l->mosq, ret_packet_id, topic,
                                  (int)q->payload.len, q->payload.data, 1,
                                  q->retain, list);
    mosquitto_property_free_all(&list);
    return rc;
}

static int send_bundle(struct link *l, struct link_request *const *requests,
                       size_t count, int *ret_packet_id)
{
    for (size_t i = 0; i < count; i++)
        requests[i]->place = (int)i;
    if (!link_bundle_write(&l->bundle, l->boot, requests, count))
        return MOSQ_ERR_NOMEM;
    return mosquitto_publish(l->mosq, ret_packet_id, LINK_BUNDLE_TOPIC,
                             (int)l->bundle.len, l->bundle.data, 1, false);
}

static void refuse_request(struct link *l, struct link_request *q, int rc)
{
    const bool large =
        rc == MOSQ_ERR_PAYLOAD_SIZE || rc == MOSQ_ERR_OVERSIZE_PACKET;

    link_queue_remove(&l->queue, q);
    link_refuse(q, large ? 413 : 400,
                large ? "message too large"
                      : "topic or Idempotency-Key holds characters that "
                        "MQTT cannot carry");
    link_queue_answer(&l->queue, q);
}

/* The requests to publish next, together: as many as may share a PUBLISH, or one.
 * *ret_open: another request could still join them. */
static size_t gather_requests(const struct link *l,
                              struct link_request **ret_requests,
                              bool *ret_open)
{
    struct link_request *q = link_queue_next(&l->queue);
    size_t count = 0, bytes = 0;

    do {
        ret_requests[count++] = q;
        bytes += link_bundle_size(q);
        *ret_open = q->may_share && count < LINK_BUNDLE_MAX;
        q = TAILQ_NEXT(q, entry);
    } while (*ret_open && q != NULL && q->may_share &&
             bytes + link_bundle_size(q) <= LINK_BUNDLE_BYTES_MAX);
    *ret_open = *ret_open && q == NULL;
    return count;
}

/* Whether they should wait for others to join them. */
static bool should_wait(struct link *l)
{
    if (l->in_flight == 0 || l->gathered)
        return false;
    if (!ev_is_active(&l->gather)) {
        ev_timer_set(&l->gather, l->opts.gather_s, 0.);
        ev_timer_start(l->loop, &l->gather);
    }
    return true;
}

/* false: the connection is broken. */
static bool publish_requests(struct link *l, struct link_request **requests,
                             size_t count)
{
    int packet_id = 0;

    for (size_t i = 0; i < count; i++)
        if (requests[i]->operation == 0)
            requests[i]->operation = ++l->operations;
    const int rc = count == 1 ? send_alone(l, requests[0], &packet_id)
                              : send_bundle(l, requests, count, &packet_id);
    if (link_is_broken(rc)) {
        for (size_t i = 0; i < count; i++)
            requests[i]->sent = true; /* the broker may have got it */
        take_down(l, rc);
        return false;
    }
    l->in_flight += rc == MOSQ_ERR_SUCCESS;
    for (size_t i = 0; i < count; i++) {
        if (rc == MOSQ_ERR_SUCCESS)
            link_queue_sent(&l->queue, requests[i], packet_id);
        else if (count > 1)
            requests[i]->may_share =
                false; /* sent alone, each gets its answer */
        else
            refuse_request(l, requests[i], rc);
    }
    return true;
}

static bool has_room(const struct link *l)
{
    return atomic_load(&l->generation) != 0 && l->in_flight < l->window &&
           l->queue.count - l->queue.waiting_count < LINK_MESSAGES;
}

void link_publish_waiting(struct link *l)
{
    struct link_request *requests[LINK_BUNDLE_MAX];

    while (has_room(l) && link_queue_next(&l->queue) != NULL) {
        bool open;
        const size_t count = gather_requests(l, requests, &open);
        if (open && should_wait(l))
            return;
        if (!publish_requests(l, requests, count))
            return;
    }
    ev_timer_stop(l->loop, &l->gather);
    l->gathered = false;
}
