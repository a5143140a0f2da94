/* What the link's files share. Each calls only those below it:
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
/* While a PUBLISH is in flight, messages wait until their bundle is full, or the PUBLISH
 * is answered, or this time is over. On a fast disk the answer comes first, and all
 * messages that wait share the next commit. On a slow disk they share it anyway, if they
 * reach the broker before it begins; therefore they are sent after this time. */
#define LINK_GATHER_S 0.001
/* Messages in flight: fewer than the commands that the broker accepts from one
 * connection, so that it keeps reading, PINGREQ included. */
#define LINK_MESSAGES 768
#define LINK_FILTER_WINDOW 512   /* SUBSCRIBEs in flight */
#define LINK_QUEUE_BOUND 16384   /* requests */
#define LINK_FILTERS_BOUND 16384 /* filters waiting to be subscribed */
#define LINK_BACKOFF_S 0.05      /* before the first attempt after a loss */
#define LINK_PATIENCE_US 2000000 /* how long a request waits for the broker */

struct link_filter; /* link_filters.c */
LIST_HEAD(link_filter_slot, link_filter);
#define LINK_FILTER_SLOTS 256

struct link {
    struct link_opts opts; /* socket_path replaced by `path` */
    char *path;            /* as given, for the log */
    char address[108];     /* as connect(2) takes it */
    int dir_fd;            /* folder of an address that was too long; or -1 */
    char boot[17];         /* boot id: hex digits */
    size_t queue_bound;

    /* any thread */
    struct mailbox *requests; /* struct link_request */
    struct mailbox *filters;  /* struct link_filter */
    atomic_bool stopping;
    atomic_bool dump;    /* its state shall be logged */
    atomic_uint callers; /* threads inside link_publish() and the like */
    _Atomic uint64_t generation; /* of the connection that is up; 0: down */
    _Atomic int64_t down_since_us;

    /* the link's thread */
    pthread_t thread;
    struct ev_loop *loop;
    ev_async wake;
    ev_prepare go_on; /* before each wait: does what can be done now */
    ev_io io;
    ev_timer misc;           /* 1 s: keep-alive */
    ev_timer deadlines;      /* runs while there are requests */
    ev_timer gather;         /* runs while messages wait to share a PUBLISH */
    ev_timer reconnect;      /* next attempt, or the time-out for CONNACK */
    struct mosquitto *mosq;  /* NULL between two attempts */
    bool accepted_by_broker; /* CONNACK 0 seen */
    bool said_away;          /* this outage has been logged */
    int reason;              /* of CONNACK or DISCONNECT, for the log */
    uint64_t generations;    /* number of connections so far */
    double backoff_s;
    bool gathered;      /* the waiting messages have waited long enough */
    unsigned window;    /* LINK_WINDOW or the broker's Receive Maximum */
    unsigned in_flight; /* PUBLISHes not answered, those given up included */
    uint64_t operations;
    struct link_queue queue;
    struct link_filter_slot filters_in_flight[LINK_FILTER_SLOTS];
    unsigned filters_in_flight_count;
    size_t refused;          /* subscriptions not logged yet */
    int64_t refused_said_us; /* when refusals were last logged; 0: never */
    struct log_token refused_token; /* of the last one … */
    unsigned refused_code;          /* … and the broker's reason code */
    struct buffer topic;            /* scratch: names as C strings */
    struct buffer bundle;           /* scratch */
    int64_t stop_at_us;             /* 0: not stopping */
    unsigned grace_ms;
};

/* Whether this result of a library call means that the connection is unusable, not just
 * that one packet could not be sent. */
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
void link_disconnect(struct link *l); /* in good order, at the end */
void link_publish_waiting(struct link *l);
void link_watch(struct link *l);
/* Checks the result of a library call: closes a broken connection and schedules the next
 * attempt. false: it was broken. */
bool link_check(struct link *l, int rc);

/* link_filters.c */
bool link_filter_send(struct link *l, struct slice filter, bool subscribe);
/* Subscribes the filters that wait in the mailbox. Returns the library's result, which
 * the caller passes to link_check(). */
int link_filters_ask(struct link *l);
/* Logs refused subscriptions, if the last such line is long enough ago. */
void link_filters_say_refused(struct link *l);
void link_filters_lost(struct link *l); /* forgets SUBSCRIBEs in flight */
void link_filters_drop(struct link *l); /* empties the mailbox, at the end */
void link_on_suback(struct mosquitto *m, void *arg, int packet_id, int count,
                    const int *granted, const mosquitto_property *list);

#endif
