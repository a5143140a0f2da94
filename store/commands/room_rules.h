/* What a room asks of users who send messages to it, whichever API they use: not to be
 * banned, and to wait `slowMode` seconds (a setting of the room) after their last
 * message. docs/design/2026-11-30-rooms.md. Writer's thread only.
 *
 * A message without a sender (of a device, or of the tenant's own token) and one that
 * belongs to no room are not looked at. */
#ifndef CONFAB_STORE_COMMANDS_ROOM_RULES_H
#define CONFAB_STORE_COMMANDS_ROOM_RULES_H

#include "store/commands/people_command.h"

/* What the message changes besides itself: only where the room has slow mode. */
struct room_post {
    bool is_slow; /* the rest is set */
    bool is_member, is_new_user;
    struct room_copy room;
    struct member_row member; /* as it will be, but for its seqs */
    struct user_row user;
    uint64_t cost; /* bytes that it adds to the tenant's account */
    char role[ROOM_ROLE_MAX];
};

/* The same as below, of a message with a sender and of a post that is_slow. */
enum store_err room_rules_check_sender(struct transaction *t,
                                       struct command *c, struct slice address,
                                       struct room_post *post);
enum store_err room_rules_note_sender(struct transaction *t,
                                      const struct command *c,
                                      struct token *payer,
                                      struct room_post *post);

/* Whether the append may be stored: else c->result is BANNED or SLOW_MODE (with at_us and
 * retry_after_s), or says what is wrong with the sender. `address` may be empty. The caller
 * releases the post, whatever is returned. Inline, since most messages have no sender. */
static inline enum store_err room_rules_check(struct transaction *t,
                                              struct command *c,
                                              struct slice address,
                                              struct room_post *post)
{
    post->is_slow = false;
    post->cost = 0;
    return c->message->sender.len == 0
               ? STORE_OK
               : room_rules_check_sender(t, c, address, post);
}
/* The message is stored: notes when, for its sender. */
static inline enum store_err room_rules_note(struct transaction *t,
                                             const struct command *c,
                                             struct token *payer,
                                             struct room_post *post)
{
    return post->is_slow ? room_rules_note_sender(t, c, payer, post)
                         : STORE_OK;
}
static inline void room_post_release(struct room_post *post)
{
    if (post->is_slow)
        room_copy_release(&post->room);
}

#endif
