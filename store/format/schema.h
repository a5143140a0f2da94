/* The databases, their keys and rows: the format of data.mdb, private to
 * store/. docs/ARCHITECTURE.md shows it as a table. Numbers in keys are
 * big-endian except `log`, which uses MDB_INTEGERKEY. Rows are msgpack arrays
 * with a leading version; readers accept longer arrays than they know, and
 * elements missing at the end of a `log` row are nil.
 *
 * What holds in every committed state; the writer keeps it, readers rely on it:
 *
 *  log      Ids only grow and are never given twice. The greatest one ever
 *           given is the last key of `log` or, when that entry has been
 *           deleted, the meta row `head`: whoever deletes the last entry of
 *           the log writes its id there in the same transaction.
 *  seq      Without gaps from 1 within a topic, for kind MESSAGE only. Entries of
 *           other kinds have the seq of the message they are about; they are in
 *           no chunk and change no field of the things row but `changes`.
 *  open     The newest ids of a topic are in its things row. When an append makes
 *           them CHUNK_IDS, they all move to one row of `chunks`, whose key is
 *           the first of them, and the open chunk is empty: a things row holds
 *           0 to CHUNK_IDS-1 ids. Of rows of `chunks` only the sums change, when
 *           a message is edited or deleted.
 *  chunk    ids[i] has seq first_seq+i. After correction (store/env/wall_clock.h),
 *           first_at_us never decreases from chunk to chunk, nor at_us within a
 *           chunk. Readers return corrected times only.
 *  visible  A topic's messages are the ids ≥ row.first_id of its chunks and
 *           its open chunk, and each of them is in `log`.
 *           count = last_seq - first_seq + 1; bytes: their payload bytes;
 *           stored: what they are charged to their token.
 *  changes  A message that was edited or deleted has one entry of that kind in
 *           `log`, that of its last change (change_id), with a row in `changes`;
 *           both are deleted with the message's entry. A thing counts those of
 *           its messages whose entries are in `log`, hidden ones included. An
 *           entry whose message is missing, or has another change_id, means
 *           nothing: readers skip it.
 *           Entries of kind PURGE have such a row, too. They are deleted with the
 *           token, or by a later purge (store/write/change.h).
 *  trim     Oldest first. Raising row.first_id hides everything below it at once;
 *           trimmed_id = the greatest hidden id (first_id > trimmed_id). It may be
 *           any id: the oldest row of `chunks` may be half hidden, and is deleted
 *           once all its ids are hidden. Hidden ids leave the open chunk at once
 *           (count, first_seq, first_at_us and bytes follow), so it never holds
 *           one.
 *           Log entries and chunk rows that are hidden may be deleted later,
 *           in small steps; as long as there are any (a half-hidden chunk row
 *           does not count, its hidden log entries do) the topic has a row in
 *           `trims`. Readers check for hidden entries only while `trims` has
 *           rows, so delete it in the transaction that finishes the work.
 *  emptied  The things row stays, for trimmed_id and the next seq: first_id =
 *           last_id = 0, count = bytes = 0, first_seq = last_seq + 1; last_seq,
 *           trimmed_id and last_at_us are kept.
 *  usage    bytes and session_bytes are what the token's rows count, exactly
 *           (store/write/account.h).
 *  retained The transaction that deletes the log entry a retained row points
 *           to copies the record into that row. (Hidden entries are not deleted:
 *           the retained message of a topic can be read even when hidden.) */
#ifndef CONFAB_STORE_FORMAT_SCHEMA_H
#define CONFAB_STORE_FORMAT_SCHEMA_H

#include <limits.h>
#include <lmdb.h>

#include "base/buffer.h"
#include "store/ban.h"
#include "store/people.h"
#include "store/session.h"
#include "store/store.h"
#include "store/webhook.h"

/* Version of a row; rows of `log` have a version of their own (record.c). */
#define SCHEMA_VERSION 1
/* Version of the whole store, in the meta row `format`. In format 2 the rows of
 * `log` have checksums. A store of an earlier format can be read; the first
 * transaction that writes to it raises its format to this one. */
#define SCHEMA_FORMAT 2

/* X(field, name, flags) */
#define SCHEMA_DATABASES(X)                                                   \
    X(log, "log", MDB_INTEGERKEY)                                             \
    X(chunks, "chunks", 0)                                                    \
    X(things, "things", 0)                                                    \
    X(trims, "trims", 0)                                                      \
    X(changes, "changes", 0)                                                  \
    X(retained, "retained", 0)                                                \
    X(tokens, "tokens", 0)                                                    \
    X(usage, "usage", 0)                                                      \
    X(tenants, "tenants", 0)                                                  \
    X(keys, "keys", 0)                                                        \
    X(keys_by_tenant, "keys_by_tenant", 0)                                    \
    X(keys_by_end, "keys_by_end", 0)                                          \
    X(users, "users", 0)                                                      \
    X(users_by_name, "users_by_name", 0)                                      \
    X(rooms, "rooms", 0)                                                      \
    X(members, "members", 0)                                                  \
    X(rooms_of, "rooms_of", 0)                                                \
    X(bans, "bans", 0)                                                        \
    X(bans_of, "bans_of", 0)                                                  \
    X(bans_by_end, "bans_by_end", 0)                                          \
    X(webhooks, "webhooks", 0)                                                \
    X(webhooks_dead, "webhooks_dead", 0)                                      \
    X(sessions, "sessions", 0)                                                \
    X(subscriptions, "subscriptions", 0)                                      \
    X(inflight, "inflight", 0)                                                \
    X(wills, "wills", 0)                                                      \
    X(groups, "groups", 0)                                                    \
    X(given, "given", 0)                                                      \
    X(operations, "operations", 0)                                            \
    X(operations_by_time, "operations_by_time", 0)                            \
    X(idempotency, "idempotency", 0)                                          \
    X(idempotency_by_time, "idempotency_by_time", 0)                          \
    X(meta, "meta", 0)

/* In place of a handle: the store was opened for reading only, and has none of that
 * name. Readers find no row in it (reader_row(), reader_cursor()). */
#define SCHEMA_MISSING UINT_MAX

struct schema {
#define X(field, name, flags) MDB_dbi field;
    SCHEMA_DATABASES(X)
#undef X
};

/* A name as a key. Up to 400 bytes: the name itself. Longer: its first 368 bytes,
 * 0xFF (never in UTF-8, so it cannot equal another name) and a 32-byte BLAKE2b
 * hash of the whole name, 401 bytes in all; the row then contains the full name.
 * Among names that share their first 368 bytes the hash decides the order;
 * `<token>/<thing>` has at most 321 bytes. */
#define SCHEMA_KEY_MAX 400
#define SCHEMA_KEY_PREFIX 368
struct schema_key {
    size_t len;
    unsigned char bytes[SCHEMA_KEY_MAX + 24];
};
void schema_name_key(struct slice name, struct schema_key *ret_key);
/* chunks: name key, NUL, first id big-endian. */
void schema_chunk_key(struct slice topic, uint64_t first_id,
                      struct schema_key *ret_key);
static inline MDB_val schema_val(const struct schema_key *k)
{
    return (MDB_val){k->len, (void *)k->bytes};
}

/* changes: token (without one: empty), NUL, id of the entry big-endian; the row is
 * empty. `token` and NUL alone begin all keys of a token. */
void schema_change_key(struct slice token, uint64_t id,
                       struct schema_key *ret_key);
bool schema_change_id(struct slice token, MDB_val key, uint64_t *ret_id);
/* Those of kind PURGE have a second row, with 1 instead of NUL, so that the oldest of
 * them is found. */
void schema_purge_key(struct slice token, uint64_t id,
                      struct schema_key *ret_key);
bool schema_purge_id(struct slice token, MDB_val key, uint64_t *ret_id);

/* 16 ids of one topic; the open chunk, the last one, is in the `things` row. */
#define CHUNK_IDS 16
struct chunk_row {
    uint64_t ids[CHUNK_IDS]; /* ascending */
    unsigned count;
    uint64_t first_seq;
    int64_t first_at_us;
    uint64_t bytes;  /* payload bytes of these messages */
    uint64_t stored; /* bytes charged (store/write/account.h); 0 in rows of
                        versions that charged payloads only */
};

/* struct thing_row plus what only the store needs. The row keeps no
 * open.first_seq: it is row.last_seq - open.count + 1. */
struct thing_state {
    struct thing_row row;
    struct chunk_row open; /* ids not yet in `chunks` (count < CHUNK_IDS) */
    uint64_t stored; /* bytes its messages are charged (store/write/account.h),
                        entries of their changes included */
    uint64_t changes; /* its messages that were edited or deleted */
};

/* Encoders append to `b` (the caller clears it); decoders borrow from `v` and
 * return false when it is not such a row, which callers report as STORE_CORRUPT. */
void schema_put_record(struct buffer *b, const struct message *m);
bool schema_get_record(MDB_val v, uint64_t id, struct record *ret_record);
/* Whether a row that was decoded has a checksum. */
bool schema_record_is_checked(MDB_val v);
void schema_put_thing(struct buffer *b, const struct thing_state *t);
bool schema_get_thing(MDB_val key, MDB_val v, struct thing_state *ret_thing);
void schema_put_chunk(struct buffer *b, const struct chunk_row *c);
bool schema_get_chunk(MDB_val v, struct chunk_row *ret_chunk);
/* retained: the id of the message or, once its log entry is deleted, a copy. */
void schema_put_retained(struct buffer *b, struct slice topic, uint64_t id,
                         const struct message *copy /* may be NULL */);
bool schema_get_retained(MDB_val key, MDB_val v, struct slice *ret_topic,
                         uint64_t *ret_id, bool *ret_has_copy,
                         struct record *ret_copy);
void schema_put_token(struct buffer *b, const struct token_row *t);
bool schema_get_token(MDB_val key, MDB_val v, struct token_row *ret_token);
void schema_put_usage(struct buffer *b, const struct usage_row *u);
bool schema_get_usage(MDB_val v, struct usage_row *ret_usage);
/* tenants: the key is the tenant. */
void schema_put_settings(struct buffer *b, const struct tenant_settings *s);
bool schema_get_settings(MDB_val v, struct tenant_settings *ret_settings);
/* keys: the key is the hash of the secret. keys_by_tenant: tenant, NUL, hash.
 * keys_by_end: when the row is to be removed, µs big-endian, then the hash. The
 * rows of the last two are empty. */
void schema_put_key(struct buffer *b, const struct key_row *k);
bool schema_get_key(MDB_val key, MDB_val v, struct key_row *ret_key);
/* `hash` may be empty or the beginning of one: the start of a walk. */
void schema_tenant_key(struct slice tenant, struct slice hash,
                       struct schema_key *ret_key);
void schema_end_key(int64_t at_us, struct slice hash,
                    struct schema_key *ret_key);
/* users, rooms: the key is the tenant, NUL, the id; users_by_name: the name instead:
 * schema_tenant_key(). members: tenant, NUL, room, NUL, user; rooms_of: tenant, NUL,
 * user, NUL, room: schema_pair_key(), where `other` may be empty for the start of a
 * walk. Ids have no NUL. */
void schema_put_user(struct buffer *b, const struct user_row *user);
bool schema_get_user(MDB_val key, MDB_val v, struct user_row *ret_user);
void schema_put_user_name(struct buffer *b, struct slice user);
bool schema_get_user_name(MDB_val v, struct slice *ret_user);
void schema_put_room(struct buffer *b, const struct room_row *room);
bool schema_get_room(MDB_val key, MDB_val v, struct room_row *ret_room);
void schema_put_member(struct buffer *b, const struct member_row *m);
bool schema_get_member(MDB_val key, MDB_val v, struct member_row *ret_member);
void schema_pair_key(struct slice tenant, struct slice one, struct slice other,
                     struct schema_key *ret_key);
bool schema_split_pair(MDB_val key, struct slice *ret_one,
                       struct slice *ret_other);
/* bans: tenant, NUL, room (empty: all), NUL, who; bans_of: tenant, NUL, who, NUL, room:
 * schema_pair_key(). bans_by_end, of bans that end: the end, µs big-endian, then the
 * key of the ban: schema_end_key(). */
void schema_put_ban(struct buffer *b, const struct ban_row *ban);
bool schema_get_ban(MDB_val key, MDB_val v, struct ban_row *ret_ban);
bool schema_split_ban(MDB_val key, struct slice *ret_tenant,
                      struct slice *ret_room, struct slice *ret_who);
bool schema_split_ban_of(MDB_val key, struct slice *ret_tenant,
                         struct slice *ret_room, struct slice *ret_who);
/* webhooks: the key is the tenant. webhooks_dead: tenant, NUL, id of the message
 * big-endian; the prefix alone finds all rows of a tenant. */
void schema_put_webhook(struct buffer *b, const struct webhook_row *w);
bool schema_get_webhook(MDB_val key, MDB_val v, struct webhook_row *ret_row);
void schema_put_webhook_dead(struct buffer *b,
                             const struct webhook_dead_row *d);
bool schema_get_webhook_dead(MDB_val key, MDB_val v,
                             struct webhook_dead_row *ret_row);
void schema_webhook_dead_prefix(struct slice tenant,
                                struct schema_key *ret_key);
void schema_webhook_dead_key(struct slice tenant, uint64_t id,
                             struct schema_key *ret_key);
/* trims: the key is the name key of a topic that has hidden entries left in `log`
 * or `chunks`; the row is its full name. */
void schema_put_trim(struct buffer *b, struct slice topic);
bool schema_get_trim(MDB_val v, struct slice *ret_topic);
/* sessions and their parts (store/session.h). The key of a session is the name
 * key of its identity. The keys of its parts begin with the session's number,
 * big-endian, so that one walk finds or deletes all of them. */
void schema_part_key(uint64_t number, struct schema_key *ret_key);
void schema_subscription_key(uint64_t number, struct slice filter,
                             struct schema_key *ret_key);
void schema_inflight_key(uint64_t number, bool inbound, uint16_t packet_id,
                         struct schema_key *ret_key);
void schema_put_session(struct buffer *b, const struct session_row *s);
bool schema_get_session(MDB_val key, MDB_val v, struct session_row *ret_row);
void schema_put_subscription(struct buffer *b,
                             const struct session_subscription *s);
bool schema_get_subscription(MDB_val key, MDB_val v,
                             struct session_subscription *ret_row);
void schema_put_inflight(struct buffer *b, const struct session_inflight *i);
bool schema_get_inflight(MDB_val key, MDB_val v,
                         struct session_inflight *ret_row);
void schema_put_group(struct buffer *b, const struct group_row *g,
                      const uint64_t *ids);
bool schema_get_group(MDB_val key, MDB_val v, struct group_row *ret_row);
/* given: 16 bytes of a hash of the group's name, then the id big-endian; the row
 * has no content. The prefix alone finds all rows of a group. */
void schema_given_prefix(struct slice group, struct schema_key *ret_key);
void schema_given_key(struct slice group, uint64_t id,
                      struct schema_key *ret_key);
bool schema_given_id(const struct schema_key *prefix, MDB_val key,
                     uint64_t *ret_id);
/* meta: one number per row; keys are the texts below, without NUL. */
/* X(name): rows that describe this copy of the store and differ between copies.
 * Everything else, in every database, follows from the commands alone. */
#define META_NODE_LOCAL(X)                                                    \
    X(META_FORMAT)                                                            \
    X(META_STORE_ID) X(META_EPOCH) X(META_CREATED) X(META_PING) X(META_COUNTED)
#define META_FORMAT "format" /* SCHEMA_FORMAT of the last program that wrote */
#define META_STORE_ID "store_id"
#define META_EPOCH "epoch"
#define META_CREATED "created" /* µs since 1970 */
#define META_PING "ping"       /* µs since 1970: the writer was last alive */
#define META_CLOCK_STEPS "clock_steps" /* an array of struct clock_step */
#define META_HEAD "head"               /* see `log` above; may be missing */
#define META_SETTINGS "settings" /* not a number: store/write/settings.h */
/* Messages up to this id are charged without their properties
 * (store/write/account.h). Missing: a version that charged payloads only wrote the
 * usage rows. */
#define META_COUNTED "counted"
/* Further rows are `erase:<name>`, one for each thing or token that is being
 * removed: store/write/erase.h */
void schema_put_number(struct buffer *b, uint64_t number);
bool schema_get_number(MDB_val v, uint64_t *ret_number);

/* The store_err for a return code of LMDB. */
enum store_err store_from_mdb(int rc);

#endif
