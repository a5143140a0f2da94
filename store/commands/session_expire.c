/* A session is over, or its token was revoked: removes it, or as many of its rows as
 * the admission says. One that is connected (again) stays. */
#include "store/commands/commands.h"
#include "store/write/session_write.h"

static void session_expire_decide(struct transaction *t,
                                  const struct command *c)
{
    (void)c;
    admission_measure_deletions(t);
}

static enum store_err session_expire_apply(struct transaction *t,
                                           struct command *c)
{
    const struct session_mark *mark = c->args;
    unsigned left = t->in.rows;
    struct session_row row;

    enum store_err err = session_find(t, mark->identity, &row);
    if (err == STORE_NOTFOUND || err == STORE_CORRUPT ||
        (err == STORE_OK &&
         (row.number != mark->number || row.ended_us == 0))) {
        c->result = RESULT_NOT_FOUND;
        return STORE_OK;
    }
    if (err == STORE_OK && left > 0)
        err = session_delete_some(t, &row, &left);
    t->in.rows = left;
    c->more = left == 0;
    t->sessions_expired += err == STORE_OK && left > 0;
    return err;
}

static const struct command_field fields[] = {
    {"session", FIELD_U64, FIELD_REQUIRED,
     offsetof(struct session_mark, number), 0, UINT64_MAX,
     "session: its number"},
    {"identity", FIELD_TEXT, FIELD_REQUIRED,
     offsetof(struct session_mark, identity), 0, UINT64_MAX,
     "identity: token, NUL, client id"},
};

const struct command_type session_expire_command = {
    .name = "session_expire",
    .args_size = sizeof(struct session_mark),
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
    .decide = session_expire_decide,
    .apply = session_expire_apply,
};
