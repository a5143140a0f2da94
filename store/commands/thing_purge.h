/* Purges of whole things, told to those who follow them. Writer's thread only. */
#ifndef CONFAB_STORE_COMMANDS_THING_PURGE_H
#define CONFAB_STORE_COMMANDS_THING_PURGE_H

#include "store/write/transaction.h"

/* The entry that tells of a purge, and its rows: what decide() measures room for. */
#define PURGE_ENTRY_SPACE 4096u

/* The first step of removing the messages that a thing has now, for a command, or the next
 * one: as erase_begin_or_go_on(). The first one also writes the entry of kind PURGE, so
 * that readers hear of it as of DELETE /{token}/chat/{thing}; not for a tenant that may do
 * nothing. */
enum store_err thing_purge_in_steps(struct transaction *t, struct command *c,
                                    struct slice topic);

#endif
