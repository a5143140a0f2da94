/* Rows of the directory:
 *   tenants         [version, name, value, name, value, …], by name
 *   keys            [version, tenant, kind, label, rights (an array of texts), mount
 *                    or nil, user, plan, parent, created_us, expires_us, used_us (not
 *                    in the rows of first versions)]
 *   keys_by_tenant  nothing
 *   keys_by_end     nothing */
#include <string.h>

#include "base/utf8.h"
#include "store/format/row.h"

bool user_id_valid(struct slice user)
{
    return user.len > 0 && user.len <= USER_ID_MAX &&
           utf8_valid_without_nul(user.data, user.len) &&
           !utf8_has_disallowed(user.data, user.len);
}

/* ---- tenants ----------------------------------------------------------------- */

void schema_put_settings(struct buffer *b, const struct tenant_settings *s)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 1 + 2 * s->count);
    for (size_t i = 0; i < s->count; i++) {
        pack_str(&p, s->list[i].name);
        pack_str(&p, s->list[i].value);
    }
}

bool schema_get_settings(MDB_val v, struct tenant_settings *ret_settings)
{
    uint32_t elements;
    struct unpack u = unpack_long_row(v, 1, &elements);
    struct tenant_settings *s = ret_settings;

    s->count = 0;
    if (u.failed || elements % 2 == 0 ||
        elements / 2 > sizeof(s->list) / sizeof(s->list[0]))
        return false;
    for (; s->count < elements / 2; s->count++) {
        s->list[s->count].name = unpack_str(&u);
        s->list[s->count].value = unpack_str(&u);
    }
    return !u.failed;
}

struct slice tenant_setting(const struct tenant_settings *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (slice_eq(s->list[i].name, slice_str(name)))
            return s->list[i].value;
    return slice_of("", 0);
}

/* ---- keys -------------------------------------------------------------------- */

void schema_put_key(struct buffer *b, const struct key_row *k)
{
    msgpack_packer p = packer_of(b);

    pack_row(&p, 13);
    pack_str(&p, k->tenant);
    msgpack_pack_uint32(&p, k->kind);
    pack_str(&p, k->label);
    msgpack_pack_array(&p, k->right_count);
    for (size_t i = 0; i < k->right_count; i++)
        pack_str(&p, k->rights[i]);
    if (k->mounted)
        pack_str(&p, k->mount);
    else
        msgpack_pack_nil(&p);
    pack_str(&p, k->user);
    pack_str(&p, k->plan);
    pack_str(&p, k->parent);
    msgpack_pack_int64(&p, k->created_us);
    msgpack_pack_int64(&p, k->expires_us);
    msgpack_pack_int64(&p, k->used_us);
    msgpack_pack_int64(&p, k->until_us);
}

static void unpack_rights(struct unpack *u, struct key_row *k)
{
    const uint32_t count = unpack_array(u);

    if (count > RIGHTS_MAX)
        u->failed = true;
    for (k->right_count = 0; !u->failed && k->right_count < count;)
        k->rights[k->right_count++] = unpack_str(u);
}

bool schema_get_key(MDB_val key, MDB_val v, struct key_row *ret_key)
{
    uint32_t elements;
    struct unpack u = unpack_long_row(v, 11, &elements);
    struct key_row *k = ret_key;

    k->hash = slice_of(key.mv_data, key.mv_size);
    k->tenant = unpack_str(&u);
    k->kind = (enum secret_kind)unpack_uint_max(&u, SECRET_KIND_COUNT - 1);
    k->label = unpack_str(&u);
    unpack_rights(&u, k);
    k->mounted = !unpack_nil(&u);
    k->mount = k->mounted ? unpack_str(&u) : slice_of("", 0);
    k->user = unpack_str(&u);
    k->plan = unpack_str(&u);
    k->parent = unpack_str(&u);
    k->created_us = unpack_int(&u);
    k->expires_us = unpack_int(&u);
    k->used_us = elements > 11 ? unpack_int(&u) : 0;
    k->until_us = elements > 12 ? unpack_int(&u) : 0;
    return !u.failed && k->hash.len == SECRET_HASH_BYTES &&
           token_valid(k->tenant);
}

void schema_tenant_key(struct slice tenant, struct slice hash,
                       struct schema_key *ret_key)
{
    memcpy(ret_key->bytes, tenant.data, tenant.len);
    ret_key->bytes[tenant.len] = '\0';
    if (hash.len > 0)
        memcpy(ret_key->bytes + tenant.len + 1, hash.data, hash.len);
    ret_key->len = tenant.len + 1 + hash.len;
}

void schema_end_key(int64_t at_us, struct slice hash,
                    struct schema_key *ret_key)
{
    const uint64_t at = (uint64_t)at_us;

    for (int i = 0; i < 8; i++)
        ret_key->bytes[i] = (unsigned char)(at >> (56 - 8 * i));
    if (hash.len > 0)
        memcpy(ret_key->bytes + 8, hash.data, hash.len);
    ret_key->len = 8 + hash.len;
}
