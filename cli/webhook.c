/* confab webhook list|retry: what the store says of webhooks, and asking for dead
 * messages to be sent again. Works with or without a running server. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/flat_json.h"
#include "base/log.h"
#include "cli/change.h"
#include "cli/folder.h"
#include "cli/secret.h"
#include "cli/webhook_row.h"
#include "store/command/webhook.h"

#define NAME "webhook"

static const char usage[] =
    "Usage: confab webhook list [--tenant TENANT] [--dead] [--json]\n"
    "       confab webhook retry TENANT ID...\n"
    "       confab webhook retry TENANT --all\n\n"
    "A tenant's webhook gets each of its messages as a POST. It is on while the\n"
    "tenant has webhook.url and webhook.secret (confab tenant set) and is not\n"
    "suspended.\n"
    "list prints, separated by tabs: tenant, state (on, no secret, suspended,\n"
    "revoked, deleted), URL without its query, id up to which everything is\n"
    "delivered or dead, number of messages that still wait (10000+: at least so\n"
    "many), time of the last attempt, its status (-: no answer), number of dead\n"
    "messages, number of those forgotten, why the last attempt failed.\n"
    "A message is dead when webhooks.attempts attempts have failed. list --dead\n"
    "prints: tenant, id, thing, when it was given up, attempts, last status, dead or\n"
    "retry (it is to be sent again), why the last attempt failed. The newest 1,000\n"
    "of a tenant are kept.\n"
    "retry has dead messages sent again, apart from the order of their things; those\n"
    "that fail as often as the first time are dead again.\n\n" SECRET_HELP "\n"
    "  -t, --tenant TENANT    list only this one\n"
    "  -d, --dead             list dead messages\n"
    "  -a, --all              retry all dead messages of the tenant\n"
    "  -j, --json             print a JSON object per line\n" SECRET_FILE_HELP;

static const struct option own[] = {
    {"tenant", required_argument, NULL, 't'},
    {"dead", no_argument, NULL, 'd'},
    {"all", no_argument, NULL, 'a'},
    {"json", no_argument, NULL, 'j'},
    SECRET_FILE_OPTION,
    {0},
};

struct webhook_options {
    const char *tenant, *file;
    bool dead, all, json;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct webhook_options *o = arg;

    switch (option) {
    case 't': o->tenant = value; return true;
    case 'd': o->dead = true; return true;
    case 'a': o->all = true; return true;
    case 'j': o->json = true; return true;
    case SECRET_FILE: o->file = value; return true;
    default: return false;
    }
}

/* ---- listing --------------------------------------------------------------- */

struct webhook_listing {
    const struct webhook_options *o;
    struct slice only; /* empty: all */
    bool is_unknown;   /* there is no such tenant */
    struct buffer line;
};

static void print_line(struct webhook_listing *l)
{
    fwrite(l->line.data, 1, l->line.len, stdout);
    buffer_clear(&l->line);
}

static enum store_err print_dead(struct webhook_listing *l,
                                 struct store_reader *r, struct slice tenant)
{
    struct webhook_dead_row d = {.id = 0};
    enum store_err err;

    while ((err = store_webhook_dead_next(r, tenant, d.id, &d)) == STORE_OK) {
        webhook_put_dead(&l->line, tenant, &d, l->o->json);
        print_line(l);
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static enum store_err print_one(struct webhook_listing *l,
                                struct store_reader *r,
                                const struct webhook_row *row)
{
    if (l->o->dead)
        return print_dead(l, r, row->tenant);
    const enum store_err err = webhook_put_row(&l->line, r, row, l->o->json);
    if (err == STORE_OK)
        print_line(l);
    return err;
}

static enum store_err print_rows(void *arg, struct store_reader *r)
{
    struct webhook_listing *l = arg;
    struct webhook_row row;
    struct slice after = {0};
    struct token_row tenant;
    enum store_err err;

    l->is_unknown =
        l->only.len > 0 && store_token(r, l->only, &tenant) == STORE_NOTFOUND;
    while ((err = store_webhook_next(r, after, &row)) == STORE_OK) {
        after = row.tenant;
        if (l->only.len > 0 && !slice_eq(l->only, row.tenant))
            continue;
        err = print_one(l, r, &row);
        if (err != STORE_OK)
            return err;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static int list_webhooks(const struct command_line *s,
                         const struct webhook_options *o)
{
    struct webhook_listing l = {.o = o};
    struct secret tenant;

    int end = secret_read_any(s, NAME, o->tenant, o->file, &tenant);
    if (end != EXIT_SUCCESS)
        return end;
    l.only = slice_str(tenant.text);
    end = folder_read(s, NAME, print_rows, &l);
    buffer_release(&l.line);
    if (end == EXIT_SUCCESS && l.is_unknown)
        return failure(NAME,
                       "%s: unknown tenant: confab tenant list shows those of "
                       "this data folder",
                       log_token(tenant.text, strlen(tenant.text)).text);
    return end;
}

/* ---- trying again ---------------------------------------------------------- */

static int read_ids(char **texts, size_t count, uint64_t *ids)
{
    for (size_t i = 0; i < count; i++) {
        char *end;
        errno = 0;
        ids[i] = strtoull(texts[i], &end, 10);
        if (errno != 0 || *end != '\0' || texts[i][0] < '0' ||
            texts[i][0] > '9' || ids[i] == 0)
            return usage_error(NAME, "%s: not the id of a message", texts[i]);
    }
    return EXIT_SUCCESS;
}

static int retry(const struct command_line *s, const char *tenant, bool all,
                 char **texts, size_t count)
{
    uint64_t ids[WEBHOOK_DEAD_MAX];
    struct webhook_retry args = {.tenant = slice_str(tenant),
                                 .ids = ids,
                                 .id_count = count,
                                 .all = all};
    struct change ch = {.kind = COMMAND_WEBHOOK_RETRY, .args = &args};
    const struct log_token shown = log_token(tenant, strlen(tenant));

    if (count > WEBHOOK_DEAD_MAX)
        return usage_error(NAME, "more than %d ids: give --all",
                           WEBHOOK_DEAD_MAX);
    int end = read_ids(texts, count, ids);
    if (end == EXIT_SUCCESS)
        end = change_make(s, NAME, &ch);
    if (end != EXIT_SUCCESS || change_is_done(&ch))
        return end;
    if (change_was_refused(&ch, "NOT_FOUND"))
        return failure(NAME,
                       "%s: no such dead messages: confab webhook list --dead "
                       "shows those there are",
                       shown.text);
    return change_failure(NAME, &ch, shown.text, NULL);
}

static int retry_verb(const struct command_line *s,
                      const struct webhook_options *o, char **operands,
                      size_t count)
{
    struct secret tenant;

    if (o->dead || o->json || o->tenant != NULL)
        return usage_error(NAME, "retry takes TENANT and ID... or --all");
    if (o->file == NULL && count == 0)
        return usage_error(NAME, "retry expects a TENANT");
    const char *given = o->file == NULL ? operands[0] : NULL;
    if (given != NULL)
        operands++, count--;
    if (o->all == (count > 0))
        return usage_error(NAME, "retry expects either ID... or --all");
    const int end = secret_read(s, NAME, given, o->file, &tenant);
    return end == EXIT_SUCCESS ? retry(s, tenant.text, o->all, operands, count)
                               : end;
}

int cli_webhook(int argc, char **argv)
{
    static struct command_line s;
    struct webhook_options o = {0};
    const int end = command_line_parse(&s, argc, argv, "t:daj", own,
                                       take_option, &o, usage);

    if (end >= 0)
        return end;
    char **operands = argv + s.first;
    const size_t count = (size_t)(argc - s.first);
    const char *verb = count > 0 ? operands[0] : "";

    if (strcmp(verb, "retry") == 0)
        return retry_verb(&s, &o, operands + 1, count - 1);
    if (strcmp(verb, "list") != 0)
        return usage_error(NAME, "expected list or retry");
    if (count > 1 || o.all)
        return usage_error(NAME,
                           "list takes --tenant, --dead and --json only");
    return list_webhooks(&s, &o);
}
