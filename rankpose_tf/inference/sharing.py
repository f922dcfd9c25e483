"""Functions that are shared: by threads, with copies and unpickled twins, by forked processes."""

import collections
import contextlib
import ctypes
import functools
import os
import weakref

from rankpose_tf.core.errors import RankPoseError


class Predictor:
    """A function that is opened from a file, and again where it is unpickled.

    A deep copy is the same function: it has nothing that a call changes.
    """

    def __init__(self, open_file, *arguments):
        """Opens it.

        Args:
          open_file: function of the arguments -> function of pictures; it has a name, which is
            what is pickled.
          *arguments: what it needs, such as an absolute path.
        """
        self._source = (open_file, *arguments)
        self._run = open_file(*arguments)

    def __call__(self, pictures):
        """(N, S, S, 3) uint8 RGB -> (N, 3) degrees; yaw, pitch, roll."""
        return self._run(pictures)

    def __reduce__(self):
        return Predictor, self._source

    def __deepcopy__(self, memo):
        return self


class Pool:
    """As many of what serves one call at a time as there are calls side by side.

    What a call gives back the next one takes, from whichever thread. A forked process begins with
    an empty pool: an interpreter's threads are not copied, and it would wait for them for ever.
    There is no lock, which a fork could copy while it is held: a deque's own `pop` and `append`
    are whole or not at all.
    """

    def __init__(self, make):
        """A pool that is empty until the first call.

        Args:
          make: function without arguments that makes one.
        """
        self._make, self._idle = make, collections.deque()
        _pools.add(self)
        _watch_forks()

    @contextlib.contextmanager
    def one(self):
        """Yields one that nobody else uses meanwhile."""
        try:
            taken = self._idle.pop()
        except IndexError:
            taken = self._make()
        # One whose call failed is not given back: nobody knows its state.
        yield taken
        self._idle.append(taken)

    def begin_anew(self):
        """Leaves what is idle, unfreed: to free it, too, would be to wait for its threads."""
        for item in self._idle:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(item))
        self._idle = collections.deque()


_pools = weakref.WeakSet()


@functools.cache
def _watch_forks():
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: [pool.begin_anew() for pool in _pools])


def of_this_process(predict):
    """The function, refused in a forked process, where TensorFlow would wait for ever."""
    process = [os.getpid()]

    def checked(pictures):
        require_process(process)
        return predict(pictures)

    return checked


def require_process(process):
    """Refuses to go on in a process that was forked from one in which TensorFlow ran.

    Args:
      process: list of the number of the process in which it ran; empty where it did not.

    Raises:
      RankPoseError: if that is another one.
    """
    if process and process[0] != os.getpid():
        raise RankPoseError(
            "model: TensorFlow ran before this process was forked, and its threads were not "
            "copied, so it would wait for ever here; load a .tflite file, which runs in forked "
            "processes, or start processes with multiprocessing.get_context('spawn')"
        )
