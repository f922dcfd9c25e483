"""The crop without TensorFlow gives the numbers of the crop with it."""

import numpy as np
import pytest

from rankpose_tf.core import crop
from rankpose_tf.data import square_crops

# float32 sums of 255 taken in another order.
GREY_LEVELS = 1e-3


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def both(image, square, size):
    square = np.asarray(square, np.float32)
    return crop.crop_and_resize(image, square, size), square_crops.crop_and_resize(
        image, square, size
    )


@pytest.mark.parametrize(
    "square",
    [
        (0, 0, 90, 70),
        (10.3, 5.2, 60.3, 55.2),
        (20.25, 30.5, 25.75, 36.0),
        (-40, -30, 60, 70),
        (-400.5, -300.2, 500.3, 600.6),
        (60, 40, 160, 140),
        (44.2, 31.7, 44.9, 32.4),
    ],
)
@pytest.mark.parametrize("size", [1, 32, 61])
def test_crops_are_those_of_the_training_op(square, size):
    ours, theirs = both(picture(70, 90), square, size)
    assert ours.dtype == np.float32 and ours.shape == (size, size, 3)
    np.testing.assert_allclose(ours, theirs, atol=GREY_LEVELS)


def test_random_crops_are_those_of_the_training_op():
    generator = np.random.default_rng(1)
    for _ in range(100):
        height, width = generator.integers(1, 300, 2)
        side, centre = 10 ** generator.uniform(0, 3), generator.uniform(-100, 400, 2)
        square = [*(centre - side / 2), *(centre + side / 2)]
        ours, theirs = both(picture(height, width), square, 64)
        np.testing.assert_allclose(ours, theirs, atol=GREY_LEVELS)


@pytest.mark.parametrize("side", [1500, 3000])
def test_a_large_face_is_cropped_in_several_products(side):
    square = (100, -20, 100 + side, side - 20)
    ours, theirs = both(picture(side, side + 200), square, 64)
    np.testing.assert_allclose(ours, theirs, atol=GREY_LEVELS)


@pytest.mark.parametrize("size, side, pixels", [(80, 280, 450), (224, 3000, 4000), (61, 20, 90)])
def test_products_are_small_enough_for_the_callers_thread(size, side, pixels, monkeypatch):
    """Above 2^18 multiplications the matrix product wakes threads, and waits on busy cores."""
    seen = []
    product = np.dot

    def dot(block, values, out):
        seen.append(block.size * values.shape[1])
        return product(block, values, out)

    monkeypatch.setattr(crop.np, "dot", dot)
    crop.crop_and_resize(picture(pixels, pixels), (5.5, 7.5, 5.5 + side, 7.5 + side), size)
    assert max(seen) <= 2**18


def test_a_picture_of_the_size_comes_back_as_it_is():
    image = picture(48, 48)
    np.testing.assert_array_equal(crop.crop_and_resize(image, (0, 0, 48, 48), 48), image)


def test_a_square_beside_the_picture_is_black():
    for square in ((-90, 0, -10, 80), (0, 200, 50, 250), (1e6, 1e6, 1e6 + 64, 1e6 + 64)):
        assert not crop.crop_and_resize(picture(70, 90), square, 32).any()


def test_slices_and_floats_are_taken_as_they_are():
    image, square = picture(80, 60)[::-1, ::-2, ::-1], (3, 4, 27, 28)
    expected = crop.crop_and_resize(np.ascontiguousarray(image), square, 20)
    for given in (image, image.astype(np.float32)):
        np.testing.assert_array_equal(crop.crop_and_resize(given, square, 20), expected)


@pytest.mark.parametrize("box", [(10, 20, 50, 40), (-5.5, 3.2, 4.1, 80), (7, 7, 7, 7)])
@pytest.mark.parametrize("scale", [1.0, 1.4])
def test_squares_are_those_of_training(box, scale):
    np.testing.assert_array_equal(
        crop.square_around(box, scale), square_crops.square_around(np.float32(box), scale)
    )
