#include "broker/fan_out/fan_out.h"

#include "base/clock.h"
#include "broker/client/shard.h"
#include "broker/fan_out/fan_out_message.h"
#include "broker/fan_out/worker_catchup.h"
#include "broker/share/share.h"

#define MESSAGES_PER_LOOK 64 /* between two readings of the clock */

/* A worker without subscriptions handles only events (`revoked`); the admin
 * worker usually has just the bridge's subscriptions to events. Then the
 * messages are not even touched: they are in another core's cache. */
static bool fan_out_concerns(const struct worker *w, const struct batch *b)
{
    return b->events > 0 || w->share->groups != NULL ||
           subscription_index_has_plain(w->index);
}

/* Finishes a batch: all of it has been fanned out, or nobody on this worker
 * subscribes to it. */
static void fan_out_finished(struct worker *w, struct batch *b)
{
    if (b->head > w->head)
        w->head = b->head;
    atomic_fetch_sub(&w->batch_bytes, b->bytes);
    batch_unref(b);
}

/* Takes the next batch, or starts to read the log in place of batches that
 * found no room. false: nothing is waiting. */
static bool fan_out_next(struct worker *w)
{
    const uint64_t missed = atomic_load(&w->missed);
    void *b;

    if (mailbox_receive(w->batches, &b, 1) == 1) {
        if (fan_out_concerns(w, b)) {
            w->current = b;
            w->current_at = 0;
        } else {
            /* At once, because the turn may end here: a group that begins in
             * the next turn reads the log up to w->head and expects
             * everything after that in batches. */
            fan_out_finished(w, b);
        }
        return true;
    }
    if (missed == 0)
        return false;
    /* `missed` was set before the mailbox was found empty, and the writer
     * sends no batch while it is set: all older batches have been fanned
     * out. */
    worker_catchup_begin(w, atomic_exchange(&w->missed, 0) - 1);
    return true;
}

static void fan_out_batch(struct worker *w)
{
    struct batch *b = w->current;
    const size_t stop = b->count - w->current_at < MESSAGES_PER_LOOK
                            ? b->count
                            : w->current_at + MESSAGES_PER_LOOK;

    while (w->current_at < stop) {
        fan_out_message(w, b->messages[w->current_at++]);
        if (w->encoded > WORKER_ENCODED_MAX)
            connection_flush_touched(w);
    }
    if (w->current_at < b->count)
        return;
    w->current = NULL;
    fan_out_finished(w, b);
}

bool fan_out_turn(struct worker *w, int64_t limit_us)
{
    for (;;) {
        if (w->catchup_to > w->head || w->recheck_tokens) {
            if (!worker_catchup_step(w)) {
                worker_try_later(w);
                return false;
            }
        } else if (w->current != NULL) {
            fan_out_batch(w);
        } else if (!fan_out_next(w)) {
            return false;
        }
        if (limit_us != 0 && clock_mono_us() - w->mono_us > limit_us)
            return true;
    }
}
