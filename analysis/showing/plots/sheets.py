"""Runs against images: who gets the hardest images wrong."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from regstudy.console.terminal import plural

from .style import Look, new_figure

ROW, GAP = 0.13, 0.9
"""Inches of a run's row; rows between two configurations."""


def hardest(wrong: pd.DataFrame, labels: dict[int, str], look: dict[str, Look]) -> Figure:
    """A mark where a run gets an image wrong: a row per run, grouped by configuration (index: configuration, seed), a column per image."""
    drawn = set(wrong.index.get_level_values("configuration"))
    names = [name for name in look if name in drawn]
    own = {name: wrong.loc[[name]].to_numpy(bool) for name in names}
    height = sum(len(marks) + GAP for marks in own.values())
    title = f"The {plural(len(wrong.columns), 'hardest image')}, run by run"
    figure = new_figure(9.4, 1.9 + ROW * height, title, "a row per seed, a column per test image, hardest first; a mark: wrong")
    axis = figure.add_subplot()
    axis.set_facecolor("none")
    top, middles = 0.0, []
    for name, marks in own.items():
        seeds, images = np.nonzero(marks)
        axis.plot(images, top + seeds, "s", color=look[name].colour, markersize=6.4, markeredgewidth=0, clip_on=False)
        middles.append(top + (len(marks) - 1) / 2)
        top += len(marks) + GAP
    axis.set_ylim(top - GAP, -1)
    axis.set_yticks(middles, names)
    axis.set_xlim(-0.8, len(wrong.columns) - 0.2)
    axis.set_xticks(range(len(wrong.columns)), [labels[int(image)] for image in wrong.columns], rotation=90, fontsize=7.5)
    axis.grid(visible=False)
    axis.tick_params(length=0)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_xlabel("actual label · index in the test set")
    return figure
