#include "benchmarks/churn/publisher.h"

#include <string.h>

#include "benchmarks/churn/fault.h"
#include "benchmarks/churn/mqtt.h"
#include "benchmarks/churn/report.h"
#include "benchmarks/measure/instant.h"

#define WITHOUT_A_WORD 0.2 /* share that goes like this */
#define LONGEST_AWAY_S 5.0

static int64_t pause_ns(struct churn_publisher *p)
{
    const struct world *w = p->world;
    const double mean_s = w->lane_count / w->rate;

    return world_between(p->world, mean_s / 2, mean_s * 1.5);
}

void publisher_set(struct churn_publisher *p, enum publisher_state state,
                   int64_t now_ns)
{
    p->state = state;
    p->since_ns = now_ns;
}

static void go_away(struct churn_publisher *p, int64_t now_ns)
{
    publisher_set(p, PUBLISHER_AWAY, now_ns);
    p->due_ns = now_ns + world_between(p->world, 0.5, LONGEST_AWAY_S);
}

/* The connection ended and took along what was under way. */
static void cut(struct churn_publisher *p, int64_t now_ns)
{
    const bool comes_again = p->lane->kind == LANE_QOS2 ||
                             (p->lane->kind == LANE_HTTP && p->world->keys);

    if (!comes_again) {
        p->pending_count = 0;
        lane_give_up(p->lane);
    }
    report.cut++;
    go_away(p, now_ns);
}

void publisher_lost(struct socket *s, const char *why)
{
    struct churn_publisher *p = (struct churn_publisher *)s;
    const int64_t now_ns = instant_ns();

    if (p->state == PUBLISHER_LEAVING) {
        go_away(p, now_ns); /* as it should */
        return;
    }
    if (!p->world->down)
        report_error("publisher %u: connection lost: %s", p->number, why);
    cut(p, now_ns);
}

void publisher_fail(struct churn_publisher *p, const char *what)
{
    report_error("publisher %u (kind %d): %s", p->number, (int)p->lane->kind,
                 what);
    socket_close(&p->socket, true);
    cut(p, instant_ns());
}

void publisher_init(struct churn_publisher *p, struct world *w,
                    unsigned number)
{
    *p = (struct churn_publisher){
        .world = w, .lane = &w->lanes[number], .number = number, .next_id = 1};
    p->due_ns = instant_ns() + world_between(w, 1, LONGEST_AWAY_S);
}

void publisher_arrived(struct churn_publisher *p)
{
    struct world *w = p->world;
    const int64_t now_ns = instant_ns();

    publisher_set(p, PUBLISHER_HERE, now_ns);
    p->due_ns = now_ns + world_between(w, w->stay_min_s, w->stay_max_s);
    p->publish_ns = now_ns + pause_ns(p);
    p->answer_ns = now_ns;
}

void publisher_forget_oldest(struct churn_publisher *p)
{
    p->pending_count--;
    memmove(p->pending, p->pending + 1,
            p->pending_count * sizeof(*p->pending));
    p->answer_ns = instant_ns();
}

static void hand_over(struct churn_publisher *p, const struct pending *m)
{
    if (p->lane->kind == LANE_HTTP)
        publisher_http_send(p, m);
    else
        publisher_mqtt_send(p, m, false);
    socket_send_later(&p->socket);
}

static void publish(struct churn_publisher *p, int64_t now_ns)
{
    struct lane *l = p->lane;
    struct pending m = {.number = l->sent, .sent_ns = now_ns};

    l->sent++;
    report.published++;
    p->publish_ns = now_ns + pause_ns(p);
    if (fault_strikes(FAULT_CLAIM, "publisher")) {
        if (l->kind != LANE_QOS0 && p->pending_count == 0)
            lane_acknowledge(l); /* never sent */
        else
            fault_put_off();
    }
    if (l->owed == l->sent)
        return; /* that fault struck */
    if (l->kind != LANE_QOS0) {
        if (p->pending_count == 0)
            p->answer_ns = now_ns;
        m.packet_id = p->next_id;
        p->next_id = p->next_id == UINT16_MAX ? 1 : (uint16_t)(p->next_id + 1);
        p->pending[p->pending_count++] = m;
    }
    hand_over(p, &m);
}

static bool may_publish(const struct churn_publisher *p)
{
    const unsigned window = p->lane->kind == LANE_HTTP ? 1 : PUBLISHER_WINDOW;

    return p->pending_count < window;
}

static void leave(struct churn_publisher *p, int64_t now_ns)
{
    if (p->lane->kind == LANE_HTTP) {
        socket_close(&p->socket, false);
        go_away(p, now_ns);
        return;
    }
    mqtt_put_disconnect(&p->socket.out);
    publisher_set(p, PUBLISHER_LEAVING, now_ns);
    socket_finish(&p->socket);
}

static void begin_to_leave(struct churn_publisher *p, int64_t now_ns)
{
    if (p->world->phase == PHASE_CHURN &&
        world_random(p->world) < WITHOUT_A_WORD) {
        socket_close(&p->socket, true);
        cut(p, now_ns);
        return;
    }
    publisher_set(p, PUBLISHER_FINISHING, now_ns);
}

/* Who is not done with its messages must come once more, even at the end. */
static bool comes(const struct churn_publisher *p, int64_t now_ns)
{
    if (p->world->down)
        return false;
    return p->pending_count > 0
               ? now_ns >= p->due_ns
               : now_ns >= p->due_ns && p->world->phase == PHASE_CHURN;
}

static void check_patience(struct churn_publisher *p, int64_t now_ns)
{
    const struct world *w = p->world;
    const bool waits =
        p->state == PUBLISHER_COMING || p->state == PUBLISHER_LEAVING;

    if (w->down || p->state == PUBLISHER_AWAY)
        return;
    if (waits && world_patience_ends(w, p->since_ns, now_ns, w->patience_s))
        publisher_fail(p, p->state == PUBLISHER_COMING
                              ? "no answer to CONNECT"
                              : "not let go after DISCONNECT");
    else if (p->pending_count > 0 &&
             world_patience_ends(w, p->answer_ns, now_ns, w->patience_s))
        publisher_fail(p, "a message is not answered");
}

void publisher_tick(struct churn_publisher *p, int64_t now_ns)
{
    switch (p->state) {
    case PUBLISHER_AWAY:
        if (comes(p, now_ns)) {
            publisher_set(p, PUBLISHER_COMING, now_ns);
            p->answer_ns = now_ns;
            report.joined++;
            if (p->lane->kind == LANE_HTTP)
                publisher_http_open(p);
            else
                publisher_mqtt_open(p);
        }
        break;
    case PUBLISHER_HERE:
        if (now_ns >= p->due_ns || p->world->phase != PHASE_CHURN)
            begin_to_leave(p, now_ns);
        else if (now_ns >= p->publish_ns && may_publish(p))
            publish(p, now_ns);
        break;
    case PUBLISHER_FINISHING:
        if (p->pending_count == 0)
            leave(p, now_ns);
        break;
    case PUBLISHER_COMING:
    case PUBLISHER_LEAVING: break;
    }
    check_patience(p, now_ns);
}

void publisher_server_back(struct churn_publisher *p, int64_t now_ns)
{
    if (socket_is_open(&p->socket)) {
        socket_close(&p->socket, true);
        cut(p, now_ns);
    }
    /* Sent long ago with QoS 0, and no reader had it yet: maybe lost. */
    if (p->lane->kind == LANE_QOS0)
        lane_give_up(p->lane);
    p->due_ns = now_ns + world_between(p->world, 0, LONGEST_AWAY_S);
}
