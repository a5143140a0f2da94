/* The process that had the session's connection was killed: the connection ended at
 * the command's time, and its will is due after its delay. */
#include "store/commands/commands.h"
#include "store/write/account.h"
#include "store/write/session_write.h"

#define SECOND_US INT64_C(1000000)

static void end_now(struct session_row *row, int64_t now_us)
{
    const uint32_t wait_s =
        row->will_delay_s < row->expiry_s ? row->will_delay_s : row->expiry_s;

    row->ended_us = now_us;
    row->will_due_us = row->has_will ? now_us + wait_s * SECOND_US : 0;
}

static enum store_err session_lost_apply(struct transaction *t,
                                         struct command *c)
{
    const struct session_mark *mark = c->args;
    struct session_row row;
    struct token *who;

    enum store_err err = session_find(t, mark->identity, &row);
    if (err == STORE_NOTFOUND || err == STORE_CORRUPT ||
        (err == STORE_OK &&
         (row.number != mark->number || row.ended_us != 0))) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (err != STORE_OK)
        return err;
    end_now(&row, t->in.now_us);
    err = account_of(t, session_token(mark->identity), &who);
    return err == STORE_OK ? session_put(t, who, &row) : err;
}

static const struct command_field fields[] = {
    {"session", FIELD_U64, FIELD_REQUIRED,
     offsetof(struct session_mark, number), 0, UINT64_MAX,
     "session: its number"},
    {"identity", FIELD_TEXT, FIELD_REQUIRED,
     offsetof(struct session_mark, identity), 0, UINT64_MAX,
     "identity: token, NUL, client id"},
};

const struct command_type session_lost_command = {
    .name = "session_lost",
    .args_size = sizeof(struct session_mark),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .apply = session_lost_apply,
};
