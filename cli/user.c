/* confab user create|list|show|set|passwd|delete: through the running server if there is
 * one, else on the data folder itself (cli/change.h). Of a password nothing but its hash
 * leaves the process. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/door_user.h"
#include "cli/folder.h"
#include "cli/password.h"
#include "cli/people.h"
#include "cli/secret.h"
#include "store/command/people.h"

#define NAME "user"
#define ROOMS_SHOWN 1000

static const char usage[] =
    "Usage: confab user create --tenant TENANT [OPTION]... USER\n"
    "       confab user list --tenant TENANT [--json]\n"
    "       confab user show --tenant TENANT [--json] USER\n"
    "       confab user set --tenant TENANT [OPTION]... USER\n"
    "       confab user passwd --tenant TENANT [OPTION] USER\n"
    "       confab user delete --tenant TENANT USER\n"
    "       confab user create --door rooms [--root] [--password-file F] NAME\n"
    "       confab user set --door rooms --root|--no-root NAME\n\n"
    "Users are the people of a tenant, for the chat APIs. USER is an id of 1 to 128\n"
    "bytes that can be printed; it does not change.\n"
    "list prints, separated by tabs: id, name, whether a password is set, creation\n"
    "time, time of the last change, attributes. -: none.\n"
    "show prints the same, and the user's rooms: the one with the newest message\n"
    "first, a line each with the room and the id of that message (0: none).\n"
    "passwd sets a new password: it asks on the terminal, or reads a line of standard\n"
    "input or of --password-file.\n"
    "delete removes the user, and its memberships; its messages stay. If it is\n"
    "interrupted, the server continues.\n"
    "All of this works with or without a running server of the data folder.\n\n"
    "Other users can see a command's arguments. So TENANT, if it is a token, may\n"
    "also be the beginning of a token and ..., or - (a line of standard input), or\n"
    "come from --token-file.\n\n"
    "  -t, --tenant TENANT    whose user: a tenant or a token\n" SECRET_FILE_HELP
    "      --door rooms       create, set: a user of chat rooms (docs/rooms.md), in the\n"
    "                         tenant of the configuration. People log in with NAME;\n"
    "                         create makes an id and prints it\n"
    "      --root             who may do everything in these rooms; only here, and\n"
    "                         only such a user may be called root, superuser, admin,\n"
    "                         administrator or owner\n"
    "      --no-root          takes that away\n"
    "  -j, --json             list, show: a JSON object per line\n"
    "Options of create and set:\n"
    "      --name NAME        a name that no other user of the tenant has; set: ''\n"
    "                         takes it away\n"
    "      --attributes JSON  a JSON object of at most 16 KiB, which replaces what is\n"
    "                         there; @FILE: from a file, @-: from standard input\n"
    "      --merge            set: its members are added to those that are there, or\n"
    "                         replace them; null removes one\n"
    "Options of create and passwd:\n"
    "      --password-file F  the first line of F; -: of standard input\n"
    "      --no-password      passwd: nobody can log in by password any more\n";

enum {
    OPTION_NAME = SECRET_FILE + 1,
    OPTION_ATTRIBUTES,
    OPTION_MERGE,
    OPTION_PASSWORD_FILE,
    OPTION_NO_PASSWORD,
    OPTION_DOOR,
    OPTION_ROOT,
    OPTION_NO_ROOT
};

static const struct option own[] = {
    {"tenant", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"name", required_argument, NULL, OPTION_NAME},
    {"attributes", required_argument, NULL, OPTION_ATTRIBUTES},
    {"merge", no_argument, NULL, OPTION_MERGE},
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},
    {"no-password", no_argument, NULL, OPTION_NO_PASSWORD},
    {"door", required_argument, NULL, OPTION_DOOR},
    {"root", no_argument, NULL, OPTION_ROOT},
    {"no-root", no_argument, NULL, OPTION_NO_ROOT},
    SECRET_FILE_OPTION,
    {0},
};

struct user_options {
    const char *tenant, *file;
    bool json;
    const char *name, *attributes, *password_file;
    bool merge, no_password;
    const char *door;
    bool root, no_root;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct user_options *w = arg;

    switch (option) {
    case 't': w->tenant = value; return true;
    case 'j': w->json = true; return true;
    case OPTION_NAME: w->name = value; return true;
    case OPTION_ATTRIBUTES: w->attributes = value; return true;
    case OPTION_MERGE: w->merge = true; return true;
    case OPTION_PASSWORD_FILE: w->password_file = value; return true;
    case OPTION_NO_PASSWORD: w->no_password = true; return true;
    case OPTION_DOOR: w->door = value; return true;
    case OPTION_ROOT: w->root = true; return true;
    case OPTION_NO_ROOT: w->no_root = true; return true;
    case SECRET_FILE: w->file = value; return true;
    default: return false;
    }
}

/* ---- reading users --------------------------------------------------------------- */

struct user_listing {
    const struct user_options *w;
    const char *tenant;
    const char *user; /* this one only, with its rooms, or NULL */
    bool is_tenant_found, is_user_found, is_cut;
    struct buffer line;
};

static void put_user(struct buffer *line, const struct user_row *user)
{
    const char *password = user->password.len > 0 ? "set" : "";

    people_put_column(line, user->user);
    people_put_column(line, user->name);
    people_put_column(line, slice_str(password));
    people_put_time(line, user->created_us);
    people_put_time(line, user->changed_us);
    people_put_column(line, user->attributes);
}

static void write_user(struct json_writer *w, const struct user_row *user)
{
    json_member_string(w, "user", user->user);
    json_name(w, "name");
    people_write_optional(w, user->name);
    json_member_bool(w, "password", user->password.len > 0);
    json_member_time(w, "created", user->created_us);
    json_member_time(w, "changed", user->changed_us);
    json_name(w, "attributes");
    people_write_object(w, user->attributes);
}

/* The first column has no tab before it. */
static void print_line(struct buffer *line)
{
    buffer_put_char(line, '\n');
    fwrite(line->data + 1, 1, line->len - 1, stdout);
    buffer_clear(line);
}

static void print_rooms(struct user_listing *l, const struct user_row *user,
                        const struct recent_room *rooms, size_t count)
{
    struct json_writer w = json_writer_of(&l->line);

    if (!l->w->json) {
        put_user(&l->line, user);
        print_line(&l->line);
        for (size_t i = 0; i < count; i++) {
            people_put_column(&l->line, rooms[i].room);
            people_put_number(&l->line, rooms[i].last_id);
            print_line(&l->line);
        }
        return;
    }
    json_object(&w);
    write_user(&w, user);
    json_member_array(&w, "rooms");
    for (size_t i = 0; i < count; i++) {
        json_object(&w);
        json_member_string(&w, "room", rooms[i].room);
        json_member_u64(&w, "last_id", rooms[i].last_id);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    buffer_put_char(&l->line, '\n');
    people_print(&l->line);
}

static enum store_err print_one(void *arg, struct store_reader *r)
{
    static struct recent_room rooms[ROOMS_SHOWN];
    struct user_listing *l = arg;
    struct user_row user;
    size_t count;
    bool all;

    l->is_tenant_found = people_has_tenant(r, l->tenant);
    enum store_err err =
        store_user(r, slice_str(l->tenant), slice_str(l->user), &user);
    l->is_user_found = err == STORE_OK;
    if (err == STORE_OK)
        err = store_recent_rooms(r, user.tenant, user.user, rooms, ROOMS_SHOWN,
                                 &count, &all);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    l->is_cut = !all || count == ROOMS_SHOWN;
    print_rooms(l, &user, rooms, count);
    return STORE_OK;
}

static void print_user(struct user_listing *l, const struct user_row *user)
{
    struct json_writer w = json_writer_of(&l->line);

    if (!l->w->json) {
        put_user(&l->line, user);
        print_line(&l->line);
        return;
    }
    json_object(&w);
    write_user(&w, user);
    json_object_end(&w);
    buffer_put_char(&l->line, '\n');
    people_print(&l->line);
}

static enum store_err print_all(void *arg, struct store_reader *r)
{
    struct user_listing *l = arg;
    struct slice after = {0};
    struct user_row user;
    enum store_err err;

    l->is_tenant_found = people_has_tenant(r, l->tenant);
    while ((err = store_user_next(r, slice_str(l->tenant), after, &user)) ==
           STORE_OK) {
        print_user(l, &user);
        after = user.user;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static int unknown_user(const char *user)
{
    return failure(NAME,
                   "%.128s: the tenant has no such user: confab user list "
                   "shows its users",
                   user);
}

static int read_users(const struct command_line *s, const char *tenant,
                      const char *user, const struct user_options *w)
{
    struct user_listing l = {.w = w, .tenant = tenant, .user = user};
    const int end =
        folder_read(s, NAME, user != NULL ? print_one : print_all, &l);

    buffer_release(&l.line);
    if (end != EXIT_SUCCESS)
        return end;
    if (!l.is_tenant_found)
        return people_unknown_tenant(NAME, tenant);
    if (user != NULL && !l.is_user_found)
        return unknown_user(user);
    if (l.is_cut)
        fprintf(stderr,
                "confab " NAME ": only %d rooms, of the first %d by id, are "
                "shown\n",
                ROOMS_SHOWN, RECENT_ROOMS_WALK);
    return EXIT_SUCCESS;
}

/* ---- changing -------------------------------------------------------------------- */

static int submit_user(const struct command_line *s, struct user_put *args,
                       const char *tenant, const char *user)
{
    struct change ch = {.kind = COMMAND_USER_PUT, .args = args};
    char missing[256], taken[256];

    snprintf(missing, sizeof(missing),
             "%.128s: the tenant has no such user: confab user list shows its "
             "users",
             user);
    snprintf(taken, sizeof(taken), "%.128s: %s", user,
             args->name.len > 0
                 ? "there is a user of that id, or another one of that name"
                 : "there is a user of that id, or it is being deleted");
    return people_change(s, NAME, tenant, &ch, missing, taken);
}

static int put_one(const struct command_line *s, const char *tenant,
                   const char *user, const struct user_options *w,
                   struct user_put *args)
{
    struct buffer attributes = BUFFER_INIT;
    int end =
        people_read_object(NAME, "--attributes", w->attributes, &attributes);

    args->tenant = slice_str(tenant);
    args->user = slice_str(user);
    args->attributes = buffer_slice(&attributes);
    args->merge = w->merge;
    args->name = slice_str(w->name != NULL ? w->name : "");
    if (end == EXIT_SUCCESS)
        end = submit_user(s, args, tenant, user);
    buffer_release(&attributes);
    return end;
}

static int create_user(const struct command_line *s, const char *tenant,
                       const char *user, const struct user_options *w)
{
    struct user_put args = {.condition = PUT_ABSENT};
    char hash[PASSWORD_HASH_SIZE] = "";

    if (w->password_file != NULL) {
        const int end = password_read(NAME, w->password_file, hash);
        if (end != EXIT_SUCCESS)
            return end;
    }
    args.password = slice_str(hash);
    return put_one(s, tenant, user, w, &args);
}

static int set_user(const struct command_line *s, const char *tenant,
                    const char *user, const struct user_options *w)
{
    struct user_put args = {
        .condition = PUT_PRESENT,
        .no_name = w->name != NULL && w->name[0] == '\0',
    };

    if (w->name == NULL && w->attributes == NULL)
        return usage_error(NAME, "set needs --name or --attributes");
    return put_one(s, tenant, user, w, &args);
}

static int set_password(const struct command_line *s, const char *tenant,
                        const char *user, const struct user_options *w)
{
    struct user_put args = {.tenant = slice_str(tenant),
                            .user = slice_str(user),
                            .condition = PUT_PRESENT,
                            .no_password = w->no_password};
    char hash[PASSWORD_HASH_SIZE] = "";

    if (w->no_password && w->password_file != NULL)
        return usage_error(NAME,
                           "give --password-file or --no-password, not both");
    if (!w->no_password) {
        const int end = password_read(NAME, w->password_file, hash);
        if (end != EXIT_SUCCESS)
            return end;
    }
    args.password = slice_str(hash);
    return submit_user(s, &args, tenant, user);
}

static int delete_user(const struct command_line *s, const char *tenant,
                       const char *user)
{
    struct user_delete args = {slice_str(tenant), slice_str(user)};
    struct change ch = {.kind = COMMAND_USER_DELETE,
                        .args = &args,
                        .in_steps = true};
    char missing[256];

    snprintf(missing, sizeof(missing),
             "%.128s: the tenant has no such user: confab user list shows its "
             "users",
             user);
    return people_change(s, NAME, tenant, &ch, missing, NULL);
}

/* ---- verbs ----------------------------------------------------------------------- */

static int check_door_usage(const char *verb, int operands,
                            const struct user_options *w)
{
    const bool sets = strcmp(verb, "set") == 0;

    if (strcmp(w->door, "rooms") != 0)
        return usage_error(NAME, "--door: rooms expected");
    if (!sets && strcmp(verb, "create") != 0)
        return usage_error(NAME, "--door is for create and set only");
    if (operands != 2)
        return usage_error(NAME, "%s expects one NAME", verb);
    if (w->tenant != NULL || w->file != NULL || w->name != NULL ||
        w->attributes != NULL || w->merge || w->no_password || w->json)
        return usage_error(NAME, "with --door only --root, --no-root and "
                                 "--password-file are possible");
    if (sets && w->password_file != NULL)
        return usage_error(NAME, "--password-file is for create and passwd "
                                 "only");
    if (sets ? w->root == w->no_root : w->no_root)
        return usage_error(NAME, sets ? "set --door needs --root or --no-root"
                                      : "--no-root is for set only");
    return EXIT_SUCCESS;
}

static int change_door_user(const struct command_line *s, const char *verb,
                            int operands, const char *user,
                            const struct user_options *w)
{
    const int end = check_door_usage(verb, operands, w);

    if (end != EXIT_SUCCESS)
        return end;
    return strcmp(verb, "set") == 0
               ? door_user_set_root(s, user, w->root)
               : door_user_create(s, user, w->password_file, w->root);
}

static int check_usage(const char *verb, int operands,
                       const struct user_options *w)
{
    const bool lists = strcmp(verb, "list") == 0;
    const bool creates = strcmp(verb, "create") == 0;
    const bool sets = strcmp(verb, "set") == 0;
    const bool is_passwd = strcmp(verb, "passwd") == 0;
    const bool shows = strcmp(verb, "show") == 0;

    if (!lists && !creates && !sets && !is_passwd && !shows &&
        strcmp(verb, "delete") != 0)
        return usage_error(NAME, "expected create, list, show, set, passwd or "
                                 "delete");
    if (operands != (lists ? 1 : 2))
        return usage_error(NAME, "%s expects %s", verb,
                           lists ? "no operands" : "one USER");
    if ((w->name != NULL || w->attributes != NULL) && !creates && !sets)
        return usage_error(NAME, "--name and --attributes are for create and "
                                 "set only");
    if (w->merge && !sets)
        return usage_error(NAME, "--merge is for set only");
    if (w->password_file != NULL && !creates && !is_passwd)
        return usage_error(NAME, "--password-file is for create and passwd "
                                 "only");
    if (w->root || w->no_root)
        return usage_error(NAME, "--root and --no-root are for --door rooms "
                                 "only");
    if (w->no_password && !is_passwd)
        return usage_error(NAME, "--no-password is for passwd only");
    if (w->json && !lists && !shows)
        return usage_error(NAME, "--json is for list and show only");
    if ((w->tenant == NULL || w->tenant[0] == '\0') && w->file == NULL)
        return usage_error(NAME, "--tenant is missing: whose user?");
    return EXIT_SUCCESS;
}

int cli_user(int argc, char **argv)
{
    static struct command_line s;
    struct user_options w = {0};
    struct secret tenant;

    int end =
        command_line_parse(&s, argc, argv, "t:j", own, take_option, &w, usage);
    if (end >= 0)
        return end;
    const int operands = argc - s.first;
    const char *verb = operands > 0 ? argv[s.first] : "";
    const char *user = operands > 1 ? argv[s.first + 1] : NULL;

    if (w.door != NULL)
        return change_door_user(&s, verb, operands, user, &w);
    end = check_usage(verb, operands, &w);
    if (end == EXIT_SUCCESS)
        end = secret_read_any(&s, NAME, w.tenant, w.file, &tenant);
    if (end != EXIT_SUCCESS)
        return end;
    if (strcmp(verb, "create") == 0)
        return create_user(&s, tenant.text, user, &w);
    if (strcmp(verb, "set") == 0)
        return set_user(&s, tenant.text, user, &w);
    if (strcmp(verb, "passwd") == 0)
        return set_password(&s, tenant.text, user, &w);
    if (strcmp(verb, "delete") == 0)
        return delete_user(&s, tenant.text, user);
    return read_users(&s, tenant.text, user, &w);
}
