/* Reading the pages of data.mdb without LMDB, which believes what they say: a
 * wrong page number or length makes it read anywhere. Every page is read with
 * pread(), so that a bad sector is an error and no signal, and looked at before
 * anything in it is used. Any number of threads, a walk each. */
#ifndef CONFAB_STORE_ENV_CHECK_PAGES_H
#define CONFAB_STORE_ENV_CHECK_PAGES_H

#include <lmdb.h>

#include <stdbool.h>
#include <stdint.h>

#define CHECK_DEPTH_MAX 32 /* LMDB's CURSOR_STACK */
#define CHECK_NAME_MAX 32

/* A tree as its record says (LMDB's MDB_db). */
struct page_tree {
    char name[CHECK_NAME_MAX];
    bool integer_keys;
    uint16_t flags, depth;   /* MDB_INTEGERKEY, … */
    uint64_t pages, entries; /* overflow pages counted */
    uint64_t root;           /* NO_ROOT: empty */
};
#define NO_ROOT UINT64_MAX

struct page_walk {
    int fd;
    uint64_t page_size, page_count; /* up to the last one ever used */
    uint64_t txn;                   /* of the snapshot that is walked */
    struct page_tree free_list, names;
    /* One sentence, no more than a line. */
    void (*problem)(void *arg, const char *text);
    /* After each page; may be NULL. */
    void (*progress)(void *arg, uint64_t pages_read);
    void *arg;
    uint64_t problems; /* calls of problem() */

    /* private */
    unsigned char *used;  /* a bit per page */
    unsigned char *stack; /* a page per level */
    unsigned char *value; /* a value that has pages of its own */
    uint64_t value_room;
    uint64_t pages_read, tree_pages, tree_entries;
    const struct page_tree *tree;
    bool is_quick;
    unsigned levels; /* quick: how far down; pages below are counted only */
    uint64_t below;  /* those */
    int64_t
        reads_left; /* quick: heads of large values are read while there are
                           any */
    unsigned char last_key[512];
    size_t last_key_len;
    bool has_last_key;
};

/* Reads the meta pages of `fd` (borrowed until the end). txn: the snapshot that is
 * wanted, 0: the newest. false: this is no store, or memory ran out; a problem
 * says which. page_walk_end() either way. */
bool page_walk_begin(struct page_walk *w, int fd, uint64_t txn);
void page_walk_end(struct page_walk *w);

/* Which pages are free: first, so that a tree that has one of them is noticed. */
void page_walk_free_list(struct page_walk *w);

/* Gives the rows of a tree in order; key and value live during the call. Parts
 * that cannot be read are left out, with a problem each. */
void page_walk_tree(struct page_walk *w, const struct page_tree *tree,
                    void (*row)(void *arg, MDB_val key, MDB_val value),
                    void *arg);

/* What LMDB would fall over, as far down in all trees as about `pages_max` reads
 * reach, the roots in any case; a store of fewer pages is looked at whole. Heads
 * and nodes only: not the order of keys, nor what rows say. After page_walk_begin(),
 * instead of the walks above. is_ours: may the named tree have those flags? */
void page_walk_quick(struct page_walk *w, uint64_t pages_max,
                     bool (*is_ours)(const struct page_tree *tree));

/* A row of w->names as the tree it stands for. false: it is none. */
bool page_walk_named(MDB_val key, MDB_val value, struct page_tree *ret_tree);

#endif
