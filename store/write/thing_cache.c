#include "store/write/thing_cache.h"

#include <stdlib.h>

#include "base/topic.h"

void thing_cache_init(struct thing_cache *c)
{
    *c = (struct thing_cache){0};
    TAILQ_INIT(&c->by_age);
    STAILQ_INIT(&c->changed);
}

static struct thing **recent_place(struct thing_cache *c, struct slice topic)
{
    const char *p = topic.data;
    uint64_t end = 0; /* names differ most in their last bytes */
    const size_t n = topic.len < sizeof(end) ? topic.len : sizeof(end);

    memcpy(&end, p + topic.len - n, n);
    end = (end ^ topic.len) * UINT64_C(0x9e3779b97f4a7c15);
    return &c->recent[(end >> 32) % THING_CACHE_RECENT];
}

static void forget_thing(struct thing_cache *c, struct thing *t)
{
    struct thing **recent = recent_place(c, thing_topic(t));

    if (*recent == t)
        *recent = NULL;
    HASH_DEL(c->by_name, t);
    TAILQ_REMOVE(&c->by_age, t, age);
    c->entries--;
    c->bytes -= t->name_len;
    free(t);
}

void thing_cache_release(struct thing_cache *c)
{
    struct thing *t;

    STAILQ_INIT(&c->changed);
    while ((t = TAILQ_FIRST(&c->by_age)) != NULL)
        forget_thing(c, t);
}

static struct thing *thing_new(struct slice topic)
{
    struct slice token, rest;
    struct thing *t = calloc(1, sizeof(*t) + topic.len);

    if (t == NULL)
        return NULL;
    memcpy(t->name, topic.data, topic.len);
    t->name_len = topic.len;
    if (topic_split(topic, &token, &rest))
        t->token_len = (uint16_t)token.len;
    return t;
}

static enum store_err load_thing(struct thing *t, struct store_env *e,
                                 MDB_txn *txn)
{
    enum store_err err = store_thing_in(e, txn, thing_topic(t), &t->state);

    if (err == STORE_NOTFOUND) {
        t->state = (struct thing_state){0};
        err = STORE_OK;
    }
    t->state.row.topic = thing_topic(t); /* not the borrowed one */
    return err;
}

enum store_err thing_cache_get(struct thing_cache *c, struct store_env *e,
                               MDB_txn *txn, struct slice topic,
                               struct thing **ret_thing)
{
    struct thing **recent = recent_place(c, topic);
    struct thing *t = *recent;

    if (t == NULL || !slice_eq(thing_topic(t), topic)) {
        t = NULL;
        HASH_FIND(hh, c->by_name, topic.data, topic.len, t);
    }
    if (t != NULL) {
        *recent = t;
        if (t != TAILQ_FIRST(&c->by_age)) {
            TAILQ_REMOVE(&c->by_age, t, age);
            TAILQ_INSERT_HEAD(&c->by_age, t, age);
        }
        *ret_thing = t;
        return STORE_OK;
    }
    t = thing_new(topic);
    if (t == NULL)
        return STORE_NOMEM;
    const enum store_err err = load_thing(t, e, txn);
    if (err != STORE_OK) {
        free(t);
        return err;
    }
    HASH_ADD_KEYPTR(hh, c->by_name, t->name, t->name_len, t);
    if (t->hh.tbl == NULL) {
        free(t);
        return STORE_NOMEM;
    }
    TAILQ_INSERT_HEAD(&c->by_age, t, age);
    *recent = t;
    c->entries++;
    c->bytes += t->name_len;
    *ret_thing = t;
    return STORE_OK;
}

void thing_changed(struct thing_cache *c, struct thing *thing)
{
    if (thing->dirty)
        return;
    thing->dirty = true;
    STAILQ_INSERT_TAIL(&c->changed, thing, change);
}

void thing_removed(struct thing_cache *c, struct thing *thing)
{
    thing_changed(c, thing);
    thing->state = (struct thing_state){0};
    thing->state.row.topic = thing_topic(thing);
}

enum store_err thing_cache_flush(struct thing_cache *c, struct store_env *e,
                                 MDB_txn *txn, struct buffer *row)
{
    struct schema_key key;
    struct thing *t;

    STAILQ_FOREACH (t, &c->changed, change) {
        schema_name_key(thing_topic(t), &key);
        MDB_val k = schema_val(&key);
        if (t->state.row.last_seq == 0) {
            const int gone = mdb_del(txn, e->db.things, &k, NULL);
            if (gone != 0 && gone != MDB_NOTFOUND)
                return store_from_mdb(gone);
            continue;
        }
        buffer_clear(row);
        schema_put_thing(row, &t->state);
        if (!buffer_ok(row))
            return STORE_NOMEM;
        MDB_val v = {row->len, row->data};
        const int rc = mdb_put(txn, e->db.things, &k, &v, 0);
        if (rc != 0)
            return store_from_mdb(rc);
    }
    return STORE_OK;
}

void thing_cache_committed(struct thing_cache *c)
{
    struct thing *t;

    STAILQ_FOREACH (t, &c->changed, change)
        t->dirty = false;
    STAILQ_INIT(&c->changed);
    while (c->entries > THING_CACHE_ENTRIES || c->bytes > THING_CACHE_BYTES)
        forget_thing(c, TAILQ_LAST(&c->by_age, thing_ages));
}

void thing_cache_aborted(struct thing_cache *c)
{
    while (!STAILQ_EMPTY(&c->changed)) {
        struct thing *t = STAILQ_FIRST(&c->changed);
        STAILQ_REMOVE_HEAD(&c->changed, change);
        forget_thing(c, t);
    }
    thing_cache_committed(c); /* the bounds */
}
