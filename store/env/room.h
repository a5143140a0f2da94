/* Whether there is room for one more row, known before anything is written.
 *
 * What a client asks to have stored (messages, sessions, wills, subscriptions,
 * tokens) stops at the soft limit, and where the disk gives no more blocks. Above
 * that is the reserve of map and disk. Its upper half is for what goes on in a full
 * store although it may grow: what is in flight to clients that are connected. The
 * lower half is for what frees space (trim, revoke, end, unsubscribe) and needs pages
 * to do so, since LMDB never changes a page that a snapshot may see. Growth must
 * not get there, or nothing could ever be deleted again. Writer's thread only. */
#ifndef CONFAB_STORE_ENV_ROOM_H
#define CONFAB_STORE_ENV_ROOM_H

#include "store/env/env.h"

/* What must fit for the store to call itself accepting: a message that wants
 * pages of its own, not just a small one. */
#define SPACE_USUAL 8192u

struct space {
    struct store_env *e;
    uint64_t room;        /* bytes appends may take in the open transaction */
    bool room_known;      /* it was measured since space_begin() … */
    bool room_exact;      /* … by walking the free list */
    bool disk_full;       /* the disk gave no more blocks then … */
    bool inline_only;     /* … nor room for what wants adjoining pages */
    uint64_t used;        /* store_used() of a while ago … */
    uint64_t pinned;      /* … bytes of it that only a reader holds */
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

/* The most bytes that one change may take, measured well enough to tell whether
 * `bytes` fit; 0: none. `mono_us`: now. */
uint64_t space_room(struct space *s, uint64_t bytes, int64_t mono_us);
/* Whether `bytes` fit; space_take() then takes them off. */
bool space_admits(struct space *s, uint64_t bytes, int64_t mono_us);
void space_take(struct space *s, uint64_t bytes);

/* What the upper half of the reserve has room for, measured as above. */
uint64_t space_upkeep(struct space *s, uint64_t bytes, int64_t mono_us);
/* Whether it has room for `bytes`. */
bool space_has_upkeep(struct space *s, uint64_t bytes, int64_t mono_us);

/* How many of `most` entries a transaction may delete: all, as long as the lower
 * half of the reserve is whole. Below that, when a pinned reader keeps what was
 * freed from being used: none, because each delete takes new pages; what is left
 * then is for hiding, which is what readers see. When it is rows that have come so
 * far: few at a time, and one at a time in the last sixteenth of the reserve, since
 * their pages come back with the next commits. */
unsigned space_deletions(struct space *s, unsigned most, int64_t mono_us);

#endif
