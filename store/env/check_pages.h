/* Reading the pages of data.mdb without LMDB, which trusts their content: a wrong
 * page number or length makes it read anywhere. Every page is read with pread(),
 * so that a bad sector is an error instead of a signal, and is checked before
 * anything in it is used. Any number of threads, each with its own walk. */
#ifndef CONFAB_STORE_ENV_CHECK_PAGES_H
#define CONFAB_STORE_ENV_CHECK_PAGES_H

#include <lmdb.h>

#include <stdbool.h>
#include <stdint.h>

#define CHECK_DEPTH_MAX 32 /* LMDB's CURSOR_STACK */
#define CHECK_NAME_MAX 32

/* A tree as its record describes it (LMDB's MDB_db). */
struct page_tree {
    char name[CHECK_NAME_MAX];
    bool integer_keys;
    uint16_t flags, depth;   /* MDB_INTEGERKEY, … */
    uint64_t pages, entries; /* overflow pages included */
    uint64_t root;           /* NO_ROOT: empty */
};
#define NO_ROOT UINT64_MAX

struct page_walk {
    int fd;
    uint64_t page_size, page_count; /* up to the last page ever used */
    uint64_t txn;                   /* of the snapshot that is walked */
    struct page_tree free_list, names;
    /* Called with one sentence, no longer than a line. */
    void (*problem)(void *arg, const char *text);
    /* Called after each page; may be NULL. */
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
    unsigned
        levels;     /* quick: how far down to read; deeper pages are counted */
    uint64_t below; /* number of those deeper pages */
    int64_t reads_left; /* quick: the heads of large values are read while this
                           is positive */
    unsigned char last_key[512];
    size_t last_key_len;
    bool has_last_key;
};

/* Reads the meta pages of `fd` (borrowed until page_walk_end()). txn: the snapshot
 * to walk, 0: the newest. false: the file is not a store, or memory ran out;
 * problem() was called with the reason. Call page_walk_end() either way. */
bool page_walk_begin(struct page_walk *w, int fd, uint64_t txn);
void page_walk_end(struct page_walk *w);

/* Marks the free pages. Call it first, so that a tree using one is noticed. */
void page_walk_free_list(struct page_walk *w);

/* Calls row() for the rows of a tree in order; key and value are valid during the
 * call. Parts that cannot be read are skipped, after a problem() for each. */
void page_walk_tree(struct page_walk *w, const struct page_tree *tree,
                    void (*row)(void *arg, MDB_val key, MDB_val value),
                    void *arg);

/* Looks for what would crash LMDB: in all trees, from the roots (always) as far
 * down as about `pages_max` reads allow; a store with fewer pages is read whole.
 * Checks page heads and nodes only, neither the order of keys nor the rows. Call it
 * after page_walk_begin(), instead of the walks above. is_ours: may a tree of this
 * name have these flags? */
void page_walk_quick(struct page_walk *w, uint64_t pages_max,
                     bool (*is_ours)(const struct page_tree *tree));

/* Decodes a row of w->names into the tree it describes. false: it is not a tree. */
bool page_walk_named(MDB_val key, MDB_val value, struct page_tree *ret_tree);

#endif
