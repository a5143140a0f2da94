/* The log of commands alone makes the rows: what a writer recorded is applied to
 * two other stores, on other days, other file systems, with other settings, and in
 * other groups per commit, and every database comes out byte for byte the same.
 * Longer: REPLAY_ROUNDS=1000, REPLAY_SEED=7, REPLAY_STEPS=30000.
 * ENTRY_CORPUS=test/fuzz/corpus/entry writes the longest entry below 1 KiB of each
 * kind there, for test/fuzz/entry_fuzz.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/commands/codec.h"
#include "test/unit/store/writing.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- chance ---------------------------------------------------------------- */

static uint64_t chance = 1;

static uint64_t random_below(uint64_t n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance % n;
}

static bool one_in(uint64_t n)
{
    return random_below(n) == 0;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* ---- recording ------------------------------------------------------------- */

/* Entries one behind the other; `ends` has where each ends. */
static struct buffer recorded;
static size_t *ends, entry_room;
static atomic_size_t entry_count; /* the writer adds, also when it begins */
static atomic_uint kinds_seen[COMMAND_KIND_COUNT]; /* the writer counts */
static unsigned
    kinds_done[COMMAND_KIND_COUNT]; /* not refused; submitted ones */

static void record(void *arg, const struct admission *in,
                   const struct command *c)
{
    (void)arg;
    if (entry_count == entry_room) {
        entry_room = 2 * entry_room + 1024;
        ends = realloc(ends, entry_room * sizeof(ends[0]));
        if (ends == NULL)
            abort();
    }
    entry_encode(&recorded, in, c);
    ends[entry_count++] = recorded.len;
    kinds_seen[c->kind]++;
}

static struct slice entry_bytes(size_t i)
{
    const size_t begin = i == 0 ? 0 : ends[i - 1];

    return slice_of(recorded.data + begin, ends[i] - begin);
}

/* ---- commands of every kind ------------------------------------------------ */

#define TOKENS 6
#define CLIENTS 6
#define GROUP 24

static const char *const shared_filters[] = {"$share/g/t0/#", "$share/h/+/1"};
static const char *const plain_filters[] = {"t0/1", "t1/#", "a/+/c"};

struct scene {
    struct writing *w;
    struct sent *group[GROUP];
    size_t grouped;
    char texts[GROUP][4][96]; /* what commands of the group borrow */
    struct session_open opens[GROUP];
    struct session_save saves[GROUP];
    struct group_save groups[GROUP];
    struct session_subscription subs[GROUP][2];
    struct session_inflight inflight[GROUP][2];
    struct session_given given[GROUP];
    uint16_t packets[GROUP][2];
    struct slice set[GROUP][2];
    unsigned char hashes[GROUP][SECRET_HASH_BYTES];
    /* The newest key, and ticket, that were made. */
    struct made {
        char tenant[16], id[KEY_ID_SIZE];
        unsigned char hash[SECRET_HASH_BYTES];
    } key, ticket;
    struct slice removed[GROUP];
    uint64_t ids[GROUP][3];
    uint64_t numbers[CLIENTS]; /* of sessions that are open */
    uint64_t next_number, head;
    uint64_t last_id; /* of the last message that was stored */
    char last_topic[96];
};

static const char *token_name(char *to)
{
    sprintf(to, "t%d", (int)random_below(TOKENS));
    return to;
}

static const char *topic_name(char *to)
{
    if (one_in(20))
        sprintf(to, "$aside/%d", (int)random_below(3)); /* no token's */
    else if (one_in(10))
        sprintf(to, "t%d/rooms/room%d", (int)random_below(TOKENS),
                (int)random_below(4));
    else
        sprintf(to, "t%d/%d", (int)random_below(TOKENS), (int)random_below(5));
    return to;
}

/* Token, NUL, client id. */
static struct slice identity_of(char *to, unsigned client)
{
    const int len = sprintf(to, "t%u%cclient-%u", client % TOKENS, 0, client);

    return slice_of(to, (size_t)len);
}

static struct sent *any_append(struct scene *s, size_t i)
{
    static char payload[5000];
    const char *topic = topic_name(s->texts[i][0]);
    const size_t len =
        one_in(8) ? random_below(sizeof(payload)) : random_below(60);
    struct sent *a = new_append_bytes(topic, payload, len, one_in(8));

    if (one_in(3)) {
        sprintf(s->texts[i][1], "op-%d", (int)random_below(400));
        a->c.operation = slice_str(s->texts[i][1]);
    }
    if (one_in(5)) {
        sprintf(s->texts[i][2], "key-%d", (int)random_below(60));
        a->c.idempotency = slice_str(s->texts[i][2]);
    }
    struct message_append *args = a->c.args;
    if (one_in(3)) { /* of a user: rooms have rules for them */
        char sender[16];
        sprintf(sender, "user%d", (int)random_below(5));
        set_sender(a, sender);
        args->address = slice_str(one_in(2) ? "" : "192.0.2.7");
    }
    args->uncharged = one_in(20);
    if (one_in(10))
        args->window_start_us =
            clock_now() - (int64_t)random_below(1000) * SECOND;
    const unsigned client = (unsigned)random_below(CLIENTS);
    if (one_in(6) && s->numbers[client] != 0)
        args->mark =
            (struct session_mark){.number = s->numbers[client],
                                  .identity =
                                      identity_of(s->texts[i][3], client),
                                  .packet_id = (uint16_t)random_below(20)};
    return a;
}

static struct sent *any_open(struct scene *s, size_t i)
{
    const unsigned client = (unsigned)random_below(CLIENTS);
    struct sent *o = new_command(COMMAND_SESSION_OPEN);

    s->opens[i] = (struct session_open){
        .identity = identity_of(s->texts[i][0], client),
        .clean = one_in(4),
        .expiry_s = one_in(5) ? 0 : (uint32_t)random_below(300),
        .fresh_number = ++s->next_number,
        .will_delay_s = (uint32_t)random_below(100),
    };
    if (one_in(2)) {
        const struct message will = {.kind = MESSAGE_MESSAGE,
                                     .topic = slice_str("t0/will"),
                                     .payload = slice_str("gone")};
        o->c.message = message_new(&will); /* sent_free() drops it */
        s->opens[i].will = o->c.message;
    }
    o->c.args = &s->opens[i];
    return o;
}

static void some_rows(struct scene *s, size_t i, struct session_save *save)
{
    static const uint32_t identifiers[] = {7, 300};

    s->subs[i][0] = (struct session_subscription){
        .filter = slice_str(one_in(2) ? shared_filters[random_below(2)]
                                      : plain_filters[random_below(3)]),
        .qos = (uint8_t)random_below(3),
        .since_id = s->head,
        .changed_at = one_in(4) ? s->head : 0,
        .identifier = (uint32_t)random_below(3)};
    s->inflight[i][0] =
        (struct session_inflight){.packet_id = (uint16_t)random_below(30),
                                  .log_id = random_below(s->head + 1),
                                  .qos = 1,
                                  .identifier_count =
                                      (uint32_t)random_below(3),
                                  .identifiers = identifiers};
    s->given[i] = (struct session_given){slice_str(shared_filters[0]),
                                         random_below(s->head + 1)};
    s->packets[i][0] = (uint16_t)random_below(30);
    s->removed[i] = slice_str(one_in(2) ? shared_filters[random_below(2)]
                                        : plain_filters[random_below(3)]);
    save->subscriptions = s->subs[i];
    save->subscription_count = random_below(2);
    save->adds = one_in(2);
    save->entries = s->inflight[i];
    save->entry_count = random_below(2);
    save->given = &s->given[i];
    save->given_count = random_below(2);
    save->forgotten = save->released = s->packets[i];
    save->forgotten_count = random_below(2);
    save->released_count = random_below(2);
    save->removed = &s->removed[i];
    save->removed_count = one_in(5);
}

static struct sent *any_save(struct scene *s, size_t i)
{
    const unsigned client = (unsigned)random_below(CLIENTS);
    struct sent *o = new_command(COMMAND_SESSION_SAVE);
    struct session_save *save = &s->saves[i];

    *save = (struct session_save){
        .identity = identity_of(s->texts[i][0], client),
        .number = s->numbers[client] != 0 ? s->numbers[client] : 1,
        .has_position = one_in(2),
        .position = s->head,
        .ends = one_in(5),
        .drops_will = one_in(2),
        .expiry_s = one_in(4) ? 0 : 200,
        .ended_us = clock_now(),
    };
    some_rows(s, i, save);
    o->c.args = save;
    return o;
}

static struct sent *any_group_save(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_GROUP_SAVE);
    char *name = s->texts[i][0];
    const int len =
        sprintf(name, "t%d%cg%ct0/#", (int)random_below(CLIENTS), 0, 0);

    for (size_t k = 0; k < 3; k++)
        s->ids[i][k] = s->head > 10 ? s->head - 9 + 3 * k : k + 1;
    s->groups[i] = (struct group_save){.name = slice_of(name, (size_t)len),
                                       .adds = !one_in(3),
                                       .position = s->head / 2,
                                       .ids = s->ids[i],
                                       .id_count = random_below(4)};
    o->c.args = &s->groups[i];
    return o;
}

static struct slice any_plan(void)
{
    static const char *const plans[] = {"free", "home", "paid", "nowhere"};

    return slice_str(plans[random_below(COUNT(plans))]);
}

static struct sent *any_token_create(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_TOKEN_CREATE);

    *ARGS(o, token_create) =
        (struct token_create){slice_str(token_name(s->texts[i][0])),
                              any_plan()};
    return o;
}

static struct sent *any_token_set(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_TOKEN_SET);

    *ARGS(o, token_set) =
        (struct token_set){slice_str(token_name(s->texts[i][0])), any_plan()};
    return o;
}

static struct sent *any_token_revoke(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_TOKEN_REVOKE);

    ARGS(o, token_revoke)->token = slice_str(token_name(s->texts[i][0]));
    return o;
}

static struct sent *any_token_delete(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_TOKEN_DELETE);

    ARGS(o, token_delete)->token = slice_str(token_name(s->texts[i][0]));
    return o;
}

static struct sent *any_usage(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_USAGE);

    *ARGS(o, token_reads) =
        (struct token_reads){slice_str(token_name(s->texts[i][0])),
                             clock_now() - (int64_t)random_below(100) * SECOND,
                             random_below(50)};
    return o;
}

static struct sent *any_trim(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_TRIM);

    *ARGS(o, thing_trim) =
        (struct thing_trim){slice_str(topic_name(s->texts[i][0])),
                            random_below(s->head + 1)};
    return o;
}

static struct sent *any_thing_purge(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_THING_PURGE);

    *ARGS(o, thing_purge) = (struct thing_purge){
        .topic = slice_str(topic_name(s->texts[i][0])),
        .tell = one_in(2),
        .before = one_in(2) ? random_below(s->head + 2) : 0,
        .changed_by = slice_str(one_in(2) ? "ann" : ""),
    };
    return o;
}

static struct sent *any_change(struct scene *s, size_t i,
                               enum message_kind kind)
{
    static const char *const payloads[] = {"", "short", "{\"a\":1}"};
    const char *topic = topic_name(s->texts[i][0]);
    uint64_t id = 1 + random_below(s->head + 4);

    /* Mostly one that is there: the last of a thing that was written to. */
    if (s->last_id != 0 && !one_in(4)) {
        topic = strcpy(s->texts[i][0], s->last_topic);
        id = s->last_id;
    }
    struct sent *o =
        new_change(kind, topic, id, payloads[random_below(COUNT(payloads))]);
    if (one_in(3)) {
        sprintf(s->texts[i][1], "op-%d", (int)random_below(400));
        o->c.operation = slice_str(s->texts[i][1]);
    }
    if (one_in(3)) {
        sprintf(s->texts[i][2], "key-%d", (int)random_below(60));
        o->c.idempotency = slice_str(s->texts[i][2]);
    }
    return o;
}

static struct sent *any_edit(struct scene *s, size_t i)
{
    return any_change(s, i, MESSAGE_EDIT);
}

static struct sent *any_delete(struct scene *s, size_t i)
{
    return any_change(s, i, MESSAGE_DELETE);
}

/* One of a few names besides those of tokens. */
static struct sent *any_tenant_create(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_TENANT_CREATE);

    sprintf(s->texts[i][0], "tenant%d", (int)random_below(200));
    *ARGS(o, tenant_create) =
        (struct tenant_create){.tenant = slice_str(s->texts[i][0]),
                               .plan = any_plan()};
    return o;
}

static struct sent *any_tenant_set(struct scene *s, size_t i)
{
    static const char *const settings[] = {"webhook.url=https://example.org/a",
                                           "webhook.url=",
                                           "cors.origins=*",
                                           "webhook.secret=0123456789abcdef",
                                           "webhook.secret=fedcba9876543210",
                                           "unknown.to.us=value",
                                           "limits.bytes_max=1M",
                                           "limits.retention_count=2",
                                           "limits.retention_count=",
                                           "limits.writes_per_hour=9x",
                                           "no equals sign"};
    struct sent *o = new_command(COMMAND_TENANT_SET);

    s->set[i][0] = slice_str(settings[random_below(COUNT(settings))]);
    s->set[i][1] = slice_str(settings[random_below(2)]);
    *ARGS(o, tenant_set) = (struct tenant_set){
        .tenant = slice_str(token_name(s->texts[i][0])),
        .plan = one_in(4) ? any_plan() : slice_of(NULL, 0),
        .set = s->set[i],
        .set_count = 1 + random_below(2),
    };
    return o;
}

static struct sent *any_tenant_suspend(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_TENANT_SUSPEND);

    *ARGS(o, tenant_suspend) =
        (struct tenant_suspend){slice_str(token_name(s->texts[i][0])),
                                !one_in(3)};
    return o;
}

/* One of 48 hashes; two of each have the same key id. */
static struct slice any_hash(struct scene *s, size_t i)
{
    memset(s->hashes[i], (int)random_below(24), SECRET_HASH_BYTES);
    s->hashes[i][SECRET_HASH_BYTES - 1] ^= one_in(6);
    return slice_of(s->hashes[i], SECRET_HASH_BYTES);
}

static void learn_key(struct scene *s, const struct key_create *a)
{
    struct made *made = a->kind == SECRET_TICKET ? &s->ticket : &s->key;

    snprintf(made->tenant, sizeof(made->tenant), "%.*s", (int)a->tenant.len,
             (const char *)a->tenant.data);
    memcpy(made->hash, a->hash.data, SECRET_HASH_BYTES);
    key_id_make(made->hash, made->id);
}

static struct slice any_key_id(char *to)
{
    unsigned char hash[SECRET_HASH_BYTES];

    memset(hash, (int)random_below(24), sizeof(hash));
    key_id_make(hash, to);
    return slice_str(to);
}

static struct sent *any_key_create(struct scene *s, size_t i)
{
    static const char *const rights[] = {"publish a/#", "subscribe +/b",
                                         "admin", "manage %u/x", "wrong"};
    struct sent *o = new_command(COMMAND_KEY_CREATE);
    const bool is_ticket = one_in(2);

    s->set[i][0] = slice_str(rights[random_below(4 + one_in(9))]);
    s->set[i][1] = slice_str(rights[random_below(4)]);
    *ARGS(o, key_create) = (struct key_create){
        .tenant = slice_str(token_name(s->texts[i][0])),
        .hash = any_hash(s, i),
        .kind = is_ticket ? SECRET_TICKET : SECRET_DEVICE,
        .label = slice_str(one_in(2) ? "" : "the kitchen"),
        .rights = s->set[i],
        .right_count = random_below(3),
        .mounted = one_in(2),
        .charged = one_in(2),
        .user = slice_str(one_in(2) ? "" : "ann"),
        .plan = one_in(4) ? any_plan() : slice_of(NULL, 0),
        .parent = is_ticket && one_in(5) ? any_key_id(s->texts[i][1])
                                         : slice_str(""),
        .expires_us = is_ticket || one_in(2)
                          ? clock_now() + (int64_t)random_below(400) * SECOND
                          : 0,
        .until_us = is_ticket && one_in(3) ? clock_now() + 100 * SECOND : 0,
    };
    return o;
}

static struct sent *any_key_revoke(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_KEY_REVOKE);

    *ARGS(o, key_revoke) =
        one_in(2) && s->key.id[0] != 0
            ? (struct key_revoke){slice_str(s->key.tenant),
                                  slice_str(s->key.id)}
            : (struct key_revoke){slice_str(token_name(s->texts[i][0])),
                                  any_key_id(s->texts[i][1])};
    return o;
}

static struct sent *any_key_rotate(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_KEY_ROTATE);
    const bool newest = one_in(2) && s->key.id[0] != 0;

    *ARGS(o, key_rotate) = (struct key_rotate){
        .tenant =
            slice_str(newest ? s->key.tenant : token_name(s->texts[i][0])),
        .key = newest ? slice_str(s->key.id) : any_key_id(s->texts[i][1]),
        .hash = any_hash(s, i),
        .old_until_us = one_in(2) ? 0 : clock_now() + 50 * SECOND,
    };
    return o;
}

static struct sent *any_webhook_save(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_WEBHOOK_SAVE);
    struct webhook_save a = {
        .tenant = slice_str(token_name(s->texts[i][0])),
        .id = one_in(3) ? s->head : 0,
        .tried_us = one_in(2) ? clock_now() : 0,
        .status = one_in(2) ? 500 : 0,
        .text = slice_str(one_in(2) ? "refused" : ""),
        .forgotten = one_in(9),
        .delivered_id = one_in(3) ? 1 + random_below(12) : 0,
    };

    s->set[i][0] = slice_str(topic_name(s->texts[i][1]));
    s->ids[i][0] = random_below(s->head + 1);
    a.behind_topics = s->set[i];
    a.behind_ids = s->ids[i];
    a.behind_topic_count = a.behind_id_count = random_below(2);
    if (one_in(2)) {
        a.dead_id = 1 + random_below(12);
        a.dead_topic = s->set[i][0];
        a.dead_at_us = clock_now();
        a.dead_attempts = 3;
        a.dead_status = 404;
        a.dead_text = slice_str("not found");
    }
    *ARGS(o, webhook_save) = a;
    return o;
}

static struct sent *any_webhook_retry(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_WEBHOOK_RETRY);

    for (size_t k = 0; k < 3; k++)
        s->ids[i][k] = 1 + random_below(12);
    *ARGS(o, webhook_retry) =
        (struct webhook_retry){.tenant = slice_str(token_name(s->texts[i][0])),
                               .ids = s->ids[i],
                               .id_count = 1 + random_below(3),
                               .all = one_in(4)};
    return o;
}

static struct sent *any_ticket_take(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_TICKET_TAKE);

    ARGS(o, ticket_take)->hash =
        one_in(2) && s->ticket.id[0] != 0
            ? slice_of(s->ticket.hash, SECRET_HASH_BYTES)
            : any_hash(s, i);
    return o;
}

static struct sent *any_keys_used(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_KEYS_USED);

    *ARGS(o, keys_used) = (struct keys_used){
        one_in(2) && s->key.id[0] != 0
            ? slice_of(s->key.hash, SECRET_HASH_BYTES)
            : any_hash(s, i),
        clock_now() - (int64_t)random_below(50) * SECOND,
    };
    return o;
}

static struct slice any_user(char *to)
{
    sprintf(to, "user%d", (int)random_below(5));
    return slice_str(to);
}

static struct slice any_room(char *to)
{
    sprintf(to, "room%d", (int)random_below(4));
    return slice_str(to);
}

static struct slice any_json(void)
{
    static const char *const texts[] = {"",
                                        "{}",
                                        "{\"a\":1,\"b\":[2]}",
                                        "{\"a\":null}",
                                        "{\"slowMode\":60}",
                                        "no JSON"};

    return slice_str(texts[random_below(one_in(9) ? 6 : 5)]);
}

static struct sent *any_user_put(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_USER_PUT);

    *ARGS(o, user_put) = (struct user_put){
        .tenant = slice_str(token_name(s->texts[i][0])),
        .user = any_user(s->texts[i][1]),
        .condition = one_in(2) ? PUT_ANY : (uint32_t)random_below(3),
        .attributes = any_json(),
        .merge = one_in(2),
        .name = one_in(2) ? slice_str("") : any_user(s->texts[i][2]),
        .no_name = one_in(4),
        .password = slice_str(one_in(2) ? "" : "$argon2id$v=19$x"),
    };
    return o;
}

static struct sent *any_user_delete(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_USER_DELETE);

    *ARGS(o, user_delete) =
        (struct user_delete){slice_str(token_name(s->texts[i][0])),
                             any_user(s->texts[i][1])};
    return o;
}

static struct sent *any_room_put(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_ROOM_PUT);

    s->set[i][0] = any_user(s->texts[i][2]);
    s->set[i][1] = any_user(s->texts[i][3]);
    *ARGS(o, room_put) = (struct room_put){
        .tenant = slice_str(token_name(s->texts[i][0])),
        .room = any_room(s->texts[i][1]),
        .condition = one_in(2) ? PUT_ANY : (uint32_t)random_below(3),
        .kind = (uint32_t)random_below(ROOM_KIND_COUNT),
        .settings = any_json(),
        .merge = one_in(2),
        .creator = s->set[i][0],
        .members = s->set[i],
        .member_count = random_below(3),
        .creator_role = slice_str(one_in(2) ? "" : "owner"),
        .make_users = one_in(2),
    };
    return o;
}

static struct sent *any_room_delete(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_ROOM_DELETE);

    *ARGS(o, room_delete) =
        (struct room_delete){slice_str(token_name(s->texts[i][0])),
                             any_room(s->texts[i][1])};
    return o;
}

static struct sent *any_member_put(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_MEMBER_PUT);

    *ARGS(o, member_put) = (struct member_put){
        .tenant = slice_str(token_name(s->texts[i][0])),
        .room = any_room(s->texts[i][1]),
        .user = any_user(s->texts[i][2]),
        .condition = one_in(2) ? PUT_ANY : (uint32_t)random_below(3),
        .role = slice_str(one_in(2) ? "" : "moderator"),
        .acked_seq = random_below(4),
        .read_seq = random_below(4),
        .make_user = one_in(2),
    };
    return o;
}

static struct sent *any_member_delete(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_MEMBER_DELETE);

    *ARGS(o, member_delete) =
        (struct member_delete){slice_str(token_name(s->texts[i][0])),
                               any_room(s->texts[i][1]),
                               any_user(s->texts[i][2])};
    return o;
}

static struct slice any_banned(char *to)
{
    if (!one_in(3))
        return any_user(to);
    return slice_str(one_in(2) ? "@192.0.2.7" : "@2001:db8::/64");
}

static struct sent *any_ban(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_BAN);

    *ARGS(o, ban) = (struct ban){
        .tenant = slice_str(token_name(s->texts[i][0])),
        .room = one_in(3) ? slice_str("") : any_room(s->texts[i][1]),
        .who = any_banned(s->texts[i][2]),
        .until_us = one_in(4) ? 0 : clock_now() + 100 * SECOND,
        .by = slice_str(one_in(2) ? "" : "user1"),
        .why = slice_str(one_in(2) ? "" : "spam"),
        .condition = one_in(2) ? PUT_ANY : (uint32_t)random_below(3),
    };
    return o;
}

static struct sent *any_unban(struct scene *s, size_t i)
{
    struct sent *o = new_command(COMMAND_UNBAN);

    *ARGS(o, unban) = (struct unban){
        .tenant = slice_str(token_name(s->texts[i][0])),
        .room = one_in(3) ? slice_str("") : any_room(s->texts[i][1]),
        .who = any_banned(s->texts[i][2]),
    };
    return o;
}

static struct sent *any_event(struct scene *s, size_t i)
{
    (void)s, (void)i;
    return new_event("$events/t0/typing/x");
}

static struct sent *any_ping(struct scene *s, size_t i)
{
    (void)s, (void)i;
    return new_command(COMMAND_PING);
}

/* How each kind is made, and how often: a kind that is new needs a row. */
static const struct {
    unsigned weight;
    struct sent *(*make)(struct scene *s, size_t i);
    bool is_proposed; /* by the writer; nobody submits it */
} kinds[COMMAND_KIND_COUNT] = {
    [COMMAND_APPEND] = {.weight = 46, .make = any_append},
    [COMMAND_EVENT] = {.weight = 2, .make = any_event},
    [COMMAND_EDIT] = {.weight = 8, .make = any_edit},
    [COMMAND_DELETE] = {.weight = 3, .make = any_delete},
    [COMMAND_TOKEN_CREATE] = {.weight = 4, .make = any_token_create},
    [COMMAND_TOKEN_REVOKE] = {.weight = 1, .make = any_token_revoke},
    [COMMAND_USAGE] = {.weight = 2, .make = any_usage},
    [COMMAND_PING] = {.weight = 2, .make = any_ping},
    [COMMAND_TRIM] = {.weight = 3, .make = any_trim},
    [COMMAND_SESSION_OPEN] = {.weight = 8, .make = any_open},
    [COMMAND_SESSION_SAVE] = {.weight = 12, .make = any_save},
    [COMMAND_GROUP_SAVE] = {.weight = 12, .make = any_group_save},
    [COMMAND_TOKEN_SET] = {.weight = 2, .make = any_token_set},
    [COMMAND_TOKEN_DELETE] = {.weight = 1, .make = any_token_delete},
    [COMMAND_THING_PURGE] = {.weight = 2, .make = any_thing_purge},
    [COMMAND_TENANT_CREATE] = {.weight = 2, .make = any_tenant_create},
    [COMMAND_TENANT_SET] = {.weight = 3, .make = any_tenant_set},
    [COMMAND_TENANT_SUSPEND] = {.weight = 2, .make = any_tenant_suspend},
    [COMMAND_KEY_CREATE] = {.weight = 14, .make = any_key_create},
    [COMMAND_KEY_REVOKE] = {.weight = 2, .make = any_key_revoke},
    [COMMAND_KEY_ROTATE] = {.weight = 6, .make = any_key_rotate},
    [COMMAND_TICKET_TAKE] = {.weight = 8, .make = any_ticket_take},
    [COMMAND_KEYS_USED] = {.weight = 6, .make = any_keys_used},
    [COMMAND_USER_PUT] = {.weight = 10, .make = any_user_put},
    [COMMAND_USER_DELETE] = {.weight = 2, .make = any_user_delete},
    [COMMAND_ROOM_PUT] = {.weight = 10, .make = any_room_put},
    [COMMAND_ROOM_DELETE] = {.weight = 2, .make = any_room_delete},
    [COMMAND_MEMBER_PUT] = {.weight = 14, .make = any_member_put},
    [COMMAND_MEMBER_DELETE] = {.weight = 6, .make = any_member_delete},
    [COMMAND_BAN] = {.weight = 12, .make = any_ban},
    [COMMAND_UNBAN] = {.weight = 6, .make = any_unban},
    [COMMAND_WEBHOOK_SAVE] = {.weight = 8, .make = any_webhook_save},
    [COMMAND_WEBHOOK_RETRY] = {.weight = 4, .make = any_webhook_retry},
    [COMMAND_SETTINGS] = {.is_proposed = true},
    [COMMAND_CLOCK_STEPS] = {.is_proposed = true},
    [COMMAND_SESSION_LOST] = {.is_proposed = true},
    [COMMAND_SESSION_EXPIRE] = {.is_proposed = true},
    [COMMAND_HIDDEN_DELETE] = {.is_proposed = true},
    [COMMAND_ERASE_STEP] = {.is_proposed = true},
    [COMMAND_ANSWERS_FORGET] = {.is_proposed = true},
    [COMMAND_KEYS_EXPIRE] = {.is_proposed = true},
    [COMMAND_BANS_EXPIRE] = {.is_proposed = true},
};

static struct sent *any_command(struct scene *s, size_t i)
{
    uint64_t all = 0;
    unsigned kind = 0;

    for (unsigned k = 0; k < COMMAND_KIND_COUNT; k++)
        all += kinds[k].weight;
    uint64_t at = random_below(all);
    for (; at >= kinds[kind].weight; kind++)
        at -= kinds[kind].weight;
    return kinds[kind].make(s, i);
}

static void learn(struct scene *s, const struct sent *o)
{
    kinds_done[o->c.kind] += o->c.result == RESULT_OK && !o->c.repeated;
    if (o->c.kind == COMMAND_APPEND && o->c.id > s->head) {
        s->head = s->last_id = o->c.id;
        snprintf(s->last_topic, sizeof(s->last_topic), "%.*s",
                 (int)o->c.message->topic.len,
                 (const char *)o->c.message->topic.data);
    }
    if (o->c.kind == COMMAND_KEY_CREATE && o->c.result == RESULT_OK)
        learn_key(s, o->c.args);
    if (o->c.kind != COMMAND_SESSION_OPEN)
        return;
    const struct session_open *open = o->c.args;
    const char *id = open->identity.data;
    s->numbers[id[open->identity.len - 1] - '0'] = open->number;
}

static void run_group(struct scene *s)
{
    const size_t n = 1 + random_below(one_in(3) ? GROUP : 3);

    for (size_t i = 0; i < n; i++)
        s->group[i] = any_command(s, i);
    if (n == 1) {
        submit(s->w, s->group[0]);
        wait_for(s->group[0]);
    } else {
        run_together(s->w, s->group, n);
    }
    for (size_t i = 0; i < n; i++) {
        learn(s, s->group[i]);
        sent_free(s->group[i]);
    }
}

static void let_time_pass(void)
{
    static const int64_t steps[] = {1000, SECOND, 70 * SECOND, 700 * SECOND};

    clock_advance(steps[random_below(one_in(4) ? COUNT(steps) : 2)]);
    if (one_in(60))
        clock_advance(90000 * SECOND); /* over a day */
    if (one_in(150))
        clock_advance(-100 * SECOND); /* set back: a step of the clock */
}

static void set_plans(struct writing *w, uint64_t keep)
{
    writing_plan(w, "free")->retention_count = keep;
    writing_plan(w, "free")->writes_per_hour = 40;
    writing_plan(w, "local")->retention_count = 6;
    writing_plan(w, "local")->sessions_max = 3;
    writing_plan(w, "home")->retention_age = 600;
}

/* More than one command may delete: some of it is hidden until later ones. */
static void trim_a_long_thing(struct writing *w)
{
    struct sent *group[60];

    for (int round = 0; round < 15; round++) {
        for (size_t i = 0; i < COUNT(group); i++)
            group[i] = new_append("long", "v");
        run_together(w, group, COUNT(group));
        for (size_t i = 0; i < COUNT(group); i++)
            sent_free(group[i]);
    }
    assert_int_equal(trim(w, "long", UINT64_MAX).removed, 900);
    wait_for_leftovers(w);
}

/* Hidden entries that nobody has deleted yet come only from a long thing, at the
 * end. */
static bool is_complete(void)
{
    for (unsigned i = 0; i < COMMAND_KIND_COUNT; i++) {
        if (kinds_seen[i] == 0 && i != COMMAND_HIDDEN_DELETE)
            return false;
        if (kinds[i].make != NULL && kinds_done[i] == 0)
            return false;
    }
    return true;
}

/* `steps` entries, and then some more until every kind was among them: chance, and
 * how the writer groups them, decide when that is. */
static void make_recording(struct writing *w, size_t steps)
{
    const size_t most = 20 * steps;

    struct scene *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->w = w;
    w->on_entry = record;
    writing_stop(w);
    set_plans(w, 4);
    writing_start(w);
    for (size_t i = 0;
         entry_count < steps || (entry_count < most && !is_complete()); i++) {
        run_group(s);
        let_time_pass();
        if (i % 25 == 24) { /* sessions were connected; other plans */
            writing_stop(w);
            set_plans(w, 3 + i / 25 % 3);
            writing_start(w);
            clock_advance(61 * SECOND); /* the walks are due */
        }
    }
    trim_a_long_thing(w);
    (void)append(w, "t0/last", "v"); /* settings are in a commit with it */
    writing_stop(w);
    free(s);
}

/* ---- replaying ------------------------------------------------------------- */

struct replica {
    char dir[96];
    struct config config;
    struct store *store;
    struct transaction t;
};

static void replica_open(struct replica *r, const char *under, uint64_t map)
{
    const struct store_opts opts = {.map_size = map};

    snprintf(r->dir, sizeof(r->dir), "%s/confab-replay-XXXXXX", under);
    assert_non_null(mkdtemp(r->dir));
    assert_int_equal(store_open(r->dir, &opts, &r->store, NULL), STORE_OK);
    /* Flushing must not matter; on a disk it would take most of the time. */
    mdb_env_set_flags(r->store->env.env, MDB_NOSYNC, *under == '.');
    config_defaults(&r->config);
    r->config.tokens_access = ACCESS_REGISTERED; /* must not matter */
    r->config.limits_token_share = 1 + random_below(100);
    assert_int_equal(transaction_init(&r->t, r->store, &r->config), STORE_OK);
}

static void replica_close(struct replica *r)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "confab.lock"};
    char path[128];

    transaction_release(&r->t);
    store_close(r->store);
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", r->dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(r->dir), 0);
}

/* One entry of the open transaction. */
static void replay_one(struct transaction *t, struct slice bytes)
{
    struct command_memory *memory;
    struct command c;
    const char *wrong = entry_decode(bytes, &c, &t->in, &memory);

    if (wrong != NULL)
        fail_msg("%s", wrong);
    assert_int_equal(command_types[c.kind]->apply(t, &c), STORE_OK);
    command_memory_free(memory);
}

/* All entries, in groups of a random number up to `most`. */
static void replay(struct replica *r, int64_t now_us, uint64_t most)
{
    struct transaction *t = &r->t;

    for (size_t i = 0; i < entry_count;) {
        const size_t n = 1 + random_below(most);
        assert_int_equal(transaction_begin(t, 2 * n, now_us, SECOND),
                         STORE_OK);
        assert_int_equal(transaction_open(t), STORE_OK);
        for (size_t k = 0; k < n && i < entry_count; k++, i++)
            replay_one(t, entry_bytes(i));
        assert_int_equal(transaction_commit(t), STORE_OK);
        batch_unref(t->batch);
        t->batch = NULL;
        now_us += SECOND;
    }
}

/* ---- comparing ------------------------------------------------------------- */

static bool is_node_local(const char *database, MDB_val key)
{
    static const char *const local[] = {
#define X(name) name,
        META_NODE_LOCAL(X)
#undef X
    };

    if (strcmp(database, "meta") != 0)
        return false;
    for (size_t i = 0; i < COUNT(local); i++)
        if (slice_eq(slice_of(key.mv_data, key.mv_size), slice_str(local[i])))
            return true;
    return false;
}

static int next_row(MDB_cursor *cursor, const char *database, MDB_val *k,
                    MDB_val *v)
{
    int rc;

    do
        rc = mdb_cursor_get(cursor, k, v, MDB_NEXT);
    while (rc == 0 && is_node_local(database, *k));
    return rc;
}

static void compare_database(MDB_txn *a, MDB_dbi a_dbi, MDB_txn *b,
                             MDB_dbi b_dbi, const char *name)
{
    MDB_cursor *one, *other;
    MDB_val ak, av, bk, bv;
    size_t rows = 0;

    assert_int_equal(mdb_cursor_open(a, a_dbi, &one), 0);
    assert_int_equal(mdb_cursor_open(b, b_dbi, &other), 0);
    for (;; rows++) {
        const int rc = next_row(one, name, &ak, &av);
        if (rc != next_row(other, name, &bk, &bv))
            fail_msg("%s: one store has more rows than the other, behind %zu",
                     name, rows);
        if (rc != 0)
            break;
        if (!slice_eq(slice_of(ak.mv_data, ak.mv_size),
                      slice_of(bk.mv_data, bk.mv_size)) ||
            !slice_eq(slice_of(av.mv_data, av.mv_size),
                      slice_of(bv.mv_data, bv.mv_size)))
            fail_msg("%s: row %zu differs: '%.*s' and '%.*s'", name, rows,
                     (int)ak.mv_size, (char *)ak.mv_data, (int)bk.mv_size,
                     (char *)bk.mv_data);
    }
    mdb_cursor_close(one);
    mdb_cursor_close(other);
}

static void compare(struct store *a, struct store *b)
{
    struct store_env *one = store_env(a), *other = store_env(b);
    MDB_txn *ta, *tb;

    assert_int_equal(mdb_txn_begin(one->env, NULL, MDB_RDONLY, &ta), 0);
    assert_int_equal(mdb_txn_begin(other->env, NULL, MDB_RDONLY, &tb), 0);
#define X(field, name, flags)                                                 \
    compare_database(ta, one->db.field, tb, other->db.field, name);
    SCHEMA_DATABASES(X)
#undef X
    mdb_txn_abort(ta);
    mdb_txn_abort(tb);
}

/* ---- the claims ------------------------------------------------------------ */

static void every_kind_was_recorded(void)
{
    for (unsigned i = 0; i < COMMAND_KIND_COUNT; i++) {
        const char *name = command_types[i]->name;

        if (kinds[i].make == NULL && !kinds[i].is_proposed)
            fail_msg("%s: no row in kinds[] says how it is made", name);
        if (kinds_seen[i] == 0)
            fail_msg("%s: the recording has none", name);
        if (kinds[i].make != NULL && kinds_done[i] == 0)
            fail_msg("%s: all of them were refused", name);
    }
}

/* Containers often give it 64 MiB only. */
static bool roomy(const char *dir)
{
    struct statvfs fs;

    return access(dir, W_OK) == 0 && statvfs(dir, &fs) == 0 &&
           (uint64_t)fs.f_bavail * fs.f_frsize > UINT64_C(512) << 20;
}

static void write_corpus(const char *dir)
{
    size_t longest[COMMAND_KIND_COUNT] = {0};
    struct command_memory *memory;
    struct admission in;
    struct command c;
    char path[512];

    for (size_t i = 0; i < entry_count; i++) {
        const struct slice bytes = entry_bytes(i);
        assert_null(entry_decode(bytes, &c, &in, &memory));
        command_memory_free(memory);
        if (bytes.len >= 1024 || bytes.len <= longest[c.kind])
            continue;
        longest[c.kind] = bytes.len;
        snprintf(path, sizeof(path), "%s/%s", dir,
                 command_types[c.kind]->name);
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(bytes.data, 1, bytes.len, f), bytes.len);
        assert_int_equal(fclose(f), 0);
    }
}

static void the_log_of_commands_alone_makes_the_rows(void **state)
{
    const uint64_t rounds = setting("REPLAY_ROUNDS", 100);
    struct replica *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
    const char *in_memory = roomy("/dev/shm") ? "/dev/shm" : "/tmp";
    struct store *original = NULL;
    struct writing w;
    (void)state;

    assert_true(a != NULL && b != NULL);
    chance = setting("REPLAY_SEED", 20261130);
    writing_open(&w, 0);
    make_recording(&w, setting("REPLAY_STEPS", 3000));
    every_kind_was_recorded();
    if (getenv("ENTRY_CORPUS") != NULL)
        write_corpus(getenv("ENTRY_CORPUS"));
    assert_int_equal(
        store_open(w.dir, &(struct store_opts){0}, &original, NULL), STORE_OK);
    for (uint64_t i = 0; i < rounds; i++) {
        replica_open(a, in_memory, 0);
        replica_open(b, ".", UINT64_C(64) << 20);
        replay(a, TEST_EPOCH - 500 * 86400 * SECOND, 1 + i * 3);
        replay(b, TEST_EPOCH + 900 * 86400 * SECOND, 1 + random_below(2000));
        compare(a->store, b->store);
        compare(a->store, original);
        replica_close(a);
        replica_close(b);
    }
    store_close(original);
    writing_close(&w);
    free(a);
    free(b);
}

/* What is cut off or longer is refused; what is decoded is encoded the same. */
static void an_entry_is_read_whole_or_not_at_all(void **state)
{
    struct command c;
    struct admission in;
    struct command_memory *memory;
    struct buffer again = BUFFER_INIT;
    (void)state;

    assert_true(entry_count > 0);
    for (size_t i = 0; i < entry_count; i++) {
        const struct slice bytes = entry_bytes(i);
        assert_null(entry_decode(bytes, &c, &in, &memory));
        buffer_clear(&again);
        entry_encode(&again, &in, &c);
        assert_true(slice_eq(buffer_slice(&again), bytes));
        command_memory_free(memory);
        const size_t shorter[] = {bytes.len - 1, random_below(bytes.len)};
        for (size_t k = 0; k < COUNT(shorter); k++)
            assert_non_null(entry_decode(slice_of(bytes.data, shorter[k]), &c,
                                         &in, &memory));
        buffer_put_char(&again, '\0');
        assert_non_null(entry_decode(buffer_slice(&again), &c, &in, &memory));
    }
    buffer_release(&again);
    buffer_release(&recorded);
    free(ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_of_commands_alone_makes_the_rows),
        cmocka_unit_test(an_entry_is_read_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
