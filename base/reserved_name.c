#include "base/reserved_name.h"

#include <assert.h>
#include <stddef.h>

#include "base/token.h"

/* POST /tokens makes names of this length only. */
#define X(name)                                                               \
    static_assert(sizeof(name) - 1 != TOKEN_MADE,                             \
                  "a token made at random could be reserved");
RESERVED_NAMES(X)
#undef X

bool name_is_reserved(struct slice name)
{
    static const char *const names[] = {
#define X(name) name,
        RESERVED_NAMES(X)
#undef X
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_eq(slice_str(names[i]), name))
            return true;
    return false;
}
