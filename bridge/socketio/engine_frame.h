/* A packet on its way to clients, encoded once for all of them. Both transports send the
 * same bytes: a WebSocket with the head of a frame before them, polling without. Shared
 * and immutable; any thread. */
#ifndef CONFAB_BRIDGE_SOCKETIO_ENGINE_FRAME_H
#define CONFAB_BRIDGE_SOCKETIO_ENGINE_FRAME_H

#include <stdbool.h>

#include "base/slice.h"

struct engine_frame;

/* `packet` (copied) is text with its digit, or the data of a binary MESSAGE. The caller
 * owns one reference. NULL: out of memory. */
struct engine_frame *engine_frame_new(struct slice packet, bool is_binary);
struct engine_frame *engine_frame_ref(struct engine_frame *f);
void engine_frame_unref(struct engine_frame *f); /* NULL is fine */

bool engine_frame_is_binary(const struct engine_frame *f);
/* The packet as it was given; valid as long as the reference. */
struct slice engine_frame_packet(const struct engine_frame *f);
/* The packet as a frame of a WebSocket, uncompressed. */
struct slice engine_frame_websocket(const struct engine_frame *f);
/* Bytes of memory that it takes. */
size_t engine_frame_size(const struct engine_frame *f);

#endif
