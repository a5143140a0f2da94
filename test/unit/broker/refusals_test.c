#include "broker/client/refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/worker.h"

#define SECOND INT64_C(1000000)

static struct hub hub;
static struct worker w;
static FILE *written; /* what the log wrote */
static int real_stderr;

/* Its own token and id; lives until the next one. */
static struct connection *client(const char *token, const char *id)
{
    static char identity[512];
    static struct connection c;

    c = (struct connection){.worker = &w, .identity = identity};
    c.token_len = strlen(token);
    c.identity_len = c.token_len + 1 + strlen(id);
    memcpy(identity, token, c.token_len + 1);
    memcpy(identity + c.token_len + 1, id, strlen(id));
    c.publisher = 1;
    for (size_t i = 0; i < c.identity_len; i++)
        c.publisher = c.publisher * 31 + (unsigned char)identity[i];
    snprintf(c.peer, sizeof(c.peer), "192.0.2.7:1234");
    return &c;
}

static void pass(int64_t seconds)
{
    w.mono_us += seconds * SECOND;
    w.real_us += seconds * SECOND;
}

/* Lines since the last call; `last` (512) gets the last one. */
static unsigned lines(char *last)
{
    char line[512];
    unsigned count = 0;

    while (fgets(line, sizeof(line), written) != NULL) {
        count++;
        if (last != NULL)
            memcpy(last, line, sizeof(line));
    }
    clearerr(written);
    return count;
}

static int begin(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    memset(&hub, 0, sizeof(hub));
    w.hub = &hub;
    w.mono_us = 1000 * SECOND;
    w.real_us = 1800000000 * SECOND;
    written = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    /* The reader has a position of its own. */
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(written));
    FILE *reader = fopen(path, "r");
    dup2(fileno(written), STDERR_FILENO);
    fclose(written);
    written = reader;
    return reader == NULL;
}

static int end(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    fclose(written);
    refusals_release(&w.refusals);
    return 0;
}

static void a_client_and_reason_have_a_line_and_then_quiet(void **state)
{
    static const char why[] = "because", other[] = "because of that";
    char last[512];
    (void)state;

    refusal_note(client("token-abc", "one"), REFUSED_PUBLISH, why);
    assert_int_equal(lines(last), 1);
    assert_non_null(strstr(last, "refused PUBLISH of token toke\xe2\x80\xa6, "
                                 "client 'one', 192.0.2.7:1234: because\n"));
    for (int i = 0; i < 100; i++)
        refusal_note(client("token-abc", "one"), REFUSED_PUBLISH, why);
    pass(REFUSAL_QUIET_S - 1);
    refusal_note(client("token-abc", "one"), REFUSED_PUBLISH, why);
    assert_int_equal(lines(NULL), 0);
    /* another reason, another client: lines of their own */
    refusal_note(client("token-abc", "one"), REFUSED_PUBLISH, other);
    refusal_note(client("token-abc", "two"), REFUSED_PUBLISH, why);
    assert_int_equal(lines(NULL), 2);
    pass(1);
    refusal_note(client("token-abc", "one"), REFUSED_PUBLISH, why);
    assert_int_equal(lines(last), 1);
    assert_non_null(strstr(last, "because (102 times)\n"));
    assert_int_equal(refusals_next(&w.refusals, 0)->count, 103);
}

static void very_many_have_a_bounded_number_of_lines(void **state)
{
    char id[16], last[512];
    (void)state;

    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        refusal_note(client("t", id), REFUSED_CONNECT, "no");
    }
    assert_int_equal(lines(NULL), REFUSAL_LINES / 8);
    pass(REFUSAL_LINES_S);
    refusal_note(client("t", "late"), REFUSED_CONNECT, "no");
    assert_int_equal(lines(last), 1);
    assert_non_null(strstr(last, "(985 more such lines were left out)"));
}

static void the_one_quiet_for_longest_makes_room(void **state)
{
    const struct refusal *e;
    unsigned count = 0;
    char id[16];
    (void)state;

    for (int i = 0; i < REFUSALS_MAX; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        refusal_note(client("t", id), REFUSED_CONNECT, "no");
        pass(1);
    }
    refusal_note(client("t", "c0"), REFUSED_CONNECT, "no"); /* heard again */
    pass(1);
    refusal_note(client("t", "new"), REFUSED_CONNECT, "no"); /* for c1 */
    for (uint64_t after = 0; (e = refusals_next(&w.refusals, after)) != NULL;
         after = e->number) {
        assert_true(e->number > after);
        assert_false(e->id_len == 2 && memcmp(e->id, "c1", 2) == 0);
        count++;
    }
    assert_int_equal(count, REFUSALS_MAX);
}

static void a_long_client_id_is_cut_between_characters(void **state)
{
    char id[REFUSAL_ID_MAX + 64] = "";
    const struct refusal *e;
    (void)state;

    for (int i = 0; i < 60; i++)
        strcat(id, "\xe2\x82\xac"); /* three bytes each */
    refusal_note(client("t", id), REFUSED_CONNECT, "no");
    e = refusals_next(&w.refusals, 0);
    assert_int_equal(e->id_len, REFUSAL_ID_MAX / 3 * 3);
    assert_int_equal(e->id_full_len, 180);
}

/* Whoever makes up an id each time is known by the address; administrators are
 * told by the command they gave. */
static void who_has_no_id_is_an_address(void **state)
{
    struct connection *c = client("t", "assigned-1");
    (void)state;

    c->id_assigned = true;
    refusal_note(c, REFUSED_PUBLISH, "no");
    c = client("t", "assigned-2");
    c->id_assigned = true;
    snprintf(c->peer, sizeof(c->peer), "192.0.2.7:4321");
    refusal_note(c, REFUSED_PUBLISH, "no");
    assert_int_equal(w.refusals.strangers.count, 1);
    assert_int_equal(w.refusals.strangers.list[0].count, 2);
    c = client("", "admin");
    c->role = ROLE_ADMIN;
    refusal_note(c, REFUSED_PUBLISH, "no");
    assert_int_equal(w.refusals.strangers.count, 1);
}

/* The same of a token that was made here. */
static struct connection *known(const char *token, const char *id)
{
    static const struct plan plan;
    static const struct caller caller = {.plan = &plan};
    struct connection *c = client(token, id);

    c->caller = &caller;
    return c;
}

static bool is_listed(const char *token, const char *id)
{
    const struct refusal *e;

    for (uint64_t after = 0; (e = refusals_next(&w.refusals, after)) != NULL;
         after = e->number)
        if (e->token_len == strlen(token) && e->id_len == strlen(id) &&
            memcmp(e->token, token, e->token_len) == 0 &&
            memcmp(e->id, id, e->id_len) == 0)
            return true;
    return false;
}

static void strangers_push_no_client_out(void **state)
{
    char name[16], last[512];
    (void)state;

    refusal_note(known("home", "pump"), REFUSED_PUBLISH, "no");
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "made-up-%d", i);
        refusal_note(client(name, name), REFUSED_CONNECT, "unknown");
    }
    assert_true(is_listed("home", "pump"));
    lines(NULL);
    refusal_note(known("home", "valve"), REFUSED_PUBLISH, "no");
    assert_true(is_listed("home", "valve"));
    assert_int_equal(lines(last), 1);
    assert_non_null(strstr(last, "'valve'"));
}

static void a_token_pushes_no_other_out(void **state)
{
    char name[16], last[512];
    (void)state;

    refusal_note(known("home", "pump"), REFUSED_PUBLISH, "no");
    pass(1);
    for (int t = 0; t < 10; t++)
        for (int i = 0; i < 1000; i++) {
            snprintf(name, sizeof(name), "%d", t);
            char id[16];
            snprintf(id, sizeof(id), "made up %d", i);
            refusal_note(known(name, id), REFUSED_PUBLISH, "no");
        }
    assert_true(is_listed("home", "pump"));
    lines(NULL);
    refusal_note(known("home", "valve"), REFUSED_PUBLISH, "no");
    assert_true(is_listed("home", "valve"));
    assert_true(is_listed("home", "pump"));
    assert_int_equal(lines(last), 1);
    assert_non_null(strstr(last, "'valve'"));
}

static void an_address_pushes_no_other_stranger_out(void **state)
{
    struct connection *c = client("revoked", "meter");
    char name[16];
    (void)state;

    snprintf(c->peer, sizeof(c->peer), "192.0.2.8:1234");
    refusal_note(c, REFUSED_CONNECT, "revoked");
    pass(1);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "made-up-%d", i);
        refusal_note(client(name, name), REFUSED_CONNECT, "unknown");
    }
    assert_true(is_listed("revoked", "meter"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_client_and_reason_have_a_line_and_then_quiet),
        TEST(very_many_have_a_bounded_number_of_lines),
        TEST(the_one_quiet_for_longest_makes_room),
        TEST(a_long_client_id_is_cut_between_characters),
        TEST(who_has_no_id_is_an_address),
        TEST(strangers_push_no_client_out),
        TEST(a_token_pushes_no_other_out),
        TEST(an_address_pushes_no_other_stranger_out),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
