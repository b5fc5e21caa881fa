"""Is the fast engine the loop that people write? That loop, trained from many seeds, and its runs beside the engine's, for `analysis` to judge.

    python -m benchmarks.engine train --data-root DIR --l2 0.0005 [--l1 0] [--seeds 10] [--epochs 40] FOLDER
    python -m benchmarks.engine table FOLDER --from SNAPSHOT [--from SNAPSHOT …] > runs.csv

The first trains `tests/reference.py` seed by seed, on one thread, and writes a row per epoch; started again, it goes on where it stopped. The second puts
all of its runs below those of the engine with the same factors: a row per number, as `analysis report --from runs.csv` reads it.
"""

import argparse
import csv
import sys
from pathlib import Path

import pandas as pd
import torch

import analysis as an
from regstudy.training.summary import roughness
from tests import reference

ACCURACY, LOSS, ROUGHNESS = "test_accuracy", "test_loss", "roughness"
HEAD = ("l1", "l2", "seed", "step", ACCURACY, LOSS)
WHO = ["trained by", "l1", "l2", "seed"]


def main() -> None:
    """Train or put together, as the options say."""
    cli = argparse.ArgumentParser(
        prog="python -m benchmarks.engine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = cli.add_subparsers(dest="what", required=True)
    training, table = what.add_parser("train"), what.add_parser("table")
    training.add_argument("--data-root", required=True, help="folder with full MNIST, as torchvision unpacks it")
    for name in ("l1", "l2"):
        training.add_argument(f"--{name}", type=float, default=0.0)
    for name, default in (("seeds", 10), ("epochs", 40)):
        training.add_argument(f"--{name}", type=int, default=default)
    table.add_argument("--from", required=True, action="append", dest="snapshots", help="the engine's runs")
    for command in (training, table):
        command.add_argument("folder", type=Path, help="of the loop's rows, and of what a run goes on from")
    given = cli.parse_args()
    if given.what == "table":
        side_by_side(given.folder, given.snapshots).to_csv(sys.stdout, index=False)
        return
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        train(given.data_root, given.l1, given.l2, seed, given.epochs, given.folder)


def train(data_root: str, l1: float, l2: float, seed: int, epochs: int, folder: Path) -> None:
    """One run, or what is left of it. Its state is written after its row, so what an interruption left twice is written anew."""
    name = f"l1-{l1:g}-l2-{l2:g}-seed-{seed}"
    rows, state = folder / f"{name}.csv", folder / f"{name}.pt"
    done = int(torch.load(state, weights_only=True)["epochs"]) if state.exists() else 0
    kept = rows.read_text(encoding="utf-8").splitlines()[1 : done + 1] if done else []
    rows.write_text("\n".join([",".join(HEAD), *kept, ""]), encoding="utf-8")
    with rows.open("a", encoding="utf-8", newline="") as file:
        for step, (accuracy, loss) in enumerate(reference.train(data_root, l1, l2, seed, epochs, state), done + 1):
            csv.writer(file, lineterminator="\n").writerow([l1, l2, seed, step, accuracy, loss])
            file.flush()


def side_by_side(folder: Path, snapshots: list[str]) -> pd.DataFrame:
    """The engine's runs and the loop's, of the loop's factors and as long: who, metric, step, value; roughness as the last step's."""
    loop = pd.concat([pd.read_csv(rows) for rows in sorted(folder.glob("*.csv"))]).assign(**{WHO[0]: "the loop"})
    whole = loop["step"].max()
    loop = loop[loop.groupby(WHO)["step"].transform("max") == whole]
    engine = _engine(snapshots).assign(**{WHO[0]: "the engine"})
    both = pd.concat([loop, engine[engine["step"] <= whole].merge(loop[["l1", "l2"]].drop_duplicates())])
    curves = both.melt([*WHO, "step"], [ACCURACY, LOSS], "metric")
    rough = curves[curves["metric"] == ACCURACY].groupby(WHO, as_index=False)["value"].agg(lambda curve: roughness(list(curve)))
    long = pd.concat([curves, rough.assign(metric=ROUGHNESS, step=whole)])
    return long.sort_values([*WHO, "metric", "step"])[[*WHO, "metric", "step", "value"]]


def _engine(snapshots: list[str]) -> pd.DataFrame:
    trials = an.read(snapshots=snapshots)
    epochs = trials.epochs.merge(trials.runs[["run_id", "l1", "l2"]]).rename(columns={"epoch": "step"})
    return epochs.rename(columns={"test/accuracy": ACCURACY, "test/loss": LOSS}).assign(step=epochs["step"] + 1)[list(HEAD)]


if __name__ == "__main__":
    main()
