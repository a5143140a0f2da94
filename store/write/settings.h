/* The settings that commands depend on: plans, and which tokens are valid. They are a row
 * like anything else (`settings` in `meta`), which a command changes when the configuration
 * differs (store/commands/settings.c). So the result of a command never depends on the file
 * of the machine that applies it. Writer's thread. */
#ifndef CONFAB_STORE_WRITE_SETTINGS_H
#define CONFAB_STORE_WRITE_SETTINGS_H

#include "base/buffer.h"
#include "base/config.h"

/* Keys of a plan that commands depend on; the others concern broker and bridge. */
#define SETTINGS_PLAN_KEYS(X)                                                 \
    X(writes_per_hour)                                                        \
    X(payload_max)                                                            \
    X(sessions_max)                                                           \
    X(session_bytes_max)                                                      \
    X(things_max)                                                             \
    X(bytes_max)                                                              \
    X(retention_count)                                                        \
    X(retention_age)

struct settings {
    bool open; /* any token is valid; else only those that were created */
    char default_plan[CONFIG_NAME_MAX]; /* for tokens whose plan was removed */
    size_t plan_count;                  /* 0: no settings are known yet */
    struct plan plans[CONFIG_PLANS_MAX];
};

/* The settings in the current configuration. */
void settings_of_config(struct settings *ret, const struct config *config);

/* Whether they equal those of the configuration, ignoring the access mode. */
bool settings_same_plans(const struct settings *s,
                         const struct config *newest);

/* The row: [version, open, default plan, plans: [name, each key]]. */
void settings_put(struct buffer *b, const struct settings *s);
/* false: it is not such a row. */
bool settings_get(struct slice row, struct settings *ret);

/* NULL: there is no such plan. */
const struct plan *settings_plan(const struct settings *s, struct slice name);

#endif
