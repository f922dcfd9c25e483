"""What changes a training view's pixels: blur, noise, colours, covering, fillings, dark."""

import dataclasses

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import black_areas, looks, random_values

EVERY = {
    "fill": {},
    "grey": {},
    "brightness": {"brightness": 0.5},
    "contrast": {"contrast": 0.5},
    "erase": {"erase_area": 0.4},
    "blur": {"blur_sigma": 2.0},
    "noise": {"noise_stddev": 20.0},
    "dark": {"least_light": 0.25},
}
every_change = pytest.mark.parametrize("change", EVERY)


def picture(height=24, width=20, seed=0):
    """Random pixels (height, width, 3) uint8, black over an area on the left."""
    values = np.random.default_rng(seed).integers(20, 256, (height, width, 3))
    values[:, : width // 3] = 3
    return values.astype(np.uint8)


def draws(seed):
    """As many numbers as a view takes."""
    return np.random.default_rng(seed).random(looks.CHANGES * looks.DRAWS).tolist()


def of(change, probability=1.0):
    """`Looks` of one change."""
    return looks.Looks(**{f"{change}_probability": probability, **EVERY[change]})


# What every change promises.


@every_change
def test_probability_zero_returns_the_view_itself(change):
    view = picture()
    assert of(change, 0.0).change(view, draws(0)) is view


@every_change
def test_a_change_gives_pixels_and_leaves_the_view_it_was_given(change):
    view = picture()
    changed = [of(change).change(view, draws(seed)) for seed in range(8)]
    np.testing.assert_array_equal(view, picture())
    assert all(one.dtype == np.uint8 and one.shape == view.shape for one in changed)
    assert np.abs(np.stack(changed).astype(int) - view).max() > 1


@every_change
def test_the_same_draws_give_the_same_and_others_another(change):
    one, again, other = (of(change).change(picture(), draws(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert change == "grey" or not np.array_equal(one, other)


@every_change
def test_share_of_changed_views_is_the_probability(change):
    view, count, probability = picture(12, 12), 400, 0.3
    some = of(change, probability)
    share = np.mean([some.change(view, draws(seed)) is not view for seed in range(count)])
    assert abs(share - probability) < 4 * np.sqrt(probability * (1 - probability) / count)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(looks.Looks)])
@pytest.mark.parametrize("value", [-0.1, 256.0, float("nan")])
def test_a_number_out_of_range_is_named(field, value):
    with pytest.raises(RankPoseError, match=f"^{field}: expected a number from "):
        looks.Looks(**{field: value})


def test_many_changes_at_once_stay_within_the_range():
    everything = looks.Looks(
        **{f"{change}_probability": 1.0 for change in EVERY},
        **{name: value for values in EVERY.values() for name, value in values.items()},
    )
    changed = np.stack([everything.change(picture(), draws(seed)) for seed in range(20)])
    assert changed.dtype == np.uint8 and changed.std() > 1


# Blur.


@pytest.mark.parametrize("kernel_size, sigma", [(3, 0.5), (5, 1.0), (5, 2.0), (7, 1.5)])
def test_blur_equals_tensorflow_addons(shared_data, kernel_size, sigma):
    reference = np.load(shared_data / "addons_blur.npz")
    name = f"blur_k{kernel_size}_s{sigma}"
    for image, expected in zip(reference["image"], reference[name], strict=True):
        blurred = looks.blur(image, kernel_size, sigma)
        np.testing.assert_allclose(blurred, expected, rtol=0, atol=1e-5)


def test_blur_of_a_point_is_the_normalised_gaussian():
    point = np.zeros((9, 9, 3), np.float32)
    point[4, 4] = 1.0
    weights = np.exp(-(np.arange(-2, 3.0) ** 2) / (2 * 1.2**2))
    weights /= weights.sum()
    blurred = looks.blur(point, 5, 1.2)
    np.testing.assert_allclose(blurred[2:7, 2:7, 0], np.outer(weights, weights), atol=1e-6)


def test_blur_keeps_an_even_view_up_to_the_corners():
    even = np.full((12, 12, 3), 200.0, np.float32)
    np.testing.assert_allclose(looks.blur(even, 5, 2.0), even, atol=1e-3)


def test_blur_of_sigma_zero_changes_nothing():
    view = picture().astype(np.float32)
    np.testing.assert_array_equal(looks.blur(view, 5, 0.0), view)


# Noise and the table it comes from.


def test_noise_has_no_bias_and_a_deviation_up_to_its_maximum():
    grey = np.full((64, 64, 3), 128, np.uint8)
    noise = np.stack([of("noise").change(grey, draws(seed)) for seed in range(50)]) - 128.0
    deviations = noise.std(axis=(1, 2, 3))
    assert np.abs(noise.mean()) < 0.5
    assert deviations.max() < 20.0 * 1.05
    assert abs(deviations.mean() - 20.0 / 2) < 3.0


def test_noise_differs_between_pixels_channels_and_views():
    one, other = (random_values.normal((64, 64, 3), place) for place in (0.1, 0.6))
    for shifted in (other, np.roll(one, 1, axis=0), np.roll(one, 1, axis=2)):
        assert abs(np.corrcoef(one.ravel(), shifted.ravel())[0, 1]) < 5 / np.sqrt(one.size)


def test_a_table_is_normal_and_one_is_even_from_0_to_1():
    normal, even = random_values.normal((10**6,), 0.0), random_values.uniform((10**6,), 0.0)
    assert abs(normal.mean()) < 5e-3 and abs(normal.std() - 1.0) < 5e-3
    assert abs(np.mean(np.abs(normal) < 1.0) - 0.6827) < 5e-3
    assert even.min() >= 0.0 and even.max() < 1.0 and abs(even.mean() - 0.5) < 5e-3


def test_a_table_can_not_be_written_to_and_is_as_large_as_the_largest_view_needs():
    stretch = random_values.uniform((700, 700, 3), 0.999)
    assert stretch.shape == (700, 700, 3)
    with pytest.raises(ValueError, match="read-only"):
        stretch[0] = 1


# Colours.


def row(change, *values):
    """Draws that make one change, by the numbers given."""
    numbers = [0.999] * (looks.CHANGES * looks.DRAWS)
    start = getattr(looks, change) * looks.DRAWS
    numbers[start : start + 1 + len(values)] = [0.0, *values]
    return numbers


@pytest.mark.parametrize("draw", [0.0, 0.25, 0.9])
def test_brightness_adds_one_value_to_all_pixels(draw):
    grey = np.full((8, 8, 3), 100, np.uint8)
    changed = of("brightness").change(grey, row("BRIGHTNESS", draw))
    expected = np.clip(np.rint(100 + 0.5 * 255 * (2 * draw - 1)), 0, 255)
    np.testing.assert_array_equal(changed, np.full((8, 8, 3), expected))


def test_contrast_keeps_the_mean_and_scales_the_distance_from_it():
    view = (100 + picture() / 10).astype(np.uint8)
    changed = of("contrast").change(view, row("CONTRAST", 0.8))
    mean = view.mean()
    expected = mean + (view - mean) * (1 + 0.5 * (2 * 0.8 - 1))
    np.testing.assert_allclose(changed, expected, atol=0.51)


def test_grey_makes_the_channels_equal_with_the_weights_of_their_light():
    view = picture()
    changed = of("grey").change(view, row("GREY"))
    expected = view @ np.array([0.2989, 0.587, 0.114])
    np.testing.assert_allclose(changed, np.repeat(expected[..., None], 3, axis=2), atol=0.51)


def test_contrast_of_a_grey_and_brighter_view_is_around_the_mean_that_it_then_has():
    view = (100 + picture() / 10).astype(np.uint8)
    options = looks.Looks(
        grey_probability=1.0,
        brightness_probability=1.0,
        brightness=0.1,
        contrast_probability=1.0,
        contrast=0.5,
    )
    numbers = [0.999] * (looks.CHANGES * looks.DRAWS)
    for change, draw in ((looks.GREY, 0.0), (looks.BRIGHTNESS, 0.7), (looks.CONTRAST, 0.2)):
        numbers[change * looks.DRAWS : change * looks.DRAWS + 2] = [0.0, draw]
    grey = view @ np.array([0.2989, 0.587, 0.114]) + 255 * 0.1 * (2 * 0.7 - 1)
    expected = grey.mean() + (grey - grey.mean()) * (1 + 0.5 * (2 * 0.2 - 1))
    changed = options.change(view, numbers)
    np.testing.assert_allclose(changed, np.repeat(expected[..., None], 3, axis=2), atol=0.51)


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.99])
def test_dark_leaves_one_share_of_the_light_evenly_on_a_logarithmic_scale(draw):
    view = np.full((8, 8, 3), 255, np.uint8)
    changed = looks.Looks(dark_probability=1.0, least_light=1 / 16).change(view, row("DARK", draw))
    np.testing.assert_array_equal(changed, np.full((8, 8, 3), np.rint(255.0 * 16**-draw)))


def test_noise_of_a_dark_view_is_dark_too():
    options = looks.Looks(
        noise_probability=1.0, noise_stddev=40.0, dark_probability=1.0, least_light=0.1
    )
    numbers = row("DARK", 0.999)
    numbers[looks.NOISE * looks.DRAWS : looks.NOISE * looks.DRAWS + 3] = [0.0, 1.0, 0.3]
    view = options.change(np.full((32, 32, 3), 128, np.uint8), numbers)
    assert 3 < view.std() < 5 and view.max() <= 26


# Erasing.


@pytest.fixture(scope="module")
def rectangles():
    """(top, bottom, left, right), pixels, of 200 erased rectangles of a 60 x 40 view."""
    corners = []
    for seed in range(200):
        values = np.random.default_rng(seed).random(9).tolist()
        view = np.full((60, 40, 3), 300.0, np.float32)
        inside = (looks.erase(view, values, 0.4) != 300.0).any(axis=-1)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        box = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        # Filled, without a hole, and nothing beside it.
        assert inside.sum() == (box[1] - box[0]) * (box[3] - box[2])
        corners.append(box)
    return np.array(corners)


def test_area_and_aspect_ratio_stay_in_their_range(rectangles):
    heights, widths = rectangles[:, 1] - rectangles[:, 0], rectangles[:, 3] - rectangles[:, 2]
    shares = heights * widths / (60 * 40)
    # Sides are whole pixels, half a pixel off at either end.
    slack = (0.5 / 60 + 0.5 / 40) * 2
    assert shares.min() > 0.02 - 0.2 * slack and shares.max() < 0.4 + slack
    assert abs(shares.mean() - (0.02 + 0.4) / 2) < 4 * (0.38 / np.sqrt(12)) / np.sqrt(200)
    ratios = (heights / 60) / (widths / 40)
    assert np.log(ratios).max() < np.log(1 / 0.3) + 0.3 and np.log(ratios).min() > np.log(0.3) - 0.3
    assert abs(np.log(ratios).mean()) < 4 * (np.log(1 / 0.3) / np.sqrt(3)) / np.sqrt(200)


def test_a_rectangle_may_lie_anywhere_and_is_not_cut_by_the_border(rectangles):
    centres = (rectangles[:, ::2] + rectangles[:, 1::2]) / 2 / (60, 40)
    assert np.abs(centres.mean(axis=0) - 0.5).max() < 4 * 0.2 / np.sqrt(200)
    assert centres.min() < 0.25 and centres.max() > 0.75
    assert (rectangles[:, 0] == 0).mean() < 0.2


def test_a_covering_is_anything_from_plain_to_noise_and_beside_it_nothing_changes():
    spreads = []
    for seed in range(40):
        view = picture(32, 32).astype(np.float32)
        values = np.random.default_rng(seed).random(9).tolist()
        erased = looks.erase(view.copy(), values, 0.3)
        inside = (erased != view).any(axis=-1)
        assert 0.01 < inside.mean() < 0.36 and 0.0 <= erased.min() and erased.max() <= 255.0
        spreads.append(erased[inside].std(axis=0).mean())
    assert sum(spread < 15 for spread in spreads) > 3
    assert sum(spread > 50 for spread in spreads) > 3


def test_a_whole_view_may_be_erased():
    erased = looks.erase(np.full((24, 20, 3), 300.0, np.float32), [1.0, 0.5] + [0.5] * 7, 1.0)
    assert (erased != 300.0).all()


# Fillings.


def with_black(columns=10):
    view = np.maximum(picture(32, 32), 20).astype(np.float32)
    view[:, :columns] = 3
    return view


def test_a_black_area_is_filled_with_the_pixel_beside_it_and_the_rest_is_left():
    filled = black_areas.fill(with_black(), 0.3)
    assert (filled[:, :11] != with_black()[:, :11]).all(axis=-1).mean() > 0.99
    np.testing.assert_array_equal(filled[:, 11:], with_black()[:, 11:])
    assert filled.min() >= 0 and filled.max() <= 255 and filled[:, :11].std() > 10


def test_what_is_as_narrow_as_a_pupil_stays():
    view = np.maximum(picture(32, 32), 20).astype(np.float32)
    view[10:14, 10:14] = 0
    view[:, 20:24] = 0
    np.testing.assert_array_equal(black_areas.fill(view.copy(), 0.3), view)
    view[8:14, 8:14] = 0
    assert (black_areas.black_areas(view) == 255).sum() == 8 * 8


def test_a_view_without_black_is_left():
    np.testing.assert_array_equal(black_areas.fill(with_black(0), 0.3), with_black(0))


def test_fillings_have_colours_of_their_own():
    filled = {
        black_areas.fill(with_black(), place)[0, 0].tobytes() for place in np.arange(0, 1, 0.02)
    }
    assert len(filled) == 50
