/* CORS rules of doors that any page may use. Their tokens travel in paths and headers,
 * never in cookies, so a page can do no more than its user could. */
#ifndef CONFAB_BRIDGE_DOORS_PUBLIC_CORS_H
#define CONFAB_BRIDGE_DOORS_PUBLIC_CORS_H

#include "bridge/http/door.h"

extern const struct cors public_cors;

#endif
