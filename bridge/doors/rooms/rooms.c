/* The door's table, and what all its answers have in common. */
#include "bridge/doors/rooms/rooms.h"

#include <stdlib.h>

#include "base/password_pool.h"
#include "bridge/doors/rooms/rooms_sockets.h"
#include "bridge/doors/rooms/rooms_state.h"
#include "bridge/doors/rooms/tenant_keeper.h"

static const struct route routes[] = {
    /* Where other doors are, these paths are theirs. */
    {"/", HTTP_GET, ROUTE_ALONE, NULL, rooms_status, NULL},
    {"/health", HTTP_GET, ROUTE_ALONE | ROUTE_VITAL, NULL, rooms_health, NULL},
    {"/favicon.ico", HTTP_GET, ROUTE_ALONE, NULL, rooms_icon, NULL},

    {"/socket.io/", HTTP_GET, 0, NULL, rooms_socket, NULL},
    {"/socket.io/", HTTP_POST, 0, NULL, rooms_socket, rooms_socket_body_max},
    /* Refused as Engine.IO refuses, with 400. */
    {"/socket.io/", HTTP_PUT, 0, NULL, rooms_socket, NULL},
    {"/socket.io/", HTTP_PATCH, 0, NULL, rooms_socket, NULL},
    {"/socket.io/", HTTP_DELETE, 0, NULL, rooms_socket, NULL},
    {"/index.html", HTTP_GET, 0, NULL, rooms_index, NULL},
    {"/random", HTTP_GET, 0, NULL, rooms_random, NULL},
    {"/geoip2", HTTP_GET, 0, NULL, rooms_address, NULL},
    {"/websocket", HTTP_GET, 0, NULL, rooms_websocket, NULL},
    {"/moderators", HTTP_GET, 0, NULL, rooms_moderators, NULL},
    {"/connections", HTTP_GET, 0, NULL, rooms_not_implemented, NULL},
    {"/connections/{socket}", HTTP_DELETE, 0, NULL, rooms_connection_delete,
     NULL},
};

static const char *const reserved[] = {
    "users",  "me",         "rooms",       "messages",  "bans",
    "unban",  "moderators", "connections", "websocket", "random",
    "geoip2", "index.html", "socket.io",   NULL,
};

/* ---- CORS ------------------------------------------------------------------------ */

/* As upstream: whatever header a page asks for. */
static void allow_headers(struct call *c)
{
    struct slice asked;
    char text[512];

    http_add_header(c->q, "Vary", "Access-Control-Request-Headers");
    if (!http_header(c->q, "Access-Control-Request-Headers", &asked) ||
        asked.len == 0 || asked.len >= sizeof(text))
        return;
    memcpy(text, asked.data, asked.len);
    text[asked.len] = '\0';
    http_add_header(c->q, "Access-Control-Allow-Headers", text);
}

static const char *const cors_headers[] = {
    "Access-Control-Allow-Origin",
    "*",
    "Access-Control-Expose-Headers",
    "Retry-After",
    NULL,
};

/* Tokens are in a header and never in a cookie, so a page can do no more than its user
 * could. */
static const struct cors cors = {
    .headers = cors_headers,
    .methods = "GET,HEAD,PUT,PATCH,POST,DELETE",
    .max_age = "600",
    .allow_headers = allow_headers,
};

/* ---- the door -------------------------------------------------------------------- */

#define PASSWORD_THREADS 2
#define PASSWORD_QUEUE 64

static bool rooms_start(struct front *front, void **ret_state)
{
    static const struct password_costs costs = {PASSWORD_MEMORY_DEFAULT,
                                                PASSWORD_OPS_DEFAULT};
    struct rooms_state *s = calloc(1, sizeof(*s));

    *ret_state = s;
    if (s == NULL)
        return false;
    s->front = front;
    s->tenant = slice_str(front->config->rooms.tenant);
    s->keeper = tenant_keeper_new(front, s->tenant);
    s->passwords = password_pool_new(PASSWORD_THREADS, PASSWORD_QUEUE, &costs);
    s->sockets = rooms_sockets_new(front, s->tenant);
    return s->keeper != NULL && s->passwords != NULL && s->sockets != NULL;
}

static void rooms_halt(void *state)
{
    struct rooms_state *s = state;

    if (s != NULL && s->passwords != NULL)
        password_pool_stop(s->passwords);
}

static void rooms_stop(void *state)
{
    struct rooms_state *s = state;

    if (s == NULL)
        return;
    password_pool_free(s->passwords);
    tenant_keeper_free(s->keeper);
    rooms_sockets_free(s->sockets);
    free(s);
}

static void rooms_tick(void *state)
{
    struct rooms_state *s = state;

    tenant_keeper_look(s->keeper);
}

const struct door rooms_door = {
    .name = "rooms",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .reserved = reserved,
    .cors = &cors,
    .start = rooms_start,
    .stop = rooms_stop,
    .tick = rooms_tick,
    .halt = rooms_halt,
    .error = rooms_error,
    .no_path = rooms_no_path,
};
