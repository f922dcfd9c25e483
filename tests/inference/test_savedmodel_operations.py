"""A SavedModel is a program: one that does more than predict is refused before it is loaded."""

import os
import shutil

import pytest
import tensorflow as tf

import rankpose_tf
from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.exporting import savedmodel
from rankpose_tf.inference import savedmodel_operations
from rankpose_tf.models import towers


@pytest.fixture(scope="module")
def exported(every_format):
    return every_format / "savedmodel"


def with_function(exported, folder, function):
    """A copy of the export, with the graph of a foreign function in place of its own."""
    shutil.copytree(exported, folder)
    module = tf.Module()
    module.serve = tf.function(
        function, input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)]
    )
    foreign = folder.parent / "foreign"
    tf.saved_model.save(module, str(foreign), signatures={"image": module.serve})
    shutil.copy(foreign / "saved_model.pb", folder / "saved_model.pb")
    return folder


def answers(images):
    poses = tf.zeros(tf.shape(images)[:1])
    return {"yaw": poses, "pitch": poses, "roll": poses}


def test_what_the_export_writes_is_known(exported):
    savedmodel_operations.require_known(exported)
    assert rankpose_tf.load(exported).input_size


def test_the_export_of_the_large_tower_is_known(tmp_path):
    network = towers.build_tower("resnet50", 32, "arccos", "none")
    savedmodel.write(network, {"input_size": 32, "crop_scale": 1.4}, tmp_path / "large")
    savedmodel_operations.require_known(tmp_path / "large")


def test_the_export_with_expected_errors_is_known(doubting_formats):
    savedmodel_operations.require_known(doubting_formats / "savedmodel")


def test_one_that_writes_a_file_is_refused_and_writes_none(exported, tmp_path):
    secret = tmp_path / "written"

    def function(images):
        tf.io.write_file(str(secret), "x")
        return answers(images)

    folder = with_function(exported, tmp_path / "model", function)
    with pytest.raises(RankPoseError, match="has the operations WriteFile, which no SavedModel"):
        rankpose_tf.load(folder)
    assert not secret.exists()


def test_one_that_calls_python_is_refused(exported, tmp_path):
    def function(images):
        tf.py_function(lambda: None, [], [])
        return answers(images)

    folder = with_function(exported, tmp_path / "model", function)
    with pytest.raises(RankPoseError, match="EagerPyFunc"):
        rankpose_tf.load(folder)


def test_one_that_saves_where_it_predicts_is_refused(exported, tmp_path):
    def function(images):
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / "x"), tensor_names=["x"], shape_and_slices=[""], tensors=[1.0]
        )
        return answers(images)

    folder = with_function(exported, tmp_path / "model", function)
    with pytest.raises(RankPoseError, match="has the operations SaveV2"):
        rankpose_tf.load(folder)


def test_one_that_saves_in_a_branch_of_a_branch_is_refused(exported, tmp_path):
    @tf.function
    def save():
        tf.raw_ops.SaveV2(
            prefix=str(tmp_path / "x"), tensor_names=["x"], shape_and_slices=[""], tensors=[1.0]
        )
        return 1.0

    def function(images):
        tf.cond(tf.size(images) > 0, lambda: save(), lambda: 0.0)
        return answers(images)

    folder = with_function(exported, tmp_path / "model", function)
    with pytest.raises(RankPoseError, match="has the operations SaveV2"):
        rankpose_tf.load(folder)


def test_a_damaged_program_is_told(exported, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(exported, folder)
    (folder / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(RankPoseError, match="no SavedModel of rankpose_tf.export, or it"):
        rankpose_tf.load(folder)


def test_a_pipe_a_device_and_a_link_to_nothing_are_not_waited_for(exported, tmp_path):
    def pipe(path):
        os.mkfifo(path)

    for make in (pipe, lambda path: path.symlink_to("/dev/zero"),
                 lambda path: path.symlink_to(tmp_path / "absent")):  # fmt: skip
        folder = shutil.copytree(exported, tmp_path / "m")
        (folder / "variables" / "variables.index").unlink()
        make(folder / "variables" / "variables.index")
        with pytest.raises(RankPoseError, match="variables.index' is a link to nothing or no reg"):
            rankpose_tf.load(folder)
        shutil.rmtree(folder)


def test_a_folder_of_links_as_stores_of_models_make_it_is_loaded(exported, tmp_path):
    (tmp_path / "m").mkdir()
    for path in exported.iterdir():
        (tmp_path / "m" / path.name).symlink_to(path)
    (tmp_path / "m" / "circle").symlink_to(tmp_path / "m", target_is_directory=True)
    assert rankpose_tf.load(tmp_path / "m").input_size > 0
