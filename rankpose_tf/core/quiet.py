"""Keeps what libraries log out of a terminal, and shows it where a command breaks.

TensorFlow, LiteRT and the converters write from C++ to file descriptor 2, some lines before any
log level is read. So the descriptor itself goes to a file while a command runs, and Python's own
standard error, with the bars and messages of this package, to where the descriptor went before.
"""

import contextlib
import faulthandler
import logging as python_logging
import os
import shutil
import sys
import tempfile
import warnings

from absl import logging

from rankpose_tf.core.errors import RankPoseError

# Libraries that log through Python.
_LOGGERS = ("tensorflow", "tf2onnx", "openvino", "jax", "h5py")
# One that logs through the logger of all.
_AT_THE_ROOT = "apache_beam"


@contextlib.contextmanager
def libraries(is_quiet):
    """While the block runs, libraries log to a file; it is shown if the block breaks.

    A message for the user is not a break: RankPoseError, a wanted exit, Ctrl-C. Warnings of this
    package lose their time and line and are shown.

    Args:
      is_quiet: False leaves everything as it is.
    """
    if not (is_quiet and _has_descriptor_2(sys.stderr)):
        yield
        return
    with tempfile.TemporaryFile() as kept:
        try:
            with _standard_error_beside(kept.fileno()), _python_quiet():
                yield
        except Exception as error:
            if not isinstance(error, RankPoseError):
                kept.seek(0)
                sys.stderr.flush()
                shutil.copyfileobj(kept, sys.stderr.buffer)
            raise


def _has_descriptor_2(stream):
    try:
        return stream.fileno() == 2
    except (AttributeError, OSError, ValueError):
        return False


@contextlib.contextmanager
def _standard_error_beside(descriptor):
    """Descriptor 2 is `descriptor`; sys.stderr writes to where 2 went before."""
    before = sys.stderr
    before.flush()
    terminal = os.dup(2)
    stream = open(terminal, "w", buffering=1, encoding=before.encoding, errors="backslashreplace")
    handler = logging.get_absl_handler().python_handler
    os.dup2(descriptor, 2)
    sys.stderr, logged = stream, handler.setStream(stream)
    if faulthandler.is_enabled():
        faulthandler.enable(file=stream)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        sys.stderr = before
        if logged:
            handler.setStream(logged)
        if faulthandler.is_enabled():
            faulthandler.enable(file=before)
        stream.close()


@contextlib.contextmanager
def _python_quiet():
    """Python's loggers and warnings of libraries are silent, our warnings one plain line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name in _LOGGERS:
        python_logging.getLogger(name).setLevel(python_logging.ERROR)
    handler = logging.get_absl_handler()
    formatter = handler.python_handler.formatter
    handler.setFormatter(_OneLine())
    handler.addFilter(_is_told)
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        try:
            yield
        finally:
            handler.removeFilter(_is_told)
            handler.setFormatter(formatter)


def _is_told(record):
    """Whether a record is for the user: all but what `_AT_THE_ROOT` says below an error."""
    return (
        record.levelno >= python_logging.ERROR or f"{_AT_THE_ROOT}{os.sep}" not in record.pathname
    )


class _OneLine(python_logging.Formatter):
    def format(self, record):
        return f"{record.levelname.lower()}: {record.getMessage()}"
