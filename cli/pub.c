#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/topic.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/folder.h"
#include "cli/secret.h"

#define NAME "pub"
#define UNKNOWN_TOKEN 401
#define TOPIC_SIZE 65536
#define PAYLOAD_MAX (64U * 1024 * 1024) /* most that is read from stdin */

static const char usage[] =
    "Usage: confab pub [-r] TOKEN/THING [MESSAGE]\n"
    "       confab pub [-r] -l TOKEN/THING\n\n"
    "Publishes MESSAGE, or all of standard input, through the running server of\n"
    "the data folder, and prints the message's id once it is on disk.\n" SECRET_TOPIC_HELP
    "\n"
    "  -l, --lines            each line of standard input is a message\n"
    "  -r, --retain           also keep the message as the MQTT retained message\n" SECRET_FILE_HELP;

static const struct option own[] = {
    {"lines", no_argument, NULL, 'l'},
    {"retain", no_argument, NULL, 'r'},
    SECRET_FILE_OPTION,
    {0},
};

struct flags {
    bool lines, retain;
    const char *token_file;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct flags *f = arg;

    if (option == SECRET_FILE)
        f->token_file = value;
    else if (option == 'l')
        f->lines = true;
    else if (option == 'r')
        f->retain = true;
    else
        return false;
    return true;
}

static int unknown_token(const char *topic)
{
    const struct slice token = topic_first_level(slice_str(topic));

    return failure(
        NAME,
        "%s: unknown token: create it (confab token create NAME), or "
        "see which exist (confab token list)",
        log_token(token.data, token.len).text);
}

static int publish_message(struct client *c, const char *topic,
                           struct slice payload, bool retain)
{
    struct client_answer a;

    if (!client_publish(c, slice_str(topic), payload, retain, &a) ||
        a.status != 200) {
        free(a.result);
        if (a.status == UNKNOWN_TOKEN)
            return unknown_token(topic);
        return failure(NAME, "%s", a.reason[0] != '\0' ? a.reason : "refused");
    }
    free(a.result);
    printf("%llu\n", (unsigned long long)a.id);
    fflush(stdout);
    return EXIT_SUCCESS;
}

static int publish_lines(struct client *c, const char *topic, bool retain)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int end = EXIT_SUCCESS;

    while (end == EXIT_SUCCESS && (n = getline(&line, &size, stdin)) >= 0) {
        if (n > 0 && line[n - 1] == '\n')
            n--;
        end = publish_message(c, topic, slice_of(line, (size_t)n), retain);
    }
    free(line);
    return end;
}

static int publish_stdin(struct client *c, const char *topic, bool retain)
{
    struct buffer all = {.limit = PAYLOAD_MAX};
    char part[65536];
    size_t n;

    while ((n = fread(part, 1, sizeof(part), stdin)) > 0)
        buffer_put(&all, part, n);
    const int end = buffer_ok(&all)
                        ? publish_message(c, topic, buffer_slice(&all), retain)
                        : failure(NAME, "standard input is too large");
    buffer_release(&all);
    return end;
}

int cli_pub(int argc, char **argv)
{
    static struct command_line s;
    struct flags f = {0};
    char topic[TOPIC_SIZE], shown[SECRET_SHOWN];
    struct secret secret;
    struct slice token, thing;
    int end =
        command_line_parse(&s, argc, argv, "lr", own, take_option, &f, usage);

    if (end >= 0)
        return end;
    const int operands = argc - s.first;
    if (operands < 1 || operands > 2 || (f.lines && operands != 1))
        return usage_error(NAME, "expected TOKEN/THING and a message");
    end = secret_read_any(&s, NAME, NULL, f.token_file, &secret);
    if (end == EXIT_SUCCESS)
        end = secret_topic(&s, NAME, &secret, argv[s.first], topic,
                           sizeof(topic));
    if (end != EXIT_SUCCESS)
        return end;
    if (!topic_split(slice_str(topic), &token, &thing) ||
        !name_publishable(slice_str(topic)))
        return usage_error(NAME, "expected TOKEN/THING, not '%s'",
                           secret_show(argv[s.first], shown, sizeof(shown)));
    struct client *c = folder_client(&s, NAME);
    if (c == NULL)
        return EXIT_FAILURE;
    if (f.lines)
        end = publish_lines(c, topic, f.retain);
    else if (operands == 1)
        end = publish_stdin(c, topic, f.retain);
    else
        end =
            publish_message(c, topic, slice_str(argv[s.first + 1]), f.retain);
    client_close(c);
    return end;
}
