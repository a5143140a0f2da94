/* Whether there is room for one more row, asked before anything is written.
 *
 * What a client asks to have stored (messages, sessions, wills, subscriptions,
 * tokens) is refused above the soft limit, and when the disk has no more blocks.
 * Above the soft limit is the reserve of map and disk. Its upper half is for what
 * must go on in a full store although it may grow: what is in flight to connected
 * clients. Its lower half is for commands that free space (trim, revoke, end,
 * unsubscribe): they need pages too, since LMDB never changes a page that a snapshot
 * may see. If growth used that half, nothing could ever be deleted again.
 * Writer's thread only. */
#ifndef CONFAB_STORE_ENV_ROOM_H
#define CONFAB_STORE_ENV_ROOM_H

#include "store/env/env.h"

/* The store calls itself accepting when this many bytes fit: a message that needs
 * pages of its own, not just a small one. */
#define SPACE_USUAL 8192u

struct space {
    struct store_env *e;
    uint64_t room;    /* bytes appends may use in the open transaction */
    bool room_known;  /* `room` was measured since space_begin() … */
    bool room_exact;  /* … by walking the free list */
    bool disk_full;   /* … and the disk had no more blocks */
    bool inline_only; /* … nor room for values that need adjoining pages */
    uint64_t used;    /* the last result of store_used() … */
    uint64_t pinned;  /* … bytes of it that only a snapshot holds */
    int64_t used_mono_us; /* … when it was asked; 0: ask again */
    uint64_t taken;       /* by appends since then, estimated … */
    uint64_t taken_now;   /* … of these, in the open transaction */
};

void space_init(struct space *s, struct store_env *e);

/* Call at the start of a transaction: forgets what was measured for the last. */
void space_begin(struct space *s);
/* Call after a deletion: the next question is answered from the free list. */
void space_freed(struct space *s);

/* Bytes of the map that storing a message takes, its share of other rows too. */
uint64_t space_of(const struct message *m);

/* The most bytes that one change may use, exact enough to tell whether `bytes`
 * fit; 0: none. `mono_us`: the monotonic time now. */
uint64_t space_room(struct space *s, uint64_t bytes, int64_t mono_us);
/* Whether `bytes` fit; space_take() then subtracts them. */
bool space_admits(struct space *s, uint64_t bytes, int64_t mono_us);
void space_take(struct space *s, uint64_t bytes);

/* How much room the upper half of the reserve has, measured as above. */
uint64_t space_upkeep(struct space *s, uint64_t bytes, int64_t mono_us);
/* Whether that is enough for `bytes`. */
bool space_has_upkeep(struct space *s, uint64_t bytes, int64_t mono_us);

/* How many of `most` entries a transaction may delete. All of them, while the lower
 * half of the reserve is untouched. Once it is in use, it depends on why:
 *  - a snapshot keeps freed pages from being reused: none, because each deletion
 *    takes new pages. The rest is left for hiding, which is what readers see;
 *  - rows have grown into it: a few at a time, and one at a time in the last
 *    sixteenth of the reserve, since their pages come back with the next commits. */
unsigned space_deletions(struct space *s, unsigned most, int64_t mono_us);

#endif
