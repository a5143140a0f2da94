#include "bridge/link/link_properties.h"

#include <inttypes.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vocabulary.h"

#define IDEMPOTENCY_MAX 256
#define REFUSED 0x80 /* reason codes from here on are failures, MQTT 5 §2.4 */

static bool add_property(mosquitto_property **list, const char *name,
                         const char *value)
{
    return mosquitto_property_add_string_pair(list, MQTT_PROP_USER_PROPERTY,
                                              name, value) == MOSQ_ERR_SUCCESS;
}

bool link_connect_properties(mosquitto_property **ret_list)
{
    *ret_list = NULL;
    return add_property(ret_list, PROP_ASK, ASK_STAMP) &&
           add_property(ret_list, PROP_ASK, ASK_BARE) &&
           add_property(ret_list, PROP_ASK, ASK_ENVELOPES) &&
           add_property(ret_list, PROP_ASK, ASK_CHANGES) &&
           add_property(ret_list, PROP_ASK, ASK_RECEIPTS);
}

void link_operation(char ret_text[LINK_OPERATION_SIZE], const char *boot,
                    uint64_t counter)
{
    char digits[16];
    size_t at = sizeof(digits);
    const size_t len = strnlen(boot, LINK_OPERATION_SIZE - sizeof(digits) - 2);

    /* Not snprintf(): it was a sixth of the link's work for a message. */
    do {
        digits[--at] = "0123456789abcdef"[counter & 15];
        counter >>= 4;
    } while (counter != 0);
    memcpy(ret_text, boot, len);
    ret_text[len] = '-';
    memcpy(ret_text + len + 1, digits + at, sizeof(digits) - at);
    ret_text[len + 1 + sizeof(digits) - at] = 0;
}

/* The key comes from an HTTP header. What MQTT discourages in strings (§1.5.4)
 * a broker may answer by closing the connection, again and again as the request
 * is repeated: control characters and non-characters do not leave here, nor what
 * is not UTF-8 (the library does not look). */
bool link_idempotency_valid(struct slice key)
{
    return key.len <= IDEMPOTENCY_MAX && utf8_valid(key.data, key.len) &&
           !utf8_has_disallowed(key.data, key.len);
}

static bool add_text(mosquitto_property **list, const char *name,
                     struct slice value)
{
    char text[IDEMPOTENCY_MAX + 1];

    if (value.len == 0)
        return true;
    if (!link_idempotency_valid(value))
        return false;
    memcpy(text, value.data, value.len);
    text[value.len] = 0;
    return add_property(list, name, text);
}

bool link_publish_properties(const struct link_request *q,
                             const char *operation,
                             mosquitto_property **ret_list)
{
    char window[24];

    *ret_list = NULL;
    if (!add_property(ret_list, PROP_OP, operation))
        return false;
    if (!add_text(ret_list, PROP_IDEMPOTENCY, q->idempotency) ||
        !add_text(ret_list, PROP_SENDER, q->sender) ||
        !add_text(ret_list, PROP_ADDRESS, q->address))
        return false;
    if (q->is_json && !add_property(ret_list, PROP_CLASS, "json"))
        return false;
    if (q->window_start_us != 0) {
        snprintf(window, sizeof(window), "%" PRId64, q->window_start_us);
        return add_property(ret_list, PROP_CHARGE, window);
    }
    return true;
}

bool link_read_u64(const char *text, uint64_t *ret_value)
{
    uint64_t v = 0;

    if (*text == 0)
        return false;
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9')
            return false;
        const uint64_t digit = (uint64_t)(*text - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret_value = v;
    return true;
}

/* Calls `each` for every user property, in order. */
static void each_user_property(const mosquitto_property *list,
                               void (*each)(void *arg, const char *name,
                                            char **value),
                               void *arg)
{
    char *name = NULL, *value = NULL;
    const mosquitto_property *p =
        mosquitto_property_read_string_pair(list, MQTT_PROP_USER_PROPERTY,
                                            &name, &value, false);

    while (p != NULL) {
        if (name != NULL && value != NULL)
            each(arg, name, &value);
        free(name);
        free(value);
        name = value = NULL;
        p = mosquitto_property_read_string_pair(p, MQTT_PROP_USER_PROPERTY,
                                                &name, &value, true);
    }
}

static int status_of_reason(int reason_code)
{
    switch (reason_code) {
    case MQTT_RC_NOT_AUTHORIZED: return 401;
    case MQTT_RC_TOPIC_NAME_INVALID:
    case MQTT_RC_PAYLOAD_FORMAT_INVALID:
    case MQTT_RC_IMPLEMENTATION_SPECIFIC: return 400;
    case MQTT_RC_PACKET_TOO_LARGE: return 413;
    case MQTT_RC_QUOTA_EXCEEDED: return 429;
    case MQTT_RC_SERVER_BUSY:
    case MQTT_RC_SERVER_SHUTTING_DOWN: return 503;
    default: return reason_code < REFUSED ? 200 : 500;
    }
}

static void read_answer_property(void *arg, const char *name, char **value)
{
    struct link_request *q = arg;
    uint64_t v = 0;

    if (strcmp(name, PROP_RESULT) == 0) {
        free(q->result);
        q->result = *value; /* taken */
        q->result_len = strlen(*value);
        *value = NULL;
        return;
    }
    if (!link_read_u64(*value, &v))
        return;
    if (strcmp(name, PROP_STATUS) == 0 && v >= 100 && v <= 599)
        q->status = (int)v;
    else if (strcmp(name, PROP_ID) == 0)
        q->id = v;
    else if (strcmp(name, PROP_SEQ) == 0)
        q->seq = v;
    else if (strcmp(name, PROP_AT) == 0 && v <= INT64_MAX)
        q->at_us = (int64_t)v;
    else if (strcmp(name, PROP_REMAINING) == 0)
        q->remaining = v;
    else if (strcmp(name, PROP_RETRY_AFTER) == 0 && v <= UINT32_MAX)
        q->retry_after_s = (uint32_t)v;
    else if (strcmp(name, PROP_REPEAT) == 0)
        q->repeated = v == 1;
}

void link_clear_answer(struct link_request *q)
{
    q->outcome = LINK_ANSWERED;
    q->id = q->seq = 0;
    q->at_us = 0;
    q->remaining = UINT64_MAX;
    q->retry_after_s = 0;
    q->repeated = false;
    q->reason[0] = 0;
    q->result = NULL;
    q->result_len = 0;
}

void link_read_answer(struct link_request *q, int reason_code,
                      const mosquitto_property *list)
{
    char *reason = NULL;

    link_clear_answer(q);
    q->status = status_of_reason(reason_code);
    each_user_property(list, read_answer_property, q);
    mosquitto_property_read_string(list, MQTT_PROP_REASON_STRING, &reason,
                                   false);
    if (reason != NULL)
        snprintf(q->reason, sizeof(q->reason), "%s", reason);
    else if (reason_code >= REFUSED)
        snprintf(q->reason, sizeof(q->reason), "%s",
                 mosquitto_reason_string(reason_code));
    free(reason);
}

void link_refuse(struct link_request *q, int status, const char *reason)
{
    link_clear_answer(q);
    q->status = status;
    snprintf(q->reason, sizeof(q->reason), "%s", reason);
}

static void read_stamp_property(void *arg, const char *name, char **value)
{
    struct link_message *m = arg;
    uint64_t v = 0;

    if (!link_read_u64(*value, &v))
        return;
    if (strcmp(name, PROP_ID) == 0)
        m->id = v;
    else if (strcmp(name, PROP_SEQ) == 0)
        m->seq = v;
    else if (strcmp(name, PROP_AT) == 0 && v <= INT64_MAX)
        m->at_us = (int64_t)v;
}

void link_read_stamp(const mosquitto_property *list, struct link_message *m)
{
    m->id = m->seq = 0;
    m->at_us = 0;
    each_user_property(list, read_stamp_property, m);
}
