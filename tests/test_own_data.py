"""Data sets of the user's own: folders of images, arrays, functions; and torchvision's, in files of the same format."""

import pickle
import re
from pathlib import Path

import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torchvision import datasets as torchvisions

from analysis.commands import cli as analysis
from analysis.showing import methods
from regstudy.commands import cli as regstudy
from regstudy.config import RunConfig
from regstudy.data import datasets, finding, folders, further, prepared
from regstudy.data.datasets import Split, Splits
from regstudy.errors import ConfigError, DataError
from regstudy.schema import Tag
from regstudy.training import loop

COLOURS = {"blue": (30, 60, 200), "green": (20, 180, 40), "red": (210, 40, 30)}


def picture(
    path: Path, colour: tuple[int, int, int], size: tuple[int, int], seed: int, mode: str = "RGB", noise: int = 40
) -> None:
    """`noise` beyond 40 also shifts the whole image's colour, so that some are hard to tell."""
    rng = np.random.default_rng(seed)
    added = rng.integers(0, noise, (size[1], size[0], 3)) + (noise > 40) * rng.normal(0, noise, 3)
    values = np.clip(np.array(colour) + added, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).convert(mode).save(path)


def folder(
    root: Path,
    per_class: int = 10,
    sizes: tuple[tuple[int, int], ...] = ((32, 24), (40, 48), (28, 28)),
    mode: str = "RGB",
    noise: int = 40,
) -> Path:
    for label, (name, colour) in enumerate(COLOURS.items()):
        for i in range(per_class):
            picture(root / name / f"{i:03}.png", colour, sizes[i % len(sizes)], 100 * label + i, mode, noise)
    return root


def load(dataset: str, **values: object) -> Splits:
    config = RunConfig.model_validate({"dataset": dataset, **values})
    source = finding.find(config)
    return datasets.load(source, config.resolved(source.dataset))


def test_a_folder_is_split_by_class_and_made_one_size(tmp_path):
    data = load(f"folder:{folder(tmp_path / 'flags')}")
    assert data.class_names == ("blue", "green", "red")
    assert data.train.images.shape == (24, 3, 28, 28), "the median of their shorter sides"
    assert data.test.labels.bincount().tolist() == [2, 2, 2]
    assert data.inputs.classes == 3
    assert data.inputs.pixel_shape == (3, 28, 28)
    reds = data.train.images[data.train.labels == 2].float().mean((0, 2, 3))
    assert reds[0] > 200 > 100 > reds[1]
    assert len(data.files) == 6
    assert data.files[0].startswith("blue/")


def test_the_same_images_have_one_digest_wherever_and_however_they_lie(tmp_path):
    first = load(f"folder:{folder(tmp_path / 'a' / 'flags')}")
    again = tmp_path / "b" / "flags"
    for name in reversed(COLOURS):  # files are made, and so listed, in another order
        for path in sorted((tmp_path / "a" / "flags" / name).iterdir(), reverse=True):
            (again / name).mkdir(parents=True, exist_ok=True)
            (again / name / path.name).write_bytes(path.read_bytes())
    (again / "red" / "notes.txt").write_text("no image")
    second = load(f"folder:{again}")
    assert second.data_digest == first.data_digest
    configs = [RunConfig(dataset=f"folder:{tmp_path}/{where}/flags") for where in ("a", "b")]
    assert configs[0].digest() == configs[1].digest()
    picture(again / "red" / "000.png", (0, 0, 0), (30, 30), 1)
    assert load(f"folder:{again}").data_digest != first.data_digest


def test_another_block_judges_on_the_same_images_and_another_split_seed_on_others(tmp_path):
    root = f"folder:{folder(tmp_path / 'flags')}"
    assert load(root, seed=1).data_digest == load(root, seed=2).data_digest
    assert load(root, split_seed=1).files != load(root).files


def test_train_and_test_folders_are_taken_as_they_are(tmp_path):
    folder(tmp_path / "flags" / "train", 4)
    folder(tmp_path / "flags" / "test", 2)
    data = load(f"folder:{tmp_path / 'flags'}")
    assert (len(data.train), len(data.test)) == (12, 6)
    assert data.files[0] == "test/blue/000.png"


def test_grey_images_of_one_size_stay_as_they_are(tmp_path):
    data = load(f"folder:{folder(tmp_path / 'grey', sizes=((30, 22),), mode='L')}")
    assert data.train.images.shape == (24, 22, 30)
    assert finding.find(RunConfig(dataset=f"folder:{tmp_path / 'grey'}")).warning == ""
    assert load(f"folder:{tmp_path / 'grey'}", image_size=20).train.images.shape == (24, 20, 20)


@pytest.mark.parametrize(("mode", "grey"), [("RGBA", False), ("P", False), ("LA", True), ("1", True), ("CMYK", False)])
def test_every_kind_of_image_is_read(tmp_path, mode, grey):
    root = folder(tmp_path / "flags", 4, ((24, 24),))
    for path in root.rglob("*.png"):
        with Image.open(path) as image:
            converted = image.convert(mode)
        path.unlink()
        converted.save(path.with_suffix(".tiff" if mode == "CMYK" else ".png"))
    data = load(f"folder:{root}")
    assert data.train.images.dim() == (3 if grey else 4)


def test_sixteen_bits_keep_their_upper_eight(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "deep" / name).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((24, 24), 0x8000 + i, np.uint16)).save(tmp_path / "deep" / name / f"{i}.png")
    assert set(load(f"folder:{tmp_path / 'deep'}").train.images.unique().tolist()) == {128}


def test_an_image_that_was_turned_by_its_camera_stands_upright(tmp_path):
    values = np.zeros((24, 40, 3), np.uint8)
    values[:, :20] = 255
    for name in ("a", "b"):
        (tmp_path / "turned" / name).mkdir(parents=True)
        for i in range(3):
            image = Image.fromarray(values)
            exif = image.getexif()
            exif[0x0112] = 6
            image.save(tmp_path / "turned" / name / f"{i}.jpg", exif=exif)
    images = load(f"folder:{tmp_path / 'turned'}").train.images
    assert images.shape[1:] == (3, 40, 24)
    assert images[0, :, :18].float().mean() > 250 > 5 > images[0, :, 22:].float().mean()


def test_broken_files_are_named_or_skipped_and_counted(tmp_path):
    root = folder(tmp_path / "flags")
    (root / "red" / "empty.png").write_bytes(b"")
    whole = (root / "blue" / "000.png").read_bytes()
    (root / "blue" / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.png: is no image that can be read .*--unreadable skip"):
        load(f"folder:{root}")
    source = finding.find(RunConfig(dataset=f"folder:{root}", unreadable="skip"))
    assert "2 of 32 files could not be read and were skipped: blue/cut.png, red/empty.png" in source.warning
    assert load(f"folder:{root}", unreadable="skip").data_digest == source.digest


def test_what_cannot_be_trained_on_is_a_line(tmp_path):
    (tmp_path / "empty").mkdir()
    folder(tmp_path / "one")
    for name in ("blue", "green"):
        for path in (tmp_path / "one" / name).iterdir():
            path.unlink()
        (tmp_path / "one" / name).rmdir()
    folder(tmp_path / "strange" / "train", 3)
    folder(tmp_path / "strange" / "test", 3)
    (tmp_path / "strange" / "test" / "mauve").mkdir()
    single = folder(tmp_path / "single", 1)
    for root, told in {
        tmp_path / "nowhere": "there is no such folder",
        tmp_path / "empty": "expected images",
        tmp_path / "one": "expected images of two classes at least, got 1: red",
        tmp_path / "strange": "class 'mauve' has no training images",
        single: "class 'blue' has 1 of the two images",
    }.items():
        with pytest.raises(DataError, match=re.escape(told)) as caught:
            load(f"folder:{root}")
        assert "\n" not in str(caught.value)


def test_what_does_not_fit_into_memory_is_said_before_it_is_read(tmp_path, monkeypatch):
    root = folder(tmp_path / "flags")
    monkeypatch.setattr(prepared, "free_memory", lambda: 50_000)
    with pytest.raises(DataError, match=r"30 images of 28 × 28 pixels take 0\.0 GB of memory.*--image-size"):
        load(f"folder:{root}")


def arrays(n: int = 30, **more: object) -> dict[str, object]:
    rng = np.random.default_rng(0)
    return {"images": rng.integers(0, 256, (n, 20, 22), dtype=np.uint8), "labels": np.arange(n) % 3 + 5, **more}


def test_arrays_are_read_and_labels_named(tmp_path):
    np.savez(tmp_path / "own.npz", **arrays())
    data = load(f"arrays:{tmp_path / 'own.npz'}")
    assert data.class_names == ("5", "6", "7")
    assert (len(data.train), len(data.test)) == (24, 6)
    split = {name: np.repeat(value, 2, 0) for name, value in arrays().items()}
    both = {
        "x_train": split["images"],
        "y_train": split["labels"] - 5,
        "x_test": split["images"][:9],
        "y_test": split["labels"][:9] - 5,
    }
    np.savez(tmp_path / "split.npz", **both, class_names=["low", "middle", "high"])
    data = load(f"arrays:{tmp_path / 'split.npz'}")
    assert (data.class_names, len(data.train), len(data.test)) == (("low", "middle", "high"), 60, 9)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"images": np.zeros((30, 20, 20), np.float32)}, "expected whole numbers from 0 to 255"),
        ({"images": np.zeros((30, 400), np.uint8)}, "expected shape (n, height, width)"),
        ({"images": np.zeros((29, 20, 20), np.uint8)}, "got 30 labels and 29 images"),
        ({"labels": np.zeros(30)}, "expected whole numbers or names"),
        ({"labels": np.arange(30)}, "of the two images"),
        ({"labels": np.zeros(30, int)}, "two classes at least"),
        ({"class_names": ["a", "b"]}, "expected whole numbers from 0 to 1"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_a_line(tmp_path, changed, told):
    np.savez(tmp_path / "own.npz", **{**arrays(), **changed})
    with pytest.raises(DataError, match=re.escape(told)):
        load(f"arrays:{tmp_path / 'own.npz'}")


def test_a_file_that_is_none_of_arrays_is_a_line(tmp_path):
    (tmp_path / "own.npz").write_text("no archive")
    with (tmp_path / "unsafe.npz").open("wb") as file:
        np.savez(file, images=np.array([{"a": 1}], object), labels=np.zeros(1, int))
    np.savez_compressed(tmp_path / "damaged.npz", **arrays())
    content = bytearray((tmp_path / "damaged.npz").read_bytes())
    content[200:400] = b"x" * 200
    (tmp_path / "damaged.npz").write_bytes(content)
    for name, told in {
        "own.npz": "cannot be read",
        "unsafe.npz": "cannot be read",
        "damaged.npz": "cannot be read",
        "none.npz": "there is no such file",
    }.items():
        with pytest.raises(DataError, match=told):
            load(f"arrays:{tmp_path / name}")


FUNCTION = """
import numpy as np

def digits():
    rng = np.random.default_rng(1)
    return {"images": rng.integers(0, 256, (40, 24, 24, 3), dtype=np.uint8), "labels": ["cat", "dog"] * 20}

def wrong():
    return [1, 2]

def fails():
    raise KeyError("no such thing")
"""


def test_a_function_of_the_users_gives_arrays(tmp_path):
    (tmp_path / "mine.py").write_text(FUNCTION)
    data = load(f"{tmp_path / 'mine.py'}:digits")
    assert (data.class_names, data.train.images.shape) == (("cat", "dog"), (32, 3, 24, 24))
    for name, told in {"wrong": "expected .* to give a dict of arrays", "fails": "KeyError", "other": "has no 'other'"}.items():
        with pytest.raises((DataError, ConfigError), match=told):
            load(f"{tmp_path / 'mine.py'}:{name}")


def test_a_function_that_was_changed_gives_its_data_anew(tmp_path):
    (tmp_path / "mine.py").write_text(FUNCTION)
    before = finding.find(RunConfig(dataset=f"{tmp_path / 'mine.py'}:digits")).digest
    (tmp_path / "mine.py").write_text(FUNCTION.replace("default_rng(1)", "default_rng(2)"))
    assert finding.find(RunConfig(dataset=f"{tmp_path / 'mine.py'}:digits")).digest != before


@pytest.mark.parametrize("dataset", ["/no/such.py:function", "mnist-5k", "auto"])
def test_some_fields_are_of_folders(dataset):
    with pytest.raises(ConfigError, match="image_size: is for a folder of images"):
        finding.find(RunConfig(dataset=dataset, image_size=32))
    with pytest.raises(ConfigError, match="unreadable: is for a folder of images"):
        finding.require_use(RunConfig(dataset=dataset, unreadable="skip"))


def test_images_whose_test_is_given_are_not_split():
    with pytest.raises(ConfigError, match="split_seed: is for images of your own, got 5 with dataset mnist-5k"):
        finding.require_use(RunConfig(dataset="mnist-5k", split_seed=5))


def test_no_class_is_held_out_whole(tmp_path):
    labels = np.array([0] * 40 + [1] * 40 + [2] * 4)
    images = np.random.default_rng(1).integers(0, 256, (84, 20, 20), np.uint8)
    np.savez(tmp_path / "own.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    dataset = f"arrays:{tmp_path / 'own.npz'}"
    assert len(load(dataset, validation_size=40).train) == 44
    with pytest.raises(ConfigError, match="that each class keeps one, got 83"):
        load(dataset, validation_size=83)


def test_the_gap_of_sorted_images_is_of_all_classes():
    labels = torch.arange(10).repeat_interleave(1_500)
    train = Split(torch.zeros(15_000, 1, 1, dtype=torch.uint8), labels)
    assert torch.bincount(loop.clean_images(train, "folder:flags").labels).tolist() == [1_000] * 10
    assert torch.equal(loop.clean_images(train, "mnist").labels, labels[:10_000]), "MNIST's own order is no order of classes"
    assert len(loop.clean_images(train[:9_000], "folder:flags")) == 9_000


def test_the_digest_is_the_tensors():
    given = prepared.from_arrays(arrays(), "here", 0)
    tensors = [
        torch.from_numpy(array) for array in (given.train_images, given.train_labels, given.test_images, given.test_labels)
    ]
    assert prepared.digest(given) == datasets.sha256(*tensors)


def cifar(root: Path) -> None:
    """A few images in CIFAR-10's own format, with names and digests of their own."""
    home = root / torchvisions.CIFAR10.base_folder
    home.mkdir(parents=True)
    rng = np.random.default_rng(3)
    for name, n in {"data_batch_1": 60, "test_batch": 20}.items():
        content = {"data": rng.integers(0, 256, (n, 3072), dtype=np.uint8), "labels": [i % 10 for i in range(n)]}
        (home / name).write_bytes(pickle.dumps(content))
    (home / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"class {i}" for i in range(10)]}))


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    cifar(tmp_path)
    monkeypatch.setenv("REGSTUDY_DATA", str(tmp_path))
    found = torchvisions.CIFAR10
    monkeypatch.setattr(found, "train_list", [["data_batch_1", None]])
    monkeypatch.setattr(found, "test_list", [["test_batch", None]])
    monkeypatch.setattr(found, "meta", {"filename": "batches.meta", "key": "label_names", "md5": None})


@pytest.mark.usefixtures("small_cifar")
def test_cifar_10_is_read_from_files_of_its_format():
    data = load("cifar-10")
    assert (data.train.images.shape, data.test.images.shape) == ((60, 3, 32, 32), (20, 3, 32, 32))
    assert data.class_names[3] == "class 3"
    assert data.inputs.classes == 10


def test_idx_files_of_torchvisions_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("REGSTUDY_DATA", str(tmp_path))
    raw = tmp_path / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, n in {"train": 30, "t10k": 10}.items():
        pixels = np.random.default_rng(n).integers(0, 256, (n, 28, 28), dtype=np.uint8)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(
            bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in pixels.shape) + pixels.tobytes()
        )
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(
            bytes([0, 0, 8, 1]) + n.to_bytes(4, "big") + bytes(i % 10 for i in range(n))
        )
    data = load("kmnist")
    assert (len(data.train), len(data.test), data.class_names) == (30, 10, further.KANA)


def test_a_data_set_that_cannot_be_had_is_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("REGSTUDY_DATA", str(tmp_path))
    monkeypatch.setattr("regstudy.data.sources.PROBE_SECONDS", 0.2)
    with pytest.raises(DataError, match="QMNIST is not on this machine and its servers cannot be reached"):
        load("qmnist")


def test_stamps_tell_that_a_folder_has_changed(tmp_path):
    root = folder(tmp_path / "flags", 2)
    before = folders.stamp(root)
    picture(root / "red" / "000.png", (0, 0, 0), (30, 30), 1)
    assert folders.stamp(root) != before


@pytest.mark.slow
@pytest.mark.usefixtures("small_cifar")
def test_cifar_10_goes_through_the_whole_pipeline_without_a_picture(workspace, capsys, instead_of_writing):
    for seed in ("0", "1", "2"):
        for l1 in ("0", "0.001"):
            options = [
                "--dataset",
                "cifar-10",
                "--epochs",
                "1",
                "--batch-size",
                "20",
                "--seed",
                seed,
                "--l1",
                l1,
                "--images",
                "none",
            ]
            assert regstudy.main(["train", *options]) == 0
    with instead_of_writing() as had:
        assert analysis.main(["report"]) == 0
    assert "cifar-10, judged on 20 test images" in methods.what_was_run(had[0])
    assert analysis.main(["gallery", "--output", "gallery.html"]) == 0
    assert re.search(r"taken for class \d", (workspace / "gallery.html").read_text())
    capsys.readouterr()


def trained_without_pictures(root: Path, *seeds: str) -> None:
    """A network that is told nothing right, so that images are misclassified."""
    folder(root, 4, ((24, 24),), noise=120)
    for seed in seeds:
        options = ["--dataset", f"folder:{root}", "--epochs", "1", "--images", "none", "--seed", seed]
        assert regstudy.main(["train", *options]) == 0


def test_no_picture_leaves_the_machine_if_none_is_to(workspace, tmp_path):
    """Misclassified images are still counted, and their numbers kept."""
    trained_without_pictures(tmp_path / "flags", "0")
    runs = mlflow.MlflowClient().search_runs(["0"])
    kept = [str(path) for run in runs for path in Path(run.info.artifact_uri).rglob("*") if path.is_file()]
    assert any(path.endswith("misclassified.parquet") for path in kept)
    assert not any("contact_sheet" in path or "/images/" in path for path in kept)
    for path in (path for path in kept if path.endswith("misclassified.parquet")):
        assert not {"pixels", "file"} & set(pq.read_schema(path).names)
    example = next(path for path in Path("mlruns").rglob("serving_input_example.json"))
    assert set(re.findall(r"\d+", example.read_text())) == {"0"}


def test_images_of_16_bits_are_scaled_alike_and_others_refused(tmp_path):
    """A dark one stays dark: what one image holds does not decide how it is read."""
    for name in ("a", "b"):
        (tmp_path / "deep" / name).mkdir(parents=True)
        for place, value in enumerate((0, 200, 256, 30_000, 65_535)):
            Image.fromarray(np.full((28, 28), value, np.uint16)).save(tmp_path / "deep" / name / f"{place}.png")
    read = folders.read(tmp_path / "deep", None, "refuse", 0)
    assert sorted({*read.train_images.reshape(-1), *read.test_images.reshape(-1)}) == [0, 1, 117, 255]
    for values in (np.full((28, 28), 100_000, np.int32), np.full((28, 28), -5, np.int32), np.full((28, 28), 0.5, np.float32)):
        Image.fromarray(values).save(tmp_path / "deep" / "a" / "odd.tiff")
        with pytest.raises(DataError, match=r"odd\.tiff: is no image that can be read .*expected eight or 16 bits"):
            folders.read(tmp_path / "deep", None, "refuse", 0)
        assert "1 of 11 files could not be read" in folders.read(tmp_path / "deep", None, "skip", 0).warning


@pytest.mark.parametrize("parts", [("train", "valid"), ("Train", "Test")])
def test_parts_of_a_data_set_are_no_classes(tmp_path, parts):
    for part in parts:
        folder(tmp_path / part, 2)
    with pytest.raises(DataError, match="are called like parts, not classes: call them train/ and test/"):
        folders.read(tmp_path, None, "refuse", 0)


def test_a_link_that_leads_nowhere_is_no_image_that_can_be_read(tmp_path):
    folder(tmp_path / "flags", 4)
    (tmp_path / "flags" / "red" / "dead.jfif").symlink_to("/nowhere.jpg")
    with pytest.raises(DataError, match=r"dead\.jfif: is no image that can be read"):
        folders.read(tmp_path / "flags", None, "refuse", 0)


@pytest.mark.parametrize(("images", "version"), [(10_000, "1"), (10_050, "2")])
def test_a_gap_of_some_of_ones_own_images_is_of_another_metrics_version(workspace, images, version):
    labels = np.arange(images) % 2
    np.savez(
        "own.npz",
        train_images=np.zeros((images, 4, 4), np.uint8),
        train_labels=labels,
        test_images=np.zeros((4, 4, 4), np.uint8),
        test_labels=labels[:4],
    )
    (workspace / "net.py").write_text(
        "from torch import nn\n\ndef flat(shape, classes):\n    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))\n"
    )
    options = [
        "--dataset",
        "arrays:own.npz",
        "--network",
        "net.py:flat",
        "--epochs",
        "1",
        "--threads",
        "1",
        "--augmentation",
        "none",
    ]
    assert regstudy.main(["train", *options, "--batch-size", "1000"]) == 0
    (run,) = mlflow.MlflowClient().search_runs(["0"])
    assert run.data.tags[Tag.METRICS_VERSION] == version
