#include "store/format/account_cost.h"
#include "store/session.h"

#define INFLIGHT_KEY 11
#define INFLIGHT_ROW 32 /* without identifiers */

uint64_t session_inflight_cost(uint32_t identifier_count)
{
    return account_row_cost(INFLIGHT_KEY,
                            INFLIGHT_ROW + 5 * (size_t)identifier_count);
}

uint64_t session_inflight_max(const struct plan *plan)
{
    if (plan == NULL || plan->session_bytes_max == 0)
        return UINT64_MAX;
    const uint64_t parts =
        plan->sessions_max != 0 ? plan->sessions_max : SESSION_INFLIGHT_PARTS;
    const uint64_t part = plan->session_bytes_max / 2 / parts;
    return part > SESSION_INFLIGHT_MIN ? part : SESSION_INFLIGHT_MIN;
}
