/* Levels of topics, filters and mounts one by one, and the variables that rights
 * and mounts have: a whole level %u is the caller's user, %c its client id. Pure;
 * any thread. */
#ifndef CONFAB_BASE_TOPIC_LEVEL_H
#define CONFAB_BASE_TOPIC_LEVEL_H

#include <stdbool.h>

#include "base/slice.h"

#define LEVEL_USER "%u"
#define LEVEL_CLIENT "%c"

/* The level that begins at byte `at`, 0 to the name's length; the next one begins
 * at at + len + 1, up to which there is a slash. "a//b" has three levels, "" has
 * one. */
struct slice topic_level_at(struct slice name, size_t at);

/* Whether %u and %c occur as whole levels only. */
bool variables_are_levels(struct slice name);

#endif
