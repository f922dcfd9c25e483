"""From a detector's box to the box that the model was trained with.

The model was trained on squares around the tight box of 68 landmarks, and every detector draws its
boxes in another way. So one rule turns a detector's box into a landmark box: with centre c and
longer side s of the detector's box, and its points p_k (eyes, nose, ...) as q_k = (p_k - c) / s,

    (dx, dy, f) = (q_1x, q_1y, ..., q_Kx, q_Ky, 1) W          W: (2K + 1, 3), `Rule`
    centre of the landmark box = c + s (dx, dy),   its sides = s f

and the result is a square, because the crop depends on the centre and the longer side only. W is
fitted on training pictures by `python -m rankpose_tf.study detector_fit`; docs/detection.md says
what the rule costs against true landmark boxes. A rule without points is one row: shift and factor.
"""

from typing import NamedTuple

import numpy as np

from rankpose_tf.core import upright

# The rule is fitted on faces; on something else its points may lie anywhere.
_SHIFT_LIMIT = 0.3
_FACTOR_LIMITS = (0.6, 1.6)


class Rule(NamedTuple):
    """From a detector's box and points to the landmark box; see the module's docstring.

    Attributes:
      weights: (2K + 1, 3) rows of numbers; rows q_1x, q_1y, ..., 1, columns dx, dy, f.
    """

    weights: tuple


BLAZEFACE_RULE = Rule(
    (
        (-0.0336, 0.6283, 0.7269),
        (0.1893, -0.6510, 1.9592),
        (-0.0336, -0.6283, -0.7269),
        (-0.1893, -0.6510, 1.9592),
        (0.6684, 0.0, 0.0),
        (0.0, 1.1611, -2.5130),
        (-0.9185, 0.0, 0.0),
        (0.0, -0.0193, 0.5539),
        (-0.1369, -0.3579, -0.5877),
        (0.0870, 0.2795, -0.2856),
        (-0.1369, 0.3579, 0.5877),
        (-0.0870, 0.2795, -0.2856),
        (0.0, -0.2418, 1.4654),
    )
)
MTCNN_RULE = Rule(
    (
        (0.3949, -0.0321, -0.0963),
        (0.4382, 0.1319, -0.2117),
        (0.3949, 0.0321, 0.0963),
        (-0.4382, 0.1319, -0.2117),
        (-0.7420, 0.0, 0.0),
        (0.0, 0.1217, 0.0636),
        (0.1638, -0.0487, -0.2888),
        (-0.4209, 0.1589, 0.2189),
        (0.1638, 0.0487, 0.2888),
        (0.4209, 0.1589, 0.2189),
        (0.0, 0.0325, 0.5324),
    )
)


def landmark_box(box, points, rule, turn=0.0):
    """The rule of the module's docstring, with the face upright.

    Args:
      box: (4,) left, top, right, bottom, of the detector; pixels, with an extent.
      points: (K, 2) x, y of the detector, pixels.
      rule: `Rule` for K points.
      turn: of the face, degrees.

    Returns:
      (4,) float64 left, top, right, bottom of a square, pixels. Shifts are kept within 0.3 and
      the factor within 0.6 to 1.6, whatever the points are.
    """
    features, centre, side = relative(box, points)
    turned = upright.rotation(turn)
    features[:-1] = (features[:-1].reshape(-1, 2) @ turned).reshape(-1)
    *shift, factor = features @ np.asarray(rule.weights)
    centre = centre + side * turned @ np.clip(shift, -_SHIFT_LIMIT, _SHIFT_LIMIT)
    half = 0.5 * side * np.clip(factor, *_FACTOR_LIMITS)
    return np.concatenate([centre - half, centre + half])


def relative(box, points):
    """What the rule looks at.

    Args:
      box: (4,) left, top, right, bottom, pixels.
      points: (K, 2) x, y, pixels.

    Returns:
      features (2K + 1,): q_1x, q_1y, ..., 1; centre (2,) and longer side of the box, pixels.
    """
    box = np.asarray(box, np.float64)
    centre, side = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max()
    offsets = (np.asarray(points, np.float64).reshape(-1, 2) - centre) / side
    return np.append(offsets.reshape(-1), 1.0), centre, side
