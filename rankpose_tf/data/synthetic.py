"""Rendered heads with exact poses: the embedded source, for smoke runs and tests.

A head is a few ellipsoids with painted features, seen without perspective. An identity draws
shape, skin, hair, light and background; its views differ in pose alone, as in 300W-LP. It says
nothing about real faces; its labels are exact under the convention of `rankpose_tf.core.pose`.
"""

import dataclasses

import cv2
import numpy as np

from rankpose_tf.core.pose import rotation_from_angles
from rankpose_tf.data.records import Identity, View

_SKIN = np.float32([[255, 219, 190], [236, 188, 150], [198, 140, 98], [141, 88, 56], [88, 54, 38]])
_HAIR = np.float32([[30, 24, 20], [80, 52, 30], [150, 105, 60], [205, 175, 120], [150, 150, 150]])
# Largest turn that is rendered, degrees: yaw, pitch, roll.
_RANGE = np.radians([75.0, 45.0, 40.0])
_JPEG_QUALITY = 92

# Directions on the unit sphere of what 68 landmarks mark: jaw from ear to ear, brows, eyes,
# nose, mouth. z is towards the face.
_JAW = [
    (np.sin(a), -0.15 - 0.75 * np.cos(a) ** 2, 0.45 * np.cos(a) ** 2)
    for a in np.linspace(-np.pi / 2, np.pi / 2, 17)
]
_FRONT = [(x, y, 0.85) for x in (-0.5, -0.2, 0.2, 0.5) for y in (0.18, 0.35)]
_FRONT += [(x, -0.5, 0.85) for x in (-0.28, 0.0, 0.28)]
_LANDMARKS = np.float32(_JAW + _FRONT)
_LANDMARKS /= np.linalg.norm(_LANDMARKS, axis=1, keepdims=True)


@dataclasses.dataclass(frozen=True)
class _Head:
    """What an identity's seed decides. Lengths in half head heights, colours RGB 0..255."""

    radii: np.ndarray
    nose: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    hairline: float
    eyes: tuple
    light: np.ndarray
    ambient: float
    background: np.ndarray
    size: float


def _draw_head(generator):
    skin = _SKIN[generator.integers(len(_SKIN))] * generator.uniform(0.85, 1.05)
    light = generator.normal(size=3) * (0.7, 0.5, 0.2) + (0.0, 0.3, 1.0)
    return _Head(
        radii=generator.uniform((0.68, 0.97, 0.82), (0.82, 1.03, 0.95)),
        nose=generator.uniform((0.09, 0.16, 0.17), (0.14, 0.24, 0.27)),
        skin=skin,
        hair=_HAIR[generator.integers(len(_HAIR))] * generator.uniform(0.7, 1.1),
        iris=generator.uniform((10, 20, 10), (90, 100, 110)),
        lips=skin * (0.85, 0.55, 0.55),
        hairline=generator.uniform(0.48, 0.66),
        eyes=(generator.uniform(0.32, 0.4), generator.uniform(0.12, 0.2)),
        light=light / np.linalg.norm(light),
        ambient=generator.uniform(0.3, 0.55),
        background=generator.uniform(0, 255, (4, 4, 3)),
        size=generator.uniform(0.29, 0.33),
    )


def _parts(head):
    """Ellipsoids of a head: centre and radii in its own axes, and what paints it."""
    x, _, z = head.radii
    nose = (0.0, -0.12, 0.93 * z)
    return [
        ((0, 0, 0), head.radii, _paint_face),
        ((0, 0.06, -0.06), head.radii * 1.1, _paint_hair),
        (nose, head.nose, _paint_skin),
        ((x, -0.02, -0.05), (0.07, 0.2, 0.13), _paint_skin),
        ((-x, -0.02, -0.05), (0.07, 0.2, 0.13), _paint_skin),
        ((0, -1.15, -0.25), (0.42, 0.75, 0.42), _paint_skin),
    ]


def _paint_skin(head, unit):
    return np.broadcast_to(head.skin.astype(np.float32), unit.shape), np.ones(len(unit), bool)


def _paint_hair(head, unit):
    """A cap: above the hairline in front, down to the neck behind."""
    x, y, z = unit.T
    covered = (y > head.hairline + 0.15 * x**2) | ((z < -0.15) & (y > -0.45))
    strands = 0.85 + 0.15 * np.sin(40 * x + 9 * z)
    return (head.hair * strands[:, None]).astype(np.float32), covered


def _paint_face(head, unit):
    """Skin with eyes, brows and a mouth, painted by direction from the head's centre."""
    x, y, z = unit.T
    colour = np.tile(head.skin.astype(np.float32), (len(unit), 1))
    front, side = z > 0.2, np.abs(x) - head.eyes[0]
    height = y - head.eyes[1]
    colour[front & ((side / 0.15) ** 2 + (height / 0.075) ** 2 < 1)] = (240, 240, 235)
    colour[front & (side**2 + height**2 < 0.062**2)] = head.iris
    colour[front & (np.abs(height - 0.19 + side**2) < 0.035) & (np.abs(side) < 0.18)] = head.hair
    colour[front & ((x / 0.27) ** 2 + ((y + 0.5) / 0.085) ** 2 < 1)] = head.lips
    return colour, np.ones(len(unit), bool)


def render(identity_seed, pose, size=96):
    """One picture of one head.

    Args:
      identity_seed: integer or sequence of integers; the same seed is the same head, light and
        background.
      pose: (3,) radians; yaw, pitch, roll.
      size: side of the picture, pixels.

    Returns:
      (size, size, 3) uint8 RGB, and the (4,) float32 box left, top, right, bottom of the face's
      landmarks, pixels.
    """
    head = _draw_head(np.random.default_rng(identity_seed))
    return _render(head, np.asarray(pose, np.float64), size)


def _render(head, pose, size):
    rotation = rotation_from_angles(pose).astype(np.float32)
    scale = head.size * size
    steps = (np.arange(size, dtype=np.float32) + 0.5 - size / 2) / scale
    picture = cv2.resize(head.background.astype(np.float32), (size, size))
    depth = np.full((size, size), -np.inf, np.float32)
    light = rotation.T @ head.light.astype(np.float32)
    for centre, radii, paint in _parts(head):
        radii = np.float32(radii)
        window = _window(steps, rotation, centre, radii)
        x, y = steps[window[1]], -steps[window[0]]
        plane = y[:, None, None] * rotation[1] + x[:, None] * rotation[0]
        origin = ((plane - np.float32(centre)) / radii).reshape(-1, 3)
        shown = picture[window].reshape(-1, 3), depth[window].ravel()
        _draw_part(head, *shown, origin, rotation[2] / radii, radii, paint, light)
        picture[window], depth[window] = (
            part.reshape(picture[window].shape[:2] + part.shape[1:]) for part in shown
        )
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    marks = (_LANDMARKS * head.radii) @ rotation.T
    marks = size / 2 + scale * marks[:, :2] * (1, -1)
    return picture, np.concatenate([marks.min(0), marks.max(0)]).astype(np.float32)


def _window(steps, rotation, centre, radii):
    """Rows and columns of the pixels that can hit an ellipsoid, as two slices.

    Seen along z, an ellipsoid reaches sqrt(sum_k (R_dk radius_k)^2) from its centre along axis d.
    """
    middle = (rotation @ np.float32(centre))[:2] * (1, -1)
    reach = np.linalg.norm(rotation[:2] * radii, axis=1)
    first, last = np.searchsorted(steps, middle - reach), np.searchsorted(steps, middle + reach)
    return slice(first[1], last[1]), slice(first[0], last[0])


def _draw_part(head, picture, depth, origin, direction, radii, paint, light):
    """Intersects rays with one ellipsoid and paints, in place, where it is the nearest.

    A ray is origin + t * direction in the axes in which the ellipsoid is the unit sphere; the
    greater root of |origin + t direction| = 1 is its near side. Where that is not covered, as
    the forehead is not by hair, the far side is seen through it.

    Args:
      head: `_Head`.
      picture: (N, 3) float32 RGB, changed.
      depth: (N,) float32 of what is painted so far, greater is nearer; changed.
      origin: (N, 3) float32.
      direction: (3,) float32.
      radii: (3,) float32.
      paint: function of head and (M, 3) points of the sphere: colours, and which are covered.
      light: (3,) float32 towards the light, in the head's axes.
    """
    along, squared = origin @ direction, direction @ direction
    root = along**2 - squared * (np.einsum("ij,ij->i", origin, origin) - 1)
    inside = np.flatnonzero(root > 0)
    for side in (1, -1):
        distance = (side * np.sqrt(root[inside]) - along[inside]) / squared
        nearer = distance > depth[inside]
        hit, distance = inside[nearer], distance[nearer]
        unit = origin[hit] + distance[:, None] * direction
        colour, covered = paint(head, unit)
        hit, unit = hit[covered], unit[covered]
        # The far side is seen from within, so its normal points inwards.
        normal = side * unit / radii
        normal /= np.sqrt(np.einsum("ij,ij->i", normal, normal))[:, None]
        shade = head.ambient + (1 - head.ambient) * np.maximum(normal @ light, 0)
        picture[hit] = colour[covered] * shade[:, None]
        depth[hit] = distance[covered]
        if covered.all():
            return


def view(index, number, seed=0, size=96):
    """One view of one head, a function of the arguments alone.

    Args:
      index: which head.
      number: which of its views.
      seed: of the whole set.
      size: side of the picture, pixels.

    Returns:
      `records.View`, a JPEG; yaw within +-75 degrees, pitch +-45, roll +-40.
    """
    generator = np.random.default_rng([seed, index])
    head = _draw_head(generator)
    pose = generator.uniform(-_RANGE, _RANGE, (number + 1, 3))[number].astype(np.float32)
    picture, box = _render(head, pose, size)
    bgr = np.ascontiguousarray(picture[..., ::-1])
    _, jpeg = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
    return View(f"{_name(index, seed)}_{number}.jpg", jpeg.tobytes(), pose, box)


def _name(index, seed):
    return f"head_{seed}_{index:06d}"


def identity(index, views=5, seed=0, size=96):
    """The first `views` views of one head; see `view`.

    Returns:
      `records.Identity`.
    """
    name = _name(index, seed)
    return Identity(name, name, tuple(view(index, n, seed, size) for n in range(views)))


def identities(count, views=5, seed=0, size=96):
    """The first `count` heads of a set, one at a time; see `identity`."""
    for index in range(count):
        yield identity(index, views, seed, size)
