"""Fits the head that tells a trained model's expected error; the model itself stays as it is.

The features of many views are computed once: training photos and their views as they are, spoilt,
badly cropped and turned in the plane, whose error is measured, and pictures without a face
(error_views.py), whose error is set. The head learns E by the negative log-likelihood of Laplace's
distribution, log E + |e| / E, which is least where E is the mean of |e|. The model errs a little
less on what it trained on, so held-out views, which neither saw, decide the level: one shift of
each angle's z, so that the wanted share of their errors is within E.
"""

import dataclasses

import keras
import numpy as np
from absl import logging

from rankpose_tf.core import files, staging
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.expected_error import DOUBTED
from rankpose_tf.evaluation import doubt
from rankpose_tf.models import expected_error, saving
from rankpose_tf.training import error_views, held_out, workdir
from rankpose_tf.training.error_features import Drawn, Look
from rankpose_tf.training.stages import split

# E at first, before anything is learned: sigmoid of it times 90 degrees.
_FIRST = -2.5


def fit(model, data, out, recipe, progress=None):
    """Fits the head and writes the model with it.

    Args:
      model: path of a workdir of rankpose_tf.train, or of a .keras file; a head that it has is
        replaced.
      data: prepared shards that it was trained on.
      out: new folder; gets best.keras, the model with the head, and error.json.
      recipe: `error_recipe.ErrorRecipe`.
      progress: True shows a bar; None only on a terminal.

    Returns:
      Content of error.json, and the folder.

    Raises:
      RankPoseError: for a model, data or folder that can't be used.
    """
    folder = files.new_folder("out", out)
    network, description = saving.load_model(model)
    threshold, *rules = _split(model, description, data)
    unseen = [f for views in error_views.faces(data, threshold, True, *rules) for f in views]
    training = error_views.faces(data, threshold, False, *rules)
    look = Look(network, description, progress)
    drawn = look.training_views(training, recipe.identities, np.random.default_rng(recipe.seed))
    head = _fit(drawn, recipe)
    clean = look.clean(unseen)
    checked = _checked(head, clean, recipe.coverage)
    _shift(head, _level(head, clean, recipe.coverage))
    report = {
        "recipe": dataclasses.asdict(recipe),
        "views": len(drawn.weights),
        "held_out": {"views": len(unseen), **checked},
        "doubted": doubted(look, head, unseen),
    }
    description = {**description, "expected_error": report}
    whole = expected_error.with_head(saving.read_network(model), head)
    with staging.filled(folder, last="error.json") as stage:
        saving.save_model(whole, stage / "best.keras", description)
        files.write_json(stage / "error.json", report)
    return report, folder


def doubted(look, head, faces):
    """Kind -> share of such views, made of `faces`, whose expected error is over 20 degrees."""
    generator, shares = np.random.default_rng(0), {}
    for name, kind in {**error_views.FACELESS, "rolled": error_views.rolled}.items():
        expected = head.predict_on_batch(look.of_kind(kind, faces, generator))
        shares[name] = float((np.degrees(expected).mean(axis=1) > DOUBTED).mean())
    return shares


def _split(model, description, data):
    """The threshold of the model's own held-out identities, and what makes one usable.

    Raises:
      RankPoseError: if its training held none out or was on other data, or the model does not
        tell.
    """
    workdir.require_same_data(model, data)
    recipe = held_out.recipe_of(model, description)
    parts = split(recipe, data)
    if not parts.held_out:
        raise RankPoseError(
            "model: its training held no identity out, and the errors on all others are too "
            "small; train with --validation_identities"
        )
    return parts.threshold, recipe.filter_angles, parts.minimum_views


def laplace(errors, expected):
    """Negative log-likelihood of errors under Laplace's distribution of scale E, but for log 2.

    mean over the angles of log E + |e| / E

    Args:
      errors: (B, 3) absolute errors.
      expected: (B, 3) above 0, same unit.

    Returns:
      (B,).
    """
    return keras.ops.mean(keras.ops.log(expected) + errors / expected, axis=-1)


def _fit(drawn, recipe):
    """The trained head, taking features as they are."""
    keras.utils.set_random_seed(recipe.seed)
    head = expected_error.new_head(drawn.features.shape[1], recipe.hidden)
    head.get_layer("error").bias.assign(np.full(3, _FIRST))
    middle, spread = drawn.features.mean(axis=0), drawn.features.std(axis=0) + 1e-3
    steps = recipe.epochs * -(-len(drawn.weights) // recipe.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)
    head.compile(keras.optimizers.AdamW(schedule, weight_decay=0.01), laplace)
    history = head.fit(
        (drawn.features - middle) / spread,
        drawn.errors,
        sample_weight=drawn.weights,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        verbose=0,
    )
    logging.info("Laplace's cost: %.4f", history.history["loss"][-1])
    # W ((f - m) / s) + b = (W / s) f + (b - (W / s) m): what is saved takes features unscaled.
    first = head.get_layer("error_hidden_1")
    kernel, bias = first.get_weights()
    kernel = kernel / spread[:, np.newaxis]
    first.set_weights([kernel, bias - middle @ kernel])
    return head


def _level(head, clean, coverage):
    """Shift (3,) of z that brings the share `coverage` of the errors within E.

    |e| <= E(z + shift) where shift >= logit(|e|) - z.
    """
    expected = head.predict_on_batch(clean.features)
    missing = expected_error.logit(clean.errors) - expected_error.logit(expected)
    return np.quantile(missing, coverage, axis=0)


def _shift(head, shift):
    layer = head.get_layer("error")
    layer.bias.assign(layer.bias + shift)


def _checked(head, clean, coverage):
    """`doubt.summarise` of held-out views, each half at the level of the other."""
    count = len(clean.weights)
    expected = expected_error.logit(head.predict_on_batch(clean.features))
    halves = np.arange(count) < count // 2
    for half in (halves, ~halves):
        others = Drawn([clean.features[~half]], [clean.errors[~half]], [clean.weights[~half]])
        expected[half] += _level(head, others, coverage)
    expected = 90.0 / (1.0 + np.exp(-expected))
    errors = np.degrees(clean.errors)
    return doubt.summarise(np.zeros_like(errors), errors, expected)
