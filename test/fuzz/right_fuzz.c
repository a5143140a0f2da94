/* What stands in keys: their secrets and ids, rights as text and JSON,
 * mounts. What is taken must come out again as it went in. */
#include <stdlib.h>

#include "base/json.h"
#include "base/mount.h"
#include "base/right.h"
#include "base/secret.h"
#include "base/topic.h"
#include "test/fuzz/fuzz.h"

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void try_secret(struct slice in)
{
    unsigned char hash[SECRET_HASH_BYTES] = {0};
    enum secret_kind kind;
    char id[KEY_ID_SIZE];

    if (secret_parse(in, &kind)) {
        must(in.len < SECRET_SIZE && !secret_is_like_jwt(in));
        must(secret_kind_word(kind) != NULL);
    }
    if (key_id_parse(in, hash)) {
        key_id_make(hash, id);
        must(slice_eq(in, slice_str(id)));
    }
    secret_is_like_jwt(in);
}

/* Rights once taken are valid, cover themselves, and survive rows and JSON. */
static void check_draft(const struct rights_draft *d)
{
    static struct rights_draft again;
    struct buffer text = BUFFER_INIT, json = BUFFER_INIT;
    struct json_writer w = json_writer_of(&json);
    struct rights *r = rights_new(d);

    must(r != NULL && r->count <= RIGHTS_MAX);
    const struct caller self = {.tenant = slice_str("t"),
                                .user = slice_str("ann"),
                                .rights = r->list,
                                .right_count = r->count};
    must(rights_covered(&self, slice_str("t"), slice_str("ann"), r->list,
                        r->count));
    rights_draft_clear(&again); /* rows keep them as texts */
    for (size_t i = 0; i < r->count; i++) {
        buffer_clear(&text);
        right_put_text(&text, &r->list[i]);
        must(rights_add_text(&again, buffer_slice(&text)) == RIGHT_OK);
    }
    must(again.count == r->count && again.text_len == d->text_len &&
         memcmp(again.text, d->text, d->text_len) == 0);
    rights_write_json(&w, r->list, r->count);
    must(json_check(json.data, json.len, NULL, NULL));
    rights_draft_clear(&again);
    must(rights_add_json(&again, buffer_slice(&json)) == RIGHT_OK);
    must(again.count == r->count);
    buffer_release(&text);
    buffer_release(&json);
    free(r);
}

static void try_rights(struct slice in)
{
    static struct rights_draft draft;

    rights_draft_clear(&draft);
    if (rights_add_text(&draft, in) == RIGHT_OK)
        check_draft(&draft);
    rights_draft_clear(&draft);
    if (json_check(in.data, in.len, NULL, NULL) &&
        rights_add_json(&draft, in) == RIGHT_OK)
        check_draft(&draft);
}

/* in: a mount, a newline, and a name below it. */
static void try_mount(struct slice in)
{
    const char *line = in.len == 0 ? NULL : memchr(in.data, '\n', in.len);
    struct buffer prefix = BUFFER_INIT, full = BUFFER_INIT;
    struct slice back;

    if (line == NULL)
        return;
    const struct slice mount =
        slice_of(in.data, (size_t)(line - (const char *)in.data));
    const struct slice name = slice_of(line + 1, in.len - mount.len - 1);
    if (mount_valid(mount) && mount_prefix(slice_str("t"), mount, name,
                                           slice_str("lamp"), &prefix)) {
        must(topic_valid(slice_of(prefix.data, prefix.len - 1)));
        if (mount_add_to_topic(buffer_slice(&prefix), name, &full)) {
            must(topic_valid(buffer_slice(&full)));
            must(mount_take_off(buffer_slice(&prefix), buffer_slice(&full),
                                &back));
            must(slice_eq(back, name));
        }
        buffer_clear(&full);
        if (mount_add_to_filter(buffer_slice(&prefix), name, &full))
            must(filter_valid(buffer_slice(&full)));
    }
    buffer_release(&prefix);
    buffer_release(&full);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice in = slice_of(data, size);

    try_secret(in);
    try_rights(in);
    try_mount(in);
    return 0;
}
