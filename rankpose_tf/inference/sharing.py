"""Functions that are shared: by threads, with copies and unpickled twins, by forked processes."""

import collections
import contextlib
import ctypes
import os

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
    an empty pool: threads of an interpreter are not copied, and it would wait for them for ever.
    There is no lock, which a fork could copy while it is held: a deque's own `pop` and `append`
    are whole or not at all.
    """

    def __init__(self, make):
        """A pool that is empty until the first call.

        Args:
          make: function without arguments that makes one.
        """
        self._make = make
        self._process, self._idle = os.getpid(), collections.deque()

    @contextlib.contextmanager
    def one(self):
        """Yields one that nobody else uses meanwhile."""
        if self._process != os.getpid():
            _never_freed(self._idle)
            self._idle = collections.deque()
            self._process = os.getpid()
        idle = self._idle
        try:
            taken = idle.pop()
        except IndexError:
            taken = self._make()
        # One whose call failed is not given back: nobody knows its state.
        yield taken
        idle.append(taken)


def _never_freed(inherited):
    """Keeps what a fork copied from being freed, which would wait for threads that are not here."""
    for item in inherited:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(item))


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
