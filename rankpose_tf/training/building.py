"""The compiled Siamese model of a recipe, and what is told of it beside its weights."""

import dataclasses
import pathlib

import keras
import tensorflow as tf

import rankpose_tf
from rankpose_tf.models import towers
from rankpose_tf.training import losses, starting


def new_model(recipe, epoch_steps):
    """The compiled Siamese model, untrained, or with the weights of the model it starts from.

    Args:
      recipe: `recipe.Recipe`.
      epoch_steps: steps of an epoch, which the schedule of the learning rate needs.
    """
    weights = "none" if recipe.init else recipe.tower_weights
    tower = towers.build_tower(
        *(recipe.tower, recipe.input_size, recipe.transform, weights),
        separate_features=recipe.separate_features,
        **({"compact_width": recipe.compact_width} if recipe.tower == "compact" else {}),
    )
    if recipe.init:
        starting.copy_weights(recipe.init, tower)
    if recipe.freeze_normalization:
        starting.freeze_normalization(tower)
    siamese = towers.build_siamese(tower, recipe.input_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate, recipe.epochs * epoch_steps
    )
    optimizer = keras.optimizers.Adam(
        schedule, use_ema=recipe.ema_decay > 0, ema_momentum=recipe.ema_decay
    )
    compile_model(siamese, optimizer, recipe)
    return siamese


def compile_model(siamese, optimizer, recipe, ranking=True):
    """Compiles with an optimizer, which keeps its state; without ranking, regression costs beta."""
    terms = {"loss_unit": recipe.loss_unit, "regression": recipe.regression}
    siamese.compile(
        optimizer,
        losses.RankPoseLoss(recipe.beta if ranking else 1.0, **terms),
        loss_weights=None if ranking else [recipe.beta],
        metrics=losses.training_metrics(**terms),
        jit_compile=recipe.jit_compile,
    )


def make_variables(siamese):
    """Makes the variables of the optimizer, the loss and the metrics.

    Keras makes them while it traces the first step, and TensorFlow traces a function that makes
    variables twice: without this a training begins a quarter later.
    """
    pose = tf.zeros((1, 2, 3))
    siamese.optimizer.build(siamese.trainable_variables)
    siamese.compute_loss(y=pose, y_pred=pose)
    siamese.compute_metrics(None, pose, pose)
    siamese.reset_metrics()


def description(recipe, training_set):
    """What stands in best.keras beside the network: what its users need, then all of the recipe."""
    needed = ("tower", "input_size", "transform", "separate_features", "crop_scale")
    options = dataclasses.asdict(recipe)
    # A model is passed on; the folders on the machine that trained it mean nothing there.
    del options["data"]
    options["init"] = pathlib.PurePath(options["init"]).name
    return {
        "rankpose_tf": rankpose_tf.__version__,
        **{name: options[name] for name in needed},
        "training_set": training_set,
        "recipe": options,
    }
