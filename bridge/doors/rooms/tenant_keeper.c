#include "bridge/doors/rooms/tenant_keeper.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/vocabulary.h"
#include "store/command.h"
#include "store/command/tenant.h"

#define AREA "rooms"
#define DEADLINE_US INT64_C(10000000)

struct tenant_keeper {
    struct front *front;
    struct slice tenant;
    atomic_bool asking;
    int refused; /* the status that was logged; link's thread */
    struct buffer command;
    struct link_request request;
};

struct tenant_keeper *tenant_keeper_new(struct front *front,
                                        struct slice tenant)
{
    struct tenant_keeper *k = calloc(1, sizeof(*k));

    if (k != NULL) {
        k->front = front;
        k->tenant = tenant;
    }
    return k;
}

void tenant_keeper_free(struct tenant_keeper *k)
{
    if (k == NULL)
        return;
    buffer_release(&k->command);
    free(k);
}

static bool is_there(struct tenant_keeper *k)
{
    struct store_reader *r;
    struct token_row row;

    if (store_snapshot(k->front->store, &r) != STORE_OK)
        return false;
    const enum store_err err = store_token(r, k->tenant, &row);
    store_reader_release(r);
    return err == STORE_OK;
}

/* Link's thread, or that of tenant_keeper_look(). 409: it is there. */
static void on_answer(struct link_request *q)
{
    struct tenant_keeper *k = q->owner;

    if (q->outcome == LINK_ANSWERED && q->status != 200 && q->status != 409 &&
        q->status != k->refused) {
        k->refused = q->status;
        log_error(AREA, "door:rooms.tenant: %.*s cannot be made: %s",
                  (int)k->tenant.len, (const char *)k->tenant.data, q->reason);
    }
    free(q->result);
    q->result = NULL;
    atomic_store(&k->asking, false);
}

void tenant_keeper_look(struct tenant_keeper *k)
{
    struct tenant_create args = {
        .tenant = k->tenant,
        .plan = slice_str(k->front->config->tokens_operator_plan),
    };
    const struct command command = {.kind = COMMAND_TENANT_CREATE,
                                    .args = &args};

    if (atomic_load(&k->asking) || is_there(k))
        return;
    buffer_clear(&k->command);
    command_encode(&k->command, &command);
    if (!buffer_ok(&k->command))
        return;
    k->request = (struct link_request){
        .topic = slice_str(COMMAND_PREFIX "tenant_create"),
        .payload = buffer_slice(&k->command),
        .deadline_us = clock_mono_us() + DEADLINE_US,
        .done = on_answer,
        .owner = k,
    };
    atomic_store(&k->asking, true);
    if (!link_publish(k->front->link, &k->request))
        on_answer(&k->request);
}
