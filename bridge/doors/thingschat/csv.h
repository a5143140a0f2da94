/* Fields of CSV (RFC 4180), safe for spreadsheets. Pure. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_CSV_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_CSV_H

#include "base/buffer.h"

/* The field is always quoted, and quotes in it are doubled. Spreadsheets run a field
 * as a formula if it begins with = + - @ (in full width, too), possibly after a tab or
 * line break, and anyone who may publish chooses names and payloads. So such a field
 * gets a ' in front (OWASP, CSV Injection), and so does one that begins with ': then
 * removing one ' restores every field. Numbers such as -3.5 stay as they are. */
void csv_put_field(struct buffer *b, struct slice text);

#endif
