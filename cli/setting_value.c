#include "cli/setting_value.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/plan_limits.h"
#include "base/tenant_setting.h"
#include "base/utf8.h"
#include "cli/cli.h"

static int unknown_name(const char *command, const char *text)
{
    struct buffer names = BUFFER_INIT;

    for (unsigned i = 0; i < TENANT_SETTING_COUNT; i++) {
        buffer_put_str(&names, i == 0 ? "" : ", ");
        buffer_put_str(&names, tenant_setting_name((enum tenant_setting)i));
    }
    buffer_put_str(&names, ", and limits.KEY of each KEY of a plan");
    const int end =
        usage_error(command, "%.*s: there is no such setting; there are %.*s",
                    (int)strcspn(text, "="), text, (int)names.len, names.data);
    buffer_release(&names);
    return end;
}

/* Appends the file without one line break at its end. */
static int put_file(const char *command, const char *name, const char *file,
                    struct buffer *b)
{
    char bytes[TENANT_SETTING_MAX + 3]; /* a byte too many, and CR LF */
    const bool is_stdin = strcmp(file, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(file, "re");

    if (f == NULL)
        return failure(command, "%s: %s: %s", name, file, error_text(errno));
    size_t len = fread(bytes, 1, sizeof(bytes), f);
    const bool is_bad = ferror(f) != 0;
    if (!is_stdin)
        fclose(f);
    if (!is_bad && len > 0 && len < sizeof(bytes) && bytes[len - 1] == '\n')
        len -= len > 1 && bytes[len - 2] == '\r' ? 2 : 1;
    buffer_put(b, bytes, len);
    sodium_memzero(bytes, sizeof(bytes));
    if (is_bad)
        return failure(command, "%s: %s: cannot be read", name, file);
    if (len == 0)
        return failure(command, "%s: %s is empty; %s= (without @) unsets it",
                       name, is_stdin ? "standard input" : file, name);
    return EXIT_SUCCESS;
}

/* Appends `name=value`. */
static int put_text(const char *command, enum tenant_setting s,
                    const char *value, bool *is_stdin_read, struct buffer *b)
{
    const char *name = tenant_setting_name(s);
    int end = EXIT_SUCCESS;

    buffer_put_str(b, name);
    buffer_put_char(b, '=');
    const size_t at = b->len;
    if (strcmp(value, "@-") == 0 && *is_stdin_read)
        return usage_error(command, "%s: only one value can be @-", name);
    if (value[0] == '@') {
        *is_stdin_read |= strcmp(value, "@-") == 0;
        end = put_file(command, name, value + 1, b);
    } else if (tenant_setting_is_secret(s) && value[0] != '\0') {
        return usage_error(command,
                           "%s is a secret, and other users can see a "
                           "command's arguments: give %s=@FILE, or %s=@- for "
                           "standard input",
                           name, name, name);
    } else {
        buffer_put_str(b, value);
    }
    if (end != EXIT_SUCCESS || !buffer_ok(b))
        return end != EXIT_SUCCESS ? end : failure(command, "out of memory");
    const struct slice given = slice_of(b->data + at, b->len - at);
    const char *wrong = utf8_valid_without_nul(given.data, given.len)
                            ? tenant_setting_wrong(s, given)
                            : "must be text (UTF-8)";
    return wrong == NULL ? EXIT_SUCCESS
                         : usage_error(command, "%s: %s", name, wrong);
}

/* A limit of its own, which is no secret and short. */
static int read_limit(const char *command, const char *text, struct slice key,
                      struct slice value, struct slice *ret)
{
    struct buffer b = BUFFER_INIT;
    const char *wrong = plan_limit_wrong(key, value);

    *ret = slice_of(NULL, 0);
    if (wrong != NULL)
        return usage_error(command, "%.80s: %s", text, wrong);
    buffer_put_str(&b, text);
    *ret = buffer_slice(&b);
    return buffer_ok(&b) ? EXIT_SUCCESS : failure(command, "out of memory");
}

int setting_values_read(const char *command, char **texts, size_t count,
                        struct setting_values *ret)
{
    bool is_stdin_read = false;
    struct slice name, value, key;

    ret->count = 0;
    if (count > TENANT_SETTINGS_MAX)
        return usage_error(command, "more than %d settings",
                           TENANT_SETTINGS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!tenant_setting_split(slice_str(texts[i]), &name, &value))
            return usage_error(command,
                               "expected SETTING=VALUE behind the TENANT");
        if (plan_limit_name(name, &key)) {
            const int limited = read_limit(command, texts[i], key, value,
                                           &ret->list[ret->count++]);
            if (limited != EXIT_SUCCESS)
                return limited;
            continue;
        }
        const enum tenant_setting s = tenant_setting_of_name(name);
        if (s == TENANT_SETTING_COUNT)
            return unknown_name(command, texts[i]);
        struct buffer b = BUFFER_INIT;
        /* At once, so that growing leaves no copy of a secret behind. */
        (void)buffer_reserve(&b,
                             TENANT_SETTING_NAME_MAX + TENANT_SETTING_MAX + 4);
        const int end = put_text(command, s, value.data, &is_stdin_read, &b);
        ret->list[ret->count++] = buffer_slice(&b);
        if (end != EXIT_SUCCESS)
            return end;
    }
    return EXIT_SUCCESS;
}

void setting_values_release(struct setting_values *v)
{
    for (size_t i = 0; i < v->count; i++) {
        char *text = (char *)v->list[i].data;
        if (text != NULL)
            sodium_memzero(text, v->list[i].len);
        free(text);
    }
    v->count = 0;
}
