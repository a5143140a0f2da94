// Eclipse Paho for C (MQTTAsync): ../../e2e/clients/README.md has the lines that come
// in and go out. The library calls back on threads of its own; say() is one write.
#include <MQTTAsync.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

static MQTTAsync client;
static int version = 5;
static int arguments_count;
static char **arguments;

static const char *setting(const char *name)
{
    size_t length = strlen(name);

    for (int i = 1; i < arguments_count; i++)
        if (strncmp(arguments[i], name, length) == 0 &&
            arguments[i][length] == '=')
            return arguments[i] + length + 1;
    return NULL;
}

static int number(const char *name)
{
    const char *value = setting(name);
    return value ? atoi(value) : 0;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list values;

    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        exit(1);
}

_Noreturn static void fail(const char *what, int code)
{
    fprintf(stderr, "%s: %d\n", what, code);
    exit(1);
}

// ---- what the library calls

static int arrived(void *context, char *topic, int topic_length,
                   MQTTAsync_message *message)
{
    (void)context;
    (void)topic_length;
    say("message\t%s\t%d\t%d\t%.*s\n", topic, message->qos, message->retained,
        message->payloadlen, (const char *)message->payload);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void lost(void *context, char *cause)
{
    (void)context;
    (void)cause;
    say("disconnected\n");
}

// After each CONNACK. Only the first one's answer shows Session Present: of later ones
// it is known that the session was to be kept.
static void up(void *context, char *cause)
{
    static int again;

    (void)context;
    (void)cause;
    if (again++)
        say("connected\t%d\t0\n", !number("clean"));
}

static void connected3(void *context, MQTTAsync_successData *answer)
{
    (void)context;
    say("connected\t%d\t0\n", answer->alt.connect.sessionPresent);
}

static void connected5(void *context, MQTTAsync_successData5 *answer)
{
    (void)context;
    say("connected\t%d\t%d\n", answer->alt.connect.sessionPresent,
        answer->reasonCode);
}

static void refused3(void *context, MQTTAsync_failureData *answer)
{
    (void)context;
    fail("refused", answer ? answer->code : -1);
}

static void refused5(void *context, MQTTAsync_failureData5 *answer)
{
    (void)context;
    fail("refused", answer ? answer->code : -1);
}

static void subscribed3(void *context, MQTTAsync_successData *answer)
{
    (void)context;
    say("subscribed\t%d\n", answer->alt.qos);
}

static void subscribed5(void *context, MQTTAsync_successData5 *answer)
{
    (void)context;
    say("subscribed\t%d\n", answer->reasonCode);
}

static void unsubscribed3(void *context, MQTTAsync_successData *answer)
{
    (void)context;
    (void)answer;
    say("unsubscribed\n");
}

static void unsubscribed5(void *context, MQTTAsync_successData5 *answer)
{
    (void)context;
    (void)answer;
    say("unsubscribed\n");
}

static void published3(void *context, MQTTAsync_successData *answer)
{
    (void)context;
    say("published\t%d\n", answer->token);
}

static void published5(void *context, MQTTAsync_successData5 *answer)
{
    (void)context;
    say("published\t%d\n", answer->token);
}

// ---- what it is told

static void make(void)
{
    char url[256];
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;

    if (version == 5)
        options =
            (MQTTAsync_createOptions)MQTTAsync_createOptions_initializer5;
    options.sendWhileDisconnected = 1;
    snprintf(url, sizeof url, "tcp://%s:%s", setting("host"), setting("port"));
    int rc = MQTTAsync_createWithOptions(&client, url, setting("id"),
                                         MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                         &options);
    if (rc != MQTTASYNC_SUCCESS)
        fail("create", rc);
    MQTTAsync_setCallbacks(client, NULL, lost, arrived, NULL);
    MQTTAsync_setConnected(client, NULL, up);
}

static void connect_to_server(void)
{
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty expiry = {.identifier =
                               MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL};

    if (version == 5) {
        options =
            (MQTTAsync_connectOptions)MQTTAsync_connectOptions_initializer5;
        options.cleanstart = number("clean");
        expiry.value.integer4 = (unsigned int)number("expiry");
        MQTTProperties_add(&properties, &expiry);
        options.connectProperties = &properties;
        options.onSuccess5 = connected5;
        options.onFailure5 = refused5;
    } else {
        options.MQTTVersion = MQTTVERSION_3_1_1;
        options.cleansession = number("clean");
        options.onSuccess = connected3;
        options.onFailure = refused3;
    }
    options.username = setting("user");
    options.automaticReconnect = 1;
    options.minRetryInterval = 1;
    options.maxRetryInterval = 2;
    if (setting("will_topic")) {
        will.topicName = setting("will_topic");
        will.message = setting("will_payload");
        will.qos = number("will_qos");
        options.will = &will;
    }
    int rc = MQTTAsync_connect(client, &options);
    if (rc != MQTTASYNC_SUCCESS)
        fail("connect", rc);
    MQTTProperties_free(&properties);
}

static void obey(char *line)
{
    char *rest = line;
    const char *command = strsep(&rest, "\t");
    const char *topic = strsep(&rest, "\t");
    MQTTAsync_responseOptions answer = MQTTAsync_responseOptions_initializer;

    if (strcmp(command, "subscribe") == 0) {
        answer.onSuccess = version == 5 ? NULL : subscribed3;
        answer.onSuccess5 = version == 5 ? subscribed5 : NULL;
        MQTTAsync_subscribe(client, topic, atoi(rest), &answer);
    } else if (strcmp(command, "unsubscribe") == 0) {
        answer.onSuccess = version == 5 ? NULL : unsubscribed3;
        answer.onSuccess5 = version == 5 ? unsubscribed5 : NULL;
        MQTTAsync_unsubscribe(client, topic, &answer);
    } else if (strcmp(command, "publish") == 0) {
        int qos = atoi(strsep(&rest, "\t"));
        int retain = atoi(strsep(&rest, "\t"));
        answer.onSuccess = version == 5 ? NULL : published3;
        answer.onSuccess5 = version == 5 ? published5 : NULL;
        int rc = MQTTAsync_send(client, topic, (int)strlen(rest), rest, qos,
                                retain, &answer);
        if (rc != MQTTASYNC_SUCCESS)
            fail("send", rc);
    }
}

int main(int argc, char **argv)
{
    char line[LINE_MAX_BYTES];

    arguments_count = argc;
    arguments = argv;
    version = number("v");
    make();
    connect_to_server();
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        obey(line);
    }
    MQTTAsync_disconnectOptions options =
        MQTTAsync_disconnectOptions_initializer;
    options.timeout = 1000;
    MQTTAsync_disconnect(client, &options);
    for (int i = 0; i < 200 && MQTTAsync_isConnected(client); i++)
        usleep(10000);
    MQTTAsync_destroy(&client);
    return 0;
}
