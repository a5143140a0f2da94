/* What the writer keeps in memory: store/write/transaction.c and its caches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/commands/commands.h"
#include "test/unit/store/writing.h"

static void begin(struct transaction *t)
{
    assert_int_equal(transaction_begin(t, 64, TEST_EPOCH, SECOND), STORE_OK);
    assert_int_equal(transaction_open(t), STORE_OK);
}

static void enter(struct transaction *t, const struct command_type *type,
                  struct command *c)
{
    admission_begin(t);
    type->decide(t, c);
    assert_int_equal(type->apply(t, c), STORE_OK);
}

static enum command_result apply(struct transaction *t, const char *topic)
{
    struct sent *s = new_append(topic, "v");

    enter(t, &message_append_command, &s->c);
    const enum command_result result = s->c.result;
    sent_free(s);
    return result;
}

static void commit(struct transaction *t)
{
    assert_int_equal(transaction_commit(t), STORE_OK);
    batch_unref(t->batch);
}

static void open_without_writer(struct writing *w, struct transaction *t)
{
    writing_open(w, 0);
    writer_stop(w->writer);
    assert_int_equal(transaction_init(t, w->store, &w->config), STORE_OK);
    settings_of_config(&t->settings, &w->config);
}

static void close_all(struct writing *w, struct transaction *t)
{
    transaction_release(t);
    writer_free(w->writer);
    w->writer = NULL;
    store_close(w->store);
    writing_close(w);
}

static void refused_names_do_not_fill_the_memory(void **state)
{
    struct transaction t;
    struct writing w;
    char topic[32];
    (void)state;

    open_without_writer(&w, &t);
    t.settings.open = false;
    for (int i = 0; i < THING_CACHE_ENTRIES + 2000; i++) {
        begin(&t);
        snprintf(topic, sizeof(topic), "token-%d/x", i);
        assert_int_equal(apply(&t, topic), RESULT_UNKNOWN_TOKEN);
        commit(&t);
        assert_true(t.things.entries <= THING_CACHE_ENTRIES);
        assert_true(t.tokens.entries <= TOKEN_CACHE_ENTRIES);
    }
    assert_int_equal(t.things.entries, THING_CACHE_ENTRIES);
    close_all(&w, &t);
}

static void long_names_are_bounded_in_bytes(void **state)
{
    char *topic = malloc(65536);
    struct transaction t;
    struct writing w;
    (void)state;

    assert_non_null(topic);
    memset(topic, 'n', 65535);
    topic[65535] = '\0';
    open_without_writer(&w, &t);
    for (int i = 0; i < 1100; i++) {
        if (i % 50 == 0)
            begin(&t);
        snprintf(topic, 8, "%07d", i);
        topic[7] = 'n';
        assert_int_equal(apply(&t, topic), RESULT_OK);
        if (i % 50 != 49)
            continue;
        commit(&t);
        assert_true(t.things.bytes <= THING_CACHE_BYTES);
    }
    assert_true(t.things.entries < 1100 && t.things.entries > 1000);
    free(topic);
    close_all(&w, &t);
}

static void an_abort_forgets_what_changed_and_nothing_else(void **state)
{
    struct transaction t;
    struct thing *thing;
    struct token *token;
    struct writing w;
    (void)state;

    open_without_writer(&w, &t);
    begin(&t);
    assert_int_equal(apply(&t, "t/x"), RESULT_OK);
    assert_int_equal(apply(&t, "u/x"), RESULT_OK);
    commit(&t);
    begin(&t);
    for (int i = 0; i < 20; i++) /* over the edge of a chunk */
        assert_int_equal(apply(&t, "t/x"), RESULT_OK);
    assert_int_equal(apply(&t, "t/new"), RESULT_OK);
    assert_int_equal(t.head, 23);
    transaction_abort(&t);
    assert_int_equal(t.things.entries, 1); /* u/x */
    assert_int_equal(t.tokens.entries, 1);

    begin(&t);
    assert_int_equal(t.head, 2);
    assert_int_equal(transaction_thing(&t, slice_str("t/x"), &thing),
                     STORE_OK);
    assert_int_equal(thing->state.row.last_seq, 1);
    assert_int_equal(transaction_token(&t, slice_str("t"), &token), STORE_OK);
    assert_int_equal(token->usage.things, 1);
    assert_int_equal(token->usage.writes, 1);
    assert_int_equal(apply(&t, "t/x"), RESULT_OK);
    commit(&t);
    assert_int_equal(check_store(&w), 3);
    close_all(&w, &t);
}

static void least_recently_used_entries_go_first(void **state)
{
    struct transaction t;
    struct writing w;
    char topic[32];
    (void)state;

    open_without_writer(&w, &t);
    begin(&t);
    for (int i = 0; i < THING_CACHE_ENTRIES + 100; i++) {
        struct thing *thing;
        snprintf(topic, sizeof(topic), "t/%d", i);
        assert_int_equal(transaction_thing(&t, slice_str(topic), &thing),
                         STORE_OK);
        assert_int_equal(transaction_thing(&t, slice_str("t/0"), &thing),
                         STORE_OK);
    }
    commit(&t);
    struct thing *found = NULL;
    HASH_FIND(hh, t.things.by_name, "t/0", 3, found);
    assert_non_null(found);
    HASH_FIND(hh, t.things.by_name, "t/1", 3, found);
    assert_null(found);
    close_all(&w, &t);
}

/* Each in a transaction of its own would be slow. */
static void push_tokens_out(struct transaction *t)
{
    struct token *token;
    char name[32];

    begin(t);
    for (int i = 0; i < TOKEN_CACHE_ENTRIES; i++) {
        snprintf(name, sizeof(name), "other-%d", i);
        assert_int_equal(transaction_token(t, slice_str(name), &token),
                         STORE_OK);
    }
    commit(t);
}

static void a_thing_finds_its_token_again_after_it_was_forgotten(void **state)
{
    struct token *token, *found = NULL;
    struct transaction t;
    struct thing *thing;
    struct writing w;
    (void)state;

    open_without_writer(&w, &t);
    begin(&t);
    assert_int_equal(apply(&t, "t/x"), RESULT_OK);
    assert_int_equal(transaction_thing(&t, slice_str("t/x"), &thing),
                     STORE_OK);
    assert_int_equal(transaction_token_of(&t, thing, &token), STORE_OK);
    assert_ptr_equal(token, thing->token);
    commit(&t);
    push_tokens_out(&t);
    HASH_FIND(hh, t.tokens.by_name, "t", 1, found);
    assert_null(found);

    begin(&t);
    assert_int_equal(transaction_thing(&t, slice_str("t/x"), &thing),
                     STORE_OK);
    assert_int_not_equal(thing->token_generation, t.tokens.generation);
    assert_int_equal(transaction_token_of(&t, thing, &token), STORE_OK);
    HASH_FIND(hh, t.tokens.by_name, "t", 1, found);
    assert_non_null(found);
    assert_ptr_equal(token, found);
    assert_ptr_equal(thing->token, found);
    assert_int_equal(thing->token_generation, t.tokens.generation);
    assert_int_equal(token->usage.writes, 1);
    assert_int_equal(apply(&t, "t/x"), RESULT_OK);
    assert_int_equal(token->usage.writes, 2);
    commit(&t);
    close_all(&w, &t);
}

/* Appends use one cursor, which may not be there while others delete. */
static void appends_go_on_after_a_trim_in_the_same_transaction(void **state)
{
    struct sent *cut = new_command(COMMAND_TRIM);
    struct transaction t;
    struct writing w;
    (void)state;

    open_without_writer(&w, &t);
    begin(&t);
    for (int i = 0; i < 40; i++) /* two chunks and an open one */
        assert_int_equal(apply(&t, "t/x"), RESULT_OK);
    commit(&t);
    ARGS(cut, thing_trim)->topic = slice_str("t/x");
    for (int round = 0; round < 2; round++) {
        begin(&t);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(apply(&t, "t/x"), RESULT_OK);
            assert_int_equal(apply(&t, "t/y"), RESULT_OK);
        }
        assert_non_null(t.log_end);
        ARGS(cut, thing_trim)->through =
            UINT64_MAX; /* the last row of `log` but one, too */
        enter(&t, &trim_command, &cut->c);
        assert_int_equal(cut->c.removed, round == 0 ? 60 : 23);
        assert_null(t.log_end);
        for (int i = 0; i < 3; i++)
            assert_int_equal(apply(&t, "t/x"), RESULT_OK);
        assert_int_equal(apply(&t, "t/y"), RESULT_OK);
        assert_non_null(t.log_end);
        commit(&t);
        assert_null(t.log_end);
        assert_int_equal(check_store(&w), 3 + 21 * (round + 1));
    }
    sent_free(cut);
    close_all(&w, &t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_names_do_not_fill_the_memory),
        cmocka_unit_test(long_names_are_bounded_in_bytes),
        cmocka_unit_test(an_abort_forgets_what_changed_and_nothing_else),
        cmocka_unit_test(least_recently_used_entries_go_first),
        cmocka_unit_test(a_thing_finds_its_token_again_after_it_was_forgotten),
        cmocka_unit_test(appends_go_on_after_a_trim_in_the_same_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
