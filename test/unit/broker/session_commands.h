/* Commands about stored sessions, sent and waited for (writing.h). */
#ifndef CONFAB_TEST_UNIT_BROKER_SESSION_COMMANDS_H
#define CONFAB_TEST_UNIT_BROKER_SESSION_COMMANDS_H

#include "test/unit/store/writing.h"

/* CONNECT that keeps its session; *ret_number is set when it is there. */
enum command_result open_session(struct writing *w, struct slice identity,
                                 uint32_t expiry_s, const struct message *will,
                                 uint64_t *ret_number);
enum command_result save_session(struct writing *w,
                                 const struct session_save *save);
/* The connection ends now; the session expires after `expiry_s`. */
enum command_result end_session(struct writing *w, struct slice identity,
                                uint64_t number, uint32_t expiry_s);
enum command_result save_group(struct writing *w,
                               const struct group_save *save);

#endif
