/* confab tenant create|list|show|set|suspend|resume|delete: through the running
 * server if there is one, else on the data folder itself (cli/change.h). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/flat_json.h"
#include "base/log.h"
#include "base/plan_limits.h"
#include "base/tenant_setting.h"
#include "bridge/outgoing/fetcher.h"
#include "cli/change.h"
#include "cli/folder.h"
#include "cli/secret.h"
#include "cli/setting_value.h"
#include "cli/tenant_row.h"
#include "store/command/tenant.h"
#include "store/command/token.h"
#include "store/directory.h"

#define NAME "tenant"

static const char usage[] =
    "Usage: confab tenant create [--plan PLAN] [--json] NAME [limits.KEY=VALUE]...\n"
    "       confab tenant list [--json]\n"
    "       confab tenant show [--json] TENANT\n"
    "       confab tenant set [--plan PLAN] TENANT [SETTING=VALUE]...\n"
    "       confab tenant suspend TENANT\n"
    "       confab tenant resume TENANT\n"
    "       confab tenant delete TENANT\n\n"
    "A tenant owns the topics NAME/... Its NAME (at most 64 of [A-Za-z0-9_-]) is\n"
    "public and opens nothing: clients need a key of it (confab key). A token is a\n"
    "tenant whose name is its key; the commands other than create take tokens, too.\n"
    "list prints, separated by tabs: name, kind (tenant or token), plan, creation\n"
    "time, state (valid, open: first used in open mode, suspended, revoked), bytes\n"
    "of its messages and their limit, bytes of its sessions and their limit, number\n"
    "of keys; where it has limits of its own, these. The limits are its own, else\n"
    "those of the plan in this command's settings, so give it the same -c as the\n"
    "server; -: no limit, or the plan is not in the settings.\n"
    "show prints the same and the settings of one, and of one with own limits all\n"
    "limits that hold: limits.KEY is its own, plan.KEY its plan's; of secrets only whether they are\n"
    "set.\n"
    "set changes the plan or settings, at once. VALUE may be @FILE, or @- for\n"
    "standard input; a secret must be, because other users can see a command's\n"
    "arguments. One line break at the end is removed. SETTING= unsets a setting.\n"
    "suspend closes the tenant's connections within a second, and refuses new ones\n"
    "and all messages until resume; its data and keys stay.\n"
    "delete removes the tenant, its keys and everything stored under it; then its\n"
    "name is free again. If it is interrupted, the server continues.\n"
    "All of this works with or without a running server of the data folder.\n\n"
    "limits.KEY=VALUE gives the tenant a limit of its own, higher or lower than that\n"
    "of its plan: KEY is a key of [plan:NAME] (confab check --help), VALUE like 50,\n"
    "1G or 7d, 0 for no limit. limits.KEY= removes it.\n\n"
    "Settings:\n"
#define X(id, name, secret, form, text)                                       \
    "  " name "\n                         " text "\n"
    TENANT_SETTINGS_LIST(X)
#undef X
        "\n" SECRET_HELP "\n"
        "  -p, --plan PLAN        plan of the tenant (create: tokens.operator_plan by\n"
        "                         default, which is home unless set)\n"
        "  -j, --json             print a JSON object per line\n" SECRET_FILE_HELP;

static const struct option own[] = {
    {"plan", required_argument, NULL, 'p'},
    {"json", no_argument, NULL, 'j'},
    SECRET_FILE_OPTION,
    {0},
};

struct tenant_options {
    const char *plan, *file;
    bool json;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct tenant_options *w = arg;

    switch (option) {
    case 'p': w->plan = value; return true;
    case 'j': w->json = true; return true;
    case SECRET_FILE: w->file = value; return true;
    default: return false;
    }
}

/* Makes the change, or says why not. */
static int change_tenant(const struct command_line *s, const char *tenant,
                         const char *plan, struct change *ch)
{
    const int end = change_make(s, NAME, ch);
    const struct log_token shown = log_token(tenant, strlen(tenant));

    if (end != EXIT_SUCCESS || change_is_done(ch))
        return end;
    if (change_was_refused(ch, "NOT_FOUND") ||
        change_was_refused(ch, "UNKNOWN_TOKEN"))
        return failure(NAME,
                       "%s: unknown tenant: confab tenant list shows those of "
                       "this data folder",
                       shown.text);
    if (change_was_refused(ch, "REVOKED"))
        return failure(NAME,
                       "%s: it was revoked for good: confab tenant delete "
                       "removes it and frees its name",
                       shown.text);
    return change_failure(NAME, ch, shown.text, plan);
}

/* ---- listing ------------------------------------------------------------- */

struct tenant_list {
    const struct config *config;
    const struct tenant_options *w;
    const char *only; /* show: this one */
    bool is_found;
    struct buffer line;
};

static void print_line(struct tenant_list *l)
{
    fwrite(l->line.data, 1, l->line.len, stdout);
}

static enum store_err print_row(struct tenant_list *l, struct store_reader *r,
                                const struct token_row *row)
{
    struct json_writer w = json_writer_of(&l->line);
    enum store_err err;

    buffer_clear(&l->line);
    if (l->w->json) {
        json_object(&w);
        err = tenant_write_row(&w, l->config, r, row);
        json_object_end(&w);
        buffer_put_char(&l->line, '\n');
    } else {
        err = tenant_put_row(&l->line, l->config, r, row);
    }
    if (err == STORE_OK)
        print_line(l);
    return err;
}

static enum store_err print_rows(void *arg, struct store_reader *r)
{
    struct tenant_list *l = arg;
    struct token_row row;
    struct slice after = {0};
    enum store_err err;

    while ((err = store_token_next(r, after, &row)) == STORE_OK) {
        err = print_row(l, r, &row);
        if (err != STORE_OK)
            return err;
        after = row.token;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static int list_tenants(const struct command_line *s,
                        const struct tenant_options *w)
{
    struct tenant_list l = {.config = &s->config, .w = w};
    const int end = folder_read(s, NAME, print_rows, &l);

    buffer_release(&l.line);
    return end;
}

/* ---- showing one --------------------------------------------------------- */

/* A setting of another version counts as secret (tenant_setting_is_secret()). */
static struct slice shown_value(struct slice name, struct slice value)
{
    return tenant_setting_is_secret(tenant_setting_of_name(name))
               ? slice_str("set")
               : value;
}

static void put_limit(void *arg, const char *key, uint64_t value, bool is_own)
{
    struct buffer *b = arg;

    buffer_put_str(b, is_own ? PLAN_LIMITS_PREFIX : "plan.");
    buffer_put_str(b, key);
    buffer_put_char(b, '\t');
    buffer_put_u64(b, value);
    buffer_put_char(b, '\n');
}

static void put_limits(struct buffer *b, const struct config *config,
                       const struct token_row *row)
{
    struct plan with_own;

    if (row->limits.len > 0)
        plan_limits_each(config_plan_of(config, row->plan, row->limits,
                                        &with_own),
                         put_limit, b);
}

static void write_limit(void *arg, const char *key, uint64_t value,
                        bool is_own)
{
    (void)is_own;
    json_name_literal(arg, key, strlen(key));
    json_u64(arg, value);
}

/* All that hold, its own and its plan's; 0: none. */
static void write_limits(struct json_writer *w, const struct config *config,
                         const struct token_row *row)
{
    struct plan with_own;

    json_member_object(w, "effective_limits");
    plan_limits_each(config_plan_of(config, row->plan, row->limits, &with_own),
                     write_limit, w);
    json_object_end(w);
}

static void put_settings(struct buffer *b, const struct tenant_settings *set)
{
    struct buffer json = BUFFER_INIT;

    for (size_t i = 0; i < set->count; i++) {
        buffer_put_slice(b, set->list[i].name);
        buffer_put_char(b, '\t');
        buffer_clear(&json);
        buffer_put_json_string(&json, shown_value(set->list[i].name,
                                                  set->list[i].value));
        flat_json_show(b, buffer_slice(&json));
        buffer_put_char(b, '\n');
    }
    buffer_release(&json);
}

/* Names were checked when they were set, so they need no escapes. */
static void write_settings(struct json_writer *w,
                           const struct tenant_settings *set)
{
    json_member_object(w, "settings");
    for (size_t i = 0; i < set->count; i++) {
        json_name_literal(w, set->list[i].name.data, set->list[i].name.len);
        json_string(w, shown_value(set->list[i].name, set->list[i].value));
    }
    json_object_end(w);
}

static enum store_err print_one(void *arg, struct store_reader *r)
{
    struct tenant_list *l = arg;
    struct json_writer w = json_writer_of(&l->line);
    struct tenant_settings set = {0};
    struct token_row row;

    enum store_err err = store_token(r, slice_str(l->only), &row);
    l->is_found = err == STORE_OK;
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    err = store_tenant_settings(r, row.token, &set);
    if (err != STORE_OK && err != STORE_NOTFOUND)
        return err;
    if (l->w->json) {
        json_object(&w);
        err = tenant_write_row(&w, l->config, r, &row);
        write_settings(&w, &set);
        write_limits(&w, l->config, &row);
        json_object_end(&w);
        buffer_put_char(&l->line, '\n');
    } else {
        err = tenant_put_row(&l->line, l->config, r, &row);
        put_settings(&l->line, &set);
        put_limits(&l->line, l->config, &row);
    }
    if (err == STORE_OK)
        print_line(l);
    return err;
}

static int show_tenant(const struct command_line *s, const char *tenant,
                       const struct tenant_options *w)
{
    struct tenant_list l = {.config = &s->config, .w = w, .only = tenant};
    const int end = folder_read(s, NAME, print_one, &l);

    buffer_release(&l.line);
    if (end == EXIT_SUCCESS && !l.is_found)
        return failure(NAME,
                       "%s: unknown tenant: confab tenant list shows those of "
                       "this data folder",
                       log_token(tenant, strlen(tenant)).text);
    return end;
}

/* ---- changing ------------------------------------------------------------ */

static int create_tenant(const struct command_line *s, const char *name,
                         const struct tenant_options *w,
                         const struct setting_values *limits)
{
    struct tenant_create args = {
        .tenant = slice_str(name),
        .plan = slice_str(w->plan != NULL ? w->plan : ""),
        .set = (struct slice *)limits->list,
        .set_count = limits->count,
    };
    struct change ch = {.kind = COMMAND_TENANT_CREATE,
                        .args = &args,
                        .may_make_store = true};

    if (!token_valid(args.tenant) || name[0] == '-')
        return failure(NAME, "a tenant's name is 1 to 64 of A-Z a-z 0-9 _ -, "
                             "and does not begin with -");
    const int end = change_make(s, NAME, &ch);
    if (end != EXIT_SUCCESS)
        return end;
    if (!change_is_done(&ch)) /* the name is public: shown whole */
        return change_failure(NAME, &ch, name, w->plan);
    return w->json ? show_tenant(s, name, w) : EXIT_SUCCESS;
}

static int create_with_limits(const struct command_line *s, const char *name,
                              const struct tenant_options *w, char **texts,
                              size_t count)
{
    struct setting_values values = {0};
    struct slice key;
    int end = EXIT_SUCCESS;

    for (size_t i = 0; end == EXIT_SUCCESS && i < count; i++)
        if (!plan_limit_name(slice_str(texts[i]), &key))
            end = usage_error(NAME,
                              "create expects one NAME and limits.KEY=VALUE; "
                              "other settings are for set");
    if (end == EXIT_SUCCESS)
        end = setting_values_read(NAME, texts, count, &values);
    if (end == EXIT_SUCCESS)
        end = create_tenant(s, name, w, &values);
    setting_values_release(&values);
    return end;
}

/* The server looks at addresses when it connects to them; one that can only fail is
 * told here, where somebody reads it. */
static int check_webhook_url(const struct command_line *s,
                             const struct setting_values *values)
{
    struct address_policy policy;
    struct slice name, value;
    char text[FETCH_TEXT_MAX];

    cidr_list_parse(s->config.outgoing_allow, &policy.allow);
    for (size_t i = 0; i < values->count; i++) {
        if (!tenant_setting_split(values->list[i], &name, &value) ||
            !slice_eq(name, slice_str("webhook.url")) || value.len == 0)
            continue;
        char *url = strndup(value.data, value.len);
        const bool ok = url != NULL && fetch_url_check(url, text) &&
                        fetch_url_check_address(url, &policy, text);
        const bool had_memory = url != NULL;
        free(url);
        if (!ok)
            return usage_error(NAME,
                               "webhook.url: %s (by this command's settings: "
                               "give it the same -c as the server)",
                               had_memory ? text : "out of memory");
    }
    return EXIT_SUCCESS;
}

static int set_tenant(const struct command_line *s, const char *tenant,
                      const struct tenant_options *w, char **texts,
                      size_t count)
{
    struct setting_values values = {0};
    struct tenant_set args = {
        .tenant = slice_str(tenant),
        .plan = slice_str(w->plan != NULL ? w->plan : ""),
    };
    struct change ch = {.kind = COMMAND_TENANT_SET, .args = &args};
    int end = setting_values_read(NAME, texts, count, &values);

    if (end == EXIT_SUCCESS)
        end = check_webhook_url(s, &values);
    if (end == EXIT_SUCCESS) {
        args.set = values.list;
        args.set_count = values.count;
        end = change_tenant(s, tenant, w->plan, &ch);
    }
    setting_values_release(&values);
    return end;
}

static int suspend_tenant(const struct command_line *s, const char *tenant,
                          bool lift)
{
    struct tenant_suspend args = {slice_str(tenant), lift};
    struct change ch = {.kind = COMMAND_TENANT_SUSPEND, .args = &args};

    return change_tenant(s, tenant, NULL, &ch);
}

static int delete_tenant(const struct command_line *s, const char *tenant)
{
    struct token_delete args = {slice_str(tenant)};
    struct change ch = {.kind = COMMAND_TOKEN_DELETE,
                        .args = &args,
                        .in_steps = true};

    return change_tenant(s, tenant, NULL, &ch);
}

/* ---- verbs --------------------------------------------------------------- */

/* Of those that exist already. `rest`: operands behind the tenant. */
static int change_one(const struct command_line *s, const char *verb,
                      const char *given, const struct tenant_options *w,
                      char **rest, size_t rest_count)
{
    const bool sets = strcmp(verb, "set") == 0;
    struct secret tenant;
    int end;

    if (sets && w->plan == NULL && rest_count == 0)
        return usage_error(NAME, "set needs --plan or SETTING=VALUE");
    if (!sets && w->plan != NULL)
        return usage_error(NAME, "--plan is for create and set only");
    if (!sets && rest_count > 0)
        return usage_error(NAME, "expected one TENANT");
    end = secret_read(s, NAME, given, w->file, &tenant);
    if (end != EXIT_SUCCESS)
        return end;
    if (sets)
        return set_tenant(s, tenant.text, w, rest, rest_count);
    if (strcmp(verb, "show") == 0)
        return show_tenant(s, tenant.text, w);
    return strcmp(verb, "delete") == 0
               ? delete_tenant(s, tenant.text)
               : suspend_tenant(s, tenant.text, strcmp(verb, "resume") == 0);
}

static bool is_about_one(const char *verb)
{
    static const char *const verbs[] = {"show", "set", "suspend", "resume",
                                        "delete"};

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verb, verbs[i]) == 0)
            return true;
    return false;
}

int cli_tenant(int argc, char **argv)
{
    static struct command_line s;
    struct tenant_options w = {0};
    const int end =
        command_line_parse(&s, argc, argv, "p:j", own, take_option, &w, usage);

    if (end >= 0)
        return end;
    char **operands = argv + s.first;
    size_t count = (size_t)(argc - s.first);
    const char *verb = count > 0 ? operands[0] : "";

    if (strcmp(verb, "create") == 0) {
        if (count < 2 || w.file != NULL)
            return usage_error(NAME, "create expects one NAME");
        return create_with_limits(&s, operands[1], &w, operands + 2,
                                  count - 2);
    }
    if (strcmp(verb, "list") == 0) {
        if (count != 1 || w.file != NULL || w.plan != NULL)
            return usage_error(NAME, "list takes no TENANT and no --plan");
        return list_tenants(&s, &w);
    }
    if (!is_about_one(verb))
        return usage_error(NAME, "expected create, list, show, set, suspend, "
                                 "resume or delete");
    if (w.file != NULL)
        return change_one(&s, verb, NULL, &w, operands + 1, count - 1);
    if (count < 2)
        return usage_error(NAME, "%s expects a TENANT", verb);
    return change_one(&s, verb, operands[1], &w, operands + 2, count - 2);
}
