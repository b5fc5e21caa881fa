"""The report of many runs, by the command: the committed study's trials, dealt out anew to so many configurations and seeds."""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from analysis.reading.records import snapshot
from analysis.reading.records.record import Record
from analysis.reading.records.snapshot import SnapshotRecords
from benchmarks import process
from regstudy.config import RunConfig
from regstudy.schema import TRIAL, Tag

CONFIGURATIONS, SEEDS = 50, 20
SCREEN = 1400, 900
COMMITTED = Path(__file__).parent.parent / "results" / "published"


class Report(NamedTuple):
    """How many runs; seconds of the whole command; its peak memory and the size of report.html, in MB; how many screens that is high, if Chromium is there."""

    runs: int
    seconds: float
    memory: float
    size: float
    screens: float | None


def measure() -> Report:
    """Write a snapshot of that many runs, then time the report's command on it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, output = Path(scratch) / "snapshot", Path(scratch) / "report"
        dealt = Dealt(snapshot.load(sorted(COMMITTED.glob("blocks-*"))))
        snapshot.write(dealt.runs(), dealt, folder)
        done = process.run("-m", "analysis", "report", "--from", str(folder), "--output", str(output))
        page = output / "report.html"
        return Report(len(dealt.runs()), done.seconds, done.memory, page.stat().st_size / 1e6, screens(page))


def screens(page: Path) -> float | None:
    """How high a page is, with its details folded, in screens of 1,400 × 900 pixels; None without Debian's Chromium and its driver."""
    if not all(map(shutil.which, ("chromium", "chromedriver"))):
        return None
    options = ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", f"--window-size={SCREEN[0]},{SCREEN[1]}"):
        options.add_argument(flag)
    options.binary_location = str(shutil.which("chromium"))
    with Chrome(options, ChromeService(shutil.which("chromedriver"))) as driver:
        size = {"width": SCREEN[0], "height": SCREEN[1], "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(page.as_uri())
        return driver.execute_script("return document.documentElement.scrollHeight") / SCREEN[1]


def rows(found: Report) -> list[tuple[str, str, str]]:
    """The table's rows."""
    how = f"{CONFIGURATIONS} configurations × {SEEDS} seeds, from a snapshot, as a command, all formats"
    high = f"of {SCREEN[0]:,} × {SCREEN[1]} pixels in Chromium, details folded"
    return [
        (f"(i) the report of {found.runs:,} runs", f"{found.seconds:.0f} s", how),
        ("(i) its size and peak memory", f"{found.size:.1f} MB; {found.memory:.0f} MB", "report.html; the process"),
        *([("(i) its height", f"{found.screens:.1f} screens", high)] if found.screens is not None else []),
    ]


@dataclass
class Dealt:
    """The trials of a source, as runs of other configurations and seeds; each seed of a configuration is a trial drawn at random."""

    source: SnapshotRecords
    configurations: int = CONFIGURATIONS
    seeds: int = SEEDS
    where: str = "made up"
    experiment: str = "made up"
    experiment_id: None = None

    def __post_init__(self) -> None:
        trials = [record for record in self.source.runs() if record.tags[Tag.KIND] == TRIAL]
        rng = np.random.default_rng(0)
        self._drawn: dict[str, Record] = {}
        self._runs: list[Record] = []
        for i in range(self.configurations):
            for seed, chosen in enumerate(rng.integers(len(trials), size=self.seeds)):
                run = _as(trials[chosen], l1=i / 10_000, seed=seed)
                self._runs.append(run)
                self._drawn[run.run_id] = trials[chosen]

    def runs(self) -> Sequence[Record]:
        """All of them."""
        return self._runs

    def epochs(self, run_ids: Sequence[str], metrics: Iterable[str]) -> pd.DataFrame:
        """Long: run_id, metric, step, value."""
        groups = dict(list(self.source.epochs([trial.run_id for trial in self._drawn.values()], metrics).groupby("run_id")))
        return pd.concat([groups[self._drawn[run].run_id].assign(run_id=run) for run in run_ids], ignore_index=True)

    def predictions(self, run_id: str) -> pd.DataFrame | None:
        """Of the trial that was drawn."""
        return self.source.predictions(self._drawn[run_id].run_id)

    def misclassified(self, run_id: str) -> pd.DataFrame | None:
        """Of the trial that was drawn."""
        return self.source.misclassified(self._drawn[run_id].run_id)

    def design(self, run_id: str) -> None:
        """There is none."""


def _as(trial: Record, l1: float, seed: int) -> Record:
    config = RunConfig.model_validate_json(trial.tags[Tag.CONFIG]).model_copy(update={"l1": l1, "l2": 0.0, "seed": seed})
    name = f"L1 {l1:g}-{seed}"
    digests = {
        Tag.CONFIG: config.model_dump_json(),
        Tag.CONFIG_DIGEST: config.digest(),
        Tag.TRIAL_DIGEST: name,
        Tag.CONFIGURATION_DIGEST: config.configuration_digest(),
        Tag.BLOCK: str(seed),
        Tag.CONFIGURATION: f"L1 {l1:g}",
    }
    return trial._replace(run_id=name, name=name, tags={**trial.tags, **digests})
