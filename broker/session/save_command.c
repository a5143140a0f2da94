#include "broker/session/save_command.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker/client/shard.h"
#include "broker/client/stored_session.h"
#include "broker/deliver/client_catchup.h"
#include "broker/publish/publish.h"

void *save_command_take(struct snapshot *to, size_t size)
{
    void *p = to->at;

    to->at += (size + 15) / 16 * 16;
    assert(to->at <= to->end);
    return p;
}

static struct snapshot *save_command_new(struct publish *q,
                                         struct slice identity,
                                         uint64_t number, size_t more)
{
    const size_t size = sizeof(struct snapshot) + identity.len + more + 64;
    struct snapshot *to = malloc(size);

    if (to == NULL)
        return NULL;
    to->save = (struct session_save){.number = number};
    to->at = (char *)(to + 1);
    to->end = (char *)to + size;
    char *copy = save_command_take(to, identity.len);
    memcpy(copy, identity.data, identity.len);
    to->save.identity = slice_of(copy, identity.len);
    q->memory = to;
    q->command.kind = COMMAND_SESSION_SAVE;
    q->command.args = &to->save;
    q->memory_size = size;
    return to;
}

struct snapshot *save_command_of(struct connection *c, struct publish *q,
                                 size_t more)
{
    return save_command_new(q, slice_of(c->identity, c->identity_len),
                            c->stored->number, more);
}

struct session_save *save_command_make(struct connection *c, struct publish *q,
                                       size_t more, void **ret_more)
{
    struct snapshot *to = save_command_of(c, q, more);

    if (to == NULL)
        return NULL;
    *ret_more = save_command_take(to, more);
    return &to->save;
}

struct session_save *save_command_make_of(struct publish *q,
                                          struct slice identity,
                                          uint64_t number)
{
    struct snapshot *to = save_command_new(q, identity, number, 0);

    return to == NULL ? NULL : &to->save;
}

/* Every message up to this id has been sent to it, or is in flight. */
uint64_t save_command_position(const struct connection *c)
{
    const struct worker *w = c->worker;

    if (c->catchup != NULL)
        return client_catchup_position(c);
    /* during a message's fan-out it may not have got that one yet */
    return w->fanning_out ? w->head - 1 : w->head;
}

void save_command_add_position(struct connection *c, struct session_save *save)
{
    if (!c->stored->placed || c->inflight.count > 0)
        return;
    save->has_position = true;
    save->position = save_command_position(c);
}

void save_command_stored(struct connection *c, const struct session_save *save)
{
    if (save->has_position && save->position > c->stored->saved_position)
        c->stored->saved_position = save->position;
}
