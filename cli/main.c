/* confab: one server for things and people. Finds the sub-command, which is
 * implemented in the file with its name. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "cli/cli.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"run", cli_run, "the whole server: broker and bridge in one process"},
    {"broker", cli_run, "the MQTT broker and the store alone"},
    {"bridge", cli_run, "the HTTP side alone, next to a running broker"},
    {"token", cli_token, "create, list, change, revoke or delete tokens"},
    {"tenant", cli_tenant, "create, list, set, suspend or delete tenants"},
    {"key", cli_key, "create, list, rotate or revoke keys of tenants"},
    {"user", cli_user, "create, list, change or delete users of tenants"},
    {"room", cli_room, "create, list or delete rooms; join and leave them"},
    {"webhook", cli_webhook, "list webhooks, send dead messages again"},
    {"pub", cli_pub, "publish a message"},
    {"sub", cli_sub, "print messages as they arrive"},
    {"history", cli_history, "print stored messages"},
    {"thing", cli_thing, "remove a thing and its messages"},
    {"backup", cli_backup, "copy the store, while the server runs"},
    {"restore", cli_restore, "restore such a copy"},
    {"status", cli_status, "print counters of the running server"},
    {"trace", cli_trace, "follow a token's messages through the server"},
    {"clients", cli_clients, "list connected clients"},
    {"kick", cli_kick, "close a client's connection"},
    {"check", cli_check, "check the settings, or a store"},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
    fputs("confab " CONFAB_VERSION
          ": messages of things and people, over MQTT "
          "and HTTP, in one durable log\n\n"
          "Usage: confab COMMAND [OPTION]...\n\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-8s  %s\n", commands[i].name, commands[i].summary);
    fputs("\nFor details: 'confab COMMAND --help'. To start: confab run\n",
          out);
}

int main(int argc, char **argv)
{
    /* Writing to a closed pipe returns an error instead of ending the
     * process. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0 ||
        strcmp(argv[1], "version") == 0) {
        puts("confab " CONFAB_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "confab: unknown command '%s'\nTry 'confab --help'.\n",
            argv[1]);
    return EXIT_USAGE;
}
