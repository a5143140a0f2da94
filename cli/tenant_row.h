/* What is shown of tenants and tokens, by `confab token list` and `confab tenant`
 * alike. Both are rows of one kind (struct token_row). */
#ifndef CONFAB_CLI_TENANT_ROW_H
#define CONFAB_CLI_TENANT_ROW_H

#include "base/buffer.h"
#include "base/config.h"
#include "base/json_write.h"
#include "store/store.h"

/* "valid", "open" (first used in open mode), "suspended" or "revoked" */
const char *tenant_state(const struct token_row *row);

/* Appends four columns, each behind a tab: bytes of its messages and their limit,
 * bytes of its sessions and their limit. The limits are its own, else those of the
 * plan in `config`; -: no limit, or no such plan there. */
void tenant_put_usage(struct buffer *line, const struct config *config,
                      struct store_reader *r, const struct token_row *row);

/* Appends a line: name, kind (tenant or token), plan, creation time, state, the
 * columns of tenant_put_usage(), the number of keys, and where it has limits of its own
 * these, as `key=value` separated by blanks. */
enum store_err tenant_put_row(struct buffer *line, const struct config *config,
                              struct store_reader *r,
                              const struct token_row *row);

/* Members of a JSON object that say the same; limits are null where there are
 * none. */
enum store_err tenant_write_row(struct json_writer *w,
                                const struct config *config,
                                struct store_reader *r,
                                const struct token_row *row);

#endif
