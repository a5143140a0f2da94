/* A reader: comes, follows one thing or a room, goes, and maybe comes back to
 * where it was (Last-Event-ID, a stored session). Every message it gets is
 * checked by its book, or by that of its group.
 *
 * reader.c is its life; reader_mqtt.c and reader_sse.c speak. */
#ifndef CONFAB_BENCHMARKS_CHURN_READER_H
#define CONFAB_BENCHMARKS_CHURN_READER_H

#include "benchmarks/churn/book.h"
#include "benchmarks/churn/group.h"
#include "benchmarks/churn/socket.h"
#include "benchmarks/churn/world.h"

/* X(name, value, percent of all readers) */
#define READER_KINDS(X)                                                       \
    X(SSE, "sse", 28)          /* one thing */                                \
    X(SSE_ROOM, "sse-room", 4) /* all things of a room */                     \
    X(REPLAY, "replay", 5)     /* SSE of one thing, from its beginning */     \
    X(MQTT0, "mqtt-0", 22)     /* QoS 0, one thing */                         \
    X(MQTT1, "mqtt-1", 20)     /* QoS 1, one thing */                         \
    X(MQTT_ROOM, "mqtt-room", 3)                                              \
    X(SESSION, "session", 7)     /* QoS 1, a stored session, one thing */     \
    X(SHARE, "share", 6)         /* QoS 1, member of a group on a room */     \
    X(SLOW_MQTT, "slow-mqtt", 2) /* QoS 1, reads a few bytes a second */      \
    X(SLOW_SSE, "slow-sse", 1)                                                \
    X(NEVER_MQTT, "never-mqtt", 1) /* QoS 0, a room, never reads */           \
    X(NEVER_SSE, "never-sse", 1)

enum reader_kind {
#define X(name, value, percent) READER_##name,
    READER_KINDS(X)
#undef X
        READER_KIND_COUNT
};

enum reader_state {
    READER_AWAY,
    READER_COMING,
    READER_HERE,   /* follows */
    READER_LEAVING /* said DISCONNECT, waits for the server's FIN */
};

struct churn_reader {
    struct socket socket;
    struct world *world;
    enum reader_kind kind;
    unsigned number;
    char name[32]; /* of kind and number; MQTT: the client id */
    unsigned room, thing;
    enum reader_state state;
    int64_t since_ns; /* of the state */
    int64_t due_ns;   /* when it comes, or goes */
    int64_t read_ns;  /* slow: when it reads again */
    struct book book;
    struct group *group; /* SHARE only; shared */
    bool anchor;         /* its session keeps the group alive */
    bool session;        /* the server keeps one for it */
    bool goes_on;        /* comes back to where it was */
    enum book_repeat repeat;
    uint64_t last_id;  /* SSE: of the last event; 0: none */
    bool past_head;    /* SSE: of the answer */
    int64_t oldest_ns; /* when the oldest message it got was sent */
    size_t payload_at; /* SSE: where in its line the last payload began */
    bool deaf;         /* a fault of our own */
    bool holds;        /* another: `held` came, and is taken late */
    struct churn_payload held;
};

/* `group` for SHARE; `anchor`: its first member. */
void reader_init(struct churn_reader *r, struct world *w,
                 enum reader_kind kind, unsigned number, struct group *group,
                 bool anchor);
/* A REPLAY reader of a thing of the caller's choice; it stays. */
void reader_init_audit(struct churn_reader *r, struct world *w,
                       unsigned thing);

void reader_tick(struct churn_reader *r, int64_t now_ns);
void reader_second(struct churn_reader *r, int64_t now_ns); /* once a second */
void reader_server_back(struct churn_reader *r, int64_t now_ns);
/* Has it all that it is owed? Slow ones are owed nothing. */
bool reader_complete(const struct churn_reader *r);
bool reader_is_slow(const struct churn_reader *r);
bool reader_is_mqtt(const struct churn_reader *r);
const char *reader_kind_name(enum reader_kind kind);
/* The share of all readers of a kind, as a number of them. */
enum reader_kind reader_kind_of(unsigned number);

/* ---- between the three files */

void reader_arrived(
    struct churn_reader *r); /* the server said that it follows */
void reader_take(struct churn_reader *r, const struct churn_payload *p,
                 bool marked, int64_t now_ns);
void reader_lost(struct socket *s, const char *why);
void reader_gap(
    struct churn_reader *r); /* REPLAY: some were trimmed meanwhile */
void reader_fail(struct churn_reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool reader_has_room(
    const struct churn_reader *r); /* follows a room, not a thing */
bool reader_stays(
    const struct churn_reader *r); /* asks for a stored session */
void reader_mqtt_open(struct churn_reader *r, int receive_buffer);
void reader_sse_open(struct churn_reader *r, int receive_buffer);

#endif
