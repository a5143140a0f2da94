/* Opening the LMDB environment of a store: the steps of store_open(). */
#ifndef CONFAB_STORE_ENV_ENVIRONMENT_H
#define CONFAB_STORE_ENV_ENVIRONMENT_H

#include "store/env/env.h"

#define STORE_FILE_MODE 0640

/* Sets soft_limit, real_map, step and disk_reserve as struct store_opts says. */
void environment_set_sizes(struct store_env *e, uint64_t map_size);

/* Makes data.mdb, complete and flushed, in a folder that has none. The file gets
 * its name last, so that a power cut cannot leave half of one behind. The caller
 * holds the folder's lock. *ret_rc: errno or LMDB's code. */
enum store_err environment_create(const struct store_env *e,
                                  const struct store_opts *opts, int *ret_rc);

/* Prepares a copy of a data.mdb that has another name in e->dir: checks that it is
 * a store of a known version, gives it a new epoch, and flushes it. Lock and
 * *ret_rc as above. */
enum store_err environment_renew(const struct store_env *e, const char *name,
                                 const struct store_opts *opts, int *ret_rc);

/* Opens data.mdb in e->dir, makes its map large enough and, unless read_only,
 * flushes it. On error e->env may be set, and the caller closes it. *ret_rc: errno
 * or LMDB's code. */
enum store_err environment_open(struct store_env *e,
                                const struct store_opts *opts, int *ret_rc);

/* Opens the databases and reads store id and epoch. Creates what is missing;
 * returns STORE_NOTFOUND instead if read_only. VERSION: a newer Confab made it. */
enum store_err databases_open(struct store_env *e);

/* Gives the store another random epoch. */
enum store_err databases_new_epoch(struct store_env *e);

/* Gives files that root has created in another user's folder to that user.
 * Otherwise the server could not open its own store after a command of root's. */
void environment_give_to_owner(const struct store_env *e);

#endif
