"""RankPose: head pose from one picture (Keras)."""

__version__ = "0.1.0"
