#include "cli/client.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/envelope.h"
#include "base/vocabulary.h"

#define ANSWER_WAIT_US INT64_C(10000000)
#define LOOP_MS 200

struct client {
    struct mosquitto *mosq;
    bool connected, lost;
    int waiting_for; /* packet id of the PUBLISH in flight; 0: none */
    struct client_answer *answer;
    int subscribed; /* SUBACKs still outstanding */
    bool refused;
    bool (*take)(void *arg, const struct client_message *m);
    void *arg;
    bool done;
};

static void on_connect(struct mosquitto *m, void *arg, int rc, int flags,
                       const mosquitto_property *props)
{
    struct client *c = arg;

    (void)m, (void)flags, (void)props;
    c->connected = rc == 0;
    c->lost = rc != 0;
}

static void on_disconnect(struct mosquitto *m, void *arg, int rc,
                          const mosquitto_property *props)
{
    struct client *c = arg;

    (void)m, (void)rc, (void)props;
    c->lost = true;
}

static void take_property(struct client_answer *a, const char *name,
                          char *value)
{
    if (strcmp(name, PROP_STATUS) == 0)
        a->status = (int)strtol(value, NULL, 10);
    else if (strcmp(name, PROP_ID) == 0)
        a->id = strtoull(value, NULL, 10);
    else if (strcmp(name, PROP_RESULT) == 0 && a->result == NULL) {
        a->result = value;
        return;
    }
    free(value);
}

static void on_publish(struct mosquitto *m, void *arg, int mid, int reason,
                       const mosquitto_property *props)
{
    struct client *c = arg;
    struct client_answer *a = c->answer;
    char *name, *value;

    (void)m;
    if (mid != c->waiting_for || a == NULL)
        return;
    for (const mosquitto_property *p = props; p != NULL;
         p = mosquitto_property_next(p)) {
        if (mosquitto_property_identifier(p) != MQTT_PROP_USER_PROPERTY ||
            mosquitto_property_read_string_pair(p, MQTT_PROP_USER_PROPERTY,
                                                &name, &value, false) == NULL)
            continue;
        take_property(a, name, value);
        free(name);
    }
    if (mosquitto_property_read_string(props, MQTT_PROP_REASON_STRING, &value,
                                       false) != NULL) {
        snprintf(a->reason, sizeof(a->reason), "%s", value);
        free(value);
    } else if (reason >= 0x80) {
        snprintf(a->reason, sizeof(a->reason), "%s",
                 mosquitto_reason_string(reason));
    }
    if (a->status == 0)
        a->status = reason < 0x80 ? 200 : 400;
    c->waiting_for = 0;
}

static void on_subscribe(struct mosquitto *m, void *arg, int mid, int count,
                         const int *granted, const mosquitto_property *props)
{
    struct client *c = arg;

    (void)m, (void)mid, (void)props;
    for (int i = 0; i < count; i++)
        if (granted[i] >= 0x80)
            c->refused = true;
    c->subscribed--;
}

static void on_message(struct mosquitto *m, void *arg,
                       const struct mosquitto_message *msg,
                       const mosquitto_property *props)
{
    struct client *c = arg;
    struct client_message out = {
        .topic = slice_str(msg->topic),
        .payload = slice_of(msg->payload, (size_t)msg->payloadlen),
        .retained = msg->retain,
    };
    char *name, *value;

    (void)m;
    if (!envelope_open(&out.topic, &out.payload))
        return;
    for (const mosquitto_property *p = props; p != NULL;
         p = mosquitto_property_next(p)) {
        if (mosquitto_property_identifier(p) != MQTT_PROP_USER_PROPERTY ||
            mosquitto_property_read_string_pair(p, MQTT_PROP_USER_PROPERTY,
                                                &name, &value, false) == NULL)
            continue;
        if (strcmp(name, PROP_ID) == 0)
            out.id = strtoull(value, NULL, 10);
        else if (strcmp(name, PROP_SEQ) == 0)
            out.seq = strtoull(value, NULL, 10);
        else if (strcmp(name, PROP_AT) == 0)
            out.at_us = strtoll(value, NULL, 10);
        free(name);
        free(value);
    }
    if (!c->done && c->take != NULL && !c->take(c->arg, &out))
        c->done = true;
}

/* Whether a server listens on the socket. libmosquitto would report only
 * "error". false without *ret_error: no server. */
static bool server_runs(const char *path, const char **ret_error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        *ret_error = "its path is too long for a UNIX socket";
        return false;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *ret_error = "cannot create a socket: too many open files?";
        return false;
    }
    const bool ok =
        connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (!ok && (errno == EACCES || errno == EPERM))
        *ret_error =
            "permission denied: run this as the server's user or root";
    else if (!ok && errno == EAGAIN)
        *ret_error = "the server is too busy to answer: try again";
    close(fd);
    return ok;
}

static bool loop_until(struct client *c, const bool *flag)
{
    const int64_t until = clock_mono_us() + ANSWER_WAIT_US;

    while (!*flag && !c->lost && clock_mono_us() < until)
        if (mosquitto_loop(c->mosq, LOOP_MS, 1) != MOSQ_ERR_SUCCESS)
            c->lost = true;
    return *flag;
}

static bool say_hello(struct client *c, const char *path)
{
    mosquitto_property *props = NULL;

    mosquitto_property_add_string_pair(&props, MQTT_PROP_USER_PROPERTY,
                                       PROP_ASK, ASK_STAMP);
    mosquitto_property_add_string_pair(&props, MQTT_PROP_USER_PROPERTY,
                                       PROP_ASK, ASK_RECEIPTS);
    mosquitto_property_add_string_pair(&props, MQTT_PROP_USER_PROPERTY,
                                       PROP_ASK, ASK_BARE);
    const int rc =
        mosquitto_connect_bind_v5(c->mosq, path, 0, 30, NULL, props);
    mosquitto_property_free_all(&props);
    return rc == MOSQ_ERR_SUCCESS && loop_until(c, &c->connected);
}

struct client *client_open(const char *data_dir, const char **ret_error)
{
    char path[4096];

    *ret_error = NULL;
    snprintf(path, sizeof(path), "%s/" SOCKET_NAME, data_dir);
    if (!server_runs(path, ret_error))
        return NULL;
    mosquitto_lib_init();
    struct client *c = calloc(1, sizeof(*c));
    if (c != NULL)
        c->mosq = mosquitto_new(NULL, true, c);
    if (c == NULL || c->mosq == NULL) {
        *ret_error = "out of memory";
        client_close(c);
        return NULL;
    }
    mosquitto_int_option(c->mosq, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_connect_v5_callback_set(c->mosq, on_connect);
    mosquitto_disconnect_v5_callback_set(c->mosq, on_disconnect);
    mosquitto_publish_v5_callback_set(c->mosq, on_publish);
    mosquitto_subscribe_v5_callback_set(c->mosq, on_subscribe);
    mosquitto_message_v5_callback_set(c->mosq, on_message);
    if (!say_hello(c, path)) {
        *ret_error = "the server refused the connection: run this as its "
                     "user or root";
        client_close(c);
        return NULL;
    }
    return c;
}

void client_close(struct client *c)
{
    if (c == NULL)
        return;
    if (c->mosq != NULL) {
        mosquitto_disconnect(c->mosq);
        mosquitto_destroy(c->mosq);
    }
    free(c);
    mosquitto_lib_cleanup();
}

bool client_publish(struct client *c, struct slice topic, struct slice payload,
                    bool retain, struct client_answer *ret_answer)
{
    char *name = strndup(topic.data, topic.len);
    const int64_t until = clock_mono_us() + ANSWER_WAIT_US;
    int mid = 0;

    memset(ret_answer, 0, sizeof(*ret_answer));
    if (name == NULL)
        return false;
    c->answer = ret_answer;
    const int rc = mosquitto_publish_v5(c->mosq, &mid, name, (int)payload.len,
                                        payload.data, 1, retain, NULL);
    free(name);
    if (rc != MOSQ_ERR_SUCCESS) {
        snprintf(ret_answer->reason, sizeof(ret_answer->reason), "%s",
                 mosquitto_strerror(rc));
        return false;
    }
    /* publish only queues: no answer can arrive before the loop runs */
    c->waiting_for = mid;
    while (c->waiting_for != 0 && !c->lost && clock_mono_us() < until)
        if (mosquitto_loop(c->mosq, LOOP_MS, 1) != MOSQ_ERR_SUCCESS)
            c->lost = true;
    c->answer = NULL;
    if (c->waiting_for == 0)
        return true;
    snprintf(ret_answer->reason, sizeof(ret_answer->reason),
             "no answer from the server: outcome unknown");
    return false;
}

bool client_follow(struct client *c, const char *const *filters, size_t count,
                   bool (*take)(void *arg, const struct client_message *m),
                   void *arg, const char **ret_error)
{
    c->take = take;
    c->arg = arg;
    c->subscribed = (int)count;
    for (size_t i = 0; i < count; i++) {
        const int rc =
            mosquitto_subscribe_v5(c->mosq, NULL, filters[i], 1, 0, NULL);
        if (rc != MOSQ_ERR_SUCCESS) {
            *ret_error = mosquitto_strerror(rc);
            return false;
        }
    }
    while (!c->done && !c->lost && !c->refused)
        if (mosquitto_loop(c->mosq, LOOP_MS, 1) != MOSQ_ERR_SUCCESS)
            c->lost = true;
    *ret_error = c->refused ? "filter refused" : "connection lost";
    return c->done;
}
