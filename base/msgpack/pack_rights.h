/* Rights (base/right.h) as rows and commands contain them: an array of
 * [action, filter], the action being a number of enum caller_action. Pure. */
#ifndef CONFAB_BASE_MSGPACK_PACK_RIGHTS_H
#define CONFAB_BASE_MSGPACK_PACK_RIGHTS_H

#include "base/msgpack/pack.h"
#include "base/msgpack/unpack.h"
#include "base/right.h"

void pack_rights(msgpack_packer *p, const struct right *rights, size_t count);
/* Fills the draft. u->failed: these are no rights, or more than a draft
 * takes. */
void unpack_rights(struct unpack *u, struct rights_draft *ret);

#endif
