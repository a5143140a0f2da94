#include "cli/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error_text.h"
#include "base/log.h"
#include "cli/folder.h"

#define NOT_A_TOKEN                                                           \
    "a token is 1 to 64 of A-Z a-z 0-9 _ -, and so is a tenant's name"

/* Number of bytes before an ellipsis at the end; -1: there is no ellipsis. */
static int shortened_len(struct slice text)
{
    static const char *const ends[] = {"...", "\xe2\x80\xa6"};

    for (size_t i = 0; i < 2; i++)
        if (text.len > 3 &&
            memcmp((const char *)text.data + text.len - 3, ends[i], 3) == 0)
            return (int)text.len - 3;
    return -1;
}

static bool begins_with(struct slice token, struct slice beginning)
{
    return token.len >= beginning.len &&
           memcmp(token.data, beginning.data, beginning.len) == 0;
}

struct prefix {
    struct slice text;
    unsigned count;     /* of tokens that begin like that */
    struct secret *ret; /* one of them */
};

static enum store_err find_by_prefix(void *arg, struct store_reader *r)
{
    struct prefix *p = arg;
    struct slice after = {0};
    struct token_row row;
    enum store_err err;

    while ((err = store_token_next(r, after, &row)) == STORE_OK) {
        after = row.token;
        if (!begins_with(row.token, p->text))
            continue;
        memcpy(p->ret->text, row.token.data, row.token.len);
        p->ret->text[row.token.len] = '\0';
        p->count++;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static int expand_prefix(const struct command_line *s, const char *command,
                         struct slice beginning, struct secret *ret)
{
    struct prefix p = {.text = beginning, .ret = ret};
    const int end = folder_read(s, command, find_by_prefix, &p);

    if (end != EXIT_SUCCESS || p.count == 1)
        return end;
    return failure(command, "%.*s...: %s", (int)beginning.len,
                   (const char *)beginning.data,
                   p.count == 0
                       ? "no token begins like that (confab token list), and "
                         "no tenant (confab tenant list)"
                       : "several tokens begin like that: give more of it");
}

static int read_line_of(FILE *f, const char *command, struct secret *ret)
{
    char line[TOKEN_MAX + 3]; /* with one byte too many, and CR LF */

    if (fgets(line, sizeof(line), f) == NULL)
        line[0] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    if (!token_valid(slice_str(line)))
        return failure(command, "the first line is not a token: " NOT_A_TOKEN);
    memcpy(ret->text, line, strlen(line) + 1);
    return EXIT_SUCCESS;
}

static int read_file(const char *file, const char *command, struct secret *ret)
{
    FILE *f = fopen(file, "re");

    if (f == NULL)
        return failure(command, "%s: %s", file, error_text(errno));
    const int end = read_line_of(f, command, ret);
    fclose(f);
    return end;
}

int secret_read(const struct command_line *s, const char *command,
                const char *given, const char *file, struct secret *ret)
{
    if (file != NULL && strcmp(file, "-") != 0)
        return read_file(file, command, ret);
    if (file != NULL || strcmp(given, "-") == 0)
        return read_line_of(stdin, command, ret);
    const struct slice text = slice_str(given);
    const int beginning = shortened_len(text);
    if (beginning > 0)
        return expand_prefix(s, command,
                             slice_of(text.data, (size_t)beginning), ret);
    if (!token_valid(text))
        return failure(command, NOT_A_TOKEN);
    memcpy(ret->text, given, text.len + 1);
    return EXIT_SUCCESS;
}

int secret_read_any(const struct command_line *s, const char *command,
                    const char *given, const char *file, struct secret *ret)
{
    if (given != NULL && file != NULL)
        return usage_error(command, "give a token or --token-file, not both");
    if (file == NULL && (given == NULL || given[0] == '\0')) {
        ret->text[0] = '\0';
        return EXIT_SUCCESS;
    }
    return secret_read(s, command, given, file, ret);
}

const char *secret_show(const char *topic, char *out, size_t size)
{
    const struct slice level = topic_first_level(slice_str(topic));
    const bool has_token = token_valid(level);

    (void)snprintf(out, size, "%s%s",
                   has_token ? log_token(level.data, level.len).text : "",
                   has_token ? topic + level.len : topic);
    return out;
}

static int topic_below(const char *command, const struct secret *token,
                       const char *given, char *out, size_t size)
{
    if (given[0] == '$' || given[0] == '/')
        return usage_error(command,
                           "with --token-file, give topics without TOKEN/");
    if ((size_t)snprintf(out, size, "%s/%s", token->text, given) >= size)
        return usage_error(command, "topic too long");
    return EXIT_SUCCESS;
}

int secret_topic(const struct command_line *s, const char *command,
                 const struct secret *given_token, const char *given,
                 char *out, size_t size)
{
    if (given_token->text[0] != '\0')
        return topic_below(command, given_token, given, out, size);
    const struct slice level = topic_first_level(slice_str(given));
    const int beginning = shortened_len(level);
    struct secret token;

    const char *rest = given;
    token.text[0] = '\0';
    if (beginning > 0) {
        const int end =
            expand_prefix(s, command, slice_of(level.data, (size_t)beginning),
                          &token);
        if (end != EXIT_SUCCESS)
            return end;
        rest += level.len;
    }
    if ((size_t)snprintf(out, size, "%s%s", token.text, rest) >= size)
        return usage_error(command, "topic too long");
    return EXIT_SUCCESS;
}
