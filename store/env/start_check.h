/* Before the store is used: would data.mdb crash LMDB? LMDB trusts what pages say,
 * so a damaged page ends the process in the middle of its work. */
#ifndef CONFAB_STORE_ENV_START_CHECK_H
#define CONFAB_STORE_ENV_START_CHECK_H

#include "store/env/env.h"

/* Reads the meta pages, the roots and as many pages below them as about
 * START_CHECK_PAGES reads allow, but no rows. CORRUPT: *ret_damage (may be NULL)
 * describes the first damage found. The caller holds the folder's lock, and nothing
 * is being written. Blocks on disk. */
#define START_CHECK_PAGES 1024
enum store_err start_check(const struct store_env *e,
                           struct store_damage *ret_damage);

#endif
