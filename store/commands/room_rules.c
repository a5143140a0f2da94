#include "store/commands/room_rules.h"

#include <string.h>

#include "base/net/address_range.h"
#include "store/write/ban_write.h"

#define SECOND_US INT64_C(1000000)

/* The refusal says when the message would be accepted; 0: never. */
static void refuse(const struct transaction *t, struct command *c,
                   enum command_result result, int64_t at_us)
{
    const int64_t wait_us = at_us - t->in.now_us;
    const int64_t wait_s = (wait_us + SECOND_US - 1) / SECOND_US;

    c->result = result;
    c->at_us = at_us;
    if (at_us != 0)
        c->retry_after_s = wait_s > UINT32_MAX ? UINT32_MAX : (uint32_t)wait_s;
}

/* ---- bans ------------------------------------------------------------------------ */

/* A damaged ban forbids nothing; `confab check` tells of it. */
static enum store_err look_for_ban(struct transaction *t, struct slice tenant,
                                   struct slice room, struct slice who,
                                   bool *ret_is_banned, int64_t *until_us)
{
    struct ban_row row;

    const enum store_err err = ban_load(t, tenant, room, who, &row);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND || err == STORE_CORRUPT ? STORE_OK : err;
    if (!ban_holds(&row, t->in.now_us))
        return STORE_OK;
    if (!*ret_is_banned ||
        (*until_us != 0 && (row.until_us == 0 || row.until_us > *until_us)))
        *until_us = row.until_us;
    *ret_is_banned = true;
    return STORE_OK;
}

/* From this room, or from all. */
static enum store_err look_for_bans(struct transaction *t, struct command *c,
                                    const struct room_row *room,
                                    struct slice who)
{
    const struct slice all = slice_of(NULL, 0);
    int64_t until_us = c->at_us;
    bool is_banned = c->result == RESULT_BANNED;

    enum store_err err =
        look_for_ban(t, room->tenant, room->room, who, &is_banned, &until_us);
    if (err == STORE_OK)
        err = look_for_ban(t, room->tenant, all, who, &is_banned, &until_us);
    if (err == STORE_OK && is_banned)
        refuse(t, c, RESULT_BANNED, until_us);
    return err;
}

static enum store_err check_bans(struct transaction *t, struct command *c,
                                 const struct room_row *room,
                                 struct slice address)
{
    const struct slice sender = c->message->sender;
    char range[1 + ADDRESS_RANGE_MAX];
    enum store_err err = STORE_OK;

    if (!ban_exists_any(t))
        return STORE_OK;
    if (*(const char *)sender.data != '@') /* else it is an address */
        err = look_for_bans(t, c, room, sender);
    if (err != STORE_OK || address.len == 0)
        return err;
    range[0] = '@';
    memcpy(range + 1, address.data, address.len);
    return look_for_bans(t, c, room, slice_of(range, 1 + address.len));
}

/* ---- slow mode ------------------------------------------------------------------- */

/* When the member may send again. A time to come is that of a clock that was set back
 * since: nobody waits for that. */
static int64_t accepted_from_us(const struct transaction *t,
                                const struct member_row *member,
                                int64_t slow_us)
{
    return member->posted_us == 0 || member->posted_us > t->in.now_us
               ? 0
               : member->posted_us + slow_us;
}

static void make_member(struct transaction *t, const struct command *c,
                        struct room_post *post)
{
    struct member_row *m = &post->member;
    struct slice role = slice_str(ROLE_DEFAULT);

    if (post->is_member)
        role = m->role;
    else
        *m = (struct member_row){.joined_us = people_now_us(t, c)};
    /* Copied: the row of before moves when others are written. */
    if (role.len > sizeof(post->role))
        role.len = sizeof(post->role);
    memcpy(post->role, role.data, role.len);
    m->role = slice_of(post->role, role.len);
    m->tenant = post->room.row.tenant;
    m->room = post->room.row.room;
    m->user = c->message->sender;
    m->posted_us = t->in.now_us;
    if (!post->is_member) /* as large as they get, for what it costs */
        m->acked_seq = m->read_seq = UINT64_MAX;
}

static void weigh(struct transaction *t, const struct command *c,
                  struct room_post *post, uint64_t before)
{
    make_member(t, c, post);
    const uint64_t after = member_cost(t, &post->member);
    post->cost = after > before ? after - before : 0;
    if (!post->is_new_user)
        return;
    post->user = people_new_user(t, c, post->member.tenant, post->member.user);
    post->cost += user_cost(t, &post->user);
}

static enum store_err check_slow_mode(struct transaction *t, struct command *c,
                                      struct room_post *post, int64_t slow_us)
{
    const struct room_row *room = &post->room.row;
    const struct slice sender = c->message->sender;

    enum store_err err = people_member_user(t, c, room->tenant, sender, true,
                                            &post->is_new_user);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    err = people_found(
        c, member_load(t, room->tenant, room->room, sender, &post->member),
        &post->is_member);
    if (err != STORE_OK || c->result != RESULT_OK)
        return err;
    uint64_t before = 0;
    if (post->is_member) {
        const int64_t from_us = accepted_from_us(t, &post->member, slow_us);
        if (from_us > t->in.now_us) {
            refuse(t, c, RESULT_SLOW_MODE, from_us);
            return STORE_OK;
        }
        before = member_cost(t, &post->member);
    }
    weigh(t, c, post, before);
    return STORE_OK;
}

/* ---- both ------------------------------------------------------------------------ */

enum store_err room_rules_check_sender(struct transaction *t,
                                       struct command *c, struct slice address,
                                       struct room_post *post)
{
    const struct slice sender = c->message->sender;
    struct slice tenant, id;

    if (!room_of_topic(c->message->topic, &tenant, &id) ||
        !user_id_valid(sender))
        return STORE_OK;
    enum store_err err = room_load(t, tenant, id, &post->room);
    if (err != STORE_OK) /* a damaged room has no rules */
        return err == STORE_NOTFOUND || err == STORE_CORRUPT ? STORE_OK : err;
    err = check_bans(t, c, &post->room.row, address);
    const int64_t slow_us = room_slow_mode(&post->room.row) * SECOND_US;
    if (err != STORE_OK || c->result != RESULT_OK || slow_us == 0) {
        room_copy_release(&post->room);
        return err;
    }
    post->is_slow = true;
    return check_slow_mode(t, c, post, slow_us);
}

/* Who becomes a member by a message has read what is there, this one included. */
enum store_err room_rules_note_sender(struct transaction *t,
                                      const struct command *c,
                                      struct token *payer,
                                      struct room_post *post)
{
    struct member_row *m = &post->member;
    enum store_err err = STORE_OK;

    if (!post->is_member)
        m->acked_seq = m->read_seq = c->seq;
    if (post->is_new_user)
        err = user_store(t, payer, &post->user, slice_of("", 0));
    if (err == STORE_OK)
        err = member_store(t, payer, m, &post->room.row);
    return err == STORE_OK && !post->is_member
               ? room_store(t, payer, &post->room.row)
               : err;
}
