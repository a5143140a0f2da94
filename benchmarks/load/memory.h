/* What a server's processes keep in memory. */
#ifndef CONFAB_BENCHMARKS_LOAD_MEMORY_H
#define CONFAB_BENCHMARKS_LOAD_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

/* Resident memory of `pid` and all its descendants, in bytes: heap, stacks and
 * shared memory, every page counted once however many of them share it.
 * Mapped files (programs, libraries, an LMDB file) and the kernel's socket
 * buffers are left out. Ends the program when /proc does not tell. */
uint64_t memory_resident(pid_t pid);

#endif
