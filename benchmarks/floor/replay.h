/* History from the beginning as NDJSON: the log is walked and framed straight
 * into what is sent, by a thread for each such request. */
#ifndef CONFAB_BENCHMARKS_FLOOR_REPLAY_H
#define CONFAB_BENCHMARKS_FLOOR_REPLAY_H

struct log;
struct topic;

/* Answers on `fd`, which is duplicated; nobody else may write to it meanwhile.
 * Returns at once; when the reader goes away, the thread ends. */
void replay_start(int fd, struct log *log, const struct topic *topic);

#endif
