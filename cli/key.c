/* confab key create|list|revoke|rotate: through the running server if there is one,
 * else on the data folder itself (cli/change.h). The secret is made here, is printed
 * once, and nothing but its hash leaves the process. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/change.h"
#include "cli/folder.h"
#include "cli/key_row.h"
#include "cli/secret.h"
#include "store/command/key.h"

#define NAME "key"
#define SECONDS_MAX (100 * UINT64_C(366) * 86400)

static const char usage[] =
    "Usage: confab key create --tenant TENANT [OPTION]...\n"
    "       confab key list --tenant TENANT [--json]\n"
    "       confab key revoke --tenant TENANT KEY_ID\n"
    "       confab key rotate --tenant TENANT [--keep TIME] [--json] KEY_ID\n\n"
    "A key is a secret that acts for a tenant, with rights. create prints the new\n"
    "secret, and nothing else, on stdout; it cannot be shown again. Its key id and\n"
    "rights go to stderr. Without --publish, --subscribe, --manage and --admin it\n"
    "may publish and subscribe to all topics of the tenant.\n"
    "list prints, separated by tabs: key id, kind, label, rights, mount, user, plan,\n"
    "creation time, expiry, state (valid, expired, or suspended or revoked with its\n"
    "tenant), and when a client last connected or asked with it, to the hour. -: none or\n"
    "never; mount /: the tenant's root.\n"
    "revoke ends a key for good; its connections close within a second.\n"
    "rotate prints a new secret with the same rights. The old one ends at once, or\n"
    "after --keep.\n"
    "All of this works with or without a running server of the data folder.\n\n"
    "Other users can see a command's arguments. So TENANT, if it is a token, may\n"
    "also be the beginning of a token and ..., or - (a line of standard input), or\n"
    "come from --token-file.\n\n"
    "  -t, --tenant TENANT    whose key it is: a tenant or a token\n" SECRET_FILE_HELP
    "  -j, --json             create, rotate: print the secret and all about the key\n"
    "                         as a JSON object; list: an object per line\n"
    "      --keep TIME        rotate: the old secret works so much longer, like 24h\n"
    "Options of create:\n"
    "      --label LABEL      what it is for; at most 128 bytes\n"
    "      --kind KIND        server (the default), live, test, device or agent:\n"
    "                         which prefix the secret has, for people and scanners\n"
    "      --publish FILTER   may publish to topics that match, below the tenant:\n"
    "                         rooms/+/state or #. A level %u is the key's user, %c\n"
    "                         the client id. This and the next two may be repeated\n"
    "      --subscribe FILTER may read them: live, latest, history, listing\n"
    "      --manage FILTER    may edit and delete messages there\n"
    "      --admin            may do everything of the tenant, and manage its keys\n"
    "      --user USER        whom it speaks for\n"
    "      --mount PREFIX     its clients' topics are below TENANT/PREFIX/, and they\n"
    "                         do not see that; '': below TENANT/\n"
    "      --plan PLAN        limits of its own instead of the tenant's\n"
    "      --expires TIME     ends after so long: seconds, or 90d, 12h, 30m, 2w\n";

enum {
    OPTION_KEEP = SECRET_FILE + 1,
    OPTION_LABEL,
    OPTION_KIND,
    OPTION_PUBLISH,
    OPTION_SUBSCRIBE,
    OPTION_MANAGE,
    OPTION_ADMIN,
    OPTION_USER,
    OPTION_MOUNT,
    OPTION_EXPIRES
};

static const struct option own[] = {
    {"tenant", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"keep", required_argument, NULL, OPTION_KEEP},
    {"label", required_argument, NULL, OPTION_LABEL},
    {"kind", required_argument, NULL, OPTION_KIND},
    {"publish", required_argument, NULL, OPTION_PUBLISH},
    {"subscribe", required_argument, NULL, OPTION_SUBSCRIBE},
    {"manage", required_argument, NULL, OPTION_MANAGE},
    {"admin", no_argument, NULL, OPTION_ADMIN},
    {"user", required_argument, NULL, OPTION_USER},
    {"mount", required_argument, NULL, OPTION_MOUNT},
    {"plan", required_argument, NULL, 'p'},
    {"expires", required_argument, NULL, OPTION_EXPIRES},
    SECRET_FILE_OPTION,
    {0},
};

struct key_options {
    const char *tenant, *file;
    const char *keep;
    bool json;
    bool is_create; /* one of the options below was given */
    const char *label, *kind, *user, *mount, *plan, *expires;
    struct rights_draft rights;
    enum right_error wrong; /* of the first right that is wrong, */
    const char *wrong_right;
};

static bool take_right(struct key_options *w, enum caller_action action,
                       const char *filter)
{
    const enum right_error err =
        rights_add(&w->rights, action, slice_str(filter));

    if (err != RIGHT_OK && w->wrong == RIGHT_OK) {
        w->wrong = err;
        w->wrong_right = filter;
    }
    return true;
}

static bool take_create_option(struct key_options *w, int option,
                               const char *value)
{
    w->is_create = true;
    switch (option) {
    case OPTION_LABEL: w->label = value; return true;
    case OPTION_KIND: w->kind = value; return true;
    case OPTION_PUBLISH: return take_right(w, CALLER_PUBLISH, value);
    case OPTION_SUBSCRIBE: return take_right(w, CALLER_SUBSCRIBE, value);
    case OPTION_MANAGE: return take_right(w, CALLER_MANAGE, value);
    case OPTION_ADMIN: return take_right(w, CALLER_ADMIN, "#");
    case OPTION_USER: w->user = value; return true;
    case OPTION_MOUNT: w->mount = value; return true;
    case OPTION_EXPIRES: w->expires = value; return true;
    case 'p': w->plan = value; return true;
    default: return false;
    }
}

static bool take_option(void *arg, int option, const char *value)
{
    struct key_options *w = arg;

    switch (option) {
    case 't': w->tenant = value; return true;
    case 'j': w->json = true; return true;
    case OPTION_KEEP: w->keep = value; return true;
    case SECRET_FILE: w->file = value; return true;
    default: return take_create_option(w, option, value);
    }
}

/* Reads --expires or --keep; *ret_us is 0 if `text` is NULL. */
static int read_time(const char *option, const char *text, int64_t *ret_us)
{
    uint64_t seconds;

    *ret_us = 0;
    if (text == NULL)
        return EXIT_SUCCESS;
    if (!config_quantity(text, "seconds", &seconds) || seconds == 0 ||
        seconds > SECONDS_MAX)
        return usage_error(
            NAME,
            "%s %s: expected a number of seconds, or with s, m, "
            "h, d or w, like 90d; at most 100 years",
            option, text);
    *ret_us = clock_real_us() + (int64_t)seconds * 1000000;
    return EXIT_SUCCESS;
}

static int unknown_tenant(const char *tenant)
{
    return failure(NAME,
                   "--tenant %s: unknown tenant: confab tenant list shows "
                   "those of this data folder (tokens in state open must be "
                   "created first)",
                   log_token(tenant, strlen(tenant)).text);
}

static int unknown_key(const char *id)
{
    return failure(NAME,
                   "%.32s: the tenant has no such key: confab key list "
                   "shows its keys",
                   id);
}

/* Makes the change, or says why not. */
static int change_key(const struct command_line *s, const char *tenant,
                      const char *id, const char *plan, struct change *ch)
{
    const int end = change_make(s, NAME, ch);

    if (end != EXIT_SUCCESS || change_is_done(ch))
        return end;
    if (change_was_refused(ch, "UNKNOWN_TOKEN"))
        return unknown_tenant(tenant);
    if (change_was_refused(ch, "NOT_FOUND") && id != NULL)
        return unknown_key(id);
    if (ch->status == 400 &&
        plan == NULL) /* it begins with the option's name */
        return failure(NAME, "--%s", ch->reason);
    return change_failure(NAME, ch, log_token(tenant, strlen(tenant)).text,
                          plan);
}

/* ---- reading keys -------------------------------------------------------- */

struct key_listing {
    const struct key_options *w;
    const char *tenant;
    const char *id;     /* this one only, or NULL */
    const char *secret; /* printed with it, or NULL */
    bool is_tenant_found, is_key_found;
    enum secret_kind kind; /* of `id` */
    int64_t now_us;
    struct buffer line;
};

static void print_row(struct key_listing *l, const struct key_row *key,
                      const struct token_row *tenant)
{
    const char *state = key_state(key, tenant, l->now_us);
    struct json_writer w = json_writer_of(&l->line);

    buffer_clear(&l->line);
    if (l->w->json) {
        json_object(&w);
        if (l->secret != NULL)
            json_member_text(&w, "secret", l->secret);
        key_write_row(&w, key, state);
        json_object_end(&w);
        buffer_put_char(&l->line, '\n');
    } else {
        key_put_row(&l->line, key, state);
    }
    fwrite(l->line.data, 1, l->line.len, stdout);
}

static enum store_err find_tenant(struct key_listing *l,
                                  struct store_reader *r,
                                  struct token_row *ret_tenant)
{
    const enum store_err err =
        store_token(r, slice_str(l->tenant), ret_tenant);

    l->is_tenant_found = err == STORE_OK;
    return err;
}

static enum store_err print_rows(void *arg, struct store_reader *r)
{
    struct key_listing *l = arg;
    struct slice after = {0};
    struct token_row tenant;
    struct key_row key;

    enum store_err err = find_tenant(l, r, &tenant);
    while (err == STORE_OK &&
           (err = store_key_next(r, slice_str(l->tenant), after, &key)) ==
               STORE_OK) {
        print_row(l, &key, &tenant);
        after = key.hash;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

/* Looks for the key `id`, and prints it if there is a secret to print. */
static enum store_err find_key(void *arg, struct store_reader *r)
{
    struct key_listing *l = arg;
    struct token_row tenant;
    struct key_row key;

    enum store_err err = find_tenant(l, r, &tenant);
    if (err == STORE_OK)
        err = store_key_by_id(r, slice_str(l->tenant), slice_str(l->id), &key);
    l->is_key_found = err == STORE_OK;
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    l->kind = key.kind;
    if (l->secret != NULL && l->w->json)
        print_row(l, &key, &tenant);
    else if (l->secret != NULL) {
        buffer_clear(&l->line);
        key_put_rights(&l->line, &key);
        fprintf(stderr, "confab " NAME ": %s: %.*s\n", l->id, (int)l->line.len,
                l->line.data);
    }
    return STORE_OK;
}

static int list_keys(const struct command_line *s, const char *tenant,
                     const struct key_options *w)
{
    struct key_listing l = {.w = w,
                            .tenant = tenant,
                            .now_us = clock_real_us()};
    const int end = folder_read(s, NAME, print_rows, &l);

    buffer_release(&l.line);
    return end == EXIT_SUCCESS && !l.is_tenant_found ? unknown_tenant(tenant)
                                                     : end;
}

/* Prints a new key, which is on disk: the secret alone on stdout, or JSON. */
static int print_new_key(const struct command_line *s, const char *tenant,
                         const struct key_options *w, const char *secret,
                         const unsigned char *hash)
{
    char id[KEY_ID_SIZE];
    struct key_listing l = {.w = w,
                            .tenant = tenant,
                            .id = id,
                            .secret = secret,
                            .now_us = clock_real_us()};

    key_id_make(hash, id);
    if (!w->json)
        puts(secret); /* first: it cannot be had again */
    const int end = folder_read(s, NAME, find_key, &l);
    if (l.line.data != NULL)
        sodium_memzero(l.line.data, l.line.cap);
    buffer_release(&l.line);
    return end;
}

/* ---- create -------------------------------------------------------------- */

static int read_kind(const char *word, enum secret_kind *ret_kind)
{
    *ret_kind = SECRET_SERVER;
    if (word == NULL || (secret_kind_of_word(slice_str(word), ret_kind) &&
                         *ret_kind != SECRET_TICKET))
        return EXIT_SUCCESS;
    return usage_error(NAME,
                       "--kind %s: expected server, live, test, device or "
                       "agent",
                       word);
}

/* The rights as texts, in one block that `texts` points into. */
static bool put_right_texts(const struct rights_draft *draft, struct buffer *b,
                            struct slice texts[RIGHTS_MAX], size_t *ret_count)
{
    size_t ends[RIGHTS_MAX];
    struct rights *rights = rights_new(draft);

    if (rights == NULL)
        return false;
    for (size_t i = 0; i < rights->count; i++) {
        right_put_text(b, &rights->list[i]);
        ends[i] = b->len;
    }
    for (size_t i = 0, at = 0; i < rights->count; at = ends[i++])
        texts[i] = slice_of(b->data + at, ends[i] - at);
    *ret_count = rights->count;
    free(rights);
    return buffer_ok(b);
}

static int submit_new_key(const struct command_line *s, const char *tenant,
                          const struct key_options *w, struct key_create *args)
{
    unsigned char hash[SECRET_HASH_BYTES];
    char secret[SECRET_SIZE];
    struct change ch = {.kind = COMMAND_KEY_CREATE, .args = args};

    secret_make((enum secret_kind)args->kind, secret);
    secret_hash(slice_str(secret), hash);
    args->hash = slice_of(hash, sizeof(hash));
    int end = change_key(s, tenant, NULL, w->plan, &ch);
    if (end == EXIT_SUCCESS)
        end = print_new_key(s, tenant, w, secret, hash);
    sodium_memzero(secret, sizeof(secret));
    return end;
}

static struct slice text_of(const char *text)
{
    return slice_str(text != NULL ? text : "");
}

static int create_key(const struct command_line *s, const char *tenant,
                      const struct key_options *w)
{
    struct slice rights[RIGHTS_MAX];
    struct buffer b = BUFFER_INIT;
    struct key_create args = {
        .tenant = slice_str(tenant),
        .label = text_of(w->label),
        .rights = rights,
        .mounted = w->mount != NULL,
        .mount = text_of(w->mount),
        .user = text_of(w->user),
        .plan = text_of(w->plan),
    };
    enum secret_kind kind;

    if (w->wrong != RIGHT_OK)
        return usage_error(NAME, "%s: %s", w->wrong_right,
                           right_error_text(w->wrong));
    int end = read_kind(w->kind, &kind);
    if (end == EXIT_SUCCESS)
        end = read_time("--expires", w->expires, &args.expires_us);
    if (end != EXIT_SUCCESS)
        return end;
    args.kind = kind;
    end = put_right_texts(&w->rights, &b, rights, &args.right_count)
              ? submit_new_key(s, tenant, w, &args)
              : failure(NAME, "out of memory");
    buffer_release(&b);
    return end;
}

/* ---- revoke, rotate ------------------------------------------------------ */

static int revoke_key(const struct command_line *s, const char *tenant,
                      const char *id)
{
    struct key_revoke args = {slice_str(tenant), slice_str(id)};
    struct change ch = {.kind = COMMAND_KEY_REVOKE, .args = &args};

    return change_key(s, tenant, id, NULL, &ch);
}

/* The new secret has the prefix of the old one's kind, so that is read first. */
static int rotate_key(const struct command_line *s, const char *tenant,
                      const char *id, const struct key_options *w)
{
    unsigned char hash[SECRET_HASH_BYTES];
    char secret[SECRET_SIZE];
    struct key_listing old = {.w = w, .tenant = tenant, .id = id};
    struct key_rotate args = {.tenant = slice_str(tenant),
                              .key = slice_str(id),
                              .hash = slice_of(hash, sizeof(hash))};
    struct change ch = {.kind = COMMAND_KEY_ROTATE, .args = &args};
    int end = read_time("--keep", w->keep, &args.old_until_us);

    if (end == EXIT_SUCCESS)
        end = folder_read(s, NAME, find_key, &old);
    if (end != EXIT_SUCCESS)
        return end;
    if (!old.is_tenant_found)
        return unknown_tenant(tenant);
    if (!old.is_key_found)
        return unknown_key(id);
    secret_make(old.kind, secret);
    secret_hash(slice_str(secret), hash);
    end = change_key(s, tenant, id, NULL, &ch);
    if (end == EXIT_SUCCESS)
        end = print_new_key(s, tenant, w, secret, hash);
    sodium_memzero(secret, sizeof(secret));
    return end;
}

/* ---- verbs --------------------------------------------------------------- */

/* Whether the options and operands are the verb's. `id`: the operand, or NULL. */
static int check_usage(const char *verb, const char *id, int operands,
                       const struct key_options *w)
{
    const bool creates = strcmp(verb, "create") == 0;
    const bool lists = strcmp(verb, "list") == 0;
    const bool rotates = strcmp(verb, "rotate") == 0;

    if (!creates && !lists && !rotates && strcmp(verb, "revoke") != 0)
        return usage_error(NAME, "expected create, list, revoke or rotate");
    if (w->is_create && !creates)
        return usage_error(NAME, "%s takes none of create's options", verb);
    if (w->keep != NULL && !rotates)
        return usage_error(NAME, "--keep is for rotate only");
    if (operands > 2 || (creates || lists) != (id == NULL))
        return usage_error(NAME, "%s expects %s", verb,
                           creates || lists ? "no operands" : "one KEY_ID");
    if ((w->tenant == NULL || w->tenant[0] == '\0') && w->file == NULL)
        return usage_error(NAME, "--tenant is missing: whose key?");
    return EXIT_SUCCESS;
}

int cli_key(int argc, char **argv)
{
    static struct command_line s;
    static struct key_options w;
    struct secret tenant;

    rights_draft_clear(&w.rights);
    int end = command_line_parse(&s, argc, argv, "t:jp:", own, take_option, &w,
                                 usage);
    if (end >= 0)
        return end;
    const int operands = argc - s.first;
    const char *verb = operands > 0 ? argv[s.first] : "";
    const char *id = operands > 1 ? argv[s.first + 1] : NULL;

    end = check_usage(verb, id, operands, &w);
    if (end == EXIT_SUCCESS)
        end = secret_read_any(&s, NAME, w.tenant, w.file, &tenant);
    if (end != EXIT_SUCCESS)
        return end;
    if (sodium_init() < 0)
        return failure(NAME, "cannot read random numbers");
    if (strcmp(verb, "create") == 0)
        return create_key(&s, tenant.text, &w);
    if (strcmp(verb, "list") == 0)
        return list_keys(&s, tenant.text, &w);
    return strcmp(verb, "revoke") == 0 ? revoke_key(&s, tenant.text, id)
                                       : rotate_key(&s, tenant.text, id, &w);
}
