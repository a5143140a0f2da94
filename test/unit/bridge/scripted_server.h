/* An HTTP server whose answers a test writes byte by byte, on a loopback port of its
 * own: a thread for each connection.
 *
 * Threads: `answer` is called in the connection's thread, everything else in the
 * test's. */
#ifndef CONFAB_TEST_UNIT_BRIDGE_SCRIPTED_SERVER_H
#define CONFAB_TEST_UNIT_BRIDGE_SCRIPTED_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scripted_server;

struct scripted_request {
    struct scripted_server *server;
    int fd;
    unsigned connection; /* number, from 1 */
    char *head;          /* up to and with the empty line */
    char method[16], target[256];
    char *body;
    size_t body_len;
};

/* `answer` returns true: the connection stays for the next request. */
struct scripted_server *scripted_server_start(
    bool (*answer)(struct scripted_request *r, void *arg), void *arg);
/* Ends all connections, joins all threads. */
void scripted_server_stop(struct scripted_server *s);

uint16_t scripted_server_port(const struct scripted_server *s);
unsigned scripted_server_connections(struct scripted_server *s); /* so far */
unsigned scripted_server_requests(struct scripted_server *s);

/* The value of a header; NULL: there is none. Static memory of the thread. */
const char *request_header(const struct scripted_request *r, const char *name);
/* false: the client is gone, or the server stops. */
bool send_text(struct scripted_request *r, const char *text);
bool send_bytes(struct scripted_request *r, const void *data, size_t len);
/* Waits until the client closes (true), or for `ms` (false). */
bool wait_hang_up(struct scripted_request *r, int ms);

#endif
