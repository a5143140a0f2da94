#include "test/unit/broker/session_commands.h"

enum command_result open_session(struct writing *w, struct slice identity,
                                 uint32_t expiry_s, const struct message *will,
                                 uint64_t *ret_number)
{
    static uint64_t fresh = 1000;
    struct session_open open = {
        .identity = identity,
        .expiry_s = expiry_s,
        .fresh_number = fresh++,
        .will = will,
        .will_delay_s = 5,
    };
    struct sent *s = new_command(COMMAND_SESSION_OPEN);

    s->c.args = &open;
    const enum command_result result = run(w, s).result;
    if (result == RESULT_OK)
        *ret_number = open.number;
    return result;
}

enum command_result save_session(struct writing *w,
                                 const struct session_save *save)
{
    struct sent *s = new_command(COMMAND_SESSION_SAVE);

    *ARGS(s, session_save) = *save;
    return run(w, s).result;
}

enum command_result end_session(struct writing *w, struct slice identity,
                                uint64_t number, uint32_t expiry_s)
{
    const struct session_save save = {.identity = identity,
                                      .number = number,
                                      .ends = true,
                                      .expiry_s = expiry_s,
                                      .ended_us = clock_now()};

    return save_session(w, &save);
}

enum command_result save_group(struct writing *w,
                               const struct group_save *save)
{
    struct sent *s = new_command(COMMAND_GROUP_SAVE);

    *ARGS(s, group_save) = *save;
    return run(w, s).result;
}
