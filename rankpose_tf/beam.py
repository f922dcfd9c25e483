"""Poses in a pipeline of Apache Beam; pip install "rankpose_tf[beam]" (docs/scoring.md).

    from rankpose_tf.beam import Poses
    poses, failed = pictures | Poses(crops=True)
"""

from rankpose_tf.prediction.beam_poses import Poses

__all__ = ["Poses"]
