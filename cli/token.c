/* confab token create|list|set|revoke|delete: through the running server if
 * there is one, else on the data folder itself, under its lock. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "base/token.h"
#include "cli/change.h"
#include "cli/folder.h"
#include "cli/secret.h"
#include "cli/tenant_row.h"
#include "store/command/token.h"

#define NAME "token"

static const char usage[] =
    "Usage: confab token create [--plan NAME] [TOKEN]\n"
    "       confab token list [--json]\n"
    "       confab token set --plan NAME TOKEN\n"
    "       confab token revoke TOKEN\n"
    "       confab token delete TOKEN\n\n"
    "create prints a new token, and nothing else, on stdout. You may give a TOKEN\n"
    "of your own (at most 64 of [A-Za-z0-9_-]); it must be hard to guess. A token\n"
    "first used in open mode is created with everything stored under it; until\n"
    "then it is unknown when tokens.access is registered.\n"
    "list prints, separated by tabs: token, plan, creation time, state (valid,\n"
    "open: first used in open mode, suspended, revoked), bytes of its messages\n"
    "and their limit, bytes of its sessions and their limit. The limits are those of the\n"
    "plan in this command's settings, so give it the same -c as the server; -: no\n"
    "limit, or the plan is not in the settings.\n"
    "set gives a token another plan, at once for writes and new connections.\n"
    "revoke closes the token's connections within a second; its data stays.\n"
    "delete revokes a token and removes everything stored under it; then its name\n"
    "is free again. If it is interrupted, the server continues.\n"
    "All of this works with or without a running server of the data folder.\n\n" SECRET_HELP
    "\n"
    "  -p, --plan NAME        plan of the token (create: tokens.operator_plan by\n"
    "                         default, which is home unless set)\n" SECRET_FILE_HELP
    "  -f, --file FILE        the same as --token-file\n"
    "  -j, --json             list: a JSON object per line\n";

static const struct option own[] = {
    {"plan", required_argument, NULL, 'p'},
    {"file", required_argument, NULL, 'f'},
    {"json", no_argument, NULL, 'j'},
    SECRET_FILE_OPTION,
    {0},
};

struct token_options {
    const char *plan, *file;
    bool json;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct token_options *w = arg;

    switch (option) {
    case 'p': w->plan = value; return true;
    case 'j': w->json = true; return true;
    case 'f':
    case SECRET_FILE: w->file = value; return true;
    default: return false;
    }
}

/* Makes the change, or says why not. */
static int change_token(const struct command_line *s, const char *token,
                        const char *plan, struct change *ch)
{
    const int end = change_make(s, NAME, ch);
    const struct log_token shown = log_token(token, strlen(token));

    if (end != EXIT_SUCCESS || change_is_done(ch))
        return end;
    if (ch->status == 404)
        return failure(NAME,
                       "%s: unknown token: confab token list shows those of "
                       "this data folder",
                       shown.text);
    return change_failure(NAME, ch, shown.text, plan);
}

struct look_up {
    const char *token;
    bool is_tenant;
};

static enum store_err look_up(void *arg, struct store_reader *r)
{
    struct look_up *l = arg;
    struct token_row row;
    const enum store_err err = store_token(r, slice_str(l->token), &row);

    l->is_tenant = err == STORE_OK && row.named;
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

/* EXIT_SUCCESS unless it is a tenant with a name of its own: this command would revoke
 * or remove it for good, where its administrator may have meant to suspend it. */
static int refuse_tenant(const struct command_line *s, const char *token)
{
    struct look_up l = {.token = token};
    const int end = folder_read(s, NAME, look_up, &l);

    if (end == EXIT_SUCCESS && l.is_tenant)
        return failure(NAME, "%s is a tenant: use confab tenant", token);
    return end;
}

static int create_token(const struct command_line *s, const char *given,
                        const struct token_options *w)
{
    struct secret token;

    if (given != NULL || w->file != NULL) {
        const int end = secret_read(s, NAME, given, w->file, &token);
        if (end != EXIT_SUCCESS)
            return end;
    } else {
        if (sodium_init() < 0)
            return failure(NAME, "cannot read random numbers");
        token_make(token.text);
    }
    struct token_create args = {
        .token = slice_str(token.text),
        .plan = slice_str(w->plan != NULL ? w->plan : ""),
    };
    struct change ch = {.kind = COMMAND_TOKEN_CREATE,
                        .args = &args,
                        .may_make_store = true};
    const int end = change_token(s, token.text, w->plan, &ch);
    if (end == EXIT_SUCCESS)
        puts(token.text);
    return end;
}

static int set_plan(const struct command_line *s, const char *given,
                    const struct token_options *w)
{
    struct secret token;
    const int end = secret_read(s, NAME, given, w->file, &token);

    if (end != EXIT_SUCCESS)
        return end;
    struct token_set args = {slice_str(token.text), slice_str(w->plan)};
    struct change ch = {.kind = COMMAND_TOKEN_SET, .args = &args};
    const int refused = refuse_tenant(s, token.text);
    return refused != EXIT_SUCCESS ? refused
                                   : change_token(s, token.text, w->plan, &ch);
}

static int revoke_token(const struct command_line *s, const char *given,
                        const struct token_options *w)
{
    struct secret token;
    const int end = secret_read(s, NAME, given, w->file, &token);

    if (end != EXIT_SUCCESS)
        return end;
    struct token_revoke args = {slice_str(token.text)};
    struct change ch = {.kind = COMMAND_TOKEN_REVOKE, .args = &args};
    const int refused = refuse_tenant(s, token.text);
    return refused != EXIT_SUCCESS ? refused
                                   : change_token(s, token.text, NULL, &ch);
}

static int delete_token(const struct command_line *s, const char *given,
                        const struct token_options *w)
{
    struct secret token;
    const int end = secret_read(s, NAME, given, w->file, &token);

    if (end != EXIT_SUCCESS)
        return end;
    struct token_delete args = {slice_str(token.text)};
    struct change ch = {.kind = COMMAND_TOKEN_DELETE,
                        .args = &args,
                        .in_steps = true};
    const int refused = refuse_tenant(s, token.text);
    return refused != EXIT_SUCCESS ? refused
                                   : change_token(s, token.text, NULL, &ch);
}

struct token_list {
    const struct command_line *s;
    bool json;
    struct buffer line;
};

static enum store_err print_object(struct token_list *l,
                                   struct store_reader *r,
                                   const struct token_row *row)
{
    struct json_writer w = json_writer_of(&l->line);

    json_object(&w);
    const enum store_err err = tenant_write_row(&w, &l->s->config, r, row);
    json_object_end(&w);
    return err;
}

static void put_columns(struct token_list *l, struct store_reader *r,
                        const struct token_row *row)
{
    buffer_put_slice(&l->line, row->token);
    buffer_put_char(&l->line, '\t');
    buffer_put_slice(&l->line, row->plan);
    buffer_put_char(&l->line, '\t');
    buffer_put_time(&l->line, row->created_us, 3);
    buffer_put_char(&l->line, '\t');
    buffer_put_str(&l->line, tenant_state(row));
    tenant_put_usage(&l->line, &l->s->config, r, row);
}

static enum store_err print_row(struct token_list *l, struct store_reader *r,
                                const struct token_row *row)
{
    enum store_err err = STORE_OK;

    buffer_clear(&l->line);
    if (l->json)
        err = print_object(l, r, row);
    else
        put_columns(l, r, row);
    buffer_put_char(&l->line, '\n');
    if (err == STORE_OK)
        fwrite(l->line.data, 1, l->line.len, stdout);
    return err;
}

/* Tenants with a name are listed by confab tenant list. */
static enum store_err print_rows(void *arg, struct store_reader *r)
{
    struct token_row row;
    struct slice after = {0};
    enum store_err err;

    while ((err = store_token_next(r, after, &row)) == STORE_OK) {
        if (!row.named)
            err = print_row(arg, r, &row);
        if (err != STORE_OK)
            return err;
        after = row.token;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static int list_tokens(const struct command_line *s, bool json)
{
    struct token_list l = {.s = s, .json = json, .line = BUFFER_INIT};
    const int end = folder_read(s, NAME, print_rows, &l);

    buffer_release(&l.line);
    return end;
}

int cli_token(int argc, char **argv)
{
    static struct command_line s;
    struct token_options w = {0};
    const int end = command_line_parse(&s, argc, argv, "p:f:j", own,
                                       take_option, &w, usage);

    if (end >= 0)
        return end;
    const int operands = argc - s.first;
    const char *verb = operands > 0 ? argv[s.first] : "";
    const char *token = operands > 1 ? argv[s.first + 1] : NULL;
    const bool one = (token != NULL) + (w.file != NULL) == 1 && operands <= 2;

    if (w.json && strcmp(verb, "list") != 0)
        return usage_error(NAME, "--json is for list only");
    if (strcmp(verb, "create") == 0 && (one || operands == 1))
        return create_token(&s, token, &w);
    if (strcmp(verb, "set") == 0 && one && w.plan != NULL)
        return set_plan(&s, token, &w);
    if (strcmp(verb, "set") == 0 && one)
        return usage_error(NAME, "set needs --plan");
    if (w.plan != NULL)
        return usage_error(NAME, "--plan is for create and set only");
    if (strcmp(verb, "list") == 0 && operands == 1)
        return list_tokens(&s, w.json);
    if (strcmp(verb, "revoke") == 0 && one)
        return revoke_token(&s, token, &w);
    if (strcmp(verb, "delete") == 0 && one)
        return delete_token(&s, token, &w);
    if (strcmp(verb, "list") == 0)
        return usage_error(NAME, "list expects no operands");
    if (strcmp(verb, "create") == 0)
        return usage_error(NAME, "create expects at most one TOKEN, or "
                                 "--token-file");
    if (strcmp(verb, "set") == 0 || strcmp(verb, "revoke") == 0 ||
        strcmp(verb, "delete") == 0)
        return usage_error(NAME, "%s expects one TOKEN, or --token-file",
                           verb);
    return usage_error(NAME, "expected create, list, set, revoke or delete");
}
