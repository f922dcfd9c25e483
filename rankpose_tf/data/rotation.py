"""In-plane rotation of a training view: the label of the head as it is then seen.

Turning the picture by an angle turns the camera about its own z axis, so the head's rotation R
becomes Rz(angle) R: pitch and yaw change with roll, unless the head looks straight into the
camera. A rotation of the picture that only adds its angle to roll labels a turned profile wrongly
by as much as it was rotated.

Poses are yaw, pitch, roll in radians, in pose.py's convention. A positive angle turns the picture
clockwise, as a positive roll does.
"""

import math

from rankpose_tf.core import pose as angles_of_heads

_LIMIT = math.radians(angles_of_heads.LIMIT_DEGREES)


def turn_pose(pose, angle):
    """The angles of Rz(angle) R, where R is the rotation of a pose.

    Plain numbers: for a single pose they take a tenth of what arrays do.

    Args:
      pose: (3,) yaw, pitch, roll.
      angle: radians.

    Returns:
      Yaw, pitch, roll; yaw within +-90 degrees.
    """
    (cy, sy), (cp, sp), (cr, sr) = ((math.cos(value), math.sin(value)) for value in pose)
    cosine, sine = math.cos(angle), math.sin(angle)
    # Row 0 of the turned rotation, then the last entries of its rows 1 and 2.
    slope = sp * sy
    r00 = cosine * cy * cr + sine * (slope * cr - cp * sr)
    r01 = cosine * cy * sr + sine * (slope * sr + cp * cr)
    r02 = sine * sp * cy - cosine * sy
    r12 = sine * sy + cosine * sp * cy
    return math.atan2(-r02, math.hypot(r00, r01)), math.atan2(r12, cp * cy), math.atan2(r01, r00)


def turn(pose, degrees, draw):
    """A turn drawn evenly from +-`degrees`, and the label it gives.

    A view stays as it is where its label would leave the 99 degrees of the protocols, or where
    its yaw is beyond 90: the same rotation has other angles with a yaw under 90, and such a label
    would come back as those.

    Args:
      pose: (3,) yaw, pitch, roll.
      degrees: largest angle, 0..180.
      draw: from 0 up to 1.

    Returns:
      Angle, radians, 0 for a view that stays, and yaw, pitch, roll.
    """
    angle = math.radians(degrees) * (2.0 * draw - 1.0)
    turned = turn_pose(pose, angle)
    if abs(pose[0]) > math.pi / 2 or not all(abs(value) <= _LIMIT for value in turned):
        return 0.0, pose
    return angle, turned
