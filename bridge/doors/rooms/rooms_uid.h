/* Names that the door makes up: of users, rooms, and suggested passwords. Letters and
 * digits from a CSPRNG, about six bits each. Any thread, after sodium_init(). */
#ifndef CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_UID_H
#define CONFAB_BRIDGE_DOORS_ROOMS_ROOMS_UID_H

#include <stddef.h>

#define ROOMS_USER_UID 10
#define ROOMS_ROOM_UID 12

/* Exactly `len` characters, without a NUL. */
void rooms_uid_make(char *out, size_t len);

#endif
