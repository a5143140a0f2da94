/* Whether there is room for one more message, known before it is numbered.
 *
 * Appends stop at the soft limit, and where the disk gives no more blocks;
 * above that, the reserve of map and disk is for what frees space (trim,
 * revoke, usage, ping). Writer's thread only. */
#ifndef CONFAB_STORE_ROOM_H
#define CONFAB_STORE_ROOM_H

#include "store/schema.h"

/* What must fit for the store to call itself accepting: a message that wants
 * pages of its own, not just a small one. */
#define SPACE_USUAL 8192u

struct space {
    struct store_env *e;
    uint64_t room;        /* bytes appends may take in the open transaction */
    bool room_known;      /* it was measured since space_begin() … */
    bool inline_only;     /* full disk: nothing that wants adjoining pages */
    bool room_exact;      /* … by walking the free list */
    uint64_t used;        /* store_used() of a while ago … */
    int64_t used_mono_us; /* … of this time; 0: ask again */
    uint64_t taken;       /* by appends since then, estimated … */
    uint64_t taken_now;   /* … of these, in the open transaction */
};

void space_init(struct space *s, struct store_env *e);

/* A transaction begins: what was measured for the last one is forgotten. */
void space_begin(struct space *s);
/* Something was deleted: the next question is answered from the free list. */
void space_freed(struct space *s);

/* Bytes of the map that a message takes, its share of the rows included. */
uint64_t space_of(const struct message *m);

/* Whether `bytes` fit; space_take() then takes them off. `mono_us`: now. */
bool space_admits(struct space *s, uint64_t bytes, int64_t mono_us);
void space_take(struct space *s, uint64_t bytes);

/* Enough of the map's reserve is left to free space in bulk. While a pinned
 * reader keeps freed pages from being used, each delete takes new ones: what
 * is left then is for hiding, which is what readers see. */
bool space_has_reserve(struct space *s, int64_t mono_us);

#endif
