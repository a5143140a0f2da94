/* A device: comes, publishes on its lane, goes, comes again. Over MQTT with
 * QoS 0, 1 or 2 (with a session that stays: each message exactly once), or by
 * POST. Some go without a word.
 *
 * publisher.c is its life; publisher_mqtt.c and publisher_http.c speak. */
#ifndef CONFAB_BENCHMARKS_CHURN_PUBLISHER_H
#define CONFAB_BENCHMARKS_CHURN_PUBLISHER_H

#include "benchmarks/churn/socket.h"
#include "benchmarks/churn/world.h"

enum { PUBLISHER_WINDOW = 8 };

enum publisher_state {
    PUBLISHER_AWAY,
    PUBLISHER_COMING,
    PUBLISHER_HERE,
    PUBLISHER_FINISHING, /* waits for its last answers */
    PUBLISHER_LEAVING    /* said DISCONNECT, waits for the server's FIN */
};

struct pending {
    uint32_t number;
    uint16_t packet_id;
    bool received; /* PUBREC came, PUBREL is out */
    int64_t sent_ns;
};

struct churn_publisher {
    struct socket socket;
    struct world *world;
    struct lane *lane;
    unsigned number; /* of the lane */
    enum publisher_state state;
    int64_t since_ns;   /* of the state */
    int64_t due_ns;     /* when it comes, or goes */
    int64_t publish_ns; /* when its next message is due */
    int64_t answer_ns;  /* when the last answer came, or waiting began */
    uint16_t next_id;
    bool session;                             /* the server keeps one for it */
    struct pending pending[PUBLISHER_WINDOW]; /* oldest first */
    unsigned pending_count;
};

void publisher_init(struct churn_publisher *p, struct world *w,
                    unsigned number);
/* What time brings; every few milliseconds. */
void publisher_tick(struct churn_publisher *p, int64_t now_ns);
/* The server is back after it was killed. */
void publisher_server_back(struct churn_publisher *p, int64_t now_ns);

/* ---- between the three files */

void publisher_set(struct churn_publisher *p, enum publisher_state state,
                   int64_t now_ns);
/* It may publish. */
void publisher_arrived(struct churn_publisher *p);
/* The oldest pending message is done with. */
void publisher_forget_oldest(struct churn_publisher *p);
/* Events of the socket. */
void publisher_lost(struct socket *s, const char *why);
/* The server did what it must not do. */
void publisher_fail(struct churn_publisher *p, const char *what);

void publisher_mqtt_open(struct churn_publisher *p);
void publisher_mqtt_send(struct churn_publisher *p, const struct pending *m,
                         bool again);
void publisher_http_open(struct churn_publisher *p);
void publisher_http_send(struct churn_publisher *p, const struct pending *m);

#endif
