/* kill -9 in the middle of appending: what was acknowledged is there, once, in
 * order, with ids that increase and seqs without gaps. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "test/unit/store/writing.h"

#define ROUNDS 10
#define THINGS 23
#define UNDER_WAY 200

struct acknowledged {
    uint64_t id, seq, number; /* number: what the payload says */
    unsigned thing;
    unsigned trimmed; /* not an append but a trim through id */
};

/* ---- the child that is killed ----------------------------------------- */

struct crash_publisher {
    struct writer *writer;
    int acks;              /* a pipe */
    uint64_t *next_number; /* the writer's thread's */
    unsigned thing;
    char topic[16], payload[24];
    struct message_append append;
    struct thing_trim trim;
    struct command c;
};

static void publish(struct crash_publisher *p, uint64_t number)
{
    message_unref(p->c.message);
    p->c.message = NULL;
    p->thing = (unsigned)(number * 7 % THINGS);
    snprintf(p->topic, sizeof(p->topic), "t/%u", p->thing);
    if (number % 97 == 96) {
        p->c.kind = COMMAND_TRIM;
        /* through the last of some other thing: any will do */
        p->trim = (struct thing_trim){slice_str(p->topic), p->c.id};
        p->c.args = &p->trim;
    } else {
        snprintf(p->payload, sizeof(p->payload), "%ju", (uintmax_t)number);
        const struct message m = {.topic = slice_str(p->topic),
                                  .payload = slice_str(p->payload)};
        p->c.kind = COMMAND_APPEND;
        p->c.args = &p->append;
        p->c.message = message_new(&m);
        if (p->c.message == NULL)
            _exit(1);
    }
    if (!writer_submit(p->writer, &p->c))
        _exit(1);
}

/* Writer's thread: the only one that is left running in the child. */
static void one_done(struct command *c)
{
    struct crash_publisher *p = c->owner;
    struct acknowledged a = {.thing = p->thing};

    if (c->kind == COMMAND_TRIM) {
        if (c->result != RESULT_OK && c->result != RESULT_NOT_FOUND)
            _exit(1);
        a.trimmed = 1;
        a.id = p->trim.through;
    } else {
        if (c->result != RESULT_OK)
            _exit(1);
        a.id = c->id;
        a.seq = c->seq;
        a.number = strtoull(p->payload, NULL, 10);
    }
    if (write(p->acks, &a, sizeof(a)) != sizeof(a)) /* < PIPE_BUF: whole */
        _exit(1);
    publish(p, (*p->next_number)++);
}

static void on_done(struct command **c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        one_done(c[i]);
}

_Noreturn static void publish_until_killed(const char *dir, int acks,
                                           uint64_t first_number)
{
    static struct crash_publisher all[UNDER_WAY];
    static struct config config;
    const struct store_opts opts = {.map_size = 0};
    const struct writer_opts writer_opts = {.config = &config,
                                            .commands = command_types};
    struct config_error error;
    struct store *store;
    struct writer *writer;
    static uint64_t next_number;

    next_number = first_number + UNDER_WAY;
    config_defaults(&config);
    if (!config_finish(&config, &error))
        _exit(1);
    config.tokens_access = ACCESS_OPEN;
    for (size_t i = 0; i < config.plan_count; i++)
        config.plans[i].retention_count = 400;
    if (store_open(dir, &opts, &store, NULL) != STORE_OK ||
        writer_start(store, &writer_opts, &writer) != STORE_OK)
        _exit(1);
    for (uint64_t i = 0; i < UNDER_WAY; i++) {
        struct crash_publisher *p = &all[i];
        p->writer = writer;
        p->acks = acks;
        p->c.done = on_done;
        p->c.owner = p;
        p->next_number = &next_number;
        publish(p, first_number + i);
    }
    for (;;)
        pause();
}

/* ---- the parent that looks -------------------------------------------- */

static struct acknowledged *acks;
static size_t ack_count, ack_room;

static void note(const struct acknowledged *a)
{
    if (ack_count == ack_room) {
        ack_room = 2 * ack_room + 1024;
        acks = realloc(acks, ack_room * sizeof(acks[0]));
        assert_non_null(acks);
    }
    acks[ack_count++] = *a;
}

static void read_acks_until(int fd, int64_t until_us)
{
    struct acknowledged a;

    while (clock_mono_us() < until_us && read(fd, &a, sizeof(a)) == sizeof(a))
        note(&a);
}

static void run_and_kill(struct writing *w, int64_t for_us, uint64_t first)
{
    int fds[2], status;

    assert_int_equal(pipe(fds), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        publish_until_killed(w->dir, fds[1], first);
    }
    close(fds[1]);
    read_acks_until(fds[0], clock_mono_us() + for_us);
    kill(pid, SIGKILL);
    read_acks_until(fds[0], INT64_MAX); /* what is still in the pipe */
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status)); /* it did not give up by itself */
}

static void check_acknowledged(struct writing *w)
{
    struct store_reader *r = store_reader_acquire(w->store);
    struct thing_row rows[THINGS];
    char topic[16], payload[24];
    struct record record;

    assert_int_equal(store_reader_begin(r), STORE_OK);
    for (unsigned i = 0; i < THINGS; i++) {
        snprintf(topic, sizeof(topic), "t/%u", i);
        if (store_thing(r, slice_str(topic), &rows[i]) != STORE_OK)
            rows[i] = (struct thing_row){0};
    }
    for (size_t i = 0; i < ack_count; i++) {
        const struct acknowledged *a = &acks[i];
        const struct thing_row *row = &rows[a->thing];
        if (a->trimmed) {
            assert_true(row->first_id == 0 || row->first_id > a->id);
            continue;
        }
        assert_true(row->last_seq >= a->seq);
        if (a->id <= row->trimmed_id) /* retention or a trim */
            continue;
        assert_int_equal(store_get(r, a->id, &record), STORE_OK);
        assert_int_equal(record.m.seq, a->seq);
        snprintf(payload, sizeof(payload), "%ju", (uintmax_t)a->number);
        assert_true(slice_eq(record.m.payload, slice_str(payload)));
    }
    store_reader_release(r);
}

static int by_id(const void *a, const void *b)
{
    const struct acknowledged *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static void check_never_twice(void)
{
    size_t n = 0;
    struct acknowledged *appends = calloc(ack_count, sizeof(*appends));

    assert_non_null(appends);
    for (size_t i = 0; i < ack_count; i++)
        if (!acks[i].trimmed)
            appends[n++] = acks[i];
    qsort(appends, n, sizeof(*appends), by_id);
    for (size_t i = 1; i < n; i++)
        assert_true(appends[i].id > appends[i - 1].id);
    free(appends);
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    struct writing w;
    unsigned seed = (unsigned)getpid();
    uint64_t head = 0;
    (void)state;

    writing_open(&w, 0);
    writing_stop(&w);
    for (int round = 0; round < ROUNDS; round++) {
        print_message("round %d, seed %u\n", round, seed);
        run_and_kill(&w, 20000 + rand_r(&seed) % 150000,
                     (uint64_t)round * 100000000);
        writing_start(&w);
        clock_set(clock_real_us());
        check_store(&w);
        check_acknowledged(&w);
        /* numbering goes on above everything that was ever given */
        const struct command c = append(&w, "u/x", "v");
        assert_result(c, OK);
        assert_int_equal(c.seq, round + 1);
        for (size_t i = 0; i < ack_count; i++)
            assert_true(acks[i].id < c.id);
        assert_true(c.id > head);
        head = c.id;
        writing_stop(&w);
    }
    check_never_twice();
    assert_true(ack_count > 1000);
    writing_start(&w);
    wait_for_leftovers(&w);
    check_store(&w);
    free(acks);
    writing_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_kill_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
