/* Limits that a tenant has of its own, instead of its plan's: settings `limits.KEY` of
 * the tenant, where KEY is one of a section [plan:NAME]. They stand in the tenant's row
 * as text, and whoever looks up a plan applies them to it. Pure; any thread.
 *
 * A plan of the settings is shared and never freed. A plan with own limits is a copy
 * that belongs to whoever looked it up: the request, the caller (base/callers.h), the
 * writer's entry of the token. */
#ifndef CONFAB_BASE_PLAN_LIMITS_H
#define CONFAB_BASE_PLAN_LIMITS_H

#include "base/buffer.h"
#include "base/config.h"

#define PLAN_LIMITS_PREFIX "limits."
/* `key=number` of every key: at most 17 + 1 + 16 bytes and a blank each. */
#define PLAN_LIMITS_TEXT_MAX 640

/* true: the setting's name is `limits.KEY`, whether there is such a key or not. */
bool plan_limit_name(struct slice setting, struct slice *ret_key);

/* Whether a limit may have this value: a quantity as in the settings, 0 for no limit,
 * empty to remove it. NULL: it may, else what is wrong (static). */
const char *plan_limit_wrong(struct slice key, struct slice value);

/* The text of limits, `bytes_max=1073741824 writes_per_hour=50`, is read into a plan:
 * these keys change, and are marked in ret->own. Keys that only another version knows
 * are skipped. */
void plan_limits_read(struct slice text, struct plan *ret);
/* Sets one, or with an empty value removes it from p->own. false: plan_limit_wrong(). */
bool plan_limits_set(struct plan *p, struct slice key, struct slice value);
/* Appends the text of what p->own marks; nothing if that is 0. */
void plan_limits_put(struct buffer *b, const struct plan *p);

/* The plan with these limits: `base` itself if there are none, else *ret_own. */
const struct plan *plan_with_limits(const struct plan *base,
                                    struct slice limits, struct plan *ret_own);
/* The same limits on another plan. */
void plan_limits_move(struct plan *own, const struct plan *base);

/* The plan that applies now to a tenant whose row has this plan and these limits:
 * config_plan_or_default() with the limits. Never NULL; *ret_own or as valid as *c. */
const struct plan *config_plan_of(const struct config *c, struct slice name,
                                  struct slice limits, struct plan *ret_own);

/* Calls `tell` for each key of a plan, in the order of the settings. `own`: it is the
 * tenant's own. */
void plan_limits_each(const struct plan *p,
                      void (*tell)(void *arg, const char *key, uint64_t value,
                                   bool own),
                      void *arg);

#endif
