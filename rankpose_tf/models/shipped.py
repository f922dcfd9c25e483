"""The trained compact model that comes with the package.

`rankpose_tf/weights/` holds it with its checksum; `flags/compact.cfg` is how it was trained, and
`docs/results/` what the run reported. Its training pictures are for non-commercial research, and so
is the model.
"""

import hashlib
import pathlib

from rankpose_tf.core.errors import RankPoseError

FILE = pathlib.Path(__file__).parents[1] / "weights" / "compact.keras"


def path():
    """Path of the model's file, whole and unchanged.

    Raises:
      RankPoseError: if the file is absent or is not the one that was shipped.
    """
    checksum = FILE.with_name(f"{FILE.name}.sha256")
    try:
        content, expected = FILE.read_bytes(), checksum.read_text(encoding="ascii").split()[0]
    except (OSError, IndexError) as error:
        raise RankPoseError(
            f"model: this installation of rankpose_tf lacks its trained model ({error}); install "
            "it again, or pass the path of a model"
        ) from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise RankPoseError(
            f"model: {str(FILE)!r} is damaged or was changed, its checksum is another; install "
            "rankpose_tf again, or pass the path of a model"
        )
    return FILE
