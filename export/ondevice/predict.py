"""Head pose of one picture with a .tflite file: ai-edge-litert and numpy, no TensorFlow.

    pip install ai-edge-litert numpy pillow
    python predict.py --model=rankpose_int8.tflite --picture=face.jpg --box=80,60,210,222

The box is the face's (left, top, right, bottom in pixels, as tight as landmarks are); without one
the picture counts as cropped already. Pillow is needed for pictures other than .npy (an
(H, W, 3) uint8 RGB array).
"""

import argparse
import json
import zipfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def read_picture(path):
    """(H, W, 3) uint8 RGB, upright."""
    if path.endswith(".npy"):
        return np.load(path)
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise SystemExit(f"error: reading {path!r} needs Pillow; pip install pillow") from error
    return np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))


def crop(picture, box, crop_scale, size):
    """Square around the box's centre, `crop_scale` times its longer side, as (size, size, 3).

    Antialiased and black outside the picture: the crop that the model was trained on.
    """
    left, top, right, bottom = np.float32(box)
    side = crop_scale * max(right - left, bottom - top, 1.0)
    rows = _weights(picture.shape[0], (top + bottom - side) / 2, side, size)
    columns = _weights(picture.shape[1], (left + right - side) / 2, side, size)
    cropped = np.einsum("yh,hwc,xw->yxc", rows, picture.astype(np.float32), columns, optimize=True)
    return np.clip(np.rint(cropped), 0, 255).astype(np.uint8)


def _weights(length, start, side, size):
    """(size, length): how much each pixel of a row gives to each pixel of the crop."""
    scale = side / size
    centres = start + (np.arange(size) + 0.5) * scale
    # A triangle as wide as the crop's pixel, or as the picture's where that is larger.
    width = max(scale, 1.0)
    distances = (np.arange(length) + 0.5 - centres[:, None]) / width
    weights = np.maximum(1.0 - np.abs(distances), 0.0)
    inside = (centres >= 0) & (centres <= length)
    return weights / np.maximum(weights.sum(1, keepdims=True), 1e-6) * inside[:, None]


def main():
    """Prints yaw, pitch and roll in degrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a .tflite file of rankpose_tf.export")
    parser.add_argument("--picture", required=True, help="a picture, or an RGB array as .npy")
    parser.add_argument("--box", help="left,top,right,bottom of the face, pixels")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.model) as archive:
        about = json.loads(archive.read("rankpose.json"))
    picture = read_picture(arguments.picture)
    if arguments.box:
        box, scale = [float(edge) for edge in arguments.box.split(",")], about["crop_scale"]
    else:
        box, scale = (0, 0, picture.shape[1], picture.shape[0]), 1.0
    face = crop(picture, box, scale, about["input_size"])
    interpreter = Interpreter(model_path=arguments.model, num_threads=arguments.threads)
    angles = interpreter.get_signature_runner("predict")(image=face[np.newaxis])
    print(" ".join(f"{name} {angles[name][0]:.2f}" for name in about["labels"]))


if __name__ == "__main__":
    main()
