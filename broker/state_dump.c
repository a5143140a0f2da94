#include "broker/state_dump.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "broker/client/shard.h"

#define AREA "state"

/* ---- writer and store ---------------------------------------------------- */

static void dump_writer(const struct hub *hub)
{
    struct writer_stats stats;
    struct writer_load load;

    writer_stats(hub->writer, &stats);
    writer_load(hub->writer, &load);
    log_info(AREA,
             "writer: %s, %s, %zu of %zu commands queued or in hand, last "
             "commit %" PRId64 " ms ago, commits p50 %" PRIu64
             " us, p99 %" PRIu64 " us",
             stats.accepting ? "accepting" : "refusing appends",
             load.committing ? "committing"
             : load.sleeping ? "waiting for commands"
                             : "applying",
             load.queued, load.bound,
             stats.last_commit_us == 0
                 ? -1
                 : (clock_real_us() - stats.last_commit_us) / 1000,
             stats.commit_p50_us, stats.commit_p99_us);
}

static void dump_store(const struct hub *hub)
{
    struct store_snapshots snapshots;
    struct store_stats stats;

    const enum store_err err = store_stats(hub->store, &stats);
    if (err != STORE_OK) {
        log_info(AREA, "store: %s", store_strerror(err));
        return;
    }
    store_snapshots(hub->store, &snapshots);
    log_info(AREA,
             "store: head %" PRIu64 ", %" PRIu64 " of %" PRIu64
             " bytes, %" PRIu64 " entries, %" PRIu64 " sessions, %u snapshots "
             "held, the oldest %" PRIu64 " commits behind",
             stats.head, stats.map_used, stats.map_size, stats.log_entries,
             stats.sessions, snapshots.held, snapshots.oldest_behind);
}

/* ---- a worker ------------------------------------------------------------ */

struct sums {
    size_t looks, by_state[CONNECTION_CLOSED + 1];
    size_t stored, catching_up, stalled, starving, held;
    uint64_t commands, command_bytes, out_bytes, inflight, unacked;
    const struct connection *owing[STATE_DUMP_OWING]; /* most first */
};

static void keep_owing(struct sums *s, const struct connection *c)
{
    for (unsigned i = 0; i < STATE_DUMP_OWING && c != NULL; i++) {
        const struct connection *other = s->owing[i];
        if (other != NULL && other->out.bytes >= c->out.bytes)
            continue;
        s->owing[i] = c;
        c = other;
    }
}

static void add_connection(struct sums *s, const struct connection *c)
{
    s->by_state[c->state]++;
    s->stored += c->stored != NULL;
    s->catching_up += c->catchup != NULL;
    s->stalled += c->stalled;
    s->starving += c->starving;
    s->held += c->held;
    s->commands += c->commands;
    s->command_bytes += c->command_bytes;
    s->out_bytes += c->out.bytes;
    s->inflight += c->inflight.count;
    s->unacked += c->unacked_count;
    if (c->out.bytes > 0)
        keep_owing(s, c);
}

static void dump_mailboxes(const struct worker *w)
{
    log_info(AREA,
             "worker %u: mailboxes: %zu results, %zu batches (%" PRIu64
             " bytes), %zu arriving connections, %zu questions; fanned "
             "out up to %" PRIu64 "%s",
             w->number, mailbox_count(w->results), mailbox_count(w->batches),
             (uint64_t)atomic_load(&w->batch_bytes), mailbox_count(w->moves),
             mailbox_count(w->questions), w->head,
             w->catchup_to > w->head ? ", reading the log again" : "");
}

static void dump_connection(const struct worker *w, const struct connection *c)
{
    const struct slice token =
        c->identity == NULL ? slice_of("", 0) : connection_token(c);

    log_info(AREA,
             "worker %u: most output queued: connection %" PRIu64
             " of token %s, %s: %zu bytes queued, %u in flight, %u not "
             "acknowledged to it%s%s",
             w->number, c->number, log_token(token.data, token.len).text,
             c->peer, c->out.bytes, c->inflight.count, c->unacked_count,
             c->catchup != NULL ? ", catching up" : "",
             c->stalled ? ", not read from" : "");
}

static void dump_worker(const struct worker *w)
{
    struct sums s = {0};
    const struct connection *c;

    TAILQ_FOREACH (c, &w->connections, all) {
        if (s.looks == STATE_DUMP_LOOKS)
            break;
        s.looks++;
        add_connection(&s, c);
    }
    log_info(AREA,
             "worker %u: %zu connections%s: %zu new, %zu open, %zu lingering; "
             "%zu with stored sessions, %zu catching up, %zu not read from, "
             "%zu without credits, %zu held back; %" PRIu64
             " commands with the writer (%" PRIu64 " bytes), %" PRIu64
             " publishes not acknowledged, %" PRIu64 " in flight, %" PRIu64
             " bytes queued",
             w->number, w->connection_count,
             c != NULL ? " (the first 20000 counted)" : "",
             s.by_state[CONNECTION_NEW], s.by_state[CONNECTION_OPEN],
             s.by_state[CONNECTION_LINGERING], s.stored, s.catching_up,
             s.stalled, s.starving, s.held, s.commands, s.command_bytes,
             s.unacked, s.inflight, s.out_bytes);
    dump_mailboxes(w);
    for (unsigned i = 0; i < STATE_DUMP_OWING && s.owing[i] != NULL; i++)
        dump_connection(w, s.owing[i]);
}

/* ---- asking -------------------------------------------------------------- */

void state_dump(struct hub *hub)
{
    dump_writer(hub);
    dump_store(hub);
    atomic_fetch_add(&hub->dumps, 1);
}

void state_dump_turn(struct worker *w)
{
    const unsigned asked =
        atomic_load_explicit(&w->hub->dumps, memory_order_relaxed);

    if (asked == w->dumps)
        return;
    w->dumps = asked;
    dump_worker(w);
}
