"""What is done to the two views of a training pair, in which order, and what they share.

The paper's standard pipeline is random crop, random scale, Gaussian noise and Gaussian blur (BMVC
2020, section 4.1), without figures; the flags of `rankpose_tf.train` hold ours. Rotation, flip,
filling, brightness, contrast, grey and erasing are off in the paper's recipe.
"""

import tensorflow as tf

from rankpose_tf.data import augment, filling, occlusion, rotation, square_crops


def augment_pair(
    images,
    boxes,
    poses,
    seed,
    input_size,
    crop_scale,
    *,
    crop_scale_min=0.0,
    crop_scale_max=0.0,
    scale_probability=0.0,
    crop_probability=0.0,
    crop_shift=0.0,
    rotation_probability=0.0,
    rotation_degrees=0.0,
    flip_probability=0.0,
    **looks,
):
    """Decodes, crops and augments the two views of one pair.

    Scale and flip are drawn once a pair: what differs between its views is the pose. Rotation is
    part of the pose, so each view has its own: views that were made by turning a head about its
    vertical axis differ little in roll, and would be ranked in roll by next to nothing.

    Args:
      images: (2,) encoded pictures.
      boxes: (2, 4) left, top, right, bottom, pixels.
      poses: (2, 3) radians; yaw, pitch, roll.
      seed: (2,) integers.
      input_size: side of the crops, pixels.
      crop_scale: side of the square over the box's longer side, the one of evaluation.
      crop_scale_min: random scale draws between this, 0 being `crop_scale`, and
      crop_scale_max.
      scale_probability: of drawing a scale.
      crop_probability: of moving a view's square, by up to `crop_shift` of its side.
      crop_shift: see above.
      rotation_probability: of turning a view in its plane, by up to +-`rotation_degrees`, with
        the label that it then has.
      rotation_degrees: see above.
      flip_probability: of mirroring the pair, with the signs of yaw and roll.
      **looks: keyword arguments of `_change_looks`.

    Returns:
      ((view_1, view_2), pose): views (input_size, input_size, 3), pose (2, 3).
    """
    # More seeds leave the earlier ones as they are.
    seeds = tf.unstack(tf.random.split(seed, 7))
    scale = _draw_scale(
        seeds[0], crop_scale, crop_scale_min or crop_scale, crop_scale_max, scale_probability
    )
    angles, poses = rotation.random_turns(poses, seeds[6], rotation_probability, rotation_degrees)
    views, labels = [], []
    for index in range(2):
        square = square_crops.square_around(boxes[index], scale)
        if crop_probability:
            draws = tf.random.split(seeds[1 + index], 2)
            shift = tf.where(_chance(draws[0]) < crop_probability, 1.0, 0.0)
            square += shift * (augment.jitter_square(square, draws[1], crop_shift) - square)
        image = square_crops.decode(images[index])
        if rotation_probability:
            view = rotation.crop_turned(image, square, angles[index], input_size)
        else:
            view = square_crops.crop_and_resize(image, square, input_size)
        view = _change_looks(view, seeds[3 + index], **looks)
        view, label = augment.random_flip(view, poses[index], seeds[5], flip_probability)
        views.append(view)
        labels.append(label)
    return tuple(views), tf.stack(labels)


def _chance(seed):
    return tf.random.stateless_uniform((), seed, alg="philox")


def _draw_scale(seed, usual, smallest, largest, probability):
    """One crop scale for a pair: `usual`, or with a probability from `smallest` to `largest`."""
    if probability == 0.0 or largest <= smallest:
        return usual
    chance, share = (_chance(draw) for draw in tf.unstack(tf.random.split(seed, 2)))
    return tf.where(chance < probability, smallest + share * (largest - smallest), usual)


def _change_looks(
    view,
    seed,
    *,
    fill_probability=0.0,
    blur_probability=0.0,
    blur_sigma=0.0,
    noise_probability=0.0,
    noise_stddev=0.0,
    brightness_probability=0.0,
    brightness=0.0,
    contrast_probability=0.0,
    contrast=0.0,
    grey_probability=0.0,
    erase_probability=0.0,
    erase_area=0.3,
    dark_probability=0.0,
    least_light=0.0625,
):
    """What changes a view's pixels and not its pose; noise after all but the dark.

    Args:
      view: (H, W, 3), 0..255.
      seed: (2,) integers.
      blur_sigma: largest standard deviation, pixels.
      noise_stddev: largest standard deviation, of 0..255.
      brightness: largest change, share of the range.
      contrast: largest change of the factor.
      erase_area: largest share of the view that is covered.
      least_light: share of the light that the darkest view has.
      Each probability says how often its change is made.

    Returns:
      (H, W, 3), 0..255.
    """
    seeds = tf.unstack(tf.random.split(seed, 8))
    view = filling.random_fill(view, seeds[6], fill_probability)
    view = augment.random_grey(view, seeds[0], grey_probability)
    view = augment.random_brightness(view, seeds[1], brightness_probability, brightness)
    view = augment.random_contrast(view, seeds[2], contrast_probability, contrast)
    view = occlusion.random_erase(view, seeds[5], erase_probability, erase_area)
    view = augment.random_blur(view, seeds[3], blur_probability, blur_sigma)
    view = augment.random_noise(view, seeds[4], noise_probability, noise_stddev)
    return augment.random_dark(view, seeds[7], dark_probability, least_light)
