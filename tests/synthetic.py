"""Trials as the analysis reads them, made up: for what no training would give in a test's time."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.judging.findings import Findings
from analysis.reading import measures
from analysis.reading.query import SUMMARIES, WORDS
from analysis.reading.studies import Study
from analysis.reading.trials import AVERAGED, Trials
from analysis.reports import report
from analysis.showing import plots, svg
from analysis.showing.sections.first import FIRST
from analysis.showing.sections.section import Material
from regstudy.design import design, design_file, labels
from regstudy.schema import Metric, Summary

EPOCHS = 8


@dataclass(frozen=True)
class NoArtifacts:
    """A source of runs without files."""

    where: str = "made up"
    experiment: str = "made up"
    experiment_id: None = None

    def misclassified(self, run_id: str) -> None:
        """There are none."""

    def runs(self) -> tuple[()]:
        """None that could be linked to."""
        return ()


def trials(
    configurations: int = 4, seeds: int = 3, *, test_images: int = 10_000, spread: float = 5e-4, claims: bool = True
) -> Trials:
    """Trials of the published study's configurations, or of so many others, of equal quality."""
    rng = np.random.default_rng([configurations, seeds])
    study = design_file.load("published").with_changes(seeds=None, epochs=EPOCHS, dataset="mnist")
    cells = study.cells() if configurations == 4 else [{"l1": i / 10_000, "l2": 0.0} for i in range(configurations)]
    configs = [design.RunConfig.model_validate({**cell, "dataset": "mnist", "epochs": EPOCHS}) for cell in cells]
    names = labels.labels([config.model_dump() for config in configs])
    rows, epochs = [], []
    for config, name in zip(configs, names, strict=True):
        for seed in range(seeds):
            run_id = f"{name}-{seed}"
            accuracy = 0.994 + rng.normal(0, spread)
            curve = accuracy - 0.1 / np.arange(1, EPOCHS + 1) ** 2 + rng.normal(0, spread / 2, EPOCHS)
            rows.append(_row(config, name, seed, run_id, accuracy, test_images, rng))
            columns = {
                Metric.TEST_ACCURACY.value: curve,
                Metric.TEST_LOSS.value: 0.02 + 1 - curve,
                Metric.TRAIN_LOSS.value: 0.02,
                Metric.TRAIN_ACCURACY.value: curve + 1e-4,
            }
            epochs.append(
                pd.DataFrame({"run_id": run_id, "configuration": name, "seed": seed, "epoch": range(EPOCHS), **columns})
            )
    planned = Study("study", study, frozenset()) if claims and configurations == 4 else None
    return Trials(pd.DataFrame(rows), pd.concat(epochs, ignore_index=True), (), NoArtifacts(), WORDS, measures.CURVES, planned)  # pyright: ignore[reportArgumentType]  # all that is asked of it here


def _row(
    config, name: str, seed: int, run_id: str, accuracy: float, test_images: int, rng: np.random.Generator
) -> dict[str, object]:
    """One run, as query.read gives it."""
    summaries = dict.fromkeys(SUMMARIES, 0.01) | {
        Summary.ENDPOINT_TEST_ACCURACY.value: accuracy,
        Summary.ENDPOINT_TEST_LOSS.value: 0.02 + abs(rng.normal(0, 1e-3)),
        Summary.ROUGHNESS_TEST_ACCURACY.value: 3e-4 * np.exp(rng.normal(0, 0.2)),
        Summary.ROUGHNESS_TEST_LOSS.value: 1e-3 * np.exp(rng.normal(0, 0.2)),
        Summary.GAP_ACCURACY.value: rng.normal(1e-3, 3e-4),
        Summary.DEAD_KERNELS.value: 0.0,
        Summary.BEST_TEST_ACCURACY.value: accuracy + 5e-4,
        Summary.BEST_EPOCH.value: 6.0,
        AVERAGED: 5.0,
    }
    return {
        **config.model_copy(update={"seed": seed}).model_dump(),
        "run_id": run_id,
        "run_name": run_id,
        "start_time": seed,
        "configuration": name,
        "configuration_digest": config.configuration_digest(),
        "data_digest": "d" * 64,
        "data_warning": "",
        "class_names": "",
        "test_images": test_images,
        "diverged": False,
        "command": f"python -m regstudy train --seed {seed}",
        **dict.fromkeys(
            ("split_digest", "parameter_count", "numerics_version", "metrics_version", "version", "git_commit"), "1"
        ),
        **dict.fromkeys(("git_dirty", "packages", "device", "processor", "threads"), "1"),
        **summaries,
    }


def figures(found: Findings) -> dict[str, str]:
    """Every figure that a report of these findings has, as SVG, by name."""
    material = Material.of(found)
    with plots.style():
        made = [section.make(material) for section in (FIRST, *report.SECTIONS)]
        return {drawing.name: svg.svg(drawing.figure) for section in made if section for drawing in section.figures}
