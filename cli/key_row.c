#include "cli/key_row.h"

#include <stdlib.h>

#include "base/flat_json.h"
#include "base/iso_time.h"
#include "cli/tenant_row.h"

#define EVERYTHING "#"

/* In no case may it move a terminal's cursor. */
static void put_text(struct buffer *b, struct slice text)
{
    struct buffer json = BUFFER_INIT;

    buffer_put_json_string(&json, text);
    flat_json_show(b, buffer_slice(&json));
    buffer_release(&json);
}

static void put_column(struct buffer *line, struct slice text)
{
    buffer_put_char(line, '\t');
    put_text(line, text.len > 0 ? text : slice_str("-"));
}

void key_put_rights(struct buffer *b, const struct key_row *key)
{
    if (key->right_count == 0)
        buffer_put_str(b, "publish " EVERYTHING ", subscribe " EVERYTHING);
    for (size_t i = 0; i < key->right_count; i++) {
        buffer_put_str(b, i == 0 ? "" : ", ");
        put_text(b, key->rights[i]);
    }
}

const char *key_state(const struct key_row *key,
                      const struct token_row *tenant, int64_t now_us)
{
    if (token_row_is_closed(tenant))
        return tenant_state(tenant);
    return key->expires_us != 0 && key->expires_us <= now_us ? "expired"
                                                             : "valid";
}

void key_put_row(struct buffer *line, const struct key_row *key,
                 const char *state)
{
    char id[KEY_ID_SIZE];

    key_id_make(key->hash.data, id);
    buffer_put_str(line, id);
    put_column(line, slice_str(secret_kind_word(key->kind)));
    put_column(line, key->label);
    buffer_put_char(line, '\t');
    key_put_rights(line, key);
    put_column(line, key->mounted && key->mount.len == 0 ? slice_str("/")
                                                         : key->mount);
    put_column(line, key->user);
    put_column(line, key->plan);
    buffer_put_char(line, '\t');
    buffer_put_time(line, key->created_us, 3);
    buffer_put_char(line, '\t');
    if (key->expires_us == 0)
        buffer_put_char(line, '-');
    else
        buffer_put_time(line, key->expires_us, 3);
    put_column(line, slice_str(state));
    buffer_put_char(line, '\t');
    if (key->used_us == 0)
        buffer_put_char(line, '-');
    else
        buffer_put_time(line, key->used_us, 3);
    buffer_put_char(line, '\n');
}

/* ---- JSON */

static void write_rights(struct json_writer *w, const struct key_row *key)
{
    static const struct right everything[] = {
        {CALLER_PUBLISH, EVERYTHING},
        {CALLER_SUBSCRIBE, EVERYTHING},
    };
    struct rights_draft draft;
    struct rights *rights = NULL;

    rights_draft_clear(&draft);
    for (size_t i = 0; i < key->right_count; i++)
        (void)rights_add_text(&draft, key->rights[i]); /* was checked */
    json_name(w, "rights");
    if (key->right_count > 0 && (rights = rights_new(&draft)) == NULL)
        json_null(w); /* out of memory */
    else if (rights != NULL)
        rights_write_json(w, rights->list, rights->count);
    else
        rights_write_json(w, everything, 2);
    free(rights);
}

static void write_text(struct json_writer *w, bool is_there, struct slice text)
{
    if (is_there)
        json_string(w, text);
    else
        json_null(w);
}

void key_write_row(struct json_writer *w, const struct key_row *key,
                   const char *state)
{
    char id[KEY_ID_SIZE];

    key_id_make(key->hash.data, id);
    json_member_text(w, "key", id);
    json_member_text(w, "kind", secret_kind_word(key->kind));
    json_member_string(w, "label", key->label);
    write_rights(w, key);
    json_name(w, "mount");
    write_text(w, key->mounted, key->mount);
    json_name(w, "user");
    write_text(w, key->user.len > 0, key->user);
    json_name(w, "plan");
    write_text(w, key->plan.len > 0, key->plan);
    json_member_time(w, "created", key->created_us);
    json_name(w, "expires");
    if (key->expires_us == 0)
        json_null(w);
    else
        json_time(w, key->expires_us);
    json_member_text(w, "state", state);
    json_name(w, "last_used");
    if (key->used_us == 0)
        json_null(w);
    else
        json_time(w, key->used_us);
}
