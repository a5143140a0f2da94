/* The settings that commands are applied by: plans, which tokens are known. They
 * are rows like anything else (`settings` in `meta`), changed by a command when the
 * configuration differs (store/commands/settings.c), so that what a command comes
 * to never depends on the file of the machine that applies it. Writer's thread. */
#ifndef CONFAB_STORE_WRITE_SETTINGS_H
#define CONFAB_STORE_WRITE_SETTINGS_H

#include "base/buffer.h"
#include "base/config.h"

/* Of a plan, what commands are decided by; the rest is broker's and bridge's. */
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
    bool open; /* any token works; else only those that were created */
    char default_plan[CONFIG_NAME_MAX]; /* of tokens whose plan has gone */
    size_t plan_count;                  /* 0: none are known yet */
    struct plan plans[CONFIG_PLANS_MAX];
};

/* As the configuration has them now. */
void settings_of_config(struct settings *ret, const struct config *config);

/* Whether they are as the configuration has them, but for the access mode. */
bool settings_same_plans(const struct settings *s,
                         const struct config *newest);

/* The row: [version, open, default plan, plans: [name, each key]]. */
void settings_put(struct buffer *b, const struct settings *s);
/* false: it is none. */
bool settings_get(struct slice row, struct settings *ret);

/* NULL: there is no such plan. */
const struct plan *settings_plan(const struct settings *s, struct slice name);

#endif
