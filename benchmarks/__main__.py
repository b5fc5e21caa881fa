"""`make bench`: measure everything and print one Markdown table, under the machine and versions that it was measured with."""

import argparse
import gzip
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from statistics import median

import torch

from benchmarks import many, memory, parallel, reading, throughput, tracking_cost
from regstudy.config import RunConfig
from regstudy.console import terminal
from regstudy.data import datasets, sources
from regstudy.machine import cores

ROUNDS, START_UPS, USUAL_BATCHES = 21, 5, 40
RUNS, EPOCHS = 4, 40
"""The published study: four configurations, 40 epochs each."""

Row = tuple[str, str, str]


def main() -> None:
    """Measure on full MNIST, from --data-root or where the product itself would look."""
    cli = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    cli.add_argument("--data-root", help="folder with full MNIST")
    cli.add_argument("--rounds", type=int, default=ROUNDS, help="interleaved rounds of the throughput comparison")
    given = cli.parse_args()
    source = sources.locate("mnist", given.data_root)
    data = datasets.load(source, RunConfig(dataset="mnist"))
    torch.set_num_threads(cores.usable())
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        _say("throughput")
        rates = throughput.measure(data, str(_unpacked(Path(str(source.root)), scratch)), given.rounds, USUAL_BATCHES)
        rows = _throughput_rows(rates)
        _say("several jobs at once")
        rows += parallel.rows(parallel.measure(source, given.rounds))
        rows.append(memory.row(memory.measure(str(source.root))))
        _say("tracking, SQLite")
        rows += _study_rows(scratch, str(source.root), rates)
        rows += _start_up_rows(scratch)
        _say("reading a store")
        rows += reading.rows(reading.measure())
        _say("the report of 1,000 runs")
        rows += many.rows(many.measure())
    print("# Results of `make bench`\n")
    print(_machine())
    print()
    for row in (("measured", "figure", "how"), ("---", "---", "---"), *rows):
        print("| " + " | ".join(row) + " |")


def _throughput_rows(rates: throughput.Throughput) -> list[Row]:
    rounds = len(rates.product)

    def row(name: str, numbers: list[float], how: str) -> Row:
        spread = f"median of {rounds} interleaved rounds, {min(numbers):,.0f} to {max(numbers):,.0f}"
        return name, f"{median(numbers):,.0f} images/s", f"{how}; {spread}"

    return [
        row("(a) the product's training steps", rates.product, "full MNIST, published recipe, L1 = 0.001, batch 128"),
        row("(b) the usual loop, no workers", rates.usual, "per-image torchvision transforms, DataLoader"),
        row(f"(b) the usual loop, {rates.workers} workers", rates.usual_with_workers, f"the best of {throughput.WORKERS}"),
        row("(c) the bare arithmetic", rates.bare, "no dropout, augmentation, penalty, metrics; batch in memory"),
        ("(a) / (b), no workers", f"{rates.ratio(rates.usual):.2f}", "of medians"),
        (f"(a) / (b), {rates.workers} workers", f"{rates.ratio(rates.usual_with_workers):.2f}", "of medians"),
        ("(a) / (c)", f"{rates.ratio(rates.bare):.2f}", "of medians"),
        row("evaluation", rates.evaluation, "10,000 test images"),
    ]


def _study_rows(scratch: Path, data_root: str, rates: throughput.Throughput) -> list[Row]:
    """(d) and (e): whole runs as commands, on a fresh SQLite store, on the same store again, and on a local server."""
    first, _ = _tracked_run(scratch, data_root, 1, None)
    _, short_seconds = _tracked_run(scratch, data_root, 1, None)
    long, long_seconds = _tracked_run(scratch, data_root, 4, None)
    _say("tracking, local server")
    with _server(scratch) as address:
        _tracked_run(scratch, data_root, 1, address)
        remote, _ = _tracked_run(scratch, data_root, 4, address)
    epoch = (long_seconds - short_seconds) / 3
    study = RUNS * (short_seconds + (EPOCHS - 1) * epoch) / 60
    usual = RUNS * EPOCHS * 60_000 / median(rates.usual) / 60
    usual_best = RUNS * EPOCHS * 60_000 / median(rates.usual_with_workers) / 60
    rows = [
        (
            "(d) the published study, tracking included",
            f"{study:.0f} min",
            "4 runs × 40 epochs, from whole runs of 1 and 4 epochs",
        ),
        (
            "(d) the same by (b), training alone",
            f"{usual:.0f} min; {usual_best:.0f} min",
            f"no workers; {rates.workers} workers",
        ),
    ]
    for name, parts, before in (("SQLite", long, first), ("local server", remote, None)):
        per_epoch = median(parts.pop("log an epoch")) + median(parts.pop("save a checkpoint"))
        for training in ("import torch", "import the rest"):
            del parts[training]
        rows.append(
            (
                f"(e) an epoch's metrics and checkpoint, {name}",
                f"{per_epoch * 1000:.0f} ms, {per_epoch / epoch:.2%} of an epoch",
                f"an epoch with evaluation takes {epoch:.1f} s",
            )
        )
        fixed = {part: sum(seconds) for part, seconds in parts.items()}
        how = ", ".join(f"{part} {seconds:.1f}" for part, seconds in fixed.items())
        rows.append((f"(e) fixed cost of a run, {name}", f"{sum(fixed.values()):.1f} s", f"{how}"))
        if before is not None:
            once = sum(before[tracking_cost.BEGIN]) - sum(parts[tracking_cost.BEGIN])
            rows.append(("(e) making a new SQLite store", f"{once:.1f} s", "once, not per run"))
    return rows


def _tracked_run(scratch: Path, data_root: str, epochs: int, address: str | None) -> tuple[dict[str, list[float]], float]:
    """Parts of the run in seconds, and the wall time of the whole command."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    environment.pop("MLFLOW_TRACKING_URI", None)
    if address:
        environment["MLFLOW_TRACKING_URI"] = address
    command = [
        sys.executable,
        "-m",
        "benchmarks.tracking_cost",
        "--l1",
        "0.001",
        "--dataset",
        "mnist",
        "--data-root",
        data_root,
    ]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--epochs", str(epochs)], cwd=scratch, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1]), time.perf_counter() - start


def _start_up_rows(scratch: Path) -> list[Row]:
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    commands = {
        "regstudy --help": ["regstudy", "--help"],
        "analysis --help": ["analysis", "--help"],
        "an input error of regstudy": ["regstudy", "train", "--l1", "-1"],
        "an input error of analysis": ["analysis", "report", "--nonsense"],
    }
    rows = []
    for name, command in commands.items():
        seconds = []
        for _ in range(START_UPS):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-m", *command], cwd=scratch, env=environment, check=False, capture_output=True)
            seconds.append(time.perf_counter() - start)
        rows.append((f"(f) {name}", f"{median(seconds):.2f} s", f"median of {START_UPS} starts"))
    return [*rows, _loading_row(environment)]


def _loading_row(environment: dict[str, str]) -> Row:
    """Torch and MLflow, loaded and done with: as our commands start and end beside as Python does, in turn."""
    loads = "import torch, mlflow"
    ways = [f"from regstudy.console import terminal; terminal.collect_rarely(); {loads}", loads]
    seconds = [[_seconds_of(way, environment) for way in ways] for _ in range(START_UPS)]
    ours, python = (median(of) for of in zip(*seconds, strict=True))
    how = f"{ours:.2f} s / {python:.2f} s; medians of {START_UPS} starts each, in turn"
    return ("(f) loading torch and MLflow, and ending: ours / Python's", f"{ours / python:.2f}", how)


def _seconds_of(code: str, environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return time.perf_counter() - start


@contextmanager
def _server(scratch: Path) -> Iterator[str]:
    """MLflow's own server on a free local port, on a SQLite store of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = scratch / "server"
    home.mkdir()
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri", "sqlite:///mlflow.db"]
    command = [sys.executable, "-m", "mlflow", "server", *options, "--artifacts-destination", str(home / "artifacts")]
    server = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait()


def _unpacked(root: Path, scratch: Path) -> Path:
    """MNIST's training files as torchvision wants to find them: unpacked; the data root may be read-only."""
    raw = scratch / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in (root / "MNIST" / "raw").glob("*.gz"):
        with gzip.open(packed) as source, (raw / packed.stem).open("wb") as target:
            shutil.copyfileobj(source, target)
    for plain in (root / "MNIST" / "raw").glob("*-ubyte"):
        shutil.copy(plain, raw)
    return scratch


def _machine() -> str:
    """What it was measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "torchvision", "mlflow"))
    threads = f"{torch.get_num_threads()} threads on {cores.usable()} cores"
    return f"{time.strftime('%Y-%m-%d')}: {processor}, {threads}, {platform.system()}, Python {platform.python_version()}, {versions}"


def _say(what: str) -> None:
    print(f"benchmarks: {what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(terminal.run_command("python -m benchmarks", main))
