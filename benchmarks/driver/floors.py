"""The floors: what this machine and disk allow, in this very run."""

import json

from .server import Server


class Floor(Server):
    label = "floor"
    role = "floor"
    program = "bench_floor"
    store = True

    def prepare(self, folder):
        (folder / "log").mkdir()
        where = ["--data", str(folder / "log")] if self.store else ["--bare"]
        return [str(self.bench.bin / self.program), *where]

    def wait_ready(self):
        self.wait_for_line("floor ready ")

    def after_stop(self, output):
        told = json.loads(output.splitlines()[-1])
        if told["commits"] > 0:
            self.commits = (told["commit_p50_us"], told["commit_p99_us"])


class FloorPost(Floor):
    """libmicrohttpd in front."""
    program = "bench_floor_post"


class FloorBare(Floor):
    """Stores nothing: a send loop."""
    label = "send loop"
    store = False


class FloorWalk(Floor):
    """No server: a log is written, then walked, in one process."""
    label = "walk"
    program = "bench_walk"

    def prepare(self, folder):
        self.log = folder / "log"
        self.log.mkdir()
        return None

    def wait_ready(self):
        pass

    def load_argv(self, arguments):
        return [str(self.bench.bin / self.program), "--data", str(self.log),
                *arguments]

    def after_stop(self, output):
        pass
