/* Who may use a token's endpoints, and what is left of its limits. */
#include "base/clock.h"
#include "bridge/front.h"
#include "bridge/reads.h"

void access_look_up(const struct front *f, struct store_reader *r,
                    struct slice token, struct access *ret_access)
{
    struct access *a = ret_access;
    struct token_row row;

    *a = (struct access){.state = ACCESS_GRANTED};
    if (!token_valid(token)) {
        a->state = ACCESS_MALFORMED;
        return;
    }
    switch (store_token(r, token, &row)) {
    case STORE_OK:
        if (row.revoked_us != 0) {
            a->state = ACCESS_UNKNOWN;
            return;
        }
        a->plan = config_plan(f->config, row.plan);
        if (a->plan == NULL) /* its section has gone: as the writer does */
            a->plan = config_plan(f->config,
                                  slice_str(f->config->tokens_default_plan));
        break;
    case STORE_NOTFOUND:
        if (f->config->tokens_access != ACCESS_OPEN) {
            a->state = ACCESS_UNKNOWN;
            return;
        }
        a->plan = config_plan(f->config, slice_str("local"));
        break;
    default:
        a->state = ACCESS_BROKEN;
        return;
    }
    if (a->plan->writes_per_hour != 0 || a->plan->reads_per_hour != 0)
        store_usage(r, token, &a->usage); /* absent: zeros */
}

bool access_refused(struct call *c, const struct access *a)
{
    switch (a->state) {
    case ACCESS_GRANTED:
        return false;
    case ACCESS_MALFORMED:
        answer_error(c, 400, "token: 1 to 64 of A-Z a-z 0-9 _ -");
        return true;
    case ACCESS_UNKNOWN:
        answer_error(c, 401, "unknown or revoked token: create one on the home "
                             "page or with confab token create");
        return true;
    case ACCESS_BROKEN:
        break;
    }
    http_add_header(c->q, "Retry-After", "1");
    answer_error(c, 503, "the store cannot be read: retry later");
    return true;
}

void access_writes_left(struct call *c, const struct access *a)
{
    const uint64_t limit = a->plan->writes_per_hour;
    const struct usage_row *u = &a->usage;

    c->remaining = UINT64_MAX;
    if (limit == 0)
        return;
    c->remaining = limit;
    if (u->window_start_us != 0 &&
        clock_real_us() - u->window_start_us < WINDOW_US)
        c->remaining = u->writes < limit ? limit - u->writes : 0;
}
