"""Where a data set's bytes are: finds, downloads and verifies them. Never hands out a byte that is not the original's; imports no torch unless it downloads."""

import hashlib
import os
import shutil
import socket
import tempfile
import threading
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

import platformdirs

from regstudy.console import terminal
from regstudy.errors import DataError

PROBE_SECONDS = 6.0
"""How long all mirrors together have to answer before the network counts as blocked."""

REMEMBER_SECONDS = 3600
"""How long a blocked network is remembered, so that a study of many runs waits once."""

CHUNK, GZIP = 65_536, 31
"""Packed bytes that are unpacked at a time; zlib's number for gzip's format."""

MOST_MEMBERS = 10_000
"""Parts of a packed file, which tools that pack in parallel make; empty ones would cost time without end."""

STALL_SECONDS = 10.0
"""A download that sends nothing for this long has failed."""


@dataclass(frozen=True)
class Source:
    """A data set that can be read: its name, its folder (None: a package carries it, or its name says where it is), and what the user must know of the choice.

    `read_digest` is the SHA-256 of data whose digest is not known beforehand, `read_test_images` their number: what was read when it was found.
    """

    dataset: str
    root: Path | None
    warning: str = ""
    read_digest: str = ""
    read_test_images: int = 0

    @property
    def test_images(self) -> int:
        """How many test images there are."""
        return self.read_test_images or (1_000 if self.dataset == "mnist-5k" else 10_000)

    @property
    def digest(self) -> str:
        """SHA-256 over all images and labels: what identifies the data before they are read."""
        return DIGESTS.get(self.dataset) or self.read_digest


@dataclass(frozen=True)
class Archive:
    """The four IDX files of a data set, as torchvision lays them out under a root; file name → SHA-256 of the unpacked file."""

    torchvision_class: str
    sha256: dict[str, str]

    def raw(self, root: Path) -> Path:
        """The folder of the files under a data root."""
        return root / self.torchvision_class / "raw"


TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

SIZES = {
    TRAIN_IMAGES: 16 + 60_000 * 784,
    TRAIN_LABELS: 8 + 60_000,
    TEST_IMAGES: 16 + 10_000 * 784,
    TEST_LABELS: 8 + 10_000,
}
"""Bytes of each file, unpacked: no more is ever read of one."""

ARCHIVES = {
    "mnist": Archive(
        "MNIST",
        {
            TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "fashion-mnist": Archive(
        "FashionMNIST",
        {
            TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ),
}


DIGESTS = {
    "mnist": "fe6e7e7cdeb4d5d54a6c575fba84d27cde9d050fcc1794807ceaad3c268c7c42",
    "fashion-mnist": "33eef921b3a6518844aa8bd3892de3cc020ec5af9ea99701b6ce314889461c8b",
    "mnist-5k": "c39470cd206d88edf17a4a7f3651b0255beea60a9f432f8d6dc6480b9bf851a6",
}
"""SHA-256 over all images and labels of each data set, as datasets.py reads them: what identifies the data before they are read."""


def locate(dataset: str, data_root: str | None) -> Source:
    """Find one of the data sets that are verified here, downloading it if need be; `auto` falls back to the small one that a package carries, and says so."""
    if dataset == "mnist-5k":
        return Source(dataset, None)
    root, chosen_by = data_folder(data_root)
    wanted = "mnist" if dataset == "auto" else dataset
    if _is_there(ARCHIVES[wanted], root):
        return Source(wanted, root)
    try:
        _download(ARCHIVES[wanted], root)
    except _Unwritable as error:
        if dataset != "auto" or chosen_by:
            raise DataError(f"{error}: make {chosen_by or 'it'} a writable folder, or one that holds {wanted}") from None
        return _fallback(str(error))
    except DataError as error:
        if dataset != "auto":
            raise
        return _fallback(str(error))
    return Source(wanted, root)


def read(source: Source) -> dict[str, bytes]:
    """The four IDX files, unpacked, each verified by its SHA-256; DataError names a file that is not the original."""
    assert source.root is not None, "a data set that a package carries has no files here"
    archive = ARCHIVES[source.dataset]
    return {name: _read_verified(archive.raw(source.root) / name, sha256) for name, sha256 in archive.sha256.items()}


class _Unwritable(DataError):
    """The data root holds no such data set and cannot take it."""


def data_folder(given: str | None) -> tuple[Path, str]:
    """The folder, and what chose it: empty for the user's cache, which is made at need."""
    environment = os.environ.get("REGSTUDY_DATA")
    chosen_by = "REGSTUDY_DATA" if environment else "--data-root" if given else ""
    root = Path(environment or given or platformdirs.user_cache_path("regstudy")).expanduser().absolute()
    if chosen_by and not root.is_dir():
        raise DataError(f"data root {str(root)!r} (from {chosen_by}) is not a folder: create it, or name one that exists")
    return root, chosen_by


def _fallback(reason: str) -> Source:
    warning = (
        f"NOT FULL MNIST: training on mnist-5k (4,000 training and 1,000 test digits), since {_without_home(reason)}. "
        "Numbers from it do not compare with the published study's."
    )
    return Source("mnist-5k", None, warning)


def _without_home(text: str) -> str:
    """Folders as everybody has them: the warning is kept with the run, and read elsewhere."""
    folders = {"$XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", ""), "~": os.path.expanduser("~")}  # noqa: PTH111  # no home is no error
    for name, folder in folders.items():
        if len(folder) > 1:
            text = text.replace(folder.rstrip("/"), name)
    return text


def _is_there(archive: Archive, root: Path) -> bool:
    return all(_present(archive.raw(root) / name) is not None for name in archive.sha256)


def _present(path: Path) -> Path | None:
    """The unpacked file, else the packed one, else None."""
    packed = path.with_name(path.name + ".gz")
    return path if path.is_file() else packed if packed.is_file() else None


def _read_verified(path: Path, sha256: str) -> bytes:
    found = _present(path)
    if found is None:
        raise DataError(f"{path} is missing: run again, to have it downloaded")
    try:
        content = _content(found, SIZES[path.name])
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{found} is damaged ({error}): delete it and run again, to have it downloaded anew") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(
            f"{found} is damaged or incomplete ({len(content):,} bytes unpacked, SHA-256 not the original's): "
            "delete it and run again, to have it downloaded anew"
        )
    return content


def _content(path: Path, size: int) -> bytes:
    """The file's bytes, unpacked; OSError where they cannot be an original of `size` bytes, before they fill the memory."""
    packed, there = path.suffix == ".gz", path.stat().st_size
    if there > size + packed * (size // 100 + 1000):  # what is packed without being made smaller
        raise OSError(f"it has {there:,} bytes, and the original, unpacked, {size:,}")
    return _unpacked(path, size) if packed else path.read_bytes()


def _unpacked(path: Path, size: int) -> bytes:
    content, unpacker, members, packed = bytearray(), None, 0, b""
    with path.open("rb") as file:
        while packed or (packed := file.read(CHUNK)):
            if unpacker is None and not (packed := packed.lstrip(b"\0")):  # padding, as after a tape's block
                continue
            if unpacker is None:
                members, unpacker = members + 1, zlib.decompressobj(GZIP)
            content += unpacker.decompress(packed, size + 1 - len(content))
            if len(content) > size or members > MOST_MEMBERS:
                raise OSError(f"it expands beyond the original's {size:,} bytes, or has more than {MOST_MEMBERS:,} parts")
            packed = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            unpacker = None if unpacker.eof else unpacker
    if unpacker is not None:
        raise EOFError("it ends too early")
    return bytes(content)


def _download(archive: Archive, root: Path) -> None:
    """Fetch through torchvision into a folder beside the target, verify, then move into place: never half a file under its name."""
    with _staging(root) as staging:
        refuse_remembered(archive.torchvision_class)
        from torchvision import datasets  # imported here: only a download needs it, and it costs a second

        kind = getattr(datasets, archive.torchvision_class)
        probe(archive.torchvision_class, [f"{mirror}{kind.resources[0][0]}" for mirror in kind.mirrors])
        terminal.warn(f"downloading {archive.torchvision_class} to {root}")
        with default_timeout(STALL_SECONDS):
            try:
                kind(str(staging), download=True)
            except (OSError, RuntimeError) as error:
                raise DataError(f"the download of {archive.torchvision_class} failed ({one_line(error)}): run again") from None
        fetched, target = archive.raw(staging), archive.raw(root)
        target.mkdir(parents=True, exist_ok=True)
        for name, sha256 in archive.sha256.items():
            _read_verified(fetched / name, sha256)
            (fetched / name).replace(target / name)


@contextmanager
def _staging(root: Path) -> Iterator[Path]:
    try:
        root.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".download-", dir=root))
    except OSError as error:
        raise _Unwritable(f"{str(root)!r} cannot be written ({error.strerror})") from None
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def default_timeout(seconds: float) -> Iterator[None]:
    """Connections that say nothing of it wait so long meanwhile, not for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _blocked_marker(name: str) -> Path:
    return platformdirs.user_cache_path("regstudy") / f"unreachable-{name}"


def refuse_remembered(name: str) -> None:
    """DataError if torchvision's data set of this name could not be reached within the last hour."""
    marker = _blocked_marker(name)
    with suppress(OSError):
        age = time.time() - marker.stat().st_mtime
        if 0 <= age < REMEMBER_SECONDS:
            raise DataError(
                f"{name} could not be downloaded {age / 60:.0f} min ago "
                f"(tried again after an hour, or once {marker} is deleted)"
            )


def probe(name: str, addresses: list[str]) -> None:
    """Ask all mirrors at once; the first answer will do. Threads, since a blocked name lookup obeys no timeout."""
    answers: Queue[str] = Queue()
    for address in addresses:
        threading.Thread(target=_ask, args=(address, answers), daemon=True).start()
    deadline = time.monotonic() + PROBE_SECONDS
    for _ in addresses:
        with suppress(Empty):
            if answers.get(timeout=max(0.0, deadline - time.monotonic())) == "":
                return
    marker = _blocked_marker(name)
    with suppress(OSError):
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    raise DataError(f"{name} is not on this machine and its servers cannot be reached from here")


def _ask(address: str, answers: "Queue[str]") -> None:
    """Put the empty string for an answer, else what went wrong."""
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
            answers.put("")
    except OSError as error:
        answers.put(one_line(error) or type(error).__name__)


def one_line(error: Exception) -> str:
    """What an error says, in a line."""
    return " ".join(str(error).split())
