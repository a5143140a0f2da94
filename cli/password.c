#include "cli/password.h"

#include <errno.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/error_text.h"
#include "cli/cli.h"

#define LINE_SIZE (PASSWORD_MAX + 3) /* a byte too many, LF and NUL */

/* ---- reading -------------------------------------------------------------------- */

static int read_line(const char *command, FILE *f, char line[LINE_SIZE])
{
    if (fgets(line, LINE_SIZE, f) == NULL)
        line[0] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    if (line[0] == '\0')
        return failure(command, "the password is empty");
    if (strlen(line) > PASSWORD_MAX)
        return failure(command, "the password has more than %d bytes",
                       PASSWORD_MAX);
    return EXIT_SUCCESS;
}

static int read_file(const char *command, const char *file,
                     char line[LINE_SIZE])
{
    FILE *f = fopen(file, "re");

    if (f == NULL)
        return failure(command, "%s: %s", file, error_text(errno));
    const int end = read_line(command, f, line);
    fclose(f);
    return end;
}

static int ask(const char *command, const char *prompt, char line[LINE_SIZE])
{
    struct termios with_echo, without;

    if (tcgetattr(STDIN_FILENO, &with_echo) != 0)
        return failure(command, "the terminal: %s", error_text(errno));
    without = with_echo;
    without.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &without);
    const int end = read_line(command, stdin, line);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &with_echo);
    fputc('\n', stderr);
    return end;
}

static int ask_twice(const char *command, char line[LINE_SIZE])
{
    char again[LINE_SIZE];

    int end = ask(command, "New password: ", line);
    if (end == EXIT_SUCCESS)
        end = ask(command, "Again: ", again);
    if (end == EXIT_SUCCESS && strcmp(line, again) != 0)
        end = failure(command, "the two differ; nothing was changed");
    sodium_memzero(again, sizeof(again));
    return end;
}

static int read_any(const char *command, const char *file,
                    char line[LINE_SIZE])
{
    if (file != NULL && strcmp(file, "-") != 0)
        return read_file(command, file, line);
    if (file == NULL && isatty(STDIN_FILENO))
        return ask_twice(command, line);
    return read_line(command, stdin, line);
}

/* ---- hashing -------------------------------------------------------------------- */

struct hashing {
    char *hash; /* PASSWORD_HASH_SIZE */
    bool is_done;
    sem_t over;
};

static void on_hash(void *arg, const struct password_result *result)
{
    struct hashing *h = arg;

    h->is_done = result->outcome == PASSWORD_HASHED;
    if (h->is_done)
        (void)snprintf(h->hash, PASSWORD_HASH_SIZE, "%s", result->hash);
    sem_post(&h->over);
}

static int hash_password(const char *command, const char *password, char *hash)
{
    static const struct password_costs costs = {PASSWORD_MEMORY_DEFAULT,
                                                PASSWORD_OPS_DEFAULT};
    struct password_pool *pool = password_pool_new(1, 1, &costs);
    struct hashing h = {.hash = hash};

    if (pool == NULL)
        return failure(command, "out of memory");
    sem_init(&h.over, 0, 0);
    if (password_pool_hash(pool, slice_str(password), on_hash, &h) ==
        PASSWORD_TAKEN)
        while (sem_wait(&h.over) != 0)
            ;
    password_pool_stop(pool);
    password_pool_free(pool);
    sem_destroy(&h.over);
    return h.is_done ? EXIT_SUCCESS
                     : failure(command,
                               "hashing the password needs %u MiB of "
                               "memory, which there are not",
                               PASSWORD_MEMORY_DEFAULT >> 20);
}

int password_read(const char *command, const char *file,
                  char ret_hash[PASSWORD_HASH_SIZE])
{
    char line[LINE_SIZE];

    if (sodium_init() < 0)
        return failure(command, "cannot read random numbers");
    int end = read_any(command, file, line);
    if (end == EXIT_SUCCESS)
        end = hash_password(command, line, ret_hash);
    sodium_memzero(line, sizeof(line));
    return end;
}
