#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "cli/folder.h"
#include "cli/secret.h"
#include "store/message_json.h"
#include "store/store.h"

#define NAME "history"
#define TOPIC_SIZE 65536
#define PAGE                                                                  \
    512 /* records per snapshot, so that none is held while a pipe is slow */

static const char usage[] =
    "Usage: confab history [OPTION]... TOKEN/THING\n\n"
    "Prints stored messages, a JSON object per line, newest first. Reads the\n"
    "data folder itself; a server may be running on it.\n" SECRET_TOPIC_HELP
    "\n"
    "  -n, --limit COUNT      at most this many (default: 50; 0: all)\n"
    "      --after ID         only messages after this id\n"
    "      --before ID        only messages before this id\n"
    "  -a, --asc              oldest first\n"
    "  -r, --raw              the payload alone, followed by a newline\n" SECRET_FILE_HELP;

static const struct option own[] = {
    {"limit", required_argument, NULL, 'n'},
    {"after", required_argument, NULL, 'A'},
    {"before", required_argument, NULL, 'B'},
    {"asc", no_argument, NULL, 'a'},
    {"raw", no_argument, NULL, 'r'},
    SECRET_FILE_OPTION,
    {0},
};

struct history_options {
    uint64_t limit, after, before;
    bool ascending, raw;
    const char *token_file;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct history_options *w = arg;
    uint64_t number = 0;

    if (option == 'a' || option == 'r') {
        *(option == 'a' ? &w->ascending : &w->raw) = true;
        return true;
    }
    if (option == SECRET_FILE) {
        w->token_file = value;
        return true;
    }
    char *end;
    if (value == NULL || value[0] < '0' || value[0] > '9')
        return false;
    number = strtoull(value, &end, 10);
    if (*end != '\0')
        return false;
    switch (option) {
    case 'n': w->limit = number; return true;
    case 'A': w->after = number; return true;
    case 'B': w->before = number; return true;
    default: return false;
    }
}

static void put_record(struct buffer *b, const struct message *m, bool raw)
{
    struct json_writer w = json_writer_of(b);

    if (raw)
        buffer_put_slice(b, m->payload);
    else
        message_put_topic(&w, m, PAYLOAD_ONE_LINE);
    buffer_put_char(b, '\n');
}

/* Prints one page to `out`. STORE_NOTFOUND: the end was reached. */
static enum store_err read_page(struct store_reader *r, struct history *h,
                                uint64_t *left, bool raw, struct buffer *out)
{
    struct record record;
    enum store_err err = store_reader_begin(r);

    for (int i = 0; err == STORE_OK && i < PAGE; i++) {
        if (*left == 0) {
            err = STORE_NOTFOUND;
            break;
        }
        err = store_history_next(r, h, &record);
        if (err == STORE_OK) {
            put_record(out, &record.m, raw);
            --*left;
        }
    }
    store_reader_end(r);
    return err;
}

static enum store_err print_all(struct store *store,
                                const struct history_options *w,
                                const char *topic)
{
    struct history h = {
        .topic = slice_str(topic),
        .ascending = w->ascending,
        .after = w->after,
        .before = w->before,
    };
    uint64_t left = w->limit == 0 ? UINT64_MAX : w->limit;
    struct buffer out = BUFFER_INIT;
    struct store_reader *r = store_reader_acquire(store);
    enum store_err err = r == NULL ? STORE_NOMEM : STORE_OK;

    while (err == STORE_OK) {
        err = read_page(r, &h, &left, w->raw, &out);
        if (out.len > 0 && fwrite(out.data, 1, out.len, stdout) != out.len)
            break; /* the reader has gone */
        buffer_clear(&out);
    }
    if (r != NULL)
        store_reader_release(r);
    buffer_release(&out);
    return err;
}

static enum store_err check_thing(struct store *store, const char *topic)
{
    struct thing_row row;
    struct store_reader *r;
    enum store_err err = store_snapshot(store, &r);

    if (err != STORE_OK)
        return err;
    err = store_thing(r, slice_str(topic), &row);
    store_reader_release(r);
    return err;
}

int cli_history(int argc, char **argv)
{
    static struct command_line s;
    struct history_options w = {.limit = 50};
    char topic[TOPIC_SIZE], shown[SECRET_SHOWN];
    struct store *store = NULL;
    int detail = 0;
    const int end = command_line_parse(&s, argc, argv, "n:ar", own,
                                       take_option, &w, usage);

    if (end >= 0)
        return end;
    if (argc - s.first != 1)
        return usage_error(NAME, "expected one TOKEN/THING");
    struct secret token;
    int named = secret_read_any(&s, NAME, NULL, w.token_file, &token);
    if (named == EXIT_SUCCESS)
        named = secret_topic(&s, NAME, &token, argv[s.first], topic,
                             sizeof(topic));
    if (named != EXIT_SUCCESS)
        return named;
    const struct store_opts opts = {.map_size = s.config.store_map_size,
                                    .read_only = true};
    enum store_err err = store_open(s.data_dir, &opts, &store, &detail);
    if (err == STORE_OK)
        err = check_thing(store, topic);
    if (err == STORE_NOTFOUND && store != NULL) {
        store_close(store);
        return failure(NAME, "%s: nothing was ever stored there",
                       secret_show(topic, shown, sizeof(shown)));
    }
    if (err == STORE_OK) {
        err = print_all(store, &w, topic);
        if (err == STORE_NOTFOUND)
            err = STORE_OK;
    }
    store_close(store);
    return err == STORE_OK ? EXIT_SUCCESS
                           : folder_failure(NAME, s.data_dir, err, detail);
}
