#include "benchmarks/load/naming.h"

#include <stdlib.h>
#include <string.h>

#include "benchmarks/measure/fatal.h"
#include "benchmarks/wire/bytes.h"

static void put_thing(struct bytes *to, const struct options *o,
                      unsigned thing)
{
    bytes_put_str(to, o->thing);
    if (o->things > 1) {
        bytes_put_str(to, "-");
        bytes_put_decimal(to, thing);
    }
}

char *naming_expand(const char *template, const struct options *o,
                    unsigned thing)
{
    static const char token_mark[] = "{token}";
    static const char thing_mark[] = "{thing}";
    static const char limit_mark[] = "{limit}";
    struct bytes b = {0};

    while (*template != '\0') {
        if (strncmp(template, token_mark, strlen(token_mark)) == 0) {
            bytes_put_str(&b, o->token);
            template += strlen(token_mark);
        } else if (strncmp(template, thing_mark, strlen(thing_mark)) == 0) {
            put_thing(&b, o, thing);
            template += strlen(thing_mark);
        } else if (strncmp(template, limit_mark, strlen(limit_mark)) == 0) {
            bytes_put_decimal(&b, o->limit);
            template += strlen(limit_mark);
        } else {
            bytes_put(&b, template ++, 1);
        }
    }
    bytes_put_u8(&b, '\0');
    return b.data;
}

char **naming_expand_all(const char *template, const struct options *o)
{
    char **list = must_zalloc(o->things, sizeof(*list));

    for (unsigned i = 0; i < o->things; i++)
        list[i] = naming_expand(template, o, i);
    return list;
}

void naming_free_all(char **list, const struct options *o)
{
    for (unsigned i = 0; i < o->things; i++)
        free(list[i]);
    free(list);
}
