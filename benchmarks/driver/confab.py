"""Confab, with its default settings but for the ports."""

import json
import subprocess

from .server import Failed, Server


class Confab(Server):
    label = "Confab"
    role = "confab"

    def prepare(self, folder):
        self.data = folder / "data"
        return [str(self.bench.confab), "run", "--data", str(self.data),
                "-s", "http.listen=127.0.0.1:0",
                "-s", "mqtt.listen=127.0.0.1:0"]

    def wait_ready(self):
        self.wait_for_line("confab ready ")

    def before_stop(self):
        """Of the last 1,024 commits, as `confab status` has them."""
        result = subprocess.run(
            [str(self.bench.confab), "status", "--data", str(self.data)],
            capture_output=True, text=True, timeout=30)
        if result.returncode != 0:
            raise Failed(f"confab status: {result.stderr.strip()}")
        writer = json.loads(result.stdout)["writer"]
        self.commits = (writer["commit_p50_us"], writer["commit_p99_us"])

    def after_stop(self, output):
        if self.process.returncode != 0:
            raise Failed(f"Confab ended with {self.process.returncode}")
