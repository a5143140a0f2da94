#!/usr/bin/env python3
"""Draws the plots of a run: driver/plots.py figures.json FOLDER

Needs matplotlib (Debian: python3-matplotlib) and nothing else of the driver,
so that any interpreter which has it can draw, long after the run."""

import json
import math
import pathlib
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot, ticker  # noqa: E402

# Okabe and Ito's colours: told apart by colour-blind readers, too.
COLOURS = {"Confab": "#0072B2", "floor": "#999999", "send loop": "#999999",
           "mosquitto": "#D55E00", "nchan": "#009E73", "pushpin": "#CC79A7",
           "NATS JetStream": "#E69F00"}
MARKERS = {"Confab": "o", "floor": "D", "send loop": "D"}

pyplot.rcParams.update({
    "svg.fonttype": "none",    # text stays text
    "svg.hashsalt": "confab",  # the same figures give the same file
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
})

# plot: title, x axis, y axis, [(metric, line style, what it is)]
PLOTS = {
    "window": ("Throughput by window", "W, messages under way",
               "deliveries/s", [("rate", "-", "")]),
    "subscribers": ("Throughput by subscribers (W = 8)", "subscribers",
                    "deliveries/s", [("rate", "-", "")]),
    "latency": ("Latency at fixed rates", "messages/s",
                "publish to arrival, µs",
                [("p99_us", "-", "p99"), ("p50_us", ":", "p50")]),
    "memory": ("Memory by connections", "idle connections",
               "memory of the server, MiB", [("after", "-", "")]),
    "growth": ("Cost by data size", "size, compared to the smallest",
               "cost of a publish, compared to the smallest", []),
}


def points(rows, plot, panel, key):
    """{server: [(x, values of all rounds)]}, sorted by x."""
    lines = {}
    for row in rows:
        for at_plot, at_panel, x in row["points"]:
            if (at_plot, at_panel) != (plot, panel):
                continue
            for server, rounds in row["results"].items():
                got = [f[key] for f in rounds if f is not None]
                if got:
                    lines.setdefault(server, []).append((x, got))
    return {server: sorted(line) for server, line in lines.items()}


def panels_of(rows, plot):
    found = [panel for row in rows for at, panel, _ in row["points"]
             if at == plot and row["results"]]
    return list(dict.fromkeys(found))


def draw_line(axes, server, line, style, what, scale):
    xs = [x for x, _ in line]
    middle = [statistics.median(got) * scale for _, got in line]
    axes.plot(xs, middle, style, color=COLOURS.get(server, "#000000"),
              marker=MARKERS.get(server, "s"), markersize=4,
              label=f"{server} {what}".strip(),
              zorder=3 if server == "Confab" else 2)
    axes.fill_between(xs, [min(got) * scale for _, got in line],
                      [max(got) * scale for _, got in line],
                      color=COLOURS.get(server, "#000000"), alpha=0.15,
                      linewidth=0)


def plain_numbers(axis, xs=None):
    if xs is not None:
        axis.set_major_locator(ticker.FixedLocator(xs))
        axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}"))


def draw(rows, plot):
    title, x_name, y_name, metrics = PLOTS[plot]
    panels = panels_of(rows, plot)
    if not panels:
        return None
    figure, all_axes = pyplot.subplots(
        1, len(panels), figsize=(4 * len(panels) + 0.6, 4.4), sharey=True,
        squeeze=False, layout="constrained")
    for axes, panel in zip(all_axes[0], panels):
        xs = set()
        for key, style, what in metrics:
            scale = 2 ** -20 if plot == "memory" else 1
            for server, line in points(rows, plot, panel, key).items():
                draw_line(axes, server, line, style, what, scale)
                xs.update(x for x, _ in line)
        axes.set(title=panel, xlabel=x_name, xscale="log", yscale="log")
        plain_numbers(axes.xaxis, sorted(xs))
        plain_numbers(axes.yaxis)
        axes.legend(fontsize=7, ncol=len(metrics), frameon=False,
                    loc="upper center", bbox_to_anchor=(0.5, -0.17))
    all_axes[0][0].set_ylabel(y_name)
    figure.suptitle(title)
    return figure


def draw_growth(rows):
    """All in one: what each size costs, by what the smallest costs."""
    title, x_name, y_name, _ = PLOTS["growth"]
    rows = [row for row in rows
            if any(at == "growth" for at, *_ in row["points"])
            and any(f is not None for f in row["results"].get("Confab", []))]
    if not rows:
        return None
    figure, axes = pyplot.subplots(figsize=(5.6, 3.8), layout="constrained")
    for row in rows:
        rounds = [f for f in row["results"]["Confab"] if f is not None]
        sizes = rounds[0]["sizes"]
        axes.plot([size / sizes[0] for size in sizes],
                  [statistics.median(f[f"cost_{i}"] / f["cost_0"]
                                     for f in rounds)
                   for i in range(len(sizes))],
                  "o-", markersize=4, label=row["title"].removeprefix("cost of "))
    xs = [1, 10, 100]
    axes.plot(xs, [1.25 ** math.log10(x) for x in xs], "k:", linewidth=1,
              label="target: at most 1.25 per factor 10")
    axes.set(title=title, xlabel=x_name, ylabel=y_name, xscale="log")
    axes.set_ylim(bottom=0)
    plain_numbers(axes.xaxis, xs)
    axes.legend(fontsize=7)
    return figure


def main():
    source, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    rows = json.loads(pathlib.Path(source).read_text())["rows"]
    for plot in PLOTS:
        figure = draw_growth(rows) if plot == "growth" else draw(rows, plot)
        if figure is None:
            continue
        figure.savefig(folder / f"{plot}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{plot}.png", dpi=150)
        print(json.dumps([PLOTS[plot][0], f"{plot}.svg"]))


if __name__ == "__main__":
    main()
