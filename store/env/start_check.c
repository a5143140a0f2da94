#include "store/env/start_check.h"

#include <stdio.h>

#include "store/env/check_pages.h"

/* As a rule the first problem causes the others. */
static void keep_first(void *arg, const char *text)
{
    struct store_damage *damage = arg;

    if (damage->text[0] == '\0')
        (void)snprintf(damage->text, sizeof(damage->text), "%s", text);
}

/* LMDB takes the flags from the file, and other flags change how it reads keys. A
 * database that we do not know belongs to a later version and is left alone. */
static bool has_our_flags(const struct page_tree *tree)
{
    static const struct {
        const char *name;
        unsigned flags;
    } ours[] = {
#define X(field, name, flags) {name, flags},
        SCHEMA_DATABASES(X)
#undef X
    };

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(ours[i].name, tree->name) == 0)
            return tree->flags == ours[i].flags;
    return true;
}

enum store_err start_check(const struct store_env *e,
                           struct store_damage *ret_damage)
{
    struct store_damage found = {""};
    struct page_walk w = {.problem = keep_first, .arg = &found};
    int fd;

    mdb_env_get_fd(e->env, &fd);
    if (page_walk_begin(&w, fd, 0) && w.problems == 0)
        page_walk_quick(&w, START_CHECK_PAGES, has_our_flags);
    const bool is_good = w.problems == 0;
    page_walk_end(&w);
    if (is_good)
        return STORE_OK;
    if (ret_damage != NULL)
        *ret_damage = found;
    return STORE_CORRUPT;
}
