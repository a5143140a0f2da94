/* Every walk is compared with the same question asked of a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/unit/store/store_fixture.h"

#define MAX 200

struct model {
    struct {
        uint64_t id, seq;
        int64_t at_us;
    } messages[MAX];
    size_t count;
};

static const char topic[] = "t/a";

/* Three messages share each time; other topics' ids lie in between. */
static void append(struct fixture *f, struct model *m, unsigned count)
{
    while (count-- > 0) {
        const int64_t at_us = 1000 + (int64_t)(m->count / 3) * 10;
        m->messages[m->count].id = fixture_append(f, topic, at_us);
        m->messages[m->count].at_us = at_us;
        m->messages[m->count].seq = m->count + 1;
        m->count++;
        if (m->count % 2 == 0)
            fixture_append(f, "t/", at_us);
        if (m->count % 5 == 0)
            fixture_append(f, "t/ab", at_us);
    }
}

static bool in_bounds(const struct model *m, size_t i, const struct history *h,
                      uint64_t trimmed)
{
    const uint64_t id = m->messages[i].id;
    const int64_t at_us = m->messages[i].at_us;

    return id > trimmed && id > h->after &&
           (h->before == 0 || id < h->before) &&
           (h->since_us == 0 || at_us >= h->since_us) &&
           (h->until_us == 0 || at_us < h->until_us);
}

/* Walks h; every `renew` steps in a new snapshot (0: never). */
static void assert_walk(struct fixture *f, const struct model *m,
                        struct history h, uint64_t trimmed, unsigned renew)
{
    struct record record;
    unsigned steps = 0;

    h.topic = slice_str(topic);
    for (size_t n = 0; n < m->count; n++) {
        const size_t i = h.ascending ? n : m->count - 1 - n;
        if (!in_bounds(m, i, &h, trimmed))
            continue;
        assert_int_equal(store_history_next(f->reader, &h, &record), STORE_OK);
        assert_int_equal(record.m.id, m->messages[i].id);
        assert_int_equal(record.m.seq, m->messages[i].seq);
        if (renew != 0 && ++steps % renew == 0) {
            fixture_append(f, "t/other", 1); /* so that it is a new one */
            fixture_look(f);
        }
    }
    assert_int_equal(store_history_next(f->reader, &h, &record),
                     STORE_NOTFOUND);
    assert_int_equal(store_history_next(f->reader, &h, &record),
                     STORE_NOTFOUND);
}

static void assert_all_bounds(struct fixture *f, const struct model *m,
                              uint64_t trimmed)
{
    const uint64_t last = m->messages[m->count - 1].id;
    const uint64_t ids[] = {0, 1, 2, 25, 28, 40, 55, last - 1, last, last + 1};
    const int64_t last_at = m->messages[m->count - 1].at_us;
    const int64_t times[] = {0,    1,    1000,    1001,       1050,
                             1053, 1110, last_at, last_at + 1};
    const size_t id_count = sizeof(ids) / sizeof(ids[0]);
    const size_t time_count = sizeof(times) / sizeof(times[0]);

    fixture_look(f);
    for (size_t a = 0; a < id_count; a++)
        for (size_t b = 0; b < id_count; b++)
            for (size_t s = 0; s < time_count; s++)
                for (size_t u = 0; u < time_count; u++) {
                    struct history h = {.after = ids[a],
                                        .before = ids[b],
                                        .since_us = times[s],
                                        .until_us = times[u]};
                    assert_walk(f, m, h, trimmed, 0);
                    h.ascending = true;
                    assert_walk(f, m, h, trimmed, 0);
                }
}

static void every_bound_gives_what_lies_within_it(void **state)
{
    struct model m = {.count = 0};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    append(&f, &m, 5); /* an open chunk only */
    assert_all_bounds(&f, &m, 0);
    append(&f, &m, 11); /* one full chunk, nothing open */
    assert_all_bounds(&f, &m, 0);
    append(&f, &m, 39); /* three and some */
    assert_all_bounds(&f, &m, 0);
    fixture_close(&f);
}

static void bounds_hold_after_trimming(void **state)
{
    struct model m = {.count = 0};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    append(&f, &m, 55);
    fixture_trim(&f, topic, m.messages[3].id, false); /* hidden, in a chunk */
    assert_all_bounds(&f, &m, m.messages[3].id);
    fixture_trim(&f, topic, m.messages[36].id, false); /* two chunks hidden */
    assert_all_bounds(&f, &m, m.messages[36].id);
    fixture_trim(&f, topic, m.messages[50].id, true); /* into the open one */
    assert_all_bounds(&f, &m, m.messages[50].id);
    append(&f, &m, 20); /* whose next chunk then has later ids */
    assert_all_bounds(&f, &m, m.messages[50].id);
    fixture_close(&f);
}

static void a_walk_goes_on_in_later_snapshots(void **state)
{
    struct model m = {.count = 0};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    append(&f, &m, 55);
    fixture_look(&f);
    for (unsigned renew = 1; renew < 6; renew++) {
        struct history h = {.ascending = true};
        assert_walk(&f, &m, h, 0, renew);
        h = (struct history){.since_us = 1050, .until_us = 1110};
        assert_walk(&f, &m, h, 0, renew);
    }
    fixture_close(&f);
}

static uint64_t step(struct fixture *f, struct history *h)
{
    struct record record;
    const enum store_err err = store_history_next(f->reader, h, &record);

    assert_true(err == STORE_OK || err == STORE_NOTFOUND);
    return err == STORE_OK ? record.m.id : 0;
}

static void an_ascending_walk_meets_what_was_added_behind_it(void **state)
{
    struct history h = {.topic = slice_str(topic), .ascending = true};
    struct model m = {.count = 0};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    /* Chunks fill up between and under its steps. */
    for (size_t given = 0; given < 100;) {
        append(&f, &m, 3);
        fixture_look(&f);
        while (given < m.count) {
            assert_int_equal(step(&f, &h), m.messages[given].id);
            given++;
        }
        assert_int_equal(step(&f, &h), 0);
    }
    fixture_close(&f);
}

static void a_walk_passes_over_what_was_trimmed_under_it(void **state)
{
    struct history up = {.topic = slice_str(topic), .ascending = true};
    struct history down = {.topic = slice_str(topic)};
    struct model m = {.count = 0};
    struct fixture f;

    (void)state;
    fixture_open(&f);
    append(&f, &m, 60);
    fixture_look(&f);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(step(&f, &up), m.messages[i].id);
        assert_int_equal(step(&f, &down), m.messages[59 - i].id);
    }
    fixture_trim(&f, topic, m.messages[19].id, false);
    fixture_look(&f);
    assert_int_equal(step(&f, &up), m.messages[20].id);
    for (size_t i = 54; i >= 20; i--)
        assert_int_equal(step(&f, &down), m.messages[i].id);
    assert_int_equal(step(&f, &down), 0);
    fixture_trim(&f, topic, m.messages[59].id, true);
    fixture_look(&f);
    assert_int_equal(step(&f, &up), 0);
    fixture_close(&f);
}

static void every_message_is_found_by_its_seq(void **state)
{
    struct model m = {.count = 0};
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (unsigned n = 0; n < 70; n++) {
        append(&f, &m, 1);
        fixture_look(&f);
        for (size_t i = 0; i < m.count; i++) {
            assert_int_equal(store_by_seq(f.reader, slice_str(topic), i + 1,
                                          &record),
                             STORE_OK);
            assert_int_equal(record.m.id, m.messages[i].id);
            assert_int_equal(record.m.seq, i + 1);
        }
    }
    fixture_trim(&f, topic, m.messages[20].id, false);
    fixture_look(&f);
    for (size_t seq = 0; seq <= 72; seq++) {
        const bool there = seq >= 22 && seq <= 70;
        assert_int_equal(store_by_seq(f.reader, slice_str(topic), seq,
                                      &record),
                         there ? STORE_OK : STORE_NOTFOUND);
    }
    fixture_close(&f);
}

static void a_long_history_is_found_by_seq_and_time(void **state)
{
    struct history h = {.topic = slice_str(topic), .ascending = true};
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 5000; i++) {
        fixture_append(&f, topic, 1000 + i);
        if (i % 7 == 0)
            fixture_skip(&f, UINT64_C(1) << 40); /* ids far apart */
    }
    fixture_look(&f);
    for (uint64_t seq = 1; seq <= 5000; seq += 37) {
        assert_int_equal(
            store_by_seq(f.reader, slice_str(topic), seq, &record), STORE_OK);
        assert_int_equal(record.m.seq, seq);
        for (int down = 0; down < 2; down++) {
            h = (struct history){.topic = slice_str(topic),
                                 .ascending = !down};
            *(down ? &h.until_us : &h.since_us) = 999 + (int64_t)seq + down;
            assert_int_equal(store_history_next(f.reader, &h, &record),
                             STORE_OK);
            assert_int_equal(record.m.seq, seq);
        }
    }
    fixture_close(&f);
}

static void erase_entry(struct fixture *f, uint64_t id)
{
    const struct store_env *e = store_env(f->store);
    MDB_val key = {sizeof(id), &id};
    MDB_txn *txn;

    fixture_commit(f);
    assert_int_equal(mdb_txn_begin(e->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_del(txn, e->db.log, &key, NULL), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

/* The walk has read the entry before it, and the log's next one is another. */
static void an_entry_that_is_missing_is_no_other_entry(void **state)
{
    struct history h = {.topic = slice_str(topic), .ascending = true};
    struct record record;
    struct fixture f;

    (void)state;
    fixture_open(&f);
    for (int i = 0; i < 4; i++)
        fixture_append(&f, topic, 1000 + i);
    erase_entry(&f, 3);
    fixture_look(&f);
    for (uint64_t id = 1; id <= 2; id++) {
        assert_int_equal(store_history_next(f.reader, &h, &record), STORE_OK);
        assert_int_equal(record.m.id, id);
    }
    assert_int_equal(store_history_next(f.reader, &h, &record), STORE_CORRUPT);
    assert_int_equal(store_get(f.reader, 4, &record), STORE_OK);
    assert_int_equal(record.m.id, 4);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bound_gives_what_lies_within_it),
        cmocka_unit_test(bounds_hold_after_trimming),
        cmocka_unit_test(a_walk_goes_on_in_later_snapshots),
        cmocka_unit_test(an_ascending_walk_meets_what_was_added_behind_it),
        cmocka_unit_test(a_walk_passes_over_what_was_trimmed_under_it),
        cmocka_unit_test(every_message_is_found_by_its_seq),
        cmocka_unit_test(a_long_history_is_found_by_seq_and_time),
        cmocka_unit_test(an_entry_that_is_missing_is_no_other_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
