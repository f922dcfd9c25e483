"""Fitting the expected error: what is drawn, what is learned, what is written."""

import json

import keras
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.core.pose import rotation_from_angles
from rankpose_tf.data import prepared_folder, synthetic
from rankpose_tf.models import saving
from rankpose_tf.training import error_head, error_views
from rankpose_tf.training.error_recipe import ErrorRecipe
from rankpose_tf.training.flags_cfg import to_flagfile
from rankpose_tf.training.recipe import Recipe
from rankpose_tf.training.workdir import claimed, require_same_data
from tests.conftest import write_prepared

SMALL = {"identities": 8, "hidden": 4, "epochs": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def face(prepared):
    return next(error_views.faces(prepared, -1, False))[0]


def write_run(small_model, workdir):
    """A workdir of the untrained model that held 6 identities out."""
    workdir.mkdir()
    (workdir / "best.keras").write_bytes((small_model / "best.keras").read_bytes())
    recipe = Recipe(validation_identities=6, tower="compact", input_size=32)
    (workdir / "flags.cfg").write_text(to_flagfile(recipe))
    return workdir


@pytest.fixture
def run(small_model, tmp_path):
    return write_run(small_model, tmp_path / "run")


@pytest.fixture(scope="module")
def fitted(small_model, prepared, tmp_path_factory):
    """A run, what fitting its head reported, and the folder that it wrote."""
    folder = tmp_path_factory.mktemp("fitted")
    run = write_run(small_model, folder / "run")
    recipe = ErrorRecipe(**SMALL, coverage=0.6)
    report, out = error_head.fit(run, prepared, folder / "out", recipe, progress=False)
    assert out == folder / "out"
    return run, report, out


@pytest.mark.parametrize("kind", [*error_views.FACELESS.values(), error_views.upside])
def test_every_kind_of_view_is_a_picture_and_a_function_of_the_generator(kind, face):
    views = [kind(face, 32, 1.4, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert views[0].shape == (32, 32, 3) and np.isfinite(views[0]).all()
    np.testing.assert_array_equal(views[0], views[1])
    assert np.abs(views[0] - views[2]).max() > 1


def test_a_turned_face_has_the_pose_that_it_then_shows(face):
    _, pose = error_views.cut(face, 1.4, 32, turn=90.0)
    about_z = rotation_from_angles(np.radians([0.0, 0.0, 90.0]))
    expected = about_z @ rotation_from_angles(np.radians(face.pose))
    np.testing.assert_allclose(rotation_from_angles(np.radians(pose)), expected, atol=1e-9)


def test_a_turn_by_a_right_angle_is_that_of_numpy(face):
    square = face._replace(image=face.image[:, ::1], box=np.array([12.0, 12.0, 52.0, 52.0]))
    view, _ = error_views.cut(square, 1.4, 32, turn=90.0)
    plain, _ = error_views.cut(square, 1.4, 32)
    assert np.abs(np.rot90(plain, -1) - view).mean() < 2


def test_laplaces_cost_is_least_at_the_mean_error():
    errors = np.full((1, 3), 0.2, np.float32)
    costs = [float(error_head.laplace(errors, np.full((1, 3), e))[0]) for e in (0.1, 0.2, 0.4)]
    assert min(costs) == costs[1] == pytest.approx(np.log(0.2) + 1.0)


def test_fit_leaves_the_pose_and_writes_what_it_measured(fitted):
    run, report, out = fitted
    assert sorted(p.name for p in out.iterdir()) == ["best.keras", "error.json"]
    assert json.loads((out / "error.json").read_text()) == report
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    before, after = saving.load_model(run)[0], saving.load_model(out)[0]
    np.testing.assert_array_equal(before(images), after(images))
    errors = saving.load_model(out, errors=True)[0](images).numpy()[:, 3:]
    assert np.isfinite(errors).all() and (errors > 0).all()
    assert set(report["doubted"]) == {*error_views.FACELESS, "rolled"}


def test_the_level_brings_the_wanted_share_of_held_out_errors_within(fitted, prepared):
    run, _, out = fitted
    network, description = saving.load_model(out, errors=True)
    threshold, *_ = error_head._split(run, description, prepared)
    held_out = [f for views in error_views.faces(prepared, threshold, True) for f in views]
    views, poses = zip(*(error_views.cut(face, 1.4, 32) for face in held_out), strict=True)
    answers = network(np.rint(np.stack(views))).numpy()
    within = np.abs(answers[:, :3] - np.radians(poses)) <= answers[:, 3:]
    assert np.abs(within.mean(axis=0) - 0.6).max() <= 1.5 / len(held_out)


def test_the_same_seed_gives_the_same_head(fitted, prepared, tmp_path):
    run, _, out = fitted
    recipe = ErrorRecipe(**SMALL, coverage=0.6)
    error_head.fit(run, prepared, tmp_path / "again", recipe, progress=False)
    heads = [saving.read_network(folder).get_weights() for folder in (out, tmp_path / "again")]
    for first, second in zip(*heads, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)
    keras.backend.clear_session()


def test_a_model_that_held_nothing_out_is_refused(run, prepared, tmp_path):
    recipe = Recipe(validation_identities=0, tower="compact", input_size=32)
    (run / "flags.cfg").write_text(to_flagfile(recipe))
    with pytest.raises(RankPoseError, match="held no identity out"):
        error_head.fit(run, prepared, tmp_path / "out", ErrorRecipe(**SMALL))


def test_a_model_that_does_not_tell_its_split_is_refused(run, prepared, tmp_path):
    (run / "flags.cfg").unlink()
    with pytest.raises(RankPoseError, match="does not say which identities"):
        error_head.fit(run, prepared, tmp_path / "out", ErrorRecipe(**SMALL))


def test_other_data_than_the_runs_own_are_refused(run, prepared, tmp_path):
    """Their held-out identities may be ones that the model trained on."""
    text = (run / "flags.cfg").read_text()
    (run / "flags.cfg").write_text(f"# fingerprint of the data: {'0' * 64}\n{text}")
    with pytest.raises(RankPoseError, match="data: the run .* trained on other data than"):
        error_head.fit(run, prepared, tmp_path / "out", ErrorRecipe(**SMALL))
    with claimed(tmp_path / "begun", Recipe(), {"data": prepared_folder.fingerprint(prepared)}):
        require_same_data(tmp_path / "begun", prepared)


def test_people_of_one_picture_count_where_the_model_trained_on_them(run, tmp_path):
    heads = synthetic.identities(12, views=1, seed=1, size=48)
    (tmp_path / "data").mkdir()
    write_prepared(tmp_path / "data", [list(heads)], minimum_views=1)
    recipe = Recipe(validation_identities=4, pairs="any", tower="compact", input_size=32)
    (run / "flags.cfg").write_text(to_flagfile(recipe))
    fit = ErrorRecipe(**SMALL)
    report, _ = error_head.fit(run, tmp_path / "data", tmp_path / "out", fit, progress=False)
    assert report["held_out"]["views"] == 4


def test_an_option_out_of_bounds_is_refused():
    with pytest.raises(RankPoseError, match="coverage: expected a number from 0.05 to 0.95"):
        ErrorRecipe(coverage=1.0)
    with pytest.raises(RankPoseError, match="seed: expected a number from 0 to 4294967295"):
        ErrorRecipe(seed=2**32)
