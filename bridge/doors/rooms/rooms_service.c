/* What the door says of itself, and paths that are there because clients ask for them. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sodium.h>

#include "base/clock.h"
#include "bridge/doors/rooms/rooms.h"
#include "bridge/doors/rooms/rooms_state.h"
#include "bridge/doors/rooms/rooms_uid.h"

/* "1 hour 2 minutes 3 seconds" */
static void put_duration(char *text, size_t size, int64_t seconds)
{
    static const struct {
        const char *word;
        int64_t seconds;
    } units[] = {
        {"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < 4; i++) {
        const int64_t n = seconds / units[i].seconds;
        seconds %= units[i].seconds;
        if (n == 0 && !(i == 3 && len == 0))
            continue;
        len += (size_t)snprintf(text + len, size - len, "%s%lld %s%s",
                                len > 0 ? " " : "", (long long)n,
                                units[i].word, n == 1 ? "" : "s");
    }
}

static struct slice host_of(const struct call *c)
{
    struct slice host = slice_str("localhost");

    (void)http_header(c->q, "Host", &host);
    return host;
}

/* The host's name is what the client calls it: what the machine is called among its
 * administrators is none of a visitor's business. */
enum http_next rooms_status(struct call *c)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);
    double load[3] = {0, 0, 0};
    char uptime[128];

    (void)getloadavg(load, 3);
    put_duration(uptime, sizeof(uptime),
                 (clock_mono_us() - c->front->started_us) / 1000000);
    json_object(&w);
    json_member_text(&w, "status", "OK");
    json_member_string(&w, "hostname", host_of(c));
    json_member_array(&w, "load");
    for (size_t i = 0; i < 3; i++) {
        json_raw_begin(&w);
        buffer_printf(w.out, "%.2f", load[i] < 0 ? 0 : load[i]);
        json_raw_end(&w);
    }
    json_array_end(&w);
    json_member_text(&w, "uptime", uptime);
    json_member_text(&w, "openapi_url", "");
    json_object_end(&w);
    return rooms_answer(c, &body);
}

enum http_next rooms_health(struct call *c)
{
    const int64_t since_us = clock_mono_us();
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);
    struct store_reader *r;

    if (store_snapshot(c->front->store, &r) != STORE_OK)
        return rooms_answer_unreadable(c);
    store_reader_release(r);
    if (!link_is_up(c->front->link)) {
        http_add_header(c->q, "Retry-After", "1");
        return answer_error(c, 503, "the broker is away");
    }
    json_object(&w);
    json_member_i64(&w, "ping", (clock_mono_us() - since_us) / 1000);
    json_object_end(&w);
    return rooms_answer(c, &body);
}

enum http_next rooms_random(struct call *c)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);
    char name[32], password[16];

    snprintf(name, sizeof(name), "user_%u",
             1000U + randombytes_uniform(9998999U));
    rooms_uid_make(password, sizeof(password));
    json_object(&w);
    json_member_text(&w, "username", name);
    json_member_string(&w, "password", slice_of(password, sizeof(password)));
    json_object_end(&w);
    return rooms_answer(c, &body);
}

static void put_client(const struct call *c, char text[INET6_ADDRSTRLEN])
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};
    const unsigned char *p = http_client(c->q).data;

    if (memcmp(p, mapped, sizeof(mapped)) == 0)
        inet_ntop(AF_INET, p + 12, text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, p, text, INET6_ADDRSTRLEN);
}

/* There is no database of places: `data` is null, as upstream without one. */
enum http_next rooms_address(struct call *c)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);
    char text[INET6_ADDRSTRLEN];

    put_client(c, text);
    json_object(&w);
    json_member_text(&w, "ip", text);
    json_member_null(&w, "data");
    json_object_end(&w);
    return rooms_answer(c, &body);
}

/* A proxy that ends TLS says so. It is an answer to whoever asks, and to nobody else. */
static const char *scheme_of(const struct call *c)
{
    struct slice proto;

    return http_header(c->q, "X-Forwarded-Proto", &proto) &&
                   slice_eq(proto, slice_str("https"))
               ? "wss"
               : "ws";
}

enum http_next rooms_websocket(struct call *c)
{
    struct buffer body = BUFFER_INIT, url = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);
    const struct slice host = host_of(c);

    buffer_printf(&url, "%s://%.*s%s/socket.io/?EIO=4&transport=websocket",
                  scheme_of(c), (int)host.len, (const char *)host.data,
                  c->mount->prefix);
    json_object(&w);
    json_member_string(&w, "websocketUrl", buffer_slice(&url));
    json_member_text(&w, "token", "");
    json_member_null(&w, "error");
    json_object_end(&w);
    body.failed |= url.failed;
    buffer_release(&url);
    return rooms_answer(c, &body);
}

enum http_next rooms_moderators(struct call *c)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);

    json_object(&w);
    json_member_text(&w, "message", "Nothing to see here yet");
    json_object_end(&w);
    return rooms_answer(c, &body);
}

enum http_next rooms_icon(struct call *c)
{
    return answer(c, 204, NULL, NULL);
}

enum http_next rooms_index(struct call *c)
{
    struct buffer page = BUFFER_INIT;

    buffer_put_str(&page, "<!doctype html>\n<html lang=\"en\">\n"
                          "<meta charset=\"utf-8\">\n<title>Confab</title>\n"
                          "<p>This is a Chat API.</p>\n</html>\n");
    return answer(c, 200, "text/html; charset=utf-8", &page);
}

enum http_next rooms_not_implemented(struct call *c)
{
    return answer_error(c, 501, "501: Not Implemented");
}

/* Clients count on `success`, also where nobody is connected by that name. */
enum http_next rooms_connection_delete(struct call *c)
{
    return rooms_answer_success(c);
}
