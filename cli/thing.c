/* confab thing purge: through the running server if there is one, else on the data
 * folder itself (cli/change.h). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/topic.h"
#include "cli/change.h"
#include "cli/secret.h"
#include "store/command/thing.h"

#define NAME "thing"
#define TOPIC_SIZE 1024

static const char usage[] =
    "Usage: confab thing purge TOKEN/THING\n\n"
    "Removes all messages that the thing has now, its retained message, and the\n"
    "thing itself unless new messages have arrived. Exits when everything is\n"
    "removed; if it is interrupted, the server continues. The thing's sequence\n"
    "numbers begin at 1 again, and readers are not told of a gap. Works with or\n"
    "without a running server of the data folder.\n" SECRET_TOPIC_HELP
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

static int purge_thing(const struct command_line *s, const char *topic,
                       const char *shown)
{
    struct thing_purge args = {slice_str(topic)};
    struct change ch = {.kind = COMMAND_THING_PURGE,
                        .args = &args,
                        .in_steps = true};
    const int end = change_make(s, NAME, &ch);

    if (end != EXIT_SUCCESS || change_is_done(&ch))
        return end;
    if (ch.status == 404)
        return failure(NAME, "%s: nothing was ever stored there", shown);
    return change_failure(NAME, &ch, shown, NULL);
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
    return purge_thing(&s, topic, secret_show(topic, shown, sizeof(shown)));
}
