#include "bridge/doors/thingschat/keys.h"

static void put_text(struct json_writer *w, struct slice text)
{
    if (text.len > 0)
        json_string(w, text);
    else
        json_null(w);
}

void key_put_members(struct json_writer *w, const struct key_row *row,
                     const struct right *rights, size_t count)
{
    char id[KEY_ID_SIZE];

    key_id_make(row->hash.data, id);
    json_member_text(w, "id", id);
    json_member_text(w, "kind", secret_kind_word(row->kind));
    json_name(w, "label");
    put_text(w, row->label);
    json_name(w, "user");
    put_text(w, row->user);
    json_name(w, "mount");
    if (row->mounted)
        json_string(w, row->mount);
    else
        json_null(w);
    json_name(w, "plan");
    put_text(w, row->plan);
    json_name(w, "rights");
    rights_write_json(w, rights, count);
    json_member_time(w, "createdAt", row->created_us);
    if (row->expires_us != 0)
        json_member_time(w, "expiresAt", row->expires_us);
    else
        json_member_null(w, "expiresAt");
    if (row->used_us != 0)
        json_member_time(w, "lastUsedAt", row->used_us);
    else
        json_member_null(w, "lastUsedAt");
}
