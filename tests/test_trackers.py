"""What TensorBoard's SummaryWriter and Weights & Biases leave in folders is read as a store's runs are; the files are the real packages' own."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.scalar import metadata as scalars
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from analysis.commands import cli
from analysis.judging import findings
from analysis.reading import foreign
from analysis.reading.anybody.asked import Asked
from analysis.reading.records.trackers import folder
from regstudy.errors import SnapshotError

RATES, SEEDS, STEPS = (0.1, 0.2), range(4), 12
COMPARE = ["compare", "--metric", "val_loss", "--group-by", "params.lr", "--block", "params.seed"]


def losses(rate, seed):
    rng = np.random.default_rng([int(100 * rate), seed])
    return rate + seed / 10 + rng.normal(0, 0.01, STEPS) - np.arange(STEPS) / 100


def write(place, values, first=0, **more):
    writer = SummaryWriter(place, **more)
    for step, value in enumerate(values, first):
        writer.add_scalar("val_loss", value, step)
    return writer


@pytest.fixture
def runs(workspace):
    """`runs/`: two rates × four seeds, with a histogram and a text, and their hyperparameters as torch writes them."""
    for rate in RATES:
        for seed in SEEDS:
            writer = write(f"runs/{rate}/{seed}", losses(rate, seed))
            writer.add_histogram("weights", np.arange(9.0), 0)
            writer.add_text("about", "a text", 0)
            writer.add_hparams({"lr": rate, "seed": seed, "opt": "adam"}, {"final": rate, "val_loss": 77})
            writer.close()
    return workspace / "runs"


def pair(*files, **asked):
    read = foreign.read(Asked("val_loss", ("params.lr",), ("params.seed",), files=tuple(map(str, files)), **asked))
    return findings.find(read).ranking.pairs.iloc[0]


def untouched(place):
    """Every file with its content and its time."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(place.rglob("*")) if path.is_file()}


def test_tensorboards_scalars_and_hyperparameters(runs, capsys):
    before = untouched(runs)
    ends = {}
    for rate in RATES:
        for seed in SEEDS:
            read = EventAccumulator(str(runs / str(rate) / str(seed)), size_guidance={"scalars": 0}).Reload()
            ends[rate, seed] = np.mean([event.value for event in read.Scalars("val_loss")][-5:])
    test = stats.ttest_rel(*([ends[rate, seed] for seed in SEEDS] for rate in RATES))
    found = pair("runs")
    assert found["p"] == pytest.approx(test.pvalue)
    assert abs(found["mean"]) == pytest.approx(abs(np.mean([ends[0.1, s] - ends[0.2, s] for s in SEEDS])))
    assert cli.main([*COMPARE, "--from", "runs"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("runs: 8 runs, val_loss (lower is better)")
    assert "lr 0.1" in said.out
    assert said.err == ""
    assert cli.main(["compare", "--from", "runs"]) == 0
    assert "perhaps what pairs runs" in capsys.readouterr().out
    read = folder.load("runs")
    assert [run.name for run in read.runs()][:2] == ["0.1/0", "0.1/1"]
    assert read.runs()[0].params == {"lr": "0.1", "seed": "0", "opt": "adam"}
    assert read.runs()[0].metrics.keys() == {"val_loss", "final"}
    assert untouched(runs) == before


def test_without_hyperparameters_folders_names_are_parameters(workspace):
    for rate in RATES:
        for seed in SEEDS:
            write(f"hydra/lr={rate},seed={seed}", losses(rate, seed)).close()
            write(f"plain/rate {rate}/{seed}", losses(rate, seed)).close()
    assert pair("hydra")["seeds"] == 4
    (named, *_) = folder.load("plain").runs()
    assert (named.name, named.params) == ("rate 0.1/0", {"folder1": "rate 0.1", "folder2": "0"})
    asked = Asked("val_loss", ("params.folder1",), ("params.folder2",), files=("plain",))
    assert findings.find(foreign.read(asked)).ranking.pairs.iloc[0]["p"] == pytest.approx(pair("hydra")["p"])
    (one,) = folder.load("plain/rate 0.1/0").runs()
    assert (one.name, one.params) == ("0", {})


def test_a_writer_that_begins_anew_voids_what_came_after(workspace):
    write("runs", range(10), filename_suffix=".1").close()
    write("runs", [50, 60], 5, purge_step=5, filename_suffix=".2").close()
    points = folder.load("runs").points
    assert points["value"].tolist() == [0, 1, 2, 3, 4, 50, 60]


def test_tensorflows_scalars_and_a_session_that_failed(workspace):
    """TensorFlow 2 writes tensors, and says only at a tag's first whose they are."""
    writer = EventFileWriter("tf")
    _, started, ended = hparams({"depth": 3.0, "name": "x, y"}, {})
    data = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(status=api_pb2.Status.STATUS_FAILURE)
    )
    ended.value[0].metadata.plugin_data.content = data.SerializeToString()
    for step in range(3):
        metadata = None if step else scalars.create_summary_metadata("", "")
        tensor = tensor_util.make_tensor_proto(np.float32(step / 2))
        value = summary_pb2.Summary.Value(tag="epoch_loss", tensor=tensor, metadata=metadata)
        writer.add_event(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=[value]), wall_time=6))
    for summary in (started, ended):
        writer.add_event(event_pb2.Event(summary=summary, wall_time=7))
    writer.close()
    read = folder.load("tf")
    (run,) = read.runs()
    assert read.points["value"].tolist() == [0, 0.5, 1]
    assert (run.status, run.metrics, run.start_time) == ("FAILED", {"epoch_loss": 1}, 6000)
    assert run.params == {"depth": "3", "name": "x, y"}


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_of_a_damaged_event_file_what_comes_before_is_read(runs, damage, capsys):
    path = max((runs / "0.1" / "0").glob("events*"))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        del content[-20:]
    else:
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert cli.main([*COMPARE, "--from", "runs"]) == 0
    said = capsys.readouterr().out
    assert f"note: {path.relative_to(Path.cwd())} is damaged or was cut off after" in said
    assert f"of {len(content):,} bytes: what is before was read" in said
    assert said.startswith("runs: 8 runs")


def test_what_is_no_folder_of_runs_is_one_line(workspace, capsys):
    (workspace / "empty").mkdir()
    (workspace / "wrong").mkdir()
    (workspace / "wrong" / "events.out.tfevents.1").write_bytes(b"")
    (workspace / "wrong" / "run-a.wandb").write_bytes(b"no run of theirs")
    (workspace / "odd").mkdir()
    (workspace / "odd" / "run-a.wandb").write_bytes(b"no run of theirs")
    for place, told in (
        (
            "nowhere",
            "--from nowhere: there is no such file or folder: expected a file of results (.csv, .tsv, .parquet), a folder that",
        ),
        (
            "empty",
            "--from empty: nothing in it can be read: expected a file of results (.csv, .tsv, .parquet), a folder that TensorBoard",
        ),
        ("odd", "'odd': odd/run-a.wandb does not begin as a file of Weights & Biases does: left out"),
    ):
        assert cli.main([*COMPARE, "--from", place]) == 2, place
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1


@pytest.mark.parametrize(("name", "file"), [("tensorboard", "events.out.tfevents.1"), ("wandb", "run-a.wandb")])
def test_without_the_package_one_line_says_what_to_install(workspace, capsys, monkeypatch, name, file):
    Path(file).write_bytes(b"")
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    assert cli.main([*COMPARE, "--from", "."]) == 2
    said = capsys.readouterr().err
    assert (
        f"needs the Python package {name} to be read, which is not installed: pip install {name}, or regstudy[trackers]" in said
    )
    assert said.count("\n") == 1


WANDB = """
import json, sys
import wandb
settings = wandb.Settings(mode="offline", silent=True, console="off")
def start(**more):
    return wandb.init(project="a project", settings=settings, **more)
for rate, seed, losses in json.load(sys.stdin):
    config = {"lr": rate, "seed": seed, "opt": {"name": "adam", "betas": [0.9, 0.99]}, "note": "a, b", "fused": True}
    with start(config=config, name=f"run {seed}", group="swept", job_type="train", tags=["baseline"]) as run:
        for step, loss in enumerate(losses):
            run.log({"val_loss": loss, "inner": {"norm": step}, "text": "x", "bad": float("nan"), "shown": wandb.Histogram([1, 2])})
        run.log({"late": 3}, step=40)
        run.summary["best"] = 0.5
        run.config.update({"opt": {"name": "sgd"}}, allow_val_change=True)
failed = start(config={"lr": 0.1, "seed": 9}, id="failed")
failed.log({"val_loss": 9})
failed.finish(exit_code=1)
for loss in (1, 2):
    with start(config={"lr": 0.3, "seed": loss}, id="twice", resume="allow") as run:
        run.log({"val_loss": loss}, step=loss)
"""
"""Two rates × four seeds, a run that failed, and one that was resumed. With 0.16.6 and 0.31.0 it gave what is in stores/wandb.tar.xz, of which only the *.wandb files were kept."""


@pytest.fixture(params=["0.16.6", "0.31.0"])
def offline(request, workspace):
    """What two versions of the package wrote, in `wandb/`."""
    with tarfile.open(ROOT / "tests" / "stores" / "wandb.tar.xz") as packed:
        packed.extractall("unpacked", filter="data")
    return shutil.move(f"unpacked/{request.param}/wandb", workspace / "wandb")


@pytest.mark.slow
def test_weights_and_biases_as_it_is_installed(workspace):
    given = json.dumps([(rate, seed, losses(rate, seed).tolist()) for rate in RATES for seed in SEEDS])
    environment = os.environ | {"WANDB_DIR": str(workspace), "HOME": str(workspace)}
    subprocess.run([sys.executable, "-c", WANDB], env=environment, input=given, text=True, check=True)
    check_offline(workspace / "wandb")


def test_weights_and_biases_offline_files(offline, capsys):
    before = untouched(offline)
    check_offline(offline)
    assert cli.main([*COMPARE, "--from", "wandb"]) == 0
    said = capsys.readouterr().out
    assert "a project: 9 runs, val_loss (lower is better)" in said
    assert "1 run that FAILED, left out (lr 0.1: 1)" in said
    assert untouched(offline) == before


def check_offline(place):
    ends = [[losses(rate, seed)[-5:].mean() for seed in SEEDS] for rate in RATES]
    test = stats.ttest_rel(*ends)
    assert pair(place, where=("tags.baseline=true",))["p"] == pytest.approx(test.pvalue)
    read = folder.load(str(place))
    (first, *_) = [run for run in read.runs() if run.params["lr"] == "0.2"]
    assert first.params == {"lr": "0.2", "seed": "0", "opt.name": "sgd", "note": "a, b", "fused": "True"}
    assert first.tags == {"baseline": "true", "group": "swept", "job_type": "train", "project": "a project"}
    assert (first.name, first.experiment) == ("run 0", "a project")
    assert first.metrics.keys() == {"val_loss", "inner.norm", "bad", "late", "best"}
    points = read.epochs([first.run_id], ["val_loss", "late", "best"]).set_index("metric")
    assert points.loc["val_loss", "value"].tolist() == pytest.approx(losses(0.2, 0).tolist())
    assert points.loc["val_loss", "step"].tolist() == list(range(STEPS))
    assert (points.loc["late", "step"], points.loc["best", "value"]) == (40, 0.5)
    assert read.epochs(["twice"], ["val_loss"])["value"].tolist() == [1, 2]


def test_of_a_damaged_file_of_theirs_the_run_has_not_ended(offline, capsys):
    whole, changed, *_ = sorted(Path("wandb").glob("offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_size)[-2:]
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 0xFF
    changed.write_bytes(content)
    assert cli.main([*COMPARE, "--from", "wandb"]) == 0
    said = capsys.readouterr().out
    for path in (whole, changed):
        assert f"{path} is damaged or was cut off after" in said
    assert "2 runs still RUNNING, left out" in said


def test_both_at_once_are_refused_but_for_copies_beside_their_own(offline):
    place = next(offline.glob("offline-run-*"))
    write(place / "files", [1, 2]).close()
    assert len(folder.load("wandb").runs()) == 10
    write("wandb/runs", [1, 2]).close()
    with pytest.raises(
        SnapshotError, match=r"'wandb' holds runs of both Weights & Biases \(.*\) and TensorBoard \(.*\): name a folder of one"
    ):
        folder.load("wandb")


def test_tables_and_folders_together_and_a_gate(runs, capsys):
    rows = [{"lr": 0.3, "seed": seed, "val_loss": losses(0.1, seed)[-5:].mean() + 1} for seed in SEEDS]
    pd.DataFrame(rows).to_csv("more.csv", index=False)
    assert cli.main([*COMPARE, "--from", "more.csv", "--from", "runs"]) == 0
    assert "more, runs: 12 runs" in capsys.readouterr().out
    gate = ["gate", "--baseline", "runs/0.1", "--candidate", "runs/0.2", "--metric", "val_loss", "--margin", "0.02"]
    assert cli.main([*gate, "--block", "params.seed"]) == 1
    assert "val_loss: worse" in capsys.readouterr().out
