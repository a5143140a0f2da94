/* The handlers the routing table names, one front door after the other. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_DOORS_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_DOORS_H

#include "bridge/front.h"

/* home.c */
enum http_next home_page(struct call *c);
enum http_next home_icon(struct call *c);
enum http_next home_http_document(struct call *c);
enum http_next home_mqtt_document(struct call *c);
/* health.c */
enum http_next health_get(struct call *c);
/* tokens.c */
enum http_next tokens_post(struct call *c);

/* mqtt.c */
enum http_next mqtt_websocket(struct call *c);

/* ThingsChat: post.c, latest.c, history.c, listen.c, things.c */
enum http_next chat_post(struct call *c);
size_t chat_body_max(struct call *c);
enum http_next chat_latest(struct call *c);
enum http_next chat_history(struct call *c);
enum http_next chat_listen(struct call *c);
enum http_next chat_listen_many(struct call *c);
enum http_next chat_things(struct call *c);

#endif
