/* What every token holds, added up from all rows of a store, to compare with what
 * its usage row says (store/write/account.h). It shares with the writer what a row counts,
 * and nothing of how the sums are kept. */
#ifndef CONFAB_TEST_UNIT_STORE_RECOUNT_H
#define CONFAB_TEST_UNIT_STORE_RECOUNT_H

#include "store/store.h"

/* Fails the test unless every usage row is exact, and every row that belongs to a
 * session has its session. */
void check_accounts(struct store *st);

#endif
