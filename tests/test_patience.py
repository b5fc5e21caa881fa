"""A store that is away: said in one line, waited for within bounds, never written to twice. With locked files, hanging sockets and dying processes."""

import http.server
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient
from servers import serving

from regstudy.errors import TrackingError
from regstudy.machine.workers import Crew
from regstudy.patience import faults, patience
from regstudy.store import new_store, store


@pytest.fixture(autouse=True)
def impatient(monkeypatch) -> Iterator[None]:
    """Times are short; what `store.quieten` sets is forgotten."""
    monkeypatch.setattr(patience, "TOLD_SECONDS", 0.3)
    monkeypatch.setenv(patience.VARIABLE, "2")
    for name in store.IMPATIENT:
        monkeypatch.setenv(name, store.IMPATIENT[name])
    yield
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


@contextmanager
def locked(seconds: float) -> Iterator[None]:
    """The store's file, locked for so long, or until nobody waits for it any more."""
    taken, over = threading.Event(), threading.Event()

    def lock() -> None:
        with closing(sqlite3.connect("mlflow.db")) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            taken.set()
            over.wait(seconds)

    thread = threading.Thread(target=lock)
    thread.start()
    taken.wait()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_locked_file_is_told_of_once_and_waited_for(workspace, capsys):
    client = store.client()
    run_id = client.create_run("0").info.run_id
    with locked(1.5):
        client.set_tag(run_id, "a", "b")
    told = capsys.readouterr().err
    assert told.count("does not answer (no answer for") == 1
    assert told.count("the tracking store answers again") == 1
    assert client.get_run(run_id).data.tags["a"] == "b"


def test_a_store_that_stays_away_is_given_up_in_one_line_with_what_to_do(workspace):
    client = store.client()
    begun = time.monotonic()
    with (
        locked(3),
        patience.working("training waits", "resume it"),
        pytest.raises(TrackingError, match=r"has not answered for 2 s \(no answer\): resume it"),
    ):
        client.search_experiments()
    assert time.monotonic() - begun < 30


def test_a_server_that_accepts_and_never_answers_is_given_up(capsys):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        mlflow.set_tracking_uri(f"http://127.0.0.1:{listening.getsockname()[1]}")
        client, begun = store.client(), time.monotonic()
        with pytest.raises(TrackingError, match="has not answered for 2 s"):
            client.get_run("0" * 32)
    assert time.monotonic() - begun < 30
    assert capsys.readouterr().err.count("\n") == 1


def test_a_server_that_is_gone_is_asked_again(capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mlflow.set_tracking_uri(f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(TrackingError, match="Connection refused"):
            store.client().get_run("0" * 32)
    assert capsys.readouterr().err.count("does not answer") == 1


def test_what_is_not_there_is_no_reason_to_wait(workspace):
    with pytest.raises(mlflow.MlflowException) as caught:
        store.client().get_run("0" * 32)
    assert not faults.is_passing(caught.value)


@contextmanager
def shutting_out(status: int, answer: bytes) -> Iterator[str]:
    """A server that answers every request with a refusal; its address."""

    class Refusal(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "answer"), [(403, b'{"error_code": "PERMISSION_DENIED", "message": "not yours"}'), (401, b"who are you?")]
)
def test_a_server_that_shuts_us_out_is_one_line_at_once(status, answer):
    with shutting_out(status, answer) as address:
        mlflow.set_tracking_uri(address)
        with (
            patience.working("training waits", "resume it"),
            pytest.raises(TrackingError, match=r"refuses \(.+\): mend that; resume it"),
        ):
            store.client().get_run("0" * 32)


def test_a_store_that_has_lost_a_table_is_one_line_at_once(workspace):
    client = store.client()
    run_id = client.create_run("0").info.run_id
    with closing(sqlite3.connect("mlflow.db")) as connection:
        connection.execute("DROP TABLE tags")
    with pytest.raises(TrackingError, match=r"refuses \(no such table: tags\)"):
        client.set_tag(run_id, "a", "b")


def test_a_heartbeat_is_not_repeated(workspace, capsys):
    found: list[BaseException] = []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mlflow.set_tracking_uri(f"http://127.0.0.1:{free.getsockname()[1]}")
        client = store.client()

        def beat() -> None:
            try:
                client.set_tag("0" * 32, "a", "b")
            except mlflow.MlflowException as error:
                found.append(error)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        thread.join(1)
    assert len(found) == 1
    assert not capsys.readouterr().err


@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf"])
def test_patience_is_a_number_of_seconds(text, monkeypatch):
    monkeypatch.setenv(patience.VARIABLE, text)
    with pytest.raises(TrackingError, match=r"REGSTUDY_PATIENCE: expected a number of seconds from 0 to 604800, got"):
        patience.seconds()


def test_a_signal_ends_the_waiting_at_once(workspace):
    client = store.client()
    before = signal.signal(signal.SIGUSR1, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        with locked(8):
            threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGUSR1]).start()
            begun = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                client.search_experiments()
            assert time.monotonic() - begun < 7, "it waited for the lock"
    finally:
        signal.signal(signal.SIGUSR1, before)


def twice(path: str) -> str:
    """Work that says which process did it."""
    Path(path).touch()
    return path


def slowly() -> None:
    time.sleep(1.0)


@pytest.mark.slow
def test_a_process_that_dies_before_it_has_begun_is_replaced(tmp_path):
    import multiprocessing

    crew = Crew(slowly)
    future = crew.submit(twice, [str(tmp_path / "done")])
    deadline = time.monotonic() + 20
    while not multiprocessing.active_children():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child = multiprocessing.active_children()[0]
    os.kill(int(child.pid or 0), signal.SIGKILL)
    assert future.result(60) == str(tmp_path / "done")
    crew.close()


def half_made(file: Path, row: bool) -> None:
    """As a process leaves it that was killed while it made tables."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT)")
        connection.execute("CREATE TABLE runs (run_uuid TEXT)")
        if row:
            connection.execute("INSERT INTO runs VALUES ('somebody''s')")
    os.utime(file, (0, 0))


@pytest.mark.slow
def test_a_store_that_was_left_half_made_is_made_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(patience.VARIABLE, "120")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    half_made(tmp_path / "mlflow.db", row=False)
    new_store.make()
    assert "left half made by a process that died, and held nothing: it is made anew" in capsys.readouterr().err
    assert [held.name for held in MlflowClient().search_experiments()] == ["Default"]


def test_a_half_made_store_that_holds_something_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    half_made(tmp_path / "mlflow.db", row=True)
    before = (tmp_path / "mlflow.db").read_bytes()
    with pytest.raises(TrackingError, match="and runs are not empty: move the file away"):
        new_store.make()
    assert (tmp_path / "mlflow.db").read_bytes() == before


class Lossy:
    """Hands on to a server, and drops its first answer to a request that names `path`, which has arrived by then."""

    def __init__(self, target: tuple[str, int], path: bytes) -> None:
        self.target, self.path, self.lost = target, path, 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._hand_on, args=[caller], daemon=True).start()

    def _hand_on(self, caller: socket.socket) -> None:
        with caller, socket.create_connection(self.target) as server:
            while request := _message(caller):
                server.sendall(request)
                answer = _message(server)
                if self.path in request.partition(b"\r\n")[0] and not self.lost:
                    self.lost += 1
                    return
                caller.sendall(answer)


def _message(source: socket.socket) -> bytes:
    """A whole request or answer, which may come in pieces; empty at the end."""
    message = source.recv(1 << 20)
    while message and (b"\r\n\r\n" not in message or len(message.partition(b"\r\n\r\n")[2]) < _length(message)):
        message += source.recv(1 << 20)
    return message


def _length(message: bytes) -> int:
    lines = message.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)


@pytest.mark.slow
def test_a_run_whose_making_was_not_answered_is_made_once(workspace, monkeypatch):
    monkeypatch.setenv(patience.VARIABLE, "30")
    with serving(mlflow.get_tracking_uri(), workspace) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        lossy = Lossy((host, int(port)), b"runs/create")
        mlflow.set_tracking_uri(lossy.address)
        run_id = store.client().create_run("0", tags={"of": "mine"}).info.run_id
        assert lossy.lost == 1
        assert [run.info.run_id for run in MlflowClient(address).search_runs(["0"])] == [run_id]
        lossy.listening.close()
