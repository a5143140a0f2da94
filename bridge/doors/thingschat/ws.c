/* GET /{token}/ws: a token's messages in both directions, as JSON over a WebSocket. The
 * handshake is answered here; then the socket belongs to a stream (stream_client.h),
 * and ws_client.c carries out the client's commands.
 *
 * Any Origin is accepted, unless the server is in open mode (locality.h) or the tenant has
 * `cors.origins`: as with listen, the token is the secret, and browsers do not send one
 * by themselves. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge/doors/origins.h"
#include "bridge/doors/thingschat/reading.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/doors/thingschat/ticket.h"
#include "bridge/doors/thingschat/ws_client.h"
#include "bridge/http/handshake.h"
#include "bridge/http/reads.h"
#include "bridge/stream/format/deflate.h"

#define CONNECT_COST 1 /* reads */

static bool accepts_deflate(const struct call *c)
{
    struct slice extensions;

    return http_header(c->q, "Sec-WebSocket-Extensions", &extensions) &&
           deflate_offered(extensions);
}

static enum http_next too_many(struct call *c)
{
    reads_refund(c->front->reads, c->arguments[0], CONNECT_COST);
    http_add_header(c->q, "Retry-After", "5");
    return answer_error(c, 503, "too many open streams: retry later");
}

static const struct stream_format *format_of(const struct call *c, bool events)
{
    if (accepts_deflate(c))
        return events ? &websocket_deflate_events : &websocket_deflate;
    return events ? &websocket_events : &websocket;
}

static bool adopt_socket(struct call *c, int fd, struct ws_client *client,
                         const struct plan *plan, uint64_t head, bool events,
                         struct slice response_head)
{
    const struct stream_opts opts = {
        .token = c->arguments[0],
        .plan = plan,
        .caller = c->identity,
        .format = format_of(c, events),
        .is_local_plan = strcmp(plan->name, "local") == 0,
        .head = head,
        .door = &ws_door,
        .door_state = client,
        .message_max = ws_client_message_max(client),
        .response_head = response_head,
    };

    return streams_adopt(c->front->streams, fd, &opts) == STREAMS_ADOPTED;
}

static enum http_next hand_over(struct call *c, const char *accept,
                                const struct plan *plan, uint64_t head,
                                bool events)
{
    struct ws_client *client = ws_client_new(c->front, &c->caller, plan);
    struct buffer response = BUFFER_INIT;
    char remaining[64];

    snprintf(remaining, sizeof(remaining),
             "X-RateLimit-Remaining: %" PRIu64 "\r\n",
             shown_remaining(c->remaining));
    handshake_put_response(&response, c, accept, NULL,
                           accepts_deflate(c) ? DEFLATE_EXTENSION : NULL,
                           remaining);
    const int fd = client == NULL ? -1 : http_detach(c->q);
    const bool adopted = fd >= 0 && buffer_ok(&response) &&
                         adopt_socket(c, fd, client, plan, head, events,
                                      buffer_slice(&response));
    buffer_release(&response);
    if (adopted) {
        c->identity = NULL; /* the stream's now */
        return HTTP_DETACHED;
    }
    if (fd >= 0)
        close(fd);
    ws_client_free(client);
    return too_many(c);
}

enum http_next chat_websocket(struct call *c)
{
    char accept[UPGRADE_ACCEPT_SIZE];
    struct reading g;
    bool events = false;

    /* check the token before the handshake */
    if (!reading_begin(c, &g, false))
        return HTTP_ANSWERED;
    const bool valid =
        !origin_refused(c) &&
        handshake_accept(c,
                         "this is a WebSocket: connect with a client for "
                         "it; see /docs/http.md",
                         accept) &&
        query_flag(c, "events", &events) >= 0;
    if (valid && ticket_must_be_taken(c)) {
        reading_end(&g);
        return ticket_take(c);
    }
    const bool granted = valid && reading_charge(c, &g, CONNECT_COST);
    const uint64_t head = granted ? store_head(g.reader) : 0;
    const struct plan *plan = g.access.plan;
    reading_end(&g);
    if (!granted)
        return HTTP_ANSWERED;
    return hand_over(c, accept, plan, head, events);
}
