/* Stores that earlier releases wrote are opened by this one and read the same. Each
 * test/fixtures/store-*.mdb.gz was made by test/fixtures/make-store with a binary of
 * that time: what the script says is what the claims here say.
 *
 * LMDB's files are of one word size and byte order, so these are read on 64-bit
 * little-endian machines only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "store/check.h"
#include "store/session.h"
#include "store/write/transaction.h"
#include "test/unit/store/writing.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const stores[] = {
    "store-without-checksums", /* log entries had none yet */
    "store-without-settings",  /* before commands: 9e842dd */
    "store-with-settings",     /* 2026-11-30 */
};

static const bool readable =
    sizeof(void *) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

/* ---- a copy of a fixture --------------------------------------------------- */

static void inflate_fixture(const char *name, const char *dir)
{
    char path[512], bytes[65536];
    int n;

    snprintf(path, sizeof(path), TEST_FIXTURES "/%s.mdb.gz", name);
    gzFile from = gzopen(path, "rb");
    if (from == NULL)
        fail_msg("no %s", path);
    snprintf(path, sizeof(path), "%s/data.mdb", dir);
    FILE *to = fopen(path, "wb");
    assert_non_null(to);
    while ((n = gzread(from, bytes, sizeof(bytes))) > 0)
        assert_int_equal(fwrite(bytes, 1, (size_t)n, to), n);
    assert_int_equal(n, 0);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(gzclose(from), Z_OK);
}

/* With a running writer: what old rows need to become is done. */
static void open_fixture(struct writing *w, const char *name)
{
    writing_open(w, 0); /* for its folder, and its clock */
    writing_stop(w);
    clock_set(INT64_C(1796342400000000)); /* 2026-12-04: behind all of them */
    w->config.tokens_access = ACCESS_REGISTERED;
    struct plan *small = &w->config.plans[w->config.plan_count++];
    *small = *writing_plan(w, "local");
    strcpy(small->name, "small");
    small->retention_count = 300;
    inflate_fixture(name, w->dir);
    writing_start(w);
}

/* ---- what is in it --------------------------------------------------------- */

static void has_token(struct store_reader *r, const char *name,
                      const char *plan, bool revoked)
{
    struct token_row row;

    assert_int_equal(store_token(r, slice_str(name), &row), STORE_OK);
    assert_true(slice_eq(row.plan, slice_str(plan)));
    assert_int_equal(row.revoked_us != 0, revoked);
    assert_true(row.created_us > 0 && row.created_us < clock_now());
    assert_false(row.implied);
}

static void has_tokens(struct store_reader *r)
{
    struct usage_row usage;

    has_token(r, "alpha", "small", false);
    has_token(r, "beta", "free", false);
    has_token(r, "gone", "free", true);
    assert_int_equal(store_usage(r, slice_str("alpha"), &usage), STORE_OK);
    assert_int_equal(usage.things, 4);
    assert_int_equal(usage.sessions, 2);
    assert_int_equal(usage.retained, 1);
    assert_true(usage.bytes > 0 && usage.session_bytes > 0);
}

static void has_latest(struct store_reader *r)
{
    struct record record;

    assert_int_equal(store_latest(r, slice_str("alpha/props"), &record),
                     STORE_OK);
    const struct message *m = &record.m;
    assert_true(slice_eq(m->payload, slice_str("v")));
    assert_int_equal(m->qos, 2);
    assert_int_equal(m->seq, 1);
    assert_true(slice_eq(m->content_type, slice_str("text/x")));
    assert_true(slice_eq(m->response_topic, slice_str("alpha/answers")));
    assert_true(slice_eq(m->correlation, slice_str("c1")));
    assert_true(m->user_properties.len > 0);
    assert_int_equal(store_latest(r, slice_str("gone/thing"), &record),
                     STORE_OK);
    assert_true(slice_eq(record.m.payload, slice_str("still there")));
    assert_int_equal(store_latest(r, slice_str("beta/thing"), &record),
                     STORE_OK);
    assert_int_equal(record.m.payload_class, PAYLOAD_JSON);
}

/* 400 were published, the plan keeps 300: whole chunks have gone. */
static void has_history(struct store_reader *r)
{
    struct history h = {.topic = slice_str("alpha/room"), .ascending = true};
    struct thing_row row;
    struct record record;
    uint64_t seq;
    char payload[32];

    assert_int_equal(store_thing(r, h.topic, &row), STORE_OK);
    assert_int_equal(row.last_seq, 400);
    assert_in_range(row.count, 300, 300 + 15);
    assert_int_equal(row.first_seq, 401 - row.count);
    for (seq = row.first_seq; seq <= 400; seq++) {
        assert_int_equal(store_history_next(r, &h, &record), STORE_OK);
        assert_int_equal(record.m.seq, seq);
        snprintf(payload, sizeof(payload), "{\"n\":%ju}", (uintmax_t)seq);
        assert_true(slice_eq(record.m.payload, slice_str(payload)));
        assert_int_equal(record.m.payload_class, PAYLOAD_JSON);
    }
    assert_int_equal(store_history_next(r, &h, &record), STORE_NOTFOUND);
    assert_int_equal(store_by_seq(r, h.topic, 333, &record), STORE_OK);
    assert_true(slice_eq(record.m.payload, slice_str("{\"n\":333}")));
}

static void has_retained(struct store_reader *r)
{
    struct record record;

    assert_int_equal(store_retained(r, slice_str("alpha/lamp"), &record),
                     STORE_OK);
    assert_true(slice_eq(record.m.payload, slice_str("on")));
    assert_int_equal(store_retained(r, slice_str("alpha/door"), &record),
                     STORE_NOTFOUND); /* it was cleared */
}

static struct session_row has_session(struct store_reader *r,
                                      struct slice identity)
{
    struct session_row row;

    assert_int_equal(store_session(r, identity, &row), STORE_OK);
    assert_int_equal(row.expiry_s, 4294967294);
    assert_true(row.created_us > INT64_C(1790000000000000) &&
                row.ended_us >= row.created_us && row.ended_us < clock_now());
    assert_true(row.position <= store_head(r));
    assert_false(row.has_will);
    return row;
}

static void has_subscription(struct store_reader *r, uint64_t number,
                             struct session_walk *walk, const char *filter)
{
    struct session_subscription row;

    assert_int_equal(store_subscription_next(r, number, walk, &row), STORE_OK);
    assert_true(slice_eq(row.filter, slice_str(filter)));
    assert_int_equal(row.qos, 1);
}

static void has_sessions(struct store_reader *r)
{
    struct session_walk walk = {0};
    struct session_subscription row;
    struct group_row group;

    const uint64_t keeper =
        has_session(r, slice_of("alpha\0keeper", 12)).number;
    has_subscription(r, keeper, &walk, "alpha/+");
    has_subscription(r, keeper, &walk, "alpha/room/#");
    assert_int_equal(store_subscription_next(r, keeper, &walk, &row),
                     STORE_NOTFOUND);
    walk = (struct session_walk){0};
    const uint64_t sharer =
        has_session(r, slice_of("alpha\0sharer", 12)).number;
    has_subscription(r, sharer, &walk, "$share/g/alpha/#");
    assert_int_equal(store_group(r, slice_of("alpha\0g\0alpha/#", 15), &group),
                     STORE_OK);
    assert_int_equal(group.members, 1);
}

static void holds_what_was_written(struct writing *w)
{
    struct store_reader *r = store_reader_acquire(w->store);

    assert_int_equal(store_reader_begin(r), STORE_OK);
    assert_int_equal(store_head(r), 406);
    has_tokens(r);
    has_latest(r);
    has_history(r);
    has_retained(r);
    has_sessions(r);
    store_reader_end(r);
    store_reader_release(r);
}

static void tell_problem(void *arg, const char *text)
{
    (void)arg;
    print_error("%s\n", text);
}

static void is_undamaged(const char *dir)
{
    struct store_check c = {.problem = tell_problem};
    int detail;

    assert_int_equal(store_check(dir, &c, &detail), STORE_OK);
    assert_int_equal(c.problems, 0);
    assert_int_equal(c.tokens, 3);
    assert_int_equal(c.sessions, 2);
}

/* ---- the claims ------------------------------------------------------------ */

static void skip_where_unreadable(void)
{
    if (readable)
        return;
    print_message(
        "old stores are of 64-bit little-endian machines: skipped\n");
    skip();
}

static void an_old_store_reads_the_same(void **state)
{
    struct writing w;
    (void)state;

    skip_where_unreadable();
    for (size_t i = 0; i < COUNT(stores); i++) {
        print_message("%s\n", stores[i]);
        open_fixture(&w, stores[i]);
        holds_what_was_written(&w);
        writing_restart(&w);
        holds_what_was_written(&w);
        is_undamaged(w.dir);
        writing_close(&w);
    }
}

/* Plans and access as the last configuration had them: a command must come to the
 * same before and after the upgrade. Stores before that row have none. */
static void its_settings_are_known(void **state)
{
    const struct store_opts opts = {.map_size = 0};
    struct transaction t;
    struct writing w;
    (void)state;

    skip_where_unreadable();
    for (size_t i = 0; i < COUNT(stores); i++) {
        open_fixture(&w, stores[i]);
        writing_stop(&w);
        inflate_fixture(stores[i], w.dir); /* as it was */
        assert_int_equal(store_open(w.dir, &opts, &w.store, NULL), STORE_OK);
        assert_int_equal(transaction_init(&t, w.store, &w.config), STORE_OK);
        if (strcmp(stores[i], "store-with-settings") == 0) {
            const struct plan *small =
                settings_plan(&t.settings, slice_str("small"));
            assert_non_null(small);
            assert_int_equal(small->retention_count, 300);
            assert_false(t.settings.open);
            assert_string_equal(t.settings.default_plan, "free");
        } else {
            assert_int_equal(t.settings.plan_count, 0);
        }
        transaction_release(&t);
        store_close(w.store);
        writing_close(&w);
    }
}

/* Ids and seqs go on, and who was revoked or never created stays out. */
static void an_old_store_goes_on(void **state)
{
    struct writing w;
    (void)state;

    skip_where_unreadable();
    for (size_t i = 0; i < COUNT(stores); i++) {
        open_fixture(&w, stores[i]);
        const struct command c = append(&w, "alpha/room", "{\"n\":401}");
        assert_result(c, OK);
        assert_int_equal(c.id, 407);
        assert_int_equal(c.seq, 401);
        assert_result(append(&w, "gone/thing", "v"), REVOKED);
        assert_result(append(&w, "nobody/thing", "v"), UNKNOWN_TOKEN);
        writing_restart(&w);
        writing_stop(&w);
        is_undamaged(w.dir);
        writing_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_store_reads_the_same),
        cmocka_unit_test(its_settings_are_known),
        cmocka_unit_test(an_old_store_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
