/* What commands take that the writer proposes by itself, with explicit bounds
 * (store/command.h). COMMAND_CLOCK_STEPS takes a struct clock_steps
 * (store/env/wall_clock.h), _SESSION_LOST and _SESSION_EXPIRE a struct session_mark
 * (store/session.h), _ANSWERS_FORGET a struct repeat_bounds (store/write/repeat.h),
 * _HIDDEN_DELETE nothing. */
#ifndef CONFAB_STORE_COMMAND_UPKEEP_H
#define CONFAB_STORE_COMMAND_UPKEEP_H

#include "base/slice.h"

/* COMMAND_SETTINGS: the plans and the access that hold from now on. */
struct settings_change {
    struct slice row; /* of `meta` (store/write/settings.h) */
};

/* COMMAND_ERASE_STEP: goes on removing it. */
struct erase_step {
    struct slice name; /* of a token, or topic of a thing */
};

#endif
