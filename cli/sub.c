#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/topic.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/folder.h"
#include "cli/secret.h"
#include "store/message_json.h"

#define NAME "sub"
#define FILTERS_MAX 64
#define FILTER_SIZE 1024

static const char usage[] =
    "Usage: confab sub [-j] [-n COUNT] FILTER...\n\n"
    "Prints messages of the running server of the data folder as they arrive:\n"
    "topic, a blank, the payload. FILTER is an MQTT filter: TOKEN/THING,\n"
    "'TOKEN/+/temp', 'TOKEN/#'. Retained messages come first.\n" SECRET_TOPIC_HELP
    "\n"
    "  -j, --json             print a JSON object per line: id, topic, seq,\n"
    "                         createdAt, chat\n"
    "  -n, --count COUNT      exit after this many messages\n" SECRET_FILE_HELP;

static const struct option own[] = {
    {"json", no_argument, NULL, 'j'},
    {"count", required_argument, NULL, 'n'},
    SECRET_FILE_OPTION,
    {0},
};

struct printing {
    bool json;
    unsigned long long left; /* 0: no limit */
    struct buffer line;
    const char *token_file;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct printing *p = arg;
    char *end;

    if (option == 'j') {
        p->json = true;
        return true;
    }
    if (option == SECRET_FILE) {
        p->token_file = value;
        return true;
    }
    if (option != 'n' || value[0] < '0' || value[0] > '9')
        return false;
    p->left = strtoull(value, &end, 10);
    return *end == '\0' && p->left > 0;
}

static void put_json(struct buffer *b, const struct client_message *m)
{
    const struct message stored = {
        .id = m->id,
        .seq = m->seq,
        .at_us = m->at_us,
        .topic = m->topic,
        .payload = m->payload,
        .payload_class = (uint8_t)payload_classify(m->payload),
    };
    struct json_writer w = json_writer_of(b);

    message_put_topic(&w, &stored, PAYLOAD_ONE_LINE);
    buffer_put_char(b, '\n');
}

static bool print_message(void *arg, const struct client_message *m)
{
    struct printing *p = arg;
    struct buffer *b = &p->line;

    buffer_clear(b);
    if (p->json) {
        put_json(b, m);
    } else {
        buffer_put_slice(b, m->topic);
        buffer_put_char(b, ' ');
        buffer_put_slice(b, m->payload);
        buffer_put_char(b, '\n');
    }
    if (fwrite(b->data, 1, b->len, stdout) != b->len || fflush(stdout) != 0)
        return false; /* the reader has gone */
    return p->left == 0 || --p->left > 0;
}

int cli_sub(int argc, char **argv)
{
    static struct command_line s;
    static char filters[FILTERS_MAX][FILTER_SIZE];
    char shown[SECRET_SHOWN];
    const char *names[FILTERS_MAX];
    struct printing p = {0};
    const char *error;
    const int end =
        command_line_parse(&s, argc, argv, "jn:", own, take_option, &p, usage);

    if (end >= 0)
        return end;
    if (s.first == argc)
        return usage_error(NAME, "expected a filter");
    if (argc - s.first > FILTERS_MAX)
        return usage_error(NAME, "more than %d filters", FILTERS_MAX);
    struct secret token;
    int named = secret_read_any(&s, NAME, NULL, p.token_file, &token);
    if (named != EXIT_SUCCESS)
        return named;
    for (int i = s.first; i < argc; i++) {
        char *filter = filters[i - s.first];
        named = secret_topic(&s, NAME, &token, argv[i], filter, FILTER_SIZE);
        if (named != EXIT_SUCCESS)
            return named;
        if (!filter_valid(slice_str(filter)))
            return usage_error(NAME, "not a filter: %s",
                               secret_show(argv[i], shown, sizeof(shown)));
        names[i - s.first] = filter;
    }
    for (int i = s.first; i < argc; i++)
        if (!name_publishable(slice_str(argv[i])))
            return usage_error(NAME,
                               "a filter with control characters or "
                               "non-characters cannot be sent: use + for "
                               "that level");
    struct client *c = folder_client(&s, NAME);
    if (c == NULL)
        return EXIT_FAILURE;
    const bool ok = client_follow(c, names, (size_t)(argc - s.first),
                                  print_message, &p, &error);
    client_close(c);
    buffer_release(&p.line);
    return ok ? EXIT_SUCCESS : failure(NAME, "%s", error);
}
