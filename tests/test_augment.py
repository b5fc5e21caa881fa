"""The batched augmentation against torchvision's, on PIL images, pixel for pixel."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional

from regstudy.training import augmentation


def reference(image: np.ndarray, draws: augmentation.Draws, degrees: torch.Tensor, i: int) -> np.ndarray:
    """What torchvision's ColorJitter and RandomRotation do with the same draws."""
    operations = [
        lambda picture: functional.adjust_brightness(picture, float(draws.brightness[i])),
        lambda picture: functional.adjust_contrast(picture, float(draws.contrast[i])),
    ]
    picture = Image.fromarray(image)
    for operation in reversed(operations) if draws.contrast_first[i] else operations:
        picture = operation(picture)
    return np.asarray(functional.rotate(picture, float(degrees[i]), fill=[1.0]))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Strokes on black, as digits are, and noise, which shows every misplaced pixel."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (100, 28, 28), dtype=np.uint8)
    strokes = np.where(rng.random((100, 28, 28)) < 0.8, 0, noise).astype(np.uint8)
    return np.concatenate([noise, strokes, np.zeros((1, 28, 28), np.uint8), np.full((1, 28, 28), 255, np.uint8)])


def test_every_pixel_is_torchvisions(images):
    generator = torch.Generator().manual_seed(1)
    draws = augmentation.draw(len(images), generator)
    generator.manual_seed(1)
    torch.empty(2, len(images)).uniform_(0.9, 1.1, generator=generator)
    degrees = torch.empty(len(images)).uniform_(-7, 7, generator=generator)
    batch = augmentation.augment(torch.from_numpy(images), draws).numpy()
    for i, image in enumerate(images):
        np.testing.assert_array_equal(batch[i], reference(image, draws, degrees, i), err_msg=f"image {i}")


@pytest.mark.parametrize("degrees", [0.0, -0.0, 7.0, -7.0, 1e-4, 3.3333])
def test_rotation_of_particular_angles(images, degrees):
    batch = augmentation.rotate(torch.from_numpy(images).float(), augmentation.rotation(torch.full((len(images),), degrees)))
    for i, image in enumerate(images):
        expected = functional.rotate(Image.fromarray(image), degrees, fill=[1.0])
        np.testing.assert_array_equal(batch[i].numpy(), np.asarray(expected))


def test_draws_have_torchvisions_ranges_and_order():
    draws = augmentation.draw(20_000, torch.Generator().manual_seed(0))
    published = transforms.ColorJitter(0.1, 0.1, 0.1, 0.1)
    assert published.brightness == published.contrast == (0.9, 1.1)
    for factor in (draws.brightness, draws.contrast):
        assert 0.9 <= factor.min() < 0.9001
        assert 1.0999 < factor.max() <= 1.1
        assert abs(factor.mean() - 1) < 0.002  # 5 standard errors
    assert abs(draws.contrast_first.float().mean() - 0.5) < 0.018  # 5 standard errors
    assert draws.brightness.corrcoef() == 1
    assert abs(torch.stack([draws.brightness, draws.contrast]).corrcoef()[0, 1]) < 0.036  # 5 standard errors


def test_saturation_and_hue_do_nothing_to_grey_images(images):
    picture = Image.fromarray(images[0])
    assert functional.adjust_saturation(picture, 1.1).tobytes() == picture.tobytes()
    assert functional.adjust_hue(picture, 0.1).tobytes() == picture.tobytes()
