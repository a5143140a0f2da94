#include "bridge/doors/thingschat/ticket.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/vocabulary.h"
#include "bridge/doors/access.h"
#include "bridge/doors/credential.h"
#include "store/command.h"
#include "store/command/key.h"

#define DEADLINE_US INT64_C(10000000)

struct ticket_use {
    struct call *call;
    struct link_request request;
    struct buffer command;
};

static void use_release(void *own)
{
    struct ticket_use *u = own;

    buffer_release(&u->command);
    free(u->request.result);
    free(u);
}

bool ticket_must_be_taken(const struct call *c)
{
    return c->has_ticket && !c->ticket_taken;
}

static void answer_not_taken(struct call *c, const struct link_request *a)
{
    if (a->outcome == LINK_TIMEOUT) {
        answer_error(c, 504,
                     "no answer from the broker in time: the ticket may be "
                     "used up, get another one");
    } else if (a->outcome == LINK_ANSWERED && a->status < 500) {
        access_refuse_ticket(c);
    } else {
        http_add_header(c->q, "Retry-After", "1");
        answer_error(c, 503, "the ticket could not be checked: retry");
    }
}

/* Link's thread. */
static void on_answer(struct link_request *a)
{
    struct ticket_use *u = a->owner;
    struct call *c = u->call;

    if (a->outcome == LINK_ANSWERED && a->status == 200) {
        c->ticket_taken = true;
        http_handle_again(c->q);
        return;
    }
    answer_not_taken(c, a);
    http_resume(c->q);
}

static bool put_command(struct call *c, struct buffer *out)
{
    unsigned char hash[SECRET_HASH_BYTES];
    char text[CREDENTIAL_TICKET_MAX];
    struct slice ticket;

    if (!credential_ticket(http_query(c->q), text, &ticket))
        return false;
    secret_hash(ticket, hash);
    struct ticket_take args = {.hash = slice_of(hash, sizeof(hash))};
    const struct command command = {.kind = COMMAND_TICKET_TAKE,
                                    .args = &args};
    command_encode(out, &command);
    return buffer_ok(out);
}

enum http_next ticket_take(struct call *c)
{
    struct ticket_use *u = calloc(1, sizeof(*u));

    assert(c->own == NULL);
    if (u == NULL)
        return answer_error(c, 500, "out of memory");
    u->call = c;
    c->own = u;
    c->release = use_release;
    if (!put_command(c, &u->command))
        return answer_error(c, 500, "out of memory");
    u->request = (struct link_request){
        .topic = slice_str(COMMAND_PREFIX "ticket_take"),
        .payload = buffer_slice(&u->command),
        .deadline_us = clock_mono_us() + DEADLINE_US,
        .done = on_answer,
        .owner = u,
    };
    http_suspend(c->q);
    if (!link_publish(c->front->link, &u->request)) {
        u->request.outcome = LINK_AWAY;
        on_answer(&u->request);
    }
    return HTTP_SUSPENDED;
}
