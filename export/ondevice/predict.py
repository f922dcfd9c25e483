"""Head pose of one picture with a .tflite file: ai-edge-litert and numpy, no TensorFlow.

    pip install ai-edge-litert numpy pillow
    python predict.py --model=rankpose_int8.tflite --picture=face.jpg --box=80,60,210,222

The box is the face's (left, top, right, bottom in pixels, as tight as landmarks are); without one
the picture counts as cropped already. Pillow is needed for pictures other than .npy (an
(H, W, 3) uint8 RGB array) and .ppm (binary, P6, 8 bits). Transparency is laid over black.
"""

import argparse
import json
import re
import zipfile

import numpy as np


def read_metadata(path):
    """What a .tflite file of rankpose_tf.export says of itself, a dict; the standard library."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("rankpose.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise SystemExit(
            f"error: model: {path!r} is not a .tflite file of rankpose_tf.export ({error})"
        ) from error


def read_picture(path):
    """(H, W, 3) uint8 RGB, upright."""
    try:
        if path.endswith(".npy"):
            picture = np.load(path)
        elif path.endswith(".ppm"):
            picture = _read_ppm(path)
        else:
            picture = _read_with_pillow(path)
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: picture: can't read {path!r} ({error})") from error
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise SystemExit(
            f"error: picture: expected (H, W, 3) uint8, received {picture.shape} {picture.dtype}"
        )
    return picture


def _read_ppm(path):
    with open(path, "rb") as stream:
        content = stream.read()
    gap = rb"(?:\s+|#[^\n]*\n)+"
    header = re.match(rb"P6" + gap + rb"(\d+)" + gap + rb"(\d+)" + gap + rb"255\s", content)
    if not header:
        raise ValueError("expected a binary PPM of 8 bits: P6, width, height, 255")
    width, height = (int(side) for side in header.groups())
    pixels = np.frombuffer(content, np.uint8, offset=header.end(), count=3 * width * height)
    return pixels.reshape(height, width, 3)


def _read_with_pillow(path):
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise SystemExit(
            f"error: reading {path!r} needs Pillow (pip install pillow); without it pass a .npy or "
            ".ppm file"
        ) from error
    with Image.open(path) as picture:
        is_ppm, picture = picture.format == "PPM", ImageOps.exif_transpose(picture)
        if picture.mode.startswith("I;16") or (is_ppm and picture.mode == "I"):
            # A PPM says itself what is white, and Pillow makes 65535 of it.
            picture = Image.fromarray(_upper_bits(np.asarray(picture), 16 if is_ppm else None))
        elif picture.mode in ("I", "F"):
            raise ValueError("values of 32 bits or floating point, whose white is unknown")
        if picture.has_transparency_data:
            # Hidden pixels have colours too.
            black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
            picture = Image.alpha_composite(black, picture.convert("RGBA"))
        return np.asarray(picture.convert("RGB"))


def _upper_bits(values, bits=None):
    """Grey of `bits` bits as uint8; by default the least bits that hold it: a camera's 12 of 16."""
    bits = bits or next(bits for bits in (8, 10, 12, 14, 16) if values.max() < 2**bits)
    return (values >> (bits - 8)).astype(np.uint8)


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


def parse_box(text):
    """LEFT,TOP,RIGHT,BOTTOM as four numbers."""
    try:
        left, top, right, bottom = (float(edge) for edge in text.split(","))
    except ValueError:
        raise SystemExit(
            f"error: box: expected LEFT,TOP,RIGHT,BOTTOM in pixels, received {text!r}"
        ) from None
    if not (np.isfinite([left, top, right, bottom]).all() and left < right and top < bottom):
        raise SystemExit(f"error: box: expected LEFT < RIGHT and TOP < BOTTOM, received {text!r}")
    return left, top, right, bottom


def require_inside(box, picture):
    """Ends with a message where no part of the box is in the picture, or it is in shares of it."""
    left, top, right, bottom = box
    height, width = picture.shape[:2]
    if min(box) >= 0 and max(box) <= 1:
        raise SystemExit(f"error: box: expected pixels, received shares of the picture: {box}")
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        raise SystemExit(
            f"error: box: expected a part of it within {width} x {height} pixels, received {box}"
        )


def open_model(path, threads):
    """The signature `predict`: image=(1, S, S, 3) uint8 RGB -> dict of yaw, pitch, roll, (1,)."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise SystemExit(
            "error: running a .tflite file needs ai-edge-litert; pip install ai-edge-litert"
        ) from error
    interpreter = Interpreter(model_path=path, num_threads=threads)
    return interpreter.get_signature_runner("predict")


def main():
    """Prints yaw, pitch and roll in degrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a .tflite file of rankpose_tf.export")
    parser.add_argument("--picture", required=True, help="a picture, or an RGB array as .npy")
    parser.add_argument("--box", help="left,top,right,bottom of the face, pixels")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    description = read_metadata(arguments.model)
    picture = read_picture(arguments.picture)
    if arguments.box:
        box, scale = parse_box(arguments.box), description["crop_scale"]
        require_inside(box, picture)
    else:
        box, scale = (0, 0, picture.shape[1], picture.shape[0]), 1.0
    face = crop(picture, box, scale, description["input_size"])
    angles = open_model(arguments.model, arguments.threads)(image=face[np.newaxis])
    print(" ".join(f"{name} {angles[name][0]:.2f}" for name in description["labels"]))


if __name__ == "__main__":
    main()
