#include "base/envelope.h"

#include "base/vocabulary.h"

#define LENGTH_SIZE 2

bool envelope_needed(struct slice topic)
{
    const unsigned char *p = topic.data;

    for (size_t i = 0; i < topic.len; i++)
        if (p[i] < 0x20 || p[i] > 0x7e)
            return true;
    return false;
}

bool envelope_open(struct slice *topic, struct slice *payload)
{
    const unsigned char *p = payload->data;

    if (!slice_eq(*topic, slice_str(ENVELOPE_TOPIC)))
        return true;
    if (payload->len < LENGTH_SIZE)
        return false;
    const size_t len = (size_t)p[0] << 8 | p[1];
    if (len > payload->len - LENGTH_SIZE)
        return false;
    *topic = slice_of(p + LENGTH_SIZE, len);
    *payload =
        slice_of(p + LENGTH_SIZE + len, payload->len - LENGTH_SIZE - len);
    return true;
}
