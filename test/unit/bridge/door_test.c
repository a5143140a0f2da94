/* Front doors side by side on one real HTTP server: whose a request is, which
 * methods a path has, what answers look like, and what is refused at start. The
 * two doors here are nobody's APIs: `rooms` has errors and CORS of its own,
 * `keyed` shares some of its paths and takes the requests with an X-API-Key. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/net/connection_budget.h"
#include "bridge/http/router.h"

/* ---- doors --------------------------------------------------------------- */

/* "rooms GET /rooms/{id} (a)(b)": which route, with which arguments. */
static enum http_next tell(struct call *c)
{
    struct buffer body = BUFFER_INIT;
    struct slice sent;

    buffer_printf(&body, "%s %s %s", c->mount->door->name,
                  http_method_name(c->route->method), c->route->pattern);
    for (size_t i = 0; i < c->argument_count; i++)
        buffer_printf(&body, " (%.*s)", (int)c->arguments[i].len,
                      (const char *)c->arguments[i].data);
    if (http_body(c->q, &sent) && sent.len > 0)
        buffer_printf(&body, " +%zu", sent.len);
    return answer(c, 200, "text/plain", &body);
}

static size_t some_body(struct call *c)
{
    (void)c;
    return 100;
}

static enum http_next many_headers(struct call *c)
{
    struct slice count;

    http_header(c->q, "Count", &count);
    for (int i = 0; i < (count.len == 2 ? 60 : 6000); i++)
        http_add_header(c->q, "X-Of-Many", "0123456789");
    return answer(c, 204, NULL, NULL);
}

static enum http_next split_header(struct call *c)
{
    http_add_header(c->q, "X-Good", "1");
    http_add_header(c->q, "X-Split", "a\r\nSet-Cookie: b");
    return answer(c, 204, NULL, NULL);
}

static enum http_next odd_header(struct call *c)
{
    http_add_header(c->q, "X-Good", "1");
    http_add_header(c->q, "X Odd\t", "1");
    return answer(c, 204, NULL, NULL);
}

static const struct route rooms_routes[] = {
    {"/rooms", HTTP_GET, 0, NULL, tell, NULL},
    {"/rooms", HTTP_POST, 0, NULL, tell, some_body},
    {"/rooms/{id}", HTTP_GET, 0, NULL, tell, NULL},
    {"/rooms/{id}", HTTP_PUT, 0, NULL, tell, some_body},
    {"/rooms/{id}", HTTP_PATCH, 0, NULL, tell, some_body},
    {"/rooms/{id}", HTTP_DELETE, 0, NULL, tell, NULL},
    {"/rooms/new", HTTP_GET, 0, NULL, tell, NULL},
    {"/rooms/{id}/users", HTTP_GET, 0, NULL, tell, NULL},
    {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", HTTP_GET, 0, NULL, tell, NULL},
    {"/{a}/things", HTTP_GET, 0, NULL, tell, NULL},
    {"/files/*", HTTP_GET, 0, NULL, tell, NULL},
    {"/files/list", HTTP_GET, 0, NULL, tell, NULL},
    {"/headers/many", HTTP_GET, 0, NULL, many_headers, NULL},
    {"/headers/split", HTTP_GET, 0, NULL, split_header, NULL},
    {"/headers/odd", HTTP_GET, 0, NULL, odd_header, NULL},
};
static const char *const rooms_reserved[] = {"rooms", "files", "headers",
                                             NULL};
static const char *const rooms_headers[] = {"Access-Control-Allow-Origin", "*",
                                            "X-Door", "rooms", NULL};
static const struct cors rooms_cors = {
    .headers = rooms_headers,
    .methods = "GET,HEAD,PUT,PATCH,POST,DELETE",
    .request_headers = "authorization",
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
static const struct door rooms = {
    .name = "rooms",
    .routes = rooms_routes,
    .route_count = COUNT(rooms_routes),
    .reserved = rooms_reserved,
    .cors = &rooms_cors,
};

static void keyed_error(struct call *c, unsigned status, const char *text)
{
    struct buffer body = BUFFER_INIT;

    buffer_printf(&body, "{\"success\":false,\"error\":{\"message\":\"%s\"}}",
                  text);
    answer_json(c, status, &body);
}

static bool keyed_claims(const struct http_request *q)
{
    struct slice key;

    return http_header(q, "X-API-Key", &key) ||
           preflight_asks_for(q, "X-API-Key");
}

static bool keyed_authenticate(struct call *c)
{
    struct slice key;

    if (http_method(c->q) == HTTP_OPTIONS ||
        http_header(c->q, "X-API-Key", &key))
        return true;
    answer_error(c, 401, "Missing X-API-Key header");
    return false;
}

static void keyed_limits(struct call *c)
{
    http_add_header_u64(c->q, "X-RateLimit-Remaining", c->remaining);
}

static const struct route keyed_routes[] = {
    {"/rooms", HTTP_POST, 0, NULL, tell, some_body},
    {"/rooms/{id}", HTTP_GET, 0, NULL, tell, NULL},
    {"/rooms/{id}/messages", HTTP_GET, 0, NULL, tell, NULL},
    {"/rooms/{id}/messages", HTTP_HEAD, 0, NULL, tell, NULL},
    {"/acks", HTTP_POST, 0, NULL, tell, NULL},
};
static const char *const keyed_reserved[] = {"rooms", "acks", NULL};
static const char *const keyed_headers[] = {"Access-Control-Allow-Origin",
                                            "https://app.example", NULL};
static const struct cors keyed_cors = {
    .headers = keyed_headers,
    .methods = "GET, POST",
    .request_headers = "content-type, x-api-key",
    .max_age = "600",
};
static const struct door keyed = {
    .name = "keyed",
    .routes = keyed_routes,
    .route_count = COUNT(keyed_routes),
    .reserved = keyed_reserved,
    .cors = &keyed_cors,
    .claims = keyed_claims,
    .authenticate = keyed_authenticate,
    .headers = keyed_limits,
    .error = keyed_error,
};

/* ---- a server ------------------------------------------------------------ */

static struct {
    struct config config;
    struct connection_budget budget;
    struct http_server *http;
    struct router *router;
} served;

static void serve(const struct mount *mounts, size_t count)
{
    struct config_error error = {""};
    struct config *config = &served.config;

    log_set_level(LOG_LEVEL_ERROR);
    memset(config, 0, sizeof(*config));
    strcpy(config->http_listen, "127.0.0.1:0");
    config->http_workers = 1;
    config->http_idle_timeout = config->http_header_timeout = 10;
    config->http_body_timeout = config->http_write_timeout = 10;
    connection_budget_init(&served.budget, 0);
    served.router = router_new(NULL, mounts, count, &error);
    if (served.router == NULL)
        fail_msg("%s", error.text);
    const struct http_handler handler = router_handler(served.router);
    served.http = http_bind("http.listen", config->http_listen,
                            (unsigned)config->http_workers, &error);
    assert_non_null(served.http);
    assert_true(
        http_start(served.http, config, &handler, &served.budget, &error));
}

static int serve_both(void **state)
{
    static const struct mount both[] = {{&rooms, NULL, "", false},
                                        {&keyed, NULL, "", false}};

    (void)state;
    serve(both, 2);
    return 0;
}

static int serve_prefixed(void **state)
{
    static const struct mount both[] = {{&rooms, NULL, "", false},
                                        {&keyed, NULL, "/chat/api", false}};

    (void)state;
    serve(both, 2);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    http_stop(served.http);
    router_free(served.router);
    connection_budget_release(&served.budget);
    return 0;
}

static char got[1U << 20];

/* `head` is a request line and headers, each line but the last ending in CRLF. */
static const char *ask(const char *head, const char *body)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(http_port(served.http)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const struct timeval patience = {.tv_sec = 10};
    char request[32768];
    size_t len = 0;
    ssize_t n;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const int size = snprintf(request, sizeof(request),
                              "%s\r\nHost: localhost\r\nConnection: close\r\n"
                              "Content-Length: %zu\r\n\r\n%s",
                              head, strlen(body), body);
    assert_in_range(size, 1, sizeof(request) - 1);
    assert_int_equal(send(fd, request, (size_t)size, MSG_NOSIGNAL), size);
    while (len < sizeof(got) - 1 &&
           (n = recv(fd, got + len, sizeof(got) - 1 - len, 0)) > 0)
        len += (size_t)n;
    close(fd);
    got[len] = '\0';
    return got;
}

static void expect_status(const char *head, int status)
{
    char wanted[32];

    snprintf(wanted, sizeof(wanted), "HTTP/1.1 %d ", status);
    if (strncmp(ask(head, ""), wanted, strlen(wanted)) != 0)
        fail_msg("%s: %s", head, got);
}

static void expect(const char *head, const char *body, const char *answer)
{
    const char *end = strstr(ask(head, body), "\r\n\r\n");

    if (end == NULL || strcmp(end + 4, answer) != 0)
        fail_msg("%s: %s", head, got);
}

/* In the last answer. */
static void has(const char *text)
{
    if (strstr(got, text) == NULL)
        fail_msg("no %s in %s", text, got);
}

static void has_not(const char *text)
{
    if (strstr(got, text) != NULL)
        fail_msg("%s in %s", text, got);
}

/* ---- whose a request is -------------------------------------------------- */

static void a_header_decides_whose_a_shared_path_is(void **state)
{
    (void)state;
    expect("POST /rooms HTTP/1.1", "", "rooms POST /rooms");
    expect("POST /rooms HTTP/1.1\r\nX-API-Key: k", "", "keyed POST /rooms");
    expect("GET /rooms/7 HTTP/1.1", "", "rooms GET /rooms/{id} (7)");
    expect("GET /rooms/7 HTTP/1.1\r\nx-api-key: k", "",
           "keyed GET /rooms/{id} (7)");
}

static void a_path_that_one_door_has_is_its_own_whatever_the_headers(
    void **state)
{
    (void)state;
    expect("GET /rooms/7/users HTTP/1.1\r\nX-API-Key: k", "",
           "rooms GET /rooms/{id}/users (7)");
    expect("POST /acks HTTP/1.1\r\nX-API-Key: k", "", "keyed POST /acks");
    expect_status("POST /acks HTTP/1.1", 401);
    has("{\"success\":false,\"error\":{\"message\":\"Missing X-API-Key "
        "header\"}}");
}

/* `new` is text of the one door, and an argument of the other, which claims the
 * request. */
static void a_claim_comes_before_text(void **state)
{
    (void)state;
    expect("GET /rooms/new HTTP/1.1", "", "rooms GET /rooms/new");
    expect("GET /rooms/new HTTP/1.1\r\nX-API-Key: k", "",
           "keyed GET /rooms/{id} (new)");
}

static void a_preflight_belongs_to_whom_the_request_will(void **state)
{
    (void)state;
    expect_status("OPTIONS /rooms HTTP/1.1\r\n"
                  "Access-Control-Request-Headers: content-type",
                  204);
    has("Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n");
    has("Access-Control-Allow-Headers: authorization\r\n");
    has_not("Access-Control-Max-Age");
    has("X-Door: rooms\r\n");
    expect_status("OPTIONS /rooms HTTP/1.1\r\nAccess-Control-Request-Headers: "
                  "content-type,x-api-key",
                  204);
    has("Access-Control-Allow-Origin: https://app.example\r\n");
    has("Access-Control-Allow-Methods: GET, POST\r\n");
    has("Access-Control-Max-Age: 600\r\n");
    has_not("X-Door");
}

/* ---- paths --------------------------------------------------------------- */

static void text_comes_before_an_argument_and_that_before_the_rest(
    void **state)
{
    (void)state;
    expect("GET /rooms/new HTTP/1.1", "", "rooms GET /rooms/new");
    expect("GET /files/list HTTP/1.1", "", "rooms GET /files/list");
    expect("GET /files/things HTTP/1.1", "", "rooms GET /files/* (things)");
    /* back from a branch that ends */
    expect("GET /headers/things HTTP/1.1", "",
           "rooms GET /{a}/things (headers)");
}

static void a_rest_is_as_it_was_sent_and_an_argument_decoded(void **state)
{
    (void)state;
    expect("GET /files/a%2Fb/c%20d/ HTTP/1.1", "",
           "rooms GET /files/* (a%2Fb/c%20d/)");
    expect("GET /rooms/a%2Fb HTTP/1.1", "", "rooms GET /rooms/{id} (a/b)");
    expect("GET /rooms/ HTTP/1.1", "", "rooms GET /rooms/{id} ()");
    expect_status("GET /files HTTP/1.1", 404);
}

static void a_path_may_have_any_number_of_segments_and_arguments(void **state)
{
    char head[8300] = "GET /files";
    (void)state;

    expect("GET /1/2/3/4/5/6/7/8/9 HTTP/1.1", "",
           "rooms GET /{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i} "
           "(1) (2) (3) (4) (5) (6) (7) (8) (9)");
    expect_status("GET /1/2/3/4/5/6/7/8/9/10 HTTP/1.1", 404);
    for (size_t len = strlen(head); len < 8000; len += 2)
        strcpy(head + len, "/a");
    strcat(head, " HTTP/1.1");
    expect_status(head, 200);
    has("/a/a/a/a/a)");
    expect_status("GET /1/2/3/4/5/6/7/8/%zz HTTP/1.1", 400);
}

/* ---- methods ------------------------------------------------------------- */

static void every_method_has_its_route(void **state)
{
    (void)state;
    expect("PUT /rooms/7 HTTP/1.1", "12345", "rooms PUT /rooms/{id} (7) +5");
    expect("PATCH /rooms/7 HTTP/1.1", "123", "rooms PATCH /rooms/{id} (7) +3");
    expect("DELETE /rooms/7 HTTP/1.1", "", "rooms DELETE /rooms/{id} (7)");
    expect_status("HEAD /rooms/7 HTTP/1.1", 200);
    has("Content-Length: 25\r\n");
    /* A door may have a HEAD of its own. */
    expect_status("HEAD /rooms/7/messages HTTP/1.1\r\nX-API-Key: k", 200);
    has("Content-Length: 35\r\n");
}

static void another_method_is_405_with_those_there_are(void **state)
{
    (void)state;
    expect_status("POST /rooms/7 HTTP/1.1", 405);
    has("Allow: GET, HEAD, PUT, PATCH, DELETE, OPTIONS\r\n");
    has("{\"error\":\"method not allowed here; allowed: GET, HEAD, PUT, PATCH, "
        "DELETE, OPTIONS\"}");
    expect_status("BREW /rooms HTTP/1.1", 405);
    has("Allow: GET, HEAD, POST, OPTIONS\r\n");
    /* of the door whose request it is */
    expect_status("DELETE /rooms/7 HTTP/1.1\r\nX-API-Key: k", 405);
    has("Allow: GET, HEAD, OPTIONS\r\n");
    has("\"success\":false");
    has("X-RateLimit-Remaining: 18446744073709551615\r\n");
}

static void who_reserves_a_path_answers_for_it(void **state)
{
    (void)state;
    expect_status("GET /acks/none/such HTTP/1.1\r\nX-API-Key: k", 404);
    has("\"success\":false");
    expect_status("GET /nobody HTTP/1.1", 404);
    has("{\"error\":\"no such path\"}");
    has("X-Door: rooms\r\n");
}

static void a_prefix_stands_before_all_paths_of_its_door(void **state)
{
    (void)state;
    expect("POST /chat/api/rooms HTTP/1.1\r\nX-API-Key: k", "",
           "keyed POST /rooms");
    expect("POST /rooms HTTP/1.1\r\nX-API-Key: k", "", "rooms POST /rooms");
    expect_status("POST /acks HTTP/1.1\r\nX-API-Key: k", 404);
    has("{\"error\":\"no such path\"}");
    expect_status("GET /chat/api/none HTTP/1.1\r\nX-API-Key: k", 404);
    has("\"success\":false");
}

/* ---- headers of answers -------------------------------------------------- */

static void an_answer_has_all_its_headers_or_is_500(void **state)
{
    unsigned count = 0;
    (void)state;

    expect_status("GET /headers/many HTTP/1.1\r\nCount: 60", 204);
    for (const char *p = got; (p = strstr(p, "X-Of-Many")) != NULL; p++)
        count++;
    assert_int_equal(count, 60);
    expect_status("GET /headers/many HTTP/1.1\r\nCount: all", 500);
    has("Access-Control-Allow-Origin: *\r\n");
    has("{\"error\":\"the server could not send its answer");
    expect_status("GET /headers/split HTTP/1.1", 500);
    has_not("Set-Cookie");
    has_not("X-Good");
    has("{\"error\":\"the server could not send its answer");
    expect_status("GET /headers/odd HTTP/1.1", 500);
    expect("GET /rooms/7 HTTP/1.1", "", "rooms GET /rooms/{id} (7)");
}

/* ---- at start ------------------------------------------------------------ */

static void refused(const struct door *a, const struct door *b,
                    const char *text)
{
    const struct mount mounts[] = {{a, NULL, "", false}, {b, NULL, "", false}};
    struct config_error error = {""};

    assert_null(router_new(NULL, mounts, b == NULL ? 1 : 2, &error));
    assert_string_equal(error.text, text);
}

static void what_conflicts_is_named_at_start(void **state)
{
    static const struct route once[] = {
        {"/{room}/{id}", HTTP_GET, 0, NULL, tell, NULL},
    };
    static const struct route twice[] = {
        {"/rooms/{id}", HTTP_GET, 0, NULL, tell, NULL},
        {"/rooms/{room}", HTTP_GET, 0, NULL, tell, NULL},
    };
    static const char *const names[] = {"rooms", NULL};
    static const struct door other = {.name = "other",
                                      .routes = once,
                                      .route_count = 1};
    static const struct door third = {.name = "third",
                                      .routes = once,
                                      .route_count = 1};
    static const struct door double_door = {.name = "double",
                                            .routes = twice,
                                            .route_count = 2,
                                            .reserved = names};
    static const struct door careless = {.name = "careless",
                                         .routes = twice,
                                         .route_count = 1};
    static const struct door grabbing = {.name = "grabbing",
                                         .reserved = names};
    (void)state;

    refused(&other, &third,
            "doors other and third both have the path /{room}/{id}, and "
            "neither says which requests are its own: set door:third.prefix "
            "or door:third.enabled = no");
    refused(&double_door, NULL,
            "door double has two routes for GET "
            "/rooms/{room}");
    refused(&careless, NULL,
            "door careless: its table of reserved segments lacks the first "
            "segment of /rooms/{id}");
    refused(&rooms, &grabbing,
            "doors rooms and grabbing both reserve paths below /rooms: set "
            "door:grabbing.prefix or door:grabbing.enabled = no");
}

int main(void)
{
#define BOTH(name) cmocka_unit_test_setup_teardown(name, serve_both, stop)
    const struct CMUnitTest tests[] = {
        BOTH(a_header_decides_whose_a_shared_path_is),
        BOTH(a_path_that_one_door_has_is_its_own_whatever_the_headers),
        BOTH(a_claim_comes_before_text),
        BOTH(a_preflight_belongs_to_whom_the_request_will),
        BOTH(text_comes_before_an_argument_and_that_before_the_rest),
        BOTH(a_rest_is_as_it_was_sent_and_an_argument_decoded),
        BOTH(a_path_may_have_any_number_of_segments_and_arguments),
        BOTH(every_method_has_its_route),
        BOTH(another_method_is_405_with_those_there_are),
        BOTH(who_reserves_a_path_answers_for_it),
        BOTH(an_answer_has_all_its_headers_or_is_500),
        cmocka_unit_test_setup_teardown(
            a_prefix_stands_before_all_paths_of_its_door, serve_prefixed,
            stop),
        cmocka_unit_test(what_conflicts_is_named_at_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
