"""Reading changes nothing: after every command that reads, each file of store and folder is what it was, whatever the store is."""

from collections.abc import Iterator
from pathlib import Path

import foreign
import mlflow
import pytest
from conftest import ROOT

from analysis.commands import cli as analysis_cli
from regstudy.commands import cli
from regstudy.design import design_file
from regstudy.schema import STUDY, Tag

pytestmark = pytest.mark.slow

DESIGN = """\
name: mine
about: Does it work?
overrides: {epochs: 1, dataset: mnist-5k}
configurations:
  - {l1: 0}
  - {l1: 0.001}
seeds: 2
claims:
  - id: better
    text: L1 is better
    contrasts:
      - {metric: endpoint/test_accuracy, of: {l1: 0.001}, against: {l1: 0}, expect: higher, margin: 0.05}
"""
READ = (
    ["rank"],
    ["claims", "--study", "mine"],
    ["compare", "none", "L1 0.001"],
    ["compare", "--metric", "test/loss", "--group-by", "params.l1"],
    ["snapshot", "{elsewhere}/snapshot"],
    ["gallery", "--output", "{elsewhere}/gallery.html"],
)
REPORT, VERIFY = ["report", "--output", "{elsewhere}/report"], ["verify", "{elsewhere}/report"]
PLANNED = (["study", "status", "{elsewhere}/mine.yaml"], ["study", "plan", "{elsewhere}/mine.yaml", "--threads", "2"])
HOLDS_RUNS = ("of today", "older", "with a log", "half written", "read-only")


@pytest.fixture(scope="module")
def studied(trained_once, tmp_path_factory) -> Path:
    """The trained store's file, with the run of a study."""
    folder = tmp_path_factory.mktemp("studied")
    (folder / "mlflow.db").write_bytes((trained_once / "mlflow.db").read_bytes())
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    some = client.search_runs(["0"])[0].data.tags
    same = {tag: some[tag] for tag in (Tag.DATASET, Tag.DATA_DIGEST, Tag.NUMERICS_VERSION)}
    digest = design_file.parse(DESIGN, "mine").digest
    parent = client.create_run("0", tags=same | {Tag.KIND: STUDY, Tag.STUDY: "mine", Tag.STUDY_DIGEST: digest}).info.run_id
    client.log_text(parent, DESIGN, "design.yaml")
    return folder / "mlflow.db"


@pytest.fixture
def store(studied, tmp_path, monkeypatch, request) -> Iterator[Path]:
    """A folder that holds a store of this kind, and nothing else."""
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(studied.read_bytes())
    foreign.KINDS[request.param](folder / "mlflow.db")
    monkeypatch.chdir(folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.yaml").write_text(DESIGN)
    yield folder
    folder.chmod(0o755)
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


def ends(main, command: list[str], folder: Path) -> int:
    return main([word.format(elsewhere=folder.parent / "elsewhere") for word in command])


@pytest.mark.parametrize("store", HOLDS_RUNS, indirect=True)
def test_what_reads_a_store_leaves_it_as_it_was(store, trained_once, capsys, unmeasured):
    before = foreign.state(store, trained_once)
    for command in READ:
        assert ends(analysis_cli.main, command, store) == 0, (command, capsys.readouterr().err)
    capsys.readouterr()
    assert ends(cli.main, PLANNED[0], store) == 0
    assert "missing" not in capsys.readouterr().out, "all four runs were found"
    assert ends(cli.main, PLANNED[1], store) == 0
    assert foreign.state(store, trained_once) == before


@pytest.mark.parametrize("store", HOLDS_RUNS, indirect=True)
def test_a_report_leaves_the_store_that_it_is_of_as_it_was(store, trained_once, capsys, instead_of_writing):
    """Verifying reads all that a report is made of."""
    before = foreign.state(store, trained_once)
    with instead_of_writing() as had:
        assert ends(analysis_cli.main, REPORT, store) == 0, capsys.readouterr().err
    assert len(had[0].trials.runs) == 4
    assert ends(analysis_cli.main, VERIFY, store) == 0, capsys.readouterr().err
    assert foreign.state(store, trained_once) == before


@pytest.mark.parametrize("store", [kind for kind in foreign.KINDS if kind not in HOLDS_RUNS], indirect=True)
def test_what_is_no_store_is_named_in_one_line_and_left_alone(store, capsys):
    before = foreign.state(store)
    for command in (*READ, REPORT):
        assert ends(analysis_cli.main, command, store) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert f"sqlite:///{store}/mlflow.db" in said
    assert foreign.state(store) == before


@pytest.mark.parametrize("store", ["missing", "empty"], indirect=True)
def test_a_plan_for_a_store_that_is_to_come_makes_none(store, capsys, unmeasured, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # what seeds can find is said by a process of the other package
    before = foreign.state(store)
    for command in PLANNED:
        assert ends(cli.main, command, store) == 0, capsys.readouterr().err
        assert "mine" in capsys.readouterr().out
    assert foreign.state(store) == before


@pytest.mark.parametrize("store", ["another program's", "no database"], indirect=True)
def test_a_plan_on_what_is_no_store_is_refused(store, capsys):
    before = foreign.state(store)
    for command in PLANNED:
        assert ends(cli.main, command, store) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert foreign.state(store) == before


TRAIN = ["train", "--dataset", "mnist-5k", "--epochs", "1"]


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("older", "is an older MLflow's, which could not open it any more once this one had written to it: keep a copy and migrate it with mlflow db upgrade"),
        ("another program's", "is no MLflow store: it has only tables of something else (customers)"),
    ],
    indirect=["store"],
)  # fmt: skip
@pytest.mark.parametrize("command", [TRAIN, ["study", "run", "{elsewhere}/mine.yaml"], ["resume", "0" * 32]])
def test_what_writes_migrates_nobodys_store(store, words, command, capsys):
    before = foreign.state(store)
    assert ends(cli.main, command, store) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert foreign.state(store) == before
