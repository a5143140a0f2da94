/* bench_directory KIND: what an operation of the directory costs by how many rows there
 * are of it, as a line of JSON. KIND: keys, users or rooms. --sizes A,B,C: 1000, 10000
 * and 100000 unless given.
 *
 * It works on a store in a temporary folder of its own, with the store's writer and
 * readers as servers use them: no API has users and rooms yet. Figures are processor
 * time of the whole process, its writer and kernel time included, in microseconds an
 * operation; so a busy machine or a slow disk change little. Each is the least of
 * ROUNDS rounds.
 *
 * floor_…: the same of bare LMDB with the same rows (floor.h), in turn with the store,
 * so that what disturbs one disturbs the other. …_pages_i: pages that an operation
 * writes; this is exact.
 *
 *   create_i   a row that is new, in a commit of its own, as a request makes it
 *   bulk_i     the same with 256 in a commit, which is bound by how many pages of the
 *              trees they touch: all of them are new pages
 *   look_up_i  of keys: from the secret to the caller, as for a request or CONNECT;
 *              of others: a row by its id, in a snapshot of its own
 *   page_i     100 rows behind a random one, in a snapshot of its own */
#include <fcntl.h>
#include <inttypes.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/callers.h"
#include "base/clock.h"
#include "base/config.h"
#include "benchmarks/directory/floor.h"
#include "store/command/key.h"
#include "store/command/people.h"
#include "store/command/tenant.h"
#include "store/identity.h"
#include "store/people.h"
#include "store/write/writer.h"

#define TENANT "acme"
#define GROUP 256
#define ROUNDS 7
#define CREATED 200 /* in a round, one in a commit */
#define BULK 1024   /* in a round */
#define LOOK_UPS 20000
#define PAGES 400
#define PAGE_ROWS 100
#define SIZES_MAX 5

static void fail(const char *what)
{
    fprintf(stderr, "bench_directory: %s\n", what);
    exit(1);
}

static double processor_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* What this process has written, in pages. */
static double pages_written(void)
{
    char text[1024];

    const int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    const ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (len < 0)
        fail("/proc/self/io cannot be read");
    close(fd);
    text[len] = '\0';
    const char *at = strstr(text, "wchar: ");
    return at == NULL ? 0
                      : strtod(at + strlen("wchar: "), NULL) /
                            (double)sysconf(_SC_PAGESIZE);
}

static uint64_t chance = 0x9e3779b97f4a7c15U;

static uint64_t random_below(uint64_t n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance % n;
}

/* ---- the store -------------------------------------------------------------------- */

struct directory_bench {
    enum row_kind kind;
    char dir[64];
    struct config config;
    struct store *store;
    struct writer *writer;
    struct callers *callers;
    uint64_t count; /* rows */
    char floor_dir[64];
    struct directory_floor *floor;
    uint64_t floor_count;
    sem_t done;
};

static void on_batch(void *arg, struct batch *b)
{
    (void)arg, (void)b;
}

static void open_store(struct directory_bench *b)
{
    const struct store_opts opts = {.map_size = UINT64_C(4) << 30};
    const struct writer_opts writer_opts = {.config = &b->config,
                                            .commands = command_types,
                                            .on_batch = on_batch};

    snprintf(b->dir, sizeof(b->dir), "/tmp/bench-directory-XXXXXX");
    config_defaults(&b->config);
    if (mkdtemp(b->dir) == NULL ||
        store_open(b->dir, &opts, &b->store, NULL) != STORE_OK ||
        writer_start(b->store, &writer_opts, &b->writer) != STORE_OK)
        fail("cannot make a store in /tmp");
    b->callers = callers_new();
    if (b->callers == NULL)
        fail("out of memory");
    sem_init(&b->done, 0, 0);
}

static void remove_folder(const char *dir)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "confab.lock"};
    char path[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void close_store(struct directory_bench *b)
{
    directory_floor_close(b->floor);
    remove_folder(b->floor_dir);
    writer_stop(b->writer);
    writer_free(b->writer);
    store_close(b->store);
    callers_free(b->callers);
    remove_folder(b->dir);
    sem_destroy(&b->done);
}

/* Ids are spread as those that servers make; of keys it is the secret. */
#define ID_SIZE 48
static void name_of(uint64_t number, unsigned char hash[SECRET_HASH_BYTES],
                    char id[ID_SIZE])
{
    secret_hash(slice_of(&number, sizeof(number)), hash);
    memcpy(id, "dk_", 3);
    sodium_bin2hex(id + 3, ID_SIZE - 3, hash, SECRET_RANDOM / 2);
    secret_hash(slice_str(id), hash);
}

/* ---- creating ----------------------------------------------------------------------- */

struct new_row {
    struct command c;
    union {
        struct tenant_create tenant;
        struct key_create key;
        struct user_put user;
        struct room_put room;
    } args;
    unsigned char hash[SECRET_HASH_BYTES];
    char id[ID_SIZE];
};

static void on_made(struct command **c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct directory_bench *b = c[i]->owner;
        if (c[i]->result != RESULT_OK)
            fail(command_text(c[i]->result));
        sem_post(&b->done);
    }
}

static void submit(struct directory_bench *b, struct new_row *m,
                   enum command_kind kind)
{
    m->c = (struct command){
        .kind = kind, .args = &m->args, .done = on_made, .owner = b};
    if (!writer_submit(b->writer, &m->c))
        fail("the writer's queue is full");
}

static void make_tenant(struct directory_bench *b)
{
    static struct new_row m;

    m.args.tenant = (struct tenant_create){.tenant = slice_str(TENANT),
                                           .plan = slice_str("home")};
    submit(b, &m, COMMAND_TENANT_CREATE);
    while (sem_wait(&b->done) != 0)
        ;
}

static void make_one(struct directory_bench *b, struct new_row *m,
                     uint64_t number)
{
    static const char json[] = "{\"name\":\"Ann Example\",\"city\":\"Ulm\"}";
    static struct slice rights[2];

    rights[0] = slice_str("publish devices/%c/#");
    rights[1] = slice_str("subscribe commands/%c/+");
    name_of(number, m->hash, m->id);
    switch (b->kind) {
    case KEYS:
        m->args.key =
            (struct key_create){.tenant = slice_str(TENANT),
                                .hash = slice_of(m->hash, sizeof(m->hash)),
                                .kind = SECRET_DEVICE,
                                .label = slice_str(m->id),
                                .rights = rights,
                                .right_count = 2};
        submit(b, m, COMMAND_KEY_CREATE);
        break;
    case USERS:
        m->args.user = (struct user_put){.tenant = slice_str(TENANT),
                                         .user = slice_str(m->id),
                                         .condition = PUT_ABSENT,
                                         .attributes = slice_str(json),
                                         .name = slice_str(m->id)};
        submit(b, m, COMMAND_USER_PUT);
        break;
    default:
        m->args.room = (struct room_put){.tenant = slice_str(TENANT),
                                         .room = slice_str(m->id),
                                         .condition = PUT_ABSENT,
                                         .settings = slice_str(json)};
        submit(b, m, COMMAND_ROOM_PUT);
    }
}

static void make_rows(struct directory_bench *b, uint64_t more)
{
    static struct new_row group[GROUP];

    while (more > 0) {
        const uint64_t n = more < GROUP ? more : GROUP;
        for (uint64_t i = 0; i < n; i++)
            make_one(b, &group[i], b->count++);
        for (uint64_t i = 0; i < n; i++)
            while (sem_wait(&b->done) != 0)
                ;
        more -= n;
    }
}

/* The same of the floor. */
static void make_floor_rows(struct directory_bench *b, uint64_t more)
{
    static struct new_row group[GROUP];
    struct floor_name names[GROUP];

    while (more > 0) {
        const uint64_t n = more < GROUP ? more : GROUP;
        for (uint64_t i = 0; i < n; i++) {
            name_of(b->floor_count++, group[i].hash, group[i].id);
            names[i] = (struct floor_name){group[i].hash, group[i].id};
        }
        directory_floor_create(b->floor, names, n);
        more -= n;
    }
}

/* Its rows are as the store's, so that has some by now. */
static void open_floor(struct directory_bench *b)
{
    snprintf(b->floor_dir, sizeof(b->floor_dir), "/tmp/bench-floor-XXXXXX");
    if (mkdtemp(b->floor_dir) == NULL)
        fail("cannot make a folder in /tmp");
    b->floor = directory_floor_open(b->floor_dir, b->store, b->kind);
}

/* ---- reading ------------------------------------------------------------------------ */

static struct store_reader *begin(struct directory_bench *b)
{
    struct store_reader *r;

    if (store_snapshot(b->store, &r) != STORE_OK)
        fail("the store cannot be read");
    return r;
}

/* Chosen before the clock runs. */
struct row_name {
    unsigned char hash[SECRET_HASH_BYTES];
    char id[ID_SIZE];
};
static struct row_name names[LOOK_UPS];

static void choose_names(struct directory_bench *b)
{
    for (size_t i = 0; i < LOOK_UPS; i++)
        name_of(random_below(b->count), names[i].hash, names[i].id);
}

static bool is_caller(struct directory_bench *b, struct store_reader *r,
                      const char *id)
{
    const struct identity_source from = {.callers = b->callers,
                                         .config = &b->config,
                                         .reader = r,
                                         .now_us = clock_real_us()};
    struct identity_refusal refusal;
    const struct caller *caller =
        identity_of_key(&from, slice_str(id), &refusal);

    caller_unref(caller);
    return caller != NULL;
}

static void look_up(struct directory_bench *b, unsigned i)
{
    const struct slice tenant = slice_str(TENANT);
    const struct slice id = slice_str(names[i].id);
    struct user_row user;
    struct room_row room;
    bool found;

    struct store_reader *r = begin(b);
    if (b->kind == KEYS)
        found = is_caller(b, r, names[i].id);
    else if (b->kind == USERS)
        found = store_user(r, tenant, id, &user) == STORE_OK;
    else
        found = store_room(r, tenant, id, &room) == STORE_OK;
    store_reader_release(r);
    if (!found)
        fail("a row is not found");
}

static void read_page(struct directory_bench *b, unsigned i)
{
    const struct slice tenant = slice_str(TENANT);
    struct slice after = b->kind == KEYS
                             ? slice_of(names[i].hash, SECRET_HASH_BYTES)
                             : slice_str(names[i].id);
    enum store_err err = STORE_OK;
    struct user_row user;
    struct room_row room;
    struct key_row key;

    struct store_reader *r = begin(b);
    for (unsigned n = 0; n < PAGE_ROWS && err == STORE_OK; n++) {
        switch (b->kind) {
        case KEYS:
            err = store_key_next(r, tenant, after, &key);
            after = key.hash;
            break;
        case USERS:
            err = store_user_next(r, tenant, after, &user);
            after = user.user;
            break;
        default:
            err = store_room_next(r, tenant, after, &room);
            after = room.room;
        }
        if (err == STORE_NOTFOUND) { /* the end: go on at the beginning */
            err = STORE_OK;
            after = slice_of("", 0);
        }
    }
    store_reader_release(r);
    if (err != STORE_OK)
        fail("a page cannot be read");
}

/* ---- measuring ---------------------------------------------------------------------- */

static struct floor_name floor_name(unsigned i)
{
    return (struct floor_name){names[i].hash, names[i].id};
}

static void floor_look_up(struct directory_bench *b, unsigned i)
{
    const struct floor_name name = floor_name(i);

    directory_floor_look_up(b->floor, &name);
}

static void floor_page(struct directory_bench *b, unsigned i)
{
    const struct floor_name name = floor_name(i);

    directory_floor_page(b->floor, &name, PAGE_ROWS);
}

static void create_one(struct directory_bench *b, unsigned i)
{
    (void)i;
    make_rows(b, 1);
}

static void floor_create_one(struct directory_bench *b, unsigned i)
{
    (void)i;
    make_floor_rows(b, 1);
}

static void create_bulk(struct directory_bench *b, unsigned i)
{
    (void)i;
    make_rows(b, BULK);
}

static void floor_create_bulk(struct directory_bench *b, unsigned i)
{
    (void)i;
    make_floor_rows(b, BULK);
}

typedef void operation_fn(struct directory_bench *b, unsigned i);

struct cost {
    double us, pages; /* of one */
};

/* A round of `times`. The least time counts; of pages the last round's, which has
 * most rows. */
static void measure_round(struct directory_bench *b, operation_fn *operation,
                          unsigned times, struct cost *cost)
{
    const double pages = pages_written();
    const double began = processor_us();

    for (unsigned i = 0; i < times; i++)
        operation(b, i);
    const double took = (processor_us() - began) / times;
    if (cost->us == 0 || took < cost->us)
        cost->us = took;
    cost->pages = (pages_written() - pages) / times;
}

struct operation {
    const char *name;
    operation_fn *store, *floor;
    unsigned times, rows; /* of a round; made by each */
};

static void measure_operation(struct directory_bench *b,
                              const struct operation *o, unsigned i)
{
    struct cost store = {0}, floor = {0};

    for (unsigned round = 0; round < ROUNDS; round++) {
        choose_names(b);
        measure_round(b, o->store, o->times, &store);
        measure_round(b, o->floor, o->times, &floor);
    }
    const unsigned rows = o->rows == 0 ? 1 : o->rows;
    printf(",\"%s_%u\":%.4f,\"floor_%s_%u\":%.4f", o->name, i, store.us / rows,
           o->name, i, floor.us / rows);
    if (o->rows > 0)
        printf(",\"%s_pages_%u\":%.3f,\"floor_%s_pages_%u\":%.3f", o->name, i,
               store.pages / rows, o->name, i, floor.pages / rows);
}

/* Creating adds some thousand rows, so it comes last. */
static const struct operation operations[] = {
    {"look_up", look_up, floor_look_up, LOOK_UPS, 0},
    {"page", read_page, floor_page, PAGES, 0},
    {"create", create_one, floor_create_one, CREATED, 1},
    {"bulk", create_bulk, floor_create_bulk, 1, BULK},
};

static void measure(struct directory_bench *b, unsigned i, uint64_t size)
{
    make_rows(b, size);
    open_floor(b);
    make_floor_rows(b, size);
    for (size_t o = 0; o < sizeof(operations) / sizeof(operations[0]); o++)
        measure_operation(b, &operations[o], i);
}

/* Each size has a store of its own. */
static void measure_sizes(enum row_kind kind, const char *sizes)
{
    unsigned i = 0;

    for (const char *at = sizes; *at != '\0' && i < SIZES_MAX; i++) {
        struct directory_bench b = {.kind = kind};
        char *end;
        const uint64_t size = strtoull(at, &end, 10);

        if (size == 0)
            fail("--sizes expects numbers like 1000,10000");
        open_store(&b);
        make_tenant(&b);
        measure(&b, i, size);
        close_store(&b);
        at = *end == ',' ? end + 1 : end;
    }
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"keys", "users", "rooms"};
    const char *sizes = "1000,10000,100000";
    unsigned kind = 0;

    if (argc == 4 && strcmp(argv[2], "--sizes") == 0)
        sizes = argv[3];
    else if (argc != 2)
        fail("usage: bench_directory keys|users|rooms [--sizes A,B,C]");
    while (kind < 3 && strcmp(argv[1], kinds[kind]) != 0)
        kind++;
    if (kind == 3)
        fail("expected keys, users or rooms");
    if (sodium_init() < 0)
        fail("no random numbers");
    printf("{\"ok\":true");
    measure_sizes((enum row_kind)kind, sizes);
    puts("}");
    return 0;
}
