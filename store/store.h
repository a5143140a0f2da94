/* Durable, replayable message log kept in one LMDB directory: opening and
 * reading. Writing is store/write/writer.h.
 *
 * Threads:  struct store may be shared by all threads; a struct store_reader
 *           belongs to one thread at a time.
 * Process:  one writing process (it holds the flock of LOCK_NAME), any number
 *           of reading ones. A directory is opened once per process.
 * fork():   open after it, never before: LMDB locks do not survive it.
 * Logging:  damaged entries of the log, which readers skip, at most one line in
 *           five seconds. Other failures are returned; the caller knows whom to
 *           tell. */
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
    X(DISK_FULL, 11, "disk full: make room on it")                            \
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
/* No room in the map or on the disk. */
static inline bool store_is_full(enum store_err err)
{
    return err == STORE_FULL || err == STORE_DISK_FULL;
}

struct store;

/* One sentence. */
struct store_damage {
    char text[256];
};

/* Sizes, all from the soft limit S on the bytes in use in data.mdb:
 *  address space  S + max(64 MiB, S/16): a full LMDB cannot delete, so what
 *                 frees space may go on above S. Addresses cost nothing, and
 *                 the map is never resized while running.
 *  disk           allocated ahead in steps of S/16 (1…64 MiB), so that always
 *                 S/16 (16…64 MiB) more than is in use is ours even on a disk
 *                 that others have filled. A fresh store takes 128 MiB of disk
 *                 by default, 17 MiB with S = 1 MiB. */
struct store_opts {
    uint64_t
        map_size; /* soft limit S in bytes; 0: MAP_SIZE_DEFAULT. A file that is
                          larger already opens all the same */
    bool read_only; /* a reading process: no lock, nothing created */
    unsigned
        max_readers; /* simultaneous readers, all processes; 0: 1024. Set by
                             who opens first, and it only ever grows */
    struct store_damage *ret_damage; /* where CORRUPT was found, "" if that is
                                        not known; may be NULL */
};

/* Opens (and, unless read_only, creates, mode 0750/0640, takes the data lock,
 * checks for dead readers, pre-allocates) the store in folder `dir`, whose
 * parent must exist. A full disk or map does not keep a store from opening.
 * What the last process wrote and did not flush is flushed before anything is
 * read: it may have been told to nobody, and is relied on from here on. A new
 * data.mdb is made under another name, so a power cut leaves all of it or none.
 * Unless read_only the upper levels of its trees are looked at, and a page that
 * LMDB would fall over is CORRUPT. What LMDB itself finds wrong later ends the
 * process (disk_fault_end(), base/disk_fault.h).
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
    struct store *st); /* NULL is fine; every reader closed before */

/* Frees slots of readers whose process died; blocks on the reader table's
 * mutex for microseconds. At open and every minute. */
void store_check_readers(struct store *st);

/* The snapshots held now, of all processes. What is behind keeps old pages from
 * being used again. Any thread; does not block. */
struct store_snapshots {
    unsigned held;
    uint64_t oldest_behind; /* commits since the oldest one began */
};
void store_snapshots(struct store *st, struct store_snapshots *ret_snapshots);

struct store_stats {
    uint64_t store_id,
        epoch;     /* random; epoch changes with a restored backup */
    uint64_t head; /* id of the last committed entry, 0: none */
    uint64_t map_size, map_used; /* soft limit; bytes not free for reuse */
    uint64_t log_entries, things, tokens;
    uint64_t retained; /* messages */
    uint64_t sessions; /* that outlive their connection, connected or not */
};
enum store_err store_stats(struct store *st, struct store_stats *ret_stats);

/* ---- Reading -------------------------------------------------------------
 *
 * A reader sees one snapshot between store_reader_begin() and _end(). All
 * slices and rows handed out live until _end(). Never hold a snapshot while
 * waiting for a socket: old pages are not reused meanwhile. */

struct store_reader;

/* From a pool inside the store; any thread. NULL: out of memory or readers. */
struct store_reader *store_reader_acquire(struct store *st);
void store_reader_release(struct store_reader *r); /* ends a snapshot too */

/* Never blocks. IO: a read_only store whose writer was restarted with a map
 * more than four times the size; reopen it. */
enum store_err store_reader_begin(struct store_reader *r);
void store_reader_end(
    struct store_reader *r); /* without a snapshot: nothing */

/* Both at once, for one look: a reader with its snapshot, which
 * store_reader_release() ends. NOMEM, IO as above, with *ret_reader NULL. */
enum store_err store_snapshot(struct store *st,
                              struct store_reader **ret_reader);

/* Id of the last entry ever given as of this snapshot (it may have been removed
 * since); 0: none, or the store cannot be read. */
uint64_t store_head(struct store_reader *r);
uint64_t store_epoch(struct store_reader *r);

/* A log entry; like struct message, its slices borrowed from the map. */
struct record {
    struct message m; /* refs unused; never pass to message_ref() */
};

/* One entry by id; STORE_NOTFOUND when trimmed or never given. */
enum store_err store_get(struct store_reader *r, uint64_t id,
                         struct record *ret_record);

/* The next entry with an id greater than `after`, of any topic.
 * STORE_NOTFOUND: none. Cheap to call in a row with growing ids (a cursor is
 * kept inside the reader). */
enum store_err store_next(struct store_reader *r, uint64_t after,
                          struct record *ret_record);

/* A topic with at least one message, now or once. */
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
/* Walks the rows whose topic starts with `prefix` (`<token>/`; empty: all),
 * sorted bytewise (topics longer than 400 bytes come after those they share
 * their first 368 bytes with, in no useful order): pass the previous row's
 * topic as `after` (copy it if snapshots change in between), an empty slice to
 * begin. Emptied things (count 0) are given too. */
enum store_err store_thing_next(struct store_reader *r, struct slice prefix,
                                struct slice after, struct thing_row *ret_row);

enum store_err store_latest(struct store_reader *r, struct slice topic,
                            struct record *ret_record);
/* The message with this sequence number of the topic. */
enum store_err store_by_seq(struct store_reader *r, struct slice topic,
                            uint64_t seq, struct record *ret_record);

/* History of one topic, oldest or newest first. Zero a bound to leave it open.
 * Initialise the bounds, leave the rest zero; then call store_history_next()
 * until STORE_NOTFOUND. The walk may go on in a later snapshot: it keeps only
 * numbers, and continues after the last id it gave. `topic` is borrowed. */
struct history {
    struct slice topic;
    bool ascending;
    uint64_t after, before;     /* ids, exclusive */
    int64_t since_us, until_us; /* created_at, inclusive / exclusive */
    /* private */
    uint64_t last_given;
    uint64_t snapshot;    /* what follows was read in; 0: none */
    uint64_t floor;       /* ids up to this are hidden */
    uint64_t chunk_first; /* first id of the chunk in ids[] */
    uint64_t ids[16];     /* what is left of it, in the order of the walk */
    unsigned id_count, id_next;
};
enum store_err store_history_next(struct store_reader *r, struct history *h,
                                  struct record *ret_record);

/* The retained message of a topic, also after retention has removed it from
 * the history. Whether it has expired (has_expiry) is the caller's to see. */
enum store_err store_retained(struct store_reader *r, struct slice topic,
                              struct record *ret_record);
/* The next retained message, bytewise by topic, that matches `filter` and
 * whose topic is greater than `after` (empty: from the start). Looks at no more
 * than `budget` rows: *ret_resume gets the topic to continue after (valid until
 * _end()) with STORE_OK and with STORE_INVALID, which means "budget used up,
 * call again". */
enum store_err store_retained_next(struct store_reader *r, struct slice filter,
                                   struct slice after, unsigned budget,
                                   struct record *ret_record,
                                   struct slice *ret_resume);

struct token_row {
    struct slice token;
    struct slice plan;
    int64_t created_us;
    int64_t revoked_us; /* 0: valid */
    bool
        implied; /* came into being by its first write in open mode: unknown in
                     registered mode until it is created */
    uint64_t
        since_id; /* ids up to this one are not its: of a token of this name
                          that was deleted. 0 in rows of versions before */
};
/* Revoked ones are given too. ret_row->token is `token` itself. */
enum store_err store_token(struct store_reader *r, struct slice token,
                           struct token_row *ret_row);
enum store_err store_token_next(struct store_reader *r, struct slice after,
                                struct token_row *ret_row);

/* What a token has used. Writes are exact; reads lag the bridge by ≤ 1 s. */
struct usage_row {
    int64_t window_start_us; /* 0: no request counted yet */
    uint64_t writes, reads;  /* in that window */
    uint64_t things, retained;
    uint64_t bytes;    /* of its messages, properties and things included */
    uint64_t sessions; /* stored MQTT sessions */
    uint64_t session_bytes; /* of these and all that belongs to them */
    uint64_t
        trimmed_id; /* the greatest of its things': up to there something may
                            be gone. Of trims since there is this field */
};
enum store_err store_usage(struct store_reader *r, struct slice token,
                           struct usage_row *ret_row);

#endif
