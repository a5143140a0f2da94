#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/folder.h"

#define SETS_MAX 256
#define OWN_MAX 16

static const struct option common[] = {
    {"config", required_argument, NULL, 'c'},
    {"set", required_argument, NULL, 's'},
    {"data", required_argument, NULL, 'D'},
    {"help", no_argument, NULL, 'h'},
};
#define COMMON_COUNT (sizeof(common) / sizeof(common[0]))

static const char common_help[] =
    "\nCommon options:\n"
    "  -c, --config FILE      read settings from this INI file; -FILE: only if it\n"
    "                         exists\n"
    "  -s, --set KEY=VALUE    one setting, like http.listen=127.0.0.1:0\n"
    "      --data DIR         the data folder (store.path). Without it a server\n"
    "                         uses ./data. Other commands use ./data if it contains\n"
    "                         a store, else /var/lib/confab if that exists\n"
    "  -h, --help             print this text\n"
    "Settings are also read from the environment: CONFAB_HTTP_LISTEN is\n"
    "http.listen.\n";

struct given {
    const char *file;
    const char *data;
    const char *sets[SETS_MAX];
    size_t set_count;
};

int usage_error(const char *command, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "confab %s: ", command);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nTry 'confab %s --help'.\n", command);
    return EXIT_USAGE;
}

int failure(const char *command, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "confab %s: ", command);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}

static bool read_file(struct config *c, const char *file,
                      struct config_error *ret_error)
{
    const bool may_be_missing = file[0] == '-';

    file += may_be_missing;
    if (may_be_missing && access(file, F_OK) != 0 && errno == ENOENT)
        return true;
    return config_read_file(c, file, ret_error);
}

/* These start a server, or show how one would start. */
static bool is_of_servers(const char *command)
{
    static const char *const names[] = {"run", "broker", "bridge", "check"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(command, names[i]) == 0)
            return true;
    return false;
}

static bool load_configuration(struct command_line *s, const char *command,
                               const struct given *g,
                               struct config_error *ret_error)
{
    config_defaults(&s->config);
    const char *folder =
        is_of_servers(command) ? s->config.store_path : folder_default();
    memmove(s->config.store_path, folder, strlen(folder) + 1);
    if (g->file != NULL && !read_file(&s->config, g->file, ret_error))
        return false;
    if (!config_read_environment(&s->config, environ, ret_error))
        return false;
    for (size_t i = 0; i < g->set_count; i++)
        if (!config_set(&s->config, g->sets[i], ret_error))
            return false;
    if (g->data != NULL) {
        if (g->data[0] == '\0' || strlen(g->data) >= CONFIG_VALUE_MAX) {
            snprintf(ret_error->text, sizeof(ret_error->text),
                     "--data: must not be empty or longer than %d bytes",
                     CONFIG_VALUE_MAX - 1);
            return false;
        }
        memcpy(s->config.store_path, g->data, strlen(g->data) + 1);
    }
    s->is_folder_named =
        g->data != NULL || strcmp(s->config.store_path, folder) != 0;
    return config_finish(&s->config, ret_error);
}

/* The settings of the command line, which is parsed once. */
static struct given last_given;
static const char *last_command;

bool command_line_reload(struct config *ret, struct config_error *ret_error)
{
    static struct command_line fresh;

    if (!load_configuration(&fresh, last_command, &last_given, ret_error))
        return false;
    *ret = fresh.config;
    return true;
}

int command_line_parse(struct command_line *ret, int argc, char **argv,
                       const char *own_short, const struct option *own,
                       bool (*take)(void *arg, int option, const char *value),
                       void *arg, const char *usage)
{
    struct option all[COMMON_COUNT + OWN_MAX + 1] = {0};
    struct given g = {0};
    struct config_error error;
    char letters[64];
    size_t n = COMMON_COUNT;
    int c;

    memcpy(all, common, sizeof(common));
    for (size_t i = 0; own != NULL && own[i].name != NULL && i < OWN_MAX; i++)
        all[n++] = own[i];
    snprintf(letters, sizeof(letters), "c:s:h%s", own_short);

    optind = 0; /* GNU: start over; argv[0] is the sub-command */
    opterr = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there are no other threads yet. */
    while ((c = getopt_long(argc, argv, letters, all, NULL)) != -1) {
        switch (c) {
        case 'c': g.file = optarg; break;
        case 'D': g.data = optarg; break;
        case 's':
            if (g.set_count == SETS_MAX)
                return usage_error(argv[0], "more than %d options -s",
                                   SETS_MAX);
            g.sets[g.set_count++] = optarg;
            break;
        case 'h': printf("%s%s", usage, common_help); return EXIT_SUCCESS;
        case '?':
            return usage_error(argv[0], "unknown option or missing value: %s",
                               argv[optind > 0 ? optind - 1 : 0]);
        default:
            if (take == NULL || !take(arg, c, optarg))
                return usage_error(argv[0], "bad value '%s'",
                                   optarg == NULL ? "" : optarg);
        }
    }
    if (!load_configuration(ret, argv[0], &g, &error)) {
        failure(argv[0], "%s", error.text);
        return EXIT_USAGE; /* trying again would not help */
    }
    last_given = g;
    last_command = argv[0];
    log_set_level((enum log_level)ret->config.log_level);
    ret->file = g.file;
    ret->data_dir = ret->config.store_path;
    ret->first = optind;
    return -1;
}

void command_line_print_help(void)
{
    puts("\nSettings:");
    config_print_keys(stdout, false);
}
