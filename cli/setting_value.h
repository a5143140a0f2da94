/* SETTING=VALUE on the command line: settings of a tenant (base/tenant_setting.h),
 * whose secrets must not be among the arguments. */
#ifndef CONFAB_CLI_SETTING_VALUE_H
#define CONFAB_CLI_SETTING_VALUE_H

#include <stddef.h>

#include "base/slice.h"
#include "store/directory.h"

struct setting_values {
    struct slice list[TENANT_SETTINGS_MAX]; /* `name=value`, owned */
    size_t count;
};

/* Reads texts like `name=value`, `name=@FILE` and `name=@-` (standard input, once),
 * and checks them. A secret that is neither empty nor read from a file is
 * refused. Returns EXIT_SUCCESS, or the exit status after the error was printed;
 * release them in either case. Blocks on the files. */
int setting_values_read(const char *command, char **texts, size_t count,
                        struct setting_values *ret);

/* Wipes and frees the values. */
void setting_values_release(struct setting_values *v);

#endif
