"""What the clients of TF Serving return and raise."""

import dataclasses

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ExpectedError

_WHAT_TO_DO = {
    "DEADLINE_EXCEEDED": "pass a longer deadline= or fewer pictures a request",
    "NOT_FOUND": "check model= against the names in the server's models.config",
    "UNAVAILABLE": "start the server, check the address, or ask less at once",
}


class ServingError(RankPoseError):
    """A request that the server refused or never answered.

    Attributes:
      status: the status' name, as in gRPC: "UNAVAILABLE", "INVALID_ARGUMENT", ...
      message: what the server, or the connection to it, said.
      address: of the server.
    """

    def __init__(self, status, message, address):
        advice = f"; {_WHAT_TO_DO[status]}" if status in _WHAT_TO_DO else ""
        super().__init__(f"server {address}: {status}: {message}{advice}")
        self.status = status
        self.message = message
        self.address = address


@dataclasses.dataclass(frozen=True)
class ServedPose:
    """One answer: degrees, or NaN and not valid where the picture could not be predicted on.

    Attributes:
      error: by how much each angle may be off, degrees; None of a model that does not tell.
    """

    yaw: float
    pitch: float
    roll: float
    valid: bool
    error: ExpectedError | None = None


@dataclasses.dataclass(frozen=True)
class ModelVersion:
    """State of one version: START, LOADING, AVAILABLE, UNLOADING or END; and why it ended."""

    version: int
    state: str
    message: str


@dataclasses.dataclass(frozen=True)
class TensorSpecification:
    """Type as TF Serving names it, such as DT_STRING, and shape; -1 is any size."""

    dtype: str
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a signature by name."""

    inputs: dict[str, TensorSpecification]
    outputs: dict[str, TensorSpecification]
