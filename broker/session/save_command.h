/* Commands that write a stored session's rows: all of one is a block of its own,
 * publish.memory, that lives as long as the command is with the writer.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_SESSION_SAVE_COMMAND_H
#define CONFAB_BROKER_SESSION_SAVE_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "store/session.h"

struct connection;
struct publish;

/* Makes q a command about the session that somebody waits for (SUBSCRIBE,
 * PUBREL …), for the caller to fill in and submit. *ret_more: `more` bytes that
 * live as long as q does, for what it points to. NULL: out of memory. */
struct session_save *save_command_make(struct connection *c, struct publish *q,
                                       size_t more, void **ret_more);
/* The same of a session that has no connection here. NULL: out of memory. */
struct session_save *save_command_make_of(struct publish *q,
                                          struct slice identity,
                                          uint64_t number);

/* What is given and settled is to be on disk with `save` (its position), where
 * that can be said without a snapshot: nothing is in flight. */
void save_command_add_position(struct connection *c,
                               struct session_save *save);
/* A save of it is on disk, whoever had it made. */
void save_command_stored(struct connection *c,
                         const struct session_save *save);
/* Everything up to this id has been given to the client, or is in flight. */
uint64_t save_command_position(const struct connection *c);

/* ---- for snapshots, which point to many rows */

/* A save and all it points to, one block. */
struct snapshot {
    struct session_save save;
    char *at, *end; /* what is left of the block */
};

/* The save, the identity, and room for `more` bytes. NULL: out of memory. */
struct snapshot *save_command_of(struct connection *c, struct publish *q,
                                 size_t more);
/* `size` bytes of that room. */
void *save_command_take(struct snapshot *to, size_t size);

#endif
