/* confab room create|list|show|delete|join|leave|members: through the running server if
 * there is one, else on the data folder itself (cli/change.h). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/folder.h"
#include "cli/people.h"
#include "cli/secret.h"
#include "store/command/people.h"

#define NAME "room"

static const char usage[] =
    "Usage: confab room create --tenant TENANT [OPTION]... ROOM\n"
    "       confab room list --tenant TENANT [--json]\n"
    "       confab room show --tenant TENANT [--json] ROOM\n"
    "       confab room delete --tenant TENANT ROOM\n"
    "       confab room join --tenant TENANT [--role ROLE] ROOM USER\n"
    "       confab room leave --tenant TENANT ROOM USER\n"
    "       confab room members --tenant TENANT [--json] ROOM\n\n"
    "A room has members, who are users of the tenant (confab user); its messages are\n"
    "those of the thing TENANT/rooms/ROOM. ROOM is an id of 1 to 128 bytes that can be\n"
    "printed, without / + #; it does not change.\n"
    "list and show print, separated by tabs: id, kind, number of members, creator,\n"
    "creation time, time of the last change, settings. -: none.\n"
    "join makes a member of a user, or gives a member another role. A new member has\n"
    "read what the room has by then.\n"
    "members prints: user, role, time of joining, and the seqs of the last messages\n"
    "acknowledged and read.\n"
    "delete removes the room with its members and messages. If it is interrupted, the\n"
    "server continues.\n"
    "All of this works with or without a running server of the data folder.\n\n"
    "Other users can see a command's arguments. So TENANT, if it is a token, may\n"
    "also be the beginning of a token and ..., or - (a line of standard input), or\n"
    "come from --token-file.\n\n"
    "  -t, --tenant TENANT    whose room: a tenant or a token\n" SECRET_FILE_HELP
    "  -j, --json             list, show, members: a JSON object per line\n"
    "      --role ROLE        join: at most 32 bytes; member by default\n"
    "Options of create:\n"
    "      --kind KIND        room (the default), dm, group, channel, order, support,\n"
    "                         direct or agent\n"
    "      --settings JSON    a JSON object of at most 16 KiB; @FILE: from a file, @-:\n"
    "                         from standard input\n"
    "      --creator USER     whose room it is\n"
    "      --member USER      makes a member of the user; may be repeated\n";

enum {
    OPTION_ROLE = SECRET_FILE + 1,
    OPTION_KIND,
    OPTION_SETTINGS,
    OPTION_CREATOR,
    OPTION_MEMBER
};

static const struct option own[] = {
    {"tenant", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"role", required_argument, NULL, OPTION_ROLE},
    {"kind", required_argument, NULL, OPTION_KIND},
    {"settings", required_argument, NULL, OPTION_SETTINGS},
    {"creator", required_argument, NULL, OPTION_CREATOR},
    {"member", required_argument, NULL, OPTION_MEMBER},
    SECRET_FILE_OPTION,
    {0},
};

struct room_options {
    const char *tenant, *file;
    bool json, is_create; /* one of create's was given */
    const char *role, *kind, *settings, *creator;
    struct slice members[ROOM_PUT_MEMBERS_MAX];
    size_t member_count; /* may be more */
};

static bool take_option(void *arg, int option, const char *value)
{
    struct room_options *w = arg;

    switch (option) {
    case 't': w->tenant = value; return true;
    case 'j': w->json = true; return true;
    case OPTION_ROLE: w->role = value; return true;
    case SECRET_FILE: w->file = value; return true;
    default: break;
    }
    w->is_create = true;
    switch (option) {
    case OPTION_KIND: w->kind = value; return true;
    case OPTION_SETTINGS: w->settings = value; return true;
    case OPTION_CREATOR: w->creator = value; return true;
    case OPTION_MEMBER:
        if (w->member_count < ROOM_PUT_MEMBERS_MAX)
            w->members[w->member_count] = slice_str(value);
        w->member_count++;
        return true;
    default: return false;
    }
}

/* ---- reading rooms --------------------------------------------------------------- */

struct room_listing {
    const struct room_options *w;
    const char *tenant;
    const char *room; /* this one only, or NULL */
    bool is_tenant_found, is_room_found;
    struct buffer line;
};

/* The first column has no tab before it. */
static void print_columns(struct buffer *line)
{
    buffer_put_char(line, '\n');
    fwrite(line->data + 1, 1, line->len - 1, stdout);
    buffer_clear(line);
}

static void print_room(struct room_listing *l, const struct room_row *room)
{
    struct json_writer w = json_writer_of(&l->line);

    if (!l->w->json) {
        people_put_column(&l->line, room->room);
        people_put_column(&l->line, slice_str(room_kind_word(room->kind)));
        people_put_number(&l->line, room->members);
        people_put_column(&l->line, room->creator);
        people_put_time(&l->line, room->created_us);
        people_put_time(&l->line, room->changed_us);
        people_put_column(&l->line, room->settings);
        print_columns(&l->line);
        return;
    }
    json_object(&w);
    json_member_string(&w, "room", room->room);
    json_member_text(&w, "kind", room_kind_word(room->kind));
    json_member_u64(&w, "members", room->members);
    json_name(&w, "creator");
    people_write_optional(&w, room->creator);
    json_member_time(&w, "created", room->created_us);
    json_member_time(&w, "changed", room->changed_us);
    json_name(&w, "settings");
    people_write_object(&w, room->settings);
    json_object_end(&w);
    buffer_put_char(&l->line, '\n');
    people_print(&l->line);
}

static void print_member(struct room_listing *l, const struct member_row *m)
{
    struct json_writer w = json_writer_of(&l->line);

    if (!l->w->json) {
        people_put_column(&l->line, m->user);
        people_put_column(&l->line, m->role);
        people_put_time(&l->line, m->joined_us);
        people_put_number(&l->line, m->acked_seq);
        people_put_number(&l->line, m->read_seq);
        print_columns(&l->line);
        return;
    }
    json_object(&w);
    json_member_string(&w, "user", m->user);
    json_member_string(&w, "role", m->role);
    json_member_time(&w, "joined", m->joined_us);
    json_member_u64(&w, "acked", m->acked_seq);
    json_member_u64(&w, "read", m->read_seq);
    json_object_end(&w);
    buffer_put_char(&l->line, '\n');
    people_print(&l->line);
}

static enum store_err find_room(struct room_listing *l, struct store_reader *r,
                                struct room_row *ret_room)
{
    l->is_tenant_found = people_has_tenant(r, l->tenant);
    const enum store_err err =
        store_room(r, slice_str(l->tenant), slice_str(l->room), ret_room);
    l->is_room_found = err == STORE_OK;
    return err;
}

static enum store_err print_one(void *arg, struct store_reader *r)
{
    struct room_listing *l = arg;
    struct room_row room;
    const enum store_err err = find_room(l, r, &room);

    if (err == STORE_OK)
        print_room(l, &room);
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static enum store_err print_all(void *arg, struct store_reader *r)
{
    struct room_listing *l = arg;
    struct slice after = {0};
    struct room_row room;
    enum store_err err;

    l->is_tenant_found = people_has_tenant(r, l->tenant);
    l->is_room_found = true;
    while ((err = store_room_next(r, slice_str(l->tenant), after, &room)) ==
           STORE_OK) {
        print_room(l, &room);
        after = room.room;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

static enum store_err print_members(void *arg, struct store_reader *r)
{
    struct room_listing *l = arg;
    struct slice after = {0};
    struct member_row member;
    struct room_row room;
    enum store_err err = find_room(l, r, &room);

    while (err == STORE_OK) {
        err = store_member_next(r, room.tenant, room.room, after, &member);
        if (err == STORE_OK)
            print_member(l, &member);
        after = member.user;
    }
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

#define NO_ROOM                                                               \
    "%.128s: the tenant has no such room: confab room list shows its rooms"

static int read_rooms(const struct command_line *s, const char *tenant,
                      const char *room, const struct room_options *w,
                      enum store_err (*read)(void *arg,
                                             struct store_reader *r))
{
    struct room_listing l = {.w = w, .tenant = tenant, .room = room};
    const int end = folder_read(s, NAME, read, &l);

    buffer_release(&l.line);
    if (end != EXIT_SUCCESS)
        return end;
    if (!l.is_tenant_found)
        return people_unknown_tenant(NAME, tenant);
    return l.is_room_found ? EXIT_SUCCESS : failure(NAME, NO_ROOM, room);
}

/* ---- changing -------------------------------------------------------------------- */

static int submit_room(const struct command_line *s, const char *tenant,
                       const char *room, struct room_put *args)
{
    struct change ch = {.kind = COMMAND_ROOM_PUT, .args = args};
    char taken[256];

    snprintf(taken, sizeof(taken),
             "%.128s: there is a room of that id, or it is being deleted",
             room);
    return people_change(s, NAME, tenant, &ch,
                         "a member is no user of the tenant: confab user "
                         "create makes users",
                         taken);
}

static int create_room(const struct command_line *s, const char *tenant,
                       const char *room, struct room_options *w)
{
    enum room_kind kind = ROOM_KIND_ROOM;
    struct buffer settings = BUFFER_INIT;

    if (w->kind != NULL && !room_kind_of_word(slice_str(w->kind), &kind))
        return usage_error(NAME,
                           "--kind %s: expected room, dm, group, channel, "
                           "order, support, direct or agent",
                           w->kind);
    if (w->member_count > ROOM_PUT_MEMBERS_MAX)
        return usage_error(NAME,
                           "at most %d members at once: add others with "
                           "confab room join",
                           ROOM_PUT_MEMBERS_MAX);
    int end = people_read_object(NAME, "--settings", w->settings, &settings);
    struct room_put args = {
        .tenant = slice_str(tenant),
        .room = slice_str(room),
        .condition = PUT_ABSENT,
        .kind = kind,
        .settings = buffer_slice(&settings),
        .creator = slice_str(w->creator != NULL ? w->creator : ""),
        .members = w->members,
        .member_count = w->member_count,
    };
    if (end == EXIT_SUCCESS)
        end = submit_room(s, tenant, room, &args);
    buffer_release(&settings);
    return end;
}

static int delete_room(const struct command_line *s, const char *tenant,
                       const char *room)
{
    struct room_delete args = {slice_str(tenant), slice_str(room)};
    struct change ch = {.kind = COMMAND_ROOM_DELETE,
                        .args = &args,
                        .in_steps = true};
    char missing[256];

    snprintf(missing, sizeof(missing), NO_ROOM, room);
    return people_change(s, NAME, tenant, &ch, missing, NULL);
}

static int join_room(const struct command_line *s, const char *tenant,
                     const char *room, const char *user,
                     const struct room_options *w)
{
    struct member_put args = {
        .tenant = slice_str(tenant),
        .room = slice_str(room),
        .user = slice_str(user),
        .role = slice_str(w->role != NULL ? w->role : ""),
    };
    struct change ch = {.kind = COMMAND_MEMBER_PUT, .args = &args};
    char missing[400];

    snprintf(missing, sizeof(missing),
             "the tenant has no room %.128s, or no user %.128s: confab room "
             "list and confab user list show them",
             room, user);
    return people_change(s, NAME, tenant, &ch, missing, NULL);
}

static int leave_room(const struct command_line *s, const char *tenant,
                      const char *room, const char *user)
{
    struct member_delete args = {slice_str(tenant), slice_str(room),
                                 slice_str(user)};
    struct change ch = {.kind = COMMAND_MEMBER_DELETE, .args = &args};
    char missing[400];

    snprintf(missing, sizeof(missing),
             "%.128s has no member %.128s: confab room members shows them",
             room, user);
    return people_change(s, NAME, tenant, &ch, missing, NULL);
}

/* ---- verbs ----------------------------------------------------------------------- */

static const struct {
    const char *verb;
    int operands; /* the verb included */
    const char *expects;
    bool reads;
} verbs[] = {
    {"create", 2, "one ROOM", false},    {"list", 1, "no operands", true},
    {"show", 2, "one ROOM", true},       {"delete", 2, "one ROOM", false},
    {"join", 3, "ROOM and USER", false}, {"leave", 3, "ROOM and USER", false},
    {"members", 2, "one ROOM", true},
};

static int check_usage(const char *verb, int operands,
                       const struct room_options *w)
{
    size_t i = 0;

    while (i < sizeof(verbs) / sizeof(verbs[0]) &&
           strcmp(verb, verbs[i].verb) != 0)
        i++;
    if (i == sizeof(verbs) / sizeof(verbs[0]))
        return usage_error(NAME, "expected create, list, show, delete, join, "
                                 "leave or members");
    if (operands != verbs[i].operands)
        return usage_error(NAME, "%s expects %s", verb, verbs[i].expects);
    if (w->is_create && strcmp(verb, "create") != 0)
        return usage_error(NAME, "%s takes none of create's options", verb);
    if (w->role != NULL && strcmp(verb, "join") != 0)
        return usage_error(NAME, "--role is for join only");
    if (w->json && !verbs[i].reads)
        return usage_error(NAME, "--json is for list, show and members only");
    if ((w->tenant == NULL || w->tenant[0] == '\0') && w->file == NULL)
        return usage_error(NAME, "--tenant is missing: whose room?");
    return EXIT_SUCCESS;
}

int cli_room(int argc, char **argv)
{
    static struct command_line s;
    static struct room_options w;
    struct secret tenant;

    int end =
        command_line_parse(&s, argc, argv, "t:j", own, take_option, &w, usage);
    if (end >= 0)
        return end;
    const int operands = argc - s.first;
    const char *verb = operands > 0 ? argv[s.first] : "";
    const char *room = operands > 1 ? argv[s.first + 1] : NULL;
    const char *user = operands > 2 ? argv[s.first + 2] : NULL;

    end = check_usage(verb, operands, &w);
    if (end == EXIT_SUCCESS)
        end = secret_read_any(&s, NAME, w.tenant, w.file, &tenant);
    if (end != EXIT_SUCCESS)
        return end;
    if (strcmp(verb, "create") == 0)
        return create_room(&s, tenant.text, room, &w);
    if (strcmp(verb, "delete") == 0)
        return delete_room(&s, tenant.text, room);
    if (strcmp(verb, "join") == 0)
        return join_room(&s, tenant.text, room, user, &w);
    if (strcmp(verb, "leave") == 0)
        return leave_room(&s, tenant.text, room, user);
    return read_rooms(&s, tenant.text, room, &w,
                      strcmp(verb, "list") == 0   ? print_all
                      : strcmp(verb, "show") == 0 ? print_one
                                                  : print_members);
}
