#include "benchmarks/load/jetstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

#define WHAT "JetStream"

enum { PATIENCE_S = 10 };

static bool contains(const struct nats_text *text, const char *word)
{
    return memmem(text->at, text->len, word, strlen(word)) != NULL;
}

/* An answer of the API: an error, or a status without payload when nobody
 * listens, as without -js. */
static void check_answer(const struct nats_message *m)
{
    if (m->payload.len == 0)
        fatal(WHAT ": %.*s (does nats-server run with -js?)",
              (int)m->headers.len, m->headers.at);
    if (contains(&m->payload, "\"error\":"))
        fatal(WHAT ": %.*s", (int)m->payload.len, m->payload.at);
}

/* ---- streams ------------------------------------------------------------ */

struct jetstream_request {
    struct nats_client client;
    bool answered;
};

static void on_created(struct nats_client *c, const struct nats_message *m,
                       int64_t now_ns)
{
    (void)now_ns;
    check_answer(m);
    ((struct jetstream_request *)c)->answered = true;
}

void jetstream_create(struct loop *l, const struct sockaddr_in *to,
                      const char *name)
{
    const int64_t give_up_ns = instant_ns() + PATIENCE_S * NS_PER_S;
    struct jetstream_request r = {.client.message = on_created};
    char subject[128], config[320];

    snprintf(subject, sizeof(subject), "$JS.API.STREAM.CREATE.%s", name);
    snprintf(config, sizeof(config),
             "{\"name\":\"%s\",\"subjects\":[\"%s.>\"],\"storage\":\"file\","
             "\"retention\":\"limits\",\"discard\":\"old\","
             "\"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":-1,"
             "\"num_replicas\":1}",
             name, name);
    nats_client_open(&r.client, l, to);
    nats_put_subscribe(&r.client.conn.out, "_INBOX.create", 1);
    nats_put_publish(&r.client.conn.out, nats_text(subject),
                     nats_text("_INBOX.create"), config, strlen(config));
    while (!r.answered) {
        loop_turn(l, instant_ns() + 100 * NS_PER_MS);
        if (instant_ns() > give_up_ns)
            fatal(WHAT ": no answer for %d s", PATIENCE_S);
    }
    conn_close(&r.client.conn);
}

/* ---- publishers --------------------------------------------------------- */

/* The inbox's last word is the number of the message. */
static uint64_t number_in(const struct nats_text *subject)
{
    const char *dot = memrchr(subject->at, '.', subject->len);

    return dot != NULL ? strtoull(dot + 1, NULL, 10) : UINT64_MAX;
}

static uint64_t seq_in(const struct nats_text *ack)
{
    static const char mark[] = "\"seq\":";
    const char *at = memmem(ack->at, ack->len, mark, sizeof(mark) - 1);

    return at != NULL ? strtoull(at + sizeof(mark) - 1, NULL, 10) : 0;
}

static void on_ack(struct nats_client *c, const struct nats_message *m,
                   int64_t now_ns)
{
    struct jetstream_publisher *p = (struct jetstream_publisher *)c;

    check_answer(m);
    const uint64_t seq = seq_in(&m->payload);

    if (number_in(&m->subject) != p->acknowledged)
        fatal(WHAT ": publisher %u: acknowledgement %.*s instead of %llu: "
                   "lost or out of order",
              p->tag, (int)m->subject.len, m->subject.at,
              (unsigned long long)p->acknowledged);
    if (seq <= p->last_seq)
        fatal(WHAT ": publisher %u: sequence %llu after %llu", p->tag,
              (unsigned long long)seq, (unsigned long long)p->last_seq);
    p->last_seq = seq;
    p->acknowledged++;
    p->on_acknowledged(p, now_ns);
}

void jetstream_publisher_open(struct jetstream_publisher *p, struct loop *l,
                              const struct sockaddr_in *to, unsigned number)
{
    char filter[64];

    snprintf(p->inbox, sizeof(p->inbox), "_INBOX.%d-%u", (int)getpid(),
             number);
    snprintf(filter, sizeof(filter), "%s.*", p->inbox);
    p->client.message = on_ack;
    nats_client_open(&p->client, l, to);
    nats_put_subscribe(&p->client.conn.out, filter, 1);
}

void jetstream_publish(struct jetstream_publisher *p, const char *subject,
                       const char *payload, size_t len)
{
    char reply[80];
    const int reply_len = snprintf(reply, sizeof(reply), "%s.%llu", p->inbox,
                                   (unsigned long long)p->sent++);

    nats_put_publish(&p->client.conn.out, nats_text(subject),
                     (struct nats_text){reply, (size_t)reply_len}, payload,
                     len);
    conn_send_later(&p->client.conn);
}

/* ---- readers ------------------------------------------------------------ */

/* Status 100: a request to answer (flow control), or a heartbeat that may name
 * such a request that was missed. */
static void take_status(struct jetstream_reader *r,
                        const struct nats_message *m)
{
    static const char stalled[] = "Nats-Consumer-Stalled: ";
    struct nats_text to = m->reply;
    const char *at =
        memmem(m->headers.at, m->headers.len, stalled, sizeof(stalled) - 1);

    if (!contains(&m->headers, "NATS/1.0 100"))
        fatal(WHAT ": %.*s", (int)m->headers.len, m->headers.at);
    if (at != NULL) {
        at += sizeof(stalled) - 1;
        to = (struct nats_text){at, strcspn(at, "\r")};
    }
    if (to.len == 0)
        return;
    nats_put_publish(&r->client.conn.out, to, (struct nats_text){NULL, 0},
                     NULL, 0);
    conn_send_later(&r->client.conn);
}

enum { SID_MESSAGES = 1, SID_ANSWER = 2 };

static void on_message(struct nats_client *c, const struct nats_message *m,
                       int64_t now_ns)
{
    struct jetstream_reader *r = (struct jetstream_reader *)c;

    if (m->sid == SID_ANSWER)
        check_answer(m);
    else if (m->headers.len > 0)
        take_status(r, m);
    else
        ledger_deliver(r->ledger, &r->book, m->payload.at, m->payload.len,
                       now_ns);
}

/* The settings of the official clients' ordered consumers. */
void jetstream_reader_open(struct jetstream_reader *r, struct loop *l,
                           const struct sockaddr_in *to, const char *stream,
                           struct ledger *ledger)
{
    static const char inbox[] = "_INBOX.replay";
    static const char answer[] = "_INBOX.replay-created";
    struct bytes *out = &r->client.conn.out;
    char subject[128], config[512];

    r->client.message = on_message;
    r->ledger = ledger;
    snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.CREATE.%s", stream);
    snprintf(config, sizeof(config),
             "{\"stream_name\":\"%s\",\"config\":{\"deliver_subject\":\"%s\","
             "\"deliver_policy\":\"all\",\"replay_policy\":\"instant\","
             "\"ack_policy\":\"none\",\"max_deliver\":1,"
             "\"flow_control\":true,\"idle_heartbeat\":5000000000,"
             "\"mem_storage\":true,\"num_replicas\":1}}",
             stream, inbox);
    nats_client_open(&r->client, l, to);
    nats_put_subscribe(out, inbox, SID_MESSAGES);
    nats_put_subscribe(out, answer, SID_ANSWER);
    nats_put_publish(out, nats_text(subject), nats_text(answer), config,
                     strlen(config));
}
