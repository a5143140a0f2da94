/* Failures of a disk after which the process cannot go on: it says which file
 * that was and ends with a status of its own, and whoever supervises it starts
 * it again (Restart=on-failure). */
#ifndef CONFAB_BASE_DISK_FAULT_H
#define CONFAB_BASE_DISK_FAULT_H

#define EXIT_DISK 74 /* EX_IOERR of <sysexits.h> */

/* A page of a mapped file that cannot be read (a broken sector, a file that was
 * cut short) is a SIGBUS in whichever thread touches it, and nothing that thread
 * holds can be let go. From here on that writes one line on stderr, with the
 * file's name, and ends the process with EXIT_DISK. A SIGBUS outside of mapped
 * files, which is a bug of ours, ends it as before. Main, before threads are
 * started; sanitizers' own handlers are replaced. */
void disk_fault_catch(void);

/* Ends the process at once with EXIT_DISK. No exit handlers: other threads run
 * until the end, and what they rely on must stay. Log first. */
_Noreturn void disk_fault_end(void);

#endif
