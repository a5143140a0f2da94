/* ThingsChat: messages of things under a token, and the home page. thingschat.c has
 * the door's table; its handlers are in the files named here. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_THINGSCHAT_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_THINGSCHAT_H

#include "bridge/doors/front.h"

extern const struct door thingschat;

struct creations;

struct thingschat_state {
    struct creations *creations; /* tokens per client address */
};

/* The value of X-RateLimit-Remaining. */
static inline uint64_t shown_remaining(uint64_t remaining)
{
    return remaining > INT32_MAX ? INT32_MAX : remaining;
}

/* home.c */
enum http_next home_page(struct call *c);
enum http_next home_icon(struct call *c);
enum http_next home_http_document(struct call *c);
enum http_next home_mqtt_document(struct call *c);
/* tokens.c */
enum http_next tokens_post(struct call *c);
/* post.c, latest.c, history.c, listen.c, things.c */
enum http_next chat_post(struct call *c);
enum http_next chat_patch(struct call *c);
size_t chat_patch_body_max(struct call *c);
enum http_next chat_delete(struct call *c);
enum http_next chat_purge(struct call *c);
size_t chat_body_max(struct call *c);
enum http_next event_post(struct call *c);
size_t event_body_max(struct call *c);
enum http_next chat_latest(struct call *c);
enum http_next chat_history(struct call *c);
enum http_next chat_listen(struct call *c);
enum http_next chat_listen_many(struct call *c);
enum http_next chat_things(struct call *c);
/* keys.c, key_list.c */
enum http_next keys_post(struct call *c);
enum http_next keys_list(struct call *c);
enum http_next keys_delete(struct call *c);
enum http_next tickets_post(struct call *c);
size_t keys_body_max(struct call *c);
/* ws.c */
enum http_next chat_websocket(struct call *c);

#endif
