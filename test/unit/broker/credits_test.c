/* What is counted as being with the writer, and who may add to it. */
#include "broker/client/credits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "broker/client/shard.h"

static struct worker w;
static struct connection clients[3];
static char identities[3][8];
static struct connection *resumed[8];
static size_t resumed_count;
static bool is_short_again; /* whoever is resumed waits once more */

static void on_resume(struct connection *c)
{
    resumed[resumed_count++] = c;
    if (is_short_again)
        credits_await(c);
}

static const struct connection_events events = {.resume = on_resume};

/* Clients 0 and 1 are of one token, 2 is of another. */
static int begin(void **state)
{
    static const char *const tokens[] = {"t", "t", "u"};
    (void)state;

    memset(&w, 0, sizeof(w));
    memset(clients, 0, sizeof(clients));
    TAILQ_INIT(&w.starving);
    resumed_count = 0;
    is_short_again = false;
    for (int i = 0; i < 3; i++) {
        struct connection *c = &clients[i];
        c->worker = &w;
        c->events = &events;
        c->identity = identities[i];
        memcpy(identities[i], tokens[i], 2);
        c->token_len = 1;
        c->identity_len = 3;
        c->role = ROLE_TOKEN;
        assert_true(held_identify(c));
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        held_detach(&clients[i]);
    assert_null(w.holders);
    return 0;
}

static void as_much_comes_back_as_was_taken(void **state)
{
    struct connection *c = &clients[0];
    struct credit message = {.bytes = 700, .is_message = true};
    struct credit other = {.bytes = 30};
    (void)state;

    credits_take(c, &message);
    credits_take(c, &other);
    assert_true(credits_take_workers(&w.credits, &message));
    assert_true(credits_take_workers(&w.credits, &other));
    assert_int_equal(c->commands, 2);
    assert_int_equal(c->messages, 1);
    assert_int_equal(c->command_bytes, 730);
    assert_int_equal(w.credits.commands, 2);
    assert_int_equal(w.credits.bytes, 730);
    assert_false(credits_all_back(&w.credits));

    credits_give_back(&w, c, &message);
    assert_int_equal(c->messages, 0);
    assert_int_equal(c->command_bytes, 30);
    credits_give_back(&w, c, &other);
    assert_int_equal(c->commands, 0);
    assert_int_equal(c->command_bytes, 0);
    assert_int_equal(w.credits.bytes, 0);
    assert_true(credits_all_back(&w.credits));
}

static void a_worker_has_so_many_commands(void **state)
{
    const struct credit one = {.bytes = 1};
    (void)state;

    w.credits.commands = WORKER_COMMANDS_MAX - 1;
    assert_true(credits_left(&w.credits));
    assert_true(credits_take_workers(&w.credits, &one));
    assert_false(credits_left(&w.credits));
    assert_false(credits_take_workers(&w.credits, &one));
    assert_int_equal(w.credits.commands, WORKER_COMMANDS_MAX);
    assert_int_equal(w.credits.bytes, 1);
    assert_true(credits_are_short(&clients[0]));
}

/* Else the one that waits would be overtaken for ever. */
static void nobody_overtakes_a_command_that_waits(void **state)
{
    (void)state;
    w.credits.waiting = 1;
    assert_false(credits_left(&w.credits));
    assert_false(credits_all_back(&w.credits));
    assert_true(credits_are_short(&clients[2]));
}

static void a_token_has_a_share_that_is_no_other_tokens(void **state)
{
    struct credit all = {.bytes = HELD_CREDITS_MAX};
    (void)state;

    credits_take(&clients[0], &all);
    assert_true(credits_are_short(&clients[0]));
    assert_true(credits_are_short(&clients[1]));
    assert_false(credits_are_short(&clients[2]));
    assert_true(credits_take_workers(&w.credits, &all));
    credits_give_back(&w, &clients[0], &all);
    assert_false(credits_are_short(&clients[1]));
}

static void a_connection_reads_up_to_its_credits_and_on_at_half(void **state)
{
    struct connection *c = &clients[0];
    (void)state;

    c->commands = CONNECTION_COMMANDS_MAX - 1;
    assert_true(credits_allow_reading(c));
    c->commands = CONNECTION_COMMANDS_MAX;
    assert_false(credits_allow_reading(c));
    c->commands = CONNECTION_COMMANDS_MAX / 2 + 1;
    assert_false(credits_half_back(c));
    c->commands = CONNECTION_COMMANDS_MAX / 2;
    assert_true(credits_half_back(c));

    c->out.bytes = CONNECTION_ANSWERS_MAX; /* it takes no answers */
    assert_false(credits_allow_reading(c));
    assert_false(credits_half_back(c));
    c->out.bytes = 0;
    c->command_bytes = CONNECTION_BYTES_MAX;
    assert_false(credits_allow_reading(c));
}

static void who_waits_is_resumed_in_its_order(void **state)
{
    (void)state;
    credits_await(&clients[2]);
    credits_await(&clients[0]);
    credits_await(&clients[2]); /* its place stays the first */
    credits_resume_waiting(&w);
    assert_int_equal(resumed_count, 2);
    assert_ptr_equal(resumed[0], &clients[2]);
    assert_ptr_equal(resumed[1], &clients[0]);
    assert_true(TAILQ_EMPTY(&w.starving));
}

static void nobody_is_resumed_without_credits(void **state)
{
    (void)state;
    credits_await(&clients[0]);
    w.credits.commands = WORKER_COMMANDS_MAX;
    credits_resume_waiting(&w);
    assert_int_equal(resumed_count, 0);
    credits_forget(&clients[0]);
    credits_forget(&clients[0]); /* again is fine */
    assert_true(TAILQ_EMPTY(&w.starving));
}

static void who_is_short_again_is_not_asked_twice_in_a_turn(void **state)
{
    (void)state;
    is_short_again = true;
    for (int i = 0; i < 3; i++)
        credits_await(&clients[i]);
    credits_resume_waiting(&w);
    assert_int_equal(resumed_count, 3);
    assert_ptr_equal(TAILQ_FIRST(&w.starving), &clients[0]);
    for (int i = 0; i < 3; i++)
        credits_forget(&clients[i]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(as_much_comes_back_as_was_taken),
        CASE(a_worker_has_so_many_commands),
        CASE(nobody_overtakes_a_command_that_waits),
        CASE(a_token_has_a_share_that_is_no_other_tokens),
        CASE(a_connection_reads_up_to_its_credits_and_on_at_half),
        CASE(who_waits_is_resumed_in_its_order),
        CASE(nobody_is_resumed_without_credits),
        CASE(who_is_short_again_is_not_asked_twice_in_a_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
