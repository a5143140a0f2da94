/* The parts of the bridge that all doors share. bridge/bridge.c lists the doors. */
#ifndef CONFAB_BRIDGE_DOORS_FRONT_H
#define CONFAB_BRIDGE_DOORS_FRONT_H

#include "base/config.h"
#include "bridge/http/call.h"
#include "bridge/link/link.h"
#include "bridge/stream/stream.h"
#include "store/store.h"

struct callers;
struct fetcher;
struct jwt_memo;
struct key_uses;
struct reads;

struct front {
    const struct config *config;
    struct store *store;
    struct link *link;
    struct streams *streams;
    struct reads *reads; /* read limits (reads.h) */
    struct callers
        *callers; /* shared callers of streams, which outlive requests */
    struct jwt_memo *jwts;     /* verified before */
    struct key_uses *key_uses; /* to be saved (key_uses.h) */
    struct fetcher *fetcher;   /* outgoing HTTP */
    const char
        *clients_path; /* socket on which the broker takes over clients */
    uint16_t mqtt_port;
    int64_t started_us; /* clock_mono_us() */
};

#endif
