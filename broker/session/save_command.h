/* Commands that write rows of a stored session. Everything such a command
 * points to is in one block, publish.memory, which lives as long as the
 * command is with the writer.
 * Threads: one worker's. */
#ifndef CONFAB_BROKER_SESSION_SAVE_COMMAND_H
#define CONFAB_BROKER_SESSION_SAVE_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "store/session.h"

struct connection;
struct publish;

/* Makes q a command about the session for which somebody waits (SUBSCRIBE,
 * PUBREL …). The caller fills it in and submits it. *ret_more: `more` bytes
 * that live as long as q, for what the command points to. NULL: out of
 * memory. */
struct session_save *save_command_make(struct connection *c, struct publish *q,
                                       size_t more, void **ret_more);
/* The same for a session without a connection on this worker. NULL: out of
 * memory. */
struct session_save *save_command_make_of(struct publish *q,
                                          struct slice identity,
                                          uint64_t number);

/* Lets `save` write the position, too, if nothing is in flight: then that is
 * correct without a snapshot. */
void save_command_add_position(struct connection *c,
                               struct session_save *save);
/* A save of it is on disk, whoever had it made. */
void save_command_stored(struct connection *c,
                         const struct session_save *save);
/* Every message up to this id has been sent to the client, or is in flight. */
uint64_t save_command_position(const struct connection *c);

/* ---- for snapshots, which point to many rows */

/* A save and everything it points to, in one block. */
struct snapshot {
    struct session_save save;
    char *at, *end; /* the unused part of the block */
};

/* The save, the identity, and room for `more` bytes. NULL: out of memory. */
struct snapshot *save_command_of(struct connection *c, struct publish *q,
                                 size_t more);
/* Allocates `size` bytes of that room. */
void *save_command_take(struct snapshot *to, size_t size);

#endif
