/* Names: tokens, things, MQTT topics and filters. The rules of MQTT itself are
 * libmosquitto's; this is the only file outside the link and the tools that
 * includes mosquitto.h. Pure; any thread. Names are slices, not C strings. */
#ifndef CONFAB_BASE_TOPIC_H
#define CONFAB_BASE_TOPIC_H

#include <stdbool.h>

#include "base/slice.h"

#define TOKEN_MAX 64         /* bytes; [A-Za-z0-9_-]{1,64} */
#define THING_MAX 256        /* bytes of UTF-8 */
#define TOPIC_LEVELS_MAX 200 /* not in MQTT, but deep topics are costly */

/* These check names as a store may contain them: topics stored by earlier
 * versions may have characters that are refused now, and stay readable. For
 * publishing check name_publishable() as well. */

/* token: [A-Za-z0-9_-]{1,64} */
bool token_valid(struct slice token);

/* thing: 1-256 bytes of UTF-8, no control characters (U+0000-001F,
 * U+007F-009F), no + #, no empty level, not starting with $. For publishing
 * see name_publishable(). */
bool thing_valid(struct slice thing);

/* A topic: UTF-8 without NUL, 1-65535 bytes, no wildcard, at most
 * TOPIC_LEVELS_MAX levels (MQTT 5 §4.7). For publishing see
 * name_publishable(). */
bool topic_valid(struct slice topic);

/* Whether a valid thing or topic has only characters that any client can
 * receive, that is, none that MQTT calls disallowed (MQTT 5 §1.5.4: control
 * characters and non-characters): a receiver may close the connection for one,
 * and many do. Messages to other names are refused from all publishers: MQTT
 * clients, HTTP and the command line. */
bool name_publishable(struct slice name);

/* A filter: like a topic, but with + and # where MQTT §4.7.1 allows them. It
 * treats `$share/…` like any other filter: see filter_share(). */
bool filter_valid(struct slice filter);
bool filter_has_wildcard(struct slice filter);

/* Whether it begins with `$share/`: a shared subscription, valid or not. */
bool filter_is_shared(struct slice filter);
/* Splits `$share/<group>/<filter>`; the group's name is not empty and has no
 * `/`, `+`, `#`, the filter is valid (MQTT-4.8.2-1, -2). false: malformed.
 * The slices point into `filter`. */
bool filter_share(struct slice filter, struct slice *ret_group,
                  struct slice *ret_filter);

/* Whether the filter matches the topic (MQTT §4.7). A leading wildcard does
 * not match `$` topics (MQTT-4.7.2-1). Both must be valid. Level by level, no
 * allocation. */
bool filter_matches(struct slice filter, struct slice topic);

/* Splits `<token>/<thing>`; true only if both parts are valid by the rules
 * above. The slices point into `topic`. */
bool topic_split(struct slice topic, struct slice *ret_token,
                 struct slice *ret_thing);

/* The first level of a topic or filter (all of it if there is no '/'). */
struct slice topic_first_level(struct slice topic);

#endif
