/* /socket.io/: requests of Engine.IO. Handshakes, polls and WebSockets leave HTTP and become
 * or join a session (rooms_client.h); a POST waits for the streamer that has it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/doors/access.h"
#include "bridge/doors/rooms/rooms_client.h"
#include "bridge/doors/rooms/rooms_state.h"
#include "bridge/http/handshake.h"
#include "bridge/socketio/engine_request.h"
#include "bridge/stream/stream.h"

/* A request on its way to the streamer of its session. */
struct rooms_visit {
    struct stream_visit visit; /* first */
    struct rooms_sockets *sockets;
    char sid[TOKEN_MADE + 1];
    enum engine_transport transport;
    int fd;             /* a GET; -1: a POST */
    struct call *post;  /* NULL: a GET */
    struct buffer head; /* of the answer to a WebSocket's handshake */
};

/* ---- answers ---------------------------------------------------------------- */

static enum http_next answer_text(struct call *c, unsigned status,
                                  const char *type, const char *text)
{
    struct buffer body = BUFFER_INIT;

    buffer_put_str(&body, text);
    http_add_header(c->q, "Cache-Control", "no-store");
    return answer(c, status, type, &body);
}

static enum http_next refuse(struct call *c, enum engine_refusal refusal)
{
    return answer_text(c, 400, "application/json",
                       engine_refusal_json(refusal));
}

static enum http_next answer_busy(struct call *c)
{
    http_add_header(c->q, "Retry-After", "1");
    return answer_error(c, 503, "too many open streams: retry later");
}

/* ---- in the streamer's thread ------------------------------------------------ */

static void carry_out_post(struct rooms_client *client, struct call *c)
{
    struct slice body;

    if (client == NULL) {
        refuse(c, ENGINE_REFUSAL_SID);
    } else if (!http_body(c->q, &body)) {
        rooms_client_post_too_big(client);
        answer_text(c, 413, "text/html", "");
    } else if (rooms_client_post(client, body)) {
        answer_text(c, 200, "text/html", "ok");
    } else {
        refuse(c, ENGINE_REFUSAL_REQUEST);
    }
    http_resume(c->q);
}

static void carry_out_get(struct rooms_visit *v, struct streamer *st,
                          struct rooms_client *client)
{
    const bool polls = v->transport == ENGINE_POLLING;

    if (client == NULL && polls)
        rooms_refuse_poll(st, v->fd, engine_refusal_json(ENGINE_REFUSAL_SID));
    else if (client == NULL)
        streamer_answer(st, v->fd, buffer_slice(&v->head));
    else if (polls)
        rooms_client_poll(client, st, v->fd);
    else
        rooms_client_attach(client, st, v->fd, buffer_slice(&v->head));
}

static void free_visit(struct rooms_visit *v)
{
    buffer_release(&v->head);
    free(v);
}

static void run_visit(struct stream_visit *visit, struct streamer *st)
{
    struct rooms_visit *v = (struct rooms_visit *)visit; /* its first member */
    struct rooms_client *client =
        st == NULL ? NULL : rooms_sockets_find(v->sockets, slice_str(v->sid));

    if (v->post != NULL)
        carry_out_post(client, v->post);
    else if (st == NULL)
        close(v->fd);
    else
        carry_out_get(v, st, client);
    free_visit(v);
}

/* ---- requests with a session id ---------------------------------------------- */

static struct rooms_visit *visit_new(struct rooms_sockets *sockets,
                                     const struct engine_request *request)
{
    struct rooms_visit *v = calloc(1, sizeof(*v));

    if (v == NULL)
        return NULL;
    v->visit.run = run_visit;
    v->sockets = sockets;
    v->transport = request->transport;
    v->fd = -1;
    memcpy(v->sid, request->sid.data, request->sid.len);
    return v;
}

static enum http_next send_post(struct call *c, struct rooms_visit *v,
                                unsigned streamer)
{
    v->post = c;
    http_suspend(c->q);
    if (!streams_visit(c->front->streams, streamer, &v->visit)) {
        free_visit(v);
        answer_busy(c);
        http_resume(c->q);
    }
    return HTTP_SUSPENDED;
}

static enum http_next send_get(struct call *c, struct rooms_visit *v,
                               unsigned streamer)
{
    v->fd = buffer_ok(&v->head) ? http_detach(c->q) : -1;
    if (v->fd < 0) {
        free_visit(v);
        return answer_busy(c);
    }
    if (!streams_visit(c->front->streams, streamer, &v->visit)) {
        close(v->fd);
        free_visit(v);
    }
    return HTTP_DETACHED;
}

static enum http_next visit_session(struct call *c,
                                    const struct engine_request *request)
{
    struct rooms_sockets *sockets = rooms_of(c)->sockets;
    char accept[UPGRADE_ACCEPT_SIZE];
    unsigned streamer;

    if (request->sid.len > TOKEN_MADE ||
        !rooms_sockets_streamer(sockets, request->sid, &streamer))
        return refuse(c, ENGINE_REFUSAL_SID);
    if (request->transport == ENGINE_WEBSOCKET &&
        !handshake_accept(c, "this is a WebSocket", accept))
        return HTTP_ANSWERED;
    struct rooms_visit *v = visit_new(sockets, request);
    if (v == NULL)
        return answer_busy(c);
    if (http_method(c->q) == HTTP_POST)
        return send_post(c, v, streamer);
    if (request->transport == ENGINE_WEBSOCKET)
        handshake_put_response(&v->head, c, accept, NULL, NULL, "");
    return send_get(c, v, streamer);
}

/* ---- handshakes --------------------------------------------------------------- */

/* The plan of the door's tenant. false: answered. */
static bool look_up_tenant(struct call *c, const struct plan **ret_plan,
                           uint64_t *ret_head)
{
    struct store_reader *r;
    struct token_row row;

    if (store_snapshot(c->front->store, &r) != STORE_OK) {
        rooms_answer_unreadable(c);
        return false;
    }
    const enum store_err err = store_token(r, rooms_of(c)->tenant, &row);
    const bool is_open = err == STORE_OK && !token_row_is_closed(&row);
    if (is_open) {
        *ret_plan = access_plan(c->front->config, &row, &c->own_plan);
        *ret_head = store_head(r);
    }
    store_reader_release(r);
    if (!is_open)
        answer_busy(c);
    return is_open;
}

static bool adopt(struct call *c, struct rooms_client *client, int fd,
                  const struct plan *plan, uint64_t head,
                  struct slice response_head)
{
    const struct stream_opts opts = {
        .token = rooms_of(c)->tenant,
        .plan = plan,
        .format = &socket_io_rooms,
        .head = head,
        .door = &rooms_client_door,
        .door_state = client,
        .message_max = rooms_of(c)->sockets->engine.max_payload,
        .response_head = response_head,
    };

    return streams_adopt(c->front->streams, fd, &opts) == STREAMS_ADOPTED;
}

static enum http_next begin_session(struct call *c,
                                    const struct engine_request *request)
{
    const bool polls = request->transport == ENGINE_POLLING;
    struct buffer response = BUFFER_INIT;
    char accept[UPGRADE_ACCEPT_SIZE];
    const struct plan *plan;
    uint64_t head;

    if (!polls && !handshake_accept(c, "this is a WebSocket", accept))
        return HTTP_ANSWERED;
    if (!look_up_tenant(c, &plan, &head))
        return HTTP_ANSWERED;
    if (!polls)
        handshake_put_response(&response, c, accept, NULL, NULL, "");
    const int fd = buffer_ok(&response) ? http_detach(c->q) : -1;
    struct rooms_client *client =
        fd < 0 ? NULL
               : rooms_client_new(rooms_of(c)->sockets, polls ? fd : -1);
    const bool is_adopted =
        client != NULL &&
        adopt(c, client, polls ? -1 : fd, plan, head, buffer_slice(&response));
    buffer_release(&response);
    if (is_adopted)
        return HTTP_DETACHED;
    rooms_client_free(client);
    if (fd >= 0)
        close(fd);
    return answer_busy(c);
}

/* ---- the route ---------------------------------------------------------------- */

static bool asks_for_websocket(const struct call *c)
{
    return handshake_lists(c, "Upgrade", "websocket", true);
}

enum http_next rooms_socket(struct call *c)
{
    struct engine_request request;
    const enum engine_refusal refusal =
        engine_request_read(http_method(c->q), http_query(c->q),
                            asks_for_websocket(c), &request);

    if (refusal != ENGINE_NOT_REFUSED)
        return refuse(c, refusal);
    return request.sid.len > 0 ? visit_session(c, &request)
                               : begin_session(c, &request);
}

size_t rooms_socket_body_max(struct call *c)
{
    return rooms_of(c)->sockets->engine.max_payload;
}
