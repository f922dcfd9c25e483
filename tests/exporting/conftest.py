"""Files of every format, written once."""

import types

import numpy as np
import pytest


@pytest.fixture(scope="session")
def rendered_crops():
    """210 rendered heads, (210, 32, 32, 3) uint8: enough to calibrate full int8 on."""
    from rankpose_tf.data import synthetic

    poses = np.random.default_rng(1).uniform(-0.8, 0.8, (210, 3))
    return np.stack([synthetic.render(i, pose, 32)[0] for i, pose in enumerate(poses)])


@pytest.fixture(scope="session")
def every_format(rendered_crops, tmp_path_factory):
    """`folder` with `model` in it: savedmodel/, folded/, {variant}.tflite, rankpose.onnx, .xml.

    Its one block has an operation of each kind that a tower has, and channels enough for int8's
    rounding to average out.
    """
    from rankpose_tf.exporting import folded, onnx, openvino, savedmodel, tflite
    from rankpose_tf.models import saving
    from tests.conftest import write_untrained
    from tests.support.one_block import one_block_towers

    folder = tmp_path_factory.mktemp("every_format")
    with one_block_towers(channels=16, features=64):
        workdir = write_untrained(folder)
    model = saving.load_model(workdir)
    savedmodel.write(*model, folder / "savedmodel")
    folded.write(*model, folder / "folded")
    for variant in tflite.VARIANTS:
        tflite.write(*model, variant, folder / f"{variant}.tflite", rendered_crops)
    onnx.write(*model, folder / "rankpose.onnx")
    openvino.write(*model, folder / "rankpose.xml")
    return types.SimpleNamespace(folder=folder, model=workdir)
