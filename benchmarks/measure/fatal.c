#include "benchmarks/measure/fatal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void print_json_string(const char *s)
{
    putchar('"');
    for (; *s != '\0'; s++) {
        const unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

void fatal(const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
    fputs("{\"ok\":false,\"error\":", stdout);
    print_json_string(text);
    fputs("}\n", stdout);
    fflush(stdout);
    _exit(1); /* other threads may be in the middle of anything */
}

void *must_alloc(size_t size)
{
    return must_realloc(NULL, size);
}

void *must_zalloc(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

    if (memory == NULL)
        fatal("out of memory");
    return memory;
}

void *must_realloc(void *memory, size_t size)
{
    memory = realloc(memory, size > 0 ? size : 1);
    if (memory == NULL)
        fatal("out of memory");
    return memory;
}
