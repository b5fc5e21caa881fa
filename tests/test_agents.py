"""The MCP server for coding agents: its tools' answers against the commands' and scipy's numbers; through the SDK's own client."""

import hashlib
import json
import os
import subprocess
import sys

import anyio
import jsonschema
import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, use_store
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from scipy import stats
from test_anybodys_blocks import log

import analysis as an
from analysis.commands import cli
from analysis.commands.agents.server import server
from analysis.commands.agents.tools import Tools
from analysis.commands.options.parsed import parse
from analysis.judging import looks

NAMES = ["list_experiments", "compare", "verdicts", "plan"]
RUNS = {"metric": "val_acc", "group_by": ["params.lr"]}
PAIR = {"a": "lr 0.1", "b": "lr 0.01", **RUNS}
PUBLISHED = [str(ROOT / "results" / "published" / part) for part in ("blocks-0-1", "blocks-2-4", "blocks-5-9")]
CLAIMS = """
metric: val_acc
group_by: params.lr
claims:
  - id: faster
    text: A rate of 0.1 is better than one of 0.01.
    contrasts:
      - {metric: val_acc, of: {lr: 0.1}, against: {lr: 0.01}, expect: higher, margin: 0.01}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, migrated_database):
    """A folder whose store has anybody's runs: three rates with five seeds, the last of which diverged once; what they scored, and a folder's name."""
    folder, scores, rng = tmp_path_factory.mktemp("agents"), {}, np.random.default_rng(1)
    with pytest.MonkeyPatch.context() as patched:
        use_store(folder, migrated_database, patched)
        for seed in range(5):
            hard = rng.normal(0, 0.02)
            for lr, mean in ((0.01, 0.90), (0.1, 0.92), (0.2, 0.93)):
                score = mean + hard + rng.normal(0, 0.003)
                scores.setdefault(lr, []).append(score)
                log({"lr": lr, "seed": seed}, {"val_acc": float("nan") if (lr, seed) == (0.2, 4) else score})
        mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    (folder / "claims.yaml").write_text(CLAIMS)
    return folder, scores


@pytest.fixture
def scores(made, monkeypatch):
    """What they scored, in their folder."""
    monkeypatch.chdir(made[0])
    mlflow.set_tracking_uri(f"sqlite:///{made[0]}/mlflow.db")
    yield made[1]
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


def asked(*calls, of=None):
    """What a client gets for these calls, each a tool's name and its arguments: numbers and words, or an error's text; held to the tool's own schema."""

    async def all_of_them():
        async with Client(of or server(Tools(parse))) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            return [given(tools[name], await client.call_tool(name, arguments)) for name, arguments in calls]

    return anyio.run(all_of_them)


def given(tool, result):
    if result.is_error:
        (content,) = result.content
        return content.text
    jsonschema.validate(result.structured_content, tool.output_schema)
    return result.structured_content


def test_every_tool_is_said_to_read_only_and_to_answer_by_a_schema():
    async def tools():
        async with Client(server(Tools(parse))) as client:
            return (await client.list_tools()).tools

    there = anyio.run(tools)
    assert [tool.name for tool in there] == NAMES
    for tool in there:
        assert tool.annotations.read_only_hint is True
        assert tool.description
        assert tool.output_schema["type"] == "object"


def test_a_gain_is_judged_by_the_paired_test_at_the_share_that_the_tries_leave(scores):
    alone, among = asked(("compare", {**PAIR, "comparisons": 1}), ("compare", {**PAIR, "margin": 0.005}))
    by_hand = stats.ttest_rel(scores[0.1], scores[0.01])
    for answer, level in ((alone, 0.95), (among, 0.975)):
        low, high = by_hand.confidence_interval(level)
        assert (answer["low"], answer["high"]) == pytest.approx((low, high), rel=1e-5)
        assert answer["difference"] == pytest.approx(np.mean(scores[0.1]) - np.mean(scores[0.01]), rel=1e-5)
        assert (answer["level"], answer["n"], answer["block"]) == (level, 5, "seed")
    assert (among["verdict"], among["reason"], among["comparisons"]) == ("Yes", "strongly supported", 2)
    assert among["mean_a"] == pytest.approx(np.mean(scores[0.1]), rel=1e-5)
    shown = str(an.compare(an.read_runs("val_acc", "params.lr"), "lr 0.1", "lr 0.01"))
    assert f"95% interval {alone['low']:+.4f} to {alone['high']:+.4f}" in shown
    assert f"95% interval {alone['low']:+.4f} to {alone['high']:+.4f}, n = 5 common seeds" in alone["answer"]


def test_what_was_added_while_looking_is_judged_by_the_stricter_test(scores):
    few = {**PAIR, "where": ["seed=0,1,2"], "margin": 0.01}
    fixed, looking, small = asked(
        ("compare", few), ("compare", {**few, "planned": "none"}), ("compare", {**few, "where": "seed=0,1"})
    )
    assert (fixed["verdict"], fixed["verdict_if_added_while_looking"]) == ("Yes", "Open")
    assert (looking["verdict"], looking["low"], looking["verdict_if_added_while_looking"]) == ("Open", None, None)
    assert looking["further"] == fixed["further"] > 0
    assert f"About {looking['further']} more seed" in looking["what_would_change_it"]
    assert 'planned="none"' in fixed["what_would_change_it"]
    assert (small["verdict"], small["further"]) == ("Open", 1)
    assert small["answer"] == "Open: 3 common seeds of both are needed to say anything, and there are 2."


def test_without_a_margin_nothing_is_equivalent_and_no_number_is_promised(scores):
    (answer,) = asked(("compare", {**PAIR, "a": "lr 0.01", "b": "lr 0.01 ", "where": ["lr=0.01"]}))
    assert answer == "'lr 0.01 ' is no configuration of these runs: expected one of 'lr 0.01'"
    worse, few = asked(
        ("compare", {**PAIR, "a": "lr 0.01", "b": "lr 0.1"}), ("compare", {**PAIR, "planned": "none", "where": "seed=0,1,2"})
    )
    assert (worse["verdict"], worse["reason"], worse["margin"]) == ("No", "refuted", None)
    assert (few["verdict"], few["further"]) == ("Open", None)
    assert "without `margin`" in few["what_would_change_it"]


def test_what_diverged_is_not_shown_to_be_better_by_what_is_left_of_it(scores):
    (answer,) = asked(("compare", {**PAIR, "a": "lr 0.2", "margin": 0.005}))
    assert answer["low"] > 0
    assert (answer["verdict"], answer["n"], answer["n_a"], answer["n_b"]) == ("Open", 4, 4, 5)
    assert "1 run of lr 0.2 diverged and is in no mean" in answer["answer"]


def test_what_nothing_pairs_is_two_samples(scores):
    (answer,) = asked(("compare", {**PAIR, "block": ["none"], "comparisons": 1}))
    low, high = stats.ttest_ind(scores[0.1], scores[0.01], equal_var=False).confidence_interval(0.95)
    assert (answer["low"], answer["high"]) == pytest.approx((low, high), rel=1e-5)
    assert answer["test"] == "Welch's t of two samples"
    assert any("not paired (as asked)" in notice for notice in answer["notices"])


def test_a_plan_from_a_pilot_a_number_or_a_design(scores):
    pilot, number, design = asked(
        ("plan", {**RUNS, "margin": 0.01, "where": ["lr=0.01,0.1"]}),
        ("plan", {"sd": 0.02, "margin": 0.01, "comparisons": 3}),
        ("plan", {"design": "published", "sd": 0.1}),
    )
    sd = looks.sd_upper(float(np.std(np.subtract(scores[0.1], scores[0.01]), ddof=1)), 5)
    assert pilot["sd"] == pytest.approx(sd, rel=1e-5)
    for answer, spread, alpha in ((pilot, sd, 0.045), (number, 0.02, 0.015)):
        n = answer["seeds"]
        assert f"Plan {n} seeds" in answer["answer"]
        decides = [
            min(looks.power(0.01, spread, m, alpha), looks.equivalence_power(0.01, spread, m, alpha)) for m in (n - 1, n)
        ]
        assert decides[0] < 0.8 <= decides[1]
    assert (design["margin"], design["comparisons"]) == (0.05, 8)


def test_what_there_is(scores):
    (there,) = asked(("list_experiments", {}))
    (experiment,) = there["experiments"]
    assert (there["experiments_total"], experiment["name"], experiment["runs"]) == (1, "Default", 15)
    assert experiment["metrics"] == [{"name": "val_acc", "runs": 15, "better": "higher"}]
    assert [(own["name"], own["pairs_runs"]) for own in experiment["parameters"]] == [
        ("params.lr", False),
        ("params.seed", True),
    ]
    assert experiment["parameters"][0]["values"] == ["0.01", "0.1", "0.2"]
    assert experiment["ask"] == [{**RUNS, "block": ["params.seed"], "better": "higher"}]


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (["--metric", "f1", "--group-by", "params.lr"], {"metric": "f1", "group_by": ["params.lr"]}),
        (["--metric", "val_acc"], {"metric": "val_acc"}),
        (["--metric", "val_acc", "--group-by", "lr"], {"metric": "val_acc", "group_by": "lr"}),
        (["--metric", "val_acc", "--group-by", "params.lr", "--margin", "-1"], {**RUNS, "margin": -1}),
        (["--metric", "val_acc", "--group-by", "params.lr", "--planned", "0"], {**RUNS, "planned": 0}),
        (["--metric", "val_acc", "--group-by", "params.lr", "--value", "median"], {**RUNS, "value": "median"}),
        (["--metric", "val_acc", "--group-by", "params.lr", "--where", "lr=7"], {**RUNS, "where": ["lr=7"]}),
        (["--metric", "val_acc", "--group-by", "params.lr", "--experiment", "gone"], {**RUNS, "experiments": ["gone"]}),
        (["--metric", "val_acc", "--group-by", "params.lr", "--from", "gone.csv"], {**RUNS, "read_from": ["gone.csv"]}),
        (["x", "y"], {}),
    ],
)
def test_what_is_refused_is_refused_in_the_commands_words(scores, capsys, options, arguments):
    assert cli.main(["compare", *options]) == 2
    said = capsys.readouterr().err.removeprefix("python -m analysis: error: ").removesuffix("\n")
    assert asked(("compare", {"a": "x", "b": "y", **arguments})) == [said]


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("compare", {**PAIR, "b": "lr 7"}, "'lr 7' is no configuration of these runs: expected one of 'lr 0.01', 'lr 0.1', 'lr 0.2'"),
        ("compare", {"a": "lr 0.1"}, "compare: b: field required"),
        ("compare", {**PAIR, "margn": 1}, "compare: 'margn' is no argument of it: expected a, b, metric"),
        ("compare", {**PAIR, "margin": "much"}, "compare: margin: input should be a valid number"),
        ("compare", {"a": "x", "b": "y", "margin": 1}, "margin: with trials of regstudy it is their design's"),
        ("verdicts", {}, "has no run of regstudy"),
        ("verdicts", {"claims_file": "gone.yaml"}, "gone.yaml"),
        ("plan", {"margin": 1}, "plan needs sd"),
        ("plan", {"margin": 1, "sd": -1}, "--sd '-1.0': expected a number above 0"),
        ("plan", {"margin": -0.05, "sd": 0.1}, "margin -0.05: expected a number above 0"),
        ("plan", {"margin": 1, "sd": 0.1, **RUNS}, "metric and group_by, or sd: give one of the two"),
        ("plan", {"design": "published", "sd": 0.1, "comparisons": 50}, "comparisons: a design says its own"),
        ("plan", {**RUNS, "margin": 1, "where": "seed=0"}, "a pilot needs 3 seeds of two configurations that differ"),
        ("list_experiments", {"experiments": ["gone"]}, "experiment 'gone' is not in the store"),
    ],
)  # fmt: skip
def test_what_an_agent_gets_wrong_is_one_line(scores, tool, arguments, words):
    (said,) = asked((tool, arguments))
    assert words in said
    assert "\n" not in said


def test_without_the_sdk_one_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    assert cli.main(["mcp"]) == 2
    assert capsys.readouterr().err == (
        'python -m analysis: error: the MCP server needs the Python package mcp, 2.1 or newer: pip install "regstudy[mcp]", or in a '
        "checkout pip install -r requirements-mcp.txt\n"
    )


@pytest.mark.slow
def test_a_session_over_stdio_reads_the_store_anew_and_leaves_it_as_it_is(made, scores):
    folder, _ = made
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    started = StdioServerParameters(command=sys.executable, args=["-m", "analysis", "mcp"], env=environment, cwd=folder)
    before = hashlib.md5((folder / "mlflow.db").read_bytes()).hexdigest()
    of_the_study = {"study": "published", "read_from": PUBLISHED}
    there, own, verdicts, published, pair, wrong = asked(
        ("list_experiments", {}),
        ("compare", PAIR),
        ("verdicts", {"claims_file": "claims.yaml"}),
        ("verdicts", of_the_study),
        ("compare", {"a": "L1 0.001", "b": "none", "comparisons": 1, **of_the_study}),
        ("compare", {**PAIR, "a": "lr 7"}),
        of=stdio_client(started),
    )
    assert hashlib.md5((folder / "mlflow.db").read_bytes()).hexdigest() == before
    assert sorted(path.name for path in folder.iterdir()) == ["claims.yaml", "mlflow.db"]
    assert there["experiments"][0]["runs"] == 15
    assert own["verdict"] == "Yes"
    (claim,) = verdicts["claims"]
    low, high = stats.ttest_rel(scores[0.1], scores[0.01]).confidence_interval(0.95)
    assert (claim["verdict"], claim["n"], claim["low"], claim["high"]) == (
        "Yes",
        5,
        pytest.approx(low, rel=1e-5),
        pytest.approx(high, rel=1e-5),
    )
    assert "is no configuration of these runs" in wrong

    trials = an.read("published", snapshots=PUBLISHED)
    judged = an.judge(trials)
    assert published["summary"] == judged.said[0]
    table = judged.verdicts.drop_duplicates("claim")
    words = [[own[name] for own in published["claims"]] for name in ("claim", "verdict", "reason")]
    assert words == [list(table[name]) for name in ("text", "answer", "verdict")]
    last = judged.verdicts[judged.verdicts["text"] == "L1 reduces overfitting"].iloc[0]
    (open_,) = [own for own in published["claims"] if own["verdict"] == "Open"]
    assert (open_["n"], open_["further"], open_["level"]) == (last["n"], last["further_seeds"], 1 - last["alpha"])
    assert [open_[name] for name in ("estimate", "low", "high")] == pytest.approx(
        [100 * last[name] for name in ("estimate", "low", "high")], rel=1e-5
    )
    shown = str(an.compare(trials, "L1 0.001", "none")).replace("−", "-")
    assert (
        f"{pair['difference']:+.3f} points, 95% interval {pair['low']:+.3f} to {pair['high']:+.3f} points, n = {pair['n']}"
        in shown
    )


@pytest.mark.slow
def test_nothing_but_the_protocol_is_on_stdout_and_new_runs_are_seen(workspace):
    for lr in (0.01, 0.1):
        log({"lr": lr, "seed": 0}, {"val_acc": 0.9 + lr})
    served = subprocess.Popen(
        [sys.executable, "-m", "analysis", "mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    with served:

        def answer(number, method, **params):
            print(
                json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}), file=served.stdin, flush=True
            )
            return json.loads(served.stdout.readline())["result"]

        client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        assert answer(1, "initialize", **client)["serverInfo"]["name"] == "regstudy"
        print(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}), file=served.stdin, flush=True)
        call = {"name": "compare", "arguments": PAIR}
        assert answer(2, "tools/call", **call)["structuredContent"]["n"] == 1
        for lr in (0.01, 0.1):
            log({"lr": lr, "seed": 1}, {"val_acc": 0.9 + lr})
        assert answer(3, "tools/call", **call)["structuredContent"]["n"] == 2
        served.stdin.close()
        assert served.stdout.read() == ""
    assert served.returncode == 0


def test_files_of_results_are_listed_and_claims_are_of_what_is_asked_for(scores):
    pd.DataFrame({"lr": [0.1, 0.2] * 3, "seed": [0, 0, 1, 1, 2, 2], "val_acc": [0.9, 0.8] * 3}).to_csv("r.csv", index=False)
    of_table, judged = asked(
        ("list_experiments", {"read_from": ["r.csv"]}),
        ("verdicts", {"claims_file": "claims.yaml", "read_from": ["mlflow.db"], "where": ["lr=0.01,0.1"]}),
    )
    assert [there["name"] for there in of_table["experiments"][0]["metrics"]] == ["val_acc", "lr", "seed"] or "val_acc" in str(
        of_table
    )
    assert judged["claims_total"]
