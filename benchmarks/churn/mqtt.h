/* What wire/mqtt_packet.h leaves out, of MQTT 3.1.1: tokens, sessions that
 * stay, QoS 2. */
#ifndef CONFAB_BENCHMARKS_CHURN_MQTT_H
#define CONFAB_BENCHMARKS_CHURN_MQTT_H

#include <stdbool.h>

#include "benchmarks/wire/mqtt_packet.h"

#define MQTT_PUBREC ((enum mqtt_type)5)
#define MQTT_PUBREL ((enum mqtt_type)6)
#define MQTT_PUBCOMP ((enum mqtt_type)7)

/* Keep-alive is off. `stays`: Clean Session 0. */
void mqtt_put_login(struct bytes *to, const char *client_id, const char *token,
                    bool stays);
/* `again`: with DUP. */
void mqtt_put_message(struct bytes *to, const struct mqtt_publish *publish,
                      bool again);
void mqtt_put_pubrel(struct bytes *to, unsigned packet_id);

static inline bool mqtt_is_again(const struct mqtt_packet *publish)
{
    return (publish->flags & 8) != 0;
}

/* A CONNACK that lets us in; then *ret_stayed is its Session Present. */
bool mqtt_let_in(const struct mqtt_packet *connack, bool *ret_stayed);

#endif
