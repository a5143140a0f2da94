/* Runs a fuzz harness over files instead of libFuzzer: each argument is an
 * input, or a folder of inputs run in the order of their names. The name of an
 * input is printed before it runs, so the last line names the one that crashed.
 *
 * Exit code 1 when an argument cannot be read or there was no input at all: a
 * corpus that went missing must not pass as one without findings. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/fuzz/fuzz.h"

static bool complain(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
}

static bool read_all(int fd, uint8_t *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, data + done, size - done);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* The copy is exactly as long as the input, so that a sanitizer sees a read
 * one byte past its end. */
static bool replay_file(const char *path, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return complain(path);

    uint8_t *data = malloc(size);
    bool ok = (data || size == 0) && read_all(fd, data, size);
    close(fd);
    if (ok) {
        printf("%s\n", path);
        fflush(stdout);
        LLVMFuzzerTestOneInput(data, size);
    } else {
        complain(path);
    }
    free(data);
    return ok;
}

static bool replay(const char *path, size_t *count);

static bool replay_folder(const char *path, size_t *count)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        return complain(path);

    bool ok = true;
    for (int i = 0; i < n; i++) {
        char inner[4096];
        int len =
            snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] == '.')
            ; /* ., .. and what git or an editor keeps */
        else if (len < 0 || (size_t)len >= sizeof(inner))
            ok = false;
        else
            ok &= replay(inner, count);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool replay(const char *path, size_t *count)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return complain(path);
    if (S_ISDIR(st.st_mode))
        return replay_folder(path, count);
    (*count)++;
    return replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    size_t count = 0;
    bool ok = true;

    for (int i = 1; i < argc; i++)
        ok &= replay(argv[i], &count);
    printf("%zu inputs\n", count);
    return ok && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
