/* What an append does to a session in its transaction (struct session_mark). */
#include "store/write/account.h"
#include "store/write/session_write.h"

#define INFLIGHT_KEY 11
#define MARK_COST account_row_cost(INFLIGHT_KEY, 2)

enum command_result session_mark_verdict(struct transaction *t,
                                         const struct session_mark *m)
{
    struct token *who;

    if (m->number == 0 || m->packet_id == 0)
        return RESULT_OK;
    return account_of(t, session_token(m->identity), &who) == STORE_OK
               ? account_verdict(t, who, MARK_COST)
               : RESULT_IO;
}

static enum store_err mark_inbound(struct transaction *t, struct token *who,
                                   const struct session_mark *m)
{
    const struct session_inflight i = {.inbound = true};
    struct schema_key key;

    schema_inflight_key(m->number, true, m->packet_id, &key);
    buffer_clear(&t->row);
    schema_put_inflight(&t->row, &i);
    return account_put(t, who, ACCOUNT_SESSIONS, t->e->db.inflight,
                       schema_val(&key));
}

enum store_err session_mark_apply(struct transaction *t,
                                  const struct session_mark *m)
{
    struct session_row row;
    struct token *who;

    if (m->number == 0)
        return STORE_OK;
    enum store_err err = account_of(t, session_token(m->identity), &who);
    if (err != STORE_OK)
        return err;
    if (m->packet_id == 0)
        return session_put_will(t, who, m->number, NULL);
    err = session_find(t, m->identity, &row);
    if (err != STORE_OK || row.number != m->number)
        return err == STORE_NOTFOUND || err == STORE_CORRUPT ? STORE_OK : err;
    return mark_inbound(t, who, m);
}
