"""The results folder: <date>.md, and beside it <date>/ with the figures of
every round and the plots."""

import json
import pathlib
import subprocess
import sys

from .servers import SERVERS

PLOTS = pathlib.Path(__file__).resolve().parent / "plots.py"


def free_name(folder, started):
    """<date>, or <date>-2 and so on when there is one."""
    name = f"{started:%Y-%m-%d}"
    number = 2
    while (folder / f"{name}.md").exists() or (folder / name).exists():
        name = f"{started:%Y-%m-%d}-{number}"
        number += 1
    return name


def figures(bench, started):
    """All that was measured, as JSON; plots.py reads it, and so may others."""
    return {
        "started": f"{started:%Y-%m-%dT%H:%M:%S}",
        "rounds": bench.options.rounds,
        "duration": bench.options.duration,
        "rows": [{
            "name": row.name,
            "title": row.title,
            "points": row.points,
            "results": {SERVERS[server].label: rounds for server, rounds
                        in bench.results[row.name].items()},
        } for row in bench.rows],
    }


def interpreter_with_matplotlib():
    """Debian's has it, the one that runs this may be another."""
    for python in (sys.executable, "/usr/bin/python3"):
        asked = subprocess.run([python, "-c", "import matplotlib"],
                               capture_output=True)
        if asked.returncode == 0:
            return python
    return None


def draw_plots(folder):
    """[(title, file name)], or why there are none."""
    python = interpreter_with_matplotlib()
    if python is None:
        return "None: matplotlib is missing (apt: python3-matplotlib)."
    done = subprocess.run(
        [python, "-B", str(PLOTS), str(folder / "figures.json"), str(folder)],
        capture_output=True, text=True)
    if done.returncode != 0:
        why = (done.stderr.strip() or "no reason given").splitlines()[-1]
        return f"None: {why}"
    plots = [json.loads(line) for line in done.stdout.splitlines()]
    return plots or "None of the rows measured are in a plot."


def write(folder, name, bench, started, text_of):
    """Writes all of it. `text_of` makes the report of the plots; returns it
    and its path."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "figures.json").write_text(
        json.dumps(figures(bench, started), indent=1))
    plots = draw_plots(folder / name)
    if not isinstance(plots, str):
        plots = [(title, f"{name}/{file}") for title, file in plots]
    text = text_of(plots)
    path = folder / f"{name}.md"
    path.write_text(text)
    return text, path
