/* What `confab webhook list` shows: a line with tabs, or a JSON object. */
#ifndef CONFAB_CLI_WEBHOOK_ROW_H
#define CONFAB_CLI_WEBHOOK_ROW_H

#include "base/buffer.h"
#include "store/webhook.h"

/* Messages that wait are counted up to here. */
#define WEBHOOK_BEHIND_SHOWN 10000

enum store_err webhook_put_row(struct buffer *line, struct store_reader *r,
                               const struct webhook_row *row, bool as_json);
void webhook_put_dead(struct buffer *line, struct slice tenant,
                      const struct webhook_dead_row *d, bool as_json);

#endif
