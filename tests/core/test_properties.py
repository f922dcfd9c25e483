"""What holds of every rotation and every pair, over grids and drawn angles; degrees to 1e-4."""

import numpy as np
import pytest

from rankpose_tf.core import pose

GENERATOR = np.random.default_rng(0)
# Yaw within 89.9 degrees: at 90, gimbal lock, pitch and roll are one.
DRAWN = np.radians(GENERATOR.uniform((-89.9, -180, -180), (89.9, 180, 180), (20_000, 3)))
GRID = np.radians(np.stack(np.meshgrid(*[np.arange(-85, 86, 17.0)] * 3), -1).reshape(-1, 3))


@pytest.mark.parametrize("angles", [DRAWN, GRID], ids=["drawn", "grid"])
def test_angles_come_back_from_the_matrix(angles):
    back = pose.angles_from_rotation(pose.rotation_from_angles(angles))
    turns = np.degrees(back - angles)
    np.testing.assert_allclose((turns + 180) % 360 - 180, 0, atol=1e-4)


def test_the_distance_is_symmetric_zero_on_itself_and_half_a_turn_at_most():
    first, second = np.split(pose.rotation_from_angles(DRAWN), 2)
    there, back = pose.geodesic_distance(first, second), pose.geodesic_distance(second, first)
    np.testing.assert_allclose(there, back, atol=1e-12)
    assert np.degrees(pose.geodesic_distance(first, first)).max() < 1e-4
    assert there.max() <= np.pi + 1e-12


def test_the_flip_rule_is_the_mirrored_rotation():
    mirror = np.diag([-1.0, 1.0, 1.0])
    expected = mirror @ pose.rotation_from_angles(DRAWN) @ mirror
    np.testing.assert_allclose(
        pose.rotation_from_angles(pose.mirror(DRAWN)), expected, atol=1e-12
    )
