/* What the bridge gives every door: the parts that all of them share. Which doors
 * there are says bridge/bridge.c. */
#ifndef CONFAB_BRIDGE_DOORS_FRONT_H
#define CONFAB_BRIDGE_DOORS_FRONT_H

#include "base/config.h"
#include "bridge/http/call.h"
#include "bridge/link/link.h"
#include "bridge/stream/stream.h"
#include "store/store.h"

struct callers;
struct reads;

struct front {
    const struct config *config;
    struct store *store;
    struct link *link;
    struct streams *streams;
    struct reads *reads;      /* read limits (reads.h) */
    struct callers *callers;  /* of streams that outlive their request */
    const char *clients_path; /* where sockets are handed to the broker */
    uint16_t mqtt_port;
    int64_t started_us; /* clock_mono_us() */
};

#endif
