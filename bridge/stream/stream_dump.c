/* The line that a streamer logs on SIGUSR1. */
#include "base/log.h"
#include "bridge/stream/stream_private.h"

#define LOOKS 20000 /* streams to count, at most */

void streamer_log_state(struct streamer *st)
{
    size_t by_state[STREAM_GONE + 1] = {0}, looks = 0, failed = 0;
    size_t most = 0;
    const struct stream *s;

    TAILQ_FOREACH (s, &st->all, in_all) {
        if (looks == LOOKS)
            break;
        looks++;
        by_state[s->state]++;
        failed += s->failed;
        if (s->output.bytes > most)
            most = s->output.bytes;
    }
    log_info("state",
             "streamer %u: %zu streams%s: %zu live, %zu reading the log, %zu "
             "closing, %zu lingering; %zu could not read the store; %zu bytes "
             "held for readers, at most %zu for one; mailboxes: %zu new "
             "streams, %zu messages (%zu bytes)",
             st->number, st->count,
             s != NULL ? " (the first 20000 counted)" : "",
             by_state[STREAM_LIVE], by_state[STREAM_CATCHUP],
             by_state[STREAM_CLOSING], by_state[STREAM_LINGER], failed,
             st->held, most, mailbox_count(st->starts),
             mailbox_count(st->frames), atomic_load(&st->frame_bytes));
}
