#include "bridge/outgoing/fetcher.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/thread.h"
#include "test/unit/bridge/fetch_fixture.h"

/* A server for https on loopback whose certificate nobody has signed but itself. */
static struct {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_certificate_credentials_t credentials;
    char ca_file[32];
    int fd;
    uint16_t port;
    pthread_t thread;
} server;

static void make_certificate(void)
{
    static const unsigned char serial = 1, address[] = {127, 0, 0, 1};
    const time_t now = time(NULL);

    gnutls_x509_privkey_init(&server.key);
    assert_int_equal(gnutls_x509_privkey_generate(
                         server.key, GNUTLS_PK_EC,
                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    gnutls_x509_crt_init(&server.certificate);
    gnutls_x509_crt_t c = server.certificate;
    gnutls_x509_crt_set_version(c, 3);
    gnutls_x509_crt_set_serial(c, &serial, 1);
    gnutls_x509_crt_set_activation_time(c, now - 3600);
    gnutls_x509_crt_set_expiration_time(c, now + 3600);
    gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, "test",
                                  4);
    gnutls_x509_crt_set_subject_alt_name(c, GNUTLS_SAN_IPADDRESS, address, 4,
                                         GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_basic_constraints(c, 1, -1);
    gnutls_x509_crt_set_key(c, server.key);
    assert_int_equal(
        gnutls_x509_crt_sign2(c, c, server.key, GNUTLS_DIG_SHA256, 0), 0);
}

static void write_ca_file(void)
{
    gnutls_datum_t pem;

    strcpy(server.ca_file, "/tmp/fetcher_tls_test.XXXXXX");
    const int fd = mkstemp(server.ca_file);
    assert_true(fd >= 0);
    assert_int_equal(gnutls_x509_crt_export2(server.certificate,
                                             GNUTLS_X509_FMT_PEM, &pem),
                     0);
    assert_int_equal(write(fd, pem.data, pem.size), (ssize_t)pem.size);
    close(fd);
    gnutls_free(pem.data);
}

static void answer(int fd)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";
    char in[4096];
    gnutls_session_t tls;

    gnutls_init(&tls, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(tls);
    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, server.credentials);
    gnutls_transport_set_int(tls, fd);
    if (gnutls_handshake(tls) == 0 &&
        gnutls_record_recv(tls, in, sizeof(in)) > 0)
        gnutls_record_send(tls, text, sizeof(text) - 1);
    gnutls_bye(tls, GNUTLS_SHUT_WR);
    gnutls_deinit(tls);
    close(fd);
}

static void *answer_all(void *arg)
{
    int fd;

    (void)arg;
    while ((fd = accept(server.fd, NULL, NULL)) >= 0)
        answer(fd);
    return NULL;
}

static int begin(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    (void)state;
    make_certificate();
    write_ca_file();
    gnutls_certificate_allocate_credentials(&server.credentials);
    gnutls_certificate_set_x509_key(server.credentials, &server.certificate, 1,
                                    server.key);
    server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.fd, (void *)&a, sizeof(a)), 0);
    assert_int_equal(listen(server.fd, 16), 0);
    assert_int_equal(getsockname(server.fd, (void *)&a, &len), 0);
    server.port = ntohs(a.sin_port);
    assert_true(thread_start(&server.thread, "https", answer_all, NULL));
    return 0;
}

static int end(void **state)
{
    (void)state;
    shutdown(server.fd, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.fd);
    gnutls_certificate_free_credentials(server.credentials);
    gnutls_x509_crt_deinit(server.certificate);
    gnutls_x509_privkey_deinit(server.key);
    unlink(server.ca_file);
    return 0;
}

static void get(struct watched *w, const char *ca_file, const char *host)
{
    const struct fetcher_opts opts = {.ca_file = ca_file};
    struct fetcher *fetcher = start_fetcher(&opts);
    char url[128];

    snprintf(url, sizeof(url), "https://%s:%u/", host, server.port);
    watched_init(w);
    const struct fetch_request q = {
        .method = "GET",
        .url = url,
        .owner = slice_str("acme"),
        .idle_ms = 10000,
        .total_ms = 15000,
        .body_keep = 100,
        .arg = w,
        .on_end = watched_end,
    };
    assert_int_equal(fetcher_submit(fetcher, &q, NULL, NULL), FETCH_ACCEPTED);
    wait_sem(&w->end);
    stop_fetcher(fetcher);
}

static void a_certificate_of_nobody_is_refused(void **state)
{
    struct watched w;

    (void)state;
    get(&w, "", "127.0.0.1");
    assert_int_equal(w.outcome, FETCH_TLS_FAILED);
    assert_int_equal(w.body.len, 0);
    watched_release(&w);
}

static void one_of_ca_file_is_accepted(void **state)
{
    struct watched w;

    (void)state;
    get(&w, server.ca_file, "127.0.0.1");
    if (w.outcome != FETCH_ANSWERED)
        fail_msg("%s", w.text);
    assert_int_equal(w.body.len, 6);
    watched_release(&w);
}

static void but_not_for_another_name(void **state)
{
    struct watched w;

    (void)state;
    name_is("other.test", "127.0.0.1", "127.0.0.1");
    get(&w, server.ca_file, "other.test");
    assert_int_equal(w.outcome, FETCH_TLS_FAILED);
    watched_release(&w);
}

static void a_ca_file_that_is_missing_is_an_error_at_start(void **state)
{
    const struct address_policy none = {.allow = {.count = 0}};
    const struct fetcher_opts opts = {.policy = &none,
                                      .ca_file = "/nowhere/ca.pem"};
    char text[FETCH_TEXT_MAX];

    (void)state;
    assert_null(fetcher_start(&opts, text));
    assert_string_equal(text, "outgoing.ca_file /nowhere/ca.pem: "
                              "No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_of_nobody_is_refused),
        cmocka_unit_test(one_of_ca_file_is_accepted),
        cmocka_unit_test(but_not_for_another_name),
        cmocka_unit_test(a_ca_file_that_is_missing_is_an_error_at_start),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
