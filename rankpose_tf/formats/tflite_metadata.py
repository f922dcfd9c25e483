"""What a .tflite file says of itself, and which operators it is made of.

The description is a JSON file in a zip archive at the end of the model, where TFLite's own
metadata keeps its associated files: the interpreter does not see it, `unzip` and every language's
zip reader do.
"""

import json
import zipfile

import rankpose_tf
from rankpose_tf.errors import RankPoseError

NAME = "rankpose.json"


def describe(description, variant):
    """What a user of a bare file must know, JSON-able.

    Args:
      description: of `model.load_model`.
      variant: precision of the file.
    """
    return {
        "version": rankpose_tf.__version__,
        "labels": ["yaw", "pitch", "roll"],
        "unit": "degrees",
        "signs": {
            "yaw": "positive turns the face to the picture's left, the person's own right",
            "pitch": "positive lifts the chin",
            "roll": "positive takes the ear to the person's own left shoulder",
        },
        "input": "image: uint8, RGB, 0 to 255; normalisation is inside the model",
        "input_size": description["input_size"],
        "crop": "square around the centre of the face's landmark box, black outside the picture",
        "crop_scale": description["crop_scale"],
        "variant": variant,
        "licence": "code: Apache-2.0; weights: the terms of the data they were trained on",
        "model": description,
    }


def append(path, description, variant):
    """Adds the description at the end of a .tflite file."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        content = json.dumps(describe(description, variant), indent=2)
        # A fixed time, so that the same model gives the same file.
        archive.writestr(zipfile.ZipInfo(NAME, (1980, 1, 1, 0, 0, 0)), content)


def read(path):
    """The description in a .tflite file.

    Raises:
      RankPoseError: if the file is absent or none that this package wrote.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(NAME))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise RankPoseError(
            f"model: {str(path)!r} is not a .tflite file of rankpose_tf.export, or it is damaged "
            f"({error})"
        ) from error


def operators(content):
    """Names of a model's operators, graph after graph; custom and Flex ones by their own name.

    Args:
      content: bytes of the file.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    codes = [
        # A file for an old reader holds the code in the first, one of today in the second.
        code.customCode.decode()
        if code.customCode
        else names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in model.operatorCodes
    ]
    return [codes[used.opcodeIndex] for graph in model.subgraphs for used in graph.operators]
