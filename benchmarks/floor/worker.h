/* Threads that own connections: an epoll loop each, woken through an inbox.
 *
 * Per turn a worker takes everything its inbox holds, hands all that was
 * published to the writer in one go, and writes once to each connection. */
#ifndef CONFAB_BENCHMARKS_FLOOR_WORKER_H
#define CONFAB_BENCHMARKS_FLOOR_WORKER_H

#include "benchmarks/floor/commit.h"
#include "benchmarks/floor/stream.h"
#include "benchmarks/floor/topic.h"

struct floor_conn;
struct floor_worker;

/* A protocol: http_door.c, mqtt_door.c. All calls in the worker's thread. */
struct floor_door {
    /* Handles the requests at the beginning of `data` and returns how many
     * bytes they were; -1: close the connection. */
    ssize_t (*take)(struct floor_conn *c, const char *data, size_t len);
    /* Appends to c->out the answer to a message of c that is now stored. */
    void (*answer)(struct floor_conn *c, const struct floor_entry *e);
    /* Appends to c->out what a new reader is told first. */
    void (*welcome)(struct floor_conn *c);
};
extern const struct floor_door http_door;
extern const struct floor_door mqtt_door;

struct floor_conn {
    struct receiver receiver; /* first: the streams know conns by it */
    struct floor_worker *worker;
    const struct floor_door *door;
    int fd;
    struct bytes rest; /* read and not yet used up */
    struct bytes out;  /* not yet written */
    bool queued;       /* on the worker's list of those to write to */
    bool closed;
    unsigned unanswered; /* messages the writer still has */
    struct floor_conn *next_queued;
    struct topic *last_topic; /* of the last publish, to look it up once */

    /* MQTT's */
    unsigned subscribe_id; /* packet id of its SUBSCRIBE */
    unsigned granted_qos;
    uint16_t next_ack; /* the PUBACK that must come next; 0: any */
};

struct floor_worker *worker_start(struct committer *const *committer);

/* Any thread. The worker takes the non-blocking descriptor; with a `topic` the
 * connection is an SSE reader of it from now on, its request being answered.
 */
void worker_adopt(struct floor_worker *w, int fd,
                  const struct floor_door *door, struct topic *topic);
/* Any thread. Takes the chunk's reference. */
void worker_give_chunk(struct floor_worker *w, struct topic *topic,
                       enum framing framing, struct chunk *chunk);
/* Any thread. Takes entries of this worker's connections. */
void worker_give_answers(struct floor_worker *w, struct entry_list *answers);

/* For doors. Publishes; the answer comes through door->answer unless
 * `wants_answer` is false. */
void conn_publish(struct floor_conn *c, struct topic *topic, bool wants_answer,
                  unsigned packet_id, const char *payload, size_t len);
/* Makes c a reader of the topic; one topic per connection. */
void conn_follow(struct floor_conn *c, struct topic *topic,
                 enum framing framing);
/* Where messages are stored; NULL: nowhere. */
struct log *conn_log(const struct floor_conn *c);
/* c->out has something to write when the turn ends. */
void conn_queue(struct floor_conn *c);

/* Frames each message of the batch once for all readers and hands the frames
 * to the workers. The writer's thread. The entries stay the caller's. */
void fanout(struct floor_worker *const *workers, unsigned count,
            struct entry_list *batch);

#endif
