"""A loader of training pairs as one would write it with OpenCV, threads and no tf.data.

What the input pipeline of training is compared with: it knows nothing but the augmentations that
its recipe asks for, and does each in the plainest way.
"""

import concurrent.futures
import itertools
import math
import os

import cv2
import numpy as np

from rankpose_tf.data import records


def batches(serialized, size, batch_size, crop_scale, augmentation):
    """Endless batches, made by as many threads as there are cores.

    Args:
      serialized: list of records; the first two views of each are a pair, or the first twice.
      size: side of the views, pixels.
      batch_size: pairs.
      crop_scale: side of the square over the box's longer side.
      augmentation: of a recipe.

    Yields:
      (2B, size, size, 3) uint8.
    """
    generator = np.random.default_rng(0)
    threads = os.cpu_count() or 1
    options = {**augmentation, "crop_scale": crop_scale, "size": size}
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        seeds = (int(seed) for seed in iter(lambda: generator.integers(2**60), None))
        work = zip(itertools.cycle(serialized), seeds)
        waiting = [
            pool.submit(_pair, *next(work), options) for _ in range(batch_size + 2 * threads)
        ]
        while True:
            views = []
            for _ in range(batch_size):
                views += waiting.pop(0).result()
                waiting.append(pool.submit(_pair, *next(work), options))
            yield np.stack(views)


def _pair(record, seed, options):
    random = np.random.default_rng(seed)
    images, boxes, _ = records.read_views(record)
    scale = options["crop_scale"]
    if random.random() < options.get("scale_probability", 0.0):
        low = options.get("crop_scale_min") or scale
        scale = random.uniform(low, max(low, options.get("crop_scale_max", 0.0)))
    mirrored = random.random() < options.get("flip_probability", 0.0)
    views = [
        _view(images[index], boxes[index], scale, random, options)
        for index in (0, min(1, len(images) - 1))
    ]
    return [view[:, ::-1] if mirrored else view for view in views]


def _view(image, box, scale, random, options):
    picture = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB)
    view = _crop(picture, box, scale, random, options).astype(np.float32)
    for name, change in _CHANGES.items():
        if random.random() < options.get(f"{name}_probability", 0.0):
            view = np.clip(change(view, random, options), 0.0, 255.0)
    return np.rint(view).astype(np.uint8)


def _crop(picture, box, scale, random, options):
    left, top, right, bottom = box
    side = scale * max(right - left, bottom - top, 1.0)
    x, y = 0.5 * (left + right), 0.5 * (top + bottom)
    if random.random() < options.get("crop_probability", 0.0):
        x, y = (value + side * random.uniform(-1, 1) * options["crop_shift"] for value in (x, y))
    angle = 0.0
    if random.random() < options.get("rotation_probability", 0.0):
        angle = random.uniform(-1, 1) * options["rotation_degrees"]
    size = options["size"]
    # Twice the size and a mean of four, or one pixel in two is skipped where a picture shrinks.
    fine = 2 * size if side > size else size
    matrix = cv2.getRotationMatrix2D((x, y), angle, fine / side)
    matrix[:, 2] += 0.5 * fine - np.array([x, y])
    crop = cv2.warpAffine(picture, matrix, (fine, fine))
    return crop if fine == size else cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)


def _fill(view, random, options):
    black = (view.max(axis=-1) <= 12).astype(np.uint8)
    black = cv2.dilate(cv2.erode(black, np.ones((5, 5))), np.ones((7, 7)))
    colours = cv2.resize(random.uniform(0, 255, (4, 4, 3)), view.shape[1::-1])
    return np.where(black[..., np.newaxis] > 0, colours, view).astype(np.float32)


def _grey(view, random, options):
    return cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _brightness(view, random, options):
    return view + np.float32(255 * options["brightness"] * random.uniform(-1, 1))


def _contrast(view, random, options):
    mean = view.mean()
    return mean + (view - mean) * np.float32(1 + options["contrast"] * random.uniform(-1, 1))


def _erase(view, random, options):
    size = options["size"]
    share, ratio = random.uniform(0.02, options["erase_area"]), math.exp(random.uniform(-1.2, 1.2))
    height, width = (min(size, round(size * math.sqrt(share * r))) for r in (ratio, 1 / ratio))
    top, left = (int(random.integers(size - side + 1)) for side in (height, width))
    view[top : top + height, left : left + width] = random.uniform(0, 255, (height, width, 3))
    return view


def _blur(view, random, options):
    reach = math.ceil(3 * options["blur_sigma"])
    sigma = max(options["blur_sigma"] * random.random(), 1e-3)
    return cv2.GaussianBlur(view, (2 * reach + 1, 2 * reach + 1), sigma)


def _noise(view, random, options):
    noise = random.standard_normal(view.shape, np.float32)
    return view + np.float32(options["noise_stddev"] * random.random()) * noise


def _dark(view, random, options):
    return view * np.float32(options.get("least_light", 0.0625) ** random.random())


_CHANGES = {
    "fill": _fill,
    "grey": _grey,
    "brightness": _brightness,
    "contrast": _contrast,
    "erase": _erase,
    "blur": _blur,
    "noise": _noise,
    "dark": _dark,
}
