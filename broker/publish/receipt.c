#include "broker/publish/receipt.h"

#include "base/vocabulary.h"
#include "broker/client/shard.h"
#include "broker/wire/packet_encode.h"

#define PAIRS_MAX 8
#define PLAIN_ACK_SIZE 4                 /* of an acknowledgement of success */
#define PLAIN_SIZE 16                    /* of a PUBACK without detail */
#define DETAILED_SIZE (16 * 1024 + 1024) /* with a result of 16 KiB */

struct details {
    struct packet_pair pairs[PAIRS_MAX];
    size_t count;
    char digits[PAIRS_MAX][20]; /* 2^64 has 20 */
};

static void add_text(struct details *d, const char *name, struct slice value)
{
    d->pairs[d->count++] = (struct packet_pair){slice_str(name), value};
}

static void add_number(struct details *d, const char *name, uint64_t v)
{
    char *digits = d->digits[d->count];
    size_t at = sizeof(d->digits[0]);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    add_text(d, name, slice_of(digits + at, sizeof(d->digits[0]) - at));
}

static void add_place(struct details *d, const struct command *command)
{
    if (command->id == 0)
        return; /* not a stored message */
    add_number(d, PROP_ID, command->id);
    add_number(d, PROP_SEQ, command->seq);
    add_number(d, PROP_AT, (uint64_t)command->at_us);
}

static void add_details(struct details *d, const struct connection *c,
                        const struct publish *q)
{
    const struct command *command = &q->command;

    if (c->role == ROLE_ADMIN) {
        add_number(d, PROP_STATUS, (uint64_t)q->status);
        if (q->result != NULL)
            add_text(d, PROP_RESULT, slice_of(q->result, q->result_len));
        if (command->remaining != UINT64_MAX && command->done != NULL &&
            !q->is_command)
            add_number(d, PROP_REMAINING, command->remaining);
        if (command->repeated)
            add_text(d, PROP_REPEAT, slice_str("1"));
    }
    if (c->role == ROLE_ADMIN || c->receipts)
        add_place(d, command);
    if (command->result == RESULT_BANNED ||
        command->result == RESULT_SLOW_MODE)
        add_number(d, PROP_AT, (uint64_t)command->at_us);
    if (command->retry_after_s > 0)
        add_number(d, PROP_RETRY_AFTER, command->retry_after_s);
}

static bool send_detailed(struct connection *c, const struct publish *q)
{
    struct worker *w = c->worker;
    struct details d = {.count = 0};
    struct packet_detail detail = {0};
    uint8_t plain[PLAIN_SIZE];
    uint8_t *to = plain;
    size_t cap = sizeof(plain);

    if (c->terms.version == PACKET_V5) {
        add_details(&d, c, q);
        detail.user = d.pairs;
        detail.user_count = d.count;
        if (q->text != NULL)
            detail.reason_string = slice_str(q->text);
    }
    if (d.count > 0 || q->text != NULL) {
        buffer_clear(&w->scratch);
        if (!buffer_reserve(&w->scratch, DETAILED_SIZE))
            return false;
        to = (uint8_t *)w->scratch.data;
        cap = w->scratch.cap;
    }
    const size_t size =
        packet_encode_ack(&c->terms,
                          q->qos == 2 ? PACKET_PUBREC : PACKET_PUBACK,
                          q->packet_id, q->reason, &detail, to, cap);
    if (size == 0)
        return true; /* exceeds the client's Maximum Packet Size */
    if (!connection_answer(c, to, size))
        return false;
    connection_touch(c);
    return true;
}

/* Success, without properties. */
static bool is_plain(const struct connection *c, const struct publish *q)
{
    if (q->reason != 0 || q->text != NULL)
        return false;
    return c->terms.version < PACKET_V5 ||
           (c->role != ROLE_ADMIN && !c->receipts &&
            c->terms.maximum_packet_size >= PLAIN_ACK_SIZE);
}

/* Four bytes in all versions (MQTT 5 §3.4.2.1); nearly every message gets
 * this one. */
static bool send_plain(struct connection *c, const struct publish *q)
{
    char *to = out_queue_reserve(&c->out, &c->worker->pool, PLAIN_ACK_SIZE);

    if (to == NULL)
        return false;
    to[0] = (char)((q->qos == 2 ? PACKET_PUBREC : PACKET_PUBACK) << 4);
    to[1] = PLAIN_ACK_SIZE - 2;
    to[2] = (char)(q->packet_id >> 8);
    to[3] = (char)q->packet_id;
    counter_add(&c->worker->counters.answers, 1);
    connection_touch(c);
    return true;
}

bool receipt_send(struct connection *c, const struct publish *q)
{
    return is_plain(c, q) ? send_plain(c, q) : send_detailed(c, q);
}
