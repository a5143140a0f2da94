/* Failures of a disk after which the process cannot go on: it says which file
 * that was and ends with a status of its own, and whoever supervises it starts
 * it again (Restart=on-failure). */
#ifndef CONFAB_BASE_DISK_FAULT_H
#define CONFAB_BASE_DISK_FAULT_H

#define EXIT_DISK 74 /* EX_IOERR of <sysexits.h> */

/* From here on, two signals are explained by one line on stderr. Main, before
 * threads are started; `data_dir` is borrowed for ever.
 *
 * SIGBUS: a page of a mapped file that cannot be read (a broken sector, a file
 * that was cut short, a damaged page that refers to one beyond the end), in whichever thread touches it, and nothing that thread holds can be
 * let go. The line has the file's name, and the process ends with EXIT_DISK. A
 * SIGBUS outside of mapped files, which is a bug of ours, ends it as before.
 *
 * SIGSEGV: LMDB believes what a page says, and goes where a damaged one sends it;
 * or we have a bug. The line says which of them it looks like and what to do;
 * then the signal does what it always did (core dump, status by signal). A stack
 * that is full is not explained. Sanitizers keep their handlers of this one. */
void disk_fault_catch(const char *data_dir);

/* Ends the process at once with EXIT_DISK. No exit handlers: other threads run
 * until the end, and what they rely on must stay. Log first. */
_Noreturn void disk_fault_end(void);

#endif
