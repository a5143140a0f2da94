#include "test/unit/bridge/scripted_broker.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/msgpack/append_bundle.h"
#include "base/msgpack/unpack.h"
#include "base/vocabulary.h"

#define IGNORED_MAX 4096

struct ignored {
    uint16_t packet_id;
    unsigned count; /* messages; 0: one by itself */
};

struct scripted_broker {
    pthread_t thread;
    pthread_mutex_t mutex; /* everything below */
    int listener, connection, stop[2];
    uint16_t receive_maximum;
    uint32_t packet_maximum;
    enum scripted_answer answer;
    unsigned times;
    unsigned connects;
    uint64_t id;
    struct ignored ignored[IGNORED_MAX];
    size_t ignored_count;
    size_t lines;
    struct buffer log;
};

/* ---- bytes --------------------------------------------------------------- */

static void put_u16(struct buffer *b, size_t v)
{
    buffer_put_char(b, (char)(v >> 8 & 0xff));
    buffer_put_char(b, (char)(v & 0xff));
}

static void put_string(struct buffer *b, const char *s)
{
    put_u16(b, strlen(s));
    buffer_put_str(b, s);
}

static void put_length(struct buffer *b, size_t n)
{
    do {
        buffer_put_char(b, (char)((n & 127) | (n > 127 ? 128 : 0)));
        n >>= 7;
    } while (n > 0);
}

static void put_user(struct buffer *b, const char *name, const char *value)
{
    buffer_put_char(b, 0x26);
    put_string(b, name);
    put_string(b, value);
}

static void put_user_u64(struct buffer *b, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    put_user(b, name, text);
}

/* Fixed header, `before`, the properties with their length, `after`. */
static void send_packet(struct scripted_broker *b, int type,
                        const struct buffer *before,
                        const struct buffer *properties,
                        const struct buffer *after)
{
    struct buffer body = BUFFER_INIT, packet = BUFFER_INIT;

    buffer_put(&body, before->data, before->len);
    put_length(&body, properties->len);
    buffer_put(&body, properties->data, properties->len);
    buffer_put(&body, after->data, after->len);
    buffer_put_char(&packet, (char)type);
    put_length(&packet, body.len);
    buffer_put(&packet, body.data, body.len);
    if (b->connection >= 0)
        (void)!send(b->connection, packet.data, packet.len, MSG_NOSIGNAL);
    buffer_release(&body);
    buffer_release(&packet);
}

static const unsigned char *get_string(const unsigned char *p, char *ret_text,
                                       size_t size)
{
    const size_t len = (size_t)p[0] << 8 | p[1];

    assert(len < size);
    memcpy(ret_text, p + 2, len);
    ret_text[len] = 0;
    return p + 2 + len;
}

static const unsigned char *get_length(const unsigned char *p, size_t *ret_len)
{
    unsigned shift = 0;

    *ret_len = 0;
    do {
        *ret_len |= (size_t)(*p & 127) << shift;
        shift += 7;
    } while ((*p++ & 128) != 0);
    return p;
}

/* ---- packets ------------------------------------------------------------- */

static void note(struct scripted_broker *b, const char *what,
                 const char *first, const char *second)
{
    buffer_printf(&b->log, "%s %s%s%s\n", what, first,
                  second[0] == 0 ? "" : " ", second);
    b->lines++;
}

static void on_connect(struct scripted_broker *b, const unsigned char *p)
{
    struct buffer flags = BUFFER_INIT, properties = BUFFER_INIT;
    const struct buffer none = BUFFER_INIT;
    char text[16];

    assert(memcmp(p, "\0\4MQTT\5", 7) == 0);
    assert((p[7] & 2) != 0); /* clean start */
    snprintf(text, sizeof(text), "%u", ++b->connects);
    note(b, "connect", text, "");
    buffer_put(&flags, "\0\0", 2);
    if (b->receive_maximum != 0) {
        buffer_put_char(&properties, 0x21);
        put_u16(&properties, b->receive_maximum);
    }
    if (b->packet_maximum != 0) {
        buffer_put_char(&properties, 0x27);
        put_u16(&properties, b->packet_maximum >> 16);
        put_u16(&properties, b->packet_maximum & 0xffff);
    }
    send_packet(b, 0x20, &flags, &properties, &none);
    buffer_release(&flags);
    buffer_release(&properties);
}

/* Answers to `count` messages, or, with 0, to one that came by itself. */
static void send_puback(struct scripted_broker *b, uint16_t packet_id,
                        unsigned count)
{
    struct buffer head = BUFFER_INIT, properties = BUFFER_INIT;
    const struct buffer none = BUFFER_INIT;
    struct buffer result = BUFFER_INIT;

    put_u16(&head, packet_id);
    buffer_put_char(&head, count == 0 ? 0x10 : 0);
    for (unsigned i = 0; i < count; i++)
        buffer_printf(&result,
                      "%c[200,%u,18446744073709551615,1795242737123456,99,17,"
                      "1,\"as you wish\"]",
                      i == 0 ? '[' : ',', (unsigned)++b->id);
    if (count > 0) {
        buffer_put_str(&result, "]");
        buffer_put_char(&result, 0);
        put_user(&properties, PROP_STATUS, "200");
        put_user(&properties, PROP_RESULT, result.data);
        send_packet(b, 0x40, &head, &properties, &none);
        buffer_release(&head);
        buffer_release(&properties);
        buffer_release(&result);
        return;
    }
    buffer_put_char(&properties, 0x1f);
    put_string(&properties, "as you wish");
    put_user(&properties, PROP_STATUS, "200");
    put_user_u64(&properties, PROP_ID, ++b->id);
    put_user(&properties, PROP_SEQ, "18446744073709551615");
    put_user(&properties, PROP_AT, "1795242737123456");
    put_user(&properties, PROP_REMAINING, "99");
    put_user(&properties, PROP_RETRY_AFTER, "17");
    put_user(&properties, PROP_REPEAT, "1");
    put_user(&properties, PROP_RESULT, "{\"a\":1}");
    put_user(&properties, "other", "property");
    send_packet(b, 0x40, &head, &properties, &none);
    buffer_release(&head);
    buffer_release(&properties);
}

static void cut(struct scripted_broker *b)
{
    if (b->connection >= 0)
        shutdown(b->connection, SHUT_RDWR);
}

static void get_operation(const unsigned char *p, const unsigned char *end,
                          char *ret_op)
{
    char name[64], value[512];

    ret_op[0] = 0;
    while (p < end) {
        assert(*p == 0x26); /* the link sends user properties only */
        p = get_string(p + 1, name, sizeof(name));
        p = get_string(p, value, sizeof(value));
        if (strcmp(name, PROP_OP) == 0)
            snprintf(ret_op, 64, "%.63s", value);
    }
}

/* The counter only: the boot id differs from run to run. */
static const char *counter_of(const char *operation)
{
    assert(strlen(operation) > 17 && operation[16] == '-');
    return operation + 17;
}

/* Notes `bundle TOPIC OP TOPIC OP…`; returns how many there were. */
static unsigned note_bundle(struct scripted_broker *b, const void *body,
                            size_t len)
{
    struct unpack u = unpack_of(body, len);
    const unsigned count = unpack_array(&u);

    buffer_put_str(&b->log, "bundle");
    for (unsigned i = 0; i < count; i++) {
        char op[64];
        const uint32_t fields = unpack_array(&u);
        const struct slice operation = unpack_str(&u), topic = unpack_str(&u),
                           payload = unpack_bin(&u);
        const uint64_t flags = unpack_uint(&u), window = unpack_uint(&u);
        const struct slice key = unpack_str(&u);
        assert(!u.failed && fields == APPEND_FIELDS);
        assert(flags == APPEND_JSON && window == 5);
        assert(payload.len > 0);
        assert(slice_eq(key, slice_str("key")));
        snprintf(op, sizeof(op), "%.*s", (int)operation.len,
                 (const char *)operation.data);
        buffer_printf(&b->log, " %.*s %s", (int)topic.len,
                      (const char *)topic.data, counter_of(op));
    }
    assert(u.at == u.end && count > 0);
    buffer_put_char(&b->log, '\n');
    b->lines++;
    return count;
}

static void on_publish(struct scripted_broker *b, const unsigned char *p,
                       const unsigned char *end)
{
    char topic[512], op[64];
    size_t len;
    unsigned count = 0;

    p = get_string(p, topic, sizeof(topic));
    const uint16_t packet_id = (uint16_t)(p[0] << 8 | p[1]);
    p = get_length(p + 2, &len);
    get_operation(p, p + len, op);
    if (strcmp(topic, COMMAND_PREFIX COMMAND_APPEND_NAME) == 0)
        count = note_bundle(b, p + len, (size_t)(end - p) - len);
    else
        note(b, "publish", topic, counter_of(op));
    const enum scripted_answer answer = b->answer;
    if (b->times > 0 && --b->times == 0)
        b->answer = SCRIPT_ACK;
    if (answer == SCRIPT_ACK) {
        send_puback(b, packet_id, count);
    } else if (answer == SCRIPT_CUT) {
        cut(b);
    } else {
        assert(b->ignored_count < IGNORED_MAX);
        b->ignored[b->ignored_count++] = (struct ignored){packet_id, count};
    }
}

static void on_filter(struct scripted_broker *b, const char *what, int type,
                      const unsigned char *p)
{
    struct buffer id = BUFFER_INIT, codes = BUFFER_INIT;
    const struct buffer none = BUFFER_INIT;
    char filter[512];
    size_t len;

    buffer_put(&id, p, 2);
    p = get_length(p + 2, &len);
    get_string(p + len, filter, sizeof(filter));
    note(b, what, filter, "");
    buffer_put_char(&codes, strcmp(filter, "refused") == 0 ? (char)0x87 : 0);
    send_packet(b, type, &id, &none, &codes);
    buffer_release(&id);
    buffer_release(&codes);
}

static void on_packet(struct scripted_broker *b, unsigned char type,
                      const unsigned char *body, size_t len)
{
    pthread_mutex_lock(&b->mutex);
    switch (type >> 4) {
    case 1: on_connect(b, body); break;
    case 3: on_publish(b, body, body + len); break;
    case 8: on_filter(b, "subscribe", 0x90, body); break;
    case 10: on_filter(b, "unsubscribe", 0xb0, body); break;
    case 12: (void)!send(b->connection, "\xd0\0", 2, MSG_NOSIGNAL); break;
    case 14: break;
    default: abort(); /* a packet the link should not send */
    }
    pthread_mutex_unlock(&b->mutex);
}

/* ---- the thread ---------------------------------------------------------- */

/* One whole packet, waiting for it; false: the connection has ended. */
static bool read_packet(int fd, unsigned char *ret_type, unsigned char *body,
                        size_t size, size_t *ret_len)
{
    unsigned char byte;
    size_t len = 0, got = 0;
    unsigned shift = 0;

    if (recv(fd, ret_type, 1, MSG_WAITALL) != 1)
        return false;
    do {
        if (recv(fd, &byte, 1, MSG_WAITALL) != 1)
            return false;
        len |= (size_t)(byte & 127) << shift;
        shift += 7;
    } while ((byte & 128) != 0);
    assert(len <= size);
    while (got < len) {
        const ssize_t n = recv(fd, body + got, len - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    *ret_len = len;
    return true;
}

static void serve(struct scripted_broker *b, int fd)
{
    static unsigned char body[1 << 20];
    unsigned char type;
    size_t len;

    pthread_mutex_lock(&b->mutex);
    b->connection = fd;
    b->ignored_count = 0;
    pthread_mutex_unlock(&b->mutex);
    while (read_packet(fd, &type, body, sizeof(body), &len))
        on_packet(b, type, body, len);
    pthread_mutex_lock(&b->mutex);
    b->connection = -1;
    close(fd);
    pthread_mutex_unlock(&b->mutex);
}

static void *run(void *arg)
{
    struct scripted_broker *b = arg;
    struct pollfd fds[] = {{b->listener, POLLIN, 0}, {b->stop[0], POLLIN, 0}};

    while (poll(fds, 2, -1) >= 0 && fds[1].revents == 0) {
        const int fd = accept(b->listener, NULL, NULL);
        if (fd >= 0)
            serve(b, fd);
    }
    return NULL;
}

struct scripted_broker *scripted_broker_start(const char *path,
                                              uint16_t receive_maximum)
{
    struct scripted_broker *b = calloc(1, sizeof(*b));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int rc;

    assert(b != NULL && strlen(path) < sizeof(address.sun_path));
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    unlink(path);
    b->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    b->connection = -1;
    b->receive_maximum = receive_maximum;
    rc = bind(b->listener, (struct sockaddr *)&address, sizeof(address));
    assert(rc == 0);
    rc = listen(b->listener, 8);
    assert(rc == 0);
    rc = pipe(b->stop);
    assert(rc == 0);
    pthread_mutex_init(&b->mutex, NULL);
    rc = pthread_create(&b->thread, NULL, run, b);
    assert(rc == 0);
    return b;
}

void scripted_broker_stop(struct scripted_broker *b)
{
    (void)!write(b->stop[1], "", 1);
    scripted_broker_cut(b);
    pthread_join(b->thread, NULL);
    close(b->listener);
    close(b->stop[0]);
    close(b->stop[1]);
    buffer_release(&b->log);
    pthread_mutex_destroy(&b->mutex);
    free(b);
}

/* ---- the test's side ----------------------------------------------------- */

void scripted_broker_limit_packets(struct scripted_broker *b,
                                   uint32_t packet_maximum)
{
    pthread_mutex_lock(&b->mutex);
    b->packet_maximum = packet_maximum;
    pthread_mutex_unlock(&b->mutex);
}

void scripted_broker_do(struct scripted_broker *b, enum scripted_answer answer,
                        unsigned times)
{
    pthread_mutex_lock(&b->mutex);
    b->answer = answer;
    b->times = times;
    pthread_mutex_unlock(&b->mutex);
}

void scripted_broker_cut(struct scripted_broker *b)
{
    pthread_mutex_lock(&b->mutex);
    cut(b);
    pthread_mutex_unlock(&b->mutex);
}

void scripted_broker_send(struct scripted_broker *b, const char *topic,
                          const char *payload, uint64_t id)
{
    scripted_broker_send_bytes(b, topic, slice_str(payload), id);
}

void scripted_broker_send_bytes(struct scripted_broker *b, const char *topic,
                                struct slice payload, uint64_t id)
{
    struct buffer name = BUFFER_INIT, properties = BUFFER_INIT;
    struct buffer body = BUFFER_INIT;

    pthread_mutex_lock(&b->mutex);
    put_string(&name, topic);
    put_user(&properties, "mine", "first");
    put_user_u64(&properties, PROP_ID, id);
    put_user(&properties, PROP_SEQ, "3");
    put_user(&properties, PROP_AT, "1795242737123456");
    buffer_put_slice(&body, payload);
    send_packet(b, 0x30, &name, &properties, &body);
    pthread_mutex_unlock(&b->mutex);
    buffer_release(&name);
    buffer_release(&properties);
    buffer_release(&body);
}

void scripted_broker_ack_ignored(struct scripted_broker *b)
{
    pthread_mutex_lock(&b->mutex);
    for (size_t i = 0; i < b->ignored_count; i++)
        send_puback(b, b->ignored[i].packet_id, b->ignored[i].count);
    b->ignored_count = 0;
    pthread_mutex_unlock(&b->mutex);
}

char *scripted_broker_log(struct scripted_broker *b, size_t lines)
{
    const struct timespec nap = {0, 2000000};
    char *text = NULL;

    for (int i = 0; i < 2500 && text == NULL; i++) {
        pthread_mutex_lock(&b->mutex);
        if (b->lines >= lines) {
            buffer_put_char(&b->log, 0);
            text = strdup(b->log.data);
            b->log.len--;
        }
        pthread_mutex_unlock(&b->mutex);
        if (text == NULL)
            nanosleep(&nap, NULL);
    }
    assert(text != NULL);
    return text;
}
