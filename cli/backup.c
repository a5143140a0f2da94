/* confab backup, confab restore. */
#include "store/backup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/folder.h"

static const char usage_backup[] =
    "Usage: confab backup DIR\n\n"
    "Copies the store of the data folder, as it is now, to DIR/data.mdb, while\n"
    "the server runs or not. DIR is made when it is missing; a copy that is there\n"
    "is not overwritten. It holds every token, so only its owner may read it.\n";
static const char usage_restore[] =
    "Usage: confab restore DIR\n\n"
    "Puts the copy that confab backup made in DIR into the data folder, which must\n"
    "have no store: move an old data.mdb away first. No server may run on it.\n";

static void show(void *arg, uint64_t done, uint64_t total)
{
    const uint64_t percent = total > 0 ? done * 100 / total : 0;

    fprintf(stderr, "confab %s: %llu MB, about %llu %%\n", (const char *)arg,
            (unsigned long long)(done >> 20),
            (unsigned long long)(percent < 100 ? percent : 99));
}

/* *ret_dir: its operand. -1: go on. */
static int parse(struct settings *s, int argc, char **argv, const char *usage)
{
    const int end = settings_parse(s, argc, argv, "", NULL, NULL, NULL, usage);

    if (end < 0 && argc - s->first != 1)
        return usage_error(argv[0], "expected one DIR");
    return end;
}

/* Of the copy's folder, which is no data folder. */
static int copy_failure(const char *command, const char *dir,
                        enum store_err err, int detail)
{
    if (detail == ENOENT)
        return failure(command,
                       "%s: the folder it is to be made in does not exist",
                       dir);
    return failure(command, "%s: %s", dir,
                   detail != 0 ? strerror(detail) : store_strerror(err));
}

int cli_backup(int argc, char **argv)
{
    static struct settings s;
    struct store *store = NULL;
    int detail = 0;
    const int end = parse(&s, argc, argv, usage_backup);

    if (end >= 0)
        return end;
    const char *dir = argv[s.first];
    const struct store_opts opts = {.map_size = s.config.store_map_size,
                                    .read_only = true};
    enum store_err err = store_open(s.data_dir, &opts, &store, &detail);
    if (err != STORE_OK)
        return folder_failure(argv[0], s.data_dir, err, detail);
    err = store_backup(store, dir, show, argv[0], &detail);
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
    static struct settings s;
    int detail = 0;
    const int end = parse(&s, argc, argv, usage_restore);

    if (end >= 0)
        return end;
    const char *dir = argv[s.first];
    const struct store_opts opts = {.map_size = s.config.store_map_size};
    const enum store_err err =
        store_restore(dir, s.data_dir, &opts, show, argv[0], &detail);
    switch (err) {
    case STORE_OK: return EXIT_SUCCESS;
    case STORE_NOTFOUND:
        return failure(argv[0],
                       "%s: no data.mdb there: expected the folder "
                       "that confab backup made",
                       dir);
    case STORE_CORRUPT:
    case STORE_VERSION:
        return failure(argv[0], "%s: %s", dir,
                       err == STORE_CORRUPT
                           ? "the copy is damaged, or no store"
                           : "the copy is of a newer Confab");
    case STORE_EXISTS:
        return failure(argv[0],
                       "data folder %s: there is a store already: "
                       "move its data.mdb away first",
                       s.data_dir);
    default: return folder_failure(argv[0], s.data_dir, err, detail);
    }
}
