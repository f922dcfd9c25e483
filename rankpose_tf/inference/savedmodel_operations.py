"""Whether a SavedModel is a head-pose network and nothing else, before TensorFlow loads it.

A SavedModel is a program: its operations can write files or call Python. Those of an export of this
package are known, so one with any other is refused. Those that write a checkpoint may stand where
TensorFlow puts them, in the function that saves the model, which nothing that predicts may reach.
"""

import pathlib

from rankpose_tf.core import damage
from rankpose_tf.core.errors import RankPoseError

# What rankpose_tf.export writes for every tower and transform, with and without expected errors,
# with TensorFlow 2.21.
_NETWORK = """
    AddN AddV2 All Assert Atan2 BatchDatasetV2 BiasAdd Cast ConcatV2 ConcatenateDataset Const
    Conv2D DatasetToSingleElement DecodeImage DecodePng DecodeRaw DepthwiseConv2dNative
    DisableCopyOnRead EnsureShape Equal ExpandDims ExtractJpegShape Fill Greater GreaterEqual
    Identity IdentityN If IgnoreErrorsDataset IsFinite Less LessEqual LogicalAnd LogicalNot
    MatMul Max MaxPool Maximum Mean Min Minimum Mul Neg NoOp OnesLike OptionsDataset Pack Pad
    ParallelMapDatasetV2 Placeholder Prod RangeDataset ReadVariableOp RealDiv Relu Relu6 Reshape
    ReverseV2 RightShift Round Rsqrt ScaleAndTranslate ScatterNd Select SelectV2 Shape Sigmoid
    Size Slice Sqrt Square Squeeze StatefulPartitionedCall StatelessIf StaticRegexFullMatch
    StridedSlice Sub Substr Sum TensorDataset Tile Unpack VarHandleOp
""".split()
_RESTORING = ["AssignVariableOp", "RestoreV2", "StringJoin"]
_SAVING = ["MergeV2Checkpoints", "SaveV2", "ShardedFilename"]
_KNOWN = frozenset([*_NETWORK, *_RESTORING, *_SAVING])


def require_known(folder):
    """Refuses a SavedModel that has operations which no export of this package has.

    Args:
      folder: of the SavedModel.

    Raises:
      RankPoseError: if it has, or if its file is damaged.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    content = pathlib.Path(folder, "saved_model.pb").read_bytes()
    what = "is no SavedModel of rankpose_tf.export, or it is damaged"
    with damage.told("model", folder, "export it again", what, others=(DecodeError,)):
        meta_graphs = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    for meta_graph in meta_graphs:
        strange = sorted(_strange(meta_graph))
        if strange:
            raise RankPoseError(
                f"model: {str(folder)!r} has the operations {', '.join(strange[:5])}, which no "
                "SavedModel of rankpose_tf.export has and which may do anything; it was not "
                "loaded: load the .keras file that it was made of, or export that again"
            )


def _strange(meta_graph):
    """Names of operations that are unknown, or write where something that predicts reaches them."""
    functions = {f.signature.name: f.node_def for f in meta_graph.graph_def.library.function}
    every = [meta_graph.graph_def.node, *functions.values()]
    used = {node.op for nodes in every for node in nodes} - functions.keys()
    reached = _reached(meta_graph.object_graph_def.concrete_functions, functions)
    written = {node.op for name in reached for node in functions[name]}
    outside = {node.op for node in meta_graph.graph_def.node}
    return (used - _KNOWN) | ((written | outside) & set(_SAVING))


def _reached(names, functions):
    """Names of the functions that `names` call, themselves included."""
    reached, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name in functions and name not in reached:
            reached.add(name)
            waiting += [called for node in functions[name] for called in _called(node)]
    return reached


def _called(node):
    """Names of the functions that a node may call."""
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
