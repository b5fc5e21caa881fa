"""How the store is opened: where its file is, and what is found out at once."""

import http.server
import socket
import threading
from collections.abc import Iterator

import mlflow
import pytest
from mlflow.utils.file_utils import path_to_local_sqlite_uri
from sqlalchemy import create_engine

from analysis.reading.records import stores
from regstudy.errors import TrackingError, UsageError
from regstudy.store import store
from regstudy.tracking import checkpoint


@pytest.fixture(autouse=True)
def own_store() -> Iterator[None]:
    """What a test chose is forgotten."""
    yield
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it


@pytest.mark.parametrize("name", ["plain", "with space", "100%", "a#b", "é ü", "semi;colon", "a+b"])
def test_the_file_is_the_one_that_mlflow_opens(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    uri = path_to_local_sqlite_uri(str(folder / "mlflow.db"))
    assert store.sqlite_file(uri) == folder / "mlflow.db"
    engine = create_engine(uri)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
    engine.dispose()
    assert (folder / "mlflow.db").is_file()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "postgresql://user@127.0.0.1/db", "databricks"])
def test_other_stores_have_no_file(uri):
    assert store.sqlite_file(uri) is None


def test_an_address_is_shown_without_user_and_password():
    assert store.shown("http://me:secret@127.0.0.1:5000") == "http://127.0.0.1:5000"
    assert store.shown("postgresql://me:secret@host/mlflow") == "postgresql://host/mlflow"
    assert store.shown("sqlite:////a@b/mlflow.db") == "sqlite:////a@b/mlflow.db"


def test_a_server_with_a_user_in_its_address_answers(monkeypatch):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        mlflow.set_tracking_uri(f"http://me:secret@127.0.0.1:{server.server_port}")
        assert store.require_answer().endswith(str(server.server_port))


def test_a_server_that_is_away_is_named_without_its_password():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mlflow.set_tracking_uri(f"http://me:secret@127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(TrackingError, match="does not answer") as caught:
            store.require_answer()
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path):
    (tmp_path / "mlflow.db").write_text("a text" * 100)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(TrackingError, match=r"cannot be written \(file is not a database\)"):
        store.require_writable()
    with pytest.raises(TrackingError, match="cannot be read"):
        stores.from_store(None)


def test_a_database_without_its_driver_names_the_package():
    mlflow.set_tracking_uri("mysql+pymysql://me:secret@127.0.0.1/mlflow")
    with pytest.raises(TrackingError, match=r"mysql.*127.0.0.1/mlflow needs the Python package pymysql") as caught:
        store.require_answer()
    assert "secret" not in str(caught.value)


def test_artifacts_that_could_not_be_written_are_known_before(tmp_path):
    (tmp_path / "file").write_text("")
    for location in (f"{tmp_path}/file/mlruns/0", f"file://{tmp_path}/file/mlruns/0"):
        with pytest.raises(TrackingError, match=r"artifacts' folder .*/file/mlruns/0 cannot be written"):
            store.require_artifact_folder(location)
    for location in (f"{tmp_path}/new", "mlflow-artifacts:/0", "s3://bucket/0"):
        store.require_artifact_folder(location)
    assert (tmp_path / "new").is_dir()


def test_checkpoints_that_could_not_be_kept_are_known_before(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REGSTUDY_CHECKPOINTS", str(tmp_path / "file" / "folder"))
    with pytest.raises(UsageError, match="set REGSTUDY_CHECKPOINTS to a folder that can be written"):
        checkpoint.require_folder()
