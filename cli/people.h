/* What `confab user` and `confab room` have in common. */
#ifndef CONFAB_CLI_PEOPLE_H
#define CONFAB_CLI_PEOPLE_H

#include "base/buffer.h"
#include "base/json_write.h"
#include "cli/change.h"
#include "store/people.h"

/* Makes a change, or prints why not. `missing` and `taken`: what to say where something
 * is not there, or is there already. Returns the exit status. */
int people_change(const struct command_line *s, const char *command,
                  const char *tenant, struct change *ch, const char *missing,
                  const char *taken);
int people_unknown_tenant(const char *command, const char *tenant);
/* Whether there is one, for listings. */
bool people_has_tenant(struct store_reader *r, const char *tenant);

/* Reads a JSON object for `option`: the text itself, or @FILE, or @- for standard input;
 * NULL gives nothing. Returns EXIT_SUCCESS, or the exit status after the error was
 * printed. The caller releases the buffer in either case. Blocks on the file. */
int people_read_object(const char *command, const char *option,
                       const char *given, struct buffer *ret);

/* Appends a tab and the text as terminals may show it; -: it is empty. */
void people_put_column(struct buffer *line, struct slice text);
void people_put_time(struct buffer *line, int64_t at_us);
void people_put_number(struct buffer *line, uint64_t n);
/* The value of a member: the text, or null if it is empty. */
void people_write_optional(struct json_writer *w, struct slice text);
/* The value of a member: an object as it is stored, in one line. */
void people_write_object(struct json_writer *w, struct slice json);
/* Prints what is in it, and clears it. */
void people_print(struct buffer *line);

#endif
