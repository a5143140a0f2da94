/* The way into the writer: store/write/writer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/unit/store/writing.h"

#define MANY 7
#define ROOM 4

static void list_all(struct command_list *list, struct sent *const *all,
                     size_t n)
{
    STAILQ_INIT(list);
    for (size_t i = 0; i < n; i++)
        STAILQ_INSERT_TAIL(list, &all[i]->c, entry);
}

static size_t length_of(const struct command_list *list)
{
    const struct command *c;
    size_t n = 0;

    STAILQ_FOREACH (c, list, entry)
        n++;
    return n;
}

/* Held, with a queue for so many more commands. */
static void open_with_room(struct writing *w, size_t room, struct hold *h)
{
    writing_open(w, 0);
    writing_stop(w);
    w->queue_bound =
        room + 1; /* the one in hand counts until it is answered */
    writing_start(w);
    writer_hold(w, h);
}

static void a_full_queue_leaves_the_command_with_its_submitter(void **state)
{
    struct sent *in[ROOM], *out;
    struct writing w;
    struct hold h;
    (void)state;

    open_with_room(&w, ROOM, &h);
    out = new_append("t/x", "v");
    for (int i = 0; i < ROOM; i++)
        submit(&w, in[i] = new_append("t/x", "v"));
    assert_false(writer_submit(w.writer, &out->c));
    writer_let_go(&h);
    for (int i = 0; i < ROOM; i++) {
        wait_for(in[i]);
        sent_free(in[i]);
    }
    assert_result(run(&w, out), OK);
    hold_release(&h);
    writing_close(&w);
}

static void what_does_not_fit_stays_on_the_list(void **state)
{
    struct sent *all[MANY];
    struct command_list list;
    struct writing w;
    struct hold h;
    (void)state;

    open_with_room(&w, ROOM, &h);
    for (int i = 0; i < MANY; i++)
        all[i] = new_append("t/x", "v");
    list_all(&list, all, MANY);
    assert_int_equal(writer_submit_all(w.writer, &list, MANY), ROOM);
    for (int i = 0; i < 2; i++) { /* then there is room for none */
        assert_ptr_equal(STAILQ_FIRST(&list), &all[ROOM]->c);
        assert_int_equal(length_of(&list), MANY - ROOM);
        assert_int_equal(writer_submit_all(w.writer, &list, MANY - ROOM), 0);
    }
    writer_let_go(&h);
    for (size_t left = MANY - ROOM; left > 0;)
        left -= writer_submit_all(w.writer, &list, left);
    assert_true(STAILQ_EMPTY(&list));
    for (uint64_t i = 0; i < MANY; i++) {
        wait_for(all[i]);
        assert_result(all[i]->c, OK);
        assert_int_equal(all[i]->c.id, i + 1); /* in order, each once */
        sent_free(all[i]);
    }
    hold_release(&h);
    assert_int_equal(check_store(&w), MANY);
    writing_close(&w);
}

static void after_the_end_a_list_is_answered_whole(void **state)
{
    struct sent *all[MANY];
    struct command_list list;
    struct writing w;
    (void)state;

    writing_open(&w, 0);
    for (int i = 0; i < MANY; i++)
        all[i] = new_append("t/x", "v");
    list_all(&list, all, MANY);
    writer_stop(w.writer);
    assert_int_equal(writer_submit_all(w.writer, &list, MANY), MANY);
    assert_true(STAILQ_EMPTY(&list));
    for (int i = 0; i < MANY; i++) {
        wait_for(all[i]);
        assert_result(all[i]->c, STOPPED);
        sent_free(all[i]);
    }
    writer_free(w.writer);
    w.writer = NULL;
    store_close(w.store);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_leaves_the_command_with_its_submitter),
        cmocka_unit_test(what_does_not_fit_stays_on_the_list),
        cmocka_unit_test(after_the_end_a_list_is_answered_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
