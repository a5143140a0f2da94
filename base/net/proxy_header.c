#include "base/net/proxy_header.h"

#include <errno.h>
#include <string.h>

#include "base/address_list.h"

static const uint8_t signature_v2[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                         0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const char signature_v1[6] = "PROXY ";

enum proxy_family { FAMILY_UNSPEC, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX };
enum proxy_protocol { PROTOCOL_UNSPEC, PROTOCOL_STREAM, PROTOCOL_DGRAM };
enum proxy_command { COMMAND_LOCAL, COMMAND_PROXY };

static enum proxy_step bad(struct proxy_header *h, const char *why)
{
    h->why = why;
    return PROXY_BAD;
}

/* ---- version 1: "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n" --------- */

/* The next word of the line; words are apart by one blank. */
static struct slice next_word(struct slice *line)
{
    const char *p = line->data;
    const char *blank = line->len == 0 ? NULL : memchr(p, ' ', line->len);
    const size_t n = blank == NULL ? line->len : (size_t)(blank - p);
    const struct slice word = slice_of(p, n);

    *line = blank == NULL ? slice_of(NULL, 0)
                          : slice_of(blank + 1, line->len - n - 1);
    return word;
}

static bool parse_port(struct slice text, uint16_t *ret)
{
    const char *p = text.data;
    unsigned port = 0;

    if (text.len == 0 || text.len > 5 || (p[0] == '0' && text.len > 1))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        port = port * 10 + (unsigned)(p[i] - '0');
    }
    *ret = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool parse_host(struct slice text, bool is_v4, struct in6_addr *ret)
{
    const bool has_colon =
        text.len > 0 && memchr(text.data, ':', text.len) != NULL;

    return has_colon != is_v4 && address_parse(text, ret);
}

static enum proxy_step finish_v1(struct proxy_header *h)
{
    static const char malformed[] =
        "its line must be like PROXY TCP4 192.0.2.1 198.51.100.7 56324 443";
    struct slice line =
        slice_of(h->bytes + sizeof(signature_v1),
                 h->kept - sizeof(signature_v1) - 2); /* without CR LF */
    const struct slice what = next_word(&line);
    const bool is_v4 = slice_eq(what, slice_str("TCP4"));
    struct in6_addr client, server;
    uint16_t port, to_port;

    if (slice_eq(what, slice_str("UNKNOWN")))
        return PROXY_DONE; /* the rest of the line is to be ignored */
    if (!is_v4 && !slice_eq(what, slice_str("TCP6")))
        return bad(h, malformed);
    if (!parse_host(next_word(&line), is_v4, &client) ||
        !parse_host(next_word(&line), is_v4, &server) ||
        !parse_port(next_word(&line), &port) ||
        !parse_port(next_word(&line), &to_port) || line.data != NULL)
        return bad(h, malformed);
    address_to_sockaddr(&client, port, &h->client);
    return PROXY_DONE;
}

static enum proxy_step add_v1(struct proxy_header *h, uint8_t byte)
{
    if (h->kept < sizeof(signature_v1) &&
        byte != (uint8_t)signature_v1[h->kept])
        return bad(h, "it did not begin with a PROXY header");
    h->bytes[h->kept++] = byte;
    if (byte == '\n')
        return h->bytes[h->kept - 2] == '\r'
                   ? finish_v1(h)
                   : bad(h, "the line must end in CR LF");
    return h->kept < PROXY_V1_MAX ? PROXY_MORE
                                  : bad(h, "the line is over 107 bytes");
}

/* ---- version 2 ------------------------------------------------------------ */

/* signature, version and command, family and protocol, length */
static enum proxy_step begin_v2(struct proxy_header *h)
{
    static const unsigned least[] = {0, 12, 36, 216};
    const unsigned command = h->bytes[12] & 0xf;
    const unsigned family = h->bytes[13] >> 4, protocol = h->bytes[13] & 0xf;
    const unsigned length = (unsigned)h->bytes[14] << 8 | h->bytes[15];

    if (h->bytes[12] >> 4 != 2)
        return bad(h, "its version is neither 1 nor 2");
    if (command > COMMAND_PROXY)
        return bad(h, "its command is neither LOCAL nor PROXY");
    if (command == COMMAND_PROXY &&
        (family > FAMILY_UNIX || protocol > PROTOCOL_DGRAM))
        return bad(h, "its address family is unknown");
    if (command == COMMAND_PROXY && length < least[family])
        return bad(h, "it is too short for its addresses");
    if (length > PROXY_V2_MAX - PROXY_V2_ADDRESS)
        return bad(h, "it is over 4096 bytes");
    h->total = (uint16_t)(PROXY_V2_ADDRESS + length);
    return PROXY_MORE;
}

static enum proxy_step finish_v2(struct proxy_header *h)
{
    const uint8_t *at = h->bytes + PROXY_V2_ADDRESS;
    const unsigned family = h->bytes[13] >> 4;
    const bool is_tcp = (h->bytes[13] & 0xf) == PROTOCOL_STREAM;
    struct in6_addr client = {0};

    if ((h->bytes[12] & 0xf) == COMMAND_LOCAL || !is_tcp)
        return PROXY_DONE;
    if (family == FAMILY_INET) {
        client.s6_addr[10] = client.s6_addr[11] = 0xff;
        memcpy(client.s6_addr + 12, at, 4);
        address_to_sockaddr(&client, (uint16_t)(at[8] << 8 | at[9]),
                            &h->client);
    } else if (family == FAMILY_INET6) {
        memcpy(client.s6_addr, at, 16);
        address_to_sockaddr(&client, (uint16_t)(at[32] << 8 | at[33]),
                            &h->client);
    }
    return PROXY_DONE;
}

static enum proxy_step add_v2(struct proxy_header *h, uint8_t byte)
{
    if (h->seen < sizeof(signature_v2) && byte != signature_v2[h->seen])
        return bad(h, "it did not begin with a PROXY header");
    if (h->kept < PROXY_V1_MAX)
        h->bytes[h->kept++] = byte;
    h->seen++;
    if (h->seen == PROXY_V2_ADDRESS && begin_v2(h) == PROXY_BAD)
        return PROXY_BAD;
    return h->total != 0 && h->seen == h->total ? finish_v2(h) : PROXY_MORE;
}

/* ---- both ----------------------------------------------------------------- */

enum proxy_step proxy_header_add(struct proxy_header *h, const void *bytes,
                                 size_t n, size_t *ret_used)
{
    const uint8_t *p = bytes;
    enum proxy_step step = PROXY_MORE;
    size_t i = 0;

    while (i < n && step == PROXY_MORE) {
        const uint8_t first = h->kept == 0 ? p[i] : h->bytes[0];
        step = first == signature_v2[0] ? add_v2(h, p[i]) : add_v1(h, p[i]);
        i++;
    }
    *ret_used = i;
    return step;
}

enum proxy_step proxy_header_read(struct proxy_header *h, int fd)
{
    uint8_t bytes[512];
    enum proxy_step step = PROXY_MORE;
    size_t used;

    while (step == PROXY_MORE) {
        const ssize_t n =
            recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
                       ? PROXY_MORE
                       : bad(h, "the connection was lost before its header");
        if (n == 0)
            return bad(h, "it ended before its header");
        step = proxy_header_add(h, bytes, (size_t)n, &used);
        /* They are there, and nobody else reads. */
        if (recv(fd, bytes, used, MSG_DONTWAIT) != (ssize_t)used)
            return bad(h, "the connection was lost before its header");
    }
    return step;
}
