/* Rights of a key (base/caller.h) as text, as JSON and as one block of
 * memory.
 *
 *     publish FILTER     subscribe FILTER     manage FILTER     admin
 *
 * Filters follow MQTT §4.7 and are relative to the tenant: `rooms/+/state`,
 * `#` for everything. A level %u stands for the key's user, %c for the
 * connection's client id. Filters grant no `$` topics (see caller_may() for
 * those). `admin` has no filter and includes the other actions.
 *
 * A draft collects rights from any source and checks them one by one;
 * rights_new() makes the block that callers borrow. Pure, except that
 * rights_new() allocates; any thread. */
#ifndef CONFAB_BASE_RIGHT_H
#define CONFAB_BASE_RIGHT_H

#include "base/buffer.h"
#include "base/caller.h"
#include "base/json_write.h"
#include "base/slice.h"

#define RIGHTS_MAX 64
#define RIGHTS_TEXT_MAX 4096 /* bytes of all filters, each with its NUL */

/* X(name, text). The texts are for whoever requested the rights. */
#define RIGHT_ERRORS(X)                                                       \
    X(OK, "success")                                                          \
    X(ACTION, "a right is `publish FILTER`, `subscribe FILTER`, "             \
              "`manage FILTER` or `admin`")                                   \
    X(FILTER,                                                                 \
      "a right's filter must be a topic filter below the tenant, "            \
      "like `rooms/+/state` or `#`, without empty levels and without "        \
      "`$` in front")                                                         \
    X(VARIABLE, "%u and %c in a right's filter must be whole levels, like "   \
                "`users/%u/#`")                                               \
    X(MANY, "a key can have at most 64 rights")                               \
    X(LONG, "the filters of a key's rights can have 4096 bytes in all")       \
    X(JSON, "`publish`, `subscribe` and `manage` must be arrays of strings, " \
            "`admin` true or false, each at most once")                       \
    X(UNKNOWN,                                                                \
      "rights have the members `publish`, `subscribe`, `manage` and "         \
      "`admin`, and no others")

enum right_error {
#define X(name, text) RIGHT_##name,
    RIGHT_ERRORS(X)
#undef X
};

const char *right_error_text(enum right_error error);

/* ---- collecting */

/* The members are private. It contains no pointers and needs no release. */
struct rights_draft {
    size_t count;
    size_t text_len;
    unsigned seen; /* members of JSON */
    struct {
        enum caller_action action;
        uint16_t at; /* of its filter in text */
    } rights[RIGHTS_MAX];
    char text[RIGHTS_TEXT_MAX];
};

/* Empties it. Also call it before the first use. */
void rights_draft_clear(struct rights_draft *d);

/* Adds a right; a duplicate is ignored. Copies the filter; for CALLER_ADMIN
 * it is "#". On failure the draft is unchanged. */
enum right_error rights_add(struct rights_draft *d, enum caller_action action,
                            struct slice filter);
/* Adds a right like `publish rooms/#`: an action, one space, a filter. */
enum right_error rights_add_text(struct rights_draft *d, struct slice text);

/* Adds all of
 *     {"publish":["a/#"],"subscribe":["#"],"manage":[],"admin":false}
 * of which every member may be missing. `json` has passed json_check(). On
 * failure some may have been added. */
enum right_error rights_add_json(struct rights_draft *d, struct slice json);
/* The same for one member, name and value as json_next_member() yields them, of
 * an object that has others as well. RIGHT_UNKNOWN: it is another one. */
enum right_error rights_add_member(struct rights_draft *d, struct slice name,
                                   struct slice value);

/* ---- holding */

/* One block; end it with free(). */
struct rights {
    size_t count;
    struct right list[]; /* the filters follow */
};

/* The caller owns it. NULL: out of memory. */
struct rights *rights_new(const struct rights_draft *d);

/* Whether the giver has everything that it wants to grant to a key of
 * `tenant` that acts for `user` (data NULL: nobody): each right must be
 * covered by one of the giver's, as in caller_may(). A granted %u is that
 * user, or any level if there is none. A granted %c is any client id, which
 * is covered by +, # and %c, because whoever connects with the giver's key
 * also chooses its client id. */
bool rights_covered(const struct caller *giver, struct slice tenant,
                    struct slice user, const struct right *wanted,
                    size_t count);

/* ---- showing */

/* "publish", "subscribe", "manage", "admin" */
const char *right_action_word(enum caller_action action);
/* `publish rooms/#`; for administrators `admin`. */
void right_put_text(struct buffer *b, const struct right *right);
/* The object that rights_add_json() reads, with all four members. */
void rights_write_json(struct json_writer *w, const struct right *rights,
                       size_t count);

#endif
