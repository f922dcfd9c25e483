"""The filter on made sequences: what it takes away, what it costs, and where angles jump."""

import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import angles_from_rotation, geodesic_distance, rotation_from_angles
from rankpose_tf.prediction.smoothing import RotationSmoother

RATE = 30.0
TURN = 90.0  # degrees a second


def smoothed(angles, times, **settings):
    smoother = RotationSmoother(**settings)
    return np.array([smoother.filter(*pair) for pair in zip(angles, times, strict=True)])


def distance(one, other):
    """Degrees between poses (..., 3) in degrees."""
    rotations = [rotation_from_angles(np.radians(angles)) for angles in (one, other)]
    return np.degrees(geodesic_distance(*rotations))


def change(angles):
    """Mean frame-to-frame change in degrees."""
    return distance(angles[1:], angles[:-1]).mean()


def turned(degrees):
    """Poses of a head turned about its own vertical axis by any number of degrees."""
    angles = np.zeros((len(degrees), 3))
    angles[:, 0] = np.radians(degrees)
    return np.degrees(angles_from_rotation(rotation_from_angles(angles)))


def noisy(angles, sigma, seed):
    return angles + np.random.default_rng(seed).normal(0.0, sigma, angles.shape)


def yaw_of_a_turn(times):
    """Rests at -45 degrees, turns to +45 at 90 degrees a second from second 1, rests again."""
    return np.clip((times - 1.0) * TURN - 45.0, -45.0, 45.0)


@pytest.mark.parametrize("still", [(0, 0, 0), (40, -20, 15), (80, 20, 10)])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_of_the_jitter_of_a_still_face_at_least_70_percent_is_gone(sigma, still):
    times = np.arange(600) / RATE
    measured = noisy(np.tile(np.array(still, float), (len(times), 1)), sigma, seed=1)
    assert change(smoothed(measured, times)) <= 0.3 * change(measured)


@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.0, 3.0])
def test_a_steady_turn_lags_by_less_than_60_ms(sigma):
    """Behind the true yaw, over the speed; noise is averaged out over a turn of 1,000 degrees."""
    times = np.arange(int(RATE * 1000 / TURN)) / RATE
    yaw = TURN * times
    found = smoothed(noisy(turned(yaw), sigma, seed=2), times)
    steady = times > 1.0
    # The turn from the true pose to the found one, about the vertical axis.
    true, found = (rotation_from_angles(np.radians(a))[steady] for a in (turned(yaw), found))
    behind = angles_from_rotation(np.swapaxes(found, -1, -2) @ true)[:, 0]
    lag = np.degrees(behind.mean()) / TURN
    assert 0.0 < lag < 0.060


@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.0, 3.0])
def test_a_turn_between_rests_aligns_at_a_shift_of_less_than_60_ms(sigma):
    times = np.arange(int(3 * RATE)) / RATE
    true = turned(yaw_of_a_turn(times))
    shifts = np.arange(0.0, 0.2, 0.001)
    lags = []
    for seed in range(5):
        found = smoothed(noisy(true, sigma, seed), times)[:, 0]
        errors = [np.square(found - yaw_of_a_turn(times - shift)).mean() for shift in shifts]
        lags.append(shifts[np.argmin(errors)])
    assert 0.0 < max(lags) < 0.060


def test_the_lag_of_a_steady_turn_is_that_of_the_cutoff():
    minimum, beta = 0.7, 0.03
    times = np.arange(300) / RATE
    yaw = 45.0 * times
    found = smoothed(turned(yaw), times, minimum_cutoff=minimum, beta=beta)
    expected = 45.0 / (2 * np.pi * (minimum + beta * 45.0))
    np.testing.assert_allclose(distance(turned(yaw), found)[-30:], expected, rtol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_turn_through_90_degrees_of_yaw_does_not_jump(sign):
    """Once it has caught up with the turn, every step is the turn's, the two through 90 as well."""
    times = np.arange(int(720 / TURN * RATE)) / RATE
    measured = turned(sign * TURN * times)
    assert np.abs(np.diff(measured[:, 1])).max() > 170.0  # the angles do jump
    found = smoothed(measured, times)
    steps = distance(found[1:], found[:-1])
    np.testing.assert_allclose(steps[times[1:] > 1.0], TURN / RATE, rtol=0.005)
    # Two whole turns: the quaternion has changed its sign, and nothing was lost.
    assert distance(found, measured).max() < TURN * 0.060


def test_noise_around_90_degrees_of_yaw_is_smoothed_like_any_other():
    times = np.arange(300) / RATE
    about = np.random.default_rng(4).normal(0.0, 2.0, (len(times), 3))
    sideways = rotation_from_angles(np.radians([90.0, 0.0, 0.0]))
    measured = np.degrees(angles_from_rotation(sideways @ rotation_from_angles(np.radians(about))))
    assert np.abs(np.diff(measured[:, 1])).max() > 100.0
    found = smoothed(measured, times)
    assert change(found) <= 0.3 * change(measured)


def test_the_first_measurement_is_given_as_it_is():
    angles = np.array([100.0, -5.0, 3.0])
    np.testing.assert_array_equal(RotationSmoother().filter(angles, 7.5), angles)


def test_a_face_that_never_moves_is_left_alone():
    angles = np.array([33.0, -12.0, 8.0])
    found = smoothed([angles] * 100, np.arange(100) / RATE)
    np.testing.assert_allclose(found, [angles] * 100, atol=1e-9)


def test_a_missing_measurement_is_given_back_and_changes_nothing():
    times = np.arange(4) / RATE
    angles = np.array([[0.0, 0, 0], [np.nan, 0, 0], [6.0, 0, 0], [9.0, 0, 0]])
    found = smoothed(angles, times)
    assert np.isnan(found[1, 0])
    np.testing.assert_allclose(found[[0, 2, 3]], smoothed(angles[[0, 2, 3]], times[[0, 2, 3]]))


def test_a_second_measurement_of_one_moment_changes_nothing():
    smoother, other = RotationSmoother(), RotationSmoother()
    for one in (smoother, other):
        one.filter([0.0, 0.0, 0.0], 0.0)
        last = one.filter([3.0, 0.0, 0.0], 0.1)
    np.testing.assert_array_equal(smoother.filter([50.0, 0.0, 0.0], 0.1), last)
    np.testing.assert_array_equal(
        smoother.filter([4.0, 0.0, 0.0], 0.2), other.filter([4.0, 0.0, 0.0], 0.2)
    )


def test_a_video_wound_back_starts_anew():
    smoother = RotationSmoother()
    smoother.filter([0.0, 0.0, 0.0], 5.0)
    smoother.filter([1.0, 0.0, 0.0], 5.1)
    again = np.array([-40.0, 10.0, 0.0])
    np.testing.assert_array_equal(smoother.filter(again, 0.0), again)


def test_after_a_reset_the_next_measurement_is_the_first():
    smoother = RotationSmoother()
    smoother.filter([0.0, 0.0, 0.0], 0.0)
    smoother.reset()
    np.testing.assert_array_equal(smoother.filter([30.0, 0.0, 0.0], 0.1), [30.0, 0.0, 0.0])


def test_frames_that_were_dropped_cost_no_more_lag():
    """A third of the frames is missing, the steps between the rest vary: the lag stays."""
    times = np.arange(300) / RATE
    kept = np.random.default_rng(6).random(len(times)) > 1 / 3
    times = times[kept]
    yaw = TURN * times
    found = smoothed(turned(yaw), times)
    lag = distance(found, turned(yaw))[times > 1.0] / TURN
    assert lag.mean() < 0.060


def test_after_a_long_gap_the_measurement_counts_almost_alone():
    smoother = RotationSmoother()
    smoother.filter([0.0, 0.0, 0.0], 0.0)
    found = smoother.filter([60.0, 0.0, 0.0], 10.0)
    alpha = 1.0 / (1.0 + 1.0 / (2 * np.pi * 0.5 * 10.0))
    assert found[0] >= 60.0 * alpha


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("minimum_cutoff", {"minimum_cutoff": 0.0}),
        ("derivative_cutoff", {"derivative_cutoff": float("nan")}),
        ("beta", {"beta": -0.1}),
    ],
)
def test_a_setting_that_cannot_filter_is_named(name, settings):
    with pytest.raises(RankPoseError, match=f"^{name}: expected"):
        RotationSmoother(**settings)


def test_what_is_not_a_pose_or_a_time_is_named():
    with pytest.raises(RankPoseError, match="angles: expected .* received \\(2,\\)"):
        RotationSmoother().filter([1.0, 2.0], 0.0)
    with pytest.raises(RankPoseError, match="time: expected seconds, received nan"):
        RotationSmoother().filter([1.0, 2.0, 3.0], float("nan"))


def test_two_steps_of_a_turn_are_those_of_the_equations_by_hand():
    """About one axis rotations are numbers, and the filter is the paper's on these."""
    seconds, minimum, beta, derivative = 0.1, 0.5, 0.04, 1.0
    measured = [10.0, 16.0, 13.0]
    found = smoothed([[angle, 0.0, 0.0] for angle in measured], [0.0, seconds, 2 * seconds])

    def alpha(cutoff):
        return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))

    first_speed = alpha(derivative) * (16.0 - 10.0) / seconds
    first = 10.0 + alpha(minimum + beta * first_speed) * (16.0 - 10.0)
    speed = first_speed + alpha(derivative) * ((13.0 - 16.0) / seconds - first_speed)
    second = first + alpha(minimum + beta * abs(speed)) * (13.0 - first)
    np.testing.assert_allclose(found[:, 0], [10.0, first, second], atol=1e-12)
    np.testing.assert_allclose(found[:, 1:], 0.0, atol=1e-12)
