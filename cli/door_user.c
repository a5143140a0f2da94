#include "cli/door_user.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/doors/rooms/rooms_uid.h"
#include "bridge/rooms/rooms_account.h"
#include "cli/folder.h"
#include "cli/password.h"
#include "cli/people.h"
#include "store/command/people.h"

#define NAME "user"

static int fold_name(const char *given, char *out, struct slice *ret_name)
{
    const size_t len = rooms_name_fold(slice_str(given), out);

    *ret_name = slice_of(out, len);
    return len > 0 ? EXIT_SUCCESS
                   : failure(NAME,
                             "%.64s: a name has %d to %d of A-Z a-z 0-9 _ . -",
                             given, ROOMS_NAME_MIN, ROOMS_NAME_MAX);
}

static int submit(const struct command_line *s, struct user_put *args,
                  const char *name)
{
    const char *tenant = s->config.rooms.tenant;
    struct change ch = {.kind = COMMAND_USER_PUT, .args = args};
    char missing[128], taken[128];

    args->tenant = slice_str(tenant);
    snprintf(missing, sizeof(missing),
             "%.64s: the rooms door has no such user", name);
    snprintf(taken, sizeof(taken), "%.64s: there is a user of that name",
             name);
    return people_change(s, NAME, tenant, &ch, missing, taken);
}

/* ---- create ---------------------------------------------------------------------- */

static int submit_new(const struct command_line *s, const char *given,
                      struct slice name, const char *hash, bool is_root)
{
    struct buffer attributes = BUFFER_INIT;
    char uid[ROOMS_USER_UID];

    rooms_uid_make(uid, sizeof(uid));
    struct user_put args = {
        .user = slice_of(uid, sizeof(uid)),
        .condition = PUT_ABSENT,
        .name = name,
        .password = slice_str(hash),
    };
    rooms_account_put(&attributes, slice_str(given), args.user, is_root);
    args.attributes = buffer_slice(&attributes);
    const int end = buffer_ok(&attributes) ? submit(s, &args, given)
                                           : failure(NAME, "out of memory");
    buffer_release(&attributes);
    if (end == EXIT_SUCCESS)
        printf("%.*s\n", ROOMS_USER_UID, uid);
    return end;
}

int door_user_create(const struct command_line *s, const char *given,
                     const char *password_file, bool is_root)
{
    char folded[ROOMS_NAME_MAX], hash[PASSWORD_HASH_SIZE];
    struct slice name;

    int end = fold_name(given, folded, &name);
    if (end != EXIT_SUCCESS)
        return end;
    if (rooms_name_is_reserved(name) && !is_root)
        return failure(NAME, "%s: the name is reserved: it needs --root",
                       given);
    if (sodium_init() < 0)
        return failure(NAME, "no random numbers");
    end = password_read(NAME, password_file, hash);
    return end == EXIT_SUCCESS ? submit_new(s, given, name, hash, is_root)
                               : end;
}

/* ---- set ------------------------------------------------------------------------- */

struct account_search {
    struct slice tenant, name;
    char user[USER_ID_MAX];
    size_t len; /* 0: there is none */
};

static enum store_err find_user(void *arg, struct store_reader *r)
{
    struct account_search *w = arg;
    struct user_row row;

    const enum store_err err = store_user_by_name(r, w->tenant, w->name, &row);
    if (err != STORE_OK)
        return err == STORE_NOTFOUND ? STORE_OK : err;
    memcpy(w->user, row.user.data, row.user.len);
    w->len = row.user.len;
    return STORE_OK;
}

int door_user_set_root(const struct command_line *s, const char *given,
                       bool is_root)
{
    struct account_search w = {.tenant = slice_str(s->config.rooms.tenant)};
    char folded[ROOMS_NAME_MAX];

    int end = fold_name(given, folded, &w.name);
    if (end == EXIT_SUCCESS)
        end = folder_read(s, NAME, find_user, &w);
    if (end != EXIT_SUCCESS)
        return end;
    if (w.len == 0)
        return failure(NAME, "%s: the rooms door has no such user", given);
    struct user_put args = {
        .user = slice_of(w.user, w.len),
        .condition = PUT_PRESENT,
        .attributes =
            slice_str(is_root ? "{\"root\":true}" : "{\"root\":null}"),
        .merge = true,
    };
    return submit(s, &args, given);
}
