"""Makes the package's layers known to Keras as soon as there is a Keras, and not before.

A .keras file names its layers "rankpose_tf>NormalizedDense", and Keras looks such a name up among
those that were registered; it imports no module by itself. To register them at once, the package
would have to import TensorFlow, some seconds, in programs that never use it. So it waits for the
import of keras, which brings TensorFlow along anyway: then the layers cost milliseconds.
"""

import importlib
import sys

# Modules that register with Keras; named here and not imported, so that this room stays the ground.
_MODULES = ("rankpose_tf.models.layers", "rankpose_tf.training.losses")


def register_when_imported():
    """Registers at once where keras is imported already, else behind its import."""
    if "keras" in sys.modules:
        _register()
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _register():
    # With another backend Keras runs without TensorFlow, and our layers don't.
    if sys.modules["keras"].config.backend() == "tensorflow":
        for name in _MODULES:
            importlib.import_module(name)


class _Finder:
    """Finds keras as the other finders do, and registers when it has been executed."""

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec), None)
        if spec and spec.loader:
            self._follow(spec.loader)
        return spec

    def _follow(self, loader):
        execute = loader.exec_module

        def execute_and_register(module):
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                _register()

        # Of this loader alone: keras keeps the loader that it would have.
        loader.exec_module = execute_and_register
