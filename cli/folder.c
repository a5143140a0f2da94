#include "cli/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error_text.h"
#include "base/vocabulary.h"

#define INSTALLED "/var/lib/confab"
#define LOCAL "data"

static bool path_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

const char *folder_default(void)
{
    if (path_exists(LOCAL "/data.mdb") || path_exists(LOCAL "/" SOCKET_NAME))
        return LOCAL;
    return path_exists(INSTALLED) ? INSTALLED : LOCAL;
}

/* The text after `data folder DIR: `, a prefix that some errors already
 * have. */
static const char *folder_error_text(enum store_err err)
{
    static const char prefix[] = "data folder ";
    const char *text = store_strerror(err);
    const size_t len = sizeof(prefix) - 1;

    return strncmp(text, prefix, len) == 0 ? text + len : text;
}

int folder_damage(const char *command, const char *dir, const char *found)
{
    return failure(command,
                   "data folder %s: data.mdb is damaged: %s. 'confab check "
                   "--data %s' lists every such place; keep a copy of the "
                   "folder and restore a back-up",
                   dir, found, dir);
}

int folder_failure(const char *command, const char *dir, enum store_err err,
                   int detail)
{
    switch (err) {
    case STORE_NOTFOUND:
        return failure(
            command,
            "data folder %s: nothing was ever stored there: name the "
            "server's folder with --data",
            dir);
    case STORE_LOCKED: /* detail would only repeat it */
        return failure(command,
                       "data folder %s: %s: stop that one, or name another "
                       "folder with --data",
                       dir, folder_error_text(err));
    case STORE_ACCESS:
        if (detail == EACCES || detail == EPERM)
            return failure(
                command,
                "data folder %s: permission denied: run this as the "
                "server's user or root",
                dir);
        break;
    case STORE_CORRUPT:
        return folder_damage(command, dir,
                             "it is not a store, or is truncated");
    default: break;
    }
    if (err == STORE_ACCESS && detail == ENOENT)
        return failure(command,
                       "data folder %s: its parent folder does not exist",
                       dir);
    return failure(command, "data folder %s: %s%s%s", dir,
                   folder_error_text(err), detail != 0 ? ": " : "",
                   detail != 0 ? error_text(detail) : "");
}

int folder_read(const struct command_line *s, const char *command,
                enum store_err (*read)(void *arg, struct store_reader *r),
                void *arg)
{
    const struct store_opts opts = {.map_size = s->config.store_map_size,
                                    .read_only = true};
    struct store *store = NULL;
    struct store_reader *r;
    int detail = 0;
    enum store_err err = store_open(s->data_dir, &opts, &store, &detail);

    if (err == STORE_OK && (err = store_snapshot(store, &r)) == STORE_OK) {
        err = read(arg, r);
        store_reader_release(r);
    }
    store_close(store);
    return err == STORE_OK ? EXIT_SUCCESS
                           : folder_failure(command, s->data_dir, err, detail);
}

struct client *folder_client(const struct command_line *s, const char *command)
{
    const char *error;
    struct client *c = client_open(s->data_dir, &error);

    if (c == NULL)
        failure(command, "data folder %s: %s", s->data_dir,
                error != NULL
                    ? error
                    : "no server runs on it: start one (confab run), "
                      "or name another folder with --data");
    return c;
}
