/* Rows of webhooks:
 *   webhooks       [version, id, tried_us, status, text, dead, forgotten,
 *                   [topic, id, topic, id, …]]; the key is the tenant
 *   webhooks_dead  [version, topic, at_us, attempts, status, text, again];
 *                   tenant, NUL, id big-endian */
#include <string.h>

#include "store/format/row.h"
#include "store/webhook.h"

#define ID_BYTES 8

void schema_put_webhook(struct buffer *b, const struct webhook_row *w)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 8);
    msgpack_pack_uint64(&p, w->id);
    msgpack_pack_int64(&p, w->tried_us);
    msgpack_pack_uint32(&p, w->status);
    pack_str(&p, w->text);
    msgpack_pack_uint64(&p, w->dead);
    msgpack_pack_uint64(&p, w->forgotten);
    msgpack_pack_array(&p, 2 * w->behind_count);
    for (size_t i = 0; i < w->behind_count; i++) {
        pack_str(&p, w->behind[i].topic);
        msgpack_pack_uint64(&p, w->behind[i].id);
    }
}

static void unpack_behind(struct unpack *u, struct webhook_row *w)
{
    const uint32_t elements = unpack_array(u);

    if (elements % 2 != 0 || elements / 2 > WEBHOOK_BEHIND_MAX)
        u->failed = true;
    for (w->behind_count = 0; !u->failed && w->behind_count < elements / 2;
         w->behind_count++) {
        w->behind[w->behind_count].topic = unpack_str(u);
        w->behind[w->behind_count].id = unpack_uint(u);
    }
}

bool schema_get_webhook(MDB_val key, MDB_val v, struct webhook_row *ret_row)
{
    struct unpack u = unpack_row(v, 8);
    struct webhook_row *w = ret_row;

    w->tenant = slice_of(key.mv_data, key.mv_size);
    w->id = unpack_uint(&u);
    w->tried_us = unpack_int(&u);
    w->status = (uint32_t)unpack_uint_max(&u, UINT32_MAX);
    w->text = unpack_str(&u);
    w->dead = unpack_uint(&u);
    w->forgotten = unpack_uint(&u);
    unpack_behind(&u, w);
    return !u.failed && token_valid(w->tenant);
}

void schema_put_webhook_dead(struct buffer *b,
                             const struct webhook_dead_row *d)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 7);
    pack_str(&p, d->topic);
    msgpack_pack_int64(&p, d->at_us);
    msgpack_pack_uint32(&p, d->attempts);
    msgpack_pack_uint32(&p, d->status);
    pack_str(&p, d->text);
    pack_bool(&p, d->again);
}

bool schema_get_webhook_dead(MDB_val key, MDB_val v,
                             struct webhook_dead_row *ret_row)
{
    struct unpack u = unpack_row(v, 7);
    struct webhook_dead_row *d = ret_row;

    d->topic = unpack_str(&u);
    d->at_us = unpack_int(&u);
    d->attempts = (uint32_t)unpack_uint_max(&u, UINT32_MAX);
    d->status = (uint32_t)unpack_uint_max(&u, UINT32_MAX);
    d->text = unpack_str(&u);
    d->again = unpack_bool(&u);
    d->id = 0;
    if (u.failed || key.mv_size <= ID_BYTES)
        return false;
    const unsigned char *id =
        (const unsigned char *)key.mv_data + key.mv_size - ID_BYTES;
    for (int i = 0; i < ID_BYTES; i++)
        d->id = d->id << 8 | id[i];
    return true;
}

void schema_webhook_dead_prefix(struct slice tenant,
                                struct schema_key *ret_key)
{
    memcpy(ret_key->bytes, tenant.data, tenant.len);
    ret_key->bytes[tenant.len] = '\0';
    ret_key->len = tenant.len + 1;
}

void schema_webhook_dead_key(struct slice tenant, uint64_t id,
                             struct schema_key *ret_key)
{
    schema_webhook_dead_prefix(tenant, ret_key);
    for (int i = 0; i < ID_BYTES; i++)
        ret_key->bytes[ret_key->len++] = (unsigned char)(id >> (56 - 8 * i));
}
