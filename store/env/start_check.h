/* Before anything is served: would LMDB fall over data.mdb? It believes what pages
 * say, and a damaged one ends the process in the middle of its work. */
#ifndef CONFAB_STORE_ENV_START_CHECK_H
#define CONFAB_STORE_ENV_START_CHECK_H

#include "store/env/env.h"

/* Reads the meta pages, the roots and as many pages below them as about
 * START_CHECK_PAGES reads reach; nothing of rows. CORRUPT: *ret_damage (may be
 * NULL) says what, the first thing found. With the folder's lock held, nothing
 * being written. Blocks on disk. */
#define START_CHECK_PAGES 1024
enum store_err start_check(const struct store_env *e,
                           struct store_damage *ret_damage);

#endif
