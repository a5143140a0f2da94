/* Durable, replayable message log kept in one LMDB directory: opening and
 * reading. Writing is store/write/writer.h.
 *
 * Threads:  struct store may be shared by all threads; a struct store_reader
 *           belongs to one thread at a time.
 * Process:  one writing process (it holds the flock of LOCK_NAME), any number
 *           of reading ones. A directory is opened once per process.
 * fork():   open after it, never before: LMDB locks do not survive it.
 * Logging:  damaged entries of the log, which readers skip: at most one line in
 *           five seconds. All other failures are returned. */
#ifndef CONFAB_STORE_STORE_H
#define CONFAB_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/topic.h"
#include "store/message.h"

/* X(name, value, text). Add at the end, never renumber. */
#define STORE_ERRORS(X)                                                       \
    X(OK, 0, "success")                                                       \
    X(NOMEM, 1, "out of memory")                                              \
    X(INVALID, 2, "invalid argument")                                         \
    X(FULL, 3, "store full: raise store.map_size or retain less")             \
    X(IO, 4, "disk refused a read or write")                                  \
    X(NOTFOUND, 5, "no such entry")                                           \
    X(LOCKED, 6, "data folder in use by another process")                     \
    X(ACCESS, 7, "data folder cannot be read or written")                     \
    X(VERSION, 8, "data folder was written by a newer version of Confab")     \
    X(CORRUPT, 9, "data folder is damaged: see 'confab check --data'")        \
    X(UNCERTAIN, 10, "the disk failed in the middle of a commit")             \
    X(DISK_FULL, 11, "disk full: free some space on it")                      \
    X(ADDRESS_SPACE, 12,                                                      \
      "not enough address space: lower store.map_size or raise RLIMIT_AS "    \
      "(ulimit -v, systemd's LimitAS=)")                                      \
    X(EXISTS, 13, "exists already")

enum store_err {
#define X(name, value, text) STORE_##name = value,
    STORE_ERRORS(X)
#undef X
};
const char *store_strerror(enum store_err err); /* static text */
/* Whether the map or the disk has no room. */
static inline bool store_is_full(enum store_err err)
{
    return err == STORE_FULL || err == STORE_DISK_FULL;
}

struct store;

/* One sentence that says what is damaged. */
struct store_damage {
    char text[256];
};

/* Sizes, all derived from S, the soft limit on the bytes in use in data.mdb:
 *  address space  S + max(64 MiB, S/16). A full LMDB cannot delete, so commands
 *                 that free space may go on above S. Addresses cost nothing, and
 *                 the map is never resized while running.
 *  disk           allocated ahead in steps of S/16 (1…64 MiB), so that S/16
 *                 (16…64 MiB) more than is in use is always ours, even on a disk
 *                 that others have filled. A new store takes 128 MiB of disk by
 *                 default, 17 MiB with S = 1 MiB. */
struct store_opts {
    uint64_t map_size; /* soft limit S in bytes; 0: MAP_SIZE_DEFAULT. A larger
                          file can be opened all the same */
    bool read_only;    /* a reading process: no lock, nothing created */
    unsigned
        max_readers; /* simultaneous readers in all processes; 0: 1024. The
                             first process to open decides, and it only grows */
    struct store_damage
        *ret_damage; /* what CORRUPT is about, "" if unknown; may
                                        be NULL */
};

/* Opens the store in folder `dir`, whose parent must exist. Unless read_only, it
 * creates what is missing (mode 0750/0640), takes the data lock, frees the slots of
 * dead readers, and allocates disk space. A full disk or map does not keep a store
 * from opening.
 *  - What the last process wrote but did not flush is flushed before anything is
 *    read: no client may know of it yet, but from now on it is relied on.
 *  - A new data.mdb is made under another name, so that a power cut leaves all of it
 *    or none.
 *  - Unless read_only, the upper levels of all trees are checked. A page that would
 *    crash LMDB is CORRUPT. What LMDB itself finds later ends the process
 *    (disk_fault_end(), base/disk_fault.h).
 * Errors:
 *  LOCKED    another process writes here
 *  ACCESS    no such parent, no folder, no permission
 *  NOTFOUND  read_only, and nothing was ever stored here
 *  INVALID   map_size above MAP_SIZE_MAX (base/map_size.h)
 *  DISK_FULL no room to create it
 *  ADDRESS_SPACE  the map does not fit (RLIMIT_AS; 32-bit machines)
 *  CORRUPT   data.mdb is no LMDB file, is cut short, or has rows we cannot read
 * *ret_detail (may be NULL) gets an errno or 0 for the message to the user.
 * Blocks on disk. On error *ret_store is untouched and nothing stays open. */
enum store_err store_open(const char *dir, const struct store_opts *opts,
                          struct store **ret_store, int *ret_detail);
void store_close(
    struct store *st); /* NULL is fine; close all readers before */

/* Frees slots of readers whose process died. Call it every minute. Blocks on the
 * mutex of the reader table for microseconds. */
void store_check_readers(struct store *st);

/* The snapshots held now, in all processes. Old snapshots keep old pages from being
 * reused. Any thread; does not block. */
struct store_snapshots {
    unsigned held;
    uint64_t oldest_behind; /* commits since the oldest snapshot began */
};
void store_snapshots(struct store *st, struct store_snapshots *ret_snapshots);

struct store_stats {
    uint64_t store_id, epoch; /* random; a restored backup has a new epoch */
    uint64_t head;            /* id of the last committed entry, 0: none */
    uint64_t map_size, map_used; /* soft limit; bytes that cannot be reused */
    uint64_t log_entries, things, tokens;
    uint64_t retained; /* messages */
    uint64_t sessions; /* that outlive their connection, connected or not */
};
enum store_err store_stats(struct store *st, struct store_stats *ret_stats);

/* ---- Reading -------------------------------------------------------------
 *
 * A reader sees one snapshot between store_reader_begin() and _end(). All slices and
 * rows it returns are valid until _end(). Never hold a snapshot while waiting for a
 * socket: it keeps old pages from being reused. */

struct store_reader;

/* From a pool inside the store; any thread. NULL: out of memory or readers. */
struct store_reader *store_reader_acquire(struct store *st);
void store_reader_release(struct store_reader *r); /* ends a snapshot too */

/* Never blocks. IO: a read_only store whose writer was restarted with a map more
 * than four times as large; reopen the store. */
enum store_err store_reader_begin(struct store_reader *r);
void store_reader_end(struct store_reader *r); /* fine without a snapshot */

/* Acquires a reader and begins its snapshot; store_reader_release() ends both.
 * NOMEM, IO as above, with *ret_reader NULL. */
enum store_err store_snapshot(struct store *st,
                              struct store_reader **ret_reader);

/* The last id given as of this snapshot (its entry may have been removed since); 0:
 * none, or the store cannot be read. */
uint64_t store_head(struct store_reader *r);
uint64_t store_epoch(struct store_reader *r);

/* A log entry: a message whose slices are borrowed from the map. */
struct record {
    struct message m; /* refs unused; never pass to message_ref() */
};

/* One entry by id. STORE_NOTFOUND: it was trimmed, deleted or never given. */
enum store_err store_get(struct store_reader *r, uint64_t id,
                         struct record *ret_record);

/* The next entry with an id greater than `after`, of any topic and kind; messages that
 * were deleted are among them. STORE_NOTFOUND: none. Calls with growing ids are cheap: the reader keeps a
 * cursor. */
enum store_err store_next(struct store_reader *r, uint64_t after,
                          struct record *ret_record);

/* A topic that has messages or has had some. */
struct thing_row {
    struct slice topic;
    uint64_t first_id, last_id; /* 0: no message left */
    uint64_t first_seq,
        last_seq;          /* no message left: first_seq = last_seq + 1 */
    uint64_t trimmed_id;   /* greatest id removed by retention; 0: none */
    uint64_t count, bytes; /* messages, their payload bytes */
    int64_t last_at_us;
};
/* ret_row->topic is `topic` itself. */
enum store_err store_thing(struct store_reader *r, struct slice topic,
                           struct thing_row *ret_row);
/* The next row whose topic starts with `prefix` (`<token>/`; empty: all) and is
 * greater than `after`. To begin, pass an empty slice as `after`; to go on, the
 * previous row's topic (a copy, if the snapshot changes in between). Rows are sorted
 * bytewise; topics longer than 400 bytes come after those with the same first 368
 * bytes, in no useful order. Emptied things (count 0) are included. */
enum store_err store_thing_next(struct store_reader *r, struct slice prefix,
                                struct slice after, struct thing_row *ret_row);

/* The newest message that was not deleted. Looks at no more than LATEST_LOOKS messages:
 * if all of them were, there is none. */
#define LATEST_LOOKS 1024
enum store_err store_latest(struct store_reader *r, struct slice topic,
                            struct record *ret_record);
/* The message with this sequence number of the topic. */
enum store_err store_by_seq(struct store_reader *r, struct slice topic,
                            uint64_t seq, struct record *ret_record);

/* History of one topic, oldest or newest first. Set the bounds (0: open), leave the
 * rest zero, then call store_history_next() until STORE_NOTFOUND. The walk may
 * continue in a later snapshot: it keeps only numbers, and continues after the last
 * id it returned. `topic` is borrowed. */
struct history {
    struct slice topic;
    bool ascending;
    bool skips_deleted;         /* else they come, without payload */
    uint64_t after, before;     /* ids, exclusive */
    int64_t since_us, until_us; /* created_at, inclusive / exclusive */
    /* private */
    uint64_t last_given;
    uint64_t snapshot;    /* in which the following was read; 0: none */
    uint64_t floor;       /* ids up to this are hidden */
    uint64_t chunk_first; /* first id of the chunk in ids[] */
    uint64_t ids[16];     /* ids of that chunk, in the order of the walk */
    unsigned id_count, id_next;
};
enum store_err store_history_next(struct store_reader *r, struct history *h,
                                  struct record *ret_record);

/* The retained message of a topic, even after retention has removed it from the
 * history. The caller checks whether it has expired (has_expiry). */
enum store_err store_retained(struct store_reader *r, struct slice topic,
                              struct record *ret_record);
/* The next retained message, bytewise by topic, that matches `filter` and whose
 * topic is greater than `after` (empty: from the start). Looks at no more than
 * `budget` rows. STORE_INVALID: the budget is used up, call again. With STORE_OK and
 * STORE_INVALID *ret_resume is the topic to pass as `after` next; it is valid until
 * _end(). */
enum store_err store_retained_next(struct store_reader *r, struct slice filter,
                                   struct slice after, unsigned budget,
                                   struct record *ret_record,
                                   struct slice *ret_resume);

struct token_row {
    struct slice token;
    struct slice plan;
    int64_t created_us;
    int64_t revoked_us; /* 0: valid */
    bool implied; /* made by its first write in open mode: registered mode does
                     not know it until it is created */
    uint64_t
        since_id; /* ids up to this one belong to a deleted token of the same
                          name. 0 in rows of earlier versions */
    bool named;   /* a tenant whose name opens nothing: callers need a key of
                   it (store/directory.h) */
    int64_t suspended_us; /* 0: not suspended */
    struct slice
        limits; /* its own beside the plan: text of base/plan_limits.h;
                             empty: none */
};
/* Whether nobody may be connected under it. */
static inline bool token_row_is_closed(const struct token_row *row)
{
    return row->revoked_us != 0 || row->suspended_us != 0;
}

/* Revoked tokens are included. ret_row->token is `token` itself. */
enum store_err store_token(struct store_reader *r, struct slice token,
                           struct token_row *ret_row);
enum store_err store_token_next(struct store_reader *r, struct slice after,
                                struct token_row *ret_row);

/* What a token has used. Writes are exact; reads may be up to 1 s late. */
struct usage_row {
    int64_t window_start_us; /* 0: no request counted yet */
    uint64_t writes, reads;  /* in that window */
    uint64_t things, retained;
    uint64_t bytes;    /* of its messages, properties and things included */
    uint64_t sessions; /* stored MQTT sessions */
    uint64_t session_bytes; /* of these sessions and all their parts */
    uint64_t
        trimmed_id; /* the greatest of its things': up to it, messages may be
                            missing. Earlier versions did not keep it */
};
enum store_err store_usage(struct store_reader *r, struct slice token,
                           struct usage_row *ret_row);

#endif
