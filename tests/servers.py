"""Real servers on this machine, for a test's time: MLflow's tracking server, and PostgreSQL."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class MlflowServer:
    """On a store, as docs/guides/scaling.md starts it; its address stays while it is killed and started again."""

    def __init__(self, folder: Path, store: str) -> None:
        self.folder, self.store, self.port = folder, store, free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", self.store, "--artifacts-destination", str(self.folder / "artifacts")]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 120
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=2):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self, seconds: float) -> None:
        """Killed, and away for so long."""
        self.kill()
        time.sleep(seconds)
        self.start()


@contextmanager
def serving(store: str, folder: Path) -> Iterator[str]:
    """A server on a store, whose artifacts and log are in the folder; its address."""
    server = MlflowServer(folder, store)
    server.start()
    try:
        yield server.address
    finally:
        server.kill()


class Postgres:
    """A PostgreSQL of its own, without databases of anybody, which anybody on this machine may use."""

    def __init__(self) -> None:
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        self.folder, self.port = Path(tempfile.mkdtemp(prefix="regstudy-postgres-")), free_port()
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        self._init, self._control = programs / "initdb", programs / "pg_ctl"
        self.place = f"regstudy@127.0.0.1:{self.port}"

    def uri(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://{self.place}/{database}"

    def make(self) -> None:
        _as_postgres(self._init, "-D", self.folder / "data", "-A", "trust", "-U", "regstudy")

    def start(self) -> None:
        settings = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder} -c fsync=off"
        _as_postgres(self._control, "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", settings, "start")

    def stop(self, how: str) -> None:
        """As a power cut does (immediate), or by closing all connections (fast)."""
        _as_postgres(self._control, "-D", self.folder / "data", "-w", "-m", how, "stop")

    def restart(self, seconds: float, how: str = "immediate") -> None:
        """Stopped, and away for so long."""
        self.stop(how)
        time.sleep(seconds)
        self.start()


@contextmanager
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.make()
        server.start()
        yield server
        server.stop("immediate")
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)


def _as_postgres(*command: object) -> None:
    """PostgreSQL refuses to run as root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    subprocess.run([*prefix, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")
