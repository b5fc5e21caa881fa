"""Data sets as tensors: sizes, splits, digests."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regstudy.config import RunConfig
from regstudy.data import datasets, sources
from regstudy.data.sources import Source
from regstudy.errors import ConfigError

SMALL = Source("mnist-5k", None)


def load(**values: object) -> datasets.Splits:
    return datasets.load(SMALL, RunConfig.model_validate({"dataset": "mnist-5k"} | values))


def test_mnist_5k_is_stratified_4000_and_1000():
    data = load()
    assert data.train.images.shape == (4_000, 28, 28)
    assert data.train.images.dtype == torch.uint8
    assert torch.bincount(data.train.labels).tolist() == [400] * 10
    assert torch.bincount(data.test.labels).tolist() == [100] * 10
    assert data.validation is None
    assert data.train.images.max() == 255


def test_no_image_is_in_train_and_test():
    data = load()
    train = {image.numpy().tobytes() for image in data.train.images}
    assert not any(image.numpy().tobytes() in train for image in data.test.images)


def test_validation_is_stratified_and_disjoint_and_complete():
    whole, data = load(), load(validation_size=1_000)
    assert data.validation is not None
    assert torch.bincount(data.validation.labels).tolist() == [100] * 10
    assert len(data.train) == 3_000
    together = sorted(i.numpy().tobytes() for i in torch.cat([data.train.images, data.validation.images]))
    assert together == sorted(i.numpy().tobytes() for i in whole.train.images)


def test_the_split_is_the_blocks():
    same, again, other = load(validation_size=500), load(validation_size=500, l1=0.1), load(validation_size=500, seed=1)
    assert same.split_digest == again.split_digest
    assert same.split_digest != other.split_digest
    assert same.data_digest == other.data_digest == load().data_digest


@given(st.lists(st.integers(1, 7_000), min_size=10, max_size=10), st.data())
def test_apportionment_is_complete_and_within_one_of_the_quota(counts, data):
    size = data.draw(st.integers(0, sum(counts) - 1))
    places = datasets.apportion(torch.tensor(counts), size)
    assert places.sum() == size
    for place, count in zip(places.tolist(), counts, strict=True):
        assert abs(place - count * size / sum(counts)) < 1
        assert place <= count


def test_a_validation_set_larger_than_the_training_images_is_refused():
    with pytest.raises(
        ConfigError, match="validation_size: expected fewer than the 4,000 training images of mnist-5k, got 4,000"
    ):
        load(validation_size=4_000)


def test_digest_covers_every_pixel_and_label():
    images, labels = torch.zeros(2, 28, 28, dtype=torch.uint8), torch.tensor([1, 2])
    digest = datasets.sha256(images, labels)
    changed = images.clone()
    changed[1, 27, 27] = 1
    assert datasets.sha256(changed, labels) != digest
    assert datasets.sha256(images, torch.tensor([1, 3])) != digest


@pytest.mark.full_mnist
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_full_data_sets_are_the_originals(name):
    if "REGSTUDY_DATA" not in os.environ:
        pytest.fail("this test needs full MNIST: set REGSTUDY_DATA to a folder that holds it")
    config = RunConfig(dataset=name)
    source = sources.locate(name, None)
    assert source.root == Path(os.environ["REGSTUDY_DATA"])
    data = datasets.load(source, config)
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    from torchvision.datasets import mnist

    files = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}[name]
    raw = source.root / files / "raw" / sources.TEST_LABELS
    if raw.exists():
        assert torch.equal(data.test.labels, mnist.read_label_file(str(raw)))
    counts = torch.bincount(data.test.labels).tolist()
    assert counts == ([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009] if name == "mnist" else [1_000] * 10)
