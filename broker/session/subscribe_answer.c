/* SUBACK and UNSUBACK: reason codes, and a text for the first refusal. */
#include <stdio.h>

#include "broker/client/refusals.h"
#include "broker/client/shard.h"
#include "broker/session/subscribe_private.h"
#include "broker/wire/packet_encode.h"
#include "broker/wire/reason.h"

#define TEXT_SIZE 160
#define DETAIL_MAX (TEXT_SIZE + 8) /* a Reason String with its prefix */

static const char *text_of(const struct connection *c, uint8_t reason,
                           const char *quota)
{
    switch (reason) {
    case REASON_NOT_AUTHORIZED:
        return c->caller->key.len > 0
                   ? "the key has no right to subscribe to all of that"
                   : "topic filters must begin with your token, or with $events/<token>";
    case REASON_TOPIC_FILTER_INVALID:
        return "+ and # stand for whole levels, # for the last one only, and "
               "shared ones are $share/<group>/<filter>";
    case REASON_QUOTA_EXCEEDED:
        return quota != NULL
                   ? quota
                   : "too many subscriptions (the plan's filters_max, 10000 "
                     "at most), or too long ones: unsubscribe from some";
    case REASON_UNSPECIFIED_ERROR:
        return "store failure or out of memory: retry later";
    default: return reason_text(reason);
    }
}

/* A packet has one Reason String, so it names the filter. "": nothing was
 * refused. */
static void answer_text(struct connection *c, const uint8_t *reasons,
                        size_t count, const char *quota, char *text)
{
    size_t i = 0;

    text[0] = '\0';
    while (i < count && reasons[i] < 0x80)
        i++;
    if (i == count)
        return;
    refusal_note(c, REFUSED_SUBSCRIBE, text_of(c, reasons[i], quota));
    if (count == 1)
        snprintf(text, TEXT_SIZE, "%s", text_of(c, reasons[i], quota));
    else
        snprintf(text, TEXT_SIZE, "filter %zu: %s", i + 1,
                 text_of(c, reasons[i], quota));
}

void subscribe_answer(struct connection *c, enum packet_type type,
                      uint16_t packet_id, const uint8_t *reasons, size_t count,
                      const char *quota)
{
    struct worker *w = c->worker;
    const size_t cap = PACKET_SUBACK_SIZE_MAX(count) + DETAIL_MAX;
    struct packet_detail detail = {0};
    char text[TEXT_SIZE];

    buffer_clear(&w->scratch);
    if (!buffer_reserve(&w->scratch, cap)) {
        connection_close(c, CLOSE_NO_MEMORY, NULL);
        return;
    }
    answer_text(c, reasons, count, quota, text);
    if (text[0] != '\0')
        detail.reason_string = slice_str(text);
    uint8_t *to = (uint8_t *)w->scratch.data;
    const size_t size =
        type == PACKET_SUBACK
            ? packet_encode_suback(&c->terms, packet_id, reasons, count,
                                   &detail, to, cap)
            : packet_encode_unsuback(&c->terms, packet_id, reasons, count,
                                     &detail, to, cap);
    connection_say(c, to, size);
}
