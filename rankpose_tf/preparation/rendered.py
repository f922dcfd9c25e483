"""Heads that are rendered here: a set without a source, for smoke runs and tests."""

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import views

OPTIONS = {"synthetic_identities": 600, "seed": 0}

_VIEWS = 5
_SIZE = 96


def claims(source, names):
    """No file is of this set."""
    del source, names
    return False


def read_options(given):
    """Count of the heads and seed, and both in words."""
    count, seed = given["synthetic_identities"], given["seed"]
    if count < 1:
        raise RankPoseError(f"synthetic_identities: expected a number from 1, received {count}")
    return (count, seed), f"{count} heads, seed {seed}"


def list_identities(source, names, options):
    """Heads by their number. See `readers.Reader`."""
    del source, names
    count, seed = options
    return views.Listing([_identity(index, seed) for index in range(count)], [], {})


def _identity(index, seed):
    name = f"head_{seed}_{index:06d}"
    listed = (views.ListedView("", f"{name}_{v}.jpg", (index, v, seed)) for v in range(_VIEWS))
    return views.ListedIdentity(name, name, tuple(listed))


def read_view(source, listed):
    """Renders one view. See `readers.Reader`."""
    del source
    # OpenCV, too, is loaded only where something is rendered.
    from rankpose_tf.data import synthetic

    index, number, seed = listed.label
    return synthetic.view(index, number, seed, _SIZE)


def describe(source, identities, options):
    """The set, and the points that its boxes are drawn around."""
    del source, identities, options
    return views.Description("synthetic", "landmarks", 2)
