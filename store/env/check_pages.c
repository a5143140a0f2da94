/* The format is that of LMDB 0.9, as its mdb.c defines it: numbers in the machine's
 * byte order and, where LMDB has size_t, of its word size. */
#include "store/env/check_pages.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };
enum { NODE_BIG = 1, NODE_TREE = 2, NODE_DUPLICATES = 4 };
#define META_MAGIC 0xBEEFC0DE
#define META_VERSION 1
#define FIRST_PAGE 2 /* after the two meta pages */
#define PAGE_SIZE_MAX 65536

struct page_head {
    size_t number;
    uint16_t pad, flags;
    uint16_t lower, upper; /* overflow: a 32-bit count of pages */
};
#define HEAD_BYTES sizeof(struct page_head)

struct mdb_node {
    uint16_t low, high, flags, key_len;
};
#define NODE_BYTES sizeof(struct mdb_node)

struct tree_record {
    uint32_t page_size; /* set in the first record of a meta page only */
    uint16_t flags, depth;
    size_t branches, leaves, overflows, entries, root;
};

struct meta {
    uint32_t magic, version;
    void *address;
    size_t map_size;
    struct tree_record trees[2]; /* free list, names */
    size_t last_page, txn;
};

__attribute__((format(printf, 2, 3))) static void problem(struct page_walk *w,
                                                          const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    w->problems++;
    w->problem(w->arg, text);
}

static bool read_at(struct page_walk *w, void *to, uint64_t len,
                    uint64_t offset)
{
    uint64_t done = 0;

    while (done < len) {
        const ssize_t n = pread(w->fd, (char *)to + done, (size_t)(len - done),
                                (off_t)(offset + done));
        if (n <= 0)
            return false;
        done += (uint64_t)n;
    }
    return true;
}

/* ---- the meta pages ----------------------------------------------------- */

static struct page_tree tree_of(const struct tree_record *r, const char *name)
{
    struct page_tree t = {
        .integer_keys = (r->flags & MDB_INTEGERKEY) != 0,
        .flags = r->flags,
        .depth = r->depth,
        .pages = (uint64_t)r->branches + r->leaves + r->overflows,
        .entries = r->entries,
        .root = r->root == (size_t)-1 ? NO_ROOT : r->root,
    };

    (void)snprintf(t.name, sizeof(t.name), "%s", name);
    return t;
}

static bool read_meta(struct page_walk *w, uint64_t offset, struct meta *ret)
{
    unsigned char bytes[HEAD_BYTES + sizeof(struct meta)];
    struct page_head head;

    if (!read_at(w, bytes, sizeof(bytes), offset))
        return false;
    memcpy(&head, bytes, sizeof(head));
    memcpy(ret, bytes + HEAD_BYTES, sizeof(*ret));
    const uint32_t size = ret->trees[0].page_size;
    return (head.flags & PAGE_META) != 0 && ret->magic == META_MAGIC &&
           ret->version == META_VERSION && size >= 256 &&
           size <= PAGE_SIZE_MAX && (size & (size - 1)) == 0;
}

static bool choose_meta(struct page_walk *w, uint64_t txn, struct meta *ret)
{
    struct meta metas[2];
    bool good[2];

    good[0] = read_meta(w, 0, &metas[0]);
    const uint64_t size = good[0] ? metas[0].trees[0].page_size
                                  : (uint64_t)sysconf(_SC_PAGESIZE);
    good[1] = read_meta(w, size, &metas[1]);
    if (!good[0] || !good[1])
        problem(w, "meta page %d is damaged", good[0] ? 1 : 0);
    if (!good[0] && !good[1]) {
        problem(w, "both meta pages are damaged: no tree can be found");
        return false;
    }
    int best = !good[0] || (good[1] && metas[1].txn > metas[0].txn);
    if (txn != 0 && metas[best].txn != txn && good[!best])
        best = !best;
    if (txn != 0 && metas[best].txn != txn)
        return false;
    *ret = metas[best];
    return true;
}

bool page_walk_begin(struct page_walk *w, int fd, uint64_t txn)
{
    struct meta meta;
    struct stat st;

    w->fd = fd;
    w->used = w->stack = w->value = NULL;
    w->value_room = w->pages_read = w->problems = 0;
    w->is_quick = false;
    if (!choose_meta(w, txn, &meta))
        return false;
    w->txn = meta.txn;
    w->page_size = meta.trees[0].page_size;
    w->page_count = (uint64_t)meta.last_page + 1;
    w->free_list = tree_of(&meta.trees[0], "free list");
    w->names = tree_of(&meta.trees[1], "names");
    if (fstat(fd, &st) != 0)
        return false;
    const uint64_t in_file =
        ((uint64_t)st.st_size + w->page_size - 1) / w->page_size;
    if (w->page_count > in_file) {
        problem(w, "the file has %" PRIu64 " pages instead of %" PRIu64,
                in_file, w->page_count);
        w->page_count = in_file;
    }
    w->used = calloc(1, (size_t)(w->page_count / 8 + 1));
    w->stack = malloc((size_t)w->page_size * CHECK_DEPTH_MAX);
    if (w->used == NULL || w->stack == NULL) {
        problem(w, "not enough memory to check the store");
        return false;
    }
    return true;
}

void page_walk_end(struct page_walk *w)
{
    free(w->used);
    free(w->stack);
    free(w->value);
}

/* ---- pages --------------------------------------------------------------- */

/* Each page may be referred to from one place only. */
static bool mark_page_used(struct page_walk *w, uint64_t number)
{
    if (number < FIRST_PAGE || number >= w->page_count) {
        problem(w, "%s: refers to page %" PRIu64 ", which does not exist",
                w->tree->name, number);
        return false;
    }
    unsigned char *byte = &w->used[number / 8];
    const unsigned char bit = (unsigned char)(1u << number % 8);
    if ((*byte & bit) != 0) {
        problem(w, "%s: page %" PRIu64 " is used twice, or is free as well",
                w->tree->name, number);
        return false;
    }
    *byte |= bit;
    return true;
}

static bool claim_page(struct page_walk *w, uint64_t number)
{
    if (!mark_page_used(w, number))
        return false;
    w->tree_pages++;
    w->pages_read++;
    w->reads_left--;
    if (w->progress != NULL)
        w->progress(w->arg, w->pages_read);
    return true;
}

static bool read_page(struct page_walk *w, uint64_t number, void *to,
                      uint64_t pages)
{
    if (read_at(w, to, pages * w->page_size, number * w->page_size))
        return true;
    problem(w, "%s: page %" PRIu64 " cannot be read from the disk",
            w->tree->name, number);
    return false;
}

static size_t node_count(const struct page_head *head)
{
    return (head->lower - HEAD_BYTES) / sizeof(uint16_t);
}

static bool page_is_sane(struct page_walk *w, uint64_t number,
                         const struct page_head *head)
{
    const uint64_t size = w->page_size;

    if (head->number == number &&
        (head->flags == PAGE_BRANCH || head->flags == PAGE_LEAF) &&
        head->lower >= HEAD_BYTES && head->lower <= head->upper &&
        head->upper <= size && head->lower % sizeof(uint16_t) == 0 &&
        node_count(head) >= (head->flags == PAGE_BRANCH ? 2 : 1))
        return true;
    problem(w, "%s: the head of page %" PRIu64 " is damaged", w->tree->name,
            number);
    return false;
}

/* Whether node and key lie within their page. */
static bool node_at(struct page_walk *w, const unsigned char *page, size_t i,
                    struct mdb_node *ret, const unsigned char **ret_key)
{
    struct page_head head;
    uint16_t offset;

    memcpy(&head, page, sizeof(head));
    memcpy(&offset, page + HEAD_BYTES + i * sizeof(offset), sizeof(offset));
    if (offset < head.upper || offset + NODE_BYTES > w->page_size)
        return false;
    memcpy(ret, page + offset, sizeof(*ret));
    *ret_key = page + offset + NODE_BYTES;
    if (w->tree->integer_keys && ret->key_len != sizeof(size_t) &&
        ret->key_len != sizeof(uint64_t) &&
        !(i == 0 && head.flags == PAGE_BRANCH)) /* this key is never read */
        return false;
    return offset + NODE_BYTES + ret->key_len <= w->page_size;
}

static uint64_t child_of(const struct mdb_node *n)
{
    uint64_t number = (uint64_t)n->low | (uint64_t)n->high << 16;

    if (sizeof(size_t) > 4)
        number |= (uint64_t)n->flags << 32;
    return number;
}

/* ---- rows ---------------------------------------------------------------- */

/* Claims the pages of a value above about half a page. Such a value has pages of
 * its own, and only the first of them has a head. */
static bool claim_big(struct page_walk *w, size_t number, uint64_t needed)
{
    struct page_head head;
    uint32_t pages;

    if (!claim_page(w, number))
        return false;
    if (!read_at(w, &head, sizeof(head), (uint64_t)number * w->page_size)) {
        problem(w, "%s: page %zu cannot be read", w->tree->name, number);
        return false;
    }
    memcpy(&pages, &head.lower, sizeof(pages));
    if (head.number != number || head.flags != PAGE_OVERFLOW ||
        pages != needed || number + needed > w->page_count) {
        problem(w, "%s: the head of page %zu is damaged", w->tree->name,
                number);
        return false;
    }
    for (uint64_t i = 1; i < needed; i++)
        if (!claim_page(w, number + i))
            return false;
    w->reads_left += (int64_t)needed - 1; /* only the head was read */
    return true;
}

static bool read_big(struct page_walk *w, const unsigned char *reference,
                     uint64_t len, MDB_val *ret)
{
    const uint64_t needed =
        (HEAD_BYTES + len + w->page_size - 1) / w->page_size;
    size_t number;

    memcpy(&number, reference, sizeof(number));
    if (!claim_big(w, number, needed) || w->is_quick)
        return false;
    if (needed * w->page_size > w->value_room) {
        unsigned char *more =
            realloc(w->value, (size_t)(needed * w->page_size));
        if (more == NULL) {
            problem(w, "not enough memory to check the store");
            return false;
        }
        w->value = more;
        w->value_room = needed * w->page_size;
    }
    if (!read_page(w, number, w->value, needed))
        return false;
    *ret = (MDB_val){(size_t)len, w->value + HEAD_BYTES};
    return true;
}

/* Keys in LMDB's own trees have its word size, in ours 64 bits. */
static uint64_t integer_at(const unsigned char *key, size_t len)
{
    uint64_t wide = 0;
    size_t word = 0;

    if (len == sizeof(wide)) {
        memcpy(&wide, key, sizeof(wide));
        return wide;
    }
    memcpy(&word, key, len < sizeof(word) ? len : sizeof(word));
    return word;
}

static int compare_keys(const struct page_tree *t, const unsigned char *a,
                        size_t a_len, const unsigned char *b, size_t b_len)
{
    if (t->integer_keys && b_len == a_len) {
        const uint64_t x = integer_at(a, a_len), y = integer_at(b, b_len);
        return x < y ? -1 : x > y;
    }
    const int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : a_len < b_len ? -1 : a_len > b_len;
}

static void keep_key(struct page_walk *w, const unsigned char *key, size_t len)
{
    if (len > sizeof(w->last_key))
        len = sizeof(w->last_key);
    memcpy(w->last_key, key, len);
    w->last_key_len = len;
    w->has_last_key = true;
}

static void give_row(struct page_walk *w, uint64_t number,
                     const unsigned char *page, const struct mdb_node *n,
                     const unsigned char *key,
                     void (*row)(void *arg, MDB_val key, MDB_val value),
                     void *arg)
{
    const uint64_t len = (uint64_t)n->low | (uint64_t)n->high << 16;
    const unsigned char *data = key + n->key_len;
    const uint64_t left = (uint64_t)(page + w->page_size - data);
    const bool big = (n->flags & NODE_BIG) != 0;
    MDB_val value = {(size_t)len, (void *)data};

    if ((n->flags & NODE_DUPLICATES) != 0 ||
        (big ? left < sizeof(size_t) : left < len)) {
        problem(w, "%s: a row in page %" PRIu64 " is damaged", w->tree->name,
                number);
        return;
    }
    if (w->is_quick) {
        if (big && w->reads_left > 0)
            (void)read_big(w, data, len, &value);
        return;
    }
    if (w->has_last_key && compare_keys(w->tree, w->last_key, w->last_key_len,
                                        key, n->key_len) >= 0)
        problem(w, "%s: the keys in page %" PRIu64 " are out of order",
                w->tree->name, number);
    keep_key(w, key, n->key_len);
    w->tree_entries++;
    if (!big || read_big(w, data, len, &value))
        row(arg, (MDB_val){n->key_len, (void *)key}, value);
}

/* Recurses as deep as the tree, which is bounded. */
static void walk(struct page_walk *w, uint64_t number, unsigned depth,
                 void (*row)(void *arg, MDB_val key, MDB_val value), void *arg)
{
    unsigned char *page = w->stack + depth * w->page_size;
    const unsigned char *key;
    struct page_head head;
    struct mdb_node n;

    if (!claim_page(w, number) || !read_page(w, number, page, 1))
        return;
    memcpy(&head, page, sizeof(head));
    if (!page_is_sane(w, number, &head))
        return;
    const bool leaf = head.flags == PAGE_LEAF;
    if (leaf != (depth + 1 == w->tree->depth)) {
        problem(w, "%s: page %" PRIu64 " is at the wrong depth of the tree",
                w->tree->name, number);
        return;
    }
    for (size_t i = 0; i < node_count(&head); i++) {
        if (!node_at(w, page, i, &n, &key))
            problem(w, "%s: a node in page %" PRIu64 " is damaged",
                    w->tree->name, number);
        else if (leaf)
            give_row(w, number, page, &n, key, row, arg);
        else if (w->is_quick && depth + 1 >= w->levels)
            w->below++;
        else
            walk(w, child_of(&n), depth + 1, row, arg);
    }
}

void page_walk_tree(struct page_walk *w, const struct page_tree *tree,
                    void (*row)(void *arg, MDB_val key, MDB_val value),
                    void *arg)
{
    w->tree = tree;
    w->tree_pages = w->tree_entries = 0;
    w->has_last_key = false;
    if (tree->root == NO_ROOT)
        return;
    if (tree->depth == 0 || tree->depth > CHECK_DEPTH_MAX) {
        problem(w, "%s: the record of the tree is damaged", tree->name);
        return;
    }
    walk(w, tree->root, 0, row, arg);
    if (w->is_quick)
        return;
    if (w->tree_entries != tree->entries)
        problem(w, "%s: %" PRIu64 " rows instead of %" PRIu64, tree->name,
                w->tree_entries, tree->entries);
    if (w->tree_pages != tree->pages)
        problem(w, "%s: %" PRIu64 " pages instead of %" PRIu64, tree->name,
                w->tree_pages, tree->pages);
}

/* A row lists the pages that one transaction freed: their count, their numbers. */
static void free_row(void *arg, MDB_val key, MDB_val value)
{
    struct page_walk *w = arg;
    size_t count, number;

    (void)key;
    if (value.mv_size < sizeof(count)) {
        problem(w, "free list: a row is damaged");
        return;
    }
    memcpy(&count, value.mv_data, sizeof(count));
    if (count > value.mv_size / sizeof(number) - 1) {
        problem(w, "free list: a row is damaged");
        return;
    }
    for (size_t i = 1; i <= count; i++) {
        memcpy(&number, (const char *)value.mv_data + i * sizeof(number),
               sizeof(number));
        (void)mark_page_used(w, number);
    }
}

void page_walk_free_list(struct page_walk *w)
{
    page_walk_tree(w, &w->free_list, free_row, w);
}

bool page_walk_named(MDB_val key, MDB_val value, struct page_tree *ret_tree)
{
    struct tree_record record;
    char name[CHECK_NAME_MAX];

    if (value.mv_size != sizeof(record) || key.mv_size >= sizeof(name))
        return false;
    memcpy(&record, value.mv_data, sizeof(record));
    memcpy(name, key.mv_data, key.mv_size);
    name[key.mv_size] = '\0';
    *ret_tree = tree_of(&record, name);
    return true;
}

/* ---- the quick check ------------------------------------------------------ */

#define TREES_MAX 64

struct named_trees {
    struct page_tree tree[TREES_MAX];
    size_t count;
};

static void add_tree(void *arg, MDB_val key, MDB_val value)
{
    struct named_trees *t = arg;

    if (t->count < TREES_MAX &&
        page_walk_named(key, value, &t->tree[t->count]))
        t->count++;
}

static void look_at(struct page_walk *w, const struct page_tree *tree)
{
    w->is_quick = true;
    page_walk_tree(w, tree, NULL, NULL);
    w->is_quick = false;
}

/* Reads all trees down to w->levels. */
static void look_down(struct page_walk *w, uint64_t pages_max,
                      bool (*is_ours)(const struct page_tree *tree))
{
    struct named_trees named = {.count = 0};

    memset(w->used, 0, (size_t)(w->page_count / 8 + 1));
    w->below = 0;
    w->reads_left = (int64_t)pages_max;
    if (w->free_list.pages <= pages_max)
        page_walk_free_list(w);
    else
        look_at(w, &w->free_list);
    page_walk_tree(w, &w->names, add_tree, &named);
    for (size_t i = 0; i < named.count; i++) {
        if (!is_ours(&named.tree[i])) {
            problem(w, "%s: the record of the tree is damaged",
                    named.tree[i].name);
            continue;
        }
        look_at(w, &named.tree[i]);
    }
}

void page_walk_quick(struct page_walk *w, uint64_t pages_max,
                     bool (*is_ours)(const struct page_tree *tree))
{
    for (w->levels = 1; w->levels <= CHECK_DEPTH_MAX; w->levels++) {
        look_down(w, pages_max, is_ours);
        if (w->problems > 0 || w->below == 0 ||
            (int64_t)w->below > w->reads_left)
            return;
    }
}
