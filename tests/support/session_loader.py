"""Runs a SavedModel through TensorFlow's C++ loader, as TF Serving does.

Python's own loader rebuilds a SavedModel's objects and so hides faults that make every call fail
in a server. `TF_LoadSessionFromSavedModel` and `TF_SessionRun` of the wheel's own libraries, called
through ctypes, see the graph and its restored variables alone.
"""

import ctypes
import math
import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

_STRING = tf.string.as_datatype_enum
_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_size_t
# sizeof(TF_TString) of tensorflow/core/platform/ctstring_internal.h, on 64 bits.
_STRING_BYTES = 24


class Failed(RuntimeError):
    """A TF_Status that is not OK.

    Attributes:
      code: number of the status, the same as gRPC's.
      message: its text.
    """

    def __init__(self, code, message):
        super().__init__(f"status {code}: {message}")
        self.code = code
        self.message = message


class _Buffer(ctypes.Structure):
    _fields_ = [("data", _POINTER), ("length", _SIZE), ("deallocator", _POINTER)]


class _Output(ctypes.Structure):
    _fields_ = [("operation", _POINTER), ("index", ctypes.c_int)]


_SIGNATURES = {
    "TF_NewStatus": (_POINTER, []),
    "TF_DeleteStatus": (None, [_POINTER]),
    "TF_GetCode": (ctypes.c_int, [_POINTER]),
    "TF_Message": (ctypes.c_char_p, [_POINTER]),
    "TF_NewBuffer": (ctypes.POINTER(_Buffer), []),
    "TF_DeleteBuffer": (None, [ctypes.POINTER(_Buffer)]),
    "TF_NewGraph": (_POINTER, []),
    "TF_DeleteGraph": (None, [_POINTER]),
    "TF_GraphOperationByName": (_POINTER, [_POINTER, ctypes.c_char_p]),
    "TF_NewSessionOptions": (_POINTER, []),
    "TF_DeleteSessionOptions": (None, [_POINTER]),
    "TF_LoadSessionFromSavedModel": (
        _POINTER,
        [_POINTER, _POINTER, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int]
        + [_POINTER, ctypes.POINTER(_Buffer), _POINTER],
    ),
    "TF_CloseSession": (None, [_POINTER, _POINTER]),
    "TF_DeleteSession": (None, [_POINTER, _POINTER]),
    "TF_SessionRun": (
        None,
        [_POINTER, _POINTER]
        + [ctypes.POINTER(_Output), ctypes.POINTER(_POINTER), ctypes.c_int] * 2
        + [ctypes.POINTER(_POINTER), ctypes.c_int, _POINTER, _POINTER],
    ),
    "TF_AllocateTensor": (
        _POINTER,
        [ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_int, _SIZE],
    ),
    "TF_DeleteTensor": (None, [_POINTER]),
    "TF_TensorType": (ctypes.c_int, [_POINTER]),
    "TF_NumDims": (ctypes.c_int, [_POINTER]),
    "TF_Dim": (ctypes.c_int64, [_POINTER, ctypes.c_int]),
    "TF_TensorByteSize": (_SIZE, [_POINTER]),
    "TF_TensorData": (_POINTER, [_POINTER]),
    "TF_StringInit": (None, [_POINTER]),
    "TF_StringCopy": (None, [_POINTER, ctypes.c_char_p, _SIZE]),
    "TF_StringGetDataPointer": (_POINTER, [_POINTER]),
    "TF_StringGetSize": (_SIZE, [_POINTER]),
    "TF_StringDealloc": (None, [_POINTER]),
}


class _Library:
    """The C functions, typed; attributes carry their names."""

    def __init__(self):
        folder = pathlib.Path(tf.__file__).parent
        files = [
            ctypes.CDLL(str(folder / f"libtensorflow_{part}.so.2")) for part in ("cc", "framework")
        ]
        for name, (result, arguments) in _SIGNATURES.items():
            function = next(getattr(file, name) for file in files if hasattr(file, name))
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)


class Session:
    """One loaded SavedModel; `run` may be called from several threads at once.

    Attributes:
      meta_graph: MetaGraphDef that the loader returned.
      signatures: name -> SignatureDef.
    """

    def __init__(self, folder, tags=("serve",)):
        """Loads `folder`, which holds saved_model.pb.

        Raises:
          Failed: if the C++ loader refuses it.
        """
        self._library = _Library()
        self._session = self._graph = None
        self._graph = self._library.TF_NewGraph()
        options = self._library.TF_NewSessionOptions()
        buffer = self._library.TF_NewBuffer()
        names = (ctypes.c_char_p * len(tags))(*(tag.encode() for tag in tags))
        try:
            self._session = self._checked(
                self._library.TF_LoadSessionFromSavedModel,
                *(options, None, str(folder).encode(), names, len(tags), self._graph, buffer),
            )
            content = ctypes.string_at(buffer.contents.data, buffer.contents.length)
        except Failed:
            self.close()
            raise
        finally:
            self._library.TF_DeleteBuffer(buffer)
            self._library.TF_DeleteSessionOptions(options)
        self.meta_graph = meta_graph_pb2.MetaGraphDef.FromString(content)
        self.signatures = dict(self.meta_graph.signature_def)

    def run(self, signature, inputs):
        """Calls one signature.

        Args:
          signature: its name.
          inputs: name -> array; of type object or bytes for strings.

        Returns:
          Name -> array; strings come as arrays of type object.

        Raises:
          KeyError: for an unknown signature or input name.
          Failed: if the call fails.
        """
        definition = self.signatures[signature]
        fed = [definition.inputs[name].name for name in inputs if name in definition.inputs]
        if len(fed) != len(definition.inputs) or len(fed) != len(inputs):
            raise KeyError(f"expected {sorted(definition.inputs)}, received {sorted(inputs)}")
        types = [definition.inputs[name].dtype for name in inputs]
        names = list(definition.outputs)
        fetched = [definition.outputs[name].name for name in names]
        tensors = []
        try:
            for value, kind in zip(inputs.values(), types, strict=True):
                tensors.append(self._tensor(value, kind))
            return dict(zip(names, self._run(fed, tensors, fetched), strict=True))
        finally:
            for tensor in tensors:
                self._delete(tensor)

    def close(self):
        """Frees the session and its graph; more than once does no harm."""
        if self._session:
            self._checked(self._library.TF_CloseSession, self._session)
            self._checked(self._library.TF_DeleteSession, self._session)
        if self._graph:
            self._library.TF_DeleteGraph(self._graph)
        self._session = self._graph = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _run(self, fed, tensors, fetched):
        feeds = (_Output * len(fed))(*map(self._output, fed))
        values = (_POINTER * len(tensors))(*tensors)
        fetches = (_Output * len(fetched))(*map(self._output, fetched))
        results = (_POINTER * len(fetched))()
        self._checked(
            self._library.TF_SessionRun,
            *(self._session, None, feeds, values, len(fed)),
            *(fetches, results, len(fetched), None, 0, None),
        )
        try:
            return [self._array(result) for result in results]
        finally:
            for result in results:
                self._delete(result)

    def _checked(self, function, *arguments):
        """Calls a C function whose last argument is a TF_Status."""
        status = self._library.TF_NewStatus()
        try:
            result = function(*arguments, status)
            code = self._library.TF_GetCode(status)
            if code:
                raise Failed(code, self._library.TF_Message(status).decode(errors="replace"))
            return result
        finally:
            self._library.TF_DeleteStatus(status)

    def _output(self, tensor_name):
        name, _, index = tensor_name.partition(":")
        operation = self._library.TF_GraphOperationByName(self._graph, name.encode())
        if not operation:
            raise Failed(5, f"no operation {name!r} in the graph")
        return _Output(operation, int(index or 0))

    def _tensor(self, value, kind):
        """A TF_Tensor with a copy of an array."""
        if kind == _STRING:
            return self._string_tensor(np.asarray(value, object))
        array = np.ascontiguousarray(value, tf.as_dtype(kind).as_numpy_dtype)
        tensor = self._allocate(kind, np.shape(value), array.nbytes)
        ctypes.memmove(self._library.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
        return tensor

    def _string_tensor(self, strings):
        tensor = self._allocate(_STRING, strings.shape, _STRING_BYTES * strings.size)
        for place, content in zip(self._strings(tensor), strings.ravel(), strict=True):
            self._library.TF_StringInit(place)
            self._library.TF_StringCopy(place, content, len(content))
        return tensor

    def _allocate(self, kind, shape, size):
        dimensions = (ctypes.c_int64 * len(shape))(*shape)
        return self._library.TF_AllocateTensor(kind, dimensions, len(shape), size)

    def _shape(self, tensor):
        count = self._library.TF_NumDims(tensor)
        return tuple(self._library.TF_Dim(tensor, axis) for axis in range(count))

    def _strings(self, tensor):
        """Addresses of a string tensor's elements."""
        first = self._library.TF_TensorData(tensor)
        count = math.prod(self._shape(tensor))
        return [first + _STRING_BYTES * index for index in range(count)]

    def _array(self, tensor):
        """A copy of a TF_Tensor as an array."""
        kind, shape = self._library.TF_TensorType(tensor), self._shape(tensor)
        if kind != _STRING:
            size = self._library.TF_TensorByteSize(tensor)
            content = ctypes.string_at(self._library.TF_TensorData(tensor), size) if size else b""
            return np.frombuffer(content, tf.as_dtype(kind).as_numpy_dtype).reshape(shape).copy()
        array = np.empty(math.prod(shape), object)
        for index, place in enumerate(self._strings(tensor)):
            size = self._library.TF_StringGetSize(place)
            array[index] = ctypes.string_at(self._library.TF_StringGetDataPointer(place), size)
        return array.reshape(shape)

    def _delete(self, tensor):
        """Frees a tensor; the C API frees the array of strings, not what they point to."""
        if self._library.TF_TensorType(tensor) == _STRING:
            for place in self._strings(tensor):
                self._library.TF_StringDealloc(place)
        self._library.TF_DeleteTensor(tensor)
