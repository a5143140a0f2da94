/* confab token create|list|set|revoke|delete: through the running server if
 * there is one, else on the data folder itself, under its lock. */
#include <getopt.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/flat_json.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "base/token.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/folder.h"
#include "cli/secret.h"
#include "store/command/token.h"
#include "store/write/writer.h"

#define NAME "token"

static const char usage[] =
    "Usage: confab token create [--plan NAME] [TOKEN]\n"
    "       confab token list\n"
    "       confab token set --plan NAME TOKEN\n"
    "       confab token revoke TOKEN\n"
    "       confab token delete TOKEN\n\n"
    "create prints a new token, and nothing else, on stdout. You may give a TOKEN\n"
    "of your own (at most 64 of [A-Za-z0-9_-]); it must be hard to guess. A token\n"
    "first used in open mode is created with everything stored under it; until\n"
    "then it is unknown when tokens.access is registered.\n"
    "list prints, separated by tabs: token, plan, creation time, state (valid,\n"
    "open: first used in open mode, revoked), bytes of its messages and their\n"
    "limit, bytes of its sessions and their limit. The limits are those of the\n"
    "plan in this command's settings, so give it the same -c as the server; -: no\n"
    "limit, or the plan is not in the settings.\n"
    "set gives a token another plan, at once for writes and new connections.\n"
    "revoke closes the token's connections within a second; its data stays.\n"
    "delete revokes a token and removes everything stored under it; then its name\n"
    "is free again. If it is interrupted, the server continues.\n"
    "All of this works with or without a running server of the data folder.\n\n" SECRET_HELP
    "\n"
    "  -p, --plan NAME        plan of the token (create: tokens.operator_plan by\n"
    "                         default, which is home unless set)\n" SECRET_FILE_HELP
    "  -f, --file FILE        the same as --token-file\n";

static const struct option own[] = {
    {"plan", required_argument, NULL, 'p'},
    {"file", required_argument, NULL, 'f'},
    SECRET_FILE_OPTION,
    {0},
};

struct token_options {
    const char *plan, *file;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct token_options *w = arg;

    switch (option) {
    case 'p': w->plan = value; return true;
    case 'f':
    case SECRET_FILE: w->file = value; return true;
    default: return false;
    }
}

/* One change, made through the server or on the data folder. */
struct change {
    enum command_kind kind;
    const char *command; /* "token_create" */
    const char *token, *plan;
    bool has_begun, more; /* delete: part of the data is removed, not all */
    int status;
    char reason[200];
};

union arguments {
    struct token_create create;
    struct token_set set;
    struct token_revoke revoke;
    struct token_delete delete;
};

static void *make_arguments(const struct change *ch, union arguments *ret)
{
    const struct slice token = slice_str(ch->token);
    const struct slice plan = slice_str(ch->plan != NULL ? ch->plan : "");

    switch (ch->kind) {
    case COMMAND_TOKEN_CREATE:
        ret->create = (struct token_create){token, plan};
        break;
    case COMMAND_TOKEN_SET: ret->set = (struct token_set){token, plan}; break;
    case COMMAND_TOKEN_REVOKE:
        ret->revoke = (struct token_revoke){token};
        break;
    default: ret->delete = (struct token_delete){token};
    }
    return ret;
}

static void read_result(struct change *ch, const char *json)
{
    struct slice value;

    if (json == NULL)
        return;
    ch->more = flat_json_member(slice_str(json), "more", &value) &&
               slice_eq(value, slice_str("true"));
}

static void change_by_server(struct client *client, struct change *ch)
{
    struct buffer body = BUFFER_INIT;
    union arguments args;
    const struct command c = {.kind = ch->kind,
                              .args = make_arguments(ch, &args)};
    struct client_answer answer;
    char topic[64];

    command_encode(&body, &c);
    snprintf(topic, sizeof(topic), COMMAND_PREFIX "%s", ch->command);
    client_publish(client, slice_str(topic), buffer_slice(&body), false,
                   &answer);
    buffer_release(&body);
    ch->status = answer.status;
    snprintf(ch->reason, sizeof(ch->reason), "%s", answer.reason);
    read_result(ch, answer.result);
    free(answer.result);
}

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

static void submit_and_wait(struct writer *writer, struct change *ch)
{
    struct wait w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                     false};
    union arguments args;
    struct command c = {
        .kind = ch->kind,
        .args = make_arguments(ch, &args),
        .now_us = clock_real_us(),
        .done = on_done,
        .owner = &w,
    };

    if (!writer_submit(writer, &c))
        return;
    pthread_mutex_lock(&w.mutex);
    while (!w.is_answered)
        pthread_cond_wait(&w.answered, &w.mutex);
    pthread_mutex_unlock(&w.mutex);
    ch->more = c.more;
    ch->status = command_status(c.result);
    snprintf(ch->reason, sizeof(ch->reason), "%s", command_text(c.result));
}

/* Whether to ask again after a while. The writer continues by itself, too; if
 * it has finished first, the token is gone. */
static bool goes_on(struct change *ch)
{
    const struct timespec pause = {0, 50000000};

    if (ch->kind != COMMAND_TOKEN_DELETE)
        return false;
    if (ch->status == 404 && ch->has_begun)
        ch->status = 200;
    if (ch->status != 200 || !ch->more)
        return false;
    ch->has_begun = true;
    ch->more = false;
    nanosleep(&pause, NULL);
    return true;
}

/* Creating a store in the wrong folder would be worse than an error: the
 * server would not know the token. */
static enum store_err check_store(const struct command_line *s,
                                  const struct change *ch, int *ret_detail)
{
    const struct store_opts opts = {.map_size = s->config.store_map_size,
                                    .read_only = true};
    struct store *store = NULL;
    const enum store_err err =
        store_open(s->data_dir, &opts, &store, ret_detail);

    store_close(store);
    if (err != STORE_NOTFOUND || ch->kind != COMMAND_TOKEN_CREATE ||
        !s->is_folder_named)
        return err;
    fprintf(stderr, "confab " NAME ": creating a new store in %s\n",
            s->data_dir);
    return STORE_OK;
}

/* Without a server: for a moment this is the only process that writes. */
static int change_by_hand(const struct command_line *s, struct change *ch)
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

    if (ch->kind == COMMAND_TOKEN_CREATE && ch->plan == NULL)
        ch->plan = s->config.tokens_operator_plan;
    if (ch->plan != NULL &&
        config_plan(&s->config, slice_str(ch->plan)) == NULL)
        return failure(NAME, "no such plan: %s (add a section [plan:%s])",
                       ch->plan, ch->plan);
    enum store_err err = check_store(s, ch, &detail);
    if (err == STORE_OK)
        err = store_open(s->data_dir, &opts, &store, &detail);
    if (err == STORE_OK)
        err = writer_start(store, &writer_opts, &writer);
    if (err == STORE_OK) {
        do
            submit_and_wait(writer, ch);
        while (goes_on(ch));
        writer_stop(writer);
        writer_free(writer);
    }
    store_close(store);
    return err == STORE_OK ? EXIT_SUCCESS
                           : folder_failure(NAME, s->data_dir, err, detail);
}

static int tell_refused(const struct change *ch)
{
    const struct log_token shown = log_token(ch->token, strlen(ch->token));

    if (ch->status == 400 && ch->plan != NULL)
        return failure(NAME, "--plan %s: %s", ch->plan, ch->reason);
    if (ch->status == 404)
        return failure(NAME,
                       "%s: unknown token: confab token list shows those of "
                       "this data folder",
                       shown.text);
    return failure(NAME, "%s: %s", shown.text,
                   ch->reason[0] != '\0' ? ch->reason : "no answer");
}

static int apply_change(const struct command_line *s, struct change *ch)
{
    const char *error;
    struct client *client = client_open(s->data_dir, &error);

    if (error != NULL)
        return failure(NAME, "data folder %s: %s", s->data_dir, error);
    if (client != NULL) {
        do
            change_by_server(client, ch);
        while (goes_on(ch));
        client_close(client);
    } else {
        const int end = change_by_hand(s, ch);
        if (end != EXIT_SUCCESS)
            return end;
    }
    return ch->status >= 200 && ch->status < 300 ? EXIT_SUCCESS
                                                 : tell_refused(ch);
}

static int create_token(const struct command_line *s, const char *given,
                        const struct token_options *w)
{
    char made[TOKEN_MADE + 1];
    struct secret own_token;
    struct change ch = {.kind = COMMAND_TOKEN_CREATE,
                        .command = "token_create",
                        .token = made,
                        .plan = w->plan};

    if (given != NULL || w->file != NULL) {
        const int end = secret_read(s, NAME, given, w->file, &own_token);
        if (end != EXIT_SUCCESS)
            return end;
        ch.token = own_token.text;
    } else {
        if (sodium_init() < 0)
            return failure(NAME, "cannot read random numbers");
        token_make(made);
    }
    const int end = apply_change(s, &ch);
    if (end == EXIT_SUCCESS)
        puts(ch.token);
    return end;
}

static int change_one(const struct command_line *s, const char *given,
                      const struct token_options *w, struct change *ch)
{
    struct secret token;
    const int end = secret_read(s, NAME, given, w->file, &token);

    ch->token = token.text;
    ch->plan = w->plan;
    return end == EXIT_SUCCESS ? apply_change(s, ch) : end;
}

static int set_plan(const struct command_line *s, const char *given,
                    const struct token_options *w)
{
    struct change ch = {.kind = COMMAND_TOKEN_SET, .command = "token_set"};

    return change_one(s, given, w, &ch);
}

static int revoke_token(const struct command_line *s, const char *given,
                        const struct token_options *w)
{
    struct change ch = {.kind = COMMAND_TOKEN_REVOKE,
                        .command = "token_revoke"};

    return change_one(s, given, w, &ch);
}

static int delete_all(const struct command_line *s, const char *given,
                      const struct token_options *w)
{
    struct change ch = {.kind = COMMAND_TOKEN_DELETE,
                        .command = "token_delete"};

    return change_one(s, given, w, &ch);
}

static void put_held(struct buffer *line, uint64_t held, uint64_t most)
{
    buffer_put_char(line, '\t');
    buffer_put_u64(line, held);
    buffer_put_char(line, '\t');
    if (most == 0)
        buffer_put_char(line, '-');
    else
        buffer_put_u64(line, most);
}

static void print_row(const struct command_line *s, struct store_reader *r,
                      const struct token_row *row, struct buffer *line)
{
    const struct plan *plan = config_plan(&s->config, row->plan);
    struct usage_row used = {0}; /* a token that holds nothing has no row */

    (void)store_usage(r, row->token, &used);
    buffer_clear(line);
    buffer_put_slice(line, row->token);
    buffer_put_char(line, '\t');
    buffer_put_slice(line, row->plan);
    buffer_put_char(line, '\t');
    buffer_put_time(line, row->created_us, 3);
    buffer_put_str(line, row->revoked_us != 0 ? "\trevoked"
                         : row->implied       ? "\topen"
                                              : "\tvalid");
    put_held(line, used.bytes, plan == NULL ? 0 : plan->bytes_max);
    put_held(line, used.session_bytes,
             plan == NULL ? 0 : plan->session_bytes_max);
    buffer_put_char(line, '\n');
    fwrite(line->data, 1, line->len, stdout);
}

static int list_tokens(const struct command_line *s)
{
    const struct store_opts opts = {.map_size = s->config.store_map_size,
                                    .read_only = true};
    struct store *store = NULL;
    struct buffer line = BUFFER_INIT;
    struct token_row row;
    struct slice after = {0};
    int detail = 0;
    enum store_err err = store_open(s->data_dir, &opts, &store, &detail);

    if (err != STORE_OK)
        return folder_failure(NAME, s->data_dir, err, detail);
    struct store_reader *r;
    if ((err = store_snapshot(store, &r)) == STORE_OK) {
        while ((err = store_token_next(r, after, &row)) == STORE_OK) {
            print_row(s, r, &row, &line);
            after = row.token;
        }
        store_reader_release(r);
    }
    store_close(store);
    buffer_release(&line);
    return err == STORE_NOTFOUND /* no more tokens */
               ? EXIT_SUCCESS
               : folder_failure(NAME, s->data_dir, err, 0);
}

int cli_token(int argc, char **argv)
{
    static struct command_line s;
    struct token_options w = {0};
    const int end = command_line_parse(&s, argc, argv, "p:f:", own,
                                       take_option, &w, usage);

    if (end >= 0)
        return end;
    const int operands = argc - s.first;
    const char *verb = operands > 0 ? argv[s.first] : "";
    const char *token = operands > 1 ? argv[s.first + 1] : NULL;
    const bool one = (token != NULL) + (w.file != NULL) == 1 && operands <= 2;

    if (strcmp(verb, "create") == 0 && (one || operands == 1))
        return create_token(&s, token, &w);
    if (strcmp(verb, "set") == 0 && one && w.plan != NULL)
        return set_plan(&s, token, &w);
    if (w.plan != NULL || strcmp(verb, "set") == 0)
        return usage_error(NAME, "--plan is for create and set only");
    if (strcmp(verb, "list") == 0 && operands == 1)
        return list_tokens(&s);
    if (strcmp(verb, "revoke") == 0 && one)
        return revoke_token(&s, token, &w);
    if (strcmp(verb, "delete") == 0 && one)
        return delete_all(&s, token, &w);
    return usage_error(NAME, "expected create, list, set, revoke or delete");
}
