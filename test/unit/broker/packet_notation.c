#include "test/unit/broker/packet_notation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/wire/reason.h"

const struct packet_terms terms_5 = {.version = PACKET_V5,
                                     .maximum_qos = 2,
                                     .topic_alias_maximum = 10,
                                     .maximum_packet_size = UINT32_MAX,
                                     .problem_information = true};
const struct packet_terms terms_311 = {.version = PACKET_V311,
                                       .maximum_qos = 2,
                                       .maximum_packet_size = UINT32_MAX,
                                       .problem_information = true};
const struct packet_terms terms_31 = {.version = PACKET_V31,
                                      .maximum_qos = 2,
                                      .maximum_packet_size = UINT32_MAX,
                                      .problem_information = true};

static _Noreturn void bad_notation(const char *at)
{
    fprintf(stderr, "not in the notation: %s\n", at);
    abort();
}

static unsigned hex_digit(const char *at)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = *at ? strchr(digits, *at) : NULL;

    if (!found)
        bad_notation(at);
    return (unsigned)(found - digits);
}

static size_t put_length(char bracket, size_t len, uint8_t *to)
{
    size_t n = 0;

    if (bracket == '(') {
        to[n++] = (uint8_t)(len >> 8);
        to[n++] = (uint8_t)len;
        return n;
    }
    do {
        to[n++] = (uint8_t)((len & 127) | (len > 127 ? 128 : 0));
        len >>= 7;
    } while (len > 0);
    return n;
}

/* Up to `until` (a closing bracket, or 0), which *text is left behind. A text
 * never makes more bytes than twice its characters. */
static size_t write_down(const char **text, char until, uint8_t *to)
{
    size_t len = 0;

    for (;;) {
        const char c = **text;
        if (c == until) {
            *text += c != 0;
            return len;
        }
        if (c == ' ' || c == '\n') {
            ++*text;
        } else if (c == '\'') {
            for (++*text; **text != '\''; ++*text) {
                if (!**text)
                    bad_notation("missing '");
                to[len++] = (uint8_t) * *text;
            }
            ++*text;
        } else if (c == '(' || c == '[') {
            const size_t room = strlen(*text) * 2;
            uint8_t *inner = malloc(room);
            uint8_t prefix[8];
            ++*text;
            const size_t n = write_down(text, c == '(' ? ')' : ']', inner);
            const size_t m = put_length(c, n, prefix);
            memcpy(to + len, prefix, m);
            memcpy(to + len + m, inner, n);
            len += m + n;
            free(inner);
        } else {
            to[len++] =
                (uint8_t)(hex_digit(*text) << 4 | hex_digit(*text + 1));
            *text += 2;
        }
    }
}

struct packet_bytes packet_write_down(const char *text)
{
    uint8_t *large = malloc(strlen(text) * 2 + 1);
    const size_t len = write_down(&text, 0, large);
    uint8_t *exact = malloc(len ? len : 1);

    memcpy(exact, large, len);
    free(large);
    return (struct packet_bytes){exact, len};
}

void packet_bytes_release(struct packet_bytes *b)
{
    free(b->data);
    *b = (struct packet_bytes){0};
}

struct packet_frame packet_only_frame(const struct packet_bytes *b)
{
    struct packet_frame f;
    struct packet_error e;

    assert_int_equal(packet_frame(b->data, b->len, PACKET_SIZE_MAX, &f, &e),
                     PACKET_WHOLE);
    assert_int_equal(f.size, b->len);
    return f;
}

bool packet_decode_any(const struct packet_frame *f,
                       const struct packet_terms *terms,
                       struct packet_error *ret_error)
{
    union {
        struct packet_connect connect;
        struct packet_publish publish;
        struct packet_subscribe subscribe;
        struct packet_ack ack;
        struct packet_disconnect disconnect;
        struct packet_auth auth;
    } u;

    switch (f->type) {
    case PACKET_CONNECT:
        return packet_decode_connect(f, terms->maximum_qos, &u.connect,
                                     ret_error);
    case PACKET_PUBLISH:
        return packet_decode_publish(f, terms, &u.publish, ret_error);
    case PACKET_SUBSCRIBE:
        return packet_decode_subscribe(f, terms, &u.subscribe, ret_error);
    case PACKET_UNSUBSCRIBE:
        return packet_decode_unsubscribe(f, terms, &u.subscribe, ret_error);
    case PACKET_DISCONNECT:
        return packet_decode_disconnect(f, terms, &u.disconnect, ret_error);
    case PACKET_AUTH: return packet_decode_auth(f, terms, &u.auth, ret_error);
    case PACKET_PINGREQ: return packet_decode_pingreq(f, terms, ret_error);
    default: return packet_decode_ack(f, terms, &u.ack, ret_error);
    }
}

void packet_check_refusals(const struct packet_refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct packet_bytes b = packet_write_down(rows[i].packet);
        const struct packet_frame f = packet_only_frame(&b);
        struct packet_error e = {0, NULL};

        if (packet_decode_any(&f, rows[i].terms, &e))
            fail_msg("accepted, although: %s", rows[i].claim);
        if (e.reason != rows[i].reason)
            fail_msg("refused with 0x%02x (%s), not 0x%02x: %s", e.reason,
                     e.text, rows[i].reason, rows[i].claim);
        assert_non_null(e.text);
        assert_true(reason_allowed(e.reason, f.type == PACKET_CONNECT
                                                 ? PACKET_CONNACK
                                                 : PACKET_DISCONNECT));
        packet_bytes_release(&b);
    }
}

void packet_check_text(struct slice s, const char *text)
{
    assert_non_null(s.data);
    if (!slice_eq(s, slice_str(text)))
        fail_msg("'%.*s' is not '%s'", (int)s.len, (const char *)s.data, text);
}
