/* A stored payload as JSON text, for every door that answers in JSON:
 * JSON passes byte for byte; text becomes a JSON string, binary
 * {"$binary":"<base64>"}, an empty payload "". Pure. */
#ifndef CONFAB_BRIDGE_STREAM_FORMAT_PAYLOAD_H
#define CONFAB_BRIDGE_STREAM_FORMAT_PAYLOAD_H

#include "base/buffer.h"
#include "store/message.h"

enum payload_style {
    PAYLOAD_AS_SENT, /* byte for byte; may hold line ends */
    PAYLOAD_ONE_LINE /* CR and LF (only ever outside strings) become spaces */
};

void payload_put_json(struct buffer *b, struct slice payload,
                      enum payload_class cls, enum payload_style style);

#endif
