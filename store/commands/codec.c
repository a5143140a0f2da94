#include "store/commands/codec.h"

#include <stdlib.h>

#include "base/msgpack/pack.h"
#include "base/msgpack/unpack.h"
#include "base/token.h"
#include "base/topic.h"

#define NOT_A_MAP "body: must be a msgpack map of the command's keys"

/* ---- encoding ------------------------------------------------------------ */

static const void *field_at(const void *base, size_t offset)
{
    return (const char *)base + offset;
}

static size_t count_of(const void *base, const struct command_field *f)
{
    return *(const size_t *)field_at(base, f->count_at);
}

static uint64_t number_of(const void *base, const struct command_field *f)
{
    const void *p = field_at(base, f->at);

    switch (f->type) {
    case FIELD_U64: return *(const uint64_t *)p;
    case FIELD_U32: return *(const uint32_t *)p;
    case FIELD_U16: return *(const uint16_t *)p;
    case FIELD_TIME: return (uint64_t) * (const int64_t *)p;
    case FIELD_YES: return *(const bool *)p;
    default: return 0;
    }
}

/* Whether there is nothing to say: zero, empty, no element. */
static bool is_nothing(const void *base, const struct command_field *f)
{
    const void *p = field_at(base, f->at);

    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_TOKEN:
    case FIELD_BYTES: return ((const struct slice *)p)->len == 0;
    case FIELD_MESSAGE: return *(struct message *const *)p == NULL;
    case FIELD_CLOCK_STEPS: return ((const struct clock_steps *)p)->count == 0;
    case FIELD_IDS:
    case FIELD_PACKETS:
    case FIELD_FILTERS:
    case FIELD_SUBSCRIPTIONS:
    case FIELD_INFLIGHT:
    case FIELD_GIVEN: return count_of(base, f) == 0;
    default: return number_of(base, f) == 0;
    }
}

static void put_row(msgpack_packer *p, struct buffer *row)
{
    pack_bin(p, buffer_slice(row));
    buffer_release(row);
}

static void put_message(msgpack_packer *p, const struct message *m)
{
    struct buffer row = BUFFER_INIT;

    schema_put_record(&row, m);
    put_row(p, &row);
}

static void put_steps(msgpack_packer *p, const struct clock_steps *s)
{
    msgpack_pack_array(p, s->count);
    for (unsigned i = 0; i < s->count; i++) {
        msgpack_pack_array(p, 2);
        msgpack_pack_uint64(p, s->step[i].through);
        msgpack_pack_int64(p, s->step[i].at_us);
    }
}

static void put_element(msgpack_packer *p, enum field_type type,
                        const void *list, size_t i)
{
    struct buffer row = BUFFER_INIT;

    switch (type) {
    case FIELD_IDS: msgpack_pack_uint64(p, ((const uint64_t *)list)[i]); break;
    case FIELD_PACKETS:
        msgpack_pack_uint16(p, ((const uint16_t *)list)[i]);
        break;
    case FIELD_FILTERS: pack_str(p, ((const struct slice *)list)[i]); break;
    case FIELD_SUBSCRIPTIONS: {
        const struct session_subscription *s = list;
        msgpack_pack_array(p, 2);
        pack_str(p, s[i].filter);
        schema_put_subscription(&row, &s[i]);
        put_row(p, &row);
        break;
    }
    case FIELD_INFLIGHT: {
        const struct session_inflight *s = list;
        msgpack_pack_array(p, 2);
        msgpack_pack_uint16(p, s[i].packet_id);
        schema_put_inflight(&row, &s[i]);
        put_row(p, &row);
        break;
    }
    case FIELD_GIVEN: {
        const struct session_given *g = list;
        msgpack_pack_array(p, 2);
        pack_str(p, g[i].filter);
        msgpack_pack_uint64(p, g[i].log_id);
        break;
    }
    default: break;
    }
}

static void put_list(msgpack_packer *p, const void *base,
                     const struct command_field *f)
{
    const void *list = *(const void *const *)field_at(base, f->at);
    const size_t n = count_of(base, f);

    msgpack_pack_array(p, n);
    for (size_t i = 0; i < n; i++)
        put_element(p, f->type, list, i);
}

static void put_field(msgpack_packer *p, const void *base,
                      const struct command_field *f)
{
    const void *v = field_at(base, f->at);

    pack_str(p, slice_str(f->name));
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_TOKEN: pack_str(p, *(const struct slice *)v); break;
    case FIELD_BYTES: pack_bin(p, *(const struct slice *)v); break;
    case FIELD_MESSAGE: put_message(p, *(struct message *const *)v); break;
    case FIELD_CLOCK_STEPS: put_steps(p, v); break;
    case FIELD_IDS:
    case FIELD_PACKETS:
    case FIELD_FILTERS:
    case FIELD_SUBSCRIPTIONS:
    case FIELD_INFLIGHT:
    case FIELD_GIVEN: put_list(p, base, f); break;
    default: msgpack_pack_uint64(p, number_of(base, f));
    }
}

/* Where the kind's arguments are, or what all commands have. */
static const void *base_of(const struct command *c,
                           const struct command_field *f)
{
    return (f->flags & FIELD_COMMON) != 0 ? c : c->args;
}

static bool is_written(const struct command *c, const struct command_field *f,
                       bool entry)
{
    if ((f->flags & FIELD_ENTRY) != 0 && !entry)
        return false;
    return (f->flags & FIELD_REQUIRED) != 0 || !is_nothing(base_of(c, f), f);
}

static void put_body(msgpack_packer *p, const struct command *c, bool entry)
{
    const struct command_type *type = command_types[c->kind];
    size_t n = 0;

    for (size_t i = 0; i < type->field_count; i++)
        n += is_written(c, &type->fields[i], entry);
    msgpack_pack_map(p, n);
    for (size_t i = 0; i < type->field_count; i++)
        if (is_written(c, &type->fields[i], entry))
            put_field(p, base_of(c, &type->fields[i]), &type->fields[i]);
}

void command_encode(struct buffer *b, const struct command *c)
{
    msgpack_packer p = packer_of(b);

    put_body(&p, c, false);
}

void command_answer(struct buffer *b, const struct command *c)
{
    struct json_writer w = json_writer_of(b);

    json_object(&w);
    if (c->result != RESULT_OK)
        json_member_text(&w, "refused", command_result_name(c->result));
    else if (command_types[c->kind]->answer != NULL)
        command_types[c->kind]->answer(c, &w);
    json_object_end(&w);
}

void entry_encode(struct buffer *b, const struct admission *in,
                  const struct command *c)
{
    msgpack_packer p = packer_of(b);

    msgpack_pack_array(&p, 4);
    msgpack_pack_uint8(&p, ENTRY_VERSION);
    pack_str(&p, slice_str(command_types[c->kind]->name));
    msgpack_pack_array(&p, 8);
    msgpack_pack_int64(&p, in->now_us);
    msgpack_pack_int64(&p, in->decay_us);
    msgpack_pack_uint64(&p, in->share_max);
    msgpack_pack_uint64(&p, in->room);
    msgpack_pack_uint64(&p, in->upkeep);
    msgpack_pack_uint32(&p, in->deletions);
    msgpack_pack_uint32(&p, in->rows);
    msgpack_pack_uint32(&p, in->paused);
    put_body(&p, c, true);
}

/* ---- memory of what was decoded ------------------------------------------ */

#define DECODED_MESSAGES 2

/* A list that was decoded. */
struct decoded_list {
    struct decoded_list *next;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct command_memory {
    struct decoded_list *parts;
    size_t size;
    struct message *messages[DECODED_MESSAGES];
    size_t message_count;
    _Alignas(
        max_align_t) unsigned char bytes[]; /* arguments, copy of the body */
};

static size_t align(size_t size)
{
    const size_t to = _Alignof(max_align_t);

    return (size + to - 1) / to * to;
}

/* With zeroed arguments and a copy of `bytes`. NULL: out of memory. */
static struct command_memory *memory_new(size_t args_size, struct slice bytes)
{
    const size_t before = align(args_size);
    const size_t size = sizeof(struct command_memory) + before + bytes.len;
    struct command_memory *m = calloc(1, size);

    if (m == NULL)
        return NULL;
    m->size = size;
    if (bytes.len > 0)
        memcpy(m->bytes + before, bytes.data, bytes.len);
    return m;
}

/* Zeroed. NULL: out of memory. */
static void *memory_add(struct command_memory *m, size_t size)
{
    struct decoded_list *part = calloc(1, sizeof(*part) + size);

    if (part == NULL)
        return NULL;
    part->next = m->parts;
    m->parts = part;
    m->size += sizeof(*part) + size;
    return part->bytes;
}

size_t command_memory_size(const struct command_memory *m)
{
    return m->size;
}

void command_memory_free(struct command_memory *m)
{
    if (m == NULL)
        return;
    while (m->parts != NULL) {
        struct decoded_list *part = m->parts;
        m->parts = part->next;
        free(part);
    }
    while (m->message_count > 0)
        message_unref(m->messages[--m->message_count]);
    free(m);
}

/* ---- decoding ------------------------------------------------------------ */

struct command_decoder {
    struct unpack u; /* of the copy */
    struct command_memory *memory;
    bool entry;
};

static bool get_message(struct command_decoder *r, struct message **ret)
{
    const struct slice row = unpack_bin(&r->u);
    struct record record;

    if (r->u.failed || r->memory->message_count == DECODED_MESSAGES ||
        !schema_get_record((MDB_val){row.len, (void *)row.data}, 0, &record))
        return false;
    struct message *m = message_new(&record.m);
    if (m == NULL)
        return false;
    r->memory->messages[r->memory->message_count++] = m;
    r->memory->size += message_size(m);
    *ret = m;
    return true;
}

static bool get_steps(struct command_decoder *r, struct clock_steps *s)
{
    const uint32_t count = unpack_array(&r->u);

    if (r->u.failed || count == 0 || count > CLOCK_STEPS_MAX)
        return false;
    for (s->count = 0; s->count < count && !r->u.failed; s->count++) {
        if (unpack_array(&r->u) != 2)
            return false;
        s->step[s->count].through = unpack_uint(&r->u);
        s->step[s->count].at_us = unpack_int(&r->u);
    }
    return !r->u.failed;
}

static bool get_subscription(struct command_decoder *r,
                             struct session_subscription *s)
{
    struct schema_key key;

    if (unpack_array(&r->u) != 2)
        return false;
    const struct slice filter = unpack_str(&r->u);
    const struct slice row = unpack_bin(&r->u);
    if (r->u.failed)
        return false;
    schema_subscription_key(0, filter, &key);
    if (!schema_get_subscription(schema_val(&key),
                                 (MDB_val){row.len, (void *)row.data}, s))
        return false;
    s->filter = filter; /* the key is on this stack */
    return true;
}

static bool get_inflight(struct command_decoder *r, struct session_inflight *s)
{
    struct schema_key key;

    if (unpack_array(&r->u) != 2)
        return false;
    const uint16_t id = (uint16_t)unpack_uint_max(&r->u, UINT16_MAX);
    const struct slice row = unpack_bin(&r->u);
    schema_inflight_key(0, false, id, &key);
    if (r->u.failed ||
        !schema_get_inflight(schema_val(&key),
                             (MDB_val){row.len, (void *)row.data}, s))
        return false;
    uint32_t *identifiers =
        memory_add(r->memory, s->identifier_count * sizeof(*identifiers));
    if (identifiers == NULL || !session_inflight_identifiers(s, identifiers))
        return false;
    s->identifiers = identifiers;
    return true;
}

static bool get_given(struct command_decoder *r, struct session_given *g)
{
    if (unpack_array(&r->u) != 2)
        return false;
    g->filter = unpack_str(&r->u);
    g->log_id = unpack_uint(&r->u);
    return !r->u.failed;
}

static size_t element_size(enum field_type type)
{
    switch (type) {
    case FIELD_IDS: return sizeof(uint64_t);
    case FIELD_PACKETS: return sizeof(uint16_t);
    case FIELD_FILTERS: return sizeof(struct slice);
    case FIELD_SUBSCRIPTIONS: return sizeof(struct session_subscription);
    case FIELD_INFLIGHT: return sizeof(struct session_inflight);
    default: return sizeof(struct session_given);
    }
}

static bool get_element(struct command_decoder *r, enum field_type type,
                        void *to)
{
    switch (type) {
    case FIELD_IDS: *(uint64_t *)to = unpack_uint(&r->u); break;
    case FIELD_PACKETS:
        *(uint16_t *)to = (uint16_t)unpack_uint_max(&r->u, UINT16_MAX);
        break;
    case FIELD_FILTERS: *(struct slice *)to = unpack_str(&r->u); break;
    case FIELD_SUBSCRIPTIONS: return get_subscription(r, to);
    case FIELD_INFLIGHT: return get_inflight(r, to);
    default: return get_given(r, to);
    }
    return !r->u.failed;
}

static bool get_list(struct command_decoder *r, const struct command_field *f,
                     void *base)
{
    const size_t size = element_size(f->type);
    const uint32_t count = unpack_array(&r->u);

    /* As many bytes as elements at least: nobody allocates for a lie. */
    if (r->u.failed || count > (size_t)(r->u.end - r->u.at) || count > f->max)
        return false;
    char *list = memory_add(r->memory, count * size);
    if (list == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!get_element(r, f->type, list + i * size))
            return false;
    *(void **)((char *)base + f->at) = list;
    *(size_t *)((char *)base + f->count_at) = count;
    return true;
}

static bool get_text(struct command_decoder *r, const struct command_field *f,
                     struct slice *to)
{
    *to = f->type == FIELD_BYTES ? unpack_bin(&r->u) : unpack_str(&r->u);
    if (r->u.failed || to->len > f->max)
        return false;
    return f->type != FIELD_TOKEN || token_valid(*to);
}

static bool get_number(struct command_decoder *r,
                       const struct command_field *f, void *to)
{
    const uint64_t n = unpack_uint_max(&r->u, f->max);

    switch (f->type) {
    case FIELD_U64: *(uint64_t *)to = n; break;
    case FIELD_U32: *(uint32_t *)to = (uint32_t)n; break;
    case FIELD_U16: *(uint16_t *)to = (uint16_t)n; break;
    case FIELD_TIME: *(int64_t *)to = (int64_t)n; break;
    default: *(bool *)to = n != 0;
    }
    return !r->u.failed;
}

static bool get_field(struct command_decoder *r, const struct command_field *f,
                      void *base)
{
    void *to = (char *)base + f->at;

    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_TOKEN:
    case FIELD_BYTES: return get_text(r, f, to);
    case FIELD_MESSAGE: return get_message(r, to);
    case FIELD_CLOCK_STEPS: return get_steps(r, to);
    case FIELD_IDS:
    case FIELD_PACKETS:
    case FIELD_FILTERS:
    case FIELD_SUBSCRIPTIONS:
    case FIELD_INFLIGHT:
    case FIELD_GIVEN: return get_list(r, f, base);
    default: return get_number(r, f, to);
    }
}

/* The index of a name; `count`: none. */
static size_t find_field(const struct command_field *fields, size_t count,
                         struct slice name, bool entry)
{
    size_t i = 0;

    while (i < count && (!slice_eq(name, slice_str(fields[i].name)) ||
                         ((fields[i].flags & FIELD_ENTRY) != 0 && !entry)))
        i++;
    return i;
}

static const char *missing_field(const struct command_type *type,
                                 uint64_t seen)
{
    for (size_t i = 0; i < type->field_count; i++)
        if ((type->fields[i].flags & FIELD_REQUIRED) != 0 &&
            (seen & UINT64_C(1) << i) == 0)
            return type->fields[i].text;
    return NULL;
}

/* Text or a number: more is in no body that clients send. */
static bool skip_value(struct unpack *u)
{
    const unsigned char type = u->at < u->end ? *u->at : 0xc1;

    if (type >> 5 == 0x5 || (type >= 0xd9 && type <= 0xdb))
        (void)unpack_str(u);
    else
        (void)unpack_uint(u);
    return !u->failed;
}

static const char *get_one(struct command_decoder *r,
                           const struct command_type *type, size_t i,
                           struct command *c, uint64_t *seen)
{
    const struct command_field *f = &type->fields[i];
    void *base = (f->flags & FIELD_COMMON) != 0 ? (void *)c : c->args;

    if ((*seen & UINT64_C(1) << i) != 0)
        return "a key of the body is there twice";
    *seen |= UINT64_C(1) << i;
    return get_field(r, f, base) ? NULL : f->text;
}

static const char *get_body(struct command_decoder *r, struct command *c)
{
    const struct command_type *type = command_types[c->kind];
    uint64_t seen = 0;

    const uint32_t count = unpack_map(&r->u);
    for (uint32_t n = 0; n < count && !r->u.failed; n++) {
        const struct slice name = unpack_str(&r->u);
        const size_t i =
            find_field(type->fields, type->field_count, name, r->entry);
        const char *wrong = NULL;
        if (r->u.failed)
            break;
        if (i < type->field_count)
            wrong = get_one(r, type, i, c, &seen);
        else if (r->entry || !skip_value(&r->u))
            wrong = NOT_A_MAP;
        if (wrong != NULL)
            return wrong;
    }
    if (r->u.failed || r->u.at != r->u.end)
        return NOT_A_MAP;
    return missing_field(type, seen);
}

/* The body at `at` of a copy of `bytes`. */
static const char *decode_command(struct slice bytes, size_t at, bool entry,
                                  struct command *c,
                                  struct command_memory **ret_memory)
{
    const size_t args_size = command_types[c->kind]->args_size;
    struct command_memory *m = memory_new(args_size, bytes);

    if (m == NULL)
        return "out of memory";
    struct command_decoder r = {
        unpack_of(m->bytes + align(args_size) + at, bytes.len - at), m, entry};
    c->args = args_size == 0 ? NULL : m->bytes;
    const char *wrong = get_body(&r, c);
    if (wrong != NULL) {
        command_memory_free(m);
        c->args = NULL;
        return wrong;
    }
    *ret_memory = m;
    return NULL;
}

const char *command_decode(enum command_kind kind, struct slice body,
                           struct command *c,
                           struct command_memory **ret_memory)
{
    c->kind = kind;
    return decode_command(body, 0, false, c, ret_memory);
}

static bool get_admission(struct unpack *u, struct admission *in)
{
    if (unpack_array(u) != 8)
        return false;
    in->now_us = unpack_int(u);
    in->decay_us = unpack_int(u);
    in->share_max = unpack_uint(u);
    in->room = unpack_uint(u);
    in->upkeep = unpack_uint(u);
    in->deletions = (uint32_t)unpack_uint_max(u, UINT32_MAX);
    in->rows = (uint32_t)unpack_uint_max(u, UINT32_MAX);
    in->paused = (uint32_t)unpack_uint_max(u, RESULT_COUNT - 1);
    return !u->failed;
}

static bool get_kind(struct slice name, enum command_kind *ret)
{
    for (unsigned i = 0; i < COMMAND_KIND_COUNT; i++)
        if (slice_eq(name, slice_str(command_types[i]->name))) {
            *ret = (enum command_kind)i;
            return true;
        }
    return false;
}

const char *entry_decode(struct slice bytes, struct command *c,
                         struct admission *ret_in,
                         struct command_memory **ret_memory)
{
    struct unpack u = unpack_of(bytes.data, bytes.len);

    *c = (struct command){0};
    if (unpack_array(&u) != 4 || unpack_uint(&u) != ENTRY_VERSION)
        return "entry: of another version";
    const struct slice name = unpack_str(&u);
    if (u.failed || !get_kind(name, &c->kind))
        return "entry: there is no such command";
    if (!get_admission(&u, ret_in))
        return "entry: its admission is damaged";
    return decode_command(bytes,
                          (size_t)(u.at - (const unsigned char *)bytes.data),
                          true, c, ret_memory);
}
