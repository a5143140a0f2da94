/* What is shown of keys by `confab key`: never the secret, of which the store has
 * only the hash. */
#ifndef CONFAB_CLI_KEY_ROW_H
#define CONFAB_CLI_KEY_ROW_H

#include "base/buffer.h"
#include "base/json_write.h"
#include "store/directory.h"

/* A key without rights of its own may publish and subscribe to everything of its
 * tenant, and is shown with these two. Appends `publish a/#, subscribe #`. */
void key_put_rights(struct buffer *b, const struct key_row *key);

/* "valid", "expired", or the state of its tenant if that keeps it from being used:
 * "suspended", "revoked". */
const char *key_state(const struct key_row *key,
                      const struct token_row *tenant, int64_t now_us);

/* Appends a line: key id, kind, label, rights, mount, user, plan, creation time,
 * expiry, state, last use, separated by tabs. -: none; mount /: the tenant's root. */
void key_put_row(struct buffer *line, const struct key_row *key,
                 const char *state);

/* Members of a JSON object that say the same; null: none. */
void key_write_row(struct json_writer *w, const struct key_row *key,
                   const char *state);

#endif
