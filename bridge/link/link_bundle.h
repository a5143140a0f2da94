/* Several requests in one PUBLISH, `$confab/append` (base/msgpack/append_bundle.h), and
 * their answers in its PUBACK. Pure; the link's thread. */
#ifndef CONFAB_BRIDGE_LINK_LINK_BUNDLE_H
#define CONFAB_BRIDGE_LINK_LINK_BUNDLE_H

#include "base/buffer.h"
#include "base/msgpack/append_bundle.h"
#include "base/vocabulary.h"
#include "bridge/link/link.h"

#define LINK_BUNDLE_TOPIC COMMAND_PREFIX COMMAND_APPEND_NAME
#define LINK_BUNDLE_MAX APPEND_MAX
#define LINK_BUNDLE_PAYLOAD_MAX (16U * 1024) /* what is larger goes alone */
/* Of a body. The broker takes packets of at least 128 KiB from administrators,
 * however small the payloads it allows. */
#define LINK_BUNDLE_BYTES_MAX (120U * 1024)

/* May q travel in a bundle? What the broker would refuse for its form may not:
 * a PUBLISH of its own gets the answer it always had. */
bool link_bundle_takes(const struct link_request *q);

/* Bytes it adds to a body, or a little more. */
size_t link_bundle_size(const struct link_request *q);

/* Writes the body: `count` requests with operations given, ≤ LINK_BUNDLE_MAX.
 * `boot` is the first part of their operation ids. b is cleared first. false:
 * out of memory. */
bool link_bundle_write(struct buffer *b, const char *boot,
                       struct link_request *const *requests, size_t count);

/* Reads the answer to the PUBLISH, `whole`, into the requests: `requests` has
 * LINK_BUNDLE_MAX places, NULL where a request has ended meanwhile. All get
 * whole's own status and reason where it is a refusal or no list of answers. */
void link_bundle_read(const struct link_request *whole,
                      struct link_request *const *requests);

#endif
