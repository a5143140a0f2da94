/* uthash for tables whose keys clients choose. It uses SipHash with a random
 * key, so that nobody can choose names that all fall into one bucket, and it
 * does not call exit() when memory runs out (the entry then has hh.tbl ==
 * NULL). Include it instead of <uthash.h>, before anything that includes
 * <uthash.h>. */
#ifndef CONFAB_BASE_NAME_HASH_H
#define CONFAB_BASE_NAME_HASH_H

#include <stddef.h>

/* Any thread. The key is random and chosen once per process, at the first
 * call. */
unsigned name_hash(const void *name, size_t len);

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(name, len, ret_hash) ((ret_hash) = name_hash(name, len))
#include <uthash.h>

#endif
