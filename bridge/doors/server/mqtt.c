/* GET /mqtt: MQTT over WebSocket. The bridge answers the handshake; then it hands the
 * socket over to the broker (base/net/handover.h), which does the rest.
 *
 * Any Origin is accepted, unless the server is in open mode (locality.h): what a page
 * can do here needs a token, and browsers do not send one by themselves. If a client
 * sends before the handshake is answered, which RFC 6455 §4.1 forbids, what it sent is
 * lost. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/net/handover.h"
#include "bridge/doors/server/server.h"
#include "bridge/http/handshake.h"

/* Older versions of Paho ask for the second. */
static const char *const protocols[] = {"mqtt", "mqttv3.1"};

/* The first protocol that the client offers and we know. NULL: none. */
static const char *choose_protocol(const struct call *c)
{
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
        if (handshake_lists(c, "Sec-WebSocket-Protocol", protocols[i], false))
            return protocols[i];
    return NULL;
}

/* Sent after the hand-over, since until then the client may have to be refused; the
 * broker sends nothing before the client does. A client that has not even read
 * earlier responses is not waited for: the response is dropped. */
static void send_response(const struct call *c, int fd, const char *accept,
                          const char *protocol)
{
    struct buffer b = BUFFER_INIT;

    handshake_put_response(&b, c, accept, protocol, NULL, "");
    const struct slice text = buffer_slice(&b);
    if (!buffer_ok(&b) ||
        send(fd, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
            (ssize_t)text.len)
        shutdown(fd, SHUT_RDWR);
    buffer_release(&b);
}

static enum http_next hand_over(struct call *c, const char *accept,
                                const char *protocol)
{
    struct sockaddr_storage client;

    http_client_address(c->q, &client);
    const int fd = http_detach(c->q);
    if (fd >= 0 && handover_send(c->front->clients_path, fd, &client)) {
        send_response(c, fd, accept, protocol);
        close(fd);
        return HTTP_DETACHED;
    }
    log_debug("bridge", "a client could not be handed to the broker: %s",
              error_text(errno));
    if (fd >= 0)
        close(fd);
    http_add_header(c->q, "Retry-After", "1");
    return answer_error(c, 503, "the broker is away or busy: retry later");
}

enum http_next mqtt_websocket(struct call *c)
{
    char accept[UPGRADE_ACCEPT_SIZE];

    if (!handshake_accept(c,
                          "this is MQTT over WebSocket: connect with a client "
                          "for it",
                          accept))
        return HTTP_ANSWERED;
    const char *protocol = choose_protocol(c);
    if (protocol == NULL)
        return answer_error(c, 400, "Sec-WebSocket-Protocol: must offer mqtt");
    return hand_over(c, accept, protocol);
}
