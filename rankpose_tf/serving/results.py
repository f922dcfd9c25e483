"""What the clients of TF Serving return and raise."""

import contextlib
import dataclasses

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ExpectedError

_WHAT_TO_DO = {
    "DEADLINE_EXCEEDED": "pass a longer deadline= or fewer pictures a request",
    "NOT_FOUND": "check model= against the names in the server's models.config",
    "UNAVAILABLE": "start the server, check the address, or ask less at once",
}

# What reading a proxy's or another server's answer may raise.
_OF_FORM = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class ServingError(RankPoseError):
    """A request that the server refused or never answered.

    Attributes:
      status: the status' name, as in gRPC: "UNAVAILABLE", "INVALID_ARGUMENT", ...
      message: what the server, or the connection to it, said.
      address: of the server.
    """

    def __init__(self, status: str, message: str, address: str):
        advice = f"; {_WHAT_TO_DO[status]}" if status in _WHAT_TO_DO else ""
        super().__init__(f"server {address}: {status}: {message}{advice}")
        self.status = status
        self.message = message
        self.address = address


@contextlib.contextmanager
def understood(address):
    """While the block reads an answer, one of another form is a ServingError.

    Args:
      address: of the server.
    """
    try:
        yield
    except RankPoseError:
        raise
    except _OF_FORM as error:
        reason = f"{type(error).__name__}: {error}"
        message = f"the answer has another form than TF Serving's ({reason})"
        raise ServingError("DATA_LOSS", message, address) from error


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
