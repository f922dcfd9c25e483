"""The compiled Siamese model of a recipe, and what is told of it beside its weights."""

import dataclasses

import keras

import rankpose_tf
from rankpose_tf.models import towers
from rankpose_tf.training import losses


def new_model(recipe, epoch_steps):
    """The compiled Siamese model, untrained.

    Args:
      recipe: `recipe.Recipe`.
      epoch_steps: steps of an epoch, which the schedule of the learning rate needs.
    """
    tower = towers.build_tower(
        *(recipe.tower, recipe.input_size, recipe.transform, recipe.tower_weights),
        separate_features=recipe.separate_features,
        **({"compact_width": recipe.compact_width} if recipe.tower == "compact" else {}),
    )
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


def description(recipe, training_set):
    """What stands in best.keras beside the network: what its users need, then all of the recipe."""
    needed = ("tower", "input_size", "transform", "separate_features", "crop_scale")
    options = dataclasses.asdict(recipe)
    # A model is passed on; the folder on the machine that trained it means nothing there.
    del options["data"]
    return {
        "rankpose_tf": rankpose_tf.__version__,
        **{name: options[name] for name in needed},
        "training_set": training_set,
        "recipe": options,
    }
