#include "store/write/offer_event.h"

#include "base/vocabulary.h"

enum store_err offer_event(struct transaction *t, struct slice tenant,
                           const char *kind, struct slice thing)
{
    struct buffer topic = BUFFER_INIT;
    enum store_err err = STORE_NOMEM;

    buffer_put_str(&topic, EVENTS_PREFIX);
    buffer_put_slice(&topic, tenant);
    buffer_put_char(&topic, '/');
    buffer_put_str(&topic, kind);
    buffer_put_char(&topic, '/');
    buffer_put_slice(&topic, thing);
    const struct message event = {
        .kind = MESSAGE_EVENT,
        .payload_class = PAYLOAD_TEXT,
        .topic = buffer_slice(&topic),
    };
    struct message *m = buffer_ok(&topic) ? message_new(&event) : NULL;
    if (m != NULL) {
        m->at_us = t->in.now_us;
        batch_add(t->batch, m);
        t->events++;
        err = STORE_OK;
    }
    buffer_release(&topic);
    return err;
}
