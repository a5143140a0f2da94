#include "bridge/doors/rooms/rooms_event.h"

#define NO_SUCH_EVENT "[{\"error\":\"No such event\"}]"

/* Only a client that waits for an acknowledgement would miss the answer. */
void rooms_event(struct rooms_client *c, const struct socket_event *event)
{
    const struct socket_event answer = {
        .packet = {.type = SOCKET_ACK,
                   .namespace_name = event->packet.namespace_name,
                   .has_ack_id = true,
                   .ack_id = event->packet.ack_id,
                   .json = slice_str(NO_SUCH_EVENT)}};

    if (event->packet.has_ack_id)
        socket_session_send(&c->session, &answer);
}
