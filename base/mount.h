/* Mounts: a prefix for a client's topics, so that devices with fixed topics
 * get a place below a tenant.
 *
 * A mount is text in a key: `home`, `a/b`, `devices/%c`, or empty for the
 * tenant's root. A level %u stands for the key's user, %c for the
 * connection's client id. When a client is authenticated, mount_prefix()
 * makes the prefix once, `<tenant>/home/`, and everything else uses that.
 * Topics and filters that begin with `$` have no mount and stay as they are;
 * of `$share/<group>/<filter>` the filter is below the mount. Pure; any
 * thread. */
#ifndef CONFAB_BASE_MOUNT_H
#define CONFAB_BASE_MOUNT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

#define MOUNT_MAX 128 /* bytes, as written */

/* Whether the text may be a mount: empty, or levels as in a thing's name
 * (thing_valid()), i.e. no empty level, no + and #, no `$` at the beginning;
 * %u and %c only as whole levels. */
bool mount_valid(struct slice mount);

/* Appends `<tenant>/<mount>/`. The mount is valid. false, and nothing is
 * appended: the mount refers to a user or client id that is absent (data
 * NULL) or not a valid level, or the prefix is too long. Such a client must
 * be refused. */
bool mount_prefix(struct slice tenant, struct slice mount, struct slice user,
                  struct slice client, struct buffer *out);

/* Appends the full topic for a client's topic, will topic or Response Topic.
 * false, and nothing is appended: it is too long, has too many levels, or
 * was not a valid topic. */
bool mount_add_to_topic(struct slice prefix, struct slice topic,
                        struct buffer *out);
/* The same for a filter, shared or not. */
bool mount_add_to_filter(struct slice prefix, struct slice filter,
                         struct buffer *out);

/* What the client calls this topic, as a slice of it. false: it is not below
 * the mount, so do not deliver it. That includes the prefix without its
 * slash, which `<prefix>#` matches but which has no name for the client. */
bool mount_take_off(struct slice prefix, struct slice topic,
                    struct slice *ret_topic);

#endif
