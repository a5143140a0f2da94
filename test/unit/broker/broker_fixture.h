/* A whole broker with a store of its own in a scratch folder, on a free port. */
#ifndef CONFAB_TEST_UNIT_BROKER_BROKER_FIXTURE_H
#define CONFAB_TEST_UNIT_BROKER_BROKER_FIXTURE_H

#include "base/config.h"
#include "broker/broker.h"
#include "store/store.h"
#include "test/unit/broker/mqtt_peer.h"

struct broker_fixture {
    char dir[64];
    char socket[96];
    struct config config;
    struct store *store;
    struct broker *broker;
};

/* Two steps, so that a test may change b->config in between. Access is open,
 * there are two workers. */
void broker_fixture_prepare(struct broker_fixture *b);
void broker_fixture_start(struct broker_fixture *b);
void broker_fixture_stop(struct broker_fixture *b); /* keeps the folder */
void broker_fixture_remove(struct broker_fixture *b);

struct plan *broker_fixture_plan(struct broker_fixture *b, const char *name);

/* Connected, over TCP, as that token (NULL: nameless), CONNACK heard. */
struct peer device5(struct broker_fixture *b, const char *token,
                    const char *client_id);
struct peer device311(struct broker_fixture *b, const char *token,
                      const char *client_id);
/* v5, over the UNIX socket. */
struct peer administrator(struct broker_fixture *b, const char *client_id);

/* A number of `status` by its place in the text: "\"delivered\":". */
uint64_t status_number(struct broker_fixture *b, const char *after);

#endif
