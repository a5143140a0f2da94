/* `$confab/<command>`: what administrators may order, as base/vocabulary.h
 * lists it. The body is a msgpack map from strings to strings and unsigned
 * numbers; unknown keys are ignored. */
#ifndef CONFAB_BROKER_ADMIN_ADMIN_H
#define CONFAB_BROKER_ADMIN_ADMIN_H

#include "broker/publish/publish_command.h"

/* For hub.commands. */
extern const struct admin_commands admin_commands;

#endif
