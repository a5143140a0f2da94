#include <stdio.h>
#include <stdlib.h>

#include "base/vocabulary.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/folder.h"

#define NAME "status"

static const char usage[] =
    "Usage: confab status\n\n"
    "Prints counters of the running server of the data folder as one JSON object:\n"
    "connections, messages, commits, space. Exits with 1 if no server is running.\n";

int cli_status(int argc, char **argv)
{
    static struct command_line s;
    struct client_answer a;
    const int end =
        command_line_parse(&s, argc, argv, "", NULL, NULL, NULL, usage);

    if (end >= 0)
        return end;
    if (s.first < argc)
        return usage_error(NAME, "unexpected '%s'", argv[s.first]);
    struct client *c = folder_client(&s, NAME);
    if (c == NULL)
        return EXIT_FAILURE;
    const bool ok = client_publish(c, slice_str(COMMAND_PREFIX "status"),
                                   slice_str(""), false, &a);
    client_close(c);
    if (!ok || a.result == NULL) {
        free(a.result);
        return failure(NAME, "%s",
                       a.reason[0] != '\0' ? a.reason : "no answer");
    }
    puts(a.result);
    free(a.result);
    return EXIT_SUCCESS;
}
