"""A folder of images, a sub-folder per class, as arrays.

`train/` and `test/` (or `val/`) are taken where they are there, else a fifth of each class tests. Images that all have one size of at most 64 pixels a side stay as they
are; others become squares, cut from their middle, whose side is the median of their shorter sides, at most 64, or whatever `image_size` says.
If any has colour, all have. Files are taken in the order of their names, whatever order the file system lists them in.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image, ImageOps

from regstudy.data import prepared
from regstudy.data.prepared import Array, Prepared
from regstudy.errors import DataError

EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
)
"""Of files that are taken for images; others are none of ours."""

SMALLEST, LARGEST = 20, 64
"""Sides, in pixels, between which an image stays as it is."""

GREY = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""PIL's modes without colour."""

MOST_OF_16_BITS = 65_535
SKIPPED_NAMED = 3
"""Files that a warning names."""

PARTS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval"})
"""What parts of a data set are called, and classes are not."""

Files = Sequence[tuple[Path, int]]
"""Each with the number of its class."""


def read(folder: Path, image_size: int | None, unreadable: str, split_seed: int) -> Prepared:
    """The folder's images; DataError names a file that cannot be read, unless such are to be skipped, which is counted in the warning."""
    if not folder.is_dir():
        raise DataError(f"folder:{folder}: there is no such folder: name one with a sub-folder of images per class")
    parts = _parts(folder)
    names = _class_names(parts[0])
    if len(parts) == 1 and len(names) > 1 and all(name.lower() in PARTS for name in names):
        raise DataError(
            f"folder:{folder}: its sub-folders, {' and '.join(names)}, are called like parts, not classes: call them train/ and test/ (or val/), each with a sub-folder per class"
        )
    skipped: list[Path] = []
    found = [list(_readable(_files(part, names), unreadable, skipped)) for part in parts]
    whole = [file for files in found for file in files]
    if not whole:
        raise DataError(
            f"folder:{folder}: expected images ({', '.join(sorted(EXTENSIONS))}) in a sub-folder per class, got none that can be read"
        )
    size, colour = _size(whole, image_size), any(not grey for *_, grey in whole)
    needed = 2 * len(whole) * size[0] * size[1] * (3 if colour else 1)  # twice, while they are split
    prepared.require_memory(needed, f"{len(whole):,} images of {size[0]} × {size[1]} pixels", "give a smaller --image-size")
    images = [_pixels(files, size, colour=colour) for files in found]
    labels = [np.array([label for _, label, *_ in files], np.int64) for files in found]
    files = [[path.relative_to(folder).as_posix() for path, *_ in own] for own in found]
    where = f"folder:{folder}"
    if len(parts) == 1:
        result = prepared.split(images[0], labels[0], names, where, split_seed, files[0])
    else:
        result = prepared.checked(Prepared(images[0], labels[0], images[1], labels[1], names, files=tuple(files[1])), where)
    return Prepared(**{**vars(result), "warning": _told(whole, size, skipped, folder)})


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells whether anything in the folder has changed: names, sizes and times."""
    listed = (path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS)
    return tuple(sorted((str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in listed if path.is_file()))


def _parts(folder: Path) -> list[Path]:
    """The folder with the training images, and the one with the test images if they are apart."""
    test = next((folder / name for name in ("test", "val") if (folder / name).is_dir()), None)
    return [folder / "train", test] if (folder / "train").is_dir() and test is not None else [folder]


def _class_names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))


def _files(part: Path, names: Sequence[str]) -> Files:
    here = _class_names(part)
    unknown = sorted(set(here) - set(names))
    if unknown:
        raise DataError(f"folder:{part}: class {unknown[0]!r} has no training images: expected sub-folders {', '.join(names)}")
    by_class = {name: sorted(path for path in (part / name).rglob("*") if _is_image(path)) for name in here}
    return [(path, names.index(name)) for name in here for path in by_class[name]]


def _is_image(path: Path) -> bool:
    """A link that leads nowhere is one too, which cannot be read."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and (path.is_file() or path.is_symlink())


def _readable(files: Files, unreadable: str, skipped: list[Path]) -> Iterator[tuple[Path, int, tuple[int, int], bool]]:
    """Each file with its class, (height, width), and whether it is grey; headers only."""
    for path, label in files:
        try:
            with _strictly(), Image.open(path) as image:
                turned = image.getexif().get(0x0112, 1) >= 5  # orientations that lie on their side
                size = (image.width, image.height) if turned else (image.height, image.width)
                grey = image.mode in GREY
                if unreadable == "skip":
                    _scaled(image, (SMALLEST, SMALLEST), colour=False)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
            if unreadable == "refuse":
                raise _refused(path, error) from None
            skipped.append(path)
            continue
        yield path, label, size, grey


def _size(files: Sequence[tuple[Path, int, tuple[int, int], bool]], wanted: int | None) -> tuple[int, int]:
    """Height and width of all images."""
    if wanted is not None:
        return wanted, wanted
    sizes = {size for *_, size, _ in files}
    if len(sizes) == 1 and all(SMALLEST <= side <= LARGEST for side in next(iter(sizes))):
        return next(iter(sizes))
    side = round(median(min(size) for *_, size, _ in files))
    side = max(SMALLEST, min(side, LARGEST))
    return side, side


def _pixels(files: Sequence[tuple[Path, int, tuple[int, int], bool]], size: tuple[int, int], *, colour: bool) -> Array:
    shape = (3, *size) if colour else size
    pixels = np.empty((len(files), *shape), np.uint8)
    for place, (path, *_) in enumerate(files):
        try:
            with _strictly(), Image.open(path) as image:
                pixels[place] = _scaled(image, size, colour=colour)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
            raise _refused(path, error) from None
    return pixels


def _scaled(image: Image.Image, size: tuple[int, int], *, colour: bool) -> Array:
    """(3, height, width) or (height, width): upright, on white where it is transparent, of 16 bits the upper eight; ValueError for pixels that have neither eight bits nor 16."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        values = np.asarray(upright)
        if values.min(initial=0) < 0 or values.max(initial=0) > MOST_OF_16_BITS:
            raise ValueError(f"its pixels go from {values.min()} to {values.max()}: expected eight or 16 bits")
        upright = Image.fromarray((values >> 8).astype(np.uint8))
    elif upright.mode == "F":
        raise ValueError("its pixels are fractions: expected eight or 16 bits")
    elif upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    even = upright.convert("RGB" if colour else "L")
    if (even.height, even.width) != size:
        even = ImageOps.fit(even, (size[1], size[0]), Image.Resampling.BILINEAR)
    values = np.asarray(even)
    return values.transpose(2, 0, 1) if colour else values


@contextmanager
def _strictly() -> Iterator[None]:
    """What PIL only warns of is no image that anybody wants."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Palette images with Transparency")
        yield


def _refused(path: Path, error: BaseException) -> DataError:
    line = next(iter(str(error).splitlines()), "")
    return DataError(
        f"{path}: is no image that can be read ({line}): mend or remove it, or leave such out with --unreadable skip"
    )


def _told(
    files: Sequence[tuple[Path, int, tuple[int, int], bool]], size: tuple[int, int], skipped: Sequence[Path], folder: Path
) -> str:
    """What the user must know: what was left out, and what was scaled."""
    sizes = Counter(own for *_, own, _ in files)
    scaled = sum(n for own, n in sizes.items() if own != size)
    said = [f"{scaled:,} of {len(files):,} images were scaled to {size[0]} × {size[1]} pixels"] if scaled else []
    if skipped:
        named = ", ".join(path.relative_to(folder).as_posix() for path in skipped[:SKIPPED_NAMED])
        more = ", …" if len(skipped) > SKIPPED_NAMED else ""
        said.append(
            f"{len(skipped):,} of {len(files) + len(skipped):,} files could not be read and were skipped: {named}{more}"
        )
    return "; ".join(said)
