#include "benchmarks/churn/mqtt.h"

#include "benchmarks/measure/fatal.h"

static void put_string(struct bytes *to, const char *s)
{
    const size_t len = strlen(s);

    bytes_put_u16(to, (unsigned)len);
    bytes_put(to, s, len);
}

void mqtt_put_login(struct bytes *to, const char *client_id, const char *token,
                    bool stays)
{
    const size_t rest = 10 + 2 + strlen(client_id) + 2 + strlen(token);

    if (rest > 127)
        fatal("client id and token are too long: %s, %s", client_id, token);
    bytes_put_u8(to, (unsigned)MQTT_CONNECT << 4);
    bytes_put_u8(to, (unsigned)rest);
    put_string(to, "MQTT");
    bytes_put_u8(to, 4);
    bytes_put_u8(to, 0x80 /* user name */ | (stays ? 0 : 0x02));
    bytes_put_u16(to, 0);
    put_string(to, client_id);
    put_string(to, token);
}

void mqtt_put_message(struct bytes *to, const struct mqtt_publish *publish,
                      bool again)
{
    const size_t at = to->len;

    mqtt_put_publish(to, publish);
    if (again)
        to->data[at] |= 8;
}

void mqtt_put_pubrel(struct bytes *to, unsigned packet_id)
{
    const size_t at = to->len;

    mqtt_put_ack(to, MQTT_PUBREL, packet_id);
    to->data[at] |= 2; /* §3.6.1 */
}

bool mqtt_let_in(const struct mqtt_packet *connack, bool *ret_stayed)
{
    if (connack->type != MQTT_CONNACK || connack->len != 2 ||
        connack->body[1] != 0)
        return false;
    *ret_stayed = (connack->body[0] & 1) != 0;
    return true;
}
