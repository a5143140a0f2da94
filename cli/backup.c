/* confab backup, confab restore. */
#include "store/backup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error_text.h"
#include "cli/folder.h"

static const char usage_backup[] =
    "Usage: confab backup DIR\n\n"
    "Copies the current state of the data folder's store to DIR/data.mdb. The\n"
    "server may be running. Creates DIR if it is missing, and does not overwrite\n"
    "an existing copy. The copy contains every token, so only its owner may read\n"
    "it.\n";
static const char usage_restore[] =
    "Usage: confab restore DIR\n\n"
    "Restores the copy that confab backup made in DIR into the data folder. The\n"
    "data folder must not contain a store, so move an old data.mdb away first, and\n"
    "no server may be running on it.\n";

static void print_progress(void *arg, uint64_t done, uint64_t total)
{
    const uint64_t percent = total > 0 ? done * 100 / total : 0;

    fprintf(stderr, "confab %s: %llu MB, about %llu %%\n", (const char *)arg,
            (unsigned long long)(done >> 20),
            (unsigned long long)(percent < 100 ? percent : 99));
}

/* Sets *ret_dir to the operand. -1: continue; otherwise the exit status. */
static int parse_arguments(struct command_line *s, int argc, char **argv,
                           const char *usage)
{
    const int end =
        command_line_parse(s, argc, argv, "", NULL, NULL, NULL, usage);

    if (end < 0 && argc - s->first != 1)
        return usage_error(argv[0], "expected one DIR");
    return end;
}

/* Reports an error about the folder of the copy, which is not a data
 * folder. */
static int copy_failure(const char *command, const char *dir,
                        enum store_err err, int detail)
{
    if (detail == ENOENT)
        return failure(command, "%s: its parent folder does not exist", dir);
    return failure(command, "%s: %s", dir,
                   detail != 0 ? error_text(detail) : store_strerror(err));
}

int cli_backup(int argc, char **argv)
{
    static struct command_line s;
    struct store *store = NULL;
    int detail = 0;
    const int end = parse_arguments(&s, argc, argv, usage_backup);

    if (end >= 0)
        return end;
    const char *dir = argv[s.first];
    const struct store_opts opts = {.map_size = s.config.store_map_size,
                                    .read_only = true};
    enum store_err err = store_open(s.data_dir, &opts, &store, &detail);
    if (err != STORE_OK)
        return folder_failure(argv[0], s.data_dir, err, detail);
    err = store_backup(store, dir, print_progress, argv[0], &detail);
    store_close(store);
    if (err == STORE_EXISTS)
        return failure(argv[0],
                       "%s: there is a copy already: name another "
                       "folder",
                       dir);
    return err == STORE_OK ? EXIT_SUCCESS
                           : copy_failure(argv[0], dir, err, detail);
}

int cli_restore(int argc, char **argv)
{
    static struct command_line s;
    int detail = 0;
    const int end = parse_arguments(&s, argc, argv, usage_restore);

    if (end >= 0)
        return end;
    const char *dir = argv[s.first];
    const struct store_opts opts = {.map_size = s.config.store_map_size};
    const enum store_err err = store_restore(dir, s.data_dir, &opts,
                                             print_progress, argv[0], &detail);
    switch (err) {
    case STORE_OK: return EXIT_SUCCESS;
    case STORE_NOTFOUND:
        return failure(argv[0],
                       "%s: no data.mdb there: name the folder that confab "
                       "backup wrote to",
                       dir);
    case STORE_CORRUPT:
    case STORE_VERSION:
        return failure(argv[0], "%s: %s", dir,
                       err == STORE_CORRUPT
                           ? "the copy is damaged, or is not a store"
                           : "the copy was made by a newer version of Confab");
    case STORE_EXISTS:
        return failure(argv[0],
                       "data folder %s: there is a store already: "
                       "move its data.mdb away first",
                       s.data_dir);
    default: return folder_failure(argv[0], s.data_dir, err, detail);
    }
}
