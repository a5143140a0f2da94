/* What is stored of webhooks: where they begin, positions, dead messages, and how all of
 * it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/store/writing.h"

static struct writing w;

static struct command set(const char *setting)
{
    struct slice one = slice_str(setting);
    struct sent *s = new_command(COMMAND_TENANT_SET);

    *ARGS(s, tenant_set) = (struct tenant_set){.tenant = slice_str("acme"),
                                               .set = &one,
                                               .set_count = 1};
    return run(&w, s);
}

static void open_with_tenant(void)
{
    writing_open(&w, 0);
    struct sent *s = new_command(COMMAND_TENANT_CREATE);
    *ARGS(s, tenant_create) =
        (struct tenant_create){.tenant = slice_str("acme"),
                               .plan = slice_str("home")};
    assert_result(run(&w, s), OK);
}

static void open_with_webhook(void)
{
    open_with_tenant();
    assert_result(set("webhook.url=https://example.org/in"), OK);
}

static struct command save(const struct webhook_save *a)
{
    struct sent *s = new_command(COMMAND_WEBHOOK_SAVE);

    *ARGS(s, webhook_save) = *a;
    ARGS(s, webhook_save)->tenant = slice_str("acme");
    return run(&w, s);
}

static struct command save_dead(uint64_t id, uint32_t attempts)
{
    return save(&(struct webhook_save){.dead_id = id,
                                       .dead_topic = slice_str("acme/lamp"),
                                       .dead_text = slice_str("refused"),
                                       .dead_at_us = clock_now(),
                                       .dead_attempts = attempts,
                                       .dead_status = 500});
}

/* `marked` of the answer. */
static struct command retry(bool all, uint64_t id, uint64_t *ret_marked)
{
    struct sent *s = new_command(COMMAND_WEBHOOK_RETRY);

    *ARGS(s, webhook_retry) = (struct webhook_retry){
        .tenant = slice_str("acme"), .ids = &id, .id_count = 1, .all = all};
    submit(&w, s);
    wait_for(s);
    const struct command c = s->c;
    *ret_marked = ARGS(s, webhook_retry)->marked;
    sent_free(s);
    return c;
}

/* Reads; the row is valid until the reader is released. */
static struct store_reader *read_webhook(struct webhook_row *ret_row)
{
    struct store_reader *r;

    assert_int_equal(store_snapshot(w.store, &r), STORE_OK);
    assert_int_equal(store_webhook(r, slice_str("acme"), ret_row), STORE_OK);
    return r;
}

static bool has_webhook(void)
{
    struct webhook_row row;
    struct store_reader *r;

    assert_int_equal(store_snapshot(w.store, &r), STORE_OK);
    const enum store_err err = store_webhook(r, slice_str("acme"), &row);
    store_reader_release(r);
    return err == STORE_OK;
}

static unsigned changed_events(void)
{
    unsigned count = 0;

    pthread_mutex_lock(&w.mutex);
    for (size_t i = 0; i < w.offered_count; i++)
        count += strcmp(w.offered[i].topic, "$events/acme/changed/") == 0;
    pthread_mutex_unlock(&w.mutex);
    return count;
}

static void a_webhook_begins_where_its_url_is_set(void **state)
{
    struct webhook_row row;
    (void)state;

    open_with_tenant();
    append(&w, "acme/lamp", "before");
    const uint64_t head = append(&w, "acme/lamp", "before, too").id;
    assert_false(has_webhook());
    assert_result(set("webhook.url=https://example.org/in"), OK);
    append(&w, "acme/lamp", "after");
    assert_result(set("webhook.url=https://example.org/other"), OK);
    struct store_reader *r = read_webhook(&row);
    assert_int_equal(row.id, head);
    assert_int_equal(row.behind_count, 0);
    store_reader_release(r);
    append(&w, "acme/lamp", "last"); /* the batches before it were offered */
    assert_int_equal(changed_events(), 2);
    check_store(&w);
    writing_close(&w);
}

static void a_position_is_kept_with_what_it_names(void **state)
{
    struct slice topics[] = {slice_str("acme/lamp"), slice_str("acme/door")};
    uint64_t ids[] = {3, 5};
    struct webhook_row row;
    (void)state;

    open_with_webhook();
    assert_result(save(&(struct webhook_save){.id = 9,
                                              .behind_topics = topics,
                                              .behind_topic_count = 2,
                                              .behind_ids = ids,
                                              .behind_id_count = 2,
                                              .tried_us = clock_now(),
                                              .status = 503,
                                              .text = slice_str("busy")}),
                  OK);
    writing_restart(&w);
    struct store_reader *r = read_webhook(&row);
    assert_int_equal(row.id, 9);
    assert_int_equal(row.behind_count, 2);
    assert_true(slice_eq(row.behind[1].topic, topics[1]));
    assert_int_equal(row.behind[1].id, 5);
    assert_int_equal(row.status, 503);
    assert_true(slice_eq(row.text, slice_str("busy")));
    store_reader_release(r);
    assert_result(save(&(struct webhook_save){.behind_topics = topics,
                                              .behind_topic_count = 1}),
                  INVALID);
    check_store(&w);
    writing_close(&w);
}

static void a_dead_message_is_kept_until_it_is_delivered(void **state)
{
    struct webhook_dead_row d;
    struct webhook_row row;
    uint64_t marked;
    (void)state;

    open_with_webhook();
    assert_result(save_dead(7, 3), OK);
    assert_result(save_dead(8, 3), OK);
    assert_result(retry(false, 9, &marked), NOT_FOUND);
    assert_result(retry(false, 7, &marked), OK);
    assert_int_equal(marked, 1);
    struct store_reader *r = read_webhook(&row);
    assert_int_equal(row.dead, 2);
    assert_int_equal(store_webhook_dead_next(r, slice_str("acme"), 0, &d),
                     STORE_OK);
    assert_int_equal(d.id, 7);
    assert_true(d.again);
    assert_int_equal(d.status, 500);
    assert_int_equal(store_webhook_dead_next(r, slice_str("acme"), 7, &d),
                     STORE_OK);
    assert_false(d.again);
    assert_int_equal(store_webhook_dead_next(r, slice_str("acme"), 8, &d),
                     STORE_NOTFOUND);
    store_reader_release(r);

    assert_result(save(&(struct webhook_save){.dead_id = 7,
                                              .dead_at_us = clock_now(),
                                              .dead_attempts = 6}),
                  OK); /* again */
    assert_result(save(&(struct webhook_save){.delivered_id = 8}), OK);
    r = read_webhook(&row);
    assert_int_equal(row.dead, 1);
    assert_int_equal(store_webhook_dead_next(r, slice_str("acme"), 0, &d),
                     STORE_OK);
    assert_false(d.again);
    assert_int_equal(d.attempts, 6);
    assert_true(slice_eq(d.topic, slice_str("acme/lamp")));
    store_reader_release(r);
    assert_result(retry(true, 0, &marked), OK);
    assert_int_equal(marked, 1);
    check_store(&w);
    writing_close(&w);
}

static void of_too_many_dead_messages_the_oldest_are_forgotten(void **state)
{
    struct webhook_dead_row d;
    struct webhook_row row;
    (void)state;

    open_with_webhook();
    for (uint64_t id = 1; id <= WEBHOOK_DEAD_MAX + 3; id++)
        assert_result(save_dead(id, 1), OK);
    struct store_reader *r = read_webhook(&row);
    assert_int_equal(row.dead, WEBHOOK_DEAD_MAX);
    assert_int_equal(row.forgotten, 3);
    assert_int_equal(store_webhook_dead_next(r, slice_str("acme"), 0, &d),
                     STORE_OK);
    assert_int_equal(d.id, 4);
    store_reader_release(r);
    check_store(&w);
    writing_close(&w);
}

static void a_webhook_ends_with_its_url_or_its_tenant(void **state)
{
    (void)state;

    open_with_webhook();
    assert_result(save_dead(7, 3), OK);
    assert_result(set("webhook.url="), OK);
    assert_false(has_webhook());
    assert_int_equal(ROWS_IN(&w, webhooks_dead), 0);
    assert_result(save_dead(7, 3), NOT_FOUND);
    assert_false(has_webhook());

    assert_result(set("webhook.url=https://example.org/in"), OK);
    assert_result(save_dead(9, 3), OK);
    check_store(&w);
    struct command c;
    do {
        struct sent *s = new_command(COMMAND_TOKEN_DELETE);
        ARGS(s, token_delete)->token = slice_str("acme");
        c = run(&w, s);
        clock_advance(2 * SECOND);
    } while (c.more);
    assert_int_equal(ROWS_IN(&w, webhooks), 0);
    assert_int_equal(ROWS_IN(&w, webhooks_dead), 0);
    check_store(&w);
    writing_close(&w);
}

static void assert_secrets(const char *newest, const char *former)
{
    struct tenant_settings s;
    struct store_reader *r;

    assert_int_equal(store_snapshot(w.store, &r), STORE_OK);
    assert_int_equal(store_tenant_settings(r, slice_str("acme"), &s),
                     STORE_OK);
    assert_true(
        slice_eq(tenant_setting(&s, "webhook.secret"), slice_str(newest)));
    assert_true(
        slice_eq(tenant_setting(&s, "webhook.secret_old"), slice_str(former)));
    store_reader_release(r);
}

static void a_new_secret_keeps_the_former_one(void **state)
{
    (void)state;

    open_with_webhook();
    assert_result(set("webhook.secret=0123456789abcdef"), OK);
    assert_secrets("0123456789abcdef", "");
    assert_result(set("webhook.secret=0123456789abcdef"), OK);
    assert_secrets("0123456789abcdef", "");
    assert_result(set("webhook.secret=fedcba9876543210"), OK);
    assert_secrets("fedcba9876543210", "0123456789abcdef");
    assert_result(set("webhook.secret_old="), OK);
    assert_secrets("fedcba9876543210", "");
    check_store(&w);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_webhook_begins_where_its_url_is_set),
        cmocka_unit_test(a_position_is_kept_with_what_it_names),
        cmocka_unit_test(a_dead_message_is_kept_until_it_is_delivered),
        cmocka_unit_test(of_too_many_dead_messages_the_oldest_are_forgotten),
        cmocka_unit_test(a_webhook_ends_with_its_url_or_its_tenant),
        cmocka_unit_test(a_new_secret_keeps_the_former_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
