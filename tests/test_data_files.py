"""Finding, downloading and verifying data sets: damaged files are named and never used, blocked networks cost seconds, once."""

import gzip
import hashlib
import os
import socket
import struct
import threading
import time
import tracemalloc
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from torchvision import datasets as torchvision_datasets

from regstudy.data import sources
from regstudy.data.sources import ARCHIVES, Archive, Source
from regstudy.errors import DataError


def idx(name: str, value: int = 7) -> bytes:
    """A file in MNIST's format: two images, or the labels of two images."""
    if "images" in name:
        return struct.pack(">4i", 2051, 2, 28, 28) + bytes([value]) * 2 * 28 * 28
    return struct.pack(">2i", 2049, 2) + bytes([value, value + 1])


FILES = {name: idx(name) for name in ARCHIVES["mnist"].sha256}


@pytest.fixture(autouse=True)
def small_archive(monkeypatch):
    """The same machinery on files of some kilobytes: their digests take the place of MNIST's."""
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setitem(ARCHIVES, "mnist", Archive("MNIST", sha256))
    monkeypatch.delenv("REGSTUDY_DATA", raising=False)


def lay_out(root: Path, packed: bool) -> Path:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in FILES.items():
        (raw / (name + ".gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    return raw


def serve(monkeypatch: pytest.MonkeyPatch, folder: Path) -> ThreadingHTTPServer:
    """A mirror on 127.0.0.1 with these files, in torchvision's list in place of the real ones."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mirror(monkeypatch, f"http://127.0.0.1:{server.server_port}/", folder)
    return server


def mirror(monkeypatch: pytest.MonkeyPatch, address: str, folder: Path | None = None) -> None:
    names = [name + ".gz" for name in FILES]
    md5 = {n: hashlib.md5((folder / n).read_bytes()).hexdigest() if folder else "" for n in names}
    monkeypatch.setattr(torchvision_datasets.MNIST, "mirrors", [address])
    monkeypatch.setattr(torchvision_datasets.MNIST, "resources", [(n, md5[n]) for n in names])


@pytest.fixture
def black_hole():
    """An address that takes connections and never answers, as some firewalls do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.mark.parametrize("packed", [True, False])
def test_cached_files_are_read_unpacked_or_packed(tmp_path, packed):
    lay_out(tmp_path, packed)
    source = sources.locate("mnist", str(tmp_path))
    assert source == Source("mnist", tmp_path)
    assert sources.read(source) == FILES
    assert sources.locate("auto", str(tmp_path)) == source


def test_environment_goes_before_the_option(tmp_path, monkeypatch):
    lay_out(tmp_path, packed=True)
    monkeypatch.setenv("REGSTUDY_DATA", str(tmp_path))
    assert sources.locate("mnist", "/does/not/exist").root == tmp_path


def test_missing_root_is_named_with_what_chose_it(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"data root '/no/such' \(from --data-root\) is not a folder"):
        sources.locate("auto", "/no/such")
    monkeypatch.setenv("REGSTUDY_DATA", "/not/this")
    with pytest.raises(DataError, match=r"'/not/this' \(from REGSTUDY_DATA\)"):
        sources.locate("auto", None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2] + b"\xff" + content[len(content) // 2 + 1 :],
        lambda content: b"",
        lambda content: content[:9],
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_file_is_named_with_the_remedy_and_not_used(tmp_path, damage, packed):
    raw = lay_out(tmp_path, packed)
    victim = raw / (sources.TEST_IMAGES + ".gz" * packed)
    victim.write_bytes(damage(victim.read_bytes()))
    source = sources.locate("mnist", str(tmp_path))
    with pytest.raises(DataError) as caught:
        sources.read(source)
    message = str(caught.value)
    assert str(victim) in message
    assert "delete it and run again" in message
    assert "\n" not in message


ZEROS = gzip.compress(bytes(1_000_000))


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(bytes(50_000_000)),
        ZEROS * 60,
        gzip.compress(b"") * 500_000,
        ZEROS[:-9],
        ZEROS + b"no gzip",
    ],
    ids=["one member", "many members", "empty members", "truncated", "garbage"],
)
def test_a_packed_file_that_cannot_be_the_original_is_refused_at_once(tmp_path, content):
    raw = lay_out(tmp_path, packed=True)
    victim = raw / (sources.TEST_LABELS + ".gz")
    victim.write_bytes(content)
    tracemalloc.start()
    start = time.monotonic()
    with pytest.raises(DataError, match=r"labels-idx1-ubyte.gz is damaged .*: delete it and run again") as caught:
        sources.read(sources.locate("mnist", str(tmp_path)))
    assert time.monotonic() - start < 60
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [1, 700])
def test_a_file_that_was_packed_in_parts_is_read(tmp_path, cut):
    raw = lay_out(tmp_path, packed=True)
    content = FILES[sources.TEST_IMAGES]
    parts = [content[at : at + cut] for at in range(0, len(content), cut)]
    (raw / (sources.TEST_IMAGES + ".gz")).write_bytes(b"".join(map(gzip.compress, parts)) + bytes(100_000))
    assert sources.read(sources.locate("mnist", str(tmp_path))) == FILES


def test_an_unpacked_file_that_is_too_large_is_not_read(tmp_path):
    raw = lay_out(tmp_path, packed=False)
    with (raw / sources.TEST_LABELS).open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(DataError, match=r"it has 1,000,000,000,000 bytes, and the original, unpacked, 10,008"):
        sources.read(sources.locate("mnist", str(tmp_path)))


def test_a_read_only_root_works(tmp_path_factory):
    root = tmp_path_factory.mktemp("read-only")
    raw = lay_out(root, packed=True)
    for folder in (root, raw.parent, raw):
        folder.chmod(0o555)
    before = sorted(root.rglob("*"))
    try:
        assert sources.read(sources.locate("mnist", str(root))) == FILES
    finally:
        for folder in (root, raw.parent, raw):
            folder.chmod(0o755)
    assert sorted(root.rglob("*")) == before  # nothing was unpacked there; the superuser could have


def test_an_unwritable_root_without_data_is_an_error_even_for_auto():
    # /proc takes no folders from anybody, the superuser included.
    with pytest.raises(
        DataError, match=r"'/proc' cannot be written .*: make --data-root a writable folder, or one that holds mnist"
    ):
        sources.locate("auto", "/proc")


def test_a_download_is_verified_and_put_in_place(tmp_path, monkeypatch, capfd):
    packed = lay_out(tmp_path / "server", packed=True)
    server = serve(monkeypatch, packed)
    root = tmp_path / "root"
    root.mkdir()
    source = sources.locate("auto", str(root))
    server.shutdown()
    server.server_close()
    assert source == Source("mnist", root)
    assert sources.read(source) == FILES
    assert [p.name for p in root.iterdir()] == ["MNIST"], "no staging folder is left"
    assert "downloading MNIST" in capfd.readouterr().err


def test_a_download_that_is_not_the_original_is_never_put_in_place(tmp_path, monkeypatch):
    packed = lay_out(tmp_path / "server", packed=True)
    (packed / (sources.TRAIN_LABELS + ".gz")).write_bytes(gzip.compress(idx(sources.TRAIN_LABELS, value=3)))
    server = serve(monkeypatch, packed)
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(DataError, match=sources.TRAIN_LABELS):
        sources.locate("mnist", str(root))
    server.shutdown()
    server.server_close()
    assert not (root / "MNIST" / "raw" / sources.TRAIN_LABELS).exists()
    assert not list(root.glob(".download-*"))


@pytest.mark.slow
def test_a_network_that_swallows_everything_costs_seconds_once(black_hole, own_cache, monkeypatch):
    mirror(monkeypatch, black_hole)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: own_cache)
    start = time.monotonic()
    source = sources.locate("auto", None)
    assert time.monotonic() - start < 60
    assert source.dataset == "mnist-5k"
    assert "NOT FULL MNIST" in source.warning
    assert "servers cannot be reached" in source.warning
    start = time.monotonic()
    again = sources.locate("auto", None)
    assert time.monotonic() - start < 4
    assert "0 min ago" in again.warning
    with pytest.raises(DataError, match="could not be downloaded 0 min ago"):
        sources.locate("mnist", None)


def test_the_warning_names_no_home_folder(tmp_path, monkeypatch):
    """It is kept with the run, and goes where the run goes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mirror(monkeypatch, f"http://127.0.0.1:{listener.getsockname()[1]}/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert "servers cannot be reached" in sources.locate("auto", None).warning
    again = sources.locate("auto", None).warning
    assert "once $XDG_CACHE_HOME/regstudy/unreachable-MNIST is deleted" in again
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/proc/home")
    unwritable = sources.locate("auto", None).warning
    assert "'~/.cache/regstudy' cannot be written" in unwritable
    assert str(tmp_path) not in again
    assert "/proc" not in unwritable


def test_a_blocked_network_is_forgotten_after_an_hour(own_cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    mirror(monkeypatch, closed)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: own_cache)
    sources.locate("auto", None)
    marker = own_cache / "unreachable-MNIST"
    os.utime(marker, (time.time() - 3700, time.time() - 3700))
    assert "servers cannot be reached" in sources.locate("auto", None).warning
    assert time.time() - marker.stat().st_mtime < 60


def test_a_missing_explicit_data_set_is_no_reason_for_another(own_cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mirror(monkeypatch, f"http://127.0.0.1:{listener.getsockname()[1]}/")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: own_cache)
    with pytest.raises(DataError, match="MNIST is not on this machine"):
        sources.locate("mnist", None)


def test_the_carried_data_set_needs_no_folder():
    assert sources.locate("mnist-5k", "/no/such") == Source("mnist-5k", None)
