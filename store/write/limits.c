#include "store/write/limits.h"

#include "store/env/wall_clock.h"

bool window_open(int64_t start_us, int64_t now_us)
{
    return start_us > 0 && start_us > now_us - WINDOW_US &&
           start_us <= now_us + CLOCK_TOLERANCE_US;
}

bool window_active(const struct usage_row *u, int64_t now_us)
{
    return window_open(u->window_start_us, now_us);
}

uint64_t writes_left(const struct plan *p, const struct usage_row *u,
                     int64_t now_us)
{
    if (p->writes_per_hour == 0)
        return UINT64_MAX;
    const uint64_t writes = window_active(u, now_us) ? u->writes : 0;
    return writes < p->writes_per_hour ? p->writes_per_hour - writes : 0;
}

uint32_t window_ends_in_s(const struct usage_row *u, int64_t now_us)
{
    if (!window_active(u, now_us))
        return 1;
    const int64_t left_us = u->window_start_us + WINDOW_US - now_us;
    const int64_t left_s = (left_us + 999999) / 1000000;
    return left_s < 1 ? 1 : left_s > 3600 ? 3600 : (uint32_t)left_s;
}

void count_write(struct usage_row *u, int64_t now_us, int64_t start_us)
{
    if (!window_active(u, now_us)) {
        const bool known = window_open(start_us, now_us) && start_us <= now_us;
        u->window_start_us = known ? start_us : now_us;
        u->writes = u->reads = 0;
    }
    u->writes++;
}

bool merge_reads(struct usage_row *u, int64_t now_us, int64_t start_us,
                 uint64_t reads)
{
    if (!window_open(start_us, now_us))
        return false;
    /* A start in the future would make the window longer than an hour. */
    if (start_us > now_us)
        start_us = now_us;
    if (!window_active(u, now_us)) {
        u->window_start_us = start_us;
        u->writes = 0;
        u->reads = reads;
        return true;
    }
    bool changed = false;
    if (start_us < u->window_start_us) {
        u->window_start_us = start_us;
        changed = true;
    }
    if (reads > u->reads) {
        u->reads = reads;
        changed = true;
    }
    return changed;
}

enum command_result plan_verdict(const struct plan *p,
                                 const struct usage_row *u, int64_t now_us,
                                 const struct message_weight *weight)
{
    /* First what no waiting would mend. */
    if (p->payload_max != 0 && weight->payload > p->payload_max)
        return RESULT_TOO_LARGE;
    if (writes_left(p, u, now_us) == 0)
        return RESULT_RATE;
    if (weight->new_thing && p->things_max != 0 && u->things >= p->things_max)
        return RESULT_THINGS;
    if (p->bytes_max != 0 &&
        (u->bytes > p->bytes_max || weight->cost > p->bytes_max - u->bytes))
        return RESULT_BYTES;
    return RESULT_OK;
}
