/* Disk failures after which the process cannot continue: it logs the file and
 * exits with a special status, and its supervisor restarts it
 * (Restart=on-failure). */
#ifndef CONFAB_BASE_DISK_FAULT_H
#define CONFAB_BASE_DISK_FAULT_H

#define EXIT_DISK 74 /* EX_IOERR of <sysexits.h> */

/* From now on one line on stderr explains each of two signals. Call it in
 * main, before threads are started; `data_dir` is borrowed for the life of the
 * process.
 *
 * SIGBUS: a page of a mapped file cannot be read (a broken sector, a truncated
 * file, a damaged page that refers to one beyond the end). It arrives in
 * whichever thread touches the page, and nothing that the thread holds can be
 * released. The line names the file, and the process exits with EXIT_DISK. A
 * SIGBUS outside mapped files is a bug of ours and ends the process as usual.
 *
 * SIGSEGV: either LMDB, which trusts the contents of pages, followed a damaged
 * one, or we have a bug. The line says which is more likely and what to do;
 * then the signal has its usual effect (core dump, status by signal). A stack
 * overflow is not explained. Sanitizers keep their own handlers for this
 * signal. */
void disk_fault_catch(const char *data_dir);

/* Ends the process at once with EXIT_DISK, without exit handlers: other
 * threads run until the end, and everything they use must stay. Log first. */
_Noreturn void disk_fault_end(void);

#endif
