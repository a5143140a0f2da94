/* A hash table of structures that contain their own name (bytes). Intrusive: the
 * caller's structures contain the nodes, so insertion allocates nothing and cannot fail;
 * if the table cannot grow for lack of memory, its chains get longer. Names come from
 * clients, so the hash is keyed (SipHash): nobody can choose names that collide. Not
 * thread safe. */
#ifndef CONFAB_BRIDGE_STREAM_NAME_TABLE_H
#define CONFAB_BRIDGE_STREAM_NAME_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct name_node {
    struct name_node *next;
    uint64_t hash;
    struct slice name; /* the owner's bytes, unchanged while in a table */
};

#define NAME_TABLE_FIRST 16

struct name_table {
    struct name_node **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    unsigned char key[16];
    struct name_node *first_buckets[NAME_TABLE_FIRST];
};

/* The table must not be moved afterwards. */
void name_table_init(struct name_table *t);
void name_table_release(struct name_table *t); /* the nodes stay the owners' */

/* The node with that name, or NULL. */
struct name_node *name_table_find(const struct name_table *t,
                                  struct slice name);
/* Adds n, whose name is set and not in the table. */
void name_table_add(struct name_table *t, struct name_node *n);
void name_table_remove(struct name_table *t, struct name_node *n);

/* Calls `each` for every node; it may remove (and free) that node, but no other. */
void name_table_each(struct name_table *t,
                     void (*each)(void *arg, struct name_node *n), void *arg);
/* Calls `each` for about one in `parts` of the nodes, others with every call; *at, zero
 * at first, keeps the place. A node that stays in the table is met within 2 × `parts`
 * calls, unless the table grows. */
void name_table_some(struct name_table *t, size_t *at, size_t parts,
                     void (*each)(void *arg, struct name_node *n), void *arg);

#endif
