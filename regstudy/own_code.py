"""Code of the user's own, as a configuration names it: found, loaded, and identified by its source. Loads nothing before it is asked to."""

import ast
import hashlib
import importlib
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from regstudy import identity
from regstudy.errors import ConfigError

FORMS = "package.module:name or path/to/file.py:name for your own"
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_FILE = re.compile(r"[^\0\n]*[^/\\\0\n]\.py:[A-Za-z_]\w*")
OURS = frozenset({"regstudy", "analysis"})
"""What a file in this project's own folder may import, and what is no part of it."""

MOST_FILES = 2_000
"""Source files that a package of the user's may have: they are read for its digest, and kept on each run."""


def is_reference(text: str) -> bool:
    """Whether a text names somebody's own code."""
    return bool(_MODULE.fullmatch(text) or _FILE.fullmatch(text))


def among(texts: Iterable[str]) -> list[str]:
    """Those that name somebody's own code, once each."""
    return list(dict.fromkeys(text for text in texts if is_reference(text)))


def name(reference: str) -> str:
    """What it is called wherever its file lies: `file.py:name` of a path."""
    place, _, own = reference.rpartition(":")
    return f"{Path(place).name}:{own}" if place.endswith(".py") else reference


def load(reference: str) -> Any:
    """What a reference names; ConfigError says why it cannot be had."""
    place, _, attribute = reference.rpartition(":")
    path = origin(reference)
    try:
        module = _from_file(path) if place.endswith(".py") else _imported(place, reference)
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a user's module raises is the user's to mend
        raise failed(reference, "cannot be imported", error) from None
    try:
        return getattr(module, attribute)
    except AttributeError:
        there = ", ".join(one for one in vars(module) if not one.startswith("_")) or "nothing"
        raise ConfigError(f"{reference!r}: {place} has no {attribute!r}: it has {there}") from None


def failed(reference: str, when: str, error: BaseException) -> ConfigError:
    """The line for what the user's own code has raised."""
    return ConfigError(f"{reference!r} {when} ({type(error).__name__}: {next(iter(str(error).splitlines()), '')}): mend it")


def expanded(path: str) -> Path:
    """A path with its ~ filled in; ConfigError if nobody is called so."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{path!r}: there is no user {path.partition('/')[0][1:]!r} whose home that is: write it out"
        ) from None


def absolute(reference: str, folder: Path | None = None) -> str:
    """The same, for whoever is in another folder than this (None: where the user is): a file's whole path."""
    place, _, attribute = reference.rpartition(":")
    whole = ((folder or Path()) / expanded(place)).absolute()
    return f"{whole}:{attribute}" if place.endswith(".py") else reference


def described(references: Sequence[str]) -> list[dict[str, str]]:
    """Of each: `code`, its name; `sha256` of its source; and `version` of the package that it came with, if it was installed."""
    return [{"code": name(reference), **_described(reference)} for reference in references]


def digest(references: Sequence[str]) -> str:
    """SHA-256, in hex, of the sources and versions of everything that is named; empty for nothing."""
    return digest_of(described(references)) if references else ""


def digest_of(facts: Sequence[Mapping[str, str]]) -> str:
    """The same, of what `described` gave, in whatever order."""
    return identity.sha256(sorted((dict(held) for held in facts), key=lambda held: held["code"]))


def sources(reference: str) -> dict[str, bytes]:
    """The source files of what is named, by their paths: its own, and those beside it that it imports; of a module in a package of the user's, all of the package's.

    Of an installed package the version says the rest.
    """
    path = origin(reference)
    installed = _is_installed(path)
    top = None if installed else _top(path, reference)
    files = [path] if installed else _with_neighbours(path) if top is None else sorted(top.rglob("*.py"))
    if len(files) > MOST_FILES:
        raise ConfigError(
            f"{reference!r}: {top} has {len(files):,} Python files: expected a package of at most {MOST_FILES:,}; name a file, path/to/file.py:name"
        )
    base = path.parent if top is None else top.parent
    return {file.relative_to(base).as_posix(): file.read_bytes() for file in files}


def _with_neighbours(path: Path) -> list[Path]:
    """A file, and the modules and packages in its folder that it imports, and that these import in turn."""
    found, base = [path], path.parent
    for own in found:  # which grows meanwhile
        try:
            nodes = list(ast.walk(ast.parse(own.read_bytes())))
        except (SyntaxError, ValueError):
            continue  # loading it says what is wrong
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
        for name in sorted({name.partition(".")[0] for name in names} - OURS - sys.stdlib_module_names):
            module, package = base / f"{name}.py", base / name
            files = (
                [module] if module.is_file() else sorted(package.rglob("*.py")) if (package / "__init__.py").is_file() else []
            )
            found += [file for file in files if file not in found]
    return found


def _described(reference: str) -> dict[str, str]:
    held = hashlib.sha256()
    for path, content in sources(reference).items():
        held.update(f"{path}\0{len(content)}\0".encode() + content)
    version = _version(reference.partition(".")[0]) if _is_installed(origin(reference)) else ""
    return {"sha256": held.hexdigest(), **({"version": version} if version else {})}


def _version(package: str) -> str:
    from importlib import metadata  # imported here: few need it

    found = metadata.packages_distributions().get(package.partition(":")[0], [])
    return f"{found[0]} {metadata.version(found[0])}" if found else ""


def _is_installed(path: Path) -> bool:
    """Whether a file came with an installed package, rather than being worked on."""
    return any(path.is_relative_to(sysconfig.get_path(kind)) for kind in ("purelib", "platlib", "stdlib"))


def _top(path: Path, reference: str) -> Path | None:
    """The folder of the outermost package that a module is in; None for a module or file by itself."""
    place = reference.rpartition(":")[0]
    inside = path.name == "__init__.py"
    if place.endswith(".py") or ("." not in place and not inside):
        return None
    return path.parents[place.count(".") + inside - 1]


def origin(reference: str) -> Path:
    """The file that the code is in."""
    place = reference.rpartition(":")[0]
    if place.endswith(".py"):
        path = expanded(place).absolute()
        if not path.is_file():
            raise ConfigError(f"{reference!r}: there is no file {str(path)!r}")
        return path
    _see_folder()
    try:
        found = importlib.util.find_spec(place)
    except (ImportError, ValueError, AttributeError):
        found = None
    except Exception as error:  # noqa: BLE001  # a package runs when a module in it is looked for
        raise failed(reference, "cannot be imported", error) from None
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise ConfigError(
            f"{reference!r}: there is no module {place!r} in {Path.cwd()} or among the installed packages: "
            "name a file, path/to/file.py:name, or put its folder on PYTHONPATH"
        )
    return Path(found.origin)


_as_imported: dict[str, tuple[object, str]] = {}
"""By modules' names, what Python says of the import, and the digest of the source as it was when it was first asked for here."""


def _imported(place: str, reference: str) -> ModuleType:
    """A module by its name; ConfigError if its source has changed since, as it may in a notebook: Python would go on with what it had."""
    now = _described(reference)["sha256"]
    module = importlib.import_module(place)
    spec, then = _as_imported.setdefault(place, (module.__spec__, now))
    if spec is not module.__spec__:  # imported anew since
        _as_imported[place] = module.__spec__, now
    elif then != now:
        raise ConfigError(
            f"{reference!r} has changed since it was imported here: restart this program, or the notebook's kernel"
        )
    return module


class _AsItIs(SourceFileLoader):
    """Python takes a compiled file for the source's if length and second of both agree: of a file that is worked on they may."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002  # as it is called
        return self.source_to_code(self.get_data(self.path), self.path)


def _from_file(path: Path) -> ModuleType:
    """A file by its path, as a module that pickles by a name of its own; once per content, its own and that of the files beside it that it imports."""
    files = _with_neighbours(path)
    content = b"".join(file.read_bytes() for file in files)
    key = f"regstudy_own_{path.stem}_{hashlib.sha256(str(path).encode() + content).hexdigest()[:12]}"
    if key in sys.modules:
        return sys.modules[key]
    spec = importlib.util.spec_from_file_location(key, path, loader=_AsItIs(key, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module
    try:
        with _beside(path.parent, files[1:]):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[key]
        raise
    return module


@contextmanager
def _beside(folder: Path, files: Sequence[Path]) -> Iterator[None]:
    """Where these modules of a folder are imported from, and anew: another version, or another folder's of the same name, may be loaded. Later, in a function, they are found too, after all else."""
    if not files:
        yield
        return
    for file in files:
        parts = file.relative_to(folder).with_suffix("").parts
        loaded = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not _is_installed(Path(getattr(sys.modules.get(loaded), "__file__", None) or folder)):
            sys.modules.pop(loaded, None)
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def _see_folder() -> None:
    """Where the user is comes first, as `python -m` has it; an installed command does not."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
