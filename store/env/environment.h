/* Opening the LMDB environment of a store: what store_open() is made of. */
#ifndef CONFAB_STORE_ENV_ENVIRONMENT_H
#define CONFAB_STORE_ENV_ENVIRONMENT_H

#include "store/env/env.h"

#define STORE_FILE_MODE 0640

/* Sets soft_limit, real_map, step and disk_reserve: see struct store_opts. */
void environment_set_sizes(struct store_env *e, uint64_t map_size);

/* Makes data.mdb, complete and flushed, in a folder that has none. It gets its
 * name last: a power cut leaves no half of one behind. With the folder's lock
 * held. *ret_rc: errno or LMDB's code. */
enum store_err environment_create(const struct store_env *e,
                                  const struct store_opts *opts, int *ret_rc);

/* A copy of a data.mdb, under another name in e->dir: checks that it is a store of
 * a version we know, and gives it a new epoch, flushed. As above. */
enum store_err environment_renew(const struct store_env *e, const char *name,
                                 const struct store_opts *opts, int *ret_rc);

/* Opens data.mdb in e->dir and makes its map large enough, and, unless
 * read_only, flushes it. On error e->env may be set: the caller closes it.
 * *ret_rc: errno or LMDB's code. */
enum store_err environment_open(struct store_env *e,
                                const struct store_opts *opts, int *ret_rc);

/* Opens the databases and reads store id and epoch; creates what is missing,
 * unless read_only: STORE_NOTFOUND then. VERSION: made by a newer Confab. */
enum store_err databases_open(struct store_env *e);

/* Another random epoch. */
enum store_err databases_new_epoch(struct store_env *e);

/* What root makes in another user's folder is that user's: else the server could
 * not open its own store after a command was run as root. */
void environment_give_to_owner(const struct store_env *e);

#endif
