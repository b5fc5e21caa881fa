"""Cores are shared out among the runs at work, with real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from regstudy.machine import cores

HOLD = """
import sys
from pathlib import Path
from regstudy.machine import cores
with cores.at_work(Path(sys.argv[1])):
    print("at work", flush=True)
    sys.stdin.read()
"""


def counted() -> int:
    code = "from regstudy.machine import cores; print(cores.usable())"
    return int(subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True, cwd=ROOT).stdout)


def test_a_process_counts_the_cores_that_it_may_run_on(monkeypatch):
    assert counted() == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert counted() == 1


CGROUP = Path("/sys/fs/cgroup/cpu")


@pytest.mark.skipif(not os.access(CGROUP / "cpu.cfs_quota_us", os.W_OK), reason="needs root and control groups of version 1")
@pytest.mark.parametrize(("quota", "cores"), [(100_000, 1), (150_000, 2)])
def test_a_containers_quota_is_obeyed(quota, cores):
    """As a container sees it: its own group lies where the machine's is."""
    own = CGROUP / f"regstudy-{os.getpid()}"
    own.mkdir()
    try:
        (own / "cpu.cfs_quota_us").write_text(str(quota))
        code = f"mount --bind {own} {CGROUP} && {sys.executable} -c 'from regstudy.machine import cores; print(cores.usable())'"
        told = subprocess.run(["unshare", "--mount", "sh", "-c", code], text=True, capture_output=True, check=True, cwd=ROOT)
        assert int(told.stdout) == min(cores, len(os.sched_getaffinity(0)))
    finally:
        own.rmdir()


@pytest.fixture
def eight(monkeypatch):
    monkeypatch.setattr(cores, "usable", lambda: 8)


def another(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(folder)]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert run.stdout is not None
    assert run.stdout.readline() == "at work\n"
    return run


def end(run: subprocess.Popen[str]) -> None:
    run.communicate("")


def test_one_run_has_all_cores_and_leaves_nothing_behind(tmp_path, eight):
    with cores.at_work(tmp_path) as share:
        assert share() == 8
    assert list(tmp_path.iterdir()) == []


def test_runs_at_once_share_them(tmp_path, eight):
    others = [another(tmp_path) for _ in range(2)]
    with cores.at_work(tmp_path) as share:
        assert share() == 2, "8 cores among 3 runs"
        end(others.pop())
        assert share() == 4
        others[0].kill()
        end(others[0])
        assert share() == 8, "a killed run holds nothing"


def test_there_is_always_one(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "usable", lambda: 1)
    other = another(tmp_path)
    with cores.at_work(tmp_path) as share:
        assert share() == 1
    end(other)


def test_without_a_folder_to_write_in_all_cores_are_used(tmp_path, eight):
    blocked = tmp_path / "file"
    blocked.touch()
    with cores.at_work(blocked) as share:
        assert share() == 8
