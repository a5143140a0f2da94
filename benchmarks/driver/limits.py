"""How many connections this machine lets a process have."""

import resource

# Of every process's open files: its program, log, data, listeners, epoll; the
# load generator's publishers; Confab keeps 128 for itself.
RESERVED = 512


class Limits:
    def __init__(self, open_files=None):
        """Raises the limit as far as it goes; children inherit it."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.open_files = min(hard, open_files) if open_files else hard
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (self.open_files, self.open_files))
        self.wanted = 0  # the most that was asked for in vain

    def connections(self, wanted):
        """So many, or as many as there can be: rows have the true number in
        their titles, and notice() says that it is lower and why."""
        possible = max(self.open_files - RESERVED, 100)
        if wanted > possible:
            self.wanted = max(self.wanted, wanted)
        return min(wanted, possible)

    def notice(self):
        """None when all rows have the connections they are meant to."""
        if self.wanted == 0:
            return None
        return (f"The limit of open files is {self.open_files:,} (RLIMIT_NOFILE"
                f", hard), so rows have at most "
                f"{self.connections(self.wanted):,} connections instead of "
                f"{self.wanted:,}. For all of them: `ulimit -Hn "
                f"{self.wanted + RESERVED}` as root, then again")
