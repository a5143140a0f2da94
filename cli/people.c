#include "cli/people.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error_text.h"
#include "base/flat_json.h"
#include "base/iso_time.h"
#include "base/json.h"
#include "base/log.h"

int people_unknown_tenant(const char *command, const char *tenant)
{
    return failure(command,
                   "--tenant %s: unknown tenant: confab tenant list shows "
                   "those of this data folder (tokens in state open must be "
                   "created first)",
                   log_token(tenant, strlen(tenant)).text);
}

int people_change(const struct command_line *s, const char *command,
                  const char *tenant, struct change *ch, const char *missing,
                  const char *taken)
{
    const int end = change_make(s, command, ch);

    if (end != EXIT_SUCCESS || change_is_done(ch))
        return end;
    if (change_was_refused(ch, "UNKNOWN_TOKEN"))
        return people_unknown_tenant(command, tenant);
    if (change_was_refused(ch, "NOT_FOUND"))
        return failure(command, "%s", missing);
    if (change_was_refused(ch, "EXISTS") && taken != NULL)
        return failure(command, "%s", taken);
    if (change_was_refused(ch, "TOO_LARGE"))
        return failure(command, "with these it would have more than %d bytes",
                       PEOPLE_JSON_MAX);
    if (ch->status == 400) /* it begins with what is wrong */
        return failure(command, "%s", ch->reason);
    return change_failure(command, ch, log_token(tenant, strlen(tenant)).text,
                          NULL);
}

bool people_has_tenant(struct store_reader *r, const char *tenant)
{
    struct token_row row;

    return store_token(r, slice_str(tenant), &row) == STORE_OK;
}

/* ---- JSON on the command line ------------------------------------------------- */

static int read_file(const char *command, const char *option, const char *file,
                     struct buffer *ret)
{
    char bytes[PEOPLE_JSON_MAX + 1];
    const bool is_stdin = strcmp(file, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(file, "re");

    if (f == NULL)
        return failure(command, "%s: %s: %s", option, file, error_text(errno));
    const size_t len = fread(bytes, 1, sizeof(bytes), f);
    const bool is_bad = ferror(f) != 0;
    if (!is_stdin)
        fclose(f);
    if (is_bad)
        return failure(command, "%s: %s: cannot be read", option, file);
    buffer_put(ret, bytes, len);
    return EXIT_SUCCESS;
}

int people_read_object(const char *command, const char *option,
                       const char *given, struct buffer *ret)
{
    enum json_type type;
    struct json_error error;

    if (given == NULL)
        return EXIT_SUCCESS;
    if (given[0] != '@')
        buffer_put_str(ret, given);
    const int end = given[0] == '@'
                        ? read_file(command, option, given + 1, ret)
                        : EXIT_SUCCESS;
    if (end != EXIT_SUCCESS)
        return end;
    if (ret->len > PEOPLE_JSON_MAX)
        return failure(command, "%s: more than %d bytes", option,
                       PEOPLE_JSON_MAX);
    if (!json_check(ret->data, ret->len, &type, &error))
        return failure(command, "%s: no JSON: byte %zu: %s", option, error.at,
                       error.text);
    if (type != JSON_OBJECT)
        return failure(command, "%s: a JSON object like {\"a\": 1} expected",
                       option);
    return EXIT_SUCCESS;
}

/* ---- showing ------------------------------------------------------------------ */

void people_put_column(struct buffer *line, struct slice text)
{
    struct buffer json = BUFFER_INIT;

    buffer_put_char(line, '\t');
    buffer_put_json_string(&json, text.len > 0 ? text : slice_str("-"));
    flat_json_show(line, buffer_slice(&json));
    buffer_release(&json);
}

void people_put_time(struct buffer *line, int64_t at_us)
{
    buffer_put_char(line, '\t');
    buffer_put_time(line, at_us, 3);
}

void people_put_number(struct buffer *line, uint64_t n)
{
    buffer_put_char(line, '\t');
    buffer_put_u64(line, n);
}

void people_write_optional(struct json_writer *w, struct slice text)
{
    if (text.len > 0)
        json_string(w, text);
    else
        json_null(w);
}

/* Line breaks between its members would break a listing of an object per line; in its
 * strings there are none. */
void people_write_object(struct json_writer *w, struct slice json)
{
    const char *text = json.data;

    json_raw_begin(w);
    for (size_t i = 0; i < json.len; i++)
        buffer_put_char(w->out,
                        text[i] == '\n' || text[i] == '\r' ? ' ' : text[i]);
    json_raw_end(w);
}

void people_print(struct buffer *line)
{
    fwrite(line->data, 1, line->len, stdout);
    buffer_clear(line);
}
