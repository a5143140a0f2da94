/* Subscribing and unsubscribing filters: SUBSCRIBE, SUBACK, UNSUBSCRIBE. */
#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/topic.h"
#include "bridge/link/link_private.h"

#define REFUSED_SAY_US                                                        \
    60000000 /* at least, between two log lines on refusals */

struct link_filter {
    LIST_ENTRY(link_filter) by_packet;
    uint64_t generation; /* the connection it is meant for */
    int packet_id;
    bool subscribe;
    size_t len;
    char text[]; /* NUL at the end */
};

bool link_filter_send(struct link *l, struct slice filter, bool subscribe)
{
    const uint64_t generation = atomic_load(&l->generation);
    struct link_filter *f;

    if (generation == 0 || filter.len > UINT16_MAX)
        return false;
    f = malloc(sizeof(*f) + filter.len + 1);
    if (f == NULL)
        return false;
    f->generation = generation;
    f->subscribe = subscribe;
    f->len = filter.len;
    memcpy(f->text, filter.data, filter.len);
    f->text[filter.len] = 0;
    if (mailbox_send(l->filters, f))
        return true;
    free(f);
    return false;
}

static struct link_filter_slot *slot_of(struct link *l, int packet_id)
{
    return &l->filters_in_flight[(unsigned)packet_id % LINK_FILTER_SLOTS];
}

static void tell_subscribed(struct link *l, const struct link_filter *f,
                            bool ok)
{
    if (l->opts.on_subscribed != NULL)
        l->opts.on_subscribed(l->opts.arg, slice_of(f->text, f->len), ok);
}

/* Sends it to the broker; takes f. Returns the library's result. */
static int ask_filter(struct link *l, struct link_filter *f)
{
    int rc;

    if (!f->subscribe) { /* the library itself refuses one never subscribed */
        rc = mosquitto_unsubscribe(l->mosq, NULL, f->text);
        free(f);
        return rc;
    }
    /* The library would refuse it, and no message can come: no door accepts such a
     * topic any more (topic.h). Messages stored earlier are read from the log. */
    if (!name_publishable(slice_of(f->text, f->len))) {
        tell_subscribed(l, f, true);
        free(f);
        return MOSQ_ERR_SUCCESS;
    }
    rc = mosquitto_subscribe_v5(l->mosq, &f->packet_id, f->text, 0,
                                MQTT_SUB_OPT_SEND_RETAIN_NEVER, NULL);
    if (rc == MOSQ_ERR_SUCCESS) {
        LIST_INSERT_HEAD(slot_of(l, f->packet_id), f, by_packet);
        l->filters_in_flight_count++;
        return rc;
    }
    if (!link_is_broken(rc)) /* the library refused the filter */
        tell_subscribed(l, f, false);
    free(f);
    return rc;
}

int link_filters_ask(struct link *l)
{
    int rc = MOSQ_ERR_SUCCESS;
    void *item;

    while (!link_is_broken(rc) && l->mosq != NULL &&
           atomic_load(&l->generation) != 0 &&
           l->filters_in_flight_count < LINK_FILTER_WINDOW &&
           mailbox_receive(l->filters, &item, 1) == 1) {
        struct link_filter *f = item;
        if (f->generation == atomic_load(&l->generation))
            rc = ask_filter(l, f);
        else
            free(f); /* on_up() has subscribed it again */
    }
    return rc;
}

/* Thousands of one tenant can be refused again and again: so not one line for each. */
void link_filters_say_refused(struct link *l)
{
    const int64_t now_us = clock_mono_us();

    if (l->refused == 0 || (l->refused_said_us != 0 &&
                            now_us - l->refused_said_us < REFUSED_SAY_US))
        return;
    log_warn(
        "link",
        "broker refused %zu subscriptions, the last of token %s (0x%02x); "
        "its readers read the log instead",
        l->refused, l->refused_token.text, l->refused_code);
    l->refused = 0;
    l->refused_said_us = now_us;
}

static void note_refused(struct link *l, const struct link_filter *f,
                         unsigned code)
{
    const struct slice token = topic_first_level(slice_of(f->text, f->len));

    l->refused++;
    l->refused_token = log_token(token.data, token.len);
    l->refused_code = code;
    link_filters_say_refused(l);
}

void link_on_suback(struct mosquitto *m, void *arg, int packet_id, int count,
                    const int *granted, const mosquitto_property *list)
{
    struct link *l = arg;
    struct link_filter *f;

    (void)m;
    (void)list;
    LIST_FOREACH (f, slot_of(l, packet_id), by_packet)
        if (f->packet_id == packet_id)
            break;
    if (f == NULL)
        return;
    LIST_REMOVE(f, by_packet);
    l->filters_in_flight_count--;
    const bool ok = count == 1 && granted[0] < 0x80;
    if (!ok)
        note_refused(l, f, count == 1 ? (unsigned)granted[0] : 0);
    tell_subscribed(l, f, ok);
    free(f);
}

void link_filters_lost(struct link *l)
{
    for (size_t i = 0; i < LINK_FILTER_SLOTS; i++) {
        struct link_filter *f;
        while ((f = LIST_FIRST(&l->filters_in_flight[i])) != NULL) {
            LIST_REMOVE(f, by_packet);
            free(f);
        }
    }
    l->filters_in_flight_count = 0;
}

void link_filters_drop(struct link *l)
{
    void *item;

    while (mailbox_receive(l->filters, &item, 1) == 1)
        free(item);
}
