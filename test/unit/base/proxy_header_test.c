/* PROXY protocol, versions 1 and 2: what is said, in whatever pieces it comes. */
#include "base/net/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/address_list.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BEHIND "GET /"

/* In pieces of `piece` bytes. → the step at its end */
static enum proxy_step give(struct proxy_header *h, const void *bytes,
                            size_t n, size_t piece, size_t *ret_used)
{
    enum proxy_step step = PROXY_MORE;
    size_t used;

    memset(h, 0, sizeof(*h));
    *ret_used = 0;
    while (step == PROXY_MORE && *ret_used < n) {
        const size_t left = n - *ret_used;
        step = proxy_header_add(h, (const char *)bytes + *ret_used,
                                left < piece ? left : piece, &used);
        *ret_used += used;
    }
    return step;
}

/* `want`: "192.0.2.1:80"; "": the proxy's own. What is behind stays. */
static void says(const void *bytes, size_t n, const char *want)
{
    static const size_t pieces[] = {1, 2, 7, 4096};
    struct sockaddr_storage client = {0};
    struct proxy_header h;
    unsigned port;
    char host[64];
    char in[5000];
    size_t used;

    memcpy(in, bytes, n);
    memcpy(in + n, BEHIND, sizeof(BEHIND));
    if (want[0] != '\0') {
        struct in6_addr address;
        assert_int_equal(sscanf(want, "%63s %u", host, &port), 2);
        assert_true(address_parse(slice_str(host), &address));
        address_to_sockaddr(&address, (uint16_t)port, &client);
    }
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        if (give(&h, in, n + sizeof(BEHIND), pieces[i], &used) != PROXY_DONE)
            fail_msg("%s: %s", want, h.why == NULL ? "more" : h.why);
        assert_int_equal(used, n);
        assert_memory_equal(&h.client, &client, sizeof(client));
    }
}

static void is_bad(const void *bytes, size_t n)
{
    struct proxy_header h;
    size_t used;

    if (give(&h, bytes, n, 3, &used) != PROXY_BAD)
        fail_msg("%.*s is taken", (int)n, (const char *)bytes);
    assert_non_null(h.why);
}

#define SAYS(text, want) says(text, sizeof(text) - 1, want)
#define IS_BAD(text) is_bad(text, sizeof(text) - 1)

static void version_1_is_a_line(void **state)
{
    (void)state;
    SAYS("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", "192.0.2.1 56324");
    SAYS("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", "2001:db8::1 65535");
    SAYS("PROXY UNKNOWN\r\n", "");
    SAYS("PROXY UNKNOWN ffff:f...f:ffff some 1 2\r\n", "");
}

static void a_wrong_line_is_refused(void **state)
{
    char endless[200];
    (void)state;

    IS_BAD("GET / HTTP/1.1\r\n");
    IS_BAD("PROXY\r\n");
    IS_BAD("PROXY \r\n");
    IS_BAD("PROXY TCP4\r\n");
    IS_BAD("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n");
    IS_BAD("PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n");
    IS_BAD("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 \r\n");
    IS_BAD("PROXY TCP4  192.0.2.1 198.51.100.7 56324 443\r\n");
    IS_BAD("PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n");
    IS_BAD("PROXY TCP4 192.0.2.1 198.51.100.7 056 443\r\n");
    IS_BAD("PROXY TCP4 192.0.2.256 198.51.100.7 56324 443\r\n");
    IS_BAD("PROXY TCP4 ::1 ::1 56324 443\r\n");
    IS_BAD("PROXY TCP6 192.0.2.1 198.51.100.7 56324 443\r\n");
    IS_BAD("PROXY UDP4 192.0.2.1 198.51.100.7 56324 443\r\n");
    memset(endless, 'x', sizeof(endless));
    memcpy(endless, "PROXY UNKNOWN ", 14);
    is_bad(endless, sizeof(endless));
}

static void version_2_is_binary(void **state)
{
    (void)state;
    SAYS(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\7\xdc\4\1\xbb",
         "192.0.2.1 56324");
    SAYS(SIGNATURE "\x21\x21\0\x24"
                   "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50\1\xbb",
         "2001:db8::1 80");
    SAYS(SIGNATURE "\x20\0\0\0", "");        /* LOCAL */
    SAYS(SIGNATURE "\x20\x11\0\5hello", ""); /* … whatever is in it */
    SAYS(SIGNATURE "\x21\0\0\3\4\0\0", "");  /* UNSPEC, with a TLV */
    SAYS(SIGNATURE "\x21\x12\0\x0c............", ""); /* UDP */
}

static void what_is_behind_the_addresses_is_skipped(void **state)
{
    char in[16 + 3000], unix_socket[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
    (void)state;

    memset(in, 0xee, sizeof(in));
    memcpy(in,
           SIGNATURE "\x21\x11\x0b\xb8\xc0\0\2\1\xc6\x33\x64\7\xdc\4\1\xbb",
           28);
    says(in, sizeof(in), "192.0.2.1 56324");
    says(unix_socket, sizeof(unix_socket), "");
}

static void a_wrong_binary_header_is_refused(void **state)
{
    (void)state;
    IS_BAD("\r\n\r\n\r\n");
    IS_BAD("\r\nGET /");
    IS_BAD(SIGNATURE "\x11\x11\0\x0c............"); /* version 1 */
    IS_BAD(SIGNATURE "\x22\x11\0\x0c............"); /* a command to be */
    IS_BAD(SIGNATURE "\x21\x41\0\x0c............"); /* a family to be */
    IS_BAD(SIGNATURE "\x21\x13\0\x0c............");
    IS_BAD(SIGNATURE "\x21\x11\0\x0b..........."); /* too short */
    IS_BAD(SIGNATURE "\x21\x21\0\x23...........");
    IS_BAD(SIGNATURE "\x21\x31\0\xd7...........");
    IS_BAD(SIGNATURE "\x21\x11\xff\xff"); /* too long */
    IS_BAD(SIGNATURE "\x20\0\x10\0");
}

static void reading_takes_nothing_behind_the_header(void **state)
{
    static const char line[] = "PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\n";
    struct proxy_header h = {0};
    int ends[2];
    char in[16];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    for (size_t i = 0; i < sizeof(line) - 2; i++) {
        assert_int_equal(write(ends[0], line + i, 1), 1);
        assert_int_equal(proxy_header_read(&h, ends[1]), PROXY_MORE);
    }
    assert_int_equal(write(ends[0], "\nbehind", 7), 7);
    assert_int_equal(proxy_header_read(&h, ends[1]), PROXY_DONE);
    assert_int_equal(h.client.ss_family, AF_INET);
    assert_int_equal(read(ends[1], in, sizeof(in)), 6);
    assert_memory_equal(in, "behind", 6);
    close(ends[0]);
    memset(&h, 0, sizeof(h));
    assert_int_equal(proxy_header_read(&h, ends[1]), PROXY_BAD); /* its end */
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_is_a_line),
        cmocka_unit_test(a_wrong_line_is_refused),
        cmocka_unit_test(version_2_is_binary),
        cmocka_unit_test(what_is_behind_the_addresses_is_skipped),
        cmocka_unit_test(a_wrong_binary_header_is_refused),
        cmocka_unit_test(reading_takes_nothing_behind_the_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
