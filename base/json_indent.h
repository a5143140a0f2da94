/* JSON for people to read: members and elements on lines of their own, two spaces for
 * each level, as JSON.stringify(value, null, 2) writes it. Pure. */
#ifndef CONFAB_BASE_JSON_INDENT_H
#define CONFAB_BASE_JSON_INDENT_H

#include "base/buffer.h"

/* Appends it. `json` is what a json_writer wrote, or json_check() accepted. */
void json_indent(struct buffer *out, struct slice json);

#endif
