/* confab thing purge: through the running server. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/flat_json.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "cli/folder.h"
#include "cli/secret.h"
#include "store/command.h"
#include "store/command/thing.h"

#define NAME "thing"
#define TOPIC_SIZE 1024

static const char usage[] =
    "Usage: confab thing purge TOKEN/THING\n\n"
    "Removes all messages that the thing has now, its retained message, and the\n"
    "thing itself unless new messages have arrived. Exits when everything is\n"
    "removed; if it is interrupted, the server continues. The thing's sequence\n"
    "numbers begin at 1 again. Readers get the event of a purge, and no gap.\n" SECRET_TOPIC_HELP
    "\n" SECRET_FILE_HELP;

static const struct option own[] = {SECRET_FILE_OPTION, {0}};

static bool take_option(void *arg, int option, const char *value)
{
    const char **file = arg;

    if (option != SECRET_FILE)
        return false;
    *file = value;
    return true;
}

static void request_purge(struct client *client, const char *topic,
                          struct client_answer *ret)
{
    struct buffer body = BUFFER_INIT;
    struct thing_purge args = {.topic = slice_str(topic)};
    const struct command c = {.kind = COMMAND_THING_PURGE, .args = &args};

    command_encode(&body, &c);
    client_publish(client, slice_str(COMMAND_PREFIX "thing_purge"),
                   buffer_slice(&body), false, ret);
    buffer_release(&body);
}

static int purge_thing(struct client *client, const char *topic,
                       const char *shown)
{
    const struct timespec pause = {
        0, 20000000}; /* meanwhile the server continues, too */
    struct client_answer a;
    struct slice value;
    bool more = true, first = true;

    while (more) {
        request_purge(client, topic, &a);
        if (a.status == 404 && !first)
            break; /* the server has finished it */
        if (a.status != 200 || a.result == NULL) {
            free(a.result);
            return failure(NAME, "%s: %s", shown,
                           a.status == 404 ? "nothing was ever stored there"
                           : a.reason[0] != '\0' ? a.reason
                                                 : "no answer");
        }
        more = flat_json_member(slice_str(a.result), "more", &value) &&
               slice_eq(value, slice_str("true"));
        free(a.result);
        first = false;
        if (more)
            nanosleep(&pause, NULL);
    }
    return EXIT_SUCCESS;
}

int cli_thing(int argc, char **argv)
{
    static struct command_line s;
    char topic[TOPIC_SIZE], shown[SECRET_SHOWN];
    struct slice token, thing;
    const char *file = NULL;
    struct secret secret;
    int end =
        command_line_parse(&s, argc, argv, "", own, take_option, &file, usage);

    if (end >= 0)
        return end;
    if (argc - s.first != 2 || strcmp(argv[s.first], "purge") != 0)
        return usage_error(NAME, "expected purge TOKEN/THING");
    end = secret_read_any(&s, NAME, NULL, file, &secret);
    if (end == EXIT_SUCCESS)
        end = secret_topic(&s, NAME, &secret, argv[s.first + 1], topic,
                           sizeof(topic));
    if (end != EXIT_SUCCESS)
        return end;
    if (!topic_split(slice_str(topic), &token, &thing))
        return usage_error(NAME, "expected TOKEN/THING, not '%s'",
                           secret_show(argv[s.first + 1], shown,
                                       sizeof(shown)));
    struct client *client = folder_client(&s, NAME);
    if (client == NULL)
        return EXIT_FAILURE;
    end = purge_thing(client, topic, secret_show(topic, shown, sizeof(shown)));
    client_close(client);
    return end;
}
