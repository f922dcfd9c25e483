"""Figures 2, 3 and 4: faces, numbers, files that are whole, and flags that are refused."""

import json
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.data import pairs
from rankpose_tf.evaluation import metrics, other_systems, plots
from rankpose_tf.evaluation import run as evaluation
from rankpose_tf.models import towers as model
from rankpose_tf.studies import activations, figure_faces, figures, map_plots
from tests.support.doors import run_door

PROTOCOL = "rendered heads, square crop 1.4 x box (landmarks), |angle| <= 99 degrees; 96 pictures"


@pytest.fixture(scope="module")
def two_models(small_model, tmp_path_factory):
    """The small model, and a checkpoint of a training of another one."""
    path = tmp_path_factory.mktemp("checkpoint") / "last.keras"
    model.build_siamese(model.build_tower("compact", 48), 48).save(path)
    return {"RankPose": small_model, "MSE": path}


def read(out):
    """Content of a figure's JSON file, after a look at the picture."""
    picture = cv2.imread(str(out))
    assert min(picture.shape[:2]) > 200 and picture.std() > 5
    assert sorted(path.name for path in out.parent.iterdir()) == [
        out.with_suffix(".json").name,
        out.name,
    ]
    return json.loads(out.with_suffix(".json").read_text())


def test_faces_are_the_middles_of_equal_parts_by_yaw():
    yaw = np.random.default_rng(0).permutation(np.arange(80.0))
    chosen = figure_faces.spread_over_yaw(yaw, 4)
    np.testing.assert_array_equal(yaw[chosen], [10, 30, 50, 70])
    with pytest.raises(RankPoseError, match="faces: expected 1 to 80, .* received 81"):
        figure_faces.spread_over_yaw(yaw, 81)


def test_figure_2_shows_the_maps_of_both_models_on_the_faces_it_names(
    two_models, prepared, tmp_path
):
    out = figures.activation_maps(
        models=two_models, data=prepared, out=tmp_path / "figure.png", faces=3
    )
    content = read(out)
    assert (content["figure"], content["protocol"]) == (2, PROTOCOL)
    labels = other_systems.labels(prepared)
    chosen = figure_faces.spread_over_yaw(labels["true"][:, 0], 3)
    assert [face["name"] for face in content["faces"]] == [labels["names"][k] for k in chosen]
    images = np.concatenate([b["image"].numpy() for b in pairs.views(prepared, 32, 1.4, 50)])
    tower, _ = activations.load(two_models["RankPose"])
    rounded = np.rint(images[chosen])
    expected = activations.mean_maps_model(tower).predict_on_batch(rounded)
    for found, maps in zip(content["maps"]["RankPose"].values(), expected, strict=True):
        np.testing.assert_allclose(found, activations.normalised(maps), atol=1e-3)
    sides = [np.shape(maps) for maps in content["maps"]["MSE"].values()]
    assert sides == [(3, 48 // stride, 48 // stride) for stride in (4, 8, 16)]


@pytest.mark.parametrize("shown", [True, False])
def test_maps_are_drawn_on_one_scale_and_faces_only_if_given(shown):
    maps = {"a": np.random.default_rng(0).uniform(0, 1, (2, 4, 4)), "b": np.zeros((2, 2, 2))}
    faces = [np.zeros((8, 8, 3), np.uint8)] * 2 if shown else None
    figure = map_plots.maps({"one": maps, "other": maps}, np.zeros((2, 3)), faces)
    drawn = [image for axes in figure.axes for image in axes.get_images()]
    of_maps = [image for image in drawn if image.get_array().ndim == 2]
    assert len(drawn) - len(of_maps) == 2 * shown
    assert [image.get_clim() for image in of_maps] == [(0, 1)] * 8
    written = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"one", "other"} <= written


def test_faces_of_a_data_set_are_not_shown_unless_asked_for(prepared, tmp_path, monkeypatch):
    given = []

    def maps(found, labels, pictures):
        given.append(pictures)
        return plots.new_figure(2, 2)

    about = {"input_size": 32, "crop_scale": 1.4}
    monkeypatch.setattr(activations, "load", lambda path: (None, about))
    monkeypatch.setattr(figures, "_maps_of", lambda tower, pictures: {})
    monkeypatch.setattr(map_plots, "maps", maps)
    others = tmp_path / "manifest"
    shutil.copytree(prepared, others)
    about_data = json.loads((others / "dataset.json").read_text())
    (others / "dataset.json").write_text(json.dumps({**about_data, "kind": "manifest"}))
    for number, (data, show) in enumerate(
        [(others, None), (others, True), (prepared, None), (prepared, False)]
    ):
        figures.activation_maps(
            models={"a": "", "b": ""},
            data=data,
            out=tmp_path / f"{number}.png",
            faces=1,
            show_faces=show,
        )
    assert [pictures is not None for pictures in given] == [False, True, True, False]


def test_figure_3_counts_every_map_of_every_model(two_models, prepared, tmp_path):
    out = tmp_path / "new" / "figure.png"
    content = read(figures.variances(models=two_models, data=prepared, out=out))
    assert (content["figure"], content["protocol"]) == (3, PROTOCOL)
    assert content["layers"] == {
        "RankPose": "stage1_block1_out, 8 x 8",
        "MSE": "stage1_block1_out, 12 x 12",
    }
    for one in content["variances"].values():
        for kind, maps in (("channels", 96 * 32), ("mean_map", 96)):
            assert one[kind]["maps"] == maps == one[kind]["constant"] + sum(one[kind]["counts"])
            assert len(one[kind]["counts"]) == len(content["edges"][kind]) - 1


def test_an_axis_of_variances_leaves_out_a_thousandth_at_either_end():
    edges, counts = np.arange(6.0), np.array([1, 2000, 0, 2000, 1])
    assert map_plots._middle(edges, [counts]) == (1, 4)
    assert map_plots._middle(edges, [counts, np.array([0, 0, 0, 0, 9])]) == (1, 5)
    assert map_plots._middle(edges, [np.zeros(5, int)]) == (0, 5)


def test_figure_4_is_of_the_errors_that_evaluate_finds(small_model, prepared, tmp_path):
    result, folder = evaluation.evaluate(model=small_model, data=prepared, out=tmp_path / "e")
    models = {"model": small_model, "file": folder / "predictions.csv"}
    out = tmp_path / "figure" / "figure.png"
    content = read(figures.cumulative_error(models=models, data=prepared, out=out))
    assert content["protocol"] == f"{PROTOCOL}; file: another system's crops"
    found = other_systems.match(
        other_systems.read_angles(folder / "predictions.csv"),
        other_systems.labels(prepared),
        True,
        False,
        "file",
    )[0]
    errors = metrics.absolute_errors(found["true"], found["predicted"])
    for name in models:
        assert content["summary"][name]["mae"] == pytest.approx(result["mae"], abs=1e-3)
        for column, angle in enumerate(("yaw", "pitch", "roll", "mean")):
            expected = [(errors[:, column] <= d).mean() for d in content["degrees"]]
            shares = content["share_within"][name][angle]
            # A picture whose error is a whole degree may fall on either side.
            np.testing.assert_allclose(shares, expected, atol=1.01 / 96)


def test_a_file_of_angles_has_to_have_every_picture(small_model, prepared, tmp_path):
    name = other_systems.labels(prepared)["names"][0]
    (tmp_path / "angles.csv").write_text(f"image,yaw,pitch,roll\n{name},1,2,3\n")
    with pytest.raises(RankPoseError, match="models: .*angles.csv.* no angles for 95 pictures"):
        figures.cumulative_error(
            models={"file": tmp_path / "angles.csv"}, data=prepared, out=tmp_path / "figure.png"
        )


def test_models_of_different_crops_need_a_crop_that_is_said(two_models, small_model, prepared):
    about = {"views": 96, "views_within_limit": 96, "protocol_set": "s", "box_source": "b"}
    towers = {"a": (None, {"crop_scale": 1.4}), "b": (None, {"crop_scale": 1.2})}
    checkpoint = {"c": (None, {"input_size": 32})}
    for wrong, received in ((towers, "1.2, 1.4"), (checkpoint, "none says")):
        with pytest.raises(RankPoseError, match=f"crop_scale: .*{received}; pass --crop_scale"):
            figure_faces.views(wrong, prepared, about, None, True, 8)
    for fine, given in ((towers, 1.3), (checkpoint, 1.3), ({**checkpoint, "a": towers["a"]}, None)):
        _, protocol = figure_faces.views(fine, prepared, about, given, True, 8)
        assert f"square crop {given or 1.4:g} x" in protocol
    with pytest.raises(RankPoseError, match="crop_scale: expected a number over 0, received -1"):
        figure_faces.views(towers, prepared, about, -1, True, 8)


def test_rendered_heads_need_no_data(monkeypatch):
    monkeypatch.setattr(figure_faces, "_HEADS", 3)
    with figure_faces.prepared("synthetic") as (folder, about):
        assert about["protocol_set"] == "rendered heads"
        assert len(other_systems.labels(folder)["names"]) == about["views"] == 3 * 5


def test_nothing_is_overwritten_and_the_file_is_a_png(two_models, tmp_path):
    (tmp_path / "figure.json").write_text("kept")
    settings = {"models": two_models, "data": tmp_path}
    with pytest.raises(RankPoseError, match="out: .*figure.json' exists already"):
        figures.variances(**settings, out=tmp_path / "figure.png")
    with pytest.raises(RankPoseError, match=r"out: .* ends in .png, received .*figure.pdf"):
        figures.variances(**settings, out=tmp_path / "figure.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(RankPoseError, match="out: .*file' is a file"):
        figures.variances(**settings, out=tmp_path / "file" / "figure.png")


def test_a_full_disk_leaves_neither_figure_nor_numbers(tmp_path, monkeypatch):
    import errno

    def full(path, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(figures.files, "write_text", full)
    with pytest.raises(RankPoseError, match=r"out: .*\(No space left on device\); make room"):
        figures._write(tmp_path / "figure.png", plots.new_figure(2, 2), 3, "p", {}, {})
    assert not list(tmp_path.iterdir())


WRONG_FLAGS = [
    ([], "figure, models, data, out: pass --figure=2"),
    (["--figure=3", "--data=d", "--out=o.png"], "models: pass --models=NAME=RUN"),
    (["--figure=3", "--models=a=b", "--out=o.png"], "data: pass --data=FOLDER"),
    (["--figure=3", "--models=a=b", "--data=d"], "out: pass --out=FILE.png"),
    (["--figure=3", "--models=run", "--data=d", "--out=o.png"], "models: .* received 'run'"),
    (["--figure=3", "--models=a=b,a=c", "--data=d", "--out=o.png"], "models: two .* 'a'"),
    (["--figure=3", "--models=a=b", "--data=d", "--out=o.png", "--faces=3"], "faces .*=2"),
    (["--figure=2", "--models=a=b", "--data=d", "--out=o.png"], "models: .* two, received 1"),
    (["--figure=4", "--models=a=b", "--data=d", "--out=o.png"], "model: no file 'b'"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_FLAGS)
def test_wrong_flags_are_named(tmp_path, arguments, message):
    done = run_door("figures", *arguments, cwd=tmp_path)
    assert done.returncode == 1 and re.match(f"error: {message}", done.stderr)


def test_the_command_starts():
    done = subprocess.run(
        [sys.executable, "-m", "rankpose_tf.figures"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("error: figure, models, data, out: pass")
