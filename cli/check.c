#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

static const char usage[] =
    "Usage: confab check [-c FILE] [-s KEY=VALUE]...\n\n"
    "Reads the settings as the server would. When they are good, prints all of\n"
    "them as an INI file and exits with 0; else says what is wrong and exits\n"
    "with 2.\n\n"
    "      --print-docs       every key with default and meaning, as Markdown\n";

static const struct option own[] = {
    {"print-docs", no_argument, NULL, 'd'},
    {0},
};

static bool take(void *arg, int option, const char *value)
{
    (void)value;
    if (option != 'd')
        return false;
    *(bool *)arg = true;
    return true;
}

int cli_check(int argc, char **argv)
{
    struct settings s;
    bool docs = false;
    const int end =
        settings_parse(&s, argc, argv, "", own, take, &docs, usage);

    if (end == EXIT_SUCCESS)
        settings_print_help();
    if (end >= 0)
        return end;
    if (s.first < argc)
        return usage_error("check", "unexpected '%s'", argv[s.first]);
    if (docs)
        config_print_keys(stdout, true);
    else
        config_print(&s.config, stdout);
    return EXIT_SUCCESS;
}
