#include "bridge/doors/server/server.h"

#include "bridge/doors/access.h"
#include "bridge/doors/public_cors.h"
#include "bridge/doors/server/health.h"

/* Monitors must see a server that is full, and why. */
static const struct route routes[] = {
    {"/health", HTTP_GET, ROUTE_VITAL, NULL, health_get, NULL},
    {"/mqtt", HTTP_GET, ROUTE_LOCAL_ONLY, NULL, mqtt_websocket, NULL},
};

static const char *const reserved[] = {"health", "mqtt", NULL};

static bool start(struct front *front, void **ret_state)
{
    *ret_state = health_new(front);
    return *ret_state != NULL;
}

static void stop(void *state)
{
    health_free(state);
}

static bool authenticate(struct call *c)
{
    return (c->flags & ROUTE_LOCAL_ONLY) == 0 || !foreign_refused(c);
}

const struct door server_door = {
    .name = "server",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .reserved = reserved,
    .cors = &public_cors,
    .start = start,
    .stop = stop,
    .authenticate = authenticate,
};
