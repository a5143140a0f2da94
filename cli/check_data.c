/* confab check --data DIR: the store itself. */
#include "cli/check_data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/folder.h"
#include "store/check.h"

#define PROGRESS_US 1000000

struct telling {
    int64_t told_us;
    bool on_terminal;
};

/* A damaged row may contain escape sequences: keep them from the terminal. */
static void print_problem(void *arg, const char *text)
{
    (void)arg;
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
    putchar('\n');
}

static void print_progress(void *arg, uint64_t pages, uint64_t of)
{
    struct telling *t = arg;

    if (pages % 1024 != 0)
        return;
    const int64_t now_us = clock_mono_us();
    if (now_us - t->told_us < PROGRESS_US)
        return;
    t->told_us = now_us;
    fprintf(stderr, "%s%" PRIu64 " of %" PRIu64 " pages%s",
            t->on_terminal ? "\r" : "", pages, of,
            t->on_terminal ? " " : "\n");
}

int check_data(const char *dir)
{
    struct telling telling = {clock_mono_us(), isatty(STDERR_FILENO) != 0};
    struct store_check c = {.problem = print_problem,
                            .progress = print_progress,
                            .arg = &telling};
    int detail = 0;

    const enum store_err err = store_check(dir, &c, &detail);
    if (telling.on_terminal)
        fputs("\r\033[K", stderr);
    if (err != STORE_OK)
        return folder_failure("check", dir, err, detail);
    if (c.problems > CHECK_PROBLEMS_MAX)
        printf("and %" PRIu64 " more\n", c.problems - CHECK_PROBLEMS_MAX);
    if (c.problems > 0) {
        fflush(stdout);
        return failure("check",
                       "data folder %s: damaged in %" PRIu64
                       " places. Stop the server, keep a copy of the folder, "
                       "and restore a back-up",
                       dir, c.problems);
    }
    printf("%s is undamaged: %" PRIu64 " pages, %" PRIu64 " entries, %" PRIu64
           " things, %" PRIu64 " tokens, %" PRIu64 " sessions\n",
           dir, c.pages, c.entries, c.things, c.tokens, c.sessions);
    if (c.unchecked > 0)
        printf("%" PRIu64
               " entries have no checksum: an earlier version wrote "
               "them\n",
               c.unchecked);
    return EXIT_SUCCESS;
}
