"""What a .tflite file says of itself, and which operators it is made of.

The description is there twice, as TFLite's metadata asks: a JSON file in a zip archive at the end
of the model, where its associated files lie (the interpreter does not see it, `unzip` and every
language's zip reader do); and the buffer TFLITE_METADATA, a flatbuffer "M001" by TFLite's
metadata_schema.fbs, which Netron, Android Studio and MediaPipe's metadata readers show. The
package that writes that buffer, tflite-support, is no longer kept, so its few tables are built
here.
"""

import json
import zipfile

import flatbuffers

import rankpose_tf
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import ANGLES, ERRORS
from rankpose_tf.inference import litert

BUFFER = "TFLITE_METADATA"
_SIGNS = {
    "yaw": "positive turns the face to the picture's left, the person's own right",
    "pitch": "positive lifts the chin",
    "roll": "positive takes the ear to the person's own left shoulder",
}
_EXPECTED = {name: "by how much the angle may be off; what two thirds of the errors are within"
             for name in ERRORS}  # fmt: skip
# Of metadata_schema.fbs: members of ContentProperties, ProcessUnitOptions and two enumerations.
_FEATURE, _IMAGE, _NORMALISATION, _DESCRIPTIONS, _RGB = 1, 2, 1, 1, 1


def describe(description, variant, labels=ANGLES):
    """What a user of a bare file must know, JSON-able.

    Args:
      description: of `saving.load_model`.
      variant: precision of the file.
      labels: names of the outputs.
    """
    trained_on = description.get("training_set", "unknown")
    return {
        "version": rankpose_tf.__version__,
        "labels": list(labels),
        "unit": "degrees",
        "signs": dict(_SIGNS),
        "input": "image: uint8, RGB, 0 to 255; normalisation is inside the model",
        "input_size": description["input_size"],
        "crop": "square around the centre of the face's landmark box, black outside the picture",
        "crop_scale": description["crop_scale"],
        "variant": variant,
        "licence": "code: Apache-2.0; weights: the terms of the data they were trained on, "
        f"{trained_on}; the public sets of head poses are for research only",
        "model": description,
    }


def append(path, description, variant, labels=ANGLES):
    """Adds the description at the end of a .tflite file; arguments as for `describe`."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        content = json.dumps(describe(description, variant, labels), indent=2)
        # A fixed time, so that the same model gives the same file.
        archive.writestr(zipfile.ZipInfo(litert.DESCRIPTION, (1980, 1, 1, 0, 0, 0)), content)


def finished(content, description, variant, labels=ANGLES):
    """The model with its outputs in the order of `labels`, tensors named, and TFLITE_METADATA.

    Args:
      content: bytes of the converted model.
      description: of `saving.load_model`.
      variant: precision of the file.
      labels: names of the outputs.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = _unpacked(content)
    for signature in model.signatureDefs:
        graph = model.subgraphs[signature.subgraphIndex]
        signature.outputs.sort(key=lambda end: labels.index(end.name.decode()))
        graph.outputs = [end.tensorIndex for end in signature.outputs]
        for end in (*signature.inputs, *signature.outputs):
            graph.tensors[end.tensorIndex].name = end.name
    data = list(_metadata(describe(description, variant, labels), len(model.subgraphs)))
    model.metadata.append(schema.MetadataT(name=BUFFER, buffer=len(model.buffers)))
    model.buffers.append(schema.BufferT(data=data))
    return _packed(model)


def taking_bytes(content):
    """The model with uint8 inputs where they were float and quantised to int8 at once.

    The first operation then turns bytes into int8 at the same scale, which is a subtraction.

    Raises:
      RankPoseError: if an input is used otherwise.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = _unpacked(content)
    quantise = schema.BuiltinOperator.QUANTIZE
    for graph in model.subgraphs:
        (image,) = graph.inputs
        first = [used for used in graph.operators if image in used.inputs]
        codes = {model.operatorCodes[used.opcodeIndex].builtinCode for used in first}
        if len(first) != 1 or codes != {quantise}:
            raise RankPoseError(
                "formats: TFLite did not quantise the picture first; the model can't be converted "
                "to full int8 with this version of TensorFlow, leave tflite_int8 away"
            )
        into = graph.tensors[first[0].outputs[0]].quantization
        graph.tensors[image].type = schema.TensorType.UINT8
        graph.tensors[image].quantization = schema.QuantizationParametersT(
            scale=[into.scale[0]], zeroPoint=[into.zeroPoint[0] + 128]
        )
    return _packed(model)


def builtin_operators():
    """Names of TFLite's builtin operators."""
    from tensorflow.lite.python import schema_py_generated as schema

    own = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}
    return {name for name in vars(schema.BuiltinOperator) if name.isupper()} - own


def operators(content):
    """Names of a model's operators, graph after graph; custom and Flex ones by their own name.

    Args:
      content: bytes of the file.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    model = _unpacked(content)
    codes = [
        # A file for an old reader holds the code in the first, one of today in the second.
        code.customCode.decode()
        if code.customCode
        else names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in model.operatorCodes
    ]
    return [codes[used.opcodeIndex] for graph in model.subgraphs for used in graph.operators]


def _unpacked(content):
    from tensorflow.lite.python import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))


def _packed(model):
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _metadata(description, graphs):
    """A ModelMetadata flatbuffer; slots are the fields of metadata_schema.fbs in their order."""
    builder = flatbuffers.Builder(4096)
    text = builder.CreateString
    size, variant = description["input_size"], description["variant"]
    side = _table(builder, uint32={0: size, 1: size})
    picture = _table(builder, tables={1: side}, uint8={0: _RGB})
    content = _table(builder, tables={1: picture}, uint8={0: _IMAGE})
    options = _table(builder, tables={0: _floats(builder, 0.0), 1: _floats(builder, 1.0)})
    unit = _table(builder, tables={1: options}, uint8={0: _NORMALISATION})
    explained = "{input}. Crop: {crop}, {crop_scale} x its longer side.".format(**description)
    image = {0: text("image"), 1: text(explained), 3: content, 4: _tables(builder, [unit])}
    inputs = _tables(builder, [_table(builder, tables=image)])
    angles = []
    for name in description["labels"]:
        feature = _table(builder, tables={1: _table(builder)}, uint8={0: _FEATURE})
        told = text(f"{description['unit']}; {(_SIGNS | _EXPECTED)[name]}")
        angles.append(_table(builder, tables={0: text(name), 1: told, 3: feature}))
    outputs = _tables(builder, angles)
    graph = _table(builder, tables={2: inputs, 3: outputs})
    attached = text("all of this and the model's description, as JSON")
    attached = {0: text(litert.DESCRIPTION), 1: attached}
    attached = _table(builder, tables=attached, uint8={2: _DESCRIPTIONS})
    model = {
        0: text("RankPose"),
        1: text(f"Head pose from one picture, {variant}: yaw, pitch, roll in degrees."),
        2: text(description["version"]),
        3: _tables(builder, [graph] * graphs),
        5: text(description["licence"]),
        6: _tables(builder, [attached]),
        7: text("1.0.0"),
    }
    builder.Finish(_table(builder, tables=model), b"M001")
    return bytes(builder.Output())


def _table(builder, tables=None, uint8=None, uint32=None):
    """One table; the arguments are dicts of slot -> value, of what was built before for tables."""
    fields = [
        (builder.PrependUOffsetTRelativeSlot, tables or {}),
        (builder.PrependUint32Slot, uint32 or {}),
        (builder.PrependUint8Slot, uint8 or {}),
    ]
    builder.StartObject(1 + max((slot for _, values in fields for slot in values), default=0))
    for prepend, values in fields:
        for slot, value in values.items():
            prepend(slot, value, 0)
    return builder.EndObject()


def _tables(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder, value):
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return builder.EndVector()
