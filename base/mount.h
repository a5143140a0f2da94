/* Mounts: a prefix in front of what a client calls its topics, so that devices
 * with fixed topics have their place below a tenant.
 *
 * A mount is text of a key: `home`, `a/b`, `devices/%c`, or empty for the tenant's
 * root. A whole level %u is the key's user, %c the connection's client id. When a
 * client is authenticated mount_prefix() makes the prefix of it, `<tenant>/home/`,
 * once; everything else takes that prefix. Topics and filters that start with `$`
 * have no mount and stay as they are; of `$share/<group>/<filter>` the filter is
 * below the mount. Pure; any thread. */
#ifndef CONFAB_BASE_MOUNT_H
#define CONFAB_BASE_MOUNT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

#define MOUNT_MAX 128 /* bytes, as written */

/* What may be a mount: nothing, or levels as in a thing's name (thing_valid()):
 * none empty, no + and #, none of `$…` in front; %u and %c are whole levels. */
bool mount_valid(struct slice mount);

/* Appends `<tenant>/<mount>/`. The mount is valid. false, and nothing is
 * appended: the mount names a user or client id that there is none of (data
 * NULL), or that is no level of a thing's name, or it becomes too long. Such a
 * client has no place and is refused. */
bool mount_prefix(struct slice tenant, struct slice mount, struct slice user,
                  struct slice client, struct buffer *out);

/* Appends the full topic for a client's topic, will topic, Response Topic. false,
 * and nothing is appended: it is too long or too deep, or was no topic. */
bool mount_add_to_topic(struct slice prefix, struct slice topic,
                        struct buffer *out);
/* The same for a filter, shared or not. */
bool mount_add_to_filter(struct slice prefix, struct slice filter,
                         struct buffer *out);

/* What the client calls this topic, a slice of it. false: it is not below the
 * mount; of `<prefix>#` that is the prefix itself without its slash, which has no
 * name there. Do not deliver it. */
bool mount_take_off(struct slice prefix, struct slice topic,
                    struct slice *ret_topic);

#endif
