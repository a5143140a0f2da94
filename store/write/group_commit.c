#include "store/write/group_commit.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/disk_fault.h"
#include "base/error_text.h"
#include "base/hops.h"
#include "base/log.h"
#include "store/command/ban.h"
#include "store/command/key.h"
#include "store/command/upkeep.h"
#include "store/write/account.h"
#include "store/write/ban_write.h"
#include "store/write/erase.h"
#include "store/write/key_write.h"
#include "store/write/trim.h"

/* After disk or map have refused two commands in a row, appends are refused without a
 * try for this long. */
#define PAUSE_US 100000
#define REFUSED_MAX 2
/* How long to wait after housekeeping has failed or cannot go on. */
#define HOUSEKEEP_AGAIN_US 1000000
#define TELL_EVERY_US 5000000

/* Tells the next start for how long nobody looked at the clock. A failure is not logged
 * here: whoever needs the disk next reports it. */
static void note_last_seen(struct group_commit *g)
{
    struct transaction *t = &g->t;

    if (transaction_begin(t, 0, g->now_us(), clock_mono_us()) != STORE_OK)
        return;
    if (transaction_open(t) == STORE_OK && transaction_touch(t) == STORE_OK) {
        if (transaction_commit(t) == STORE_OK)
            batch_unref(t->batch);
    } else {
        transaction_abort(t);
    }
    t->batch = NULL;
}

void group_commit_release(struct group_commit *g)
{
    note_last_seen(g);
    transaction_release(&g->t);
}

/* ---- one command ------------------------------------------------------ */

static void reset_results(struct command *c)
{
    c->result = RESULT_OK;
    c->repeated = false;
    c->id = c->seq = 0;
    c->at_us = 0;
    c->remaining = UINT64_MAX;
    c->retry_after_s = 0;
    c->removed = 0;
    c->more = false;
    if (c->kind == COMMAND_APPEND && c->message != NULL)
        c->message->id = c->message->seq = 0;
}

/* Decides a command, passes the entry on if somebody keeps entries, and applies it. */
static enum store_err enter_command(struct group_commit *g, struct command *c)
{
    const struct command_type *type = g->commands[c->kind];
    struct transaction *t = &g->t;
    enum store_err err = STORE_OK;

    reset_results(c);
    if (!type->needs_no_rows)
        err = transaction_open(t);
    if (err != STORE_OK)
        return err;
    admission_begin(t);
    if (type->decide != NULL)
        type->decide(t, c);
    if (g->on_entry != NULL)
        g->on_entry(g->arg, &t->in, c);
    const unsigned deletions = t->in.deletions;
    err = type->apply(t, c);
    const unsigned used = deletions - t->in.deletions;
    t->here.deletions -= used < t->here.deletions ? used : t->here.deletions;
    return err;
}

static enum store_err enter_proposal(void *arg, struct command *c)
{
    return enter_command(arg, c);
}

/* ---- what comes before any command ------------------------------------- */

static bool settings_hold(const struct group_commit *g)
{
    const struct config *newest = config_newest(g->t.here.config);

    return g->settings_written &&
           g->wanted.open ==
               (g->t.here.config->tokens_access == ACCESS_OPEN) &&
           settings_same_plans(&g->wanted, newest);
}

/* Proposes settings that were read since the last time, or differ from those of the last
 * run. They need no commit of their own: if nothing else changes, nothing is committed,
 * and they are proposed again. */
static enum store_err propose_settings(struct group_commit *g)
{
    struct transaction *t = &g->t;
    struct buffer row = BUFFER_INIT;
    enum store_err err = STORE_OK;

    if (settings_hold(g))
        return STORE_OK;
    settings_of_config(&g->wanted, t->here.config);
    g->settings_written = false;
    settings_put(&row, &g->wanted);
    if (!buffer_ok(&row))
        err = STORE_NOMEM;
    else if (!slice_eq(buffer_slice(&row), buffer_slice(&t->settings_row))) {
        struct settings_change a = {buffer_slice(&row)};
        struct command c = {.kind = COMMAND_SETTINGS, .args = &a};
        const bool put = t->put;
        err = enter_command(g, &c);
        t->put = put; /* does not need a commit by itself */
    } else {
        g->settings_written = true;
    }
    buffer_release(&row);
    return err;
}

static enum store_err propose_clock_steps(struct group_commit *g)
{
    struct wall_clock *clock = &g->t.here.clock;
    struct command c = {.kind = COMMAND_CLOCK_STEPS, .args = &clock->steps};

    return clock->unsaved ? enter_command(g, &c) : STORE_OK;
}

/* ---- housekeeping ----------------------------------------------------- */

/* A full store was just trimmed. Appends are refused before a commit, so without this
 * commit nothing would ever make the freed pages usable. */
static bool waits_for_freed_pages(const struct group_commit *g)
{
    return g->freed_last && !g->has_room;
}

/* Most are forgotten with the commits of new ones. Where there are no new ones, what
 * the store, or a token's share of it, is full of may be they. */
#define STEP_KEYS 1024

static bool keys_due(const struct group_commit *g)
{
    const int64_t now_us = g->now_us();

    return now_us >= g->keys_next_us ||
           now_us < g->keys_next_us - SWEEP_EVERY_US;
}

/* Forgets up to `most` of each kind. *ret_forgotten: the greatest number of one kind. */
static enum store_err propose_forgetting(struct transaction *t,
                                         enum repeat_kind kind, unsigned most,
                                         uint64_t *ret_forgotten)
{
    struct repeat_bounds bounds;
    bool due;

    const enum store_err err = repeat_due(t, kind, most, &bounds, &due);
    *ret_forgotten = 0;
    if (err != STORE_OK || !due)
        return err;
    struct command c = {.kind = COMMAND_ANSWERS_FORGET, .args = &bounds};
    const enum store_err applied = transaction_propose(t, &c);
    *ret_forgotten = c.removed;
    return applied;
}

/* Keys of tenants that have expired. Nothing is proposed where there are none. */
static enum store_err expire_keys(struct transaction *t, uint64_t *ret_removed)
{
    struct keys_expire a = {t->here.decay_us, STEP_KEYS};
    struct command c = {.kind = COMMAND_KEYS_EXPIRE, .args = &a};
    struct key_copy first;

    *ret_removed = 0;
    enum store_err err = key_first_to_end(t, a.before_us, &first);
    if (err != STORE_OK) /* a damaged one must not hold up the others' work */
        return err == STORE_NOTFOUND || err == STORE_CORRUPT ? STORE_OK : err;
    key_copy_release(&first);
    err = transaction_propose(t, &c);
    *ret_removed = c.removed;
    return err;
}

/* Bans that are over, likewise. */
static enum store_err expire_bans(struct transaction *t, uint64_t *ret_removed)
{
    struct bans_expire a = {t->here.decay_us, STEP_KEYS};
    struct command c = {.kind = COMMAND_BANS_EXPIRE, .args = &a};

    *ret_removed = 0;
    enum store_err err = ban_find_ended(t, a.before_us);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND || err == STORE_CORRUPT ? STORE_OK : err;
    err = transaction_propose(t, &c);
    *ret_removed = c.removed;
    return err;
}

static enum store_err forget_keys(struct group_commit *g)
{
    enum store_err err = STORE_OK;
    uint64_t forgotten, most = 0;

    for (int kind = 0; err == STORE_OK && kind < REPEAT_KIND_COUNT; kind++) {
        err = propose_forgetting(&g->t, (enum repeat_kind)kind, STEP_KEYS,
                                 &forgotten);
        most = err == STORE_OK && forgotten > most ? forgotten : most;
    }
    if (err == STORE_OK) {
        err = expire_keys(&g->t, &forgotten);
        most = forgotten > most ? forgotten : most;
    }
    if (err == STORE_OK) {
        err = expire_bans(&g->t, &forgotten);
        most = forgotten > most ? forgotten : most;
    }
    g->t.deleted |= most > 0;
    if (most < STEP_KEYS)
        g->keys_next_us = g->t.here.now_us + SWEEP_EVERY_US;
    return err;
}

int64_t housekeeping_wait(const struct group_commit *g)
{
    const bool due = g->t.trims_waiting || g->t.erasures_waiting ||
                     sweep_due(&g->sweep, g->now_us()) ||
                     session_sweep_due(&g->sessions, g->now_us()) ||
                     keys_due(g) || waits_for_freed_pages(g);
    const int64_t left_us = g->housekeep_mono_us - clock_mono_us();

    if (due)
        return left_us > 0 ? left_us : 0;
    return sweep_needed(&g->sweep) ? HOUSEKEEP_AGAIN_US : SWEEP_EVERY_US;
}

static enum store_err housekeep_step(struct group_commit *g)
{
    struct transaction *t = &g->t;
    enum store_err err = transaction_open(t);

    if (err == STORE_OK && t->trims_waiting) {
        struct command c = {.kind = COMMAND_HIDDEN_DELETE};
        err = transaction_propose(t, &c);
    }
    if (err == STORE_OK && t->erasures_waiting)
        err = erase_propose(t);
    if (err == STORE_OK && sweep_due(&g->sweep, t->here.now_us))
        err = sweep_step(&g->sweep, t);
    if (err == STORE_OK && session_sweep_due(&g->sessions, t->here.now_us))
        err = session_sweep_step(&g->sessions, t);
    if (err == STORE_OK && keys_due(g))
        err = forget_keys(g);
    if (err == STORE_OK && waits_for_freed_pages(g))
        err = transaction_touch(t);
    g->housekept = true;
    return err;
}

/* The housekeeping that joins a group: what retention counts belongs to its appends, and
 * the rest is free, since there is a commit anyway. */
static enum store_err ride_along(struct group_commit *g)
{
    if (!transaction_changed(&g->t))
        return STORE_OK;
    const enum store_err err = retention_after_appends(&g->t);
    if (err != STORE_OK || housekeeping_wait(g) != 0)
        return err;
    return housekeep_step(g);
}

static void pause_housekeeping(struct group_commit *g)
{
    g->housekeep_mono_us = clock_mono_us() + HOUSEKEEP_AGAIN_US;
}

/* ---- one transaction -------------------------------------------------- */

static void tell_accepting(struct group_commit *g, bool accepting)
{
    const int64_t mono_us = g->t.here.mono_us;

    if (accepting == g->logged_accepting ||
        (g->told_mono_us != 0 && mono_us - g->told_mono_us < TELL_EVERY_US))
        return;
    g->logged_accepting = accepting;
    g->told_mono_us = mono_us;
    if (accepting)
        log_info("store", "messages are accepted again");
    else if (!g->has_room)
        log_warn("store", "messages are refused: %s",
                 store_strerror(g->t.here.space.disk_full ? STORE_DISK_FULL
                                                          : STORE_FULL));
    else
        log_warn("store", "messages are refused: %s",
                 command_text(g->t.here.paused_result));
}

static bool is_accepting(struct group_commit *g)
{
    struct transaction *t = &g->t;

    if (t->here.space.room_known)
        g->has_room =
            space_admits(&t->here.space, SPACE_USUAL, t->here.mono_us);
    const bool accepting = g->has_room && t->here.paused_until_mono_us == 0;
    tell_accepting(g, accepting);
    return accepting;
}

/* Only this thread writes it, so a plain store suffices. */
static void count_step(struct group_commit *g)
{
    const uint64_t steps =
        atomic_load_explicit(&g->steps, memory_order_relaxed);

    atomic_store_explicit(&g->steps, steps + 1, memory_order_relaxed);
}

/* Forgets more than one commit adds, so that a backlog shrinks in small steps. */
static enum store_err forget_some_keys(struct transaction *t)
{
    enum store_err err = STORE_OK;
    uint64_t forgotten;

    for (int kind = 0; err == STORE_OK && kind < REPEAT_KIND_COUNT; kind++)
        err = propose_forgetting(t, (enum repeat_kind)kind,
                                 2 * t->remembered[kind] + 16, &forgotten);
    return err;
}

static enum store_err commit_group(struct group_commit *g,
                                   int64_t *ret_commit_us)
{
    struct transaction *t = &g->t;

    *ret_commit_us = -1;
    if (!transaction_changed(t))
        return transaction_commit(t);
    const int64_t begin_us = clock_mono_us();
    const bool settings = t->settings_changed;
    atomic_store(&g->committing, true);
    const enum store_err err = transaction_commit(t);
    atomic_store(&g->committing, false);
    count_step(g);
    *ret_commit_us = clock_mono_us() - begin_us;
    if (err == STORE_OK) {
        g->refused_in_a_row = 0;
        g->freed_last = t->deleted;
        g->settings_written |= settings;
        t->here.clock.unsaved = false;
        t->here.paused_until_mono_us = 0;
    }
    return err;
}

static void count_group(struct group_commit *g, int64_t commit_us,
                        uint64_t refused)
{
    const struct writer_stats more = {
        .last_commit_us = commit_us >= 0 ? g->now_us() : 0,
        .accepting = is_accepting(g),
        .appended = g->t.appended,
        .events = g->t.events,
        .refused = refused,
        .trimmed = g->t.trimmed,
        .sessions_expired = g->t.sessions_expired,
    };
    commit_stats_add(g->stats, &more, commit_us);
}

/* ---- when the disk fails ---------------------------------------------- */

static bool is_disk_error(enum store_err err)
{
    return err == STORE_IO || err == STORE_DISK_FULL ||
           err == STORE_ACCESS /* EROFS: remounted after an error */;
}

/* Logs failures even if the next attempt succeeds: they are warnings about the disk. */
static void tell_failure(struct group_commit *g, enum store_err err)
{
    const struct store_env *e = g->t.e;
    const int64_t mono_us = clock_mono_us();

    g->failures++;
    if (g->failed_mono_us != 0 && mono_us - g->failed_mono_us < TELL_EVERY_US)
        return;
    g->failed_mono_us = mono_us;
    log_error("store",
              "%s/data.mdb: writing failed: %s%s%s (%" PRIu64
              " times since the start); it is tried again, and what cannot be "
              "stored is refused",
              e->dir, store_strerror(err), e->commit_rc > 0 ? ": " : "",
              e->commit_rc > 0 ? error_text(e->commit_rc) : "", g->failures);
}

/* The transaction may be on disk or not, and LMDB refuses further writes. Both "refused" and
 * "stored" could be wrong, so nobody is answered: clients send again what was not
 * acknowledged, and the next process sees what is there. */
static _Noreturn void give_up(const struct group_commit *g)
{
    const struct store_env *e = g->t.e;

    log_error(
        "store",
        "%s/data.mdb: the disk failed in the middle of a commit%s%s. "
        "Whether it is stored shows when the file is opened again: ending "
        "with status %d, for a restart. Clients send again what was not "
        "acknowledged. Look for the disk's errors (dmesg)",
        e->dir, e->commit_rc > 0 ? ": " : "",
        e->commit_rc > 0 ? error_text(e->commit_rc) : "", EXIT_DISK);
    disk_fault_end();
}

static enum store_err try_group(struct group_commit *g, struct command **c,
                                size_t n, bool with_housekeeping,
                                int64_t *ret_commit_us)
{
    const struct sweep sweep = g->sweep;
    const struct session_sweep sessions = g->sessions;
    struct transaction *t = &g->t;

    g->housekept = false;
    enum store_err err = transaction_begin(t, n, g->now_us(), clock_mono_us());
    if (err != STORE_OK)
        return err;
    err = propose_settings(g);
    if (err == STORE_OK)
        err = propose_clock_steps(g);
    for (size_t i = 0; err == STORE_OK && i < n; i++) {
        err = enter_command(g, c[i]);
        count_step(g);
    }
    if (err == STORE_OK && with_housekeeping)
        err = n > 0 ? ride_along(g) : housekeep_step(g);
    if (err == STORE_OK && transaction_changed(t))
        err = forget_some_keys(t);
    if (err == STORE_OK) {
        err = commit_group(g, ret_commit_us);
    } else {
        transaction_abort(t);
    }
    if (err == STORE_UNCERTAIN)
        give_up(g);
    if (is_disk_error(err))
        tell_failure(g, err);
    if (err != STORE_OK && err != STORE_CORRUPT)
        g->sweep = sweep, g->sessions = sessions;
    return err;
}

/* ---- answering -------------------------------------------------------- */

static void trace_commit(struct command *const *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c[i]->message != NULL)
            hop_commit(c[i]->message->topic, c[i]->id,
                       c[i]->message->payload.len, c[i]);
}

static void answer_group(struct group_commit *g, struct command **c, size_t n,
                         int64_t commit_us)
{
    struct batch *b = g->t.batch;
    uint64_t refused = 0;

    g->t.batch = NULL;
    for (size_t i = 0; i < n; i++)
        refused += c[i]->result != RESULT_OK;
    count_group(g, commit_us, refused);
    hop_commit_all(n, commit_us);
    if (trace_is_on())
        trace_commit(c, n);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && c[end]->done == c[i]->done; end++)
            ;
        c[i]->done(c + i, end - i);
    }
    if (b->count > 0 && g->on_batch != NULL)
        g->on_batch(g->arg, b);
    batch_unref(b);
}

static void refuse_command(struct group_commit *g, struct command *c,
                           enum store_err err)
{
    struct transaction *t = &g->t;

    reset_results(c);
    c->result =
        store_is_full(err) || err == STORE_NOMEM ? RESULT_FULL : RESULT_IO;
    c->remaining = 0;
    if ((err == STORE_FULL || is_disk_error(err)) &&
        ++g->refused_in_a_row >= REFUSED_MAX) {
        t->here.paused_until_mono_us = clock_mono_us() + PAUSE_US;
        t->here.paused_result = c->result;
    }
    t->appended = t->events = t->trimmed = t->sessions_expired = 0;
    count_group(g, -1, 1);
    c->done(&c, 1);
}

static void run_group(struct group_commit *g, struct command **c, size_t n,
                      bool with_housekeeping)
{
    int64_t commit_us = -1;

    enum store_err err = try_group(g, c, n, with_housekeeping, &commit_us);
    if (err != STORE_OK && with_housekeeping) {
        pause_housekeeping(g);
        if (n == 1) /* housekeeping may be what failed */
            err = try_group(g, c, n, false, &commit_us);
    }
    if (err == STORE_OK) {
        answer_group(g, c, n, commit_us);
    } else if (n == 1) {
        refuse_command(g, c[0], err);
    } else {
        run_group(g, c, n / 2, false);
        run_group(g, c + n / 2, n - n / 2, false);
    }
}

void group_commit_run(struct group_commit *g, struct command **c, size_t n)
{
    run_group(g, c, n, true);
}

void housekeeping_run(struct group_commit *g)
{
    int64_t commit_us = -1;

    const enum store_err err = try_group(g, NULL, 0, true, &commit_us);
    if (err != STORE_OK) {
        pause_housekeeping(g);
        if (err != STORE_FULL && !is_disk_error(err)) /* logged already */
            log_error("store", "housekeeping: %s", store_strerror(err));
        return;
    }
    if (commit_us < 0 && !g->sweep.walking && !g->sessions.walking)
        pause_housekeeping(g);
    answer_group(g, NULL, 0, commit_us);
}

/* ---- starting ---------------------------------------------------------- */

static enum store_err recover_sessions(struct group_commit *g)
{
    struct schema_key at = {.len = 0};
    struct transaction *t = &g->t;
    enum store_err err = STORE_OK;
    bool done = false;

    while (err == STORE_OK && !done) {
        err = transaction_begin(t, 0, g->now_us(), clock_mono_us());
        if (err != STORE_OK)
            break;
        err = transaction_open(t);
        if (err == STORE_OK)
            err = propose_settings(g);
        if (err == STORE_OK)
            err = session_recover_step(t, &at, &done);
        if (err == STORE_OK)
            err = transaction_commit(t);
        else
            transaction_abort(t);
        batch_unref(t->batch);
        t->batch = NULL;
    }
    return err;
}

enum store_err group_commit_init(struct group_commit *g, struct store *st,
                                 const struct writer_opts *opts,
                                 struct commit_stats *stats)
{
    memset(g, 0, sizeof(*g));
    g->commands = opts->commands;
    g->stats = stats;
    g->now_us = opts->now_us != NULL ? opts->now_us : clock_real_us;
    g->on_batch = opts->on_batch;
    g->on_entry = opts->on_entry;
    g->arg = opts->arg;
    g->has_room = g->logged_accepting = true;
    sweep_init(&g->sweep, opts->config, &g->t.tokens);
    /* First the wills that have become due are published. */
    g->sessions.next_us = g->now_us() + SWEEP_EVERY_US;
    g->keys_next_us = g->sessions.next_us;
    enum store_err err = transaction_init(&g->t, st, opts->config);
    if (err == STORE_OK)
        err = erase_look(&g->t);
    g->t.here.propose = enter_proposal;
    g->t.here.propose_arg = g;
    if (err == STORE_OK) {
        if (g->t.settings.plan_count == 0) /* written with the first commit */
            settings_of_config(&g->t.settings, opts->config);
        /* A full store must open all the same; the next start tries again. */
        const enum store_err counted = account_upgrade(&g->t);
        if (counted != STORE_OK)
            log_error("store",
                      "counting what tokens hold: %s; their limits hold "
                      "for less than they have",
                      store_strerror(counted));
        const enum store_err recovered = recover_sessions(g);
        if (recovered != STORE_OK)
            log_warn("store", "sessions of the last run: %s",
                     store_strerror(recovered));
        if (recovered == STORE_UNCERTAIN)
            err = recovered;
    }
    return err;
}
