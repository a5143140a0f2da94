#include "bridge/outgoing/fetcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "test/unit/bridge/fetch_fixture.h"
#include "test/unit/bridge/scripted_server.h"

#define MiB ((size_t)1 << 20)
#define OK "HTTP/1.1 200 OK\r\n"

static struct scripted_server *server;
static struct fetcher *fetcher;
static sem_t arrived;      /* a request that waits is there */
static sem_t hung_up;      /* its client closed the connection */
static atomic_size_t sent; /* by /flood, before the client read on */

/* ---- the server's answers ------------------------------------------------ */

static bool answer_echo(struct scripted_request *r)
{
    struct buffer b = BUFFER_INIT;
    static const char *const names[] = {
        "host",  "accept", "content-type",    "user-agent",
        "x-one", "expect", "accept-encoding", "content-length"};

    buffer_printf(&b, "%s %s\n", r->method, r->target);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = request_header(r, names[i]);
        if (value != NULL)
            buffer_printf(&b, "%s: %s\n", names[i], value);
    }
    buffer_put(&b, r->body, r->body_len);
    struct buffer all = BUFFER_INIT;
    buffer_printf(&all,
                  OK
                  "Content-Type:text/x-echo \r\nContent-Length: %zu\r\n\r\n",
                  b.len);
    buffer_put_slice(&all, buffer_slice(&b));
    const bool ok = send_bytes(r, all.data, all.len);
    buffer_release(&b);
    buffer_release(&all);
    return ok;
}

/* A chunked answer of "0123…", whose bytes are sent in pieces of `size`. */
static bool answer_chunked(struct scripted_request *r, size_t size)
{
    static const char text[] =
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK
        "Transfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n"
        "5\r\n01234\r\n1;a=b\r\n5\r\n0004\r\n6789\r\n0\r\n"
        "X-Trailer: 1\r\n\r\n";
    const size_t len = sizeof(text) - 1;

    for (size_t i = 0; i < len; i += size) {
        if (!send_bytes(r, text + i, len - i < size ? len - i : size))
            return false;
        usleep(200);
    }
    return true;
}

static bool answer_for_ever(struct scripted_request *r)
{
    static char piece[16384];

    send_text(r, OK "\r\n");
    while (send_bytes(r, piece, sizeof(piece)))
        ;
    return false;
}

/* A byte every 20 ms. */
static bool answer_slowly(struct scripted_request *r)
{
    send_text(r, OK "\r\n");
    while (send_text(r, "."))
        usleep(20000);
    return false;
}

#define FLOOD (32 * MiB)

static char flood_byte(size_t at)
{
    return (char)(at * 7 + at / 4096);
}

static bool answer_flood(struct scripted_request *r)
{
    static char piece[65536];
    size_t at = 0;
    bool stalled = false;

    send_text(r, OK "\r\n");
    while (at < FLOOD) {
        struct pollfd p = {.fd = r->fd, .events = POLLOUT};
        if (!stalled && poll(&p, 1, 300) == 0) {
            stalled = true;
            atomic_store(&sent, at);
            sem_post(&arrived);
        }
        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = flood_byte(at + i);
        const ssize_t n = send(r->fd, piece, sizeof(piece), MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return false;
}

static bool answer_and_wait(struct scripted_request *r, const char *text)
{
    send_text(r, text);
    sem_post(&arrived);
    if (wait_hang_up(r, 20000))
        sem_post(&hung_up);
    return false;
}

static bool answer_many_headers(struct scripted_request *r)
{
    char line[128];

    send_text(r, OK);
    for (int i = 0; i < 2000; i++) {
        snprintf(line, sizeof(line), "X-%d: %0100d\r\n", i, i);
        if (!send_text(r, line))
            return false;
    }
    return false;
}

static bool answer_long_header(struct scripted_request *r)
{
    static char piece[16384];

    memset(piece, 'x', sizeof(piece));
    send_text(r, OK "X-Long: ");
    for (int i = 0; i < 64; i++)
        if (!send_bytes(r, piece, sizeof(piece)))
            return false;
    return false;
}

static bool answer(struct scripted_request *r, void *arg)
{
    (void)arg;
#define IS(path) (strcmp(r->target, path) == 0)
    if (strncmp(r->target, "/echo", 5) == 0)
        return answer_echo(r);
    if (strncmp(r->target, "/cut/", 5) == 0)
        return answer_chunked(r, strtoul(r->target + 5, NULL, 10));
    if (IS("/endless"))
        return answer_for_ever(r);
    if (IS("/drip"))
        return answer_slowly(r);
    if (IS("/flood"))
        return answer_flood(r);
    if (IS("/silent"))
        return answer_and_wait(r, "");
    if (IS("/half-head"))
        return answer_and_wait(r, OK "Content-Le");
    if (IS("/half-body"))
        return answer_and_wait(r, OK "Content-Length: 10\r\n\r\nhello");
    if (IS("/many-headers"))
        return answer_many_headers(r);
    if (IS("/long-header"))
        return answer_long_header(r);
    if (IS("/close"))
        return false;
    if (IS("/close-in-head"))
        return send_text(r, OK "Content-") && false;
    if (IS("/close-in-body"))
        return send_text(r, OK "Content-Length: 10\r\n\r\nhello") && false;
    if (IS("/close-in-chunk"))
        return send_text(r, OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel") &&
               false;
    if (IS("/not-http"))
        return send_text(r, "220 mail ESMTP\r\n") && false;
    if (IS("/away"))
        return send_text(r, "HTTP/1.1 302 Found\r\nLocation: /echo\r\n"
                            "Content-Length: 5\r\n\r\nhello");
    if (IS("/fails"))
        return send_text(r, "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\n"
                            "Content-Length: 4\r\n\r\nbusy");
    return send_text(r, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
#undef IS
}

/* ---- the tests' steps ---------------------------------------------------- */

static int begin(void **state)
{
    (void)state;
    sem_init(&arrived, 0, 0);
    sem_init(&hung_up, 0, 0);
    server = scripted_server_start(answer, NULL);
    fetcher = start_fetcher(NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stop_fetcher(fetcher);
    scripted_server_stop(server);
    return 0;
}

/* Instead of the one that begin() started. */
static void restart_with(const struct fetcher_opts *opts)
{
    stop_fetcher(fetcher);
    fetcher = start_fetcher(opts);
}

static const char *url(const char *path)
{
    return url_of(scripted_server_port(server), path);
}

static struct fetch_request get(struct watched *w, const char *address)
{
    watched_init(w);
    return (struct fetch_request){
        .method = "GET",
        .url = address,
        .owner = slice_str("acme"),
        .idle_ms = 15000,
        .total_ms = 18000,
        .body_keep = 65536,
        .arg = w,
        .on_end = watched_end,
    };
}

static void submit(struct watched *w, const struct fetch_request *q)
{
    char text[FETCH_TEXT_MAX];

    if (fetcher_submit(fetcher, q, &w->fetch, text) != FETCH_ACCEPTED)
        fail_msg("%s", text);
}

static void run(struct watched *w, const struct fetch_request *q)
{
    submit(w, q);
    wait_sem(&w->end);
}

#define assert_outcome(w, expected)                                           \
    do {                                                                      \
        if ((w)->outcome != (expected))                                       \
            fail_msg("%s", (w)->text);                                        \
    } while (0)

static void assert_body(struct watched *w, const char *expected)
{
    buffer_put_char(&w->body, '\0');
    assert_string_equal(w->body.data, expected);
}

static void assert_text_has(const struct watched *w, const char *part)
{
    if (strstr(w->text, part) == NULL)
        fail_msg("'%s' does not say '%s'", w->text, part);
}

static void run_get(const char *path, enum fetch_outcome expected)
{
    struct watched w;
    const struct fetch_request q = get(&w, url(path));

    run(&w, &q);
    assert_outcome(&w, expected);
    watched_release(&w);
}

/* ---- whole answers ------------------------------------------------------- */

static void a_request_is_sent_as_it_is_asked_for(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "X-One: two"};
    char expected[256];
    struct watched w;
    struct fetch_request q = get(&w, url("/echo?a=%20b"));

    (void)state;
    q.method = "POST";
    q.headers = headers;
    q.header_count = 2;
    q.body = slice_str("{\"id\":1}");
    run(&w, &q);
    assert_outcome(&w, FETCH_ANSWERED);
    assert_int_equal(w.status, 200);
    assert_string_equal(w.content_type, "text/x-echo");
    assert_string_equal(w.text, "answered: 200");
    snprintf(expected, sizeof(expected),
             "POST /echo?a=%%20b\nhost: 127.0.0.1:%u\naccept: */*\n"
             "content-type: application/json\nuser-agent: Confab/0.1.0\n"
             "x-one: two\ncontent-length: 8\n{\"id\":1}",
             scripted_server_port(server));
    assert_body(&w, expected);
    watched_release(&w);
}

static void a_post_may_be_empty_and_a_get_has_no_body(void **state)
{
    struct watched w;
    struct fetch_request q = get(&w, url("/echo"));

    (void)state;
    q.method = "POST";
    run(&w, &q);
    buffer_put_char(&w.body, '\0');
    assert_non_null(strstr(w.body.data, "content-length: 0\n"));
    assert_null(strstr(w.body.data, "content-type"));
    watched_release(&w);
    q = get(&w, url("/echo"));
    run(&w, &q);
    buffer_put_char(&w.body, '\0');
    assert_null(strstr(w.body.data, "content-"));
    watched_release(&w);
}

static void only_a_part_of_the_body_is_kept(void **state)
{
    struct watched w;
    struct fetch_request q = get(&w, url("/echo"));

    (void)state;
    q.body_keep = 4;
    run(&w, &q);
    assert_outcome(&w, FETCH_ANSWERED);
    assert_body(&w, "GET ");
    assert_true(w.body_len > 20);
    watched_release(&w);
}

static void connections_are_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        run_get("/echo", FETCH_ANSWERED);
    assert_int_equal(scripted_server_requests(server), 10);
    assert_int_equal(scripted_server_connections(server), 1);
}

static void a_failing_answer_is_an_answer(void **state)
{
    struct watched w;
    const struct fetch_request q = get(&w, url("/fails"));

    (void)state;
    run(&w, &q);
    assert_outcome(&w, FETCH_ANSWERED);
    assert_int_equal(w.status, 503);
    assert_string_equal(w.retry_after, "120");
    assert_body(&w, "busy");
    watched_release(&w);
}

static void an_answer_may_come_in_pieces_of_any_size(void **state)
{
    char path[32];

    (void)state;
    for (unsigned size = 1; size < 180; size += size < 16 ? 1 : 13) {
        struct watched w;
        snprintf(path, sizeof(path), "/cut/%u", size);
        const struct fetch_request q = get(&w, url(path));
        run(&w, &q);
        assert_outcome(&w, FETCH_ANSWERED);
        assert_int_equal(w.status, 200);
        assert_string_equal(w.retry_after, "7");
        assert_body(&w, "0123456789");
        watched_release(&w);
    }
}

static void redirects_are_failures(void **state)
{
    struct watched w;
    struct fetch_request q = get(&w, url("/away"));

    (void)state;
    q.on_headers = watched_headers;
    q.on_data = watched_data;
    run(&w, &q);
    assert_outcome(&w, FETCH_REDIRECTED);
    assert_int_equal(w.status, 302);
    assert_int_equal(w.early_status, 0);
    assert_int_equal(w.body.len, 0);
    assert_text_has(&w, "302");
    assert_int_equal(scripted_server_requests(server), 1);
    watched_release(&w);
}

/* ---- bounds -------------------------------------------------------------- */

static void run_idle(const char *path)
{
    struct watched w;
    struct fetch_request q = get(&w, url(path));

    q.idle_ms = 100;
    run(&w, &q);
    assert_outcome(&w, FETCH_IDLE_TIMEOUT);
    wait_sem(&hung_up);
    watched_release(&w);
}

static void silence_ends_a_fetch(void **state)
{
    (void)state;
    run_idle("/silent");
    run_idle("/half-head");
    run_idle("/half-body");
}

static void bytes_keep_it_going_until_its_time_is_over(void **state)
{
    struct watched w;
    struct fetch_request q = get(&w, url("/drip"));

    (void)state;
    q.idle_ms = 5000;
    q.total_ms = 500;
    run(&w, &q);
    assert_outcome(&w, FETCH_TOTAL_TIMEOUT);
    assert_true(w.body_len > 3);
    watched_release(&w);
}

static void an_endless_body_is_cut_off(void **state)
{
    struct watched w;
    struct fetch_request q = get(&w, url("/endless"));

    (void)state;
    q.body_max = 100000;
    run(&w, &q);
    assert_outcome(&w, FETCH_BODY_TOO_LARGE);
    assert_int_equal(w.status, 200);
    assert_true(w.body_len <= 100000);
    assert_true(w.body.len <= 65536);
    watched_release(&w);
}

static void endless_headers_are_cut_off(void **state)
{
    (void)state;
    run_get("/many-headers", FETCH_HEADERS_TOO_LARGE);
    run_get("/long-header", FETCH_HEADERS_TOO_LARGE);
}

static void a_cut_connection_is_no_answer(void **state)
{
    (void)state;
    run_get("/close", FETCH_BROKEN);
    run_get("/close-in-head", FETCH_BROKEN);
    run_get("/close-in-body", FETCH_BROKEN);
    run_get("/close-in-chunk", FETCH_BROKEN);
    run_get("/not-http", FETCH_BROKEN);
}

static void a_port_that_is_closed_or_dead(void **state)
{
    struct watched w;
    struct fetch_request q;
    const uint16_t port = dead_port_open();

    (void)state;
    q = get(&w, url_of(port, "/"));
    q.connect_ms = 200;
    run(&w, &q);
    assert_outcome(&w, FETCH_CONNECT_TIMEOUT);
    watched_release(&w);
    dead_port_close();
    q = get(&w, url_of(port, "/"));
    run(&w, &q);
    assert_outcome(&w, FETCH_NO_CONNECTION);
    watched_release(&w);
}

static void a_name_that_does_not_exist(void **state)
{
    struct watched w;
    const struct fetch_request q = get(&w, "http://nobody.test/");

    (void)state;
    run(&w, &q);
    assert_outcome(&w, FETCH_NO_NAME);
    assert_text_has(&w, "nobody.test");
    watched_release(&w);
}

/* ---- addresses ----------------------------------------------------------- */

static void addresses_are_refused_by_default(void **state)
{
    const struct address_policy none = {.allow = {.count = 0}};
    const struct fetcher_opts opts = {.policy = &none};
    struct watched w;
    struct fetch_request q;

    (void)state;
    restart_with(&opts);
    q = get(&w, url("/echo"));
    run(&w, &q);
    assert_outcome(&w, FETCH_ADDRESS_REFUSED);
    assert_text_has(&w, "127.0.0.1 is a loopback address; outgoing.allow");
    watched_release(&w);
    q = get(&w, "http://169.254.169.254/latest/meta-data/");
    run(&w, &q);
    assert_outcome(&w, FETCH_ADDRESS_REFUSED);
    assert_text_has(&w, "metadata");
    watched_release(&w);
    q = get(&w, "http://[::ffff:7f00:1]/");
    run(&w, &q);
    assert_outcome(&w, FETCH_ADDRESS_REFUSED);
    watched_release(&w);
    q = get(&w, "http://0x7f.1/"); /* another way to write it */
    run(&w, &q);
    assert_outcome(&w, FETCH_ADDRESS_REFUSED);
    watched_release(&w);
    assert_int_equal(scripted_server_connections(server), 0);
}

static const char *named(const char *name)
{
    static char address[128];

    snprintf(address, sizeof(address), "http://%s:%u/echo", name,
             scripted_server_port(server));
    return address;
}

/* The name is checked when its URL is stored, and is another address when it is
 * used: what counts is the address that is connected to. */
static void what_a_name_resolves_to_is_checked_each_time(void **state)
{
    struct watched w;
    struct fetch_request q;

    (void)state;
    name_is("rebind.test", "10.0.0.1", "10.0.0.1");
    q = get(&w, named("rebind.test"));
    run(&w, &q);
    assert_outcome(&w, FETCH_ADDRESS_REFUSED);
    assert_text_has(&w, "10.0.0.1 is a private address");
    watched_release(&w);
    /* One address of several may be used: that one is. */
    name_is("both.test", "10.0.0.1 127.0.0.1", "127.0.0.1");
    q = get(&w, named("both.test"));
    run(&w, &q);
    assert_outcome(&w, FETCH_ANSWERED);
    watched_release(&w);
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    run_get("/echo", FETCH_ANSWERED);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void bad_urls_are_refused_at_once(void **state)
{
    static const struct {
        const char *url, *word;
    } bad[] = {
        {"", "empty"},
        {"example.com/x", "http://"},
        {"ftp://example.com/", "http://"},
        {"file:///etc/passwd", "http://"},
        {"gopher://example.com/", "http://"},
        {"javascript://example.com/", "http://"},
        {"http://", "not valid"},
        {"http://user@example.com/", "user name"},
        {"http://user:secret@example.com/", "user name"},
        {"http://exa mple.com/", "blanks"},
        {"http://example.com/\r\nX: y", "blanks"},
        {"http://ex\xc3\xa4mple.com/", "ASCII"},
        {"http://example.com:99999/", "not valid"},
    };
    char text[FETCH_TEXT_MAX], vast[3000] = "http://example.com/";
    struct watched w;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text[0] = '\0';
        if (fetch_url_check(bad[i].url, text) ||
            strstr(text, bad[i].word) == NULL)
            fail_msg("%s: '%s'", bad[i].url, text);
        assert_null(strstr(text, "secret"));
    }
    memset(vast + 19, 'a', 2500);
    assert_false(fetch_url_check(vast, text));
    assert_true(
        fetch_url_check("https://example.com:8443/hook?a=b%20c", text));
    assert_true(fetch_url_check("http://[2001:200::1]/", text));
    const struct fetch_request q = get(&w, bad[2].url);
    assert_int_equal(fetcher_submit(fetcher, &q, NULL, text), FETCH_INVALID);
    watched_release(&w);
}

static void headers_cannot_carry_another(void **state)
{
    static const char *const bad[] = {"X: a\r\nY: b", "X",   "X:a",     ": a",
                                      "X Y: a",       "X: ", "X: a\x7f"};
    char text[FETCH_TEXT_MAX];
    struct watched w;
    struct fetch_request q = get(&w, url("/echo"));

    (void)state;
    q.header_count = 1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        q.headers = &bad[i];
        if (fetcher_submit(fetcher, &q, NULL, text) != FETCH_INVALID)
            fail_msg("%s", bad[i]);
    }
    watched_release(&w);
}

/* ---- cancelling ---------------------------------------------------------- */

static void assert_cancelled(struct watched *w)
{
    fetch_cancel(w->fetch);
    fetch_cancel(w->fetch);
    wait_sem(&w->end);
    assert_outcome(w, FETCH_CANCELLED);
    fetch_cancel(w->fetch); /* after the end: nothing */
    fetch_resume(w->fetch);
    assert_int_equal(w->ends, 1);
    watched_release(w);
}

static void cancelled_while_it_waits_for_its_turn(void **state)
{
    const struct fetcher_opts opts = {.per_host = 1};
    struct watched first, second;
    struct fetch_request q;

    (void)state;
    restart_with(&opts);
    q = get(&first, url("/silent"));
    submit(&first, &q);
    wait_sem(&arrived);
    q = get(&second, url("/echo"));
    submit(&second, &q);
    assert_cancelled(&second);
    assert_int_equal(scripted_server_requests(server), 1);
    assert_cancelled(&first);
    wait_sem(&hung_up);
}

/* A look-up cannot be ended, but must not hold up the fetcher, either. */
static void cancelled_during_its_name_look_up(void **state)
{
    struct watched w;
    struct fetch_request q;

    (void)state;
    name_is("slow.test", "wait", "wait");
    q = get(&w, named("slow.test"));
    submit(&w, &q);
    usleep(50000);
    assert_cancelled(&w);
    q = get(&w, named("slow.test"));
    q.connect_ms = 100;
    run(&w, &q);
    assert_outcome(&w, FETCH_CONNECT_TIMEOUT);
    watched_release(&w);
    run_get("/echo", FETCH_ANSWERED);
    names_let_go();
    usleep(50000); /* its thread is gone before the test is */
}

static void cancelled_while_it_connects(void **state)
{
    struct watched w;
    const uint16_t port = dead_port_open();
    const struct fetch_request q = get(&w, url_of(port, "/"));

    (void)state;
    submit(&w, &q);
    usleep(50000);
    assert_cancelled(&w);
    dead_port_close();
}

static void cancelled_before_and_amid_the_answer(void **state)
{
    static const char *const paths[] = {"/silent", "/half-head", "/half-body"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct watched w;
        const struct fetch_request q = get(&w, url(paths[i]));
        submit(&w, &q);
        wait_sem(&arrived);
        assert_cancelled(&w);
        wait_sem(&hung_up); /* how the server knows */
    }
}

static void cancel_in_headers(void *arg, struct fetch *f,
                              const struct fetch_headers *h)
{
    watched_headers(arg, f, h);
    fetch_cancel(f);
}

static enum fetch_flow cancel_in_data(void *arg, struct fetch *f,
                                      struct slice data)
{
    watched_data(arg, f, data);
    fetch_cancel(f);
    return FETCH_CONTINUE;
}

static void cancelled_by_its_own_callbacks(void **state)
{
    struct watched w;
    struct fetch_request q = get(&w, url("/endless"));

    (void)state;
    q.on_headers = cancel_in_headers;
    q.on_data = watched_data;
    run(&w, &q);
    assert_outcome(&w, FETCH_CANCELLED);
    assert_int_equal(w.pieces, 0);
    watched_release(&w);
    q = get(&w, url("/endless"));
    q.on_data = cancel_in_data;
    run(&w, &q);
    assert_outcome(&w, FETCH_CANCELLED);
    assert_int_equal(w.pieces, 1);
    assert_int_equal(w.ends, 1);
    watched_release(&w);
}

static enum fetch_flow pause_always(void *arg, struct fetch *f,
                                    struct slice data)
{
    struct watched *w = arg;

    (void)f;
    (void)data;
    w->pieces++;
    sem_post(&w->data);
    return FETCH_PAUSE;
}

static void cancelled_while_paused(void **state)
{
    struct watched w;
    struct fetch_request q = get(&w, url("/half-body"));

    (void)state;
    q.on_data = pause_always;
    submit(&w, &q);
    wait_sem(&w.data);
    assert_cancelled(&w);
    wait_sem(&hung_up);
}

/* ---- answers that are read as they come ---------------------------------- */

static void a_stream_is_handed_out_as_it_comes(void **state)
{
    struct watched w;
    struct fetch_request q = get(&w, url("/half-body"));

    (void)state;
    q.on_headers = watched_headers;
    q.on_data = watched_data;
    submit(&w, &q);
    wait_sem(&w.headers);
    assert_int_equal(w.early_status, 200);
    wait_sem(&w.data);
    assert_int_equal(w.body.len, 5);
    assert_cancelled(&w);
}

static void a_pause_does_not_count_as_silence(void **state)
{
    struct watched w;
    struct fetch_request q = get(&w, url("/half-body"));

    (void)state;
    q.on_data = pause_always;
    q.idle_ms = 100;
    submit(&w, &q);
    wait_sem(&w.data);
    usleep(300000);
    assert_int_equal(w.ends, 0);
    fetch_resume(w.fetch); /* given again, paused again */
    wait_sem(&w.data);
    assert_int_equal(w.pieces, 2);
    assert_cancelled(&w);
}

/* Takes every other piece at once, the others when they are given again. */
struct flood {
    struct watched w;
    size_t at;
    bool takes, wrong;
    bool waits; /* for the first resume */
};

static enum fetch_flow take_flood(void *arg, struct fetch *f,
                                  struct slice data)
{
    struct flood *flood = arg;
    const char *bytes = data.data;

    if (!flood->takes) {
        flood->takes = true;
        if (flood->waits)
            sem_post(&flood->w.data);
        else
            fetch_resume(f); /* of a callback that is still running */
        flood->waits = false;
        return FETCH_PAUSE;
    }
    for (size_t i = 0; i < data.len; i++)
        flood->wrong |= bytes[i] != flood_byte(flood->at + i);
    flood->at += data.len;
    flood->takes = flood->at % 3 == 0;
    return FETCH_CONTINUE;
}

static void a_pause_reaches_the_sender(void **state)
{
    struct flood flood = {.waits = true};
    struct fetch_request q = get(&flood.w, url("/flood"));

    (void)state;
    q.on_data = take_flood;
    submit(&flood.w, &q);
    wait_sem(&flood.w.data);
    wait_sem(&arrived); /* its socket is full */
    assert_true(atomic_load(&sent) < FLOOD / 2);
    assert_int_equal(flood.at, 0);
    fetch_resume(flood.w.fetch);
    wait_sem(&flood.w.end);
    assert_outcome(&flood.w, FETCH_ANSWERED);
    assert_int_equal(flood.at, FLOOD);
    assert_int_equal(flood.w.body_len, FLOOD);
    assert_false(flood.wrong);
    watched_release(&flood.w);
}

/* ---- the queue ----------------------------------------------------------- */

/* Once there are so many fetches: their memory goes soon after on_end. */
static struct fetcher_stats stats_of(size_t fetches)
{
    struct fetcher_stats stats;

    for (int i = 0; i < 5000; i++) {
        fetcher_stats(fetcher, &stats);
        if (stats.fetches == fetches)
            return stats;
        usleep(2000);
    }
    fail_msg("%zu fetches", stats.fetches);
    return stats;
}

static void a_dead_host_holds_nobody_else_up(void **state)
{
    static struct watched waiting[1000];
    const uint16_t port = dead_port_open();
    struct fetcher_stats stats;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        struct fetch_request q = get(&waiting[i], url_of(port, "/"));
        q.connect_ms = q.total_ms = 60000;
        submit(&waiting[i], &q);
    }
    for (int i = 0; i < 20; i++)
        run_get("/echo", FETCH_ANSWERED);
    stats = stats_of(1000);
    assert_int_equal(stats.under_way, 8);
    assert_int_equal(stats.waiting, 992);
    for (size_t i = 0; i < 1000; i++)
        assert_cancelled(&waiting[i]);
    dead_port_close();
}

static void a_full_queue_refuses_and_has_room_again(void **state)
{
    const struct fetcher_opts opts = {.queue = 3, .per_host = 1};
    struct watched w[3], late;
    struct fetch_request q;
    char text[FETCH_TEXT_MAX];

    (void)state;
    restart_with(&opts);
    for (int i = 0; i < 3; i++) {
        q = get(&w[i], url("/silent"));
        submit(&w[i], &q);
    }
    q = get(&late, url("/echo"));
    assert_int_equal(fetcher_submit(fetcher, &q, NULL, text),
                     FETCH_QUEUE_FULL);
    assert_non_null(strstr(text, "too many"));
    /* A reference keeps a place, so that the mailbox has room for all. */
    fetch_cancel(w[0].fetch);
    wait_sem(&w[0].end);
    assert_int_equal(fetcher_submit(fetcher, &q, NULL, text),
                     FETCH_QUEUE_FULL);
    watched_release(&w[0]);
    for (int i = 1; i < 3; i++)
        assert_cancelled(&w[i]);
    stats_of(0);
    run(&late, &q);
    assert_outcome(&late, FETCH_ANSWERED);
    watched_release(&late);
}

static void what_waits_is_counted_in_bytes(void **state)
{
    const struct fetcher_opts opts = {.queue_bytes = 100000, .per_host = 1};
    static char body[40000];
    struct watched w[2], late;
    struct fetch_request q;

    (void)state;
    restart_with(&opts);
    for (int i = 0; i < 2; i++) {
        q = get(&w[i], url("/silent"));
        q.body = slice_of(body, sizeof(body));
        submit(&w[i], &q);
    }
    q = get(&late, url("/echo"));
    q.body = slice_of(body, sizeof(body));
    assert_int_equal(fetcher_submit(fetcher, &q, NULL, NULL),
                     FETCH_QUEUE_FULL);
    for (int i = 0; i < 2; i++)
        assert_cancelled(&w[i]);
    stats_of(0);
    run(&late, &q);
    watched_release(&late);
    assert_int_equal(stats_of(0).bytes, 0);
}

static void stopping_ends_everything(void **state)
{
    static struct watched w[20];
    static const char *const paths[] = {"/silent", "/half-body", "/drip"};
    struct fetch_request q;

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        q = get(&w[i], url(paths[i % 3]));
        q.on_data = i % 2 == 0 ? pause_always : NULL;
        submit(&w[i], &q);
    }
    wait_sem(&arrived);
    fetcher_stop(fetcher);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(w[i].ends, 1);
        assert_outcome(&w[i], FETCH_STOPPED);
        fetch_cancel(w[i].fetch); /* nothing any more */
        watched_release(&w[i]);
    }
    q = get(&w[0], url("/echo"));
    assert_int_equal(fetcher_submit(fetcher, &q, NULL, NULL), FETCH_STOPPED);
    watched_release(&w[0]);
    fetcher_free(fetcher);
    fetcher = start_fetcher(NULL); /* for end() */
}

/* ---- many threads -------------------------------------------------------- */

static atomic_uint ended;

static void count_end(void *arg, const struct fetch_result *r)
{
    (void)arg;
    (void)r;
    atomic_fetch_add(&ended, 1);
}

static void *submit_many(void *arg)
{
    const char *address = arg;
    unsigned accepted = 0;

    for (unsigned i = 0; i < 200; i++) {
        struct fetch *f = NULL;
        const struct fetch_request q = {
            .method = "GET",
            .url = address,
            .owner = slice_str("acme"),
            .idle_ms = 15000,
            .on_end = count_end,
        };
        if (fetcher_submit(fetcher, &q, &f, NULL) != FETCH_ACCEPTED)
            continue;
        accepted++;
        if (i % 2 == 0)
            fetch_cancel(f);
        fetch_resume(f);
        fetch_unref(f);
    }
    return (void *)(uintptr_t)accepted;
}

static void threads_may_all_submit_and_cancel(void **state)
{
    pthread_t threads[4];
    char address[128];
    uintptr_t accepted = 0;

    (void)state;
    atomic_store(&ended, 0);
    snprintf(address, sizeof(address), "%s", url("/echo"));
    for (int i = 0; i < 4; i++)
        assert_true(thread_start(&threads[i], "submit", submit_many, address));
    for (int i = 0; i < 4; i++) {
        void *n;
        pthread_join(threads[i], &n);
        accepted += (uintptr_t)n;
    }
    assert_int_equal(accepted, 800);
    for (int i = 0; i < 10000 && atomic_load(&ended) < accepted; i++)
        usleep(2000);
    assert_int_equal(atomic_load(&ended), accepted);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_sent_as_it_is_asked_for),
        TEST(a_post_may_be_empty_and_a_get_has_no_body),
        TEST(only_a_part_of_the_body_is_kept),
        TEST(connections_are_kept),
        TEST(a_failing_answer_is_an_answer),
        TEST(an_answer_may_come_in_pieces_of_any_size),
        TEST(redirects_are_failures),
        TEST(silence_ends_a_fetch),
        TEST(bytes_keep_it_going_until_its_time_is_over),
        TEST(an_endless_body_is_cut_off),
        TEST(endless_headers_are_cut_off),
        TEST(a_cut_connection_is_no_answer),
        TEST(a_port_that_is_closed_or_dead),
        TEST(a_name_that_does_not_exist),
        TEST(addresses_are_refused_by_default),
        TEST(what_a_name_resolves_to_is_checked_each_time),
        TEST(proxies_of_the_environment_are_ignored),
        TEST(bad_urls_are_refused_at_once),
        TEST(headers_cannot_carry_another),
        TEST(cancelled_while_it_waits_for_its_turn),
        TEST(cancelled_during_its_name_look_up),
        TEST(cancelled_while_it_connects),
        TEST(cancelled_before_and_amid_the_answer),
        TEST(cancelled_by_its_own_callbacks),
        TEST(cancelled_while_paused),
        TEST(a_stream_is_handed_out_as_it_comes),
        TEST(a_pause_does_not_count_as_silence),
        TEST(a_pause_reaches_the_sender),
        TEST(a_dead_host_holds_nobody_else_up),
        TEST(a_full_queue_refuses_and_has_room_again),
        TEST(what_waits_is_counted_in_bytes),
        TEST(stopping_ends_everything),
        TEST(threads_may_all_submit_and_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
