/* Fields of CSV as RFC 4180 writes them, for spreadsheets. Pure. */
#ifndef CONFAB_BRIDGE_DOORS_THINGSCHAT_CSV_H
#define CONFAB_BRIDGE_DOORS_THINGSCHAT_CSV_H

#include "base/buffer.h"

/* Always quoted, quotes doubled. Spreadsheets run what begins with = + - @, also
 * in full width, or with a tab or line end in front of it, as a formula, and a
 * name or payload comes from whoever may publish: such a field gets a ' in front
 * (OWASP, CSV Injection). So does one that begins with a ', so that taking one
 * ' away gives back every field. Numbers, -3.5 among them, stay as they are. */
void csv_put_field(struct buffer *b, struct slice text);

#endif
