/* Streams whose reader came with a key or JWT, and end with it. */
#include "bridge/stream/stream_private.h"

bool stream_key_has_expired(struct stream *s)
{
    const struct stream_key *k = stream_key(s);

    return k != NULL && k->expires_us != 0 && k->expires_us <= clock_real_us();
}

/* A key that is being rotated has got an end, or an earlier one. */
static void learn_end(struct stream_key *k, const struct key_row *row)
{
    if (row->expires_us != 0 &&
        (k->expires_us == 0 || row->expires_us < k->expires_us))
        k->expires_us = row->expires_us;
}

/* A JWT, and a ticket that was made with a token, have no key that could go. */
static bool is_key_id(struct slice id)
{
    unsigned char begin[KEY_ID_HASH_BYTES];

    return key_id_parse(id, begin);
}

bool stream_key_is_gone(struct stream *s)
{
    struct stream_key *k = stream_key(s);
    struct key_row row;

    if (k == NULL)
        return false;
    const enum store_err err =
        store_key_by_id(s->streamer->reader, k->caller->tenant, k->caller->key,
                        &row);
    if (err == STORE_OK)
        learn_end(k, &row);
    return (err == STORE_NOTFOUND && is_key_id(k->caller->key)) ||
           stream_key_has_expired(s);
}

void stream_close_by_key(struct stream *s)
{
    uint64_t position;

    output_cut(&s->output, &position);
    stream_close(s, STREAM_END_KEY);
}

/* ---- all of a tenant ------------------------------------------------------- */

static void close_of_audience(struct audience *a,
                              bool (*ends)(struct stream *s, struct slice key),
                              struct slice key)
{
    struct stream *s, *next;

    for (s = LIST_FIRST(&a->streams); s != NULL; s = next) {
        next = LIST_NEXT(s, in_audience);
        if (s->has_key && ends(s, key))
            stream_close_by_key(s);
    }
}

static void close_of_tenant(struct streamer *st, struct slice tenant,
                            bool (*ends)(struct stream *s, struct slice key),
                            struct slice key)
{
    struct index_token *k = stream_index_token(&st->index, tenant);
    struct audience *a, *next;

    for (a = k == NULL ? NULL : LIST_FIRST(&k->audiences); a != NULL;
         a = next) {
        a->refs++; /* so that it, and with it the list, survives its last stream */
        close_of_audience(a, ends, key);
        next = LIST_NEXT(a, in_token);
        audience_release(st, a);
    }
}

static bool came_with(struct stream *s, struct slice key)
{
    return slice_eq(stream_key(s)->caller->key, key);
}

void streamer_close_key(struct streamer *st, struct slice tenant,
                        struct slice key)
{
    close_of_tenant(st, tenant, came_with, key);
}

static bool is_gone(struct stream *s, struct slice key)
{
    (void)key;
    return stream_key_is_gone(s);
}

void streamer_check_keys(struct streamer *st, struct slice tenant)
{
    close_of_tenant(st, tenant, is_gone, slice_of(NULL, 0));
}
