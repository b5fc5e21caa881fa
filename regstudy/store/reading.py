"""What reads a store without writing to it: its tables, its files, or its server. Makes, migrates and repairs nothing."""

from regstudy.errors import TrackingError
from regstudy.store import database, filestore, store, tables
from regstudy.store.filestore import FileStore
from regstudy.store.server import Server
from regstudy.store.tables import Tables


def address(uri: str) -> str:
    """A store's URI; the bare path of a SQLite file, which MLflow would take for a folder's, becomes that of a database."""
    path = None if database.is_database(uri) else filestore.folder_of(uri)
    return uri if path is None or not database.is_sqlite(path) else store.sqlite_uri(path)


def open_store(uri: str) -> Tables | FileStore | Server:
    """The store at a URI, or in a file; TrackingError says why it cannot be read."""
    uri = address(uri)
    if database.is_database(uri):
        file = store.sqlite_file(uri)
        if file is not None and not file.is_file():
            raise TrackingError(f"the tracking store {store.shown(uri)} is no file: set MLFLOW_TRACKING_URI to one")
        return tables.open_tables(uri)
    folder = filestore.folder_of(uri)
    return Server(uri) if folder is None else filestore.open_folder(folder)


def is_missing(uri: str) -> bool:
    """Whether the file or folder that the URI names is not there."""
    path = store.sqlite_file(uri) if database.is_database(uri) else filestore.folder_of(uri)
    return path is not None and not path.exists()


def is_new(uri: str) -> bool:
    """Whether there is nothing yet, or only tables that MLflow has not finished making."""
    return is_missing(uri) or (database.is_database(uri) and tables.is_new(uri))
