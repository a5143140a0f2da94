/* What commands about tenants take (store/command.h); docs/design/2026-11-30-directory.md.
 * COMMAND_TOKEN_DELETE (store/command/token.h) deletes tenants, too. Slices are
 * borrowed until done(). */
#ifndef CONFAB_STORE_COMMAND_TENANT_H
#define CONFAB_STORE_COMMAND_TENANT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* COMMAND_TENANT_CREATE: one whose name opens nothing. EXISTS: there is a tenant or
 * token of that name, or was one that is revoked. Of an operation. */
struct tenant_create {
    struct slice tenant;
    struct slice plan; /* empty: the default of the store's settings */
    struct slice *set; /* `limits.KEY=value` each (base/plan_limits.h) */
    size_t set_count;
};

/* COMMAND_TENANT_SET, of tenants and tokens. NOT_FOUND, REVOKED, INVALID; BYTES,
 * SHARE, FULL: what it holds. Setting `webhook.url` begins a webhook at the head of the
 * log, unsetting it removes what is stored of it (store/webhook.h); a new
 * `webhook.secret` makes the former one `webhook.secret_old`. Offers a `changed` event. */
struct tenant_set {
    struct slice tenant;
    struct slice plan; /* empty: as it is */
    struct slice
        *set; /* `name=value` each; without a value it is unset. Names of
                          base/tenant_setting.h, and limits.KEY */
    size_t set_count;
};

/* COMMAND_TENANT_SUSPEND, of tenants and tokens: nothing may come in and nobody may
 * connect until it is lifted. Offers a `revoked` event, or `changed`. */
struct tenant_suspend {
    struct slice tenant;
    bool lift;
};

#endif
