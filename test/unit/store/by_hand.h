/* Workers without threads: a test turns their loops, and sees what a broker has
 * between two turns. Only the writer has its thread. */
#ifndef CONFAB_TEST_UNIT_STORE_BY_HAND_H
#define CONFAB_TEST_UNIT_STORE_BY_HAND_H

#include "base/config.h"
#include "broker/admin/sys.h"
#include "broker/worker.h"
#include "test/unit/broker/mqtt_peer.h"

#define BY_HAND_WORKERS_MAX 3

struct by_hand {
    char dir[64];
    struct config config;
    struct store *store;
    struct hub hub;
    struct sys_sampler sampler;
    struct worker *workers[BY_HAND_WORKERS_MAX + 1]; /* the last is for
                                                        administrators */
};

/* Access is open. */
void by_hand_begin(struct by_hand *h, unsigned workers);
void by_hand_end(struct by_hand *h);

/* What a server finds that starts after this one was killed now (`kill -9`):
 * exactly what is committed. `after` has a folder and workers of its own, of
 * which none has made a turn yet; `h` goes on as if nothing had happened. */
void by_hand_after_crash(struct by_hand *h, struct by_hand *after,
                         unsigned workers);

/* The writer's clock, which says when a message was stored, is that much behind
 * the workers': what is stored now has waited. 0 at the beginning. */
void by_hand_writer_behind(int64_t by_us);

/* A turn of every worker; `h` as peer.meanwhile wants it. */
void by_hand_turn(void *h);

/* A device (3.1.1) whose CONNACK was heard, accepted by the first worker. */
struct peer by_hand_guest(struct by_hand *h, const char *client_id,
                          const char *token);
/* Somebody who has said nothing yet. */
struct peer by_hand_stranger(struct by_hand *h);

/* The same, from an address that has a share (broker/client/held.h); 0: none. */
struct peer by_hand_stranger_from(struct by_hand *h, uint64_t address);

/* A command in a commit of its own. */
void by_hand_run(struct by_hand *h, struct command *c);
void by_hand_append(struct by_hand *h, const char *topic, uint8_t qos,
                    struct slice payload);

#endif
