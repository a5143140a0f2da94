/* GET /mqtt: MQTT over WebSocket. The handshake is answered here, everything
 * after it is the broker's: the socket is handed over (base/net/handover.h) and
 * leaves HTTP.
 *
 * Any Origin may come, unless the server is open (locality.h): what a page may
 * do here it may do with the token alone, and no browser sends that by itself. A
 * client that sends before it was
 * answered, which RFC 6455 §4.1 forbids, loses what it sent. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/net/handover.h"
#include "bridge/doors/server/server.h"
#include "bridge/http/handshake.h"

/* The second is what Paho's older clients ask for. */
static const char *const protocols[] = {"mqtt", "mqttv3.1"};

/* The first one we know. NULL: none. */
static const char *choose_protocol(const struct call *c)
{
    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
        if (handshake_lists(c, "Sec-WebSocket-Protocol", protocols[i], false))
            return protocols[i];
    return NULL;
}

/* After the hand-over, so that it can still be refused; the broker says nothing
 * before the client does. A client that has not even taken earlier answers is
 * not waited for. */
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
    const int fd = http_detach(c->q);

    if (fd >= 0 && handover_send(c->front->clients_path, fd)) {
        send_response(c, fd, accept, protocol);
        close(fd);
        return HTTP_DETACHED;
    }
    log_debug("bridge", "a client could not be handed over: %s",
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
