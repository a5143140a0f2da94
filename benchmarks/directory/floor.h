/* The floor of the directory: the same rows in a bare LMDB environment with the store's
 * flags. Trees, keys, lengths of rows and the row of the tenant, which counts bytes and
 * is written in each commit, are the store's; there are no checks, no msgpack, and no
 * second thread. What it costs is what LMDB and the kernel cost, so a directory that is
 * as good as it can be grows with the number of rows as this does.
 *
 * Failures end the program. */
#ifndef CONFAB_BENCHMARKS_DIRECTORY_FLOOR_H
#define CONFAB_BENCHMARKS_DIRECTORY_FLOOR_H

#include <stddef.h>

#include "store/store.h"

enum row_kind { KEYS, USERS, ROOMS };

struct directory_floor;

/* As the rows of `kind` are that the store has, of which there must be one. In an
 * existing folder. */
struct directory_floor *directory_floor_open(const char *dir,
                                             struct store *like,
                                             enum row_kind kind);
void directory_floor_close(struct directory_floor *f);

/* hash, id: of a key its hash, of a user or room its id. */
struct floor_name {
    const void *hash; /* 32 bytes */
    const char *id;
};

/* A commit of `count` new rows; on disk when this returns. */
void directory_floor_create(struct directory_floor *f,
                            const struct floor_name *names, size_t count);
/* Looks one up in a snapshot of its own. */
void directory_floor_look_up(struct directory_floor *f,
                             const struct floor_name *name);
/* Reads `rows` behind one, in a snapshot of its own; behind the last the first comes. */
void directory_floor_page(struct directory_floor *f,
                          const struct floor_name *name, unsigned rows);

#endif
