/* What the link's own files share. Each calls only those below it:
 *   link.c             life, threads, and what is done before each wait
 *   link_connection.c  libmosquitto
 *   link_filters.c     SUBSCRIBE and SUBACK
 *   link_queue.c       requests */
#ifndef CONFAB_BRIDGE_LINK_LINK_PRIVATE_H
#define CONFAB_BRIDGE_LINK_LINK_PRIVATE_H

#include <ev.h>
#include <mosquitto.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "bridge/link/link_queue.h"

#define LINK_WINDOW 512 /* PUBLISHes under way */
/* While a PUBLISH is under way, messages wait until no more fit into their
 * bundle, it is answered, or so long. On a fast disk the answer comes first, and
 * all who wait share the next commit. On a slow one they share it anyway, if
 * they reach the broker before it begins: so they go. */
#define LINK_GATHER_S 0.001
/* Messages under way: below the commands the broker takes from one connection,
 * so that it goes on reading, PINGREQ too. */
#define LINK_MESSAGES 768
#define LINK_FILTER_WINDOW 512   /* SUBSCRIBEs under way */
#define LINK_QUEUE_BOUND 16384   /* requests */
#define LINK_FILTERS_BOUND 16384 /* filters waiting to be asked for */
#define LINK_BACKOFF_S 0.05      /* before the first attempt after a loss */
#define LINK_PATIENCE_US 2000000 /* how long a request waits for the broker */

struct link_filter; /* link_filters.c */
LIST_HEAD(link_filter_slot, link_filter);
#define LINK_FILTER_SLOTS 256

struct link {
    struct link_opts opts; /* socket_path replaced by `path` */
    char *path;            /* as given, for the log */
    char address[108];     /* as connect(2) takes it */
    int dir_fd;            /* behind a long path's address; or -1 */
    char boot[17];         /* boot id: hex digits */
    size_t queue_bound;

    /* any thread */
    struct mailbox *requests; /* struct link_request */
    struct mailbox *filters;  /* struct link_filter */
    atomic_bool stopping;
    atomic_bool dump;    /* its state is to be logged */
    atomic_uint callers; /* threads inside link_publish() and the like */
    _Atomic uint64_t generation; /* of the connection that is up; 0: down */
    _Atomic int64_t down_since_us;

    /* the link's thread */
    pthread_t thread;
    struct ev_loop *loop;
    ev_async wake;
    ev_prepare go_on; /* before each wait: what there is to do now */
    ev_io io;
    ev_timer misc;      /* 1 s: keep-alive */
    ev_timer deadlines; /* runs while there are requests */
    ev_timer gather;    /* runs while messages wait to share a PUBLISH */
    ev_timer reconnect; /* next attempt, or the end of patience with CONNACK */
    struct mosquitto *mosq;  /* NULL between two attempts */
    bool accepted_by_broker; /* CONNACK 0 seen */
    bool said_away;          /* one log line per outage */
    int reason;              /* of CONNACK or DISCONNECT, for the log */
    uint64_t generations;    /* given so far */
    double backoff_s;
    bool gathered;      /* they have waited long enough */
    unsigned window;    /* LINK_WINDOW or the broker's Receive Maximum */
    unsigned under_way; /* PUBLISHes not answered, abandoned ones included */
    uint64_t operations;
    struct link_queue queue;
    struct link_filter_slot filters_under_way[LINK_FILTER_SLOTS];
    unsigned filters_under_way_count;
    size_t refused;                 /* subscriptions not logged yet */
    int64_t refused_said_us;        /* when they were logged last; 0: never */
    struct log_token refused_token; /* the last one's… */
    unsigned refused_code;          /* …and the broker's answer */
    struct buffer topic;            /* scratch: names as C strings */
    struct buffer bundle;           /* scratch */
    int64_t stop_at_us;             /* 0: not stopping */
    unsigned grace_ms;
};

/* Does this result of a library call mean that the connection is of no more use,
 * and not only that one packet could not be sent? */
static inline bool link_is_broken(int rc)
{
    switch (rc) {
    case MOSQ_ERR_SUCCESS:
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_MALFORMED_UTF8:
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
    case MOSQ_ERR_DUPLICATE_PROPERTY: return false;
    default: return true;
    }
}

/* link_connection.c */
void link_connect(struct link *l);
void link_disconnect(struct link *l); /* orderly, at the end */
void link_publish_waiting(struct link *l);
void link_watch(struct link *l);
/* Looks at the result of a library call: a broken connection is taken down and
 * the next attempt scheduled. false: it was broken. */
bool link_check(struct link *l, int rc);

/* link_filters.c */
bool link_filter_send(struct link *l, struct slice filter, bool subscribe);
/* Asks the broker for what waits in the mailbox. The library's result: the
 * caller hands it to link_check(). */
int link_filters_ask(struct link *l);
/* Logs what was refused, if it is time for that. */
void link_filters_say_refused(struct link *l);
void link_filters_lost(struct link *l); /* forgets what is under way */
void link_filters_drop(struct link *l); /* empties the mailbox, at the end */
void link_on_suback(struct mosquitto *m, void *arg, int packet_id, int count,
                    const int *granted, const mosquitto_property *list);

#endif
