#include "cli/change.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/flat_json.h"
#include "base/vocabulary.h"
#include "cli/client.h"
#include "cli/folder.h"
#include "store/write/command_type.h"
#include "store/write/writer.h"

#define HINT_AFTER_US 2000000

/* What repeats until a deletion is complete. */
struct steps {
    bool more;      /* part of the data is removed, not all */
    bool has_begun; /* at least one step was done */
    bool has_told;
    int64_t began_us;
};

/* The server answers with the same JSON object that command_answer() writes. */
static void read_answer(struct change *ch, struct steps *steps,
                        struct slice json)
{
    struct slice value;

    steps->more = flat_json_member(json, "more", &value) &&
                  slice_eq(value, slice_str("true"));
    ch->refused[0] = '\0';
    if (flat_json_member(json, "refused", &value) && value.len > 2)
        snprintf(ch->refused, sizeof(ch->refused), "%.*s", (int)value.len - 2,
                 (const char *)value.data + 1);
}

/* Whether to ask again, after a pause. The writer continues by itself, too; if
 * it has finished first, the name is unknown. */
static bool goes_on(const char *command, struct change *ch,
                    struct steps *steps)
{
    const struct timespec pause = {0, 50000000};

    if (!ch->in_steps)
        return false;
    if (ch->status == 404 && steps->has_begun)
        ch->status = 200;
    if (ch->status != 200 || !steps->more)
        return false;
    steps->has_begun = true;
    if (!steps->has_told && isatty(STDERR_FILENO) &&
        clock_mono_us() - steps->began_us > HINT_AFTER_US) {
        fprintf(stderr,
                "confab %s: still deleting. You may interrupt this: the "
                "server continues\n",
                command);
        steps->has_told = true;
    }
    nanosleep(&pause, NULL);
    return true;
}

/* ---- by the server ------------------------------------------------------- */

static void send_to_server(struct client *client, struct change *ch,
                           struct steps *steps)
{
    const struct command c = {.kind = ch->kind, .args = ch->args};
    struct buffer body = BUFFER_INIT;
    struct client_answer answer;
    char topic[64];

    command_encode(&body, &c);
    snprintf(topic, sizeof(topic), COMMAND_PREFIX "%s",
             command_kind_name(ch->kind));
    client_publish(client, slice_str(topic), buffer_slice(&body), false,
                   &answer);
    buffer_release(&body);
    ch->status = answer.status;
    snprintf(ch->reason, sizeof(ch->reason), "%s", answer.reason);
    read_answer(ch, steps,
                slice_str(answer.result != NULL ? answer.result : ""));
    free(answer.result);
}

/* ---- by hand: for a moment this is the only process that writes ---------- */

/* done() signals the main thread. */
struct wait {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    bool is_answered;
};

static void on_done(struct command **c, size_t n)
{
    struct wait *w = (*c)->owner;

    (void)n; /* there is one */
    pthread_mutex_lock(&w->mutex);
    w->is_answered = true;
    pthread_cond_signal(&w->answered);
    pthread_mutex_unlock(&w->mutex);
}

static void ignore_batch(void *arg, struct batch *b)
{
    (void)arg, (void)b;
}

static void submit_and_wait(struct writer *writer, struct change *ch,
                            struct steps *steps)
{
    struct wait w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                     false};
    struct command c = {
        .kind = ch->kind,
        .args = ch->args,
        .now_us = clock_real_us(),
        .done = on_done,
        .owner = &w,
    };
    struct buffer answer = BUFFER_INIT;

    ch->status = 0;
    if (!writer_submit(writer, &c))
        return;
    pthread_mutex_lock(&w.mutex);
    while (!w.is_answered)
        pthread_cond_wait(&w.answered, &w.mutex);
    pthread_mutex_unlock(&w.mutex);
    ch->status = command_status(c.result);
    snprintf(ch->reason, sizeof(ch->reason), "%s", command_text(c.result));
    command_answer(&answer, &c);
    read_answer(ch, steps, buffer_slice(&answer));
    buffer_release(&answer);
}

/* What the server does before it submits what an administrator sends. */
static bool check_arguments(const struct command_line *s, struct change *ch)
{
    const struct command_type *type = command_types[ch->kind];
    struct command c = {.kind = ch->kind, .args = ch->args};
    const char *wrong =
        type->check != NULL ? type->check(&c, &s->config) : NULL;

    if (wrong == NULL)
        return true;
    ch->status = command_status(RESULT_INVALID);
    snprintf(ch->reason, sizeof(ch->reason), "%s", wrong);
    return false;
}

/* Creating a store in the wrong folder would be worse than an error: the
 * server would not know the token. */
static enum store_err check_store(const struct command_line *s,
                                  const char *command, const struct change *ch,
                                  int *ret_detail)
{
    const struct store_opts opts = {.map_size = s->config.store_map_size,
                                    .read_only = true};
    struct store *store = NULL;
    const enum store_err err =
        store_open(s->data_dir, &opts, &store, ret_detail);

    store_close(store);
    if (err != STORE_NOTFOUND || !ch->may_make_store || !s->is_folder_named)
        return err;
    fprintf(stderr, "confab %s: creating a new store in %s\n", command,
            s->data_dir);
    return STORE_OK;
}

static int change_by_hand(const struct command_line *s, const char *command,
                          struct change *ch, struct steps *steps)
{
    const struct store_opts opts = {.map_size = s->config.store_map_size};
    const struct writer_opts writer_opts = {
        .config = &s->config,
        .commands = command_types,
        .on_batch = ignore_batch,
    };
    struct store *store = NULL;
    struct writer *writer = NULL;
    int detail = 0;

    if (!check_arguments(s, ch))
        return EXIT_SUCCESS;
    enum store_err err = check_store(s, command, ch, &detail);
    if (err == STORE_OK)
        err = store_open(s->data_dir, &opts, &store, &detail);
    if (err == STORE_OK)
        err = writer_start(store, &writer_opts, &writer);
    if (err == STORE_OK) {
        do
            submit_and_wait(writer, ch, steps);
        while (goes_on(command, ch, steps));
        writer_stop(writer);
        writer_free(writer);
    }
    store_close(store);
    return err == STORE_OK ? EXIT_SUCCESS
                           : folder_failure(command, s->data_dir, err, detail);
}

/* ---- either way ---------------------------------------------------------- */

int change_make(const struct command_line *s, const char *command,
                struct change *ch)
{
    struct steps steps = {.began_us = clock_mono_us()};
    const char *error;
    struct client *client = client_open(s->data_dir, &error);

    if (error != NULL)
        return failure(command, "data folder %s: %s", s->data_dir, error);
    if (client == NULL)
        return change_by_hand(s, command, ch, &steps);
    do
        send_to_server(client, ch, &steps);
    while (goes_on(command, ch, &steps));
    client_close(client);
    return EXIT_SUCCESS;
}

bool change_was_refused(const struct change *ch, const char *refused)
{
    return strcmp(ch->refused, refused) == 0;
}

int change_failure(const char *command, const struct change *ch,
                   const char *what, const char *plan)
{
    if (ch->status == 400 && plan != NULL &&
        strstr(ch->reason, "plan") != NULL)
        return failure(command,
                       "--plan %s: %s (add a section [plan:%s] to the "
                       "settings)",
                       plan, ch->reason, plan);
    return failure(command, "%s: %s", what,
                   ch->reason[0] != '\0' ? ch->reason : "no answer");
}
