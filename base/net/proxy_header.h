/* The header with which a proxy begins a connection that it makes for a client:
 * PROXY protocol of HAProxy, versions 1 (a line of text) and 2 (binary).
 *   https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
 *
 * It is before everything else on the connection, TLS included. Whoever may send it
 * can name any address: take it from trusted proxies only. What a version 2 header
 * has behind the addresses (TLVs) is skipped. */
#ifndef CONFAB_BASE_NET_PROXY_HEADER_H
#define CONFAB_BASE_NET_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PROXY_V1_MAX 107     /* bytes of the line with CR LF (§2.1) */
#define PROXY_V2_MAX 4096    /* bytes of the header with its TLVs; ours */
#define PROXY_V2_ADDRESS 16U /* here the addresses begin */

enum proxy_step {
    PROXY_MORE, /* as far as it goes; more is needed */
    PROXY_DONE,
    PROXY_BAD
};

/* Zero at first. */
struct proxy_header {
    /* On PROXY_DONE: the client. AF_UNSPEC: the proxy speaks for itself (LOCAL,
     * UNKNOWN), or for a client without an IP address; the connection's own holds. */
    struct sockaddr_storage client;
    const char *why; /* on PROXY_BAD */
    /* private */
    uint16_t kept;  /* bytes of it */
    uint16_t seen;  /* bytes that came */
    uint16_t total; /* of version 2, once it is known */
    uint8_t bytes[PROXY_V1_MAX];
};

/* Takes the next n bytes, in whatever pieces. *ret_used: how many of them are the
 * header's, all on PROXY_MORE. Pure. */
enum proxy_step proxy_header_add(struct proxy_header *h, const void *bytes,
                                 size_t n, size_t *ret_used);

/* Reads from a non-blocking socket as much as there is, and nothing that is behind
 * the header. */
enum proxy_step proxy_header_read(struct proxy_header *h, int fd);

#endif
