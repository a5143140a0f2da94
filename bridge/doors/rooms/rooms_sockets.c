#include "bridge/doors/rooms/rooms_sockets.h"

#include <stdlib.h>
#include <string.h>

#include "base/name_hash.h"
#include "bridge/doors/rooms/rooms_client.h"

#define QUEUE_MAX                                                             \
    524288 /* bytes that wait for a poll: a stream has half of it */

struct rooms_sockets *rooms_sockets_new(struct front *front,
                                        struct slice tenant)
{
    const struct rooms_settings *settings = &front->config->rooms;
    struct rooms_sockets *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->front = front;
    s->tenant = tenant;
    s->engine = (struct engine_settings){
        .ping_interval_ms = (uint32_t)settings->ping_interval,
        .ping_timeout_ms = (uint32_t)settings->ping_timeout,
        .upgrade_timeout_ms = 10000,
        .max_payload = (size_t)settings->payload_max,
        .queue_max = QUEUE_MAX,
    };
    s->connect_timeout_ms = (uint32_t)settings->connect_timeout;
    pthread_mutex_init(&s->mutex, NULL);
    for (size_t i = 0; i < ROOMS_SOCKET_BUCKETS; i++)
        LIST_INIT(&s->buckets[i]);
    return s;
}

void rooms_sockets_free(struct rooms_sockets *s)
{
    if (s == NULL)
        return;
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

static struct rooms_client_list *bucket_of(struct rooms_sockets *s,
                                           struct slice sid)
{
    return &s->buckets[name_hash(sid.data, sid.len) % ROOMS_SOCKET_BUCKETS];
}

/* The mutex is held. */
static struct rooms_client *find_client(struct rooms_sockets *s,
                                        struct slice sid)
{
    struct rooms_client *c;

    LIST_FOREACH (c, bucket_of(s, sid), in_bucket)
        if (slice_eq(slice_str(rooms_client_sid(c)), sid))
            return c;
    return NULL;
}

void rooms_sockets_enter(struct rooms_sockets *s, struct rooms_client *c)
{
    const struct slice sid = slice_str(rooms_client_sid(c));

    pthread_mutex_lock(&s->mutex);
    LIST_INSERT_HEAD(bucket_of(s, sid), c, in_bucket);
    pthread_mutex_unlock(&s->mutex);
}

void rooms_sockets_leave(struct rooms_sockets *s, struct rooms_client *c)
{
    pthread_mutex_lock(&s->mutex);
    LIST_REMOVE(c, in_bucket);
    pthread_mutex_unlock(&s->mutex);
}

bool rooms_sockets_streamer(struct rooms_sockets *s, struct slice sid,
                            unsigned *ret_streamer)
{
    pthread_mutex_lock(&s->mutex);
    const struct rooms_client *c = find_client(s, sid);
    if (c != NULL)
        *ret_streamer = c->streamer;
    pthread_mutex_unlock(&s->mutex);
    return c != NULL;
}

struct rooms_client *rooms_sockets_find(struct rooms_sockets *s,
                                        struct slice sid)
{
    pthread_mutex_lock(&s->mutex);
    struct rooms_client *c = find_client(s, sid);
    pthread_mutex_unlock(&s->mutex);
    return c;
}
