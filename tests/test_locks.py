"""Locks and checkpoints are the user's alone: nobody else can make them write, delete or wait, and all processes of one user meet."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT

from regstudy.errors import UsageError
from regstudy.machine import cores, locks, private_folder
from regstudy.tracking import checkpoint

NOBODY, NAMELESS = 65534, 54321
"""A user who attacks, and one without an entry in the system's list."""

two_users = pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to act as two users")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder as /tmp is: for all users, sticky."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder)
        path.chmod(0o1777)
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        locks.place.cache_clear()
        yield path
    locks.place.cache_clear()


@pytest.fixture
def victims(tmp_path: Path) -> Path:
    """Files of root's that look like locks, and one that does not."""
    folder = tmp_path / "precious"
    folder.mkdir()
    for name in ("poetry.lock", "id", "notes"):
        (folder / name).write_text("precious")
    return folder


def attack(commands: str, folder: Path) -> None:
    """What another user's shell does in a folder."""
    subprocess.run(["sh", "-ec", f"umask 0; {commands}"], user=NOBODY, group=NOBODY, extra_groups=[], cwd=folder, check=True)


@contextlib.contextmanager
def lock_held_by_another_user(file: Path) -> Iterator[None]:
    command = ["flock", "--no-fork", str(file), "sh", "-c", "echo held; exec sleep 600"]
    with subprocess.Popen(command, user=NOBODY, group=NOBODY, extra_groups=[], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.kill()


def as_nameless(act: Callable[[], object]) -> str:
    """What a function gives and says, in a process of a user without name or home."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NAMELESS)
        os.setuid(NAMELESS)
        os.dup2(writer, 2)
        sys.stderr = os.fdopen(2, "w")
        os.environ |= {"HOME": "/proc/nobody", "XDG_CACHE_HOME": ""}
        signal.alarm(30)
        with contextlib.suppress(BaseException):
            sys.stderr.write(f"{act()}\n")
            sys.stderr.flush()
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    assert os.waitpid(child, 0)[1] == 0, text
    return text


USE = """
from regstudy.machine import cores, locks
with cores.at_work() as share:
    share()
print(locks.machine(), locks.folder("cores"))
"""


def use(**environment: str) -> tuple[str, Path]:
    """The machine's name and the folder of locks, in a process with this environment and no other."""
    done = subprocess.run(
        [sys.executable, "-c", USE], env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stderr == ""
    name, _, folder = done.stdout.strip().partition(" ")
    return name, Path(folder)


@two_users
@pytest.mark.parametrize(
    "trap",
    [
        "ln -s {victims} regstudy-0",
        "mkdir regstudy-0; ln -s {victims} regstudy-0/cores; ln -s {victims} regstudy-0/machine",
        "mkdir -p regstudy-0/cores regstudy-0/machine; ln -s {victims}/notes regstudy-0/cores/1.lock; ln -s {victims}/id regstudy-0/machine/id",
    ],
)
def test_what_another_user_prepares_in_the_temporary_folder_touches_nothing(trap, temporary, victims):
    victims.chmod(0o777)
    attack(trap.format(victims=victims), temporary)
    before = {path: path.read_bytes() for path in [*victims.iterdir()]}
    name, folder = use(TMPDIR=str(temporary))
    assert len(name) == 32
    assert temporary not in folder.parents
    assert {path: path.read_bytes() for path in victims.iterdir()} == before


@two_users
def test_a_lock_that_another_user_holds_keeps_nobody_waiting(temporary):
    attack("mkdir -p regstudy-0/machine regstudy-0/stores; touch regstudy-0/machine/id.lock", temporary)
    with lock_held_by_another_user(temporary / "regstudy-0" / "machine" / "id.lock"):
        assert len(use(TMPDIR=str(temporary))[0]) == 32


@two_users
def test_without_a_home_the_temporary_folder_serves_and_one_line_says_so(temporary):
    said = as_nameless(lambda: (locks.machine(), locks.folder("cores"))).splitlines()
    assert len(said) == 2
    assert said[0].startswith("no locks can be kept in /proc/nobody/.cache/regstudy/locks/on-")
    assert said[0].endswith(f": they are kept in {temporary}/regstudy-{NAMELESS}")
    again = as_nameless(lambda: (locks.machine(), locks.folder("cores"))).splitlines()
    assert again == said, "the next process meets it"
    assert stat.S_IMODE((temporary / f"regstudy-{NAMELESS}").stat().st_mode) == 0o700


@two_users
@pytest.mark.parametrize("trap", ["mkdir {0}", "ln -s /var {0}", "touch {0}"])
def test_a_prepared_folder_is_refused_in_one_line_and_nothing_waits(trap, temporary):
    name = f"regstudy-{NAMELESS}"
    attack(trap.format(name), temporary)
    cores.usable()  # what it imports may lie where the other user cannot read

    def work() -> object:
        with cores.at_work() as share:
            return share(), len(locks.machine())

    said = as_nameless(work).splitlines()
    assert len(said) == 2
    assert f"nor in {temporary}/{name} (" in said[0]
    assert "runs of other processes here count as another machine's" in said[0]
    assert said[1].endswith(", 32)")


@two_users
def test_checkpoints_are_not_kept_where_another_user_prepared_the_folder(temporary, monkeypatch):
    attack("mkdir -p cache/regstudy/checkpoints shared; ln -s /etc link", temporary)
    monkeypatch.setenv("XDG_CACHE_HOME", str(temporary / "cache"))
    for look in (checkpoint.require_folder, lambda: checkpoint.exists("a"), lambda: checkpoint.remove("a")):
        with pytest.raises(UsageError, match=r"belongs to another user\): set REGSTUDY_CHECKPOINTS"):
            look()
    monkeypatch.setenv("XDG_CACHE_HOME", str(temporary / "link"))
    with pytest.raises(UsageError, match=r"link belongs to another user"):
        checkpoint.require_folder()
    monkeypatch.setenv("REGSTUDY_CHECKPOINTS", str(temporary / "shared"))
    with pytest.raises(UsageError, match="everybody can write there"):
        checkpoint.require_folder()


def test_checkpoints_are_the_users_alone(own_cache):
    checkpoint.require_folder()
    assert stat.S_IMODE((own_cache / "checkpoints").stat().st_mode) == 0o700


def test_a_folder_that_a_group_shares_may_hold_checkpoints(tmp_path, monkeypatch):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o770)
    monkeypatch.setenv("REGSTUDY_CHECKPOINTS", str(tmp_path / "shared"))
    checkpoint.require_folder()


def test_a_link_is_no_private_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(NotADirectoryError, match="a link or a file"):
        private_folder.make(tmp_path / "link")
    assert private_folder.make(tmp_path / "link" / "own").is_dir(), "a link of one's own may lead there"


def test_a_folder_that_everybody_could_replace_is_refused(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(PermissionError, match="everybody can write in"):
        private_folder.make(tmp_path / "open" / "own")


def test_a_folder_of_ones_own_that_others_could_read_is_closed(tmp_path):
    (tmp_path / "own").mkdir(mode=0o755)
    assert stat.S_IMODE(private_folder.make(tmp_path / "own").stat().st_mode) == 0o700


def test_all_processes_of_a_user_meet_whatever_their_environment_says(tmp_path):
    bare = use()
    folders = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME")}
    assert use(**folders) == bare
    assert (locks.machine(), locks.folder("cores")) == bare


def test_a_folder_of_locks_may_be_chosen(tmp_path):
    name, folder = use(REGSTUDY_LOCKS=str(tmp_path / "own"))
    assert folder == tmp_path / "own" / "cores"
    assert name != use()[0], "whoever does not share it is another machine"


def test_a_lock_that_is_not_given_up_is_told_and_waited_for_no_longer_than_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(locks, "TOLD_SECONDS", 0.1)
    monkeypatch.setattr(locks, "MOST_SECONDS", 0.3)
    hold = "import sys; from pathlib import Path; from regstudy.machine import locks\nwith locks.held(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(tmp_path / "a.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.send_signal(signal.SIGSTOP)
        with (
            pytest.raises(TimeoutError, match=r"another process has held .*a\.lock for more than"),
            locks.waited_for(tmp_path / "a.lock", "another process"),
        ):
            pass
        assert capsys.readouterr().err == "waiting for another process\n"
        holder.kill()
        holder.send_signal(signal.SIGCONT)
    with locks.waited_for(tmp_path / "a.lock", "another process"):
        pass
    assert capsys.readouterr().err == ""


def test_a_link_of_a_locks_name_is_no_lock(tmp_path):
    (tmp_path / "poetry.lock").write_text("precious")
    (tmp_path / "1.lock").symlink_to(tmp_path / "poetry.lock")
    assert not locks.is_held(tmp_path / "1.lock")
    assert (tmp_path / "1.lock").is_symlink()
    assert (tmp_path / "poetry.lock").read_text() == "precious"
