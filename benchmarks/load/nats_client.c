#include "benchmarks/load/nats_client.h"

#include "benchmarks/measure/fatal.h"

#define WHAT "NATS client"

static void take(struct nats_client *c, const struct nats_message *m,
                 int64_t now_ns)
{
    switch (m->type) {
    case NATS_MSG: c->message(c, m, now_ns); break;
    case NATS_PING:
        bytes_put_str(&c->conn.out, "PONG\r\n");
        conn_send_later(&c->conn);
        break;
    case NATS_PONG: c->connected = true; break;
    case NATS_ERR: fatal(WHAT ": %.*s", (int)m->rest.len, m->rest.at);
    case NATS_INFO:
    case NATS_OK: break;
    }
}

static size_t on_data(struct conn *conn, const char *data, size_t len,
                      int64_t now_ns)
{
    struct nats_client *c = (struct nats_client *)conn;
    struct nats_message m;
    size_t used = 0;
    int found;

    while ((found = nats_message_next(data + used, len - used, &m)) > 0) {
        take(c, &m, now_ns);
        used += m.total;
    }
    if (found < 0)
        fatal(WHAT ": malformed message");
    return used;
}

void nats_client_open(struct nats_client *c, struct loop *l,
                      const struct sockaddr_in *to)
{
    static const struct conn_events events = {WHAT, NULL, on_data};

    nats_put_connect(&c->conn.out);
    bytes_put_str(&c->conn.out, "PING\r\n");
    conn_open(&c->conn, l, to, &events);
}
