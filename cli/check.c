#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <string.h>

#include "cli/check_data.h"
#include "cli/cli.h"

static const char usage[] =
    "Usage: confab check [-c FILE] [-s KEY=VALUE]...\n"
    "       confab check --data DIR\n\n"
    "Reads the settings as the server would. If they are valid, prints all of\n"
    "them as an INI file and exits with 0; otherwise prints what is wrong and\n"
    "exits with 2.\n\n"
    "With --data DIR, reads the whole store in that folder and checks every page,\n"
    "every row with its checksum, and whether the rows are consistent. Prints a\n"
    "line for each damaged place and exits with 1, or says that all is well. The\n"
    "server may be running.\n\n"
    "      --print-docs       print every key with default and meaning, as\n"
    "                         Markdown\n";

static const struct option own[] = {
    {"print-docs", no_argument, NULL, 'd'},
    {0},
};

static bool take_option(void *arg, int option, const char *value)
{
    (void)value;
    if (option != 'd')
        return false;
    *(bool *)arg = true;
    return true;
}

/* Only --data asks for a check of the store; a folder in the settings does
 * not. */
static bool names_folder(int argc, char **argv)
{
    static const char option[] = "--data";

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], option) == 0 ||
            strncmp(argv[i], "--data=", sizeof(option)) == 0)
            return true;
    return false;
}

int cli_check(int argc, char **argv)
{
    struct command_line s;
    bool docs = false;
    const bool walks = names_folder(argc, argv); /* getopt reorders argv */
    const int end =
        command_line_parse(&s, argc, argv, "", own, take_option, &docs, usage);

    if (end == EXIT_SUCCESS)
        command_line_print_help();
    if (end >= 0)
        return end;
    if (s.first < argc)
        return usage_error("check", "unexpected '%s'", argv[s.first]);
    if (walks)
        return check_data(s.data_dir);
    if (docs)
        config_print_keys(stdout, true);
    else
        config_print(&s.config, stdout);
    return EXIT_SUCCESS;
}
