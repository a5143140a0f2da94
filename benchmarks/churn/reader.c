#include "benchmarks/churn/reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "benchmarks/churn/fault.h"
#include "benchmarks/churn/mqtt.h"
#include "benchmarks/churn/report.h"
#include "benchmarks/measure/instant.h"

#define WITHOUT_A_WORD 0.25 /* share that goes like this */
#define COMES_BACK 0.5      /* share of SSE readers that resume */
#define COMING_MAX_S 5.0

enum {
    SMALL_BUFFER = 4096, /* of the kernel, for who reads slowly */
    SLOW_BYTES = 24      /* a second */
};

static const struct {
    const char *name;
    unsigned percent;
} kinds[] = {
#define X(name, value, percent) {value, percent},
    READER_KINDS(X)
#undef X
};

const char *reader_kind_name(enum reader_kind kind)
{
    return kinds[kind].name;
}

enum reader_kind reader_kind_of(unsigned number)
{
    /* 37 and 100 have no common divisor: kinds are spread over the numbers. */
    unsigned place = number * 37 % 100;
    unsigned kind = 0;

    while (place >= kinds[kind].percent)
        place -= kinds[kind++].percent;
    return (enum reader_kind)kind;
}

bool reader_is_mqtt(const struct churn_reader *r)
{
    switch (r->kind) {
    case READER_MQTT0:
    case READER_MQTT1:
    case READER_MQTT_ROOM:
    case READER_SESSION:
    case READER_SHARE:
    case READER_SLOW_MQTT:
    case READER_NEVER_MQTT: return true;
    default: return false;
    }
}

static bool never_reads(const struct churn_reader *r)
{
    return r->kind == READER_NEVER_MQTT || r->kind == READER_NEVER_SSE;
}

bool reader_is_slow(const struct churn_reader *r)
{
    return never_reads(r) || r->kind == READER_SLOW_MQTT ||
           r->kind == READER_SLOW_SSE;
}

bool reader_has_room(const struct churn_reader *r)
{
    return r->kind == READER_SSE_ROOM || r->kind == READER_MQTT_ROOM ||
           r->kind == READER_SHARE || never_reads(r);
}

bool reader_stays(const struct churn_reader *r)
{
    return r->kind == READER_SESSION || r->anchor;
}

static void set(struct churn_reader *r, enum reader_state state,
                int64_t now_ns)
{
    r->state = state;
    r->since_ns = now_ns;
}

/* Stored sessions and groups follow rooms without QoS 0. */
static unsigned choose_room(const struct churn_reader *r)
{
    const struct world *w = r->world;
    const unsigned room = r->number / 7 % w->rooms;

    if (r->kind == READER_SHARE)
        return r->group->first / (w->lanes_per_thing * w->room_things);
    if (reader_stays(r) && world_has_qos0(room))
        return room - 2;
    return room;
}

static void init(struct churn_reader *r, struct world *w,
                 enum reader_kind kind, unsigned number)
{
    *r = (struct churn_reader){.world = w, .kind = kind, .number = number};
    snprintf(r->name, sizeof(r->name), "%s-%u", kinds[kind].name, number);
}

static void follow(struct churn_reader *r, unsigned thing)
{
    const struct world *w = r->world;
    const unsigned per_room = w->lanes_per_thing * w->room_things;

    r->thing = thing;
    r->room = thing / w->room_things;
    if (reader_has_room(r))
        book_init(&r->book, r->name, w->lanes, r->room * per_room, per_room);
    else
        book_init(&r->book, r->name, w->lanes, thing * w->lanes_per_thing,
                  w->lanes_per_thing);
    r->book.slow = reader_is_slow(r);
}

void reader_init(struct churn_reader *r, struct world *w,
                 enum reader_kind kind, unsigned number, struct group *group,
                 bool anchor)
{
    init(r, w, kind, number);
    r->group = group;
    r->anchor = anchor;
    follow(r, choose_room(r) * w->room_things + number % w->room_things);
    r->due_ns = instant_ns() + world_between(w, 0, COMING_MAX_S);
}

void reader_init_audit(struct churn_reader *r, struct world *w, unsigned thing)
{
    init(r, w, READER_REPLAY, thing);
    follow(r, thing);
    r->due_ns = r->oldest_ns = INT64_MAX;
    set(r, READER_COMING, instant_ns());
    book_ask(&r->book, true);
    reader_sse_open(r, 0);
}

static void come(struct churn_reader *r, int64_t now_ns)
{
    const int buffer = reader_is_slow(r) ? SMALL_BUFFER : 0;

    if (!r->goes_on) {
        book_ask(&r->book, r->kind == READER_REPLAY);
        r->last_id = 0;
        r->repeat = BOOK_NEVER;
    }
    if (r->anchor)
        r->group->asked = true;
    r->past_head = false;
    r->oldest_ns = INT64_MAX;
    set(r, READER_COMING, now_ns);
    report.joined++;
    if (reader_is_mqtt(r))
        reader_mqtt_open(r, buffer);
    else
        reader_sse_open(r, buffer);
    if (reader_is_slow(r))
        socket_pause(&r->socket);
}

/* For how long the server owes what it stores, if time decides. We know the
 * second of the acknowledgement, the server counts from when it was stored. */
static unsigned kept_s(const struct churn_reader *r)
{
    enum { ANSWER_S = 3 };

    return world_keeps_by_age(r->room) ? r->world->keep_s - ANSWER_S : 0;
}

void reader_gap(struct churn_reader *r)
{
    book_gap(&r->book, r->world->second, kept_s(r));
}

void reader_arrived(struct churn_reader *r)
{
    struct world *w = r->world;
    const int64_t now_ns = instant_ns();

    set(r, READER_HERE, now_ns);
    if (r->due_ns != INT64_MAX)
        r->due_ns = now_ns + world_between(w, w->stay_min_s, w->stay_max_s);
    if (!r->goes_on)
        book_follow(&r->book, w->second, kept_s(r));
    if (r->anchor && !r->group->follows)
        group_follow(r->group, now_ns);
}

/* `cut`: without a word, so what it acknowledged last may be unknown. */
static void go_away(struct churn_reader *r, bool cut, int64_t now_ns)
{
    struct world *w = r->world;
    const bool resumes = !reader_is_slow(r) && !reader_is_mqtt(r) &&
                         r->last_id > 0 && r->kind != READER_REPLAY &&
                         (w->down || world_random(w) < COMES_BACK);

    if (cut)
        report.cut++;
    r->goes_on = r->session || resumes;
    if (r->session)
        r->repeat = cut ? BOOK_MARKED : BOOK_NEVER;
    r->holds = false;
    set(r, READER_AWAY, now_ns);
    r->due_ns = now_ns + world_between(w, 0.5, w->away_max_s);
}

void reader_lost(struct socket *s, const char *why)
{
    struct churn_reader *r = (struct churn_reader *)s;
    const int64_t now_ns = instant_ns();

    if (r->state == READER_LEAVING) {
        go_away(r, false, now_ns); /* as it should */
        return;
    }
    if (!r->world->down)
        report_error("%s: connection lost: %s", r->name, why);
    go_away(r, true, now_ns);
}

void reader_fail(struct churn_reader *r, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    report_error("%s: %s", r->name, text);
    socket_close(&r->socket, true);
    r->session = false; /* begins anew: one report is enough */
    go_away(r, true, instant_ns());
}

static void leave(struct churn_reader *r, int64_t now_ns)
{
    /* What a member got and acknowledged must not be in doubt: nobody could
     * tell a double from a message that is given to the next one. */
    const bool with_a_word = r->kind == READER_SHARE ||
                             r->world->phase != PHASE_CHURN ||
                             world_random(r->world) >= WITHOUT_A_WORD;

    if (!reader_is_mqtt(r) || reader_is_slow(r) || !with_a_word) {
        socket_close(&r->socket, reader_is_mqtt(r) || !with_a_word);
        go_away(r, reader_is_mqtt(r), now_ns);
        return;
    }
    mqtt_put_disconnect(&r->socket.out);
    set(r, READER_LEAVING, now_ns);
    socket_finish(&r->socket);
}

static bool comes(const struct churn_reader *r, int64_t now_ns)
{
    const struct world *w = r->world;

    if (w->down || now_ns < r->due_ns)
        return false;
    if (r->group != NULL && !r->anchor && !r->group->follows)
        return false;
    /* At the end only who is still owed something comes back for it. */
    return w->phase == PHASE_CHURN || (w->phase == PHASE_SETTLE && r->session);
}

static void read_slowly(struct churn_reader *r, int64_t now_ns)
{
    if (never_reads(r)) {
        /* Nobody told it that it follows, because it does not listen. */
        if (r->state == READER_COMING && !r->socket.connecting)
            reader_arrived(r);
        return;
    }
    if (now_ns < r->read_ns)
        return;
    r->read_ns = now_ns + NS_PER_S;
    /* At first as fast as all, until it knows that it follows. */
    socket_read_some(&r->socket,
                     r->state == READER_COMING ? SMALL_BUFFER : SLOW_BYTES);
}

void reader_tick(struct churn_reader *r, int64_t now_ns)
{
    const struct world *w = r->world;

    if (r->state == READER_AWAY) {
        if (comes(r, now_ns))
            come(r, now_ns);
        return;
    }
    if (reader_is_slow(r) && r->state != READER_LEAVING)
        read_slowly(r, now_ns);
    if (r->state == READER_HERE &&
        (w->phase == PHASE_LEAVE ||
         (w->phase == PHASE_CHURN && now_ns >= r->due_ns)))
        leave(r, now_ns);
    if ((r->state == READER_COMING || r->state == READER_LEAVING) &&
        !w->down && world_patience_ends(w, r->since_ns, now_ns, w->patience_s))
        reader_fail(r, r->state == READER_COMING
                           ? "waits in vain to follow"
                           : "not let go after DISCONNECT");
}

void reader_second(struct churn_reader *r, int64_t now_ns)
{
    const struct world *w = r->world;

    if (r->state != READER_HERE || r->group != NULL || r->book.slow)
        return;
    book_tick(&r->book);
    if (world_patience_ends(w, r->since_ns, now_ns, w->patience_s))
        book_check(&r->book, w->second, w->patience_s);
}

void reader_server_back(struct churn_reader *r, int64_t now_ns)
{
    if (socket_is_open(&r->socket)) {
        socket_close(&r->socket, true);
        go_away(r, true, now_ns);
    }
    if (r->session)
        r->repeat = BOOK_LAST_SECONDS;
    r->due_ns = now_ns + world_between(r->world, 0, COMING_MAX_S);
}

bool reader_complete(const struct churn_reader *r)
{
    if (reader_is_slow(r))
        return true;
    if (r->state == READER_AWAY)
        return !r->session; /* it comes back for what it is owed */
    if (r->state != READER_HERE)
        return false;
    return r->group != NULL || book_complete(&r->book);
}

static void judge(struct churn_reader *r, const struct churn_payload *p,
                  bool marked, int64_t now_ns)
{
    const bool is_new = r->group != NULL ? group_take(r->group, p)
                                         : book_take(&r->book, p, r->repeat,
                                                     marked) == BOOK_NEW;

    if (!is_new) {
        report.repeated++;
        return;
    }
    if (p->sent_ns < r->oldest_ns)
        r->oldest_ns = p->sent_ns;
    if (r->state == READER_HERE && p->sent_ns >= r->since_ns) {
        if (!r->book.slow)
            histogram_add(&report.latency, now_ns - p->sent_ns);
    } else {
        report.replayed++;
    }
    if (p->lane < r->world->lane_count)
        lane_seen(&r->world->lanes[p->lane], p->number);
}

/* Our own faults: see fault.h. true: the message is done with. */
static bool strike(struct churn_reader *r, struct churn_payload *p,
                   bool marked, int64_t now_ns)
{
    const char *kind = kinds[r->kind].name;

    if (r->holds) {
        r->holds = false;
        judge(r, p, marked, now_ns);
        judge(r, &r->held, marked, now_ns);
        return true;
    }
    if (fault_strikes(FAULT_DEAF, kind))
        r->deaf = true;
    if (r->deaf || fault_strikes(FAULT_LOSE, kind))
        return true;
    if (fault_strikes(FAULT_DOUBLE, kind))
        judge(r, p, marked, now_ns);
    if (fault_strikes(FAULT_FORGE, kind))
        p->number += 1000000;
    if (fault_strikes(FAULT_SWAP, kind)) {
        r->holds = true;
        r->held = *p;
        return true;
    }
    return false;
}

void reader_take(struct churn_reader *r, const struct churn_payload *p,
                 bool marked, int64_t now_ns)
{
    struct churn_payload taken = *p;

    report.delivered++;
    if (!strike(r, &taken, marked, now_ns))
        judge(r, &taken, marked, now_ns);
}
