/* Names of things, and the paths and topics made from them. */
#ifndef CONFAB_BENCHMARKS_LOAD_NAMING_H
#define CONFAB_BENCHMARKS_LOAD_NAMING_H

#include "benchmarks/load/options.h"

/* `template` with {token}, {thing} and {limit} filled in for thing number `thing`; the
 * caller owns the result. */
char *naming_expand(const char *template, const struct options *o,
                    unsigned thing);

/* That for each of o->things; the caller owns list and texts, which
 * naming_free_all() ends together. */
char **naming_expand_all(const char *template, const struct options *o);
void naming_free_all(char **list, const struct options *o);

#endif
