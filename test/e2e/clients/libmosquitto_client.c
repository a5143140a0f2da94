/* libmosquitto, driven by a test: README.md in this folder has the lines that
 * come in and go out. */
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNACK_WITHIN_S 3

static atomic_bool leaving, connected;
static int arguments;
static char **argument;

static const char *setting(const char *name, const char *otherwise)
{
    const size_t len = strlen(name);

    for (int i = 1; i < arguments; i++)
        if (strncmp(argument[i], name, len) == 0 && argument[i][len] == '=')
            return argument[i] + len + 1;
    return otherwise;
}

static int number(const char *name, int otherwise)
{
    const char *text = setting(name, NULL);

    return text ? atoi(text) : otherwise;
}

static void must(const char *what, int rc)
{
    if (rc == MOSQ_ERR_SUCCESS)
        return;
    fprintf(stderr, "%s: %s\n", what, mosquitto_strerror(rc));
    exit(EXIT_FAILURE);
}

/* stdio locks each call: lines of two threads do not mix. */
static void on_connect(struct mosquitto *m, void *arg, int code, int flags,
                       const mosquitto_property *properties)
{
    (void)m, (void)arg, (void)properties;
    connected = code == 0;
    printf("connected\t%d\t%d\n", flags & 1, code);
}

static void on_disconnect(struct mosquitto *m, void *arg, int code,
                          const mosquitto_property *properties)
{
    (void)m, (void)arg, (void)code, (void)properties;
    printf("disconnected\n");
}

static void on_subscribe(struct mosquitto *m, void *arg, int mid, int count,
                         const int *granted,
                         const mosquitto_property *properties)
{
    (void)m, (void)arg, (void)mid, (void)properties;
    if (count == 1)
        printf("subscribed\t%d\n", granted[0]);
}

static void on_unsubscribe(struct mosquitto *m, void *arg, int mid,
                           const mosquitto_property *properties)
{
    (void)m, (void)arg, (void)mid, (void)properties;
    printf("unsubscribed\n");
}

static void on_publish(struct mosquitto *m, void *arg, int mid, int code,
                       const mosquitto_property *properties)
{
    (void)m, (void)arg, (void)properties;
    if (code < 0x80)
        printf("published\t%d\n", mid);
}

static void on_message(struct mosquitto *m, void *arg,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    (void)m, (void)arg, (void)properties;
    printf("message\t%s\t%d\t%d\t%.*s\n", message->topic, message->qos,
           message->retain, message->payloadlen,
           message->payload ? (const char *)message->payload : "");
}

static struct mosquitto *make_client(int version)
{
    const bool clean = number("clean", 1);
    struct mosquitto *m = mosquitto_new(setting("id", NULL), clean, NULL);

    if (m == NULL)
        must("mosquitto_new", MOSQ_ERR_NOMEM);
    must("version",
         mosquitto_int_option(m, MOSQ_OPT_PROTOCOL_VERSION, version));
    must("user", mosquitto_username_pw_set(m, setting("user", NULL), NULL));
    if (setting("ca", NULL) != NULL)
        must("ca", mosquitto_tls_set(m, setting("ca", NULL), NULL, NULL, NULL,
                                     NULL));
    mosquitto_connect_v5_callback_set(m, on_connect);
    mosquitto_disconnect_v5_callback_set(m, on_disconnect);
    mosquitto_subscribe_v5_callback_set(m, on_subscribe);
    mosquitto_unsubscribe_v5_callback_set(m, on_unsubscribe);
    mosquitto_publish_v5_callback_set(m, on_publish);
    mosquitto_message_v5_callback_set(m, on_message);
    return m;
}

static mosquitto_property *interval(int version, int id, const char *name)
{
    mosquitto_property *properties = NULL;

    if (version == MQTT_PROTOCOL_V5)
        must(name, mosquitto_property_add_int32(&properties, id,
                                                (uint32_t)number(name, 0)));
    return properties;
}

static void set_will(struct mosquitto *m, int version)
{
    const char *topic = setting("will_topic", NULL);
    const char *payload = setting("will_payload", "");

    if (topic == NULL)
        return;
    must("will", /* takes the properties */
         mosquitto_will_set_v5(m, topic, (int)strlen(payload), payload,
                               number("will_qos", 0), false,
                               interval(version, MQTT_PROP_WILL_DELAY_INTERVAL,
                                        "will_delay")));
}

static void obey(struct mosquitto *m, char *line)
{
    char *at = line;
    const char *command = strsep(&at, "\t");
    const char *topic = at ? strsep(&at, "\t") : "";
    const int qos = at ? atoi(strsep(&at, "\t")) : 0;

    if (strcmp(command, "subscribe") == 0) {
        must(command, mosquitto_subscribe(m, NULL, topic, qos));
    } else if (strcmp(command, "unsubscribe") == 0) {
        must(command, mosquitto_unsubscribe(m, NULL, topic));
    } else if (strcmp(command, "publish") == 0 && at != NULL) {
        const bool retain = atoi(strsep(&at, "\t"));
        const char *payload = at ? at : "";
        /* Without a connection it is queued, and sent when there is one. */
        const int rc = mosquitto_publish(m, NULL, topic, (int)strlen(payload),
                                         payload, qos, retain);
        if (rc != MOSQ_ERR_NO_CONN && rc != MOSQ_ERR_CONN_LOST)
            must(command, rc);
    }
}

/* Not mosquitto_loop_start(): that thread ends for good when an MQTT 5 server
 * says DISCONNECT, as one that is stopped does, and libmosquitto 2.0.11 turns
 * round for ever when a TLS handshake is cut, as by a server that is killed. */
static void *network(void *arg)
{
    struct mosquitto *m = arg;
    time_t since = time(NULL);

    for (;;) {
        const int rc = mosquitto_loop(m, 100, 1);
        const bool in_time =
            connected || time(NULL) - since < CONNACK_WITHIN_S;

        if (rc == MOSQ_ERR_SUCCESS && in_time)
            continue;
        if (leaving)
            return NULL; /* DISCONNECT is out */
        connected = false;
        sleep(1);
        since = time(NULL);
        mosquitto_reconnect(m); /* if it fails, so does the loop */
    }
}

int main(int argc, char **argv)
{
    static char line[1 << 16];
    pthread_t thread;

    arguments = argc;
    argument = argv;
    setvbuf(stdout, NULL, _IOLBF, 0);
    mosquitto_lib_init();

    const int version = number("v", MQTT_PROTOCOL_V5);
    struct mosquitto *m = make_client(version);
    mosquitto_property *properties =
        interval(version, MQTT_PROP_SESSION_EXPIRY_INTERVAL, "expiry");
    set_will(m, version);
    must("connect", mosquitto_connect_bind_v5(m, setting("host", "127.0.0.1"),
                                              number("port", 1883), 30, NULL,
                                              properties));
    must("threads", mosquitto_threaded_set(m, true));
    if (pthread_create(&thread, NULL, network, m) != 0)
        must("thread", MOSQ_ERR_ERRNO);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        obey(m, line);
    }
    leaving = true;
    mosquitto_disconnect(m);
    pthread_join(thread, NULL);
    mosquitto_property_free_all(&properties);
    mosquitto_destroy(m);
    mosquitto_lib_cleanup();
    return EXIT_SUCCESS;
}
