#include "bridge/doors/server/server.h"

#include "bridge/doors/access.h"
#include "bridge/doors/public_cors.h"
#include "bridge/doors/server/health.h"

/* Vital: monitors must be able to see that a server is full, and why. */
static const struct route routes[] = {
    {"/health", HTTP_GET, ROUTE_VITAL, NULL, health_get, NULL},
    {"/mqtt", HTTP_GET, ROUTE_LOCAL_ONLY, NULL, mqtt_websocket, NULL},
};

static const char *const reserved[] = {"health", "mqtt", NULL};

static bool server_start(struct front *front, void **ret_state)
{
    *ret_state = health_new(front);
    return *ret_state != NULL;
}

static void server_stop(void *state)
{
    health_free(state);
}

static bool server_authenticate(struct call *c)
{
    return (c->flags & ROUTE_LOCAL_ONLY) == 0 || !foreign_refused(c);
}

const struct door server_door = {
    .name = "server",
    .routes = routes,
    .route_count = sizeof(routes) / sizeof(routes[0]),
    .reserved = reserved,
    .cors = &public_cors,
    .start = server_start,
    .stop = server_stop,
    .authenticate = server_authenticate,
};
