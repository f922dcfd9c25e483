"""Server-side batching as TF Serving's --enable_batching does it, over any session.

From tensorflow_serving/batching/batching_session.cc and session_bundle_config.proto: requests to
one signature wait in a queue; a batch goes to a thread when it is full or its first request has
waited long enough; it is padded with the first row of its last request up to the next allowed
size.
"""

import collections
import concurrent.futures
import dataclasses
import threading
import time

import numpy as np
from google.protobuf import descriptor_pool, message_factory, text_format

from rankpose_tf.serving import messages
from tests.support.session_loader import Failed

_INVALID_ARGUMENT, _FAILED_PRECONDITION, _UNAVAILABLE = 3, 9, 14
# tensorflow_serving/servables/tensorflow/session_bundle_config.proto and
# tensorflow_serving/config/monitoring_config.proto, which tensorflow-serving-api leaves out.
_PROTOS = {
    "BatchingParameters": {
        "max_batch_size": (1, ".google.protobuf.Int64Value"),
        "batch_timeout_micros": (2, ".google.protobuf.Int64Value"),
        "max_enqueued_batches": (3, ".google.protobuf.Int64Value"),
        "num_batch_threads": (4, ".google.protobuf.Int64Value"),
        "thread_pool_name": (5, ".google.protobuf.StringValue"),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
}


def parse_text(name, text):
    """A message of one of the protos above from its text form, as strictly as the server."""
    from google.protobuf import any_pb2, wrappers_pb2

    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, wrappers_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.Add(messages.file_descriptor("tensorflow", {}))
    pool.Add(messages.file_descriptor("tensorflow.serving", _PROTOS))
    descriptor = pool.FindMessageTypeByName(f"tensorflow.serving.{name}")
    return text_format.Parse(text, message_factory.GetMessageClass(descriptor)())


@dataclasses.dataclass(frozen=True)
class Parameters:
    """BatchingParameters, checked as the server checks them at start."""

    max_batch_size: int
    batch_timeout_micros: int
    max_enqueued_batches: int
    num_batch_threads: int
    allowed_batch_sizes: tuple

    def __post_init__(self):
        sizes = self.allowed_batch_sizes
        if sizes and sizes[-1] != self.max_batch_size:
            raise ValueError("Last entry in allowed_batch_sizes must match max_batch_size")
        if list(sizes) != sorted(set(sizes)):
            raise ValueError("allowed_batch_sizes entries must be in increasing order")
        if self.num_batch_threads < 1 or self.max_batch_size < 1:
            raise ValueError("num_batch_threads and max_batch_size must be positive")


def read_parameters(path):
    """`Parameters` of a file for --batching_parameters_file."""
    message = parse_text("BatchingParameters", path.read_text())
    names = [field.name for field in dataclasses.fields(Parameters)][:-1]
    numbers = {name: getattr(message, name).value for name in names}
    return Parameters(**numbers, allowed_batch_sizes=tuple(message.allowed_batch_sizes))


@dataclasses.dataclass(eq=False)
class _Task:
    inputs: dict
    size: int
    arrived: float
    done: concurrent.futures.Future


class BatchingSession:
    """A session whose `run` calls are joined into larger ones.

    Attributes:
      signatures: of the session within.
      sizes: the size of each batch that was run, padding included.
    """

    def __init__(self, session, parameters):
        self.signatures = session.signatures
        self.sizes = []
        self._session = session
        self._parameters = parameters
        self._queues = collections.defaultdict(collections.deque)
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, signature, inputs):
        size = len(next(iter(inputs.values())))
        largest = self._parameters.max_batch_size
        if size > largest:
            raise Failed(
                _INVALID_ARGUMENT,
                f"Task size {size} is larger than maximum input batch size {largest}",
            )
        task = _Task(inputs, size, time.monotonic(), concurrent.futures.Future())
        with self._changed:
            queue = self._queues[signature]
            waiting = sum(other.size for other in queue)
            if waiting + size > largest * self._parameters.max_enqueued_batches:
                raise Failed(
                    _UNAVAILABLE,
                    "The batch scheduling queue to which this task was submitted is full",
                )
            queue.append(task)
            self._changed.notify_all()
        return task.done.result()

    def waiting(self, signature):
        """How many requests to a signature are queued."""
        with self._changed:
            return len(self._queues[signature])

    def close(self):
        """Ends the threads; requests that still wait are refused."""
        with self._changed:
            self._closed = True
            left = [task for queue in self._queues.values() for task in queue]
            self._queues.clear()
            self._changed.notify_all()
        for task in left:
            task.done.set_exception(Failed(_UNAVAILABLE, "the server is stopping"))
        for thread in self._threads:
            thread.join()
        self._session.close()

    def _work(self):
        while True:
            signature, tasks = self._next_batch()
            if not tasks:
                return
            try:
                results = self._run_batch(signature, tasks)
            except Exception as error:
                for task in tasks:
                    task.done.set_exception(error)
            else:
                for task, result in zip(tasks, results, strict=True):
                    task.done.set_result(result)

    def _next_batch(self):
        """Waits for a batch that is due: its signature and tasks; no tasks at the end."""
        timeout = self._parameters.batch_timeout_micros / 1e6
        with self._changed:
            while not self._closed:
                waits = []
                for signature, queue in self._queues.items():
                    if not queue:
                        continue
                    left = queue[0].arrived + timeout - time.monotonic()
                    full = sum(task.size for task in queue) >= self._parameters.max_batch_size
                    if left <= 0 or full:
                        return signature, self._take(queue)
                    waits.append(left)
                self._changed.wait(min(waits, default=None))
        return None, []

    def _take(self, queue):
        tasks, size = [], 0
        while queue and size + queue[0].size <= self._parameters.max_batch_size:
            size += queue[0].size
            tasks.append(queue.popleft())
        return tasks

    def _run_batch(self, signature, tasks):
        size = sum(task.size for task in tasks)
        allowed = self._parameters.allowed_batch_sizes or (size,)
        padding = next(one for one in allowed if one >= size) - size
        merged = {}
        for name in tasks[0].inputs:
            parts = [task.inputs[name] for task in tasks]
            if len({part.shape[1:] for part in parts}) > 1:
                raise Failed(
                    _FAILED_PRECONDITION,
                    f"Tensors with name '{name}' from different tasks have different shapes and "
                    "padding is turned off.",
                )
            merged[name] = np.concatenate([*parts, *[parts[-1][:1]] * padding])
        self.sizes.append(size + padding)
        outputs = self._session.run(signature, merged)
        ends = np.cumsum([task.size for task in tasks])
        split = {name: np.split(value, ends)[:-1] for name, value in outputs.items()}
        return [
            {name: parts[index] for name, parts in split.items()} for index in range(len(tasks))
        ]
