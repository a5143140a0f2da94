/* The door's table, which says everything about its paths, and what all answers have
 * in common. */
#include "bridge/doors/thingschat/thingschat.h"

#include <stdlib.h>

#include "bridge/doors/access.h"
#include "bridge/doors/public_cors.h"
#include "bridge/http/creations.h"
#include "bridge/http/url.h"

/* The first argument is a token with limits: answers state what is left of them. */
#define COUNTED ROUTE_OWN

/* EventSource cannot send headers of its own, so libraries append the last event's id
 * to the query instead, under different names (Yaffle's and other polyfills,
 * Mercure). */
#define CURSOR                                                                \
    "last_event_id|lastEventId|lastEventID|Last-Event-ID|Last-Event-Id"

static enum http_next chat_no_path(struct call *c);

static const struct route routes[] = {
    {"/", HTTP_GET, ROUTE_LOCAL_ONLY, NULL, home_page, NULL},
    {"/favicon.ico", HTTP_GET, 0, NULL, home_icon, NULL},
    {"/docs/http.md", HTTP_GET, 0, NULL, home_http_document, NULL},
    {"/docs/mqtt.md", HTTP_GET, 0, NULL, home_mqtt_document, NULL},
    {"/tokens", HTTP_POST, ROUTE_LOCAL_ONLY, "", tokens_post, NULL},
    {"/{token}/chat/{thing}", HTTP_POST, COUNTED, "retain", chat_post,
     chat_body_max},
    {"/{token}/events/{thing}", HTTP_POST, COUNTED, "kind", event_post,
     event_body_max},
    {"/{token}/chat/{thing}", HTTP_DELETE, COUNTED, "before", chat_purge,
     NULL},
    {"/{token}/chat/{thing}/{id}", HTTP_PATCH, COUNTED, "", chat_patch,
     chat_patch_body_max},
    {"/{token}/chat/{thing}/{id}", HTTP_DELETE, COUNTED, "", chat_delete,
     NULL},
    /* Most likely a / in a thing's name. */
    {"/{token}/chat/{thing}/{id}", HTTP_GET, COUNTED, NULL, chat_no_path,
     NULL},
    {"/{token}/chat/{thing}/{id}", HTTP_POST, COUNTED, NULL, chat_no_path,
     NULL},
    {"/{token}/chat/{thing}/latest", HTTP_GET, COUNTED, "format", chat_latest,
     NULL},
    {"/{token}/chat/{thing}/history", HTTP_GET, COUNTED,
     "limit before after since until order format", chat_history, NULL},
    {"/{token}/chat/{thing}/listen", HTTP_GET, COUNTED | ROUTE_TICKETS,
     "key events " CURSOR, chat_listen, NULL},
    {"/{token}/listen", HTTP_GET, COUNTED | ROUTE_TICKETS,
     "things key events " CURSOR, chat_listen_many, NULL},
    {"/{token}/ws", HTTP_GET, COUNTED | ROUTE_TICKETS, "key events",
     chat_websocket, NULL},
    {"/{token}/tickets", HTTP_POST, COUNTED, "", tickets_post, keys_body_max},
    {"/{token}/things", HTTP_GET, COUNTED, "detail", chat_things, NULL},
    {"/{token}/keys", HTTP_POST, COUNTED, "", keys_post, keys_body_max},
    {"/{token}/keys", HTTP_GET, COUNTED, "", keys_list, NULL},
    {"/{token}/keys/{id}", HTTP_DELETE, COUNTED, "", keys_delete, NULL},
};

static const char *const reserved[] = {"favicon.ico", "docs", "tokens", NULL};

/* ---- what answers have in common ----------------------------------------- */

static void put_remaining(struct call *c)
{
    if ((c->flags & COUNTED) != 0)
        http_add_header_u64(c->q, "X-RateLimit-Remaining",
                            shown_remaining(c->remaining));
}

/* If the path has a route, its handler looks the caller up (access.h), in its own
 * snapshot. */
static bool thingschat_authenticate(struct call *c)
{
    struct access access;

    if ((c->flags & ROUTE_LOCAL_ONLY) != 0 && foreign_refused(c))
        return false;
    if (c->route != NULL || (c->flags & COUNTED) == 0)
        return true;
    /* Refusals state what is left, too: of reads or writes, depending on the
     * methods of the path. */
    access_look_up_now(c, &access);
    if (access.state == ACCESS_GRANTED)
        access_writes_left(c, &access);
    return access.state != ACCESS_FOREIGN || !foreign_refused(c);
}

/* A hint for mistakes that people make every day. */
static const char *path_hint(const struct call *c)
{
    struct slice segments, segment = {0};
    size_t count = 0;
    bool is_chat = false;

    for (http_segments(c->q, &segments);
         http_next_segment(&segments, &segment); count++)
        is_chat |= count == 1 && slice_eq(segment, slice_str("chat"));
    if (count > 3 && is_chat)
        return "a / within a thing's name is written %2F, as in "
               "/{token}/chat/kitchen%2Ftemp/latest";
    if (count > 1 && segment.len == 0)
        return "leave out the / at the end";
    return "see / for the paths there are";
}

static void no_path(struct call *c)
{
    answer_error(c, 404, "no such path: %s", path_hint(c));
}

static enum http_next chat_no_path(struct call *c)
{
    no_path(c);
    return HTTP_ANSWERED;
}

/* ---- the door ------------------------------------------------------------ */

static bool thingschat_start(struct front *front, void **ret_state)
{
    struct thingschat_state *s = calloc(1, sizeof(*s));

    *ret_state = s;
    if (s == NULL)
        return false;
    s->creations = creations_new(front->config->tokens_create_per_hour);
    return s->creations != NULL;
}

static void thingschat_stop(void *state)
{
    struct thingschat_state *s = state;

    if (s == NULL)
        return;
    creations_free(s->creations);
    free(s);
}

const struct door thingschat = {
    .name = "thingschat",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .reserved = reserved,
    .cors = &public_cors,
    .start = thingschat_start,
    .stop = thingschat_stop,
    .authenticate = thingschat_authenticate,
    .headers = put_remaining,
    .error = answer_plain_error,
    .no_path = no_path,
};
