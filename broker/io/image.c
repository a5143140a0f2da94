#include "broker/io/image.h"

#include <assert.h>

#include "base/envelope.h"
#include "base/vocabulary.h"
#include "broker/wire/packet_encode.h"

#define SECOND_US 1000000

/* What an image says of a message beside what the publisher said: three user
 * properties, or the first bytes of a stamped envelope. */
struct stamp {
    struct packet_pair pairs[3];
    char digits[3][20]; /* 2^64 has 20 */
    uint8_t bytes[STAMP_SIZE_MAX];
};

bool image_expiry_left(const struct message *m, int64_t now_us,
                       uint32_t *ret_left_s)
{
    if (!m->has_expiry)
        return true;
    /* A clock that was set back makes no message younger. */
    const int64_t waited_s =
        now_us > m->at_us ? (now_us - m->at_us) / SECOND_US : 0;
    /* Events have no time of their own and never wait. */
    if (m->id != 0 && waited_s >= m->expiry_s)
        return false;
    *ret_left_s = m->id == 0 ? m->expiry_s : m->expiry_s - (uint32_t)waited_s;
    return true;
}

/* Not snprintf(): three of these per stamped message would be a third of what
 * an image costs. */
static struct slice digits_of(char *to, size_t size, uint64_t v)
{
    size_t at = size;

    do {
        to[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    return slice_of(to + at, size - at);
}

static void fill_stamp(struct stamp *s, const struct message *m)
{
    const char *const names[] = {PROP_ID, PROP_SEQ, PROP_AT};
    const uint64_t values[] = {m->id, m->seq, (uint64_t)m->at_us};

    for (int i = 0; i < 3; i++) {
        s->pairs[i].name = slice_str(names[i]);
        s->pairs[i].value =
            digits_of(s->digits[i], sizeof(s->digits[i]), values[i]);
    }
}

static void image_enclose(const struct message *m, struct stamp *s,
                          struct publish_image *image)
{
    const struct stamped stamped = {
        .payload_class = m->payload_class,
        .kind = message_kind_is_change(m->kind) ? m->kind : 0,
        .sender = m->sender,
        .id = m->id,
        .seq = m->seq,
        .at_us = m->at_us,
    };
    image->stamp = slice_of(s->bytes, stamp_write_all(&stamped, s->bytes));
    image->topic = slice_str(STAMPED_TOPIC);
    image->enclosed = m->topic;
}

static void image_describe(const struct message *m, unsigned shape,
                           uint32_t expiry_left_s, const struct image_own *own,
                           struct stamp *stamp,
                           struct publish_image *ret_image)
{
    const unsigned carries = shape & IMAGE_CARRIES;

    *ret_image = (struct publish_image){
        .version = carries == IMAGE_V3 ? PACKET_V311 : PACKET_V5,
        .qos = shape & IMAGE_QOS2   ? 2
               : shape & IMAGE_QOS1 ? 1
                                    : 0,
        .retain = shape & IMAGE_RETAIN,
        .packet_id = own->packet_id,
        .dup = own->dup,
        .topic = m->topic,
        .payload = m->payload,
    };
    if (carries == IMAGE_V3)
        return;
    ret_image->subscription_ids = own->identifiers;
    ret_image->subscription_id_count = own->identifier_count;
    if (carries == IMAGE_ENVELOPED) {
        image_enclose(m, stamp, ret_image);
        return;
    }
    if (carries != IMAGE_V5 && m->id != 0) {
        fill_stamp(stamp, m);
        ret_image->extra = stamp->pairs;
        ret_image->extra_count = 3;
    }
    if (carries == IMAGE_BARE) {
        if (envelope_needed(m->topic)) {
            ret_image->topic = slice_str(ENVELOPE_TOPIC);
            ret_image->enclosed = m->topic;
        }
        return;
    }
    ret_image->properties = (struct packet_message_properties){
        .has_payload_format = m->has_payload_format,
        .payload_format = m->payload_format,
        .has_expiry = m->has_expiry,
        .expiry_s = expiry_left_s,
        .content_type = m->content_type,
        .response_topic = m->response_topic,
        .correlation = m->correlation,
    };
    ret_image->user = m->user_properties;
    ret_image->topic_alias = own->topic_alias;
    if (own->without_topic)
        ret_image->topic = slice_of("", 0);
}

void images_begin(struct images *set, const struct message *m,
                  uint32_t expiry_left_s)
{
    set->message = m;
    set->expiry_left_s = expiry_left_s;
    set->tried = 0;
}

void images_end(struct images *set, struct block_pool *pool)
{
    for (uint64_t left = set->tried; left != 0; left &= left - 1)
        block_unref(pool, set->shapes[__builtin_ctzll(left)].range.block);
}

static const struct image_own pattern = {.packet_id = 1};

static void image_make(struct images *set, unsigned shape, struct arena *arena,
                       struct block_pool *pool)
{
    struct image *image = &set->shapes[shape];
    struct publish_image as;
    struct stamp stamp;
    size_t id_at;

    set->tried |= UINT64_C(1) << shape;
    image->range.block = NULL;
    image_describe(set->message, shape, set->expiry_left_s, &pattern, &stamp,
                   &as);
    const size_t size = publish_image_size(&as);
    if (size == 0)
        return;
    char *to = arena_reserve(arena, pool, size, &image->range);
    if (to == NULL) {
        image->range.block = NULL;
        return;
    }
    publish_image_write(&as, (uint8_t *)to, &id_at);
    image->packet_id_at = (uint32_t)id_at;
    image->payload_at = (uint32_t)(size - set->message->payload.len);
}

const struct image *images_get(struct images *set, unsigned shape,
                               struct arena *arena, struct block_pool *pool)
{
    struct image *image = &set->shapes[shape];

    if (!image_is_tried(set, shape))
        image_make(set, shape, arena, pool);
    return image->range.block == NULL ? NULL : image;
}

size_t image_size(const struct message *m, unsigned shape,
                  uint32_t expiry_left_s, const struct image_own *own)
{
    struct publish_image as;
    struct stamp stamp;

    image_describe(m, shape, expiry_left_s, own, &stamp, &as);
    return publish_image_size(&as);
}

void image_write(const struct message *m, unsigned shape,
                 uint32_t expiry_left_s, const struct image_own *own, char *to)
{
    struct publish_image as;
    struct stamp stamp;

    image_describe(m, shape, expiry_left_s, own, &stamp, &as);
    const size_t size = publish_image_write(&as, (uint8_t *)to, NULL);
    assert(size > 0);
    (void)size;
}
