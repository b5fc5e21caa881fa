"""The contact sheets of misclassified images, drawn from the runs' tables."""

import io

import pandas as pd

from analysis import plots
from analysis.records import Records
from analysis.report import Sheet

PNG_DPI = 120


def draw(source: Records, runs: pd.DataFrame) -> list[Sheet]:
    """One sheet per configuration, of its lowest seed; a run without a table is passed over."""
    first = runs.sort_values("seed").drop_duplicates("configuration").sort_index()
    found = [_draw(source, *row) for row in first[["run_id", "configuration", "seed", "dataset"]].itertuples(index=False)]
    return [sheet for sheet in found if sheet is not None]


def _draw(source: Records, run_id: str, configuration: str, seed: int, dataset: str) -> Sheet | None:
    wrong = source.misclassified(run_id)
    if wrong is None:
        return None
    buffer = io.BytesIO()
    with plots.style():
        figure = plots.contact_sheet(wrong, plots.class_names(dataset), f"{configuration}, seed {seed}")
        figure.savefig(buffer, dpi=PNG_DPI, metadata={"Software": None})
    return Sheet(configuration, seed, buffer.getvalue())
