"""How the store is opened: where its file is, and what is found out at once."""

import pytest
from mlflow.utils.file_utils import path_to_local_sqlite_uri
from sqlalchemy import create_engine

from regstudy import store


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
