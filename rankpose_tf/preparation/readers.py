"""The sets that are read, each by a module with the same five functions. A new set is one more."""

from typing import Protocol

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import aflw2000, biwi, manifest, rendered, w300lp


class Reader(Protocol):
    """What a module has to have to be a reader.

    Attributes:
      OPTIONS: dict of its own options of `prepare` -> default.
    """

    OPTIONS: dict

    def claims(source, names):
        """Whether a source is of this set.

        Args:
          source: `sources.Folder`, `sources.Zip` or `sources.NoFiles`.
          names: dict of the names in it -> stamp.
        """

    def read_options(given):
        """Checks and reads options.

        Args:
          given: dict of all of `OPTIONS` -> value.

        Returns:
          What the functions below take as `options`; and a text that differs where a prepared set
          does, empty for the usual.
        """

    def list_identities(source, names, options):
        """Says which views there are; reads tables, no picture. Returns `views.Listing`."""

    def read_view(source, listed):
        """Reads a `views.ListedView`, in any process. Returns `records.View`.

        Raises:
          views.SkippedView: if its picture or label is unusable.
        """

    def describe(source, identities, options):
        """What reports say of the set. Returns `views.Description`."""


READERS = {
    "w300lp": w300lp,
    "aflw2000": aflw2000,
    "biwi": biwi,
    "manifest": manifest,
    "synthetic": rendered,
}
KINDS = ("auto", *READERS)
# Kinds that are made here, without a source.
MADE_HERE = ("synthetic",)
OPTIONS = {name: value for reader in READERS.values() for name, value in reader.OPTIONS.items()}


def own_options(kind, source, given):
    """All options of a kind.

    Args:
      kind: one of `READERS`.
      source: its path, for messages.
      given: dict of some of `OPTIONS` -> value; those of other kinds have to be the default.

    Raises:
      RankPoseError: if an option goes with another kind.
    """
    own = READERS[kind].OPTIONS
    for name, value in given.items():
        # A seed does no harm where nothing is drawn by chance.
        if name not in own and name not in rendered.OPTIONS and value != OPTIONS[name]:
            kinds = " or ".join(k for k, reader in READERS.items() if name in reader.OPTIONS)
            raise RankPoseError(
                f"{name}: goes with the kind {kinds}, and {str(source)!r} is of the kind {kind}; "
                "leave it out"
            )
    return {name: given.get(name, default) for name, default in own.items()}
