/* What both floors do before and after serving. */
#ifndef CONFAB_BENCHMARKS_FLOOR_SETUP_H
#define CONFAB_BENCHMARKS_FLOOR_SETUP_H

#include <stdbool.h>
#include <stdint.h>

struct setup {
    const char *dir;  /* --data; NULL with --bare: nothing is stored */
    unsigned workers; /* --workers: threads that own connections */
    int signals; /* signalfd: SIGINT and SIGTERM, blocked in all threads */
};

/* How many cores are on. */
unsigned setup_cores(void);

/* Reads the command line, raises RLIMIT_NOFILE, blocks the signals. `workers`
 * holds unless the command line says otherwise. Bad usage ends the program
 * with 2. */
void setup_init(struct setup *s, unsigned workers, int argc, char **argv);

/* A non-blocking listening socket on 127.0.0.1 and a port the kernel picks. */
int setup_listen(uint16_t *ret_port);

#endif
