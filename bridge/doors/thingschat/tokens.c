/* POST /tokens: creates a token, as the button of the home page does. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/token.h"
#include "base/vocabulary.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/http/creations.h"
#include "store/command.h"
#include "store/command/token.h"

#define DEADLINE_US INT64_C(10000000)

struct creation {
    struct call *call;
    struct link_request request;
    struct buffer body;
    char token[TOKEN_MADE + 1];
    char plan[CONFIG_NAME_MAX];
};

static void creation_release(void *own)
{
    struct creation *n = own;

    buffer_release(&n->body);
    free(n->request.result);
    free(n);
}

static void make_body(struct creation *n, const char *plan)
{
    struct token_create args = {.plan = slice_str(plan)};
    const struct command c = {.kind = COMMAND_TOKEN_CREATE, .args = &args};

    token_make(n->token);
    args.token = slice_str(n->token);
    command_encode(&n->body, &c);
}

/* Link's thread. */
static void on_answer(struct link_request *a)
{
    struct creation *n = a->owner;
    struct call *c = n->call;
    struct thingschat_state *state = c->state;
    struct buffer body = BUFFER_INIT;

    if (a->outcome == LINK_ANSWERED && a->status == 200) {
        struct json_writer w = json_writer_of(&body);
        json_object(&w);
        json_member_text(&w, "token", n->token);
        json_member_text(&w, "plan", n->plan);
        json_object_end(&w);
        http_add_header(c->q, "Cache-Control", "no-store");
        answer_json(c, 201, &body);
    } else {
        creations_give_back(state->creations, http_client(c->q));
        http_add_header(c->q, "Retry-After", "1");
        answer_error(c,
                     a->outcome == LINK_TIMEOUT ? 504
                     : a->outcome == LINK_ANSWERED && a->status >= 500
                         ? (unsigned)a->status
                         : 503,
                     "no token was created: %s",
                     a->reason[0] != '\0' ? a->reason : "broker away, retry");
    }
    http_resume(c->q);
}

enum http_next tokens_post(struct call *c)
{
    struct thingschat_state *state = c->state;
    uint32_t retry_s = 0;

    if (query_refused(c))
        return HTTP_ANSWERED;
    if (config_newest(c->front->config)->tokens_public_creation == SWITCH_OFF)
        return answer_error(c, 403,
                            "this server creates no tokens over HTTP: ask its "
                            "administrator for one (confab token create)");
    if (!creations_take(state->creations, http_client(c->q), clock_mono_us(),
                        &retry_s)) {
        http_add_header_u64(c->q, "Retry-After", retry_s);
        return answer_error(c, 429,
                            "enough tokens created from this address: "
                            "retry in %u s",
                            retry_s);
    }
    struct creation *n = calloc(1, sizeof(*n));
    if (n == NULL)
        return answer_error(c, 500, "out of memory");
    c->own = n;
    c->release = creation_release;
    n->call = c;
    snprintf(n->plan, sizeof(n->plan), "%s",
             config_newest(c->front->config)->tokens_default_plan);
    make_body(n, n->plan);
    n->request = (struct link_request){
        .topic = slice_str(COMMAND_PREFIX "token_create"),
        .payload = buffer_slice(&n->body),
        .deadline_us = clock_mono_us() + DEADLINE_US,
        .done = on_answer,
        .owner = n,
    };
    http_suspend(c->q);
    if (!link_publish(c->front->link, &n->request))
        on_answer(&n->request);
    return HTTP_SUSPENDED;
}
