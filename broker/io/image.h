/* A message encoded as PUBLISH, once for all receivers for which the bytes
 * are the same: by what it carries, retain flag and QoS. */
#ifndef CONFAB_BROKER_IO_IMAGE_H
#define CONFAB_BROKER_IO_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/io/block.h"
#include "store/message.h"

/* A shape is one of the first five, plus any of the others. */
enum {
    IMAGE_V3 = 0, /* 3.1.1 and 3.1, whose PUBLISH is the same */
    IMAGE_V5 = 1,
    IMAGE_STAMPED = 2, /* v5; confab-id, confab-seq, confab-at appended */
    /* V5 with the stamp but none of the publisher's properties, and a topic
     * that cannot be refused (ASK_BARE). */
    IMAGE_BARE = 3,
    IMAGE_ENVELOPED = 4, /* v5; a stamped envelope (ASK_ENVELOPES) */
    IMAGE_CARRIES = 7,   /* mask of the first five */
    IMAGE_RETAIN = 8,
    IMAGE_QOS1 = 16, /* a template: each receiver's packet id is patched in */
    IMAGE_QOS2 = 32,
    IMAGE_WITH_ID = IMAGE_QOS1 | IMAGE_QOS2,
    IMAGE_SHAPES = 64
};

struct image {
    /* Block NULL: not expressible in MQTT, or out of memory. */
    struct block_range range;
    uint32_t packet_id_at; /* IMAGE_QOS1: offset in the range */
    uint32_t payload_at;
};

/* The images of one message during its fan-out. */
struct images {
    const struct message *message;
    /* Interval minus the time the message waited (MQTT-3.3.2-6). */
    uint32_t expiry_left_s;
    uint64_t tried; /* a bit for each shape that was requested */
    struct image shapes[IMAGE_SHAPES];
};

/* How much of the Message Expiry Interval is left at `now_us`. false: none;
 * it must not be sent any more (MQTT-3.3.2-5). A message without an interval
 * gives true and leaves *ret untouched. */
bool image_expiry_left(const struct message *m, int64_t now_us,
                       uint32_t *ret_left_s);

static inline bool image_is_tried(const struct images *set, unsigned shape)
{
    return (set->tried >> shape & 1) != 0;
}

/* `m` is borrowed until images_end(). */
void images_begin(struct images *set, const struct message *m,
                  uint32_t expiry_left_s);
void images_end(struct images *set, struct block_pool *pool);

/* Changes IMAGE_STAMPED to IMAGE_V5: the stamp is optional and left out if
 * the packet would be too large. false: the shape has no stamp, unchanged. */
static inline bool image_unstamp(unsigned *shape)
{
    if ((*shape & IMAGE_CARRIES) != IMAGE_STAMPED)
        return false;
    *shape ^= IMAGE_STAMPED ^ IMAGE_V5;
    return true;
}

/* The message in that shape, made at the first call. NULL: out of memory, or
 * not expressible in MQTT. Borrowed until images_end(). */
const struct image *images_get(struct images *set, unsigned shape,
                               struct arena *arena, struct block_pool *pool);

/* What one receiver's PUBLISH has alone. */
struct image_own {
    uint16_t packet_id; /* with IMAGE_WITH_ID */
    bool dup;
    uint16_t topic_alias; /* 0: none */
    bool without_topic;   /* the alias stands for it */
    const uint32_t *identifiers;
    size_t identifier_count;
};

/* The same for a single receiver, without sharing: first its size (0: not
 * expressible), then the bytes. */
size_t image_size(const struct message *m, unsigned shape,
                  uint32_t expiry_left_s, const struct image_own *own);
void image_write(const struct message *m, unsigned shape,
                 uint32_t expiry_left_s, const struct image_own *own,
                 char *to);

#endif
